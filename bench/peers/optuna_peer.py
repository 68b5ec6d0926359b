"""Optuna: optuna_peer.py {tpe,tpe-univariate,tpe-multivariate,gp,cma-es,nsga2,nsga3,random} [OPTION=VALUE]...

tpe is the sampler with its defaults, which are multivariate since Optuna 5.

The loop is study.ask and study.tell with the space defined as it is run, as the
documentation recommends. A design that cannot be built or misses a limit is told
as a constraint that does not hold; one without any value is pruned, or failed
where there are several objectives. Options go to the sampler.
"""

import warnings

from protocol import Unfit, Variables, serve


class Search:
    batch = 1

    def __init__(self, hello, words, options):
        import optuna

        warnings.filterwarnings("ignore")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        self.optuna, self.version = optuna, optuna.__version__
        kind = words[0] if words else "tpe"
        self.name = "Optuna " + kind
        self.vars = Variables(hello)
        seed, many = hello["seed"], hello["objectives"] > 1
        s = optuna.samplers
        if many and kind == "cma-es":
            raise Unfit("CMA-ES has one objective")
        make = {
            "tpe": lambda: s.TPESampler(seed=seed, **options),
            "tpe-univariate": lambda: s.TPESampler(seed=seed, multivariate=False, **options),
            "tpe-multivariate": lambda: s.TPESampler(seed=seed, multivariate=True, group=True, **options),
            "gp": lambda: s.GPSampler(seed=seed, **options),
            "cma-es": lambda: s.CmaEsSampler(seed=seed, **options),
            "nsga2": lambda: s.NSGAIISampler(seed=seed, **options),
            "nsga3": lambda: s.NSGAIIISampler(seed=seed, **options),
            "random": lambda: s.RandomSampler(seed=seed),
        }
        if kind not in make:
            raise Unfit(f"there is no sampler {kind!r}")
        if kind == "gp":
            import torch

            torch.set_num_threads(1)
        if kind == "cma-es":
            self.vars.reals("Optuna's CMA-ES")
        self.study = optuna.create_study(directions=["minimize"] * hello["objectives"], sampler=make[kind]())
        self.many = many
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
        state = self.optuna.trial.TrialState
        for d, o in results:
            trial = self.trials.pop(id(d))
            if o["status"] == "complete":
                if o["violation"] > 0:
                    trial.set_constraint("limits", o["violation"])
                self.study.tell(trial, o["losses"])
            elif o["status"] == "infeasible" and not self.many:
                self.study.tell(trial, state=state.PRUNED)
            else:
                self.study.tell(trial, state=state.FAIL)


serve(Search)
