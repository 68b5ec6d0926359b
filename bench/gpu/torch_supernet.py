"""The training of bench/gpu in PyTorch: the same supernet from the same weights, with the
same batches, sub-networks and learning rates, as a plan says that the Go program wrote.

    go run ./bench/gpu -plan-only -plan plan
    python bench/gpu/torch_supernet.py --plan plan --mode eager --device cuda --out eager.json
    python bench/gpu/torch_supernet.py --plan plan --mode compile --device cuda --out compile.json

A sub-network takes of each weight the first of the features and the centre of the kernel.
Each becomes a function of its own, written out operator by operator as one would by hand,
so that neither mode pays for an interpreter, and torch.compile compiles each for itself.
With --mode compile the training steps are compiled; evaluations, whose time is counted
apart, are not. Needs torch and numpy.
"""

import argparse
import json
import math
import os
import platform
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F

EPSILON = 1e-5  # of batch normalisation


class Plan:
    """What is to be done: the files of a folder."""

    def __init__(self, folder):
        with open(os.path.join(folder, "plan.json")) as f:
            p = json.load(f)
        if p["format"] != "daedalus-bench-plan/1":
            sys.exit(f"{folder}: found the format {p['format']!r}, want daedalus-bench-plan/1")
        with open(os.path.join(folder, "digest")) as f:
            self.digest = f.read().strip()
        self.__dict__.update(p)
        self.size = p["height"] * p["width"]
        read = lambda name, kind: np.fromfile(os.path.join(folder, name), kind)
        # As the Go program scales: in float64, rounded once.
        mean, std = float(np.float32(p["mean"])), float(np.float32(p["std"]))
        self.colours = ((np.arange(256) / 255 - mean) / std).astype(np.float32)
        self.sets = {}
        for name, n in p["images"].items():
            x, y = read(name + "-images.bin", np.uint8), read(name + "-classes.bin", np.uint8)
            if x.size != n * self.size or y.size != n:
                sys.exit(f"{folder}: found {x.size} bytes and {y.size} classes of {name} images, want {n}")
            self.sets[name] = x.reshape(n, self.size), y.astype(np.int64)
        self.order = read("order.bin", "<i4").reshape(len(p["steps"]), p["batch"])
        flat, self.start, at = read("weights.bin", "<f4"), [], 0
        for w in p["weights"]:
            n = math.prod(w["shape"])
            self.start.append(torch.from_numpy(flat[at : at + n].reshape(w["shape"]).copy()))
            at += n
        if at != flat.size:
            sys.exit(f"{folder}: found {flat.size} weights, want {at}")

    def examples(self, name, index, device):
        x, y = self.sets[name]
        x = torch.from_numpy(self.colours[x[index]].reshape(-1, 1, self.height, self.width))
        return x.to(device, non_blocking=True), torch.from_numpy(y[index]).to(device, non_blocking=True)


