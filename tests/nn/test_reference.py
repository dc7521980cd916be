"""Reference networks as modules: the papers' blocks, and what the costs say of them."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from tests.references import CIFAR, MOBILENET, RESNET, SMALL, mobilenet, tasks
from zonas_edge.cost import macs, parameters
from zonas_edge.deploy.fold import fold
from zonas_edge.nn.build import build
from zonas_edge.nn.network import Network
from zonas_edge.nn.ops import NormalisedConvolution
from zonas_edge.nn.reference import ReferenceNetwork, ResidualBlock
from zonas_edge.reference import Block, Convolution, Reference
from zonas_edge.space import TaskSpec


def weights_of(network: nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_the_known_networks_have_the_known_counts() -> None:
    assert weights_of(build(RESNET, CIFAR)) == 11_173_962
    assert weights_of(build(MOBILENET, TaskSpec(3, 32, 32, 1000))) == 3_504_872


@settings(max_examples=8)
@given(st.integers(1, 600), tasks())
def test_the_costs_are_those_of_the_module(width: int, task: TaskSpec) -> None:
    reference = mobilenet(width)
    network = ReferenceNetwork(reference, task).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, task.channels, task.height, task.width))
    assert 2 * macs(reference, task) == counter.get_total_flops()
    assert weights_of(fold(network)) == parameters(reference, task)


@pytest.mark.parametrize("task", [CIFAR, SMALL], ids=str)
def test_the_costs_of_resnet_are_those_of_the_module(task: TaskSpec) -> None:
    network = ReferenceNetwork(RESNET, task).eval()
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(torch.zeros(1, task.channels, task.height, task.width))
    assert 2 * macs(RESNET, task) == counter.get_total_flops()
    assert weights_of(fold(network)) == parameters(RESNET, task)


def random_block(block: Block, ceiling: float | None) -> ResidualBlock:
    """In evaluation mode, with statistics that do something."""
    draw = torch.Generator().manual_seed(0)
    built = ResidualBlock(block, ceiling).eval()
    for name, value in built.state_dict().items():
        if value.is_floating_point():
            low, high = (0.5, 2.0) if "running_var" in name else (-1.0, 1.0)
            value.uniform_(low, high, generator=draw)
    return built


def applied(part: nn.Module, x: Tensor, stride: int = 1, groups: int = 1) -> Tensor:
    """A convolution and its normalisation, written out."""
    assert isinstance(part, NormalisedConvolution)
    weight, norm = part.convolution.weight, part.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    padding = weight.shape[-1] // 2
    y = functional.conv2d(x, weight, None, stride, padding, groups=groups)
    return functional.batch_norm(
        y, norm.running_mean, norm.running_var, norm.weight, norm.bias
    )


def test_a_basic_block_adds_its_projected_input_before_the_last_relu() -> None:
    block = Block(
        (Convolution(4, 8, 3, 2), Convolution(8, 8, 3)),
        (Convolution(4, 8, 1, 2),),
        active=True,
    )
    built = random_block(block, None)
    assert built.shortcut is not None
    x = torch.randn(2, 4, 7, 6, generator=torch.Generator().manual_seed(1))

    first = torch.relu(applied(built.convolutions[0], x, stride=2))
    second = applied(built.convolutions[1], first)
    expected = torch.relu(second + applied(built.shortcut[0], x, stride=2))

    torch.testing.assert_close(built(x), expected)


def test_an_inverted_residual_ends_without_an_activation() -> None:
    block = Block(
        (
            Convolution(4, 24, 1),
            Convolution(24, 24, 3, groups=24),
            Convolution(24, 4, 1),
        ),
        (),
        active=False,
    )
    built = random_block(block, 6.0)
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))

    wide = functional.relu6(applied(built.convolutions[0], x))
    deep = functional.relu6(applied(built.convolutions[1], wide, groups=24))
    expected = applied(built.convolutions[2], deep) + x

    torch.testing.assert_close(built(x), expected)
    assert (built(x) < 0).any()


@pytest.mark.parametrize("reference", [RESNET, mobilenet(100)], ids=Reference.summary)
def test_one_image_gives_the_same_answer_as_a_batch(reference: Reference) -> None:
    network = build(reference, SMALL, torch.Generator().manual_seed(0)).eval()
    images = torch.rand(3, 3, 9, 13, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        together = network(images)
        alone = torch.cat([network(image[None]) for image in images])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("reference", [RESNET, mobilenet(100)], ids=Reference.summary)
def test_every_weight_learns(reference: Reference) -> None:
    network = build(reference, SMALL, torch.Generator().manual_seed(0))
    images = torch.rand(8, 3, 9, 13, generator=torch.Generator().manual_seed(1))
    labels = torch.arange(8) % 3
    loss = functional.cross_entropy(network(images), labels)
    loss.backward()  # type: ignore[no-untyped-call]
    without = [
        name
        for name, weight in network.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert without == []


def test_the_same_seed_draws_the_same_weights() -> None:
    one, two = (
        build(mobilenet(100), SMALL, torch.Generator().manual_seed(3)).state_dict()
        for _ in range(2)
    )
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_an_architecture_builds_a_network_of_the_space() -> None:
    from zonas_edge.architecture import smallest
    from zonas_edge.space import SearchSpace

    assert isinstance(build(smallest(SearchSpace(channels=4)), SMALL), Network)
