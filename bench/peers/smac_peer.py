"""SMAC3: smac_peer.py {hpo,blackbox,random} — the facades of those names, by ask and tell."""

import logging
import tempfile

from importlib.metadata import version

from protocol import Unfit, Variables, penalty, serve


class Search:
    batch = 1

    def __init__(self, hello, words, options):
        from ConfigSpace import Categorical, ConfigurationSpace, EqualsCondition, Float, Integer
        from pathlib import Path
        from smac import BlackBoxFacade, HyperparameterOptimizationFacade, RandomFacade, Scenario
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        logging.disable(logging.CRITICAL)
        self.value, self.status, self.version = TrialValue, StatusType, version("smac")
        kind = words[0] if words else "hpo"
        facade = {"hpo": HyperparameterOptimizationFacade, "blackbox": BlackBoxFacade, "random": RandomFacade}.get(kind)
        if facade is None:
            raise Unfit(f"there is no facade {kind!r}")
        if hello["objectives"] > 1:
            raise Unfit("this adapter drives SMAC with one objective")
        self.name = "SMAC " + kind
        self.vars = Variables(hello)
        self.key = {v[0]: f"v{i}" for i, v in enumerate(self.vars.list)}  # names are restricted there
        space = ConfigurationSpace(seed=hello["seed"])
        made = {}
        for name, k, a, b, log, p in self.vars.list:
            key = self.key[name]
            if k == "category":
                made[name] = Categorical(key, list(range(a)))
            elif a == b:
                made[name] = Categorical(key, [a])
            else:
                made[name] = (Float if k == "float" else Integer)(key, (a, b), log=log)
            space.add(made[name])
        for name, _, _, _, _, p in self.vars.list:
            if "in" in p:
                outer = self.vars.params[p["in"]["name"]]
                space.add(EqualsCondition(made[name], made[outer["name"]], outer["values"].index(p["in"]["value"])))
        self.folder = tempfile.TemporaryDirectory()
        scenario = Scenario(space, n_trials=hello["budget"], seed=hello["seed"], deterministic=True, output_directory=Path(self.folder.name))
        # By ask and tell the target function is never called.
        self.smac = facade(scenario, lambda config, seed=0: 0.0, overwrite=True, logging_level=False)
        self.out, self.seen = {}, []

    def ask(self, n):
        out = []
        for _ in range(n):
            info = self.smac.ask()
            config = dict(info.config)
            d = self.vars.assemble({v[0]: config[self.key[v[0]]] for v in self.vars.list if self.key[v[0]] in config})
            self.out[id(d)] = info
            out.append(d)
        return out

    def tell(self, results):
        for d, o in results:
            info = self.out.pop(id(d))
            if o["status"] == "complete" and o["violation"] <= 0:
                self.seen = [max(self.seen + o["losses"])]
                self.smac.tell(info, self.value(cost=o["losses"][0]))
            else:
                self.smac.tell(info, self.value(cost=penalty(self.seen)))


serve(Search)
