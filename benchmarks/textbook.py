"""The hybrid search of ZO-DARTS++ as a textbook would write it: yardstick and oracle.

The plainest correct PyTorch, written from the algorithm's description and not from the
engine: eager modules, two networks stepped one after the other, a twin by ``deepcopy``,
a loader that augments image by image. It is what ``search_speed.py`` compares with, and
what tests/search/test_textbook.py holds the engine to. So it stays plain: what makes it
faster belongs into the engine.

Source: ZO-DARTS+ (arXiv:2405.03462) and ZO-DARTS++ (arXiv:2503.06092), with the direct
gradient taken exactly, as the default does; without a budget.
"""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from textbook_supernet import EDGES, KERNELS, STAGES, Mixture, Supernet
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

OPERATIONS = 5

Batch = tuple[Tensor, Tensor]


def sparsemax(rows: Tensor) -> Tensor:
    """Project each row onto the simplex: sort, find the threshold, cut off."""
    ordered = rows.sort(dim=-1, descending=True).values
    cumulated = ordered.cumsum(dim=-1)
    rank = torch.arange(1, rows.shape[-1] + 1, device=rows.device)
    size = (1 + rank * ordered > cumulated).sum(dim=-1, keepdim=True)
    threshold = (cumulated.gather(-1, size - 1) - 1) / size
    return torch.relu(rows - threshold)


class TextbookSearch:
    """The search from any state: weights, alpha, temperature, phase, rates.

    Args:
        network: trained further in place.
        alpha: initial parameters of operations, kernels and depths, each row-major.
        temperature: divisor of alpha.
        sizes: True in the size phase.
        radius: length of the perturbation of alpha.
        rate: learning rate of the weights.
        rho: weight of the implicit slope.
    """

    def __init__(
        self,
        network: Supernet,
        alpha: Tensor,
        *,
        temperature: float,
        sizes: bool,
        radius: float,
        rate: float = 0.025,
        rho: float = 1.0,
    ) -> None:
        self.network = network
        self.alpha = nn.Parameter(alpha.clone())
        self.temperature, self.sizes, self.radius = temperature, sizes, radius
        self.rho = rho
        self.adam = torch.optim.Adam([self.alpha], lr=0.01, betas=(0.5, 0.999))
        self.optimizer = torch.optim.SGD(
            network.parameters(),
            lr=rate,
            momentum=0.9,
            weight_decay=3e-4,
            nesterov=True,
        )

    def mixture(self, alpha: Tensor) -> Mixture:
        """Probabilities at ``alpha``."""
        rows = STAGES, len(EDGES)
        counts = 18 * OPERATIONS, 18 * len(KERNELS), STAGES * self.network.max_depth
        op, kernel, depth = (alpha / self.temperature).split(counts)
        p = sparsemax(op.view(*rows, OPERATIONS))
        if not self.sizes:
            return p, None, None
        return p, sparsemax(kernel.view(*rows, -1)), sparsemax(depth.view(STAGES, -1))

    def begin(self, direction: Tensor) -> None:
        """Open a window: the twin is a copy of the network and of its optimiser."""
        self.direction = direction
        self.twin, self.twin_optimizer = copy.deepcopy((self.network, self.optimizer))

    def pair_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """One training step of the network, then one of the twin; the first's loss."""
        moved = self.alpha.detach() + self.radius * self.direction
        loss = self._step(
            self.network, self.optimizer, self.alpha.detach(), images, labels
        )
        self._step(self.twin, self.twin_optimizer, moved, images, labels)
        return loss

    def _step(
        self,
        network: Supernet,
        optimizer: torch.optim.Optimizer,
        alpha: Tensor,
        images: Tensor,
        labels: Tensor,
    ) -> Tensor:
        loss = functional.cross_entropy(network(images, self.mixture(alpha)), labels)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(network.parameters(), 5)
        optimizer.step()
        return loss.detach()

    def alpha_step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Close the window: one step of Adam along the hybrid gradient."""
        self.optimizer.zero_grad()
        self.adam.zero_grad()
        logits = self.network(images, self.mixture(self.alpha))
        loss = functional.cross_entropy(logits, labels)
        loss.backward()
        pairs = zip(self.network.parameters(), self.twin.parameters(), strict=True)
        implicit = sum(((b - a) * a.grad).sum() for a, b in pairs) / self.radius
        self.alpha.grad += self.rho * implicit.detach() * self.direction
        self.adam.step()
        return loss.detach()

    def window(
        self, batches: Iterable[Batch], validation: Batch, direction: Tensor
    ) -> None:
        """Train the pair on every batch, then step alpha on the validation batch."""
        self.begin(direction)
        for images, labels in batches:
            self.pair_step(images, labels)
        self.alpha_step(*validation)


class Images(Dataset[tuple[Tensor, int]]):
    """Images ``[n, c, h, w]`` uint8, augmented one at a time when asked for."""

    def __init__(
        self, images: Tensor, labels: Tensor, *, mean: float, std: float, flip: bool
    ) -> None:
        self.images, self.labels = images, labels
        self.mean, self.std, self.flip = mean, std, flip
        self.generator = torch.Generator().manual_seed(0)

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        """One image: padded, cropped at random, mirrored, normalised."""
        image = self.images[place]
        height, width = image.shape[1:]
        padding = max(1, round(min(height, width) / 7))
        top, left = torch.randint(2 * padding + 1, (2,), generator=self.generator)
        padded = functional.pad(image, (padding,) * 4)
        image = padded[:, top : top + height, left : left + width]
        if self.flip and torch.rand((), generator=self.generator) < 1 / 2:
            image = image.flip(-1)
        return (image.float() / 255 - self.mean) / self.std, int(self.labels[place])


def loader(images: Images, batch_size: int, *, seed: int) -> DataLoader[Any]:
    """Shuffled full batches, made in this process."""
    return DataLoader(
        images,
        batch_size,
        shuffle=True,
        drop_last=True,
        generator=torch.Generator().manual_seed(seed),
    )
