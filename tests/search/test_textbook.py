"""The engine computes what the textbook's search step computes, from any state.

The textbook (benchmarks/textbook.py) is written from the algorithm alone. Ten training
steps amplify rounding, so whole windows are compared in float64, single steps in
float32.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.scripts import script
from zonas_edge.search.weights import WeightSettings
from zonas_edge.space import KERNELS, OPS, STAGES, SearchSpace, TaskSpec

textbook = script("textbook")
networks = script("textbook_supernet")
engine = script("engine")

SPACE = SearchSpace(channels=4, max_depth=2)
TASK = TaskSpec(1, 12, 12, 3)
BATCH = 4
WINDOWS, STEPS = 3, 10
OP_ENTRIES = STAGES * 6 * len(OPS)
ENTRIES = OP_ENTRIES + STAGES * 6 * len(KERNELS) + STAGES * SPACE.max_depth


@dataclass(frozen=True)
class State:
    """Where in a search the comparison begins; alpha is normal with this deviation."""

    sizes: bool
    temperature: float
    deviation: float
    rate: float = 0.025


DENSE = State(sizes=False, temperature=1.5, deviation=1e-3)
SIZE_PHASE = State(sizes=True, temperature=0.4746, deviation=1e-3)
SPARSE = State(sizes=True, temperature=0.1502, deviation=0.2)
STATES = pytest.mark.parametrize(
    "state", [DENSE, SIZE_PHASE, SPARSE], ids=["dense", "size phase", "sparse"]
)


DEVICES = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
)


@pytest.fixture(autouse=True)
def exact_products() -> Iterator[None]:
    """On CUDA, convolutions in float32 would round their factors to TF32."""
    with script("measuring").cudnn(allow_tf32=False, deterministic=True):
        yield


class Recording:
    """Batches and directions, drawn once, so that both searches see the same."""

    def __init__(self, state: State, dtype: torch.dtype, device: str = "cpu") -> None:
        self._draw = torch.Generator().manual_seed(0)
        self._dtype, self._device = dtype, device
        self._searched = ENTRIES if state.sizes else OP_ENTRIES
        self.alpha = state.deviation * self._normal(ENTRIES)

    def _normal(self, *shape: int) -> Tensor:
        drawn = torch.randn(*shape, generator=self._draw, dtype=self._dtype)
        return drawn.to(self._device)

    def batch(self) -> tuple[Tensor, Tensor]:
        images = self._normal(BATCH, TASK.channels, TASK.height, TASK.width)
        labels = torch.randint(TASK.classes, (BATCH,), generator=self._draw)
        return images, labels.to(self._device)

    def direction(self) -> Tensor:
        direction = self._normal(ENTRIES)
        direction[self._searched :] = 0
        unit: Tensor = direction / direction.norm()
        return unit


def both(state: State, recording: Recording) -> tuple[Any, Any]:
    """Textbook and engine in the same state."""
    dtype, device = recording.alpha.dtype, recording.alpha.device
    pair = engine.Pair(
        SPACE, TASK, WeightSettings(), seed=0, device=device, dtype=dtype
    )
    network = networks.Supernet(SPACE.channels, SPACE.max_depth, classes=TASK.classes)
    network.to(device, dtype).load_state_dict(pair.supernet.state_dict())
    settings = {
        "temperature": state.temperature,
        "sizes": state.sizes,
        "radius": max(0.05, 0.08 * float(recording.alpha.norm())),
        "rate": state.rate,
    }
    return (
        textbook.TextbookSearch(network, recording.alpha, **settings),
        engine.EngineSearch(pair, recording.alpha, **settings),
    )


def flat(tensors: Any) -> Tensor:
    return torch.cat([part.detach().reshape(-1) for part in tensors])


def weights_of(search: Any) -> tuple[Tensor, Tensor]:
    """Weights of the network and of its twin, after an opened window."""
    if isinstance(search, engine.EngineSearch):
        base = flat(search.pair.supernet.parameters())
        return base, base + search.pair.shift()
    return flat(search.network.parameters()), flat(search.twin.parameters())


def assert_near(found: Tensor, expected: Tensor, tolerance: float) -> None:
    """The distance is below ``tolerance`` times the norm, and the norm isn't zero."""
    distance = float((found - expected).norm() / expected.norm())
    assert distance < tolerance


