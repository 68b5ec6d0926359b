"""Symbolic regression: evaluates the derivation tree of a formula on points of
x² + x + 1.5 and prints its root mean square error and its length."""
import json
import math
import sys


def value(node, x):
    use, of, given = node["use"], node.get("of", []), node.get("with", {})
    if use == ["x"]:
        return x
    if use == ["number"]:
        return given["value"]
    if node["rule"] == "E" and len(of) == 3:
        a, op, b = value(of[0], x), of[1]["use"][0], value(of[2], x)
        return {"add": a + b, "mul": a * b, "sub": a - b}[op]
    a = value(of[1], x)
    return {"sin": math.sin, "exp": lambda v: math.exp(min(v, 30)), "square": lambda v: v * v}[of[0]["use"][0]](a)


formula = json.load(sys.stdin)["formula"]
points = [i / 10 - 2 for i in range(41)]
try:
    total = sum((value(formula["tree"], x) - (x * x + x + 1.5)) ** 2 for x in points)
    error = math.sqrt(total / len(points))
except (OverflowError, ValueError) as e:
    print(f"infeasible={e}")
    sys.exit()
print(f"error={error:.6g}")
print(f"length={len(formula['tokens'])}")
