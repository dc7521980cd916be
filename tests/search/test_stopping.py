"""When a search may stop, and what counts as a decision."""

import numpy as np
import pytest
import torch

from tests.search.toys import (
    SPACE,
    search_of,
    settings_of,
)
from tests.strategies import certain, uniform
from zonas_edge.architecture import Probabilities, largest, smallest
from zonas_edge.search.record import agree, confidence
from zonas_edge.space import OPS, Op

CONV = OPS.index(Op.CONV)


def parameters_saying(mixture: Probabilities, temperature: float) -> torch.Tensor:
    """Alphas whose sparsemax is ``mixture``: on the simplex it is the identity."""
    parts = (mixture.op, mixture.kernel, mixture.depth)
    flat = np.concatenate([part.reshape(-1) for part in parts])
    return torch.from_numpy(flat).float() * temperature


@pytest.mark.parametrize(
    ("epoch", "stable", "sizes", "decided", "converged"),
    [
        (30, 5, True, True, True),  # the first epoch at which it may stop
        (40, 9, True, True, True),
        (29, 5, True, True, False),  # the size phase has begun only lately
        (40, 4, True, True, False),  # a decision changed four epochs ago
        (40, 9, True, False, False),  # rows are still open
        (40, 9, False, True, False),  # kernels were never searched
    ],
)
def test_a_search_stops_once_no_decision_is_open(
    epoch: int, stable: int, sizes: bool, decided: bool, converged: bool
) -> None:
    search = search_of(settings_of(epochs=50))
    mixture = certain(largest(SPACE), 1) if decided else uniform(SPACE)
    state = search.state_dict()
    state |= {
        "epoch": epoch,
        "step": 7 * epoch,
        "stable": stable,
        "sizes": sizes,
        "decisions": [torch.from_numpy(part) for part in vars(mixture).values()],
        "alphas": parameters_saying(mixture, 10.0 if decided else 0.1),
    }
    search.load_state_dict(state)
    assert search.converged is converged
    assert search.finished is converged


def test_a_search_without_sizes_stops_once_its_operations_are_decided() -> None:
    search = search_of(settings_of("zo-darts+", epochs=50))
    mixture = certain(largest(SPACE), 1)
    state = search.state_dict() | {
        "epoch": 40,
        "step": 280,
        "stable": 5,
        "decisions": [torch.from_numpy(part) for part in vars(mixture).values()],
    }
    search.load_state_dict(state)
    assert not search.converged  # its own parameters say nothing yet
    state["alphas"] = torch.from_numpy(10.0 * mixture.op[0]).reshape(-1)
    search.load_state_dict(state)
    assert search.converged


def test_a_fresh_search_has_not_converged() -> None:
    search = search_of()
    assert not search.converged
    assert not search.finished


def test_confidence_counts_rows_that_can_still_matter() -> None:
    mixture = certain(smallest(SPACE), 1)
    mixture.kernel[:] = 1 / 3  # of no convolution
    assert confidence(mixture, sizes=True) == (1.0, 0.0)
    maximum, entropy = confidence(uniform(SPACE), sizes=False)
    assert maximum == pytest.approx(1 / 5)
    assert entropy == pytest.approx(np.log(5))


def test_decisions_agree_where_they_matter() -> None:
    before, after = certain(smallest(SPACE), 1), certain(smallest(SPACE), 1)
    after.kernel[..., 0], after.kernel[..., 2] = 0, 1
    assert agree(before, after)
    after.op[0, 0] = np.eye(len(OPS))[CONV]
    assert not agree(before, after)
