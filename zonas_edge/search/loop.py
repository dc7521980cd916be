"""The search loop: ten steps of two copies of the weights, then one step of alpha.

A window is ``inner_steps`` training batches on which two copies of the supernet are
trained alike, one at alpha and one at alpha + radius * direction, followed by one
validation batch and one step of alpha. Windows run on across epoch ends; the schedules
are read when a window opens, and hold for all of it.

The whole state is in ``state_dict``, so that a search that was killed goes on to the
same result.

Source: sections 4, 13 and 14 of the design.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from zonas_edge.architecture import Mixture, Probabilities
from zonas_edge.constraint import Constraint
from zonas_edge.cost import expected
from zonas_edge.data.batches import (
    DeviceSplit,
    Normalisation,
    augment,
    crop_padding,
    epoch_order,
)
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import OP_ENTRIES, Alphas, detached
from zonas_edge.search.hypergradient import Evidence
from zonas_edge.search.pair import Pair
from zonas_edge.search.penalty import Multiplier, published_penalty, relative_excess
from zonas_edge.search.record import EpochRecord, agree, confidence
from zonas_edge.search.settings import SearchSettings
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace, TaskSpec


@dataclass(frozen=True)
class SearchData:
    """The two halves of the train split, and how images are normalised.

    Args:
        weights: trains the weights (inner problem).
        alphas: trains the architecture parameters (outer problem).
        normalisation: of the whole train split.
    """

    weights: DeviceSplit
    alphas: DeviceSplit
    normalisation: Normalisation


@dataclass
class _Window:
    """An open window: what stays the same for its steps."""

    direction: Tensor
    radius: float
    temperature: float
    rate: float
    sizes: bool
    steps: int = 0


@dataclass(frozen=True)
class _Ending:
    """What the end of a window has shown."""

    loss: float
    implicit_slope: float
    direct_norm: float


class Search:
    """One search, advanced an epoch at a time.

    Args:
        space: what may be decided.
        task: image shape and classes.
        constraints: the budget.
        data: both halves, on the device that computes.
        settings: everything else.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: TaskSpec,
        constraints: Sequence[Constraint],
        data: SearchData,
        settings: SearchSettings,
    ) -> None:
        self.space = space
        self.settings = settings
        self.epoch = 0
        self.alpha_updates = 0
        self._constraints = tuple(constraints)
        self._data = data
        self._estimator = settings.hypergradient()
        self._published = settings.method.published
        self._dtype = torch.float64 if self._published else torch.float32
        device = data.weights.images.device
        self._generator = torch.Generator().manual_seed(
            derived_seed(settings.seed, "search")
        )
        self._pair = Pair(
            space,
            task,
            settings.weights,
            seed=derived_seed(settings.seed, "weights"),
            device=device,
            dtype=self._dtype,
        )
        alphas = Alphas.draw(space, self._generator, self._dtype)
        self.alphas = Alphas(
            alphas.vector.to(device).requires_grad_(), alphas.max_depth
        )
        self._adam = self._fresh_adam()
        self._multiplier = Multiplier()
        self._sizes = False
        self._window: _Window | None = None
        self._step = 0
        self._stable = 0
        self._decisions: Probabilities | None = None

    # -- schedule ---------------------------------------------------------------

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the half that trains the weights."""
        return max(1, len(self._data.weights) // self.settings.batch_size)

    @property
    def progress(self) -> float:
        """Fraction of the search's steps that is done."""
        return self._step / (self.steps_per_epoch * self.settings.epochs)

    @property
    def supernet(self) -> Supernet:
        """The supernet with the weights trained so far."""
        return self._pair.supernet

    @property
    def temperature(self) -> float:
        """Divisor of alpha as of the latest step."""
        return self.settings.method.schedule.temperature_at(
            min(self.progress, 1 - 1e-6)
        )

    def mixture(self) -> Probabilities:
        """The probabilities as they stand."""
        with torch.no_grad():
            mixture = self.alphas.mixture(self.temperature, sizes=self._sizes)
        return Mixture(
            *(
                part.double().cpu().numpy()
                for part in (mixture.op, mixture.kernel, mixture.depth)
            )
        )

    def stock(self) -> tuple[float, float]:
        """Mean largest probability and mean entropy [nats] of the open rows."""
        return confidence(self.mixture(), sizes=self._sizes)

    @property
    def converged(self) -> bool:
        """True if no decision is left open (the rule is in ``SearchSettings``)."""
        if self._decisions is None or not self._sizes:
            return False
        s = self.settings
        earliest = (s.method.schedule.size_phase + s.settling) * s.epochs
        maximum, _ = confidence(self.mixture(), sizes=True)
        return (
            self.epoch >= earliest - 1e-9
            and self._stable >= math.ceil(s.patience * s.epochs)
            and maximum >= s.confidence
        )

    @property
    def finished(self) -> bool:
        """True after the last epoch, or once converged."""
        return self.epoch >= self.settings.epochs or self.converged

    # -- one epoch --------------------------------------------------------------

    def run_epoch(self) -> EpochRecord:
        """Train for one pass over the weights' half, and take stock."""
        size = self.settings.batch_size
        order = epoch_order(len(self._data.weights), self._generator)
        train_losses: list[Tensor] = []
        endings: list[_Ending] = []
        for step in range(self.steps_per_epoch):
            batch = self._batch(
                self._data.weights, order[step * size : (step + 1) * size]
            )
            window = self._window or self._open_window()
            train_losses.append(self._pair.step(*batch))
            window.steps += 1
            closing = window.steps == self.settings.method.inner_steps
            if closing:
                endings.append(self._close_window(window))
            self._window = None if closing else window
            self._step += 1
        self.epoch += 1
        return self._take_stock(train_losses, endings)

    def _batch(self, split: DeviceSplit, indices: Tensor) -> tuple[Tensor, Tensor]:
        part = split.take(indices)
        images = augment(
            part.images,
            self._generator,
            padding=crop_padding(*part.images.shape[2:]),
            flip=self.settings.flip,
        )
        return self._data.normalisation.apply(images).to(self._dtype), part.labels

    def _open_window(self) -> _Window:
        schedule, progress = self.settings.method.schedule, self.progress
        sizes = schedule.sizes_at(progress)
        if sizes and not self._sizes:
            self._sizes = True
            self._adam = self._fresh_adam()
        vector = self.alphas.vector.detach()
        window = _Window(
            direction=self.alphas.direction(self._generator, sizes=sizes).detach(),
            radius=self._estimator.radius(
                float(vector[:OP_ENTRIES].norm()),
                float(vector[: self.alphas.active(sizes=sizes)].norm()),
            ),
            temperature=schedule.temperature_at(progress),
            rate=schedule.rate_at(progress),
            sizes=sizes,
        )
        self._pair.begin(*self._mixtures(window), window.rate)
        return window

    def _mixtures(self, window: _Window) -> tuple[Mixture[Tensor], Mixture[Tensor]]:
        """At alpha, and at alpha moved along the window's direction."""
        base, shifted = (
            detached(
                self.alphas.mixture(window.temperature, sizes=window.sizes, shift=shift)
            )
            for shift in (None, window.radius * window.direction)
        )
        return base, shifted

    def _close_window(self, window: _Window) -> _Ending:
        """One validation batch and one step of alpha."""
        count = len(self._data.alphas)
        size = min(self.settings.batch_size, count)
        indices = torch.randint(count, (size,), generator=self._generator)
        images, labels = self._batch(self._data.alphas, indices)
        vector = self.alphas.vector
        vector.grad = torch.zeros_like(vector)
        mixture = self.alphas.mixture(window.temperature, sizes=window.sizes)
        judged = self._pair.judge(images, labels, mixture)
        evidence = Evidence(
            direction=window.direction,
            radius=window.radius,
            alpha_gradient=vector.grad.clone(),
            penalty_gradient=self._published_gradient(window),
            weight_gradient=judged.weight_gradient,
            weight_shift=self._pair.shift(),
        )
        vector.grad = self._estimator.gradient(evidence)
        self._adam.step()
        if window.sizes and not self._published:
            self._pull_into_budget(window)
        self.alpha_updates += 1
        shift, weights = evidence.weight_shift, evidence.weight_gradient
        return _Ending(
            loss=float(judged.loss),
            implicit_slope=abs(float(weights @ shift)) / window.radius,
            direct_norm=float(evidence.alpha_gradient.norm()),
        )

    def _published_gradient(self, window: _Window) -> Tensor:
        vector = self.alphas.vector
        if not (window.sizes and self._published):
            return torch.zeros_like(vector)
        mixture = self.alphas.mixture(window.temperature, sizes=True)
        penalty = published_penalty(self._constraints, mixture, window.temperature)
        return _gradient(penalty, vector)

    def _pull_into_budget(self, window: _Window) -> None:
        """The penalty's own step (section 13)."""
        vector = self.alphas.vector
        mixture = self.alphas.mixture(window.temperature, sizes=True)
        total = relative_excess(self._constraints, mixture)
        gradient, excess = _gradient(total, vector), float(total.detach())
        step = self._multiplier.step(gradient, self.settings.method.alpha_rate, excess)
        with torch.no_grad():
            vector += step
        self._multiplier = self._multiplier.after(excess)

    def _fresh_adam(self) -> torch.optim.Adam:
        return torch.optim.Adam(
            [self.alphas.vector],
            lr=self.settings.method.alpha_rate,
            betas=self.settings.alpha_betas,
            weight_decay=self.settings.method.alpha_decay,
        )

    def _take_stock(
        self, train_losses: list[Tensor], endings: list[_Ending]
    ) -> EpochRecord:
        mixture = self.mixture()
        self._stable = (
            self._stable + 1
            if self._decisions is not None and agree(self._decisions, mixture)
            else 0
        )
        self._decisions = mixture
        maximum, entropy = confidence(mixture, sizes=self._sizes)
        return EpochRecord(
            epoch=self.epoch,
            train_loss=float(torch.stack(train_losses).mean()),
            validation_loss=_mean([ending.loss for ending in endings]),
            temperature=self.temperature,
            sizes=self._sizes,
            alpha_updates=self.alpha_updates,
            mean_maximum=maximum,
            mean_entropy=entropy,
            stable_epochs=self._stable,
            strength=None if self._published else self._multiplier.strength,
            implicit_slope=_mean([ending.implicit_slope for ending in endings]),
            direct_norm=_mean([ending.direct_norm for ending in endings]),
            expected={
                limit.name: float(expected(limit.table, mixture) * limit.unit)
                for limit in self._constraints
            },
            mixture={
                "op": mixture.op.tolist(),
                "kernel": mixture.kernel.tolist(),
                "depth": mixture.depth.tolist(),
            },
        )

    # -- checkpoint -------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All of the state: tensors and numbers only."""
        window, decisions = self._window, self._decisions
        return {
            "epoch": self.epoch,
            "step": self._step,
            "alpha_updates": self.alpha_updates,
            "sizes": self._sizes,
            "stable": self._stable,
            "strength": self._multiplier.strength,
            "alphas": self.alphas.vector.detach(),
            "adam": self._adam.state_dict(),
            "generator": self._generator.get_state(),
            "pair": self._pair.state_dict(),
            "window": None if window is None else dict(vars(window)),
            "decisions": None
            if decisions is None
            else [
                torch.from_numpy(part)
                for part in (decisions.op, decisions.kernel, decisions.depth)
            ],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, with the same data and settings."""
        self.epoch, self._step = state["epoch"], state["step"]
        self.alpha_updates = state["alpha_updates"]
        self._sizes, self._stable = state["sizes"], state["stable"]
        self._multiplier = Multiplier(strength=state["strength"])
        with torch.no_grad():
            self.alphas.vector.copy_(state["alphas"])
        self._adam = self._fresh_adam()
        self._adam.load_state_dict(state["adam"])
        self._generator.set_state(state["generator"].cpu())
        self._pair.load_state_dict(state["pair"])
        window = None if state["window"] is None else _Window(**state["window"])
        if window is not None:
            self._pair.hold(*self._mixtures(window), window.rate)
        self._window = window
        decisions = state["decisions"]
        self._decisions = (
            None
            if decisions is None
            else Mixture(*(part.cpu().numpy() for part in decisions))
        )


def _gradient(value: Tensor, vector: Tensor) -> Tensor:
    """Gradient by the architecture parameters; zero where the value is constant."""
    if not value.requires_grad:
        return torch.zeros_like(vector)
    (gradient,) = torch.autograd.grad(value, vector)
    return gradient.detach()


def _mean(values: list[float]) -> float | None:
    return sum(values) / len(values) if values else None
