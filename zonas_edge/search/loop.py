"""The search loop, the same for every method: weights and alpha by turns.

A window is ``inner_steps`` training batches and one step of alpha on a validation
batch. In the zeroth-order methods two copies of the supernet are trained alike in a
window, one at alpha and one at alpha + radius * direction, and alpha's step comes at
its end; the methods that step alpha with every batch step it first. Windows run on
across epoch ends; the schedules are read when a window opens, and hold for all of it.

The whole state is in ``state_dict``, so that a search that was killed goes on to the
same result.

Source: ZO-DARTS+ (arXiv:2405.03462) for the window of ten steps and its pair of copies;
the schedules are the published code's of ZO-DARTS++ (arXiv:2503.06092) as fractions.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from zonas_edge.architecture import Mixture, Probabilities
from zonas_edge.constraint import Constraint
from zonas_edge.errors import ZonasError
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.alphas import Alphas, softmax
from zonas_edge.search.engines import engine_of
from zonas_edge.search.feed import Feed, SearchData
from zonas_edge.search.method import Rows
from zonas_edge.search.pull import Pull
from zonas_edge.search.record import EpochRecord, confidence, stock_of
from zonas_edge.search.settings import SearchSettings
from zonas_edge.search.sparsemax import sparsemax
from zonas_edge.search.stock import Stock, means
from zonas_edge.search.window import Answer, Batch, Question, Window
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace, TaskSpec

_NORMALISE = {Rows.SPARSEMAX: sparsemax, Rows.SOFTMAX: softmax}


class Search:
    """One search, advanced an epoch at a time.

    Args:
        space: what may be decided; the method may decide less of it.
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
        method = settings.method
        self.space = method.narrowed(space)
        self.settings = settings
        self.epoch = 0
        self.alpha_updates = 0
        self.constraints = tuple(constraints)
        dtype = torch.float64 if method.float64 else torch.float32
        device = data.weights.images.device
        self._generator = torch.Generator().manual_seed(
            derived_seed(settings.seed, "search")
        )
        self._feed = Feed(
            data,
            batch_size=settings.batch_size,
            flip=settings.flip,
            generator=self._generator,
            dtype=dtype,
        )
        # of its own, so that methods with and without directions see the same batches
        self._directions = torch.Generator().manual_seed(
            derived_seed(settings.seed, "directions")
        )
        self._engine = engine_of(
            self.space, task, settings, generator=self._directions, device=device
        )
        self.alphas = self._first_alphas(dtype, device)
        self._first = self.alphas.vector.detach().clone()
        self._adam = self._fresh_adam()
        steps = self._feed.steps * settings.epochs // method.inner_steps
        self._pull = Pull(
            method.penalty,
            constraints,
            method.alpha_rate,
            steps=round(steps * (1 - method.schedule.size_phase)),
        )
        self._stock = Stock(settings)
        self._sizes = False
        self._window: Window | None = None
        self._step = 0

    def _first_alphas(self, dtype: torch.dtype, device: torch.device) -> Alphas:
        method = self.settings.method
        drawn = (
            Alphas.draw(self.space, self._generator, dtype)
            if method.decides
            else Alphas.even(self.space, dtype)
        )
        vector = drawn.vector.to(device).requires_grad_()
        return Alphas(vector, self.space, _NORMALISE[method.rows])

    def _fresh_adam(self) -> torch.optim.Adam:
        method = self.settings.method
        return torch.optim.Adam(
            [self.alphas.vector],
            lr=method.alpha_rate,
            betas=method.alpha_betas,
            weight_decay=method.alpha_decay,
        )

    # -- where it stands --------------------------------------------------------

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in the half that trains the weights."""
        return self._feed.steps

    @property
    def progress(self) -> float:
        """Fraction of the search's steps that is done."""
        steps = self.steps_per_epoch * self.settings.epochs
        return self._step / steps if steps else 0.0

    @property
    def supernet(self) -> Supernet:
        """The supernet with the weights trained so far."""
        return self._engine.supernet

    @property
    def temperature(self) -> float:
        """Divisor of alpha as of the latest step."""
        progress = min(self.progress, 1 - 1e-6)
        return self.settings.method.schedule.temperature_at(progress)

    @property
    def passes(self) -> float:
        """Forward and backward passes so far: what a search costs, on any machine."""
        return self.settings.method.passes_per_batch * self._step

    @property
    def sizes(self) -> bool:
        """True once kernels and depths are searched, or drawn uniformly."""
        return self._sizes or not self.settings.method.decides

    def mixture(self) -> Probabilities:
        """The probabilities as they stand."""
        with torch.no_grad():
            mixture = self.alphas.mixture(self.temperature, sizes=self.sizes)
        return Mixture(
            *(
                part.double().cpu().numpy()
                for part in (mixture.op, mixture.kernel, mixture.depth)
            )
        )

    def stock(self) -> tuple[float, float]:
        """Mean largest probability and mean entropy [nats] of the open rows."""
        return confidence(self.mixture(), sizes=self.sizes)

    @property
    def converged(self) -> bool:
        """True if no decision is left open (the rule is in ``SearchSettings``)."""
        return self._stock.settled(self.mixture(), self.epoch, sizes=self._sizes)

    @property
    def finished(self) -> bool:
        """True after the last epoch, or once converged."""
        return self.epoch >= self.settings.epochs or self.converged

    # -- one epoch --------------------------------------------------------------

    def run_epoch(self) -> EpochRecord:
        """Train for one pass over the weights' half, and take stock."""
        method = self.settings.method
        order = self._feed.order()
        losses: list[Tensor] = []
        answers: list[Answer] = []
        for step in range(self.steps_per_epoch):
            batch = self._feed.train(order, step)
            window = self._window
            if window is None:
                window = self._scheduled()
                if method.alpha_first:
                    answers.append(self._step_alpha(window, batch))
                self._engine.open(self.alphas, window)
            losses.append(self._engine.step(batch))
            window.steps += 1
            closing = window.steps == method.inner_steps
            if closing and method.decides and not method.alpha_first:
                answers.append(self._step_alpha(window, batch))
            self._window = None if closing else window
            self._step += 1
        self.epoch += 1
        return self._record(losses, answers)

    def _scheduled(self) -> Window:
        """A new window; the first with sizes begins with them as they were drawn."""
        schedule, progress = self.settings.method.schedule, self.progress
        sizes = self.space.sizes and schedule.sizes_at(progress)
        if sizes and not self._sizes:
            self._sizes = True
            self._adam = self._fresh_adam()
            # decay has moved what no gradient did
            searched = self.alphas.active(sizes=False)
            with torch.no_grad():
                self.alphas.vector[searched:] = self._first[searched:]
        return Window(
            temperature=schedule.temperature_at(progress),
            rate=schedule.rate_at(progress),
            sizes=sizes,
        )

    def _step_alpha(self, window: Window, train: Batch) -> Answer:
        """One validation batch and one step of alpha."""
        validation = self._feed.validation()
        penalty = self._pull.gradient(self.alphas, window)
        answer = self._engine.answer(
            Question(self.alphas, window, train, validation, penalty)
        )
        if not torch.isfinite(answer.gradient).all():
            raise ZonasError(
                f"search: the architecture's gradient is not finite after"
                f" {self.alpha_updates:,} alpha updates, the training has diverged",
                "try another --seed, and look at the images",
            )
        self.alphas.vector.grad = answer.gradient
        self._adam.step()
        self._pull.step(self.alphas, window)
        self.alpha_updates += 1
        return answer

    def _record(self, losses: list[Tensor], answers: list[Answer]) -> EpochRecord:
        mixture = self.mixture()
        self._stock.take(mixture)
        return EpochRecord(
            epoch=self.epoch,
            temperature=self.temperature,
            sizes=self.sizes,
            alpha_updates=self.alpha_updates,
            stable_epochs=self._stock.stable,
            strength=self._pull.strength,
            **means(losses, answers),
            **stock_of(mixture, self.constraints, sizes=self.sizes),
        )

    # -- checkpoint -------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """All of the state: tensors and numbers only."""
        window = self._window
        return {
            "epoch": self.epoch,
            "step": self._step,
            "alpha_updates": self.alpha_updates,
            "sizes": self._sizes,
            "strength": self._pull.strength,
            "alphas": self.alphas.vector.detach(),
            "adam": self._adam.state_dict(),
            "generator": self._generator.get_state(),
            "directions": self._directions.get_state(),
            "copies": self._engine.state_dict(),
            "window": None if window is None else dict(vars(window)),
            **self._stock.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on where ``state_dict`` was taken, with the same data and settings."""
        self.epoch, self._step = state["epoch"], state["step"]
        self.alpha_updates, self._sizes = state["alpha_updates"], state["sizes"]
        self._pull.resume(state["strength"])
        with torch.no_grad():
            self.alphas.vector.copy_(state["alphas"])
        self._adam = self._fresh_adam()
        self._adam.load_state_dict(state["adam"])
        self._generator.set_state(state["generator"].cpu())
        self._directions.set_state(state["directions"].cpu())
        self._engine.load_state_dict(state["copies"])
        self._window = None if state["window"] is None else Window(**state["window"])
        if self._window is not None:
            self._engine.hold(self.alphas, self._window)
        self._stock.load_state_dict(state)
