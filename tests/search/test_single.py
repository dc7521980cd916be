"""One copy of the weights: its gradients are those that exact differentiation gives.

The oracle is the textbook's network (benchmarks/textbook_supernet.py), plain PyTorch
that can be differentiated twice, in float64 and under a softmax.
"""

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from tests.scripts import script
from zonas_edge.search.alphas import Alphas, softmax
from zonas_edge.search.engines import engine_of
from zonas_edge.search.hypergradient import HybridEstimator
from zonas_edge.search.method import EstimatorName, MethodName
from zonas_edge.search.pair import Pair
from zonas_edge.search.settings import SearchSettings
from zonas_edge.search.single import Single, unrolled
from zonas_edge.search.weights import WeightCopy, WeightSettings
from zonas_edge.search.window import Batch, Question, Window
from zonas_edge.search.zeroth import ZerothOrder
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, SearchSpace, TaskSpec

networks = script("textbook_supernet")

SPACE = SearchSpace(channels=2, max_depth=2, sizes=False)
TASK = TaskSpec(1, 8, 8, 3)
RATE, MOMENTUM, DECAY = 0.1, 0.9, 3e-4
F64 = torch.float64


@dataclass
class Bench:
    """A copy that was trained for three steps, and what it is asked."""

    copy: WeightCopy
    question: Question

    def told(self, estimator: EstimatorName) -> tuple[float, Tensor]:
        answer = Single(self.copy, estimator).answer(self.question)
        return answer.loss, answer.gradient


@pytest.fixture
def bench() -> Bench:
    draw = torch.Generator().manual_seed(0)

    def batch() -> Batch:
        images = torch.randn(5, 1, 8, 8, generator=draw, dtype=F64)
        return Batch(images, torch.randint(3, (5,), generator=draw))

    copy = WeightCopy.drawn(
        SPACE, TASK, WeightSettings(), seed=0, device="cpu", dtype=F64
    )
    vector = torch.randn(len(EDGES) * len(OPS), generator=draw, dtype=F64)
    alphas = Alphas(vector.requires_grad_(), SPACE, softmax)
    window = Window(temperature=1.0, rate=RATE, sizes=False)
    copy.hold(window.fixed(alphas), RATE)
    for _ in range(3):
        copy.train(*vars(batch()).values())
    penalty = torch.zeros_like(vector)
    return Bench(copy, Question(alphas, window, batch(), batch(), penalty))


class Oracle:
    """The same network as a function of alpha and of a list of weights."""

    def __init__(self, copy: WeightCopy) -> None:
        self._network = networks.Supernet(SPACE.channels, SPACE.max_depth, classes=3)
        self._network.to(F64)
        self.weights, self.momenta = (
            self._placed(copy, copy.state_dict()[part])
            for part in ("weights", "momentum")
        )

    def _placed(self, copy: WeightCopy, flat: Tensor) -> dict[str, Tensor]:
        """Each part in its place; a 3x3 kernel in the middle of a 7x7 one of zeros."""
        placed: dict[str, Tensor] = {}
        offset = 0
        shapes = dict(self._network.named_parameters())
        for name, own in copy.supernet.named_parameters():
            part = flat[offset : offset + own.numel()].view_as(own).clone()
            offset += own.numel()
            margin = (shapes[name].shape[-1] - own.shape[-1]) // 2
            if margin:
                part = functional.pad(part, (margin,) * 4)
            placed[name] = part.requires_grad_()
        return placed

    def loss(self, alpha: Tensor, weights: dict[str, Tensor], batch: Batch) -> Tensor:
        op = torch.softmax(alpha.view(len(EDGES), len(OPS)), -1).expand(STAGES, -1, -1)
        kernel = torch.tensor([side == 3 for side in KERNELS], dtype=F64)
        depth = torch.tensor([0, 1], dtype=F64)
        mixture = (
            op,
            kernel.expand(STAGES, len(EDGES), -1),
            depth.expand(STAGES, -1),
        )
        logits: Any = functional_call(self._network, weights, (batch.images, mixture))
        return functional.cross_entropy(logits, batch.labels)

    def stepped(self, alpha: Tensor, batch: Batch) -> dict[str, Tensor]:
        """The weights after one step, as a function of alpha."""
        loss = self.loss(alpha, self.weights, batch)
        names = list(self.weights)
        gradients = torch.autograd.grad(
            loss, [self.weights[name] for name in names], create_graph=True
        )
        return {
            name: self.weights[name]
            - RATE
            * (
                gradient
                + DECAY * self.weights[name].detach()
                + MOMENTUM * self.momenta[name].detach()
            )
            for name, gradient in zip(names, gradients, strict=True)
        }


