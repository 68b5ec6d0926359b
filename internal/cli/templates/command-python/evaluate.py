#!/usr/bin/env python3
"""Measures one design: JSON on standard input, metrics on standard output.

Replace measure() by the real thing. Parameters that are not active are absent.
"""
import json
import sys


def measure(design):
    speed = {"O1": 1.0, "O2": 1.6, "O3": 1.8}[design["opt"]]
    if design["fast"]:
        speed *= 1.25
    unroll = design.get("unroll", 1)
    speed *= 1 + 0.3 * min(unroll, 6) / 6
    runtime = 80 / speed + abs(design["tile"] - 32) / 4
    energy = 20 * speed + 0.2 * unroll
    return {"runtime": runtime, "energy": energy}


print(json.dumps(measure(json.load(sys.stdin))))
