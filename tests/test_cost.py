"""Costs: the published test vectors, the real modules, and a count by drawing."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils.flop_counter import FlopCounterMode

from tests.strategies import (
    SPACE,
    architectures,
    certain,
    random_mixture,
    stage_of,
    tensors,
    uniform,
)
from zonas_edge.architecture import Architecture, Mixture, largest, smallest
from zonas_edge.cost import (
    CostTable,
    byte_table,
    exact,
    expected,
    mac_table,
    macs,
    paper_parameters,
    parameter_table,
    parameters,
)
from zonas_edge.nn.network import Network
from zonas_edge.nn.ops import ConvolutionBlock, Reduction, Stem
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, Op, SearchSpace, TaskSpec

NONE, SKIP = (Op.NONE, None), (Op.SKIP, None)
C1, POOL = (Op.CONV_1X1, None), (Op.AVG_POOL, None)
C3, C5, C7 = ((Op.CONV, k) for k in (3, 5, 7))
GRAY = TaskSpec(1, 28, 28, 11)
TOY = TaskSpec(1, 8, 8, 3)


def published(*stages: tuple[int, tuple[tuple[Op, int | None], ...]]) -> Architecture:
    return Architecture(
        channels=16, stages=tuple(stage_of(edges, depth) for depth, edges in stages)
    )


MIXED = published(
    (2, (C7, C5, NONE, SKIP, C1, C3)),
    (1, (POOL, C1, POOL, NONE, C7, SKIP)),
    (3, (C3, NONE, C3, C1, C5, NONE)),
)
VECTORS = [
    (published(*[(3, (C3,) * 6)] * 3), 11, 946_011),
    (published(*[(1, (SKIP,) * 6)] * 3), 11, 73_083),
    (MIXED, 2, 708_338),
    (MIXED, 11, 708_923),
    (
        published(
            (1, (SKIP, POOL, NONE, NONE, SKIP, C1)),
            (1, (C1, NONE, POOL, C1, C3, C1)),
            (2, (NONE, NONE, C7, C1, POOL, C7)),
        ),
        11,
        897_163,
    ),
]


@pytest.mark.parametrize(("architecture", "classes", "count"), VECTORS)
def test_the_published_counts_are_reproduced(
    architecture: Architecture, classes: int, count: int
) -> None:
    assert paper_parameters(architecture, TaskSpec(1, 28, 28, classes)) == count
    assert parameters(architecture, TaskSpec(1, 28, 28, classes)) == count - 208


def test_colour_adds_288_weights_in_the_stem() -> None:
    assert paper_parameters(MIXED, TaskSpec(3, 28, 28, 2)) == 708_338 + 288


def test_the_published_expected_count_of_the_uniform_mixture_is_reproduced() -> None:
    space = SearchSpace()
    found = expected(parameter_table(space, GRAY), uniform(space)) + 208
    assert found == pytest.approx(443_489.4, abs=0.05)


def folded_weights(network: Network) -> int:
    """Weights after every normalisation that can be folded has been."""
    network.eval()
    for part in network.modules():
        if isinstance(part, Stem | ConvolutionBlock):
            part.convolution = fuse_conv_bn_eval(part.convolution, part.norm)
            part.norm = torch.nn.Identity()  # type: ignore[assignment]
        elif isinstance(part, Reduction):
            part.first = fuse_conv_bn_eval(part.first, part.first_norm)
            part.second = fuse_conv_bn_eval(part.second, part.second_norm)
            part.first_norm = torch.nn.Identity()  # type: ignore[assignment]
            part.second_norm = torch.nn.Identity()  # type: ignore[assignment]
    return sum(weight.numel() for weight in network.parameters())


@settings(max_examples=25)
@given(architectures(connected=True), st.sampled_from([1, 3]))
def test_the_count_is_that_of_the_folded_network(
    architecture: Architecture, channels: int
) -> None:
    task = TaskSpec(channels, 9, 8, 3)
    simple = architecture.simplified()
    table = parameter_table(SPACE, task)
    one_hot = certain(simple, SPACE.max_depth)
    count = folded_weights(Network(simple, task))
    assert parameters(simple, task) == count
    assert exact(table, simple) == count
    assert expected(table, one_hot) == count
    assert expected(table, tensors(one_hot)).item() == count


@settings(max_examples=8)
@given(
    architectures(connected=True),
    st.sampled_from([(1, 8, 8), (3, 9, 11), (1, 13, 10)]),
)
def test_the_multiply_accumulates_are_half_of_torch_s_operations(
    architecture: Architecture, shape: tuple[int, int, int]
) -> None:
    task = TaskSpec(*shape, classes=3)
    network = Network(architecture.simplified(), task).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, *shape))
    assert 2 * macs(architecture.simplified(), task) == counter.get_total_flops()


def drawn_parameters(draws: int, seed: int) -> NDArray[np.float64]:
    """Counts of networks drawn from ``random_mixture(7)``, written out once more."""
    mixture, rng = random_mixture(7), np.random.default_rng(seed)
    total = np.full(draws, float(parameter_table(SPACE, TOY).fixed))
    for s in range(STAGES):
        width = SPACE.stage_channels(s)
        cell = np.zeros(draws)
        for e in range(len(EDGES)):
            op = rng.choice(len(OPS), draws, p=mixture.op[s, e])
            side = np.asarray(KERNELS)[
                rng.choice(len(KERNELS), draws, p=mixture.kernel[s, e])
            ]
            side = np.where(op == OPS.index(Op.CONV_1X1), 1, side)
            has = (op == OPS.index(Op.CONV)) | (op == OPS.index(Op.CONV_1X1))
            cell += has * (side**2 * width**2 + width)
        total += cell * (1 + rng.choice(SPACE.max_depth, draws, p=mixture.depth[s]))
    return total


def test_the_expected_count_is_the_mean_over_200_000_drawn_networks() -> None:
    found = drawn_parameters(200_000, seed=0).mean()
    exactly = expected(parameter_table(SPACE, TOY), random_mixture(7))
    # without the fixed part, which would hide an error
    fixed = parameter_table(SPACE, TOY).fixed
    assert found - fixed == pytest.approx(exactly - fixed, rel=1e-2)


def test_the_gradient_of_the_expected_count_matches_finite_differences() -> None:
    table = parameter_table(SPACE, TOY)
    scaled = CostTable(
        fixed=table.fixed / 1e3,
        operation=tuple(tuple(c / 1e3 for c in row) for row in table.operation),
        kernel=tuple(tuple(c / 1e3 for c in row) for row in table.kernel),
    )
    mixture = tensors(random_mixture(3), gradient=True)

    def cost(*parts: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = expected(scaled, Mixture(*parts))
        return found

    assert torch.autograd.gradcheck(cost, (mixture.op, mixture.kernel, mixture.depth))


@given(architectures(connected=True))
def test_the_smallest_and_the_largest_network_bound_all_others(
    architecture: Architecture,
) -> None:
    for table in (
        parameter_table(SPACE, TOY),
        mac_table(SPACE, TOY),
        byte_table(SPACE, TOY),
    ):
        low, high = exact(table, smallest(SPACE)), exact(table, largest(SPACE))
        assert low <= exact(table, architecture.simplified()) <= high


def test_bytes_are_four_a_weight_and_the_graph() -> None:
    weights = parameter_table(SPACE, TOY)
    size = exact(byte_table(SPACE, TOY), largest(SPACE))
    graph = size - 4 * exact(weights, largest(SPACE))
    around = 12_000 + 100 * TOY.classes
    assert graph == around + 620 * len(EDGES) * STAGES * SPACE.max_depth
