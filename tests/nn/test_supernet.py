"""The supernet is every network at once; what has no probability is not there."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from tests.nn.dense import dense
from tests.strategies import SPACE, architectures, certain, stage_of, tensors
from zonas_edge.architecture import Architecture, Mixture
from zonas_edge.nn.supernet import Supernet, centre_crop, inherit
from zonas_edge.search.alphas import Alphas
from zonas_edge.space import EDGES, KERNELS, OPS, STAGES, Op, SearchSpace, TaskSpec

SHAPES = ((1, 8, 8), (1, 9, 12), (3, 11, 9), (1, 13, 13))
TASK = TaskSpec(1, 8, 8, 3)


def supernet_for(task: TaskSpec, seed: int = 0) -> Supernet:
    draw = torch.Generator().manual_seed(seed)
    return Supernet(SPACE, task, draw).double()


def images(task: TaskSpec, count: int = 4, seed: int = 1) -> Tensor:
    draw = torch.Generator().manual_seed(seed)
    shape = (count, task.channels, task.height, task.width)
    return torch.randn(shape, generator=draw, dtype=torch.float64)


@torch.no_grad()
def difference(architecture: Architecture, task: TaskSpec, device: str) -> float:
    """Largest difference between the one-hot supernet and the derived network."""
    supernet = supernet_for(task).to(device)
    x = images(task).to(device)
    one_hot = tensors(certain(architecture, SPACE.max_depth))
    mixture = Mixture(*(p.to(device) for p in vars(one_hot).values()))
    # train mode: both then use the statistics of the batch
    network = inherit(supernet, architecture.simplified()).train()
    return float((supernet(x, mixture) - network(x)).abs().max())


@settings(max_examples=40)
@given(architectures(connected=True), st.sampled_from(SHAPES))
def test_the_one_hot_supernet_is_the_derived_simplified_network(
    architecture: Architecture, shape: tuple[int, int, int]
) -> None:
    assert difference(architecture, TaskSpec(*shape, classes=3), "cpu") < 1e-9


@pytest.mark.gpu
@settings(max_examples=20)
@given(architectures(connected=True), st.sampled_from(SHAPES))
def test_the_one_hot_supernet_is_the_derived_network_on_cuda(
    architecture: Architecture, shape: tuple[int, int, int]
) -> None:
    assert difference(architecture, TaskSpec(*shape, classes=3), "cuda") < 1e-9


def gradients(
    supernet: Supernet, seed: int, *, skip: bool
) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Logits, and gradients of their weighted sum by alpha and by the weights."""
    draw = torch.Generator().manual_seed(seed)
    alphas = Alphas.draw(SPACE, draw, torch.float64)
    vector = (700 * alphas.vector).requires_grad_()  # standard deviation 0.7
    mixture = Alphas(vector, SPACE).mixture(1.0, sizes=True)
    x = images(TASK)
    logits = supernet(x, mixture) if skip else dense(supernet, x, mixture)
    factors = torch.randn(logits.shape, generator=draw, dtype=torch.float64)
    inputs = [vector, *supernet.parameters()]
    by_alpha, *by_weights = torch.autograd.grad(
        (logits * factors).sum(),
        inputs,
        materialize_grads=True,  # zeros where nothing was computed
    )
    return logits.detach(), by_alpha, by_weights


