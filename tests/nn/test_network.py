"""The derived network: what it accepts, and its running statistics."""

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor
from torch.optim.swa_utils import update_bn

from tests.strategies import SPACE, architectures, stage_of
from zonas_edge.architecture import Architecture, largest
from zonas_edge.nn.network import Cell, Network
from zonas_edge.nn.ops import average_pool
from zonas_edge.space import Op, TaskSpec

TASK = TaskSpec(1, 9, 8, 3)


def network_of(architecture: Architecture, seed: int = 0) -> Network:
    return Network(architecture, TASK, torch.Generator().manual_seed(seed)).double()


def batches(count: int, size: int = 6, seed: int = 1) -> list[Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return [
        torch.randn(size, 1, 9, 8, generator=draw, dtype=torch.float64)
        for _ in range(count)
    ]


@pytest.mark.parametrize(
    "candidates",
    [
        ((Op.NONE, None),) * 6,
        (
            (Op.SKIP, None),
            *((Op.NONE, None),) * 2,
            (Op.SKIP, None),
            *((Op.NONE, None),) * 2,
        ),
    ],
)
def test_a_network_with_dead_edges_is_refused(
    candidates: tuple[tuple[Op, int | None], ...],
) -> None:
    with pytest.raises(
        ValueError, match=r"^the architecture is not connected and simplified$"
    ):
        Network(Architecture(2, (stage_of(candidates),) * 3), TASK)


@settings(max_examples=5)
@given(architectures(connected=True))
def test_in_evaluation_an_image_has_the_same_logits_alone_and_in_a_batch(
    architecture: Architecture,
) -> None:
    network = network_of(architecture.simplified())
    (batch,) = batches(1)
    update_bn([batch], network)
    network.eval()
    with torch.no_grad():
        together = network(batch)
        alone = torch.cat([network(image[None]) for image in batch])
    torch.testing.assert_close(together, alone)


@pytest.mark.parametrize("training", [True, False])
def test_a_gray_image_goes_through_the_cells_in_the_fast_layout(
    *, training: bool
) -> None:
    none = (Op.NONE, None)
    pool = stage_of((none, none, none, (Op.AVG_POOL, None), none, none))
    network = network_of(Architecture(4, (pool,) * 3)).train(training)
    seen: list[bool] = []
    for cell in network.modules():
        if isinstance(cell, Cell):
            cell.register_forward_pre_hook(
                lambda _, given: seen.append(
                    given[0].is_contiguous(memory_format=torch.channels_last)
                )
            )
    network(batches(1)[0])
    assert seen == [True] * 3


def test_the_average_leaves_padded_pixels_out() -> None:
    assert torch.equal(average_pool(torch.ones(1, 1, 5, 7)), torch.ones(1, 1, 5, 7))


def test_an_initialised_network_depends_on_its_generator_alone() -> None:
    torch.manual_seed(5)
    first = network_of(largest(SPACE))
    torch.manual_seed(6)
    second = network_of(largest(SPACE))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