@pytest.mark.slow
@STATES
@DEVICES
def test_after_three_windows_the_alphas_are_the_textbook_s(
    state: State, device: str
) -> None:
    recording = Recording(state, torch.float64, device)
    plain, fast = both(state, recording)
    for _ in range(WINDOWS):
        direction = recording.direction()
        batches = [recording.batch() for _ in range(STEPS)]
        validation = recording.batch()
        plain.window(batches, validation, direction)
        fast.window(batches, validation, direction)
    moved = (plain.alpha - recording.alpha).detach()
    assert float(moved.abs().max()) > 0.01  # Adam's first step alone is that long
    assert_near(fast.alpha.detach(), plain.alpha.detach(), 1e-8)
    assert_near(fast.alpha.grad, plain.alpha.grad, 1e-8)


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def threads(request: pytest.FixtureRequest) -> Iterator[None]:
    """The engine may compute its two copies side by side where it has the threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@STATES
@DEVICES
@pytest.mark.usefixtures("threads")
def test_in_float32_one_pair_step_is_the_textbook_s(state: State, device: str) -> None:
    """Weights change by their clipped gradient: their change is compared."""
    # a high rate keeps the rounding of the weights out of their change
    state = replace(state, rate=1.0)
    recording = Recording(state, torch.float32, device)
    images, labels = recording.batch()
    direction = recording.direction()
    losses, changes = [], []
    for search in both(state, recording):
        search.begin(direction)
        before = weights_of(search)
        losses.append(search.pair_step(images, labels))
        changes.append([b - a for a, b in zip(before, weights_of(search), strict=True)])
    assert_near(losses[1], losses[0], 1e-4)
    (plain_base, plain_twin), (base, twin) = changes
    assert_near(base, plain_base, 1e-4)
    assert_near(twin, plain_twin, 1e-4)
    assert float((twin - base).norm()) > 0


@STATES
@DEVICES
def test_in_float32_a_validation_batch_says_what_it_tells_the_textbook(
    state: State, device: str
) -> None:
    recording = Recording(state, torch.float32, device)
    plain, fast = both(state, recording)
    images, labels = recording.batch()
    loss = torch.nn.functional.cross_entropy(
        plain.network(images, plain.mixture(plain.alpha)), labels
    )
    loss.backward()  # type: ignore[no-untyped-call]
    mixture = fast.alphas.mixture(state.temperature, sizes=state.sizes)
    judged = fast.pair.judge(images, labels, mixture)
    assert_near(judged.loss, loss.detach(), 1e-4)
    expected = flat(part.grad for part in plain.network.parameters())
    assert_near(judged.weight_gradient, expected, 1e-4)
    assert_near(fast.alpha.grad, plain.alpha.grad, 1e-4)


def test_the_sparse_state_has_dead_candidates_and_a_twin_with_others() -> None:
    recording = Recording(SPARSE, torch.float64)
    plain, _ = both(SPARSE, recording)
    moved = recording.alpha + plain.radius * recording.direction()
    for part in plain.mixture(recording.alpha):
        assert float((part == 0).double().mean()) > 1 / 4
    base, twin = (plain.mixture(vector)[0] for vector in (recording.alpha, moved))
    assert not torch.equal(base > 0, twin > 0)


@DEVICES
def test_a_twin_at_no_distance_stays_equal_to_its_network(device: str) -> None:
    recording = Recording(SPARSE, torch.float64, device)
    for search in both(SPARSE, recording):
        search.begin(torch.zeros_like(recording.alpha))
        for _ in range(2):
            search.pair_step(*recording.batch())
        base, twin = weights_of(search)
        assert torch.equal(base, twin)


def test_the_textbook_s_sparsemax_is_the_design_s() -> None:
    pairs = (
        ((0.5, 0.3, 0.1, 0, -0.1), (0.525, 0.325, 0.125, 0.025, 0)),
        ((2, 0, 0, 0, 0), (1, 0, 0, 0, 0)),
        ((0, 0, 0, 0, 0), (0.2, 0.2, 0.2, 0.2, 0.2)),
        ((1.2, 0.9, 0.1, -1, -1), (0.65, 0.35, 0, 0, 0)),
    )
    rows, expected = torch.tensor(pairs, dtype=torch.float64).unbind(1)
    torch.testing.assert_close(textbook.sparsemax(rows), expected)


def test_the_loader_shifts_and_mirrors_image_by_image() -> None:
    images = torch.zeros(64, 1, 12, 12, dtype=torch.uint8)
    images[:, :, 6, 3] = 255
    dataset = textbook.Images(images, torch.arange(64), mean=0.5, std=0.5, flip=True)
    (batch, labels) = next(iter(textbook.loader(dataset, 64, seed=0)))
    assert labels.sort().values.tolist() == list(range(64))
    assert batch.unique().tolist() == [-1.0, 1.0]
    places = {tuple(image.argwhere()[0].tolist()) for image in (batch > 0)}
    columns = {column for _, _, column in places}
    assert columns == {1, 2, 3, 4, 5} | {6, 7, 8, 9, 10}
    assert {row for _, row, _ in places} == {4, 5, 6, 7, 8}
