"""Trains a network of one hidden layer to tell two spirals apart, for as many
epochs as it is told, going on from the checkpoint of an earlier run."""
import json
import math
import os
import random
import sys

design = json.load(sys.stdin)
folder = os.environ.get("DAEDALUS_CHECKPOINT")
saved = os.path.join(folder, "state.json") if folder else None

points = random.Random(1)
data = []
for i in range(160):
    turn, side = 0.3 + 2.6 * points.random(), i % 2
    angle = turn * 2 + math.pi * side
    noise = points.gauss(0, 0.06), points.gauss(0, 0.06)
    data.append((turn / 3 * math.cos(angle) + noise[0], turn / 3 * math.sin(angle) + noise[1], side))
train, test = data[:110], data[110:]

hidden = design["hidden"]
size = 4 * hidden + 1  # two inputs, a bias and an output for each, and one bias
if saved and os.path.exists(saved):
    with open(saved) as f:
        state = json.load(f)
else:
    draw = random.Random(2)
    state = {"epoch": 0, "w": [draw.gauss(0, 1) for _ in range(size)], "m": [0.0] * size, "v": [0.0] * size, "step": 0}
w, m, v = state["w"], state["m"], state["v"]
relu = design["activation"] == "relu"


def forward(x, y):
    z = [w[4 * h] * x + w[4 * h + 1] * y + w[4 * h + 2] for h in range(hidden)]
    a = [max(s, 0.0) for s in z] if relu else [math.tanh(s) for s in z]
    return z, a, w[-1] + sum(w[4 * h + 3] * a[h] for h in range(hidden))


def sigmoid(s):
    return 1 / (1 + math.exp(-max(min(s, 50), -50)))


def error():
    return sum((forward(x, y)[2] > 0) != (side == 1) for x, y, side in test) / len(test)


(kind, options), = design["optimizer"].items()
rate, batch = design["rate"], design["batch"]
while state["epoch"] < design["epochs"]:
    state["epoch"] += 1
    order = list(range(len(train)))
    random.Random(state["epoch"]).shuffle(order)
    for at in range(0, len(order), batch):
        part = order[at:at + batch]
        g = [0.0] * size
        for i in part:
            x, y, side = train[i]
            z, a, out = forward(x, y)
            d = (sigmoid(out) - side) / len(part)
            g[-1] += d
            for h in range(hidden):
                g[4 * h + 3] += d * a[h]
                e = d * w[4 * h + 3] * ((z[h] > 0) if relu else 1 - a[h] ** 2)
                g[4 * h] += e * x
                g[4 * h + 1] += e * y
                g[4 * h + 2] += e
        state["step"] += 1
        for j in range(size):
            if kind == "sgd":
                m[j] = options["momentum"] * m[j] - rate * g[j]
                w[j] += m[j]
            else:
                m[j] = 0.9 * m[j] + 0.1 * g[j]
                v[j] = options["beta2"] * v[j] + (1 - options["beta2"]) * g[j] ** 2
                w[j] -= 0.1 * rate * m[j] / (1 - 0.9 ** state["step"]) / (math.sqrt(v[j] / (1 - options["beta2"] ** state["step"])) + 1e-8)
    print(f"step={state['epoch']} error={error()}", flush=True)

if saved:
    with open(saved + ".new", "w") as f:
        json.dump(state, f)
    os.replace(saved + ".new", saved)  # a checkpoint is whole or not there
print(json.dumps({"error": error(), "weights": size}))
