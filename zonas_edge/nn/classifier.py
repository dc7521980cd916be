"""What every network is to those who train, export and measure it."""

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from zonas_edge.blueprint import Blueprint
from zonas_edge.nn.spectral import Features
from zonas_edge.space import TaskSpec


class Classifier(nn.Module, ABC):
    """A classifier of normalised images.

    Args:
        architecture: what it is built from.
        task: image channels and classes.
    """

    architecture: Blueprint
    task: TaskSpec

    def __init__(self, architecture: Blueprint, task: TaskSpec) -> None:
        super().__init__()
        self.architecture = architecture
        self.task = task

    @abstractmethod
    def forward(self, x: Features) -> Float[Tensor, "batch classes"]:
        """Logits."""
