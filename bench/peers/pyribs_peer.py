"""pyribs: pyribs_peer.py {map-elites,cma-me,cma-mae} [OPTION=VALUE]...

For problems with measures, on real numbers. The archive is a grid over the
arena's measures. Emitters, batch and sigma0 are those of the library's sphere
example (15 emitters of 36, 0.5 for a range of 10.24) as long as that leaves ten
generations; options emitters, batch, sigma, learning_rate, threshold_min and iso
change them. Solutions are scaled to [-1, 1] and clipped to it where they are
evaluated: emitters with bounds draw again until a solution lies within them, which
near a bound takes forever.
"""

from importlib.metadata import version

from protocol import Generations, Unfit, Variables, serve


class Search(Generations):
    def __init__(self, hello, words, options):
        super().__init__()
        if not hello.get("measures"):
            raise Unfit("quality diversity needs measures, which this problem does not state")
        import numpy as np
        from ribs.archives import GridArchive
        from ribs.emitters import EvolutionStrategyEmitter, IsoLineEmitter
        from ribs.schedulers import Scheduler

        self.np, self.version = np, version("ribs")
        kind = words[0] if words else "cma-me"
        self.name = "pyribs " + kind
        self.measures = [m["metric"] for m in hello["measures"]]
        self.vars = Variables(hello)
        self.vars.reals("pyribs")
        n = len(self.vars.list)
        emitters, batch = options.get("emitters", 15), options.get("batch", 36)
        if "emitters" not in options:
            emitters = max(1, min(emitters, hello["budget"] // (10 * batch)))
        sigma = options.get("sigma", 0.1)
        grid = dict(
            solution_dim=n,
            dims=[m["cells"] for m in hello["measures"]],
            ranges=[(m["low"], m["high"]) for m in hello["measures"]],
            seed=hello["seed"],
        )
        seeds = np.random.SeedSequence(hello["seed"]).generate_state(emitters)
        common = dict(batch_size=batch)
        result = None
        if kind == "map-elites":
            archive = GridArchive(**grid)
            es = [IsoLineEmitter(archive, x0=np.zeros(n), iso_sigma=options.get("iso", 0.1), line_sigma=0.2, seed=int(s), **common) for s in seeds]
        elif kind == "cma-me":
            archive = GridArchive(**grid)
            es = [EvolutionStrategyEmitter(archive, x0=np.zeros(n), sigma0=sigma, ranker="2imp", seed=int(s), **common) for s in seeds]
        elif kind == "cma-mae":
            archive = GridArchive(learning_rate=options.get("learning_rate", 0.01), threshold_min=options.get("threshold_min", 0.0), **grid)
            result = GridArchive(**grid)
            es = [
                EvolutionStrategyEmitter(archive, x0=np.zeros(n), sigma0=sigma, ranker="imp", selection_rule="mu", restart_rule="basic", seed=int(s), **common)
                for s in seeds
            ]
        else:
            raise Unfit(f"there is no method {kind!r}")
        self.scheduler = Scheduler(archive, es, result_archive=result)
        self.batch = 1024

    def generate(self):
        out = []
        for i, x in enumerate(self.scheduler.ask()):
            values = {}
            for (name, _, a, b, log, _), u in zip(self.vars.list, x):
                t = (min(max(float(u), -1.0), 1.0) + 1) / 2
                values[name] = a * (b / a) ** t if log else a + t * (b - a)
            out.append((i, self.vars.assemble(values)))
        return out

    def finish(self, results):
        np = self.np
        objective = np.full(len(results), -1e9)
        measures = np.zeros((len(results), len(self.measures)))
        for i, o in results:
            if o["status"] == "complete" and o["violation"] <= 0:
                objective[i] = -o["losses"][0]
                measures[i] = [o["values"][m] for m in self.measures]
        self.scheduler.tell(objective, measures)


serve(Search)
