#!/usr/bin/env python3
"""Measures one design: JSON on standard input, metrics on standard output.

A choice is {"case": {its parameters}}, a repeat is a list.
"""
import json
import math
import sys

design = json.load(sys.stdin)
cost, score = 0.0, 0.0
for stage in design["stages"]:
    (name, params), = stage["block"].items()
    weight = {"conv": 1.0, "mbconv": 0.25 * params.get("expand", 1), "skip": 0.02}[name]
    cost += weight * stage["width"] ** 2 * params.get("kernel", 1) ** 2 / 1e4
    score += math.log1p(weight * stage["width"])
score -= abs(math.log10(design["lr"]) + 2.5)
print(f"score={score} cost={cost}")
