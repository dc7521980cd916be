"""Latency of a network on a device: an estimate, or a prediction from measurements.

A fitted model is a cost table made of what whole networks took on the device itself;
the additive form holds there (benchmarks/LOG.md), so it is predicted by the one formula
of every cost.

Where nothing was measured, the analytic estimate adds, over the operators of the graph,
the larger of the time for the arithmetic and the time for the memory traffic (the
roofline), plus a fixed overhead an operator. Its three numbers come from the profile,
where they are marked as judgement; so the result is an estimate, ranks candidates, and
is never reported as a measurement.

Source: roofline model (Williams, Waterman & Patterson, 2009).
"""

from dataclasses import dataclass
from typing import Literal

from zonas_edge.architecture import Architecture
from zonas_edge.cost import BYTES_PER_WEIGHT, CostTable, edge_table, exact, scaled
from zonas_edge.profile import Compute, FittedLatency
from zonas_edge.reference import Layer, Reference
from zonas_edge.space import STAGES, Op, SearchSpace, TaskSpec

Source = Literal["estimate", "fitted"]


@dataclass(frozen=True)
class LatencyModel:
    """Predicts latency at batch 1 from a cost table in milliseconds.

    Args:
        table: median latency, additive over the edges [ms].
        p95_over_p50: ratio of the 95th percentile to the median on that device.
        source: ``estimate`` for the analytic model, ``fitted`` for measurements.
    """

    table: CostTable
    p95_over_p50: float
    source: Source

    def p50_ms(self, architecture: Architecture) -> float:
        """Median latency of a network [ms]."""
        return exact(self.table, architecture)

    def p95_ms(self, architecture: Architecture) -> float:
        """95th percentile of the latency of a network [ms]."""
        return self.p50_ms(architecture) * self.p95_over_p50


def fitted_latency(fitted: FittedLatency) -> LatencyModel:
    """The model that ``zonas-edge calibrate`` has fitted on one device."""
    return LatencyModel(
        table=scaled(undisturbed_table(fitted), fitted.p50_over_undisturbed),
        p95_over_p50=fitted.p95_over_p50,
        source="fitted",
    )


def undisturbed_table(fitted: FittedLatency) -> CostTable:
    """Latency while nothing comes between, in milliseconds."""
    return CostTable(fitted.fixed_ms, fitted.operation_ms, fitted.kernel_ms)


@dataclass(frozen=True)
class _Roofline:
    """Time of one operator from its arithmetic and its traffic."""

    compute: Compute

    def ms(self, macs: float, values: float) -> float:
        """Milliseconds for so many multiply-accumulates and floats moved."""
        arithmetic = 2 * macs / (self.compute.gflops * 1e9)
        traffic = BYTES_PER_WEIGHT * values / (self.compute.gbps * 1e9)
        return 1e3 * max(arithmetic, traffic) + self.compute.overhead_us / 1e3

    def convolution(self, kernel: int, a: int, b: int, pixels: int) -> float:
        """A convolution from ``a`` to ``b`` channels, and the ReLU before it."""
        return self.relu(a, pixels) + self.bare(kernel, a, b, pixels, pixels)

    def relu(self, a: int, pixels: int) -> float:
        """A ReLU of ``a`` channels, as of anything that reads and writes them once."""
        return self.ms(0, 2 * a * pixels)

    def bare(self, kernel: int, a: int, b: int, before: int, after: int) -> float:
        """A convolution alone, from maps of ``before`` pixels to maps of ``after``."""
        weights = kernel**2 * a * b
        return self.ms(weights * after, a * before + b * after + weights)

    def reduction(self, a: int, b: int, before: int, after: int) -> float:
        """The block between two stages: two convolutions beside a shortcut."""
        long = self.relu(a, before) + self.bare(3, a, b, before, after)
        long += self.convolution(3, b, b, after)
        mean = self.ms(4 * a * after, a * before + a * after)
        short = mean + self.bare(1, a, b, after, after)
        return long + short + self.ms(b * after, 3 * b * after)

    def layer(self, layer: Layer) -> float:
        """A reference network's convolution, the activation in it, and the sum."""
        part, maps = layer.convolution, layer.convolution.outputs * layer.pixels_out
        read = part.inputs * layer.pixels_in + part.weights
        added = self.ms(maps, 3 * maps) if layer.added else 0.0
        return added + self.ms(part.weights * layer.pixels_out, read + maps)


def analytic_latency(
    compute: Compute, space: SearchSpace, task: TaskSpec
) -> LatencyModel:
    """The estimate for a device described by its ``[compute]`` figures."""
    time = _Roofline(compute)

    pixels = task.pixels_of

    def candidate(stage: int, op: Op) -> float:
        maps = space.stage_channels(stage) * pixels(stage)
        add = time.ms(maps, 3 * maps)
        if op is Op.NONE:
            return 0.0
        if op is Op.AVG_POOL:
            return add + time.ms(9 * maps, 2 * maps)
        return add

    def convolution(stage: int, kernel: int) -> float:
        channels = space.stage_channels(stage)
        return time.convolution(kernel, channels, channels, pixels(stage))

    first, last = space.stage_channels(0), space.stage_channels(STAGES - 1)
    # pixels to floats, scaled, shifted
    fixed = 3 * time.relu(task.channels, pixels(0))
    fixed += time.bare(3, task.channels, first, pixels(0), pixels(0))
    for s in range(STAGES - 1):
        a, b = space.stage_channels(s), space.stage_channels(s + 1)
        fixed += time.reduction(a, b, pixels(s), pixels(s + 1))
    fixed += 6 * time.ms(0, last * pixels(STAGES - 1))  # head: scale to softmax
    return LatencyModel(
        table=edge_table(fixed, convolution, candidate),
        p95_over_p50=compute.p95_over_p50,
        source="estimate",
    )


def reference_ms(compute: Compute, reference: Reference, task: TaskSpec) -> float:
    """Estimated median latency of a reference network [ms], by the same roofline."""
    time = _Roofline(compute)
    layers = [*reference.layers(task)]
    head = 4 * time.ms(0, reference.features * layers[-1].pixels_out)  # mean to softmax
    return head + sum(time.layer(layer) for layer in layers)
