"""Architecture parameters: which are searched when, and what they say."""

from dataclasses import replace

import pytest
import torch

from tests.strategies import SPACE
from zonas_edge.search.alphas import OP_ENTRIES, Alphas, detached, softmax
from zonas_edge.search.sparsemax import sparsemax


def alphas(seed: int = 0) -> Alphas:
    draw = torch.Generator().manual_seed(seed)
    return Alphas.draw(SPACE, draw, torch.float64)


def test_there_are_90_operation_54_kernel_and_two_depth_entries_a_stage() -> None:
    assert OP_ENTRIES == 90
    assert len(alphas().vector) == 90 + 54 + 3 * SPACE.max_depth
    assert alphas().active(sizes=False) == 90
    assert alphas().active(sizes=True) == len(alphas().vector)


def test_they_start_near_zero() -> None:
    assert float(alphas().vector.std()) == pytest.approx(1e-3, rel=0.2)


def test_without_sizes_one_cell_of_operations_serves_all_stages() -> None:
    draw = torch.Generator().manual_seed(0)
    narrow = replace(SPACE, sizes=False)
    drawn = Alphas.draw(narrow, draw, torch.float64)
    found = replace(drawn, normalise=softmax)
    assert len(found.vector) == 30
    assert found.active(sizes=False) == 30
    mixture = found.mixture(1.0, sizes=False)
    exactly = torch.softmax(found.vector.view(6, 5), -1)
    for stage in mixture.op:
        torch.testing.assert_close(stage, exactly)
    assert mixture.kernel.tolist() == [[[0, 0, 1]] * 6] * 3
    assert mixture.depth.tolist() == [[0, 1]] * 3


def test_even_parameters_say_that_nothing_is_preferred() -> None:
    mixture = Alphas.even(SPACE, torch.float64).mixture(1.5, sizes=True)
    assert mixture.op.tolist() == [[[0.2] * 5] * 6] * 3
    assert mixture.kernel.tolist() == [[[1 / 3] * 3] * 6] * 3
    assert mixture.depth.tolist() == [[0.5, 0.5]] * 3


@pytest.mark.parametrize("sizes", [False, True])
def test_a_direction_is_a_unit_vector_over_what_is_searched(sizes: bool) -> None:
    found = alphas().direction(torch.Generator().manual_seed(1), sizes=sizes)
    assert float(found.norm()) == pytest.approx(1, abs=1e-12)
    assert bool(found[:OP_ENTRIES].all())
    assert bool(found[OP_ENTRIES:].any()) is sizes


def test_before_the_size_phase_the_largest_kernel_and_depth_are_certain() -> None:
    mixture = alphas().mixture(1.5, sizes=False)
    assert mixture.kernel[0, 0].tolist() == [1, 0, 0]
    assert mixture.depth[0].tolist() == [0, 1]


def test_each_row_is_the_sparsemax_of_its_entries_over_the_temperature() -> None:
    found = alphas()
    mixture = found.mixture(0.002, sizes=True)
    rows = found.vector / 0.002
    torch.testing.assert_close(mixture.op[0, 1], sparsemax(rows[5:10]))
    torch.testing.assert_close(mixture.op[1, 0], sparsemax(rows[30:35]))
    torch.testing.assert_close(mixture.kernel[2, 5], sparsemax(rows[141:144]))
    torch.testing.assert_close(mixture.depth[2], sparsemax(rows[148:150]))


def test_a_shift_is_added_before_the_projection() -> None:
    found, shift = alphas(), torch.zeros(150, dtype=torch.float64)
    shift[2] = 10
    assert found.mixture(1.5, sizes=True, shift=shift).op[0, 0].tolist() == [
        *(0, 0, 1, 0, 0)
    ]


def test_a_detached_mixture_has_no_gradient() -> None:
    found = Alphas(alphas().vector.requires_grad_(), SPACE)
    mixture = found.mixture(1.5, sizes=True)
    assert mixture.op.requires_grad
    assert not any(part.requires_grad for part in vars(detached(mixture)).values())
