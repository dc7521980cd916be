"""Timing ways of the same work side by side, and what the machine could do at best.

Samples are taken by turns, and which goes first alternates too, so that a machine that
slows down slows all.
"""

import statistics
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from provenance import made_here
from torch.nn import functional

from zonas_edge.pipeline.host import environment

Work = Callable[[], object]


@contextmanager
def cudnn(**switches: bool) -> Iterator[None]:
    """Set switches of ``torch.backends.cudnn`` for a while."""
    before = {name: getattr(torch.backends.cudnn, name) for name in switches}
    try:
        for name, value in switches.items():
            setattr(torch.backends.cudnn, name, value)
        yield
    finally:
        for name, value in before.items():
            setattr(torch.backends.cudnn, name, value)


def default_kernels() -> AbstractContextManager[None]:
    """Torch's own choice of kernels, where the package asks for reproducible ones."""
    return cudnn(deterministic=False)


def synchronise(device: str) -> None:
    """Wait for what the device was given."""
    if device == "cuda":
        torch.cuda.synchronize()


def seconds_of(work: Work, device: str) -> float:
    """Wall clock of ``work``, its kernels included."""
    synchronise(device)
    begun = perf_counter()
    work()
    synchronise(device)
    return perf_counter() - begun


@dataclass(frozen=True)
class Samples:
    """Repeated measurements of one thing [s]."""

    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.seconds)

    def summary(self) -> dict[str, Any]:
        """Median and spread."""
        return {
            "median": self.median,
            "min": min(self.seconds),
            "max": max(self.seconds),
            "samples": list(self.seconds),
        }


def interleaved(
    works: Sequence[Callable[[], float]], repeats: int
) -> tuple[Samples, ...]:
    """Samples of things that time themselves, taken by turns."""
    seconds: list[list[float]] = [[] for _ in works]
    turns = list(zip(works, seconds, strict=True))
    for repeat in range(repeats):
        for work, found in turns if repeat % 2 == 0 else reversed(turns):
            found.append(work())
    return tuple(Samples(tuple(found)) for found in seconds)


def matrix_rates(device: str, repeats: int = 5) -> dict[str, float]:
    """GFLOP/s of a large matrix product, the best of some, by precision."""
    side = 8192 if device == "cuda" else 2048
    modes = [("float32", torch.float32, "highest"), ("bfloat16", torch.bfloat16, None)]
    if device == "cuda":
        modes.append(("tf32", torch.float32, "high"))
    rates = {}
    before = torch.get_float32_matmul_precision()
    for name, dtype, precision in modes:
        torch.set_float32_matmul_precision(precision or before)
        a, b = torch.ones(2, side, side, device=device, dtype=dtype)
        best = min(seconds_of(lambda a=a, b=b: a @ b, device) for _ in range(repeats))
        rates[name] = 2 * side**3 / best / 1e9
    torch.set_float32_matmul_precision(before)
    return rates


def convolution_rate(
    batch: int, channels: int, side: int, device: str, kernel: int = 7
) -> float:
    """GFLOP/s of one plain convolution, forward and backward, best of five."""
    x = torch.ones(batch, channels, side, side, device=device, requires_grad=True)
    weight = torch.ones(channels, channels, kernel, kernel, device=device)
    weight.requires_grad_()

    def both() -> None:
        functional.conv2d(x, weight, padding=kernel // 2).sum().backward()

    best = min(seconds_of(both, device) for _ in range(5))
    return 6 * batch * (channels * side * kernel) ** 2 / best / 1e9


def facts(device: str) -> dict[str, Any]:
    """What the figures depend on: machine, threads, versions, date, commit."""
    return environment(device) | made_here()
