"""A flat copy of the weights trains exactly as torch's own optimiser does."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.search.toys import SPACE, TASK
from tests.strategies import random_mixture, stage_of, tensors
from zonas_edge.architecture import Architecture, Mixture, one_hot
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.weights import WeightCopy, WeightSettings
from zonas_edge.space import Op

CLIP = 0.5  # small, so that it acts in every step
SETTINGS = WeightSettings(clip=CLIP)


def supernet() -> Supernet:
    return Supernet(SPACE, TASK, torch.Generator().manual_seed(0)).double()


def loss_of(net: Supernet, step: int) -> Tensor:
    """Cross-entropy of a batch and a sparse mixture that belong to ``step``."""
    draw = torch.Generator().manual_seed(step)
    images = torch.randn(4, 1, 8, 8, generator=draw, dtype=torch.float64)
    logits = net(images, tensors(random_mixture(step, SPACE)))
    return functional.cross_entropy(logits, torch.arange(4) % 2)


def test_a_step_is_torch_s_clipped_nesterov_step() -> None:
    copy, plain = WeightCopy(supernet(), SETTINGS), supernet()
    optimizer = torch.optim.SGD(
        plain.parameters(), lr=0.1, momentum=0.9, weight_decay=3e-4, nesterov=True
    )
    for step, rate in enumerate((0.1, 0.1, 0.05, 0.02)):
        copy.step(loss_of(copy.supernet, step), rate)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss_of(plain, step).backward()  # type: ignore[no-untyped-call]
        for part in plain.parameters():
            if part.grad is None:  # torch would leave it alone; a zero coasts
                part.grad = torch.zeros_like(part)
        norm = nn.utils.clip_grad_norm_(plain.parameters(), CLIP)
        assert float(norm) > CLIP
        optimizer.step()
        flat = torch.cat([part.detach().reshape(-1) for part in plain.parameters()])
        torch.testing.assert_close(copy.flat.detach(), flat, rtol=1e-9, atol=1e-12)


def test_the_supernet_s_parameters_are_views_of_the_flat_vector() -> None:
    copy = WeightCopy(supernet(), SETTINGS)
    before = copy.supernet.stem.convolution.weight.detach().clone()
    with torch.no_grad():
        copy.flat.add_(1)
    assert torch.equal(copy.supernet.stem.convolution.weight, before + 1)


def test_a_copy_takes_over_the_momentum_too() -> None:
    first = WeightCopy(supernet(), SETTINGS)
    second = WeightCopy(supernet(), SETTINGS)
    for step in range(3):
        first.step(loss_of(first.supernet, step), 0.1)
    second.copy_from(first)
    assert torch.equal(first.flat, second.flat)
    for copy in (first, second):
        copy.step(loss_of(copy.supernet, 7), 0.1)
    assert torch.equal(first.flat, second.flat)


def test_a_copy_does_not_follow_its_original() -> None:
    first = WeightCopy(supernet(), SETTINGS)
    first.step(loss_of(first.supernet, 0), 0.1)
    second = WeightCopy(supernet(), SETTINGS)
    second.copy_from(first)
    before = {k: v.clone() for k, v in second.state_dict().items()}
    first.step(loss_of(first.supernet, 1), 0.1)
    for key, value in second.state_dict().items():
        assert torch.equal(value, before[key])


def test_a_copy_of_an_untrained_one_forgets_its_momentum() -> None:
    trained = WeightCopy(supernet(), SETTINGS)
    trained.step(loss_of(trained.supernet, 0), 0.1)
    fresh = WeightCopy(supernet(), SETTINGS)
    trained.copy_from(fresh)
    for copy in (trained, fresh):
        copy.step(loss_of(copy.supernet, 1), 0.1)
    assert torch.equal(trained.flat, fresh.flat)


def one_hot_of(op: Op, kernel: int | None) -> Mixture[Tensor]:
    found = one_hot(
        Architecture(SPACE.channels, (stage_of(((op, kernel),) * 6),) * 3), 1
    )
    return Mixture(*(torch.from_numpy(part).double() for part in vars(found).values()))


def test_the_weights_of_skipped_candidates_coast_and_decay() -> None:
    copy = WeightCopy(supernet(), SETTINGS)
    images = torch.randn(
        4, 1, 8, 8, generator=torch.Generator().manual_seed(0)
    ).double()
    labels = torch.arange(4) % 2
    rate, momentum, decay = 0.1, 0.9, 3e-4

    def train(op: Op, kernel: int | None) -> None:
        logits = copy.supernet(images, one_hot_of(op, kernel))
        copy.step(functional.cross_entropy(logits, labels), rate)

    weight = copy.supernet.get_parameter("stages.0.0.edge_0_3.conv.weight")
    start = weight.detach().clone()
    train(Op.CONV, 7)
    moved = weight.detach().clone()
    # the first buffer is the step's gradient d; torch moves by rate * 1.9 * d
    buffer = (start - moved) / (rate * (1 + momentum))
    train(Op.SKIP, None)
    gradient = decay * moved
    buffer = momentum * buffer + gradient
    exactly = moved - rate * (gradient + momentum * buffer)
    torch.testing.assert_close(weight.detach(), exactly)
    assert not torch.equal(weight.detach(), moved)


def test_a_gradient_is_a_copy_that_the_next_step_leaves_alone() -> None:
    copy = WeightCopy(supernet(), SETTINGS)
    copy.zero_gradient()
    loss_of(copy.supernet, 0).backward()  # type: ignore[no-untyped-call]
    found = copy.gradient()
    before = found.clone()
    copy.step(loss_of(copy.supernet, 1), 0.1)
    assert torch.equal(found, before)
    assert float(found.norm()) > CLIP  # unclipped


def test_the_gradients_are_views_that_stay() -> None:
    copy = WeightCopy(supernet(), SETTINGS)
    copy.step(loss_of(copy.supernet, 0), 0.1)
    total = sum(
        float(part.grad.square().sum())
        for part in copy.supernet.parameters()
        if part.grad is not None
    )
    assert total == pytest.approx(float(copy.gradient().square().sum()))
