"""The pair of copies: side by side or one after the other, the same to the bit."""

import pytest
import torch
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet, Support
from zonas_edge.search.alphas import Alphas, detached
from zonas_edge.search.pair import Pair
from zonas_edge.search.weights import WeightSettings
from zonas_edge.space import SearchSpace, TaskSpec

SPACE = SearchSpace(channels=4, max_depth=2)
TASK = TaskSpec(height=8, width=8, channels=1, classes=2)


def pair() -> Pair:
    return Pair(
        SPACE, TASK, WeightSettings(), seed=0, device="cpu", dtype=torch.float32
    )


def mixtures() -> tuple[Mixture[Tensor], Mixture[Tensor]]:
    draw = torch.Generator().manual_seed(0)
    alphas = Alphas.draw(SPACE, draw, torch.float32)
    shift = 0.3 * alphas.direction(draw, sizes=True)
    base = alphas.mixture(0.5, sizes=True)
    return detached(base), detached(alphas.mixture(0.5, sizes=True, shift=shift))


def batch(seed: int) -> tuple[Tensor, Tensor]:
    draw = torch.Generator().manual_seed(seed)
    return (
        torch.randn(6, 1, 8, 8, generator=draw),
        torch.randint(2, (6,), generator=draw),
    )


def trained(threads: int) -> Pair:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = pair()
        made.begin(*mixtures(), 0.05)
        for seed in range(4):
            made.step(*batch(seed))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    return made


def test_side_by_side_and_one_after_the_other_give_the_same_bits() -> None:
    one, two = trained(1).state_dict(), trained(2).state_dict()
    for copy in ("base", "twin"):
        for part in ("weights", "momentum"):
            assert torch.equal(one[copy][part], two[copy][part])
    assert not torch.equal(one["base"]["weights"], one["twin"]["weights"])


def test_a_step_outside_a_window_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r"^no window is open$"):
        pair().step(*batch(0))


@pytest.mark.parametrize("threads", [1, 2])
def test_what_goes_wrong_in_the_twin_alone_is_not_lost(
    threads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, before = pair(), torch.get_num_threads()
    base, shifted = mixtures()
    made.begin(base, shifted, 0.05)
    forward = Supernet.forward

    def failing(
        self: Supernet, x: Tensor, mixture: Mixture[Tensor], support: Support
    ) -> Tensor:
        if mixture is shifted:
            raise MemoryError("twin")
        return forward(self, x, mixture, support)

    monkeypatch.setattr(Supernet, "forward", failing)
    torch.set_num_threads(threads)
    try:
        with pytest.raises(MemoryError, match=r"^twin$"):
            made.step(*batch(0))
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
