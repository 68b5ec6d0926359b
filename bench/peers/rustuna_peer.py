"""Rustuna, Optuna's core in Rust: rustuna_peer.py {tpe,tpe-multivariate,cma-es,nsga2,random} [OPTION=VALUE]..."""

from importlib.metadata import version

from protocol import Unfit, Variables, serve


class Search:
    batch = 1

    def __init__(self, hello, words, options):
        import rustuna

        self.rustuna, self.version = rustuna, version("rustuna")
        kind = words[0] if words else "tpe"
        self.name = "Rustuna " + kind
        self.vars = Variables(hello)
        seed = hello["seed"]
        s = rustuna.samplers
        make = {
            "tpe": lambda: s.TPESampler(seed=seed, **options),
            "tpe-multivariate": lambda: s.TPESampler(seed=seed, multivariate=True, **options),
            "cma-es": lambda: s.CmaEsSampler(seed=seed, **options),
            "nsga2": lambda: s.NSGAIISampler(seed=seed, **options),
            "random": lambda: s.RandomSampler(seed=seed),
        }
        if kind not in make:
            raise Unfit(f"there is no sampler {kind!r}")
        if kind == "cma-es":
            if hello["objectives"] > 1:
                raise Unfit("CMA-ES has one objective")
            self.vars.reals("Rustuna's CMA-ES")
        self.study = rustuna.create_study(directions=["minimize"] * hello["objectives"], sampler=make[kind]())
        self.many = hello["objectives"] > 1
        self.trials = {}

    def ask(self, n):
        out = []
        for _ in range(n):
            trial = self.study.ask()
            values = {}
            for name, kind, a, b, log, p in self.vars.list:
                if not self.vars.active(p, values):
                    continue
                if kind == "float":
                    values[name] = trial.suggest_float(name, a, b, log=log)
                elif kind == "int":
                    values[name] = trial.suggest_int(name, a, b, log=log)
                else:
                    values[name] = trial.suggest_categorical(name, list(range(a)))
            d = self.vars.assemble(values)
            self.trials[id(d)] = trial
            out.append(d)
        return out

    def tell(self, results):
        for d, o in results:
            trial = self.trials.pop(id(d))
            if o["status"] == "complete":
                if o["violation"] > 0:
                    trial.set_constraint("limits", o["violation"])
                self.study.tell(trial.number, o["losses"])
                continue
            state = self.rustuna.trial.TrialState
            self.study.tell(trial.number, state=state.PRUNED if o["status"] == "infeasible" and not self.many else state.FAIL)


serve(Search)
