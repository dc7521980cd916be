"""The blocks that networks are made of, shared by the supernet and derived networks.

Pre-activation order, as in the published code: ReLU, convolution, normalisation. The
convolutions have no bias, since a normalisation follows each.

Source: the published code of ZO-DARTS++ (arXiv:2503.06092), its cell and stages.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from zonas_edge.nn.spectral import Features, convolve

Changed = Float[Tensor, "batch maps rows columns"]
"""Features of another shape than those that came in."""


def average_pool(x: Features) -> Features:
    """3x3 mean at stride 1; padded pixels are left out of the mean."""
    return functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


def norm(channels: int, *, running: bool) -> nn.BatchNorm2d:
    """A batch normalisation with scale and shift.

    Args:
        channels: feature maps.
        running: True keeps running statistics for evaluation, as deployed networks
            need; False always uses the batch's, as the supernet does.
    """
    return nn.BatchNorm2d(channels, track_running_stats=running)


def convolution(
    a: int, b: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Conv2d:
    """A convolution that keeps the side, or halves it rounding up at stride 2."""
    return nn.Conv2d(a, b, kernel, stride, kernel // 2, groups=groups, bias=False)


class NormalisedConvolution(nn.Module):
    """A convolution and its normalisation; activations are the caller's."""

    def __init__(
        self,
        a: int,
        b: int,
        kernel: int,
        *,
        stride: int = 1,
        groups: int = 1,
        running: bool,
    ) -> None:
        super().__init__()
        self.convolution = convolution(a, b, kernel, stride, groups)
        self.norm = norm(b, running=running)

    def forward(self, x: Features) -> Changed:
        y: Tensor = self.norm(self.convolution(x))
        return y


class Stem(NormalisedConvolution):
    """The first convolution; no activation, since cells begin with one."""

    def __init__(self, image_channels: int, channels: int, *, running: bool) -> None:
        super().__init__(image_channels, channels, 3, running=running)


class Reduction(nn.Module):
    """The stride-2 residual block between two stages, not searched."""

    def __init__(self, a: int, b: int, *, running: bool) -> None:
        super().__init__()
        self.first = convolution(a, b, 3, stride=2)
        self.first_norm = norm(b, running=running)
        self.second = convolution(b, b, 3)
        self.second_norm = norm(b, running=running)
        # ceil_mode gives odd sides the same size as the strided convolution; pixels
        # beyond the edge are left out of the mean.
        self.shortcut_pool = nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False)
        self.shortcut = convolution(a, b, 1)

    def forward(self, x: Features) -> Changed:
        y = self.first_norm(self.first(functional.relu(x)))
        y = self.second_norm(self.second(functional.relu(y)))
        z: Tensor = y + self.shortcut(self.shortcut_pool(x))
        return z


class Head(nn.Module):
    """Normalisation, ReLU, mean over the pixels, linear classifier."""

    def __init__(self, channels: int, classes: int, *, running: bool) -> None:
        super().__init__()
        self.norm = norm(channels, running=running)
        self.classifier = nn.Linear(channels, classes)

    def forward(self, x: Features) -> Float[Tensor, "batch classes"]:
        y = functional.relu(self.norm(x))
        # a sum over the two axes exports as one ReduceMean, whatever the side
        z: Tensor = self.classifier(y.mean(dim=(2, 3)))
        return z


class ConvolutionBlock(nn.Module):
    """A derived edge behind the ReLU of its source: convolution, normalisation."""

    def __init__(self, channels: int, kernel: int) -> None:
        super().__init__()
        self.convolution = convolution(channels, channels, kernel)
        self.norm = norm(channels, running=True)

    def forward(self, x: Features) -> Features:
        # training may take the faster way; what is exported and judged is the plain one
        if self.training:
            (y,) = convolve(x, [self.convolution.weight])
        else:
            y = self.convolution(x)
        z: Tensor = self.norm(y)
        return z


def initialise(module: nn.Module, generator: torch.Generator) -> None:
    """Draw every weight of a network from ``generator``, norms at identity.

    Convolutions: normal with variance 2 / fan-out (He et al., 2015); the classifier:
    uniform within 1 / sqrt(fan-in), torch's own default.
    """
    for part in module.modules():
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(
                part.weight, mode="fan_out", nonlinearity="relu", generator=generator
            )
        elif isinstance(part, nn.Linear):
            bound = part.in_features**-0.5
            nn.init.uniform_(part.weight, -bound, bound, generator=generator)
            nn.init.zeros_(part.bias)
        elif isinstance(part, nn.BatchNorm2d):
            nn.init.ones_(part.weight)
            nn.init.zeros_(part.bias)
