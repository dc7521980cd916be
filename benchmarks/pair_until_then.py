"""Stand-in for ``zonas_edge.search.pair`` until it is there; to be deleted with it."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.weights import WeightCopy, WeightSettings
from zonas_edge.space import SearchSpace, TaskSpec


@dataclass(frozen=True)
class Judged:
    """Loss and the weights' gradient."""

    loss: Tensor
    weight_gradient: Tensor


class Pair:
    """Two copies of the weights, trained alike at two mixtures."""

    def __init__(
        self,
        space: SearchSpace,
        task: TaskSpec,
        settings: WeightSettings,
        *,
        seed: int,
        device: Any,
        dtype: torch.dtype,
    ) -> None:
        copies = [
            WeightCopy(
                Supernet(space, task, torch.Generator().manual_seed(seed)).to(
                    device, dtype
                ),
                settings,
            )
            for _ in range(2)
        ]
        self._base, self._twin = copies

    @property
    def supernet(self) -> Supernet:
        """The base."""
        return self._base.supernet

    def begin(
        self, base: Mixture[Tensor], shifted: Mixture[Tensor], rate: float
    ) -> None:
        """Twin := base."""
        self._twin.copy_from(self._base)
        self._mixtures, self._rate = (base, shifted), rate

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One step of both."""
        losses = []
        for copy, mixture in zip((self._base, self._twin), self._mixtures, strict=True):
            loss = functional.cross_entropy(copy.supernet(images, mixture), labels)
            copy.step(loss, self._rate)
            losses.append(loss.detach())
        return losses[0]

    def judge(self, images: Tensor, labels: Tensor, mixture: Mixture[Tensor]) -> Judged:
        """Loss and gradients of the base."""
        self._base.zero_gradient()
        loss = functional.cross_entropy(self.supernet(images, mixture), labels)
        loss.backward()
        return Judged(loss.detach(), self._base.gradient())

    def shift(self) -> Tensor:
        """Twin minus base."""
        return (self._twin.flat - self._base.flat).detach()
