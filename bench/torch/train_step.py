"""Processor time of a training step in PyTorch, of the networks of
BenchmarkTrainStep in neural/train/internal/cpu.

    python3 -m venv venv && venv/bin/pip install torch
    venv/bin/python bench/torch/train_step.py [--channels-last] [--compile]

One thread, batch 64, Adam, random data. Prints the least processor time of a step,
in milliseconds, over some rounds, and the median over them. With --compile the network
and its loss go through torch.compile, which needs a C++ compiler, and so do the updates
of Adam; what compiling takes is printed beside it.
"""

import argparse
import math
import time

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """A transformer block on 32 tokens of 64 features, and a classifier."""

    def __init__(self, width=64, heads=4, hidden=256):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.q, self.k, self.v = (nn.Linear(width, width) for _ in range(3))
        self.out = nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        n, t, c = x.shape
        y = self.norm1(x)
        q, k, v = (f(y).view(n, t, self.heads, c // self.heads).transpose(1, 2) for f in (self.q, self.k, self.v))
        a = torch.softmax(q @ k.transpose(2, 3) / math.sqrt(c // self.heads), dim=-1)
        x = x + self.out((a @ v).transpose(1, 2).reshape(n, t, c))
        x = x + self.down(F.gelu(self.up(self.norm2(x))))
        return self.head(x.mean(1))


def conv(i, o, k, groups=1):
    return nn.Sequential(nn.Conv2d(i, o, k, padding=k // 2, groups=groups, bias=False), nn.BatchNorm2d(o), nn.ReLU())


class Mean(nn.Module):
    def forward(self, x):
        return x.mean((2, 3))


def networks():
    yield "mlp", nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)), (784,)
    yield "transformer", Block(), (32, 64)
    pool = lambda: nn.MaxPool2d(2)
    yield "cnn", nn.Sequential(
        conv(1, 16, 3), pool(), conv(16, 32, 3), pool(), conv(32, 64, 3), Mean(), nn.Linear(64, 10)), (1, 28, 28)
    yield "depthwise", nn.Sequential(
        conv(1, 16, 3),
        conv(16, 16, 3, 16), conv(16, 32, 1), pool(),
        conv(32, 32, 3, 32), conv(32, 64, 1), pool(),
        conv(64, 64, 3, 64), conv(64, 64, 1), Mean(), nn.Linear(64, 10)), (1, 28, 28)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--rounds", type=int, default=10)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--channels-last", action="store_true", help="the memory format of images")
    p.add_argument("--compile", action="store_true", help="torch.compile of network, loss and optimizer")
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("torch", torch.__version__, "threads", torch.get_num_threads(), "compiled" if args.compile else "eager",
          "channels-last" if args.channels_last else "default memory format")
    for name, net, shape in networks():
        x, y = torch.randn(args.batch, *shape), torch.randint(0, 10, (args.batch,))
        if args.channels_last and len(shape) == 3:
            net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
        # Rates as tensors are not constants of compiled updates, which would be compiled anew.
        opt = torch.optim.Adam(net.parameters(), lr=torch.tensor(1e-3) if args.compile else 1e-3)

        def loss_of(x, y):
            return F.cross_entropy(net(x), y)

        update = opt.step
        if args.compile:
            loss_of, update = torch.compile(loss_of), torch.compile(opt.step)

        def step():
            opt.zero_grad(set_to_none=True)
            loss = loss_of(x, y)
            loss.backward()
            update()
            return loss

        began = time.time()
        for _ in range(3):
            step()
        first = time.time() - began
        times = []
        for _ in range(args.rounds):
            began = time.process_time()
            for _ in range(args.steps):
                loss = step()
            times.append((time.process_time() - began) / args.steps * 1e3)
        times.sort()
        print(f"{name:12} {times[0]:8.3f} ms  median {times[len(times) // 2]:8.3f} ms  loss {loss.item():.4f}"
              + (f"  compiled in {first:.0f} s" if args.compile else ""), flush=True)


main()