def code(graph, weights):
    """The Python of a network: lines, the name of its output, how many normalisations it
    has. {norm} stands for what these do; places of weights in w are those of the plan."""
    place = {w["name"]: i for i, w in enumerate(weights)}
    values, shapes, lines, norms = {}, {}, [], 0

    def part(node, name, want):
        i = place[node + "/" + name]
        cuts = []
        for axis, (n, whole) in enumerate(zip(want, weights[i]["shape"])):
            low = (whole - n) // 2 if axis >= 2 else 0  # the centre of a kernel, the first of else
            cuts.append(":" if n == whole else f"{low}:{low + n}")
        while cuts and cuts[-1] == ":":
            cuts.pop()
        return f"w[{i}]" + (f"[{', '.join(cuts)}]" if cuts else "")

    for k, n in enumerate(graph["nodes"]):
        name, op, o = n["name"], n["op"], n.get("set", {})
        to, ins = f"v{k}", [values[i] for i in n.get("in", [])]
        known = {
            "input": ["shape"], "conv": ["out", "kernel", "stride", "groups"], "batchnorm": [], "add": [], "globalpool": [],
            "activation": ["func"], "linear": ["out", "bias"],
        }
        if op not in known or set(o) - set(known[op]):
            sys.exit(f"node {name!r}: found {op} with {o}, which is not supported here")
        if op == "input":
            to = "x"
        elif op == "conv":
            channels = shapes[n["in"][0]][0]
            kernel, out = o.get("kernel", 1), n["shape"][0]
            groups = channels if o.get("groups") == -1 else o.get("groups", 1)
            w = part(name, "weight", [out, channels // groups, kernel, kernel])
            lines.append(f"{to} = F.conv2d({ins[0]}, {w}, None, {o.get('stride', 1)}, {(kernel - 1) // 2}, 1, {groups})")
        elif op == "batchnorm":
            scale, shift = (part(name, of, n["shape"][:1]) for of in ("scale", "shift"))
            lines.append(f"{to} = " + "{norm}" + f"({ins[0]}, {scale}, {shift}, {norms})")
            norms += 1
        elif op == "activation":
            if o["func"] != "relu":
                sys.exit(f"node {name!r}: found the function {o['func']}, which is not supported here")
            lines.append(f"{to} = F.relu({ins[0]})")
        elif op == "add":
            lines.append(f"{to} = {' + '.join(ins)}")
        elif op == "globalpool":
            lines.append(f"{to} = {ins[0]}.mean((2, 3))")
        elif op == "linear":
            w = part(name, "weight", [n["shape"][0], shapes[n["in"][0]][0]])
            b = part(name, "bias", n["shape"]) if o.get("bias") else "None"
            lines.append(f"{to} = F.linear({ins[0]}, {w}, {b})")
        values[name], shapes[name] = to, n["shape"]
    return lines, values[graph["outputs"][0]], norms


def batch_norm(x, scale, shift, _):
    """With the statistics of the batch."""
    return F.batch_norm(x, None, None, scale, shift, True, 0.0, EPSILON)


class Network:
    """The functions of a sub-network. labels and imitate return a loss and the outputs."""

    def __init__(self, graph, weights, temperature, compiled):
        lines, out, self.norms = code(graph, weights)
        body = lambda norm: "".join(f"    {line.format(norm=norm)}\n" for line in lines)
        text = f"def labels(w, x, y):\n{body('batch_norm')}    return F.cross_entropy({out}, y), {out}\n"
        text += f"def imitate(w, x, teacher):\n{body('batch_norm')}"
        text += f"    want = F.softmax(teacher / {temperature}, 1)\n"
        text += f"    got = F.log_softmax({out} / {temperature}, 1)\n"
        text += f"    return (want * got).sum(1).mean() * {-temperature * temperature}, {out}\n"
        text += f"def run(w, x, norm):\n{body('norm')}    return {out}\n"
        made = {"F": F, "batch_norm": batch_norm}
        exec(compile(text, "<network>", "exec"), made)
        self.labels, self.imitate, self.run = made["labels"], made["imitate"], made["run"]
        if compiled:
            self.labels = torch.compile(self.labels, dynamic=False)
            self.imitate = torch.compile(self.imitate, dynamic=False)

    @torch.no_grad()
    def calibrate(self, w, batches):
        """Means and variances over all batches, where each layer is given what those before
        it make of a batch with its own statistics."""
        each = [[] for _ in range(self.norms)]

        def norm(x, scale, shift, k):
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            each[k].append((x.shape[0], mean.double(), variance.double()))
            return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, EPSILON)

        for x in batches:
            self.run(w, x, norm)
        self.statistics = []
        for of in each:
            total = sum(n for n, _, _ in of)
            mean = sum(n * m for n, m, _ in of) / total
            variance = sum(n * (v + (m - mean) ** 2) for n, m, v in of) / total
            self.statistics.append((mean.float(), variance.float()))

    @torch.no_grad()
    def infer(self, w, x):
        def norm(x, scale, shift, k):
            mean, variance = self.statistics[k]
            return F.batch_norm(x, mean, variance, scale, shift, False, 0.0, EPSILON)

        return self.run(w, x, norm)


def kendall(a, b):
    """Tau-b; None if either is constant."""
    sign = lambda x: (x > 0) - (x < 0)
    total = da = db = 0
    for i in range(len(a)):
        for j in range(i):
            p, q = sign(a[i] - a[j]), sign(b[i] - b[j])
            total, da, db = total + p * q, da + p * p, db + q * q
    return total / math.sqrt(da * db) if da * db else None


class Supernet:
    """The weights of all networks and their optimiser."""

    def __init__(self, plan, networks, device):
        self.plan, self.networks, self.device = plan, networks, device
        self.w = [w.to(device, copy=True).requires_grad_() for w in plan.start]
        decayed = [w for w in self.w if w.dim() >= 2]
        plain = [w for w in self.w if w.dim() < 2]
        self.optimizer = torch.optim.SGD(
            [{"params": decayed, "weight_decay": plan.weight_decay}, {"params": plain, "weight_decay": 0.0}],
            lr=0.0, momentum=plan.momentum, nesterov=True, fused=True,
        )

    def step(self, which, rate, x, y):
        """The sandwich rule with distillation in place; returns the loss of the first."""
        self.optimizer.zero_grad(set_to_none=True)
        first = teacher = None
        for k, i in enumerate(which):
            n = self.networks[i]
            if k == 0:
                loss, out = n.labels(self.w, x, y)
                first, teacher = loss.detach(), out.detach()
            else:
                loss, _ = n.imitate(self.w, x, teacher)
            loss.backward()
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return first

    def rank(self, calibrate, valid):
        """The accuracies of all networks, in percent."""
        got = []
        for n in self.networks:
            n.calibrate(self.w, [x for x, _ in calibrate])
            right = sum((n.infer(self.w, x).argmax(1) == y).sum() for x, y in valid)
            got.append(100 * right.item() / sum(len(y) for _, y in valid))
        return got


class Clock:
    """Adds up what passes by the wall and by the process's processor time."""

    def __init__(self, device):
        self.sync = torch.cuda.synchronize if device == "cuda" else lambda: None
        self.wall = self.processor = 0.0

    def __enter__(self):
        self.sync()
        self.from_wall, self.from_processor = time.perf_counter(), time.process_time()

    def __exit__(self, *_):
        self.sync()
        self.wall += time.perf_counter() - self.from_wall
        self.processor += time.process_time() - self.from_processor

    def cost(self):
        return {"wall_s": self.wall, "processor_s": self.processor}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--plan", required=True, help="folder that the Go program wrote with -plan")
    p.add_argument("--mode", choices=["eager", "compile"], default="eager")
    p.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    p.add_argument("--threads", type=int, default=0, help="of the processor; 0 means PyTorch's own choice")
    p.add_argument("--precise", action="store_true", help="no TF32 on the GPU; give the Go program's plugin the option tf32=false")
    p.add_argument("--note", action="append", default=[], help="NAME=VERSION for the table, any number of times")
    p.add_argument("--out", help="file for the result")
    p.add_argument("--dump", help="for tests: file for outputs before the training, losses of all steps, and weights behind it")
    args = p.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        sys.exit("torch_supernet: PyTorch finds no CUDA device: torch.cuda.is_available() is false")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = not args.precise
    torch.backends.cudnn.benchmark = True
    plan, device = Plan(args.plan), args.device
    versions = dict(n.split("=", 1) for n in args.note)
    versions |= {"PyTorch": torch.__version__, "Python": platform.python_version()}
    if device == "cuda":
        versions |= {"CUDA of PyTorch": torch.version.cuda, "cuDNN of PyTorch": str(torch.backends.cudnn.version())}
        name = f"cuda ({torch.cuda.get_device_name()})"
    else:
        name = f"cpu ({torch.backends.cpu.get_cpu_capability()}, {torch.get_num_threads()} threads)"

    networks = [Network(g, plan.weights, plan.temperature, args.mode == "compile") for g in plan.networks]
    net = Supernet(plan, networks, device)
    blocks = lambda name, n: [plan.examples(name, slice(i, i + plan.block), device) for i in range(0, n, plan.block)]
    calibrate, valid = blocks("calibrate", plan.images["calibrate"]), blocks("valid", plan.images["valid"])
    dump = {"outputs": [], "losses": []}
    if args.dump:
        for n in networks:
            n.calibrate(net.w, [x for x, _ in calibrate])
            dump["outputs"].append(n.infer(net.w, valid[0][0]).flatten().tolist())

    warm, train, evaluate = Clock(device), Clock(device), Clock(device)
    with warm:
        other = Supernet(plan, networks, device)
        x, y = plan.examples("train", plan.order[0], device)
        for i in range(1, plan.trained):
            other.step([0, i], 0.0, x, y)
        other.rank(calibrate[:1], valid[:1])
        del other
    print(f"{name}: warm after {warm.wall:.1f} s", flush=True)

    curve, step, steps = [], 0, len(plan.steps)
    while step < steps:
        first = step
        with train:
            total = torch.zeros((), device=device)
            for step in range(first, min(first + plan.every, steps)):
                s = plan.steps[step]
                loss = net.step(s["networks"], s["rate"], *plan.examples("train", plan.order[step], device))
                total += loss
                if args.dump:
                    dump["losses"].append(loss.item())
            step += 1
        mean = total.item() / (step - first)
        if not math.isfinite(mean):
            sys.exit(f"torch_supernet: the training diverged before step {step}: the mean loss is {mean}")
        with evaluate:
            accuracy = net.rank(calibrate, valid)
        k = kendall(accuracy, plan.truth)
        curve.append({"step": step, "train": train.cost(), "loss": mean, "kendall": k, "accuracy": accuracy})
        shown = "none" if k is None else f"{k:.3f}"
        print(f"step {step:5d} of {steps}: loss {mean:.4f}, Kendall {shown}, {step * plan.batch / train.wall:.0f} images/s", flush=True)

    if args.out:
        with open(args.out, "w") as f:
            json.dump({
                "program": f"PyTorch {args.mode}", "device": name, "versions": versions, "plan": plan.digest, "batch": plan.batch,
                "trained_networks": plan.trained, "warm_up": warm.cost(), "train": train.cost(), "evaluate": evaluate.cost(), "curve": curve,
            }, f, indent=1)
    if args.dump:
        dump["weights"] = [w.detach().flatten().tolist() for w in net.w]
        with open(args.dump, "w") as f:
            json.dump(dump, f)


if __name__ == "__main__":
    main()