def gradient_of(loss: Tensor, alpha: Tensor) -> Tensor:
    (found,) = torch.autograd.grad(loss, alpha)
    return found


def distance(found: Tensor, exact: Tensor) -> float:
    return float((found - exact).norm() / exact.norm())


def test_second_order_is_the_exact_gradient_through_one_step(bench: Bench) -> None:
    question, alpha = bench.question, bench.question.alphas.vector
    oracle = Oracle(bench.copy)
    weights = oracle.stepped(alpha, question.train)
    loss = oracle.loss(alpha, weights, question.validation)
    exact = gradient_of(loss, alpha)
    # at the published distance this small network's ReLUs switch
    told, direct, found = unrolled(bench.copy, question, distance=1e-5)
    assert float(told) == pytest.approx(float(loss.detach()))
    assert distance(found, exact) < 1e-7
    assert distance(direct, exact) > 0.1  # the second order is no trifle here


def test_the_direct_gradient_is_the_validation_loss_s(bench: Bench) -> None:
    alpha, oracle = bench.question.alphas.vector, Oracle(bench.copy)
    loss = oracle.loss(alpha, oracle.weights, bench.question.validation)
    found_loss, found = bench.told(EstimatorName.DIRECT)
    assert found_loss == pytest.approx(float(loss.detach()))
    torch.testing.assert_close(found, gradient_of(loss, alpha))


def test_milenas_adds_the_gradients_of_training_and_validation(bench: Bench) -> None:
    alpha, oracle = bench.question.alphas.vector, Oracle(bench.copy)
    validation, train = (
        oracle.loss(alpha, oracle.weights, batch)
        for batch in (bench.question.validation, bench.question.train)
    )
    found_loss, found = bench.told(EstimatorName.MIXED)
    assert found_loss == pytest.approx(float(validation.detach()))
    torch.testing.assert_close(found, gradient_of(validation + train, alpha))


@pytest.mark.parametrize(
    "estimator", [EstimatorName.DIRECT, EstimatorName.MIXED, EstimatorName.UNROLLED]
)
def test_an_answer_leaves_the_weights_and_their_momentum(
    bench: Bench, estimator: EstimatorName
) -> None:
    before = {key: part.clone() for key, part in bench.copy.state_dict().items()}
    bench.told(estimator)
    for key, part in bench.copy.state_dict().items():
        assert torch.equal(part, before[key])


def test_without_an_implicit_part_the_pair_says_what_one_copy_says() -> None:
    """``zo-darts++-rho0`` leaves out the twin, not only its weight in the sum."""
    settings = SearchSettings.of(
        MethodName.ZO_DARTS_PP_RHO0, epochs=1, batch_size=4, seed=0, flip=False
    )
    space = SearchSpace(channels=2, max_depth=2)
    draw = torch.Generator().manual_seed(0)
    single = engine_of(
        space, TASK, settings, generator=draw, device=torch.device("cpu")
    )
    assert isinstance(single, Single)
    pair = Pair(
        space, TASK, settings.weights, seed=0, device="cpu", dtype=torch.float32
    )
    twofold = ZerothOrder(pair, HybridEstimator(rho=0.0), draw)
    twofold.supernet.load_state_dict(single.supernet.state_dict())
    start = Alphas.draw(space, draw, torch.float32)
    alphas = Alphas(start.vector.requires_grad_(), space)
    window = Window(temperature=0.5, rate=0.025, sizes=True)
    for engine in (single, twofold):
        engine.open(alphas, window)

    def batch() -> Batch:
        images = torch.randn(4, 1, 8, 8, generator=draw)
        return Batch(images, torch.arange(4) % 3)

    training = batch()
    for _ in range(3):
        single.step(training)
        twofold.step(training)
    penalty = torch.randn(len(start.vector), generator=draw)
    question = Question(alphas, window, training, batch(), penalty)
    alone, both = single.answer(question), twofold.answer(question)
    torch.testing.assert_close(alone.gradient, both.gradient)
    assert alone.direct_norm == pytest.approx(both.direct_norm)
    assert alone.implicit_slope is None
    assert both.implicit_slope is not None
    assert both.implicit_slope > 0
