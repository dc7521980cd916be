"""The network as it is shipped: pixels in, probabilities out, norms folded away.

Whoever embeds the file does no preprocessing at all: casting, scaling and the softmax
are part of the graph. Every normalisation is folded into the convolution before it; the
head's, whose input is a sum, becomes one scale and one shift.
"""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from zonas_edge.data.batches import Normalisation
from zonas_edge.nn.classifier import Classifier
from zonas_edge.nn.ops import (
    ConvolutionBlock,
    Head,
    NormalisedConvolution,
    Reduction,
)

WHITE = 255.0


class ScaleShift(nn.Module):
    """A normalisation in evaluation mode, as one product and one sum."""

    def __init__(self, norm: nn.BatchNorm2d) -> None:
        super().__init__()
        mean, variance = norm.running_mean, norm.running_var
        if mean is None or variance is None:
            raise ValueError("the normalisation has no running statistics")
        scale = norm.weight.detach() / torch.sqrt(variance + norm.eps)
        shift = norm.bias.detach() - mean * scale
        self.scale = nn.Parameter(scale.view(-1, 1, 1))
        self.shift = nn.Parameter(shift.view(-1, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Apply the normalisation to features ``[batch, channels, height, width]``."""
        return x * self.scale + self.shift


class DeployedNetwork(nn.Module):
    """What the ONNX file computes.

    Args:
        network: trained; it is copied, not changed.
        normalisation: of the images it was trained on.
    """

    def __init__(self, network: Classifier, normalisation: Normalisation) -> None:
        super().__init__()
        self.network = fold(network)
        self._scale = 1 / (WHITE * normalisation.std)
        self._shift = -normalisation.mean / normalisation.std

    def forward(self, image: Tensor) -> Tensor:
        """Probabilities ``[batch, classes]`` of uint8 images ``[batch, c, h, w]``."""
        x = image.to(torch.float32) * self._scale + self._shift
        return torch.softmax(self.network(x), dim=1)


def fold(network: Classifier) -> Classifier:
    """A copy in evaluation mode without batch normalisations."""
    folded = copy.deepcopy(network).eval()
    for part in list(folded.modules()):
        if isinstance(part, (NormalisedConvolution, ConvolutionBlock)):
            _fuse(part, "convolution", "norm")
        elif isinstance(part, Reduction):
            _fuse(part, "first", "first_norm")
            _fuse(part, "second", "second_norm")
        elif isinstance(part, Head):
            part.add_module("norm", ScaleShift(part.norm))
    return folded


def _fuse(part: nn.Module, convolution: str, norm: str) -> None:
    """Put a normalisation into the convolution before it."""
    first, second = part.get_submodule(convolution), part.get_submodule(norm)
    if not isinstance(first, nn.Conv2d) or not isinstance(second, nn.BatchNorm2d):
        raise TypeError("the network is folded already")
    part.add_module(convolution, fuse_conv_bn_eval(first, second))
    part.add_module(norm, nn.Identity())
