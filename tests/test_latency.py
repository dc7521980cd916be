"""The latency estimate: additive, positive, and monotonous in what it is made of."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.strategies import SPACE, architectures, mixtures
from zonas_edge.architecture import Architecture, Probabilities, largest, smallest
from zonas_edge.cost import exact, expected
from zonas_edge.latency import LatencyModel, analytic_latency
from zonas_edge.profile import Compute
from zonas_edge.space import KERNELS, STAGES, Op, TaskSpec

TASK = TaskSpec(1, 9, 12, 3)


def model_of(
    gflops: float = 2.0,
    gbps: float = 1.0,
    overhead_us: float = 10.0,
    p95_over_p50: float = 1.5,
) -> LatencyModel:
    compute = Compute(
        gflops=gflops, gbps=gbps, overhead_us=overhead_us, p95_over_p50=p95_over_p50
    )
    return analytic_latency(compute, SPACE, TASK)


MODEL = model_of()


def test_the_model_says_that_it_is_an_estimate() -> None:
    assert MODEL.source == "estimate"


@given(architectures(connected=True))
def test_latency_is_positive_and_inside_the_bounds_of_the_space(
    architecture: Architecture,
) -> None:
    found = MODEL.p50_ms(architecture.simplified())
    assert 0 < MODEL.p50_ms(smallest(SPACE)) <= found <= MODEL.p50_ms(largest(SPACE))


@given(architectures(connected=True))
def test_latency_adds_up_over_the_edges(architecture: Architecture) -> None:
    total = MODEL.table.fixed
    for s, stage in enumerate(architecture.stages):
        for op, kernel in zip(stage.operations, stage.kernels, strict=True):
            total += stage.depth * MODEL.table.operation[s][list(Op).index(op)]
            if kernel is not None:
                total += stage.depth * MODEL.table.kernel[s][KERNELS.index(kernel)]
    assert MODEL.p50_ms(architecture) == pytest.approx(total, rel=1e-12)


@given(architectures(connected=True), st.floats(1, 10))
def test_the_95th_percentile_is_the_median_times_the_ratio(
    architecture: Architecture, ratio: float
) -> None:
    model = model_of(p95_over_p50=ratio)
    assert model.p95_ms(architecture) == model.p50_ms(architecture) * ratio


@given(mixtures())
def test_the_expected_latency_lies_inside_the_bounds_of_the_space(
    mixture: Probabilities,
) -> None:
    # an edge may be drawn as none everywhere, which costs the fixed part alone
    high = exact(MODEL.table, largest(SPACE))
    assert MODEL.table.fixed <= expected(MODEL.table, mixture) <= high


@given(st.floats(0.01, 1e3), st.floats(0.01, 1e3), st.floats(0, 1e3))
def test_a_larger_kernel_is_never_cheaper(
    gflops: float, gbps: float, overhead_us: float
) -> None:
    table = model_of(gflops, gbps, overhead_us).table
    for s in range(STAGES):
        seven, five, three = table.kernel[s]
        assert seven >= five >= three > 0
        none, skip, one, _, pool = table.operation[s]
        assert none == 0
        assert 0 < skip <= pool
        assert skip < one


@given(st.floats(1.0, 100), st.floats(0, 1e3))
def test_a_faster_device_is_never_slower(factor: float, overhead_us: float) -> None:
    slow = model_of(2.0, 1.0, overhead_us)
    fast = model_of(2.0 * factor, factor, overhead_us)
    assert fast.p50_ms(largest(SPACE)) <= slow.p50_ms(largest(SPACE))


def test_an_operator_takes_the_larger_of_arithmetic_and_traffic() -> None:
    # a sum of two maps: an addition a float, three floats moved; at 1e-3 GFLOP/s
    # arithmetic decides, at 1e-3 GB/s traffic does
    skip = 12 * SPACE.channels * 9  # floats of a map of stage 1
    slow = model_of(1e-3, 1e3, 0.0).table.operation[0][1]
    assert slow == pytest.approx(1e3 * 2 * skip / 1e6)
    fast = model_of(1e3, 1e-3, 0.0).table.operation[0][1]
    assert fast == pytest.approx(1e3 * 4 * 3 * skip / 1e6)
