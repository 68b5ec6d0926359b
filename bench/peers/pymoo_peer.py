"""pymoo: pymoo_peer.py {nsga2,nsga3,ga,de,pso,cmaes,moead,mixed} [OPTION=VALUE]...

On real numbers every method is pymoo's own with its defaults. On anything else
nsga2, ga and mixed take pymoo's operators for mixed variables (the library's
MixedVariableGA), and the others cannot take part. A design that misses a limit or
cannot be built is told as a constraint that does not hold.
"""

import math

from protocol import Generations, Unfit, Variables, penalty, serve


class Search(Generations):
    def __init__(self, hello, words, options):
        super().__init__()
        import numpy as np
        import pymoo
        from pymoo.core.problem import Problem

        self.np, self.version = np, pymoo.__version__
        kind = words[0] if words else "nsga2"
        self.name = "pymoo " + kind
        self.vars = Variables(hello)
        m = hello["objectives"]
        reals = all(k == "float" for _, k, *_ in self.vars.list)
        self.reals = reals and kind != "mixed"
        if not reals and kind not in ("nsga2", "ga", "mixed"):
            raise Unfit(f"pymoo's {kind} searches real numbers only")
        if m > 1 and kind in ("ga", "de", "pso", "cmaes"):
            raise Unfit(f"pymoo's {kind} has one objective")
        if m == 1 and kind in ("nsga3", "moead"):
            raise Unfit(f"pymoo's {kind} is for several objectives")
        # Designs may turn out infeasible only if limits or constraints say so.
        self.limits = hello["limits"] or bool(hello.get("require"))
        n_con = 1 if self.limits and kind != "cmaes" else 0
        if self.reals:
            low = np.array([math.log(a) if log else a for _, _, a, _, log, _ in self.vars.list])
            high = np.array([math.log(b) if log else b for _, _, _, b, log, _ in self.vars.list])
            self.problem = Problem(n_var=len(low), n_obj=m, n_ieq_constr=n_con, xl=low, xu=high)
        else:
            from pymoo.core.variable import Choice, Integer, Real

            variables = {}
            for name, k, a, b, log, _ in self.vars.list:
                if k == "float":
                    variables[name] = Real(bounds=(math.log(a), math.log(b)) if log else (a, b))
                elif k == "int":
                    variables[name] = Integer(bounds=(a, b))
                else:
                    variables[name] = Choice(options=list(range(a)))
            self.problem = Problem(vars=variables, n_obj=m, n_ieq_constr=n_con)
        self.algorithm = self.make(kind, m, hello["budget"], options)
        self.algorithm.setup(self.problem, termination=("n_eval", 10**12), seed=hello["seed"], verbose=False)
        self.batch = 1024
        self.seen = [[] for _ in range(m)]

    def make(self, kind, m, budget, options):
        if not self.reals:
            from pymoo.core.mixed import MixedVariableGA
            from pymoo.algorithms.moo.nsga2 import RankAndCrowdingSurvival

            if m > 1:
                options.setdefault("survival", RankAndCrowdingSurvival())
            return MixedVariableGA(**options)
        if kind == "nsga2":
            from pymoo.algorithms.moo.nsga2 import NSGA2

            return NSGA2(**options)
        if kind in ("nsga3", "moead"):
            from pymoo.util.ref_dirs import get_reference_directions

            points = options.pop("points", {2: 100, 3: 91}.get(m, 120))
            if m == 2:
                directions = get_reference_directions("das-dennis", 2, n_partitions=points - 1)
            elif m == 3 and points == 91:
                directions = get_reference_directions("das-dennis", 3, n_partitions=12)
            else:
                directions = get_reference_directions("energy", m, points, seed=1)
            if kind == "nsga3":
                from pymoo.algorithms.moo.nsga3 import NSGA3

                return NSGA3(ref_dirs=directions, **options)
            from pymoo.algorithms.moo.moead import MOEAD

            return MOEAD(ref_dirs=directions, **options)
        if kind == "ga":
            from pymoo.algorithms.soo.nonconvex.ga import GA

            return GA(**options)
        if kind == "de":
            from pymoo.algorithms.soo.nonconvex.de import DE

            return DE(**options)
        if kind == "pso":
            from pymoo.algorithms.soo.nonconvex.pso import PSO

            return PSO(**options)
        if kind == "cmaes":
            from pymoo.algorithms.soo.nonconvex.cmaes import CMAES

            return CMAES(**options)
        raise Unfit(f"there is no method {kind!r}")

    def generate(self):
        from pymoo.core.individual import Individual
        from pymoo.core.population import Population

        self.asked = self.algorithm.ask()
        one = isinstance(self.asked, Individual)  # MOEA/D asks for one at a time
        self.population = Population.create(self.asked) if one else self.asked
        if self.population is None or len(self.population) == 0:
            return []
        out = []
        for i, x in enumerate(self.population.get("X")):
            values = {}
            for j, (name, kind, a, b, log, _) in enumerate(self.vars.list):
                v = x[j] if self.reals else x[name]
                if kind == "float":
                    v = min(max(math.exp(v) if log else float(v), a), b)
                values[name] = int(v) if kind != "float" else v
            out.append((i, self.vars.assemble(values)))
        return out

    def finish(self, results):
        from pymoo.core.evaluator import Evaluator
        from pymoo.problems.static import StaticProblem

        np, n, m = self.np, len(results), len(self.seen)
        F, G = np.empty((n, m)), np.zeros((n, max(self.problem.n_ieq_constr, 1)))
        for i, o in results:
            if o["status"] == "complete":
                F[i] = o["losses"]
                for k, v in enumerate(o["losses"]):
                    self.seen[k].append(v)
        for i, o in results:
            if o["status"] != "complete":
                F[i] = [penalty(s) for s in self.seen]
                G[i] = 1e3
            elif o["violation"] > 0:
                G[i] = o["violation"]
                if self.problem.n_ieq_constr == 0:
                    F[i] = [penalty(s) for s in self.seen]
        self.seen = [[max(s)] if s else [] for s in self.seen]
        values = {"F": F}
        if self.problem.n_ieq_constr:
            values["G"] = G
        Evaluator().eval(StaticProblem(self.problem, **values), self.population)
        self.algorithm.tell(infills=self.asked)


serve(Search)