@settings(max_examples=6)
@given(st.integers(0, 2**32 - 1))
def test_skipping_what_has_no_probability_changes_neither_output_nor_gradients(
    seed: int,
) -> None:
    supernet = supernet_for(TASK)
    sparse = gradients(supernet, seed, skip=True)
    plain = gradients(supernet, seed, skip=False)
    torch.testing.assert_close(sparse[0], plain[0])
    torch.testing.assert_close(sparse[1], plain[1])
    for ours, theirs in zip(sparse[2], plain[2], strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_stage_of_none_alone_gives_zeros_not_an_error() -> None:
    nothing = stage_of(((Op.NONE, None),) * 6)
    mixture = certain(Architecture(SPACE.channels, (nothing,) * STAGES), 2)
    supernet = supernet_for(TASK)
    x = images(TASK)
    # the head then sees the same of every image
    assert supernet(x, tensors(mixture)).std(dim=0).max() < 1e-9


@pytest.mark.parametrize(
    ("probabilities", "outer", "middle", "inner"),
    [
        ((1.0, 0.0, 0.0), True, True, True),
        ((0.0, 1.0, 0.0), False, True, True),
        ((0.0, 0.0, 1.0), False, False, True),
        ((0.0, 0.5, 0.5), False, True, True),
        ((0.5, 0.0, 0.5), True, True, True),
    ],
)
def test_a_ring_of_the_kernel_learns_iff_a_kernel_with_it_has_probability(
    probabilities: tuple[float, float, float], outer: bool, middle: bool, inner: bool
) -> None:
    column = OPS.index(Op.CONV)
    op = torch.zeros(STAGES, len(EDGES), len(OPS), dtype=torch.float64)
    op[..., column] = 1
    row = torch.tensor(probabilities, dtype=torch.float64)
    mixture = Mixture(
        op=op,
        kernel=row.expand(STAGES, len(EDGES), len(KERNELS)),
        depth=torch.tensor([[0.5, 0.5]] * STAGES, dtype=torch.float64),
    )
    # 32 pixels: the last stage then still has 8, enough for a whole 7x7
    task = TaskSpec(1, 32, 32, 3)
    supernet = supernet_for(task)
    logits = supernet(images(task), mixture)
    logits.square().sum().backward()
    for name, weight in supernet.named_parameters():
        if name.endswith(".conv.weight"):
            assert weight.grad is not None
            seen = weight.grad.abs().amax((0, 1)) > 0
            ring = torch.ones(7, 7, dtype=torch.bool)
            ring[1:6, 1:6] = False
            assert bool(seen[ring].all() if outer else not seen[ring].any())
            ring = torch.zeros(7, 7, dtype=torch.bool)
            ring[1:6, 1:6] = True
            ring[2:5, 2:5] = False
            assert bool(seen[ring].all() if middle else not seen[ring].any())
            assert bool(seen[2:5, 2:5].all()) is inner


@pytest.mark.parametrize("side", KERNELS)
def test_at_one_hot_each_kernel_is_the_centre_of_the_shared_one(
    side: int,
) -> None:
    weight = torch.arange(49.0).view(1, 1, 7, 7)
    crop = centre_crop(weight, side)
    assert crop.shape == (1, 1, side, side)
    assert crop[0, 0, side // 2, side // 2] == 24
    assert crop[0, 0, 0, 0] == (7 - side) // 2 * 8
    assert crop.data_ptr() >= weight.data_ptr()  # a view, so training shares it


def test_no_probability_for_any_exit_is_a_mistake_of_the_caller() -> None:
    mixture = tensors(certain(Architecture(2, (stage_of(((Op.CONV, 3),) * 6),) * 3), 2))
    without = Mixture(mixture.op, torch.zeros_like(mixture.kernel), mixture.depth)
    with pytest.raises(ValueError, match=r"^no kernel has probability$"):
        supernet_for(TASK)(images(TASK), without)


def test_the_supernet_has_no_running_statistics_and_no_dead_biases() -> None:
    supernet = supernet_for(TASK)
    assert not list(supernet.buffers())
    convolutions = [part for part in supernet.modules() if isinstance(part, nn.Conv2d)]
    assert all(part.bias is None for part in convolutions)


def test_the_same_generator_draws_the_same_weights() -> None:
    first, second, other = (supernet_for(TASK, seed) for seed in (0, 0, 1))
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(first.stem.convolution.weight, other.stem.convolution.weight)


def test_inheriting_copies_and_leaves_the_supernet_alone() -> None:
    supernet = supernet_for(TASK)
    architecture = Architecture(2, (stage_of(((Op.CONV, 5),) * 6),) * 3)
    network = inherit(supernet, architecture)
    with torch.no_grad():
        for part in network.parameters():
            part.zero_()
    assert all(
        bool(part.any())
        for name, part in supernet.named_parameters()
        if name.endswith("conv.weight")
    )


def test_only_what_the_network_uses_is_inherited() -> None:
    space = SearchSpace(channels=2, max_depth=2)
    supernet = Supernet(space, TASK, torch.Generator().manual_seed(0))
    stage = stage_of(
        ((Op.NONE, None),) * 3 + ((Op.SKIP, None),) + ((Op.NONE, None),) * 2
    )
    names = {
        name
        for name, _ in inherit(
            supernet, Architecture(2, (stage,) * 3)
        ).named_parameters()
    }
    assert not any(name.startswith("stages") for name in names)
