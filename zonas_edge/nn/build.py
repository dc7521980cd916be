"""From a blueprint to the network that is trained and shipped."""

import torch

from zonas_edge.blueprint import Blueprint
from zonas_edge.nn.classifier import Classifier
from zonas_edge.nn.network import Network
from zonas_edge.nn.reference import ReferenceNetwork
from zonas_edge.reference import Reference
from zonas_edge.space import TaskSpec


def build(
    blueprint: Blueprint, task: TaskSpec, generator: torch.Generator | None = None
) -> Classifier:
    """The network of a blueprint.

    Args:
        blueprint: an architecture, simplified and connected, or a reference network.
        task: image channels and classes.
        generator: draws the weights; None leaves them to be loaded.
    """
    if isinstance(blueprint, Reference):
        return ReferenceNetwork(blueprint, task, generator)
    return Network(blueprint, task, generator)
