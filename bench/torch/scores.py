"""Training-free scores of networks of NAS-Bench-201 in PyTorch, written from the
definitions, as a check of neural/score.

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python bench/torch/scores.py golden > neural/score/testdata/torch.json
    venv/bin/python bench/torch/scores.py rank --data ../shared/data --cells 400

golden: scores of small networks in float64. Weights and images are the numbers of a
generator that TestTorch has too, so that the file has only scores.

rank: Spearman's and Kendall's correlations with the benchmark's test accuracy on CIFAR-10
after 200 epochs, of networks with PyTorch's initial weights. --biased builds the network
of github.com/SamsungLabs/zero-cost-nas, whose convolutions in cells have biases;
--own gives every network images of its own, as there.
"""

import argparse
import csv
import gzip
import json
import math

import numpy as np
import torch
from torch import nn
from torch.autograd import grad
from torch.nn import functional as F

EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def conv_norm(i, o, kernel, stride=1, bias=False):
    return nn.Sequential(nn.ReLU(), nn.Conv2d(i, o, kernel, stride, kernel // 2, bias=bias), nn.BatchNorm2d(o))


class Zero(nn.Module):
    def forward(self, x):
        return x * 0


class Cell(nn.Module):
    """A cell: a digit for each edge, 0 none, 1 skip, 2 and 3 convolutions, 4 average pool."""

    def __init__(self, ops, width, biased):
        super().__init__()
        make = {
            "0": Zero,
            "1": nn.Identity,
            "2": lambda: conv_norm(width, width, 1, bias=biased),
            "3": lambda: conv_norm(width, width, 3, bias=biased),
            "4": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False),
        }
        self.edges = nn.ModuleList(make[o]() for o in ops)

    def forward(self, x):
        nodes = [x, 0, 0, 0]
        for (a, b), edge in zip(EDGES, self.edges):
            nodes[b] = nodes[b] + edge(nodes[a])
        return nodes[3]


class Reduce(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = conv_norm(width, 2 * width, 3, 2), conv_norm(2 * width, 2 * width, 3)
        self.shortcut = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(width, 2 * width, 1, bias=False))

    def forward(self, x):
        return self.shortcut(x) + self.b(self.a(x))


def network(ops, width=16, cells=5, biased=False):
    parts = [nn.Conv2d(3, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)]
    for stage in range(3):
        if stage > 0:
            parts.append(Reduce(width))
            width *= 2
        parts += [Cell(ops, width, biased) for _ in range(cells)]
    parts += [nn.BatchNorm2d(width), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]
    return nn.Sequential(*parts)


def layers(net):
    return [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def slopes(y, of, **how):
    return [torch.zeros_like(t) if g is None else g for t, g in zip(of, grad(y, of, allow_unused=True, **how))]


def gradient_scores(net, x, y):
    """Scores by the gradient of the loss by the weights and results of layers."""
    results, hooks = {}, []
    for m in layers(net):
        hooks.append(m.register_forward_hook(lambda m, _, out: results.__setitem__(m, out)))
    loss = F.cross_entropy(net(x), y)
    for h in hooks:
        h.remove()
    ms = layers(net)
    w, a = [m.weight for m in ms], [results[m] for m in ms]
    g = slopes(loss, w + a, create_graph=True)
    gw, ga = g[: len(w)], [t.detach() for t in g[len(w) :]]
    d = [t.detach() for t in gw]
    s = {
        "grad_norm": sum(t.norm() for t in d),
        "snip": sum((p * t).abs().sum() for p, t in zip(w, d)),
        "plain": sum((p * t).sum() for p, t in zip(w, d)),
    }
    # Half the mean over examples of (Σ a·∂L/∂a)² of a channel, once for each weight of it.
    by = [(u.detach() * v).flatten(2).sum(2) if u.dim() > 2 else u.detach() * v for u, v in zip(a, ga)]
    by = [t.pow(2).mean(0).sum() / 2 for t in by]
    s["fisher_channels"] = sum(by)
    s["fisher"] = sum(t * p[0].numel() for t, p in zip(by, w))
    hg = slopes(sum((t * u).sum() for t, u in zip(d, gw)), w)
    s["grasp"] = -sum((p * t).sum() for p, t in zip(w, hg))
    return {k: v.item() for k, v in s.items()}


def jacob_cov(net, x):
    x = x.clone().requires_grad_()
    j = grad(net(x).sum(), x)[0].flatten(1).double().numpy()
    v = np.linalg.eigvalsh(np.corrcoef(j)) + 1e-5
    return float(-np.sum(np.log(v) + 1 / v))


def zico(net, x, y):
    """Σ over layers log Σ mean|g|/σ(g), over two halves of the batch."""
    halves = []
    for u, v in zip(x.chunk(2), y.chunk(2)):
        halves.append(slopes(F.cross_entropy(net(u), v), [m.weight for m in layers(net)]))
    total = 0.0
    for p, q in zip(*halves):
        g = torch.stack([p, q]).double()
        mean, deviation = g.abs().mean(0), g.std(0, unbiased=False)
        each = (mean / deviation)[deviation > 0].sum().item()
        total += math.log(each) if each > 0 else 0
    return total


def naswot(net, x):
    k = torch.zeros(len(x), len(x), dtype=torch.float64)

    def count(_, args):
        c = (args[0] > 0).flatten(1).double()
        k.add_(c @ c.T + (1 - c) @ (1 - c).T)

    hooks = [m.register_forward_pre_hook(count) for m in net.modules() if isinstance(m, nn.ReLU)]
    net(x)
    for h in hooks:
        h.remove()
    return torch.linalg.slogdet(k)[1].item()


def synflow(net, x):
    """The logarithm of Σ|w·∂R/∂w| of |w| and an image of ones, without normalisation."""
    params = [p for m in layers(net) for p in m.parameters()]
    signs = [p.detach().sign() for p in params]
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        [p.abs_() for p in params]
    for m in norms:
        m.forward = lambda x: x
    w = [m.weight for m in layers(net)]
    s = sum((p * t).abs().sum() for p, t in zip(w, slopes(net(torch.ones_like(x[:1])).sum(), w)))
    for m in norms:
        del m.forward
    with torch.no_grad():
        [p.mul_(t) for p, t in zip(params, signs)]
    return s.log().item()


def ntk(net, x):
    w, out = [m.weight for m in layers(net)], net(x)
    rows = [torch.cat([t.flatten() for t in slopes(o.sum(), w, retain_graph=True)]) for o in out]
    v = torch.linalg.eigvalsh(torch.stack(rows) @ torch.stack(rows).T)
    return (v[-1] / v[0]).item()


def numbers(seed, n, most):
    """n numbers between ±most in float32, of the generator that TestTorch has."""
    v = np.empty(n)
    for i in range(n):
        seed = (seed * 1664525 + 1013904223) % 2**32
        v[i] = seed / 2**31 - 1
    return torch.from_numpy(np.float32(v * most).astype(np.float64))


def golden():
    width, cells, side, n = 4, 2, 8, 8
    records = []
    for ops, biased in [("323132", False), ("342013", False), ("031432", False), ("222222", False), ("321332", True)]:
        net = network(ops, width, cells, biased).double()
        for i, p in enumerate(p for m in layers(net) for p in m.parameters()):
            fan_in = p[0].numel() if p.dim() > 1 else fan_in
            p.data = numbers(i + 1, p.numel(), 1 / math.sqrt(fan_in)).view(p.shape)
        x = numbers(1000, n * 3 * side * side, 1.7).view(n, 3, side, side)
        y = torch.arange(n) * 3 % 10
        s = gradient_scores(net, x, y)
        s |= {"jacob_cov": jacob_cov(net, x), "zico": zico(net, x, y), "naswot": naswot(net, x), "ntk": ntk(net, x)}
        if not biased:
            s["synflow"] = synflow(net, x)
        records.append({"ops": ops, "biased": biased, "width": width, "cells": cells, "side": side, "examples": n, "scores": s})
    print(json.dumps(records, indent=1))


def ranks(v):
    _, at, count = np.unique(v, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[at]


def spearman(a, b):
    return np.corrcoef(ranks(a), ranks(b))[0, 1]


def kendall(a, b):
    a, b = (np.sign(np.subtract.outer(v, v)) for v in (np.asarray(a), np.asarray(b)))
    return (a * b).sum() / math.sqrt((a * a).sum() * (b * b).sum())


def rank(o):
    torch.set_num_threads(1)
    rng = np.random.default_rng(o.seed)
    torch.manual_seed(o.seed)
    with gzip.open(f"{o.data}/nas-bench-201/nasbench201.csv.gz", "rt") as f:
        table = list(csv.DictReader(f))
    table = [table[i] for i in rng.permutation(len(table))[: o.cells]]
    truth = np.array([float(r["c10_test_200ep"]) for r in table])
    with gzip.open(f"{o.data}/cifar10-jpeg/cifar10_12000.bin.gz") as f:
        records = np.frombuffer(f.read(), np.uint8).reshape(-1, 3073)
    classes = torch.from_numpy(records[:, 0].astype(np.int64))
    images = torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255)
    images = (images - images.mean((0, 2, 3), True)) / images.std((0, 2, 3), keepdim=True)
    if o.side < 32:
        images = F.avg_pool2d(images, 32 // o.side)
    at = rng.permutation(len(images))[: o.images]
    all = {}
    for r in table:
        if o.own:
            at = rng.permutation(len(images))[: o.images]
        x, y = images[at], classes[at]
        net = network(r["ops"], biased=o.biased)
        s = gradient_scores(net, x, y) | {"zico": zico(net, x, y)}
        try:
            s["jacob_cov"] = jacob_cov(net, x)
        except np.linalg.LinAlgError:
            s["jacob_cov"] = math.nan
        s["params"] = float(r["params_c10_derived"])
        for k, v in s.items():
            all.setdefault(k, []).append(v)
    print(f"{o.cells} cells, {o.images} images of {o.side}, biased {o.biased}, own images {o.own}")
    for k, v in all.items():
        v = np.array(v)
        some = np.isfinite(v)
        print(f"{k:16} Spearman {spearman(v[some], truth[some]):6.3f}  Kendall {kendall(v[some], truth[some]):6.3f}  without a number {np.sum(~some)}")
    if o.out:
        with open(o.out, "w") as f:
            json.dump({"ops": [r["ops"] for r in table], "truth": truth.tolist(), "scores": all}, f)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("do", choices=["golden", "rank"])
    p.add_argument("--data", help="the folder with nas-bench-201 and cifar10-jpeg")
    p.add_argument("--cells", type=int, default=400)
    p.add_argument("--images", type=int, default=32)
    p.add_argument("--side", type=int, default=16, help="32 or a part of it")
    p.add_argument("--biased", action="store_true")
    p.add_argument("--own", action="store_true")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--out", help="a file for all numbers")
    o = p.parse_args()
    golden() if o.do == "golden" else rank(o)
