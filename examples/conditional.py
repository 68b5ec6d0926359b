"""Exact multiply-accumulates and parameters of a staged network, and a smooth
formula in place of its accuracy. Prints one JSON object."""
import json
import math
import sys

d = json.load(sys.stdin)
size, channels = d["resolution"] / 2, 16
macs = 27 * channels * size * size
params = 27 * channels
capacity = 0.0
for stage in d["stages"]:
    (kind, block), = stage["block"].items()
    size = max(size / 2, 1)
    for _ in range(stage["depth"]):
        out = stage["width"]
        if kind == "conv":
            weights = block["kernel"] ** 2 * channels * out
        elif kind == "mbconv":
            wide = channels * block["expand"]
            weights = channels * wide + block["kernel"] ** 2 * wide + wide * out
            if block["se"]:
                weights += wide * wide // 2
        else:
            weights = channels * out  # a projection joins unlike widths
        macs += weights * size * size
        params += weights
        capacity += {"conv": 0.8, "mbconv": 1.0, "skip": 0.2}[kind] * math.log1p(weights / 1e3)
        channels = out
    capacity -= abs(stage.get("drop", 0.1) - 0.1)

best_lr = {"sgd": 0.05, "adam": 0.002, "lion": 0.0005}[d["optimizer"]]
tuning = math.exp(-0.3 * math.log(d["lr"] / best_lr) ** 2)
tuning *= 1 - abs(d.get("momentum", 0.9) - 0.9)
accuracy = 60 + 36 * (1 - math.exp(-capacity / 14)) * (0.7 + 0.3 * tuning)
accuracy += 0.6 * len(d["augment"]) - 0.4 * ("mix" in d["augment"]) - 2.5 * (224 - d["resolution"]) / 128
print(json.dumps({"accuracy": accuracy, "macs_m": macs / 1e6, "params_m": params / 1e6}))
