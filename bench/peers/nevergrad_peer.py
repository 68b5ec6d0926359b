"""Nevergrad: nevergrad_peer.py [OPTIMIZER] — NGOpt, CMA, DE, PSO, TwoPointsDE, …"""

from protocol import Unfit, Variables, penalty, serve


class Search:
    batch = 1

    def __init__(self, hello, words, options):
        import warnings

        import nevergrad as ng
        import numpy as np

        warnings.filterwarnings("ignore")
        self.version = ng.__version__
        kind = words[0] if words else "NGOpt"
        self.name = "Nevergrad " + kind
        self.vars = Variables(hello)
        variables = {}
        for name, k, a, b, log, _ in self.vars.list:
            if k == "category":
                variables[name] = ng.p.Choice(list(range(a)))
            elif log and k == "float":
                variables[name] = ng.p.Log(lower=a, upper=b)
            elif log:
                variables[name] = ng.p.Log(lower=a, upper=b).set_integer_casting()
            else:
                s = ng.p.Scalar(lower=a, upper=b)
                variables[name] = s if k == "float" else s.set_integer_casting()
        space = ng.p.Dict(**variables)
        space.random_state = np.random.RandomState(hello["seed"])
        if kind not in ng.optimizers.registry:
            raise Unfit(f"there is no optimizer {kind!r}")
        self.optimizer = ng.optimizers.registry[kind](parametrization=space, budget=hello["budget"], num_workers=1)
        self.many = hello["objectives"] > 1
        self.out, self.seen = {}, [[] for _ in range(hello["objectives"])]

    def ask(self, n):
        out = []
        for _ in range(n):
            c = self.optimizer.ask()
            d = self.vars.assemble(c.value)
            self.out[id(d)] = c
            out.append(d)
        return out

    def tell(self, results):
        for d, o in results:
            c = self.out.pop(id(d))
            if o["status"] == "complete":
                losses = o["losses"]
                self.seen = [[max(s + [x])] for s, x in zip(self.seen, losses)]
            else:
                losses = [penalty(s) for s in self.seen]
            violation = [o["violation"] or 1.0] if o["status"] == "infeasible" or o["violation"] > 0 else None
            self.optimizer.tell(c, losses if self.many else losses[0], constraint_violation=violation)


serve(Search)
