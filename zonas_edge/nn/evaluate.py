"""How good a network is on a split: one loss, one accuracy, for ranking and epochs."""

import math

import torch
from torch import nn
from torch.nn import functional

from zonas_edge.data.batches import DeviceSplit, Normalisation
from zonas_edge.figures import DIVERGED


@torch.no_grad()
def evaluate(
    network: nn.Module,
    split: DeviceSplit,
    normalisation: Normalisation,
    batch_size: int = 64,
) -> tuple[float, float]:
    """Mean cross-entropy [nats] and accuracy of a network in evaluation mode."""
    network.eval()
    loss, right = 0.0, 0
    for indices in torch.split(torch.arange(len(split)), batch_size):
        part = split.take(indices)
        logits = network(normalisation.apply(part.images))
        loss += float(functional.cross_entropy(logits, part.labels, reduction="sum"))
        right += int((logits.argmax(-1) == part.labels).sum())
    return loss / len(split), right / len(split)


def comparable(loss: float) -> float:
    """A loss by which networks can be ranked: one that is no number comes last."""
    return loss if math.isfinite(loss) else DIVERGED
