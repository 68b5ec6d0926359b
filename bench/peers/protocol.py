"""The arena's side of a conversation, for searchers written in Python.

A peer reads messages as lines of JSON from standard input and answers each with
one line on standard output; docs/arena.md describes them. A peer file makes a
searcher and serves it:

    from protocol import serve, Variables

    class Search:
        name, version, batch = "mine", "1.0", 1
        def __init__(self, hello, options): ...
        def ask(self, n): return [design, ...]     # dicts of parameters by name
        def tell(self, results): ...               # [(design, outcome), ...]

    serve(Search)

Whatever a library prints goes to standard error.
"""

import json
import os
import sys
import traceback


class Unfit(Exception):
    """The searcher cannot take part in this problem; the reason is shown."""


def options_of(words):
    """Words such as population=40 as keyword arguments; others in order."""
    plain, named = [], {}
    for w in words:
        key, eq, value = w.partition("=")
        if not eq:
            plain.append(w)
            continue
        try:
            named[key] = json.loads(value)
        except ValueError:
            named[key] = value
    return plain, named


def serve(make):
    """Serves make(hello, words, options), run after run, until the arena closes the pipe."""
    out = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr

    def say(**message):
        out.write(json.dumps(message, allow_nan=False) + "\n")
        out.flush()

    searcher, asked = None, {}
    count = 0
    for line in sys.stdin:
        message = json.loads(line)
        kind = message["type"]
        try:
            if kind == "hello":
                words, options = options_of(sys.argv[1:])
                try:
                    searcher = make(message, words, options)
                except ImportError as e:
                    say(type="unfit", reason=f"{e.name or e} is not installed: see bench/peers/README.md")
                    return
                asked, count = {}, 0
                say(type="ready", name=searcher.name, version=searcher.version, batch=searcher.batch, reuse=True)
            elif kind == "ask":
                designs = searcher.ask(message["n"])
                if not designs:
                    say(type="done")
                    continue
                for d in designs:
                    count += 1
                    asked[count] = d
                say(type="designs", designs=designs)
            elif kind == "tell":
                searcher.tell([(asked.pop(o["id"]), o) for o in message["outcomes"]])
                say(type="ok")
        except Unfit as e:
            say(type="unfit" if kind == "hello" else "error", reason=str(e), reuse=True)
            if kind != "hello":
                return
        except Exception as e:  # the arena shows the reason, and the trace from standard error
            traceback.print_exc()
            say(type="error", reason=f"{type(e).__name__}: {e}")
            return


class Variables:
    """The parameters of a problem as plain variables that any library has.

    Each is (name, kind, ...): ("float", low, high, log), ("int", low, high, log)
    or ("category", n). A stepped number and an ordinal are ints, a subset is a
    bool for each item, a permutation a float for each item, whose order counts.
    assemble turns their values into a design.
    """

    def __init__(self, hello):
        if hello["params"] is None:
            raise Unfit("the space has repeats or grammars, which this library has no words for")
        self.params = {p["name"]: p for p in hello["params"]}
        self.list = []  # (name, kind, a, b, log, parameter)
        for p in hello["params"]:
            name, kind = p["name"], p["type"]
            add = lambda n, *what: self.list.append((n, *what, p))
            if kind == "float" and not p.get("step"):
                add(name, "float", p["low"], p["high"], p.get("log", False))
            elif kind == "int" and p.get("step", 1) == 1:
                add(name, "int", int(p["low"]), int(p["high"]), p.get("log", False))
            elif kind in ("float", "int"):
                add(name, "int", 0, round((p["high"] - p["low"]) / p["step"]), False)
            elif kind == "ordinal":
                add(name, "int", 0, len(p["values"]) - 1, False)
            elif kind == "categorical":
                add(name, "category", len(p["values"]), None, False)
            elif kind == "subset":
                for i in range(len(p["values"])):
                    add(f"{name}#{i}", "category", 2, None, False)
            else:
                for i in range(len(p["values"])):
                    add(f"{name}#{i}", "float", 0.0, 1.0, False)

    def reals(self, library):
        """Refuses problems with anything but real numbers."""
        if any(kind != "float" for _, kind, *_ in self.list):
            raise Unfit(f"{library} searches real numbers only")

    def conditional(self):
        return any("in" in p or "when" in p for p in self.params.values())

    def active(self, p, values):
        """Whether a parameter's case is the one taken; conditions are not looked at."""
        while "in" in p:
            outer = self.params[p["in"]["name"]]
            at = values.get(outer["name"])
            if at is None or outer["values"][int(at)] != p["in"]["value"]:
                return False
            p = outer
        return True

    def assemble(self, values):
        """A design of the values of the variables; those that are absent are not active."""
        design = {}
        for p in self.params.values():
            name, kind = p["name"], p["type"]
            if kind in ("subset", "permutation"):
                if f"{name}#0" not in values:
                    continue
                at = [float(values[f"{name}#{i}"]) for i in range(len(p["values"]))]
                if kind == "permutation":
                    design[name] = [p["values"][i] for i in sorted(range(len(at)), key=at.__getitem__)]
                    continue
                taken = [i for i, x in enumerate(at) if x >= 0.5]
                left = [i for i, x in enumerate(at) if x < 0.5]
                least, most = p["size"]
                taken = taken[:most] + left[: max(0, least - len(taken))]
                design[name] = [p["values"][i] for i in sorted(taken)]
                continue
            if name not in values:
                continue
            v = values[name]
            if kind == "categorical" or kind == "ordinal":
                design[name] = p["values"][int(v)]
            elif kind == "int" and p.get("step", 1) == 1:
                design[name] = int(v)
            elif p.get("step"):
                design[name] = p["low"] + int(v) * p["step"]
            else:
                design[name] = float(v)
        return design


class Generations:
    """Hands out a generation piece by piece and finishes it when all is told.

    A subclass has generate() -> [(handle, design), ...] and finish([(handle,
    outcome), ...]).
    """

    def __init__(self):
        self.waiting, self.out, self.results = [], {}, []

    def ask(self, n):
        if not self.waiting:
            if self.out:
                raise RuntimeError("asked for more before the generation was told")
            self.waiting = list(self.generate())
            self.total = len(self.waiting)
        piece, self.waiting = self.waiting[:n], self.waiting[n:]
        for handle, design in piece:
            self.out[id(design)] = handle
        return [design for _, design in piece]

    def tell(self, results):
        for design, outcome in results:
            self.results.append((self.out.pop(id(design)), outcome))
        if len(self.results) == self.total:
            self.finish(self.results)
            self.results = []


def penalty(seen):
    """A loss for designs without one: worse than everything so far."""
    return max(seen, default=1.0) + abs(max(seen, default=1.0)) + 1.0
