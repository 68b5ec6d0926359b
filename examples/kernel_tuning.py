"""A cost model of a tiled, unrolled loop: the stand-in for your own measurement.

The design comes as JSON on standard input; metrics go out as name=value lines.
"""
import json
import math
import sys

design = json.load(sys.stdin)
tile = design["tile"]
unroll = design.get("unroll", 1)  # only -O3 unrolls; elsewhere the key is absent

# Work per tile, loop overhead that unrolling saves, and a cache that overflows.
base = {"O1": 9.0, "O2": 6.0, "O3": 5.5}[design["opt"]]
overhead = 4.0 / unroll
misses = max(0.0, math.log2(tile * unroll / 128)) * 3.0 + 16.0 / tile
runtime = base + overhead + misses
power = 1.0 + 0.15 * math.log2(unroll) + 0.02 * tile
error = 1e-6
if design["fast"]:
    runtime *= 0.8
    error = 2e-5 * tile  # fast math loses digits with every element of a tile

print(f"runtime={runtime:.4f}")
print(f"energy={runtime * power:.4f}")
print(f"error={error:.2e}")
