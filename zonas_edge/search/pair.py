"""Two copies of the supernet's weights, trained side by side on the same batches.

This is where nearly all of the default search's time goes. The copies share nothing
while they train, so on a CPU each has its own thread and half of the cores, which is
faster than giving every operation of one copy all cores: no operation waits for the
other half of itself. What a copy computes doesn't depend on the other's timing.

Source: ZO-DARTS+ (arXiv:2405.03462) for the two copies on the same batches.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from zonas_edge.architecture import Mixture
from zonas_edge.nn.supernet import Supernet
from zonas_edge.search.weights import Judged, WeightCopy, WeightSettings
from zonas_edge.space import SearchSpace, TaskSpec


class Pair:
    """The base copy, at alpha, and the twin, at the shifted alpha.

    Args:
        space: width and depth.
        task: image shape and classes.
        settings: optimiser of the weights.
        seed: of the initial weights, the same in both.
        device: where the weights live.
        dtype: of the weights.
    """

    def __init__(
        self,
        space: SearchSpace,
        task: TaskSpec,
        settings: WeightSettings,
        *,
        seed: int,
        device: torch.device | str,
        dtype: torch.dtype,
    ) -> None:
        self._base, self._twin = (
            WeightCopy.drawn(
                space, task, settings, seed=seed, device=device, dtype=dtype
            )
            for _ in range(2)
        )
        self._threads = ThreadPoolExecutor(1, thread_name_prefix="twin")

    @property
    def supernet(self) -> Supernet:
        """The base copy's network."""
        return self._base.supernet

    def begin(
        self, base: Mixture[Tensor], shifted: Mixture[Tensor], rate: float
    ) -> None:
        """Open a window: the twin starts as the base is.

        Args:
            base: mixture of the base copy, without gradient.
            shifted: the twin's.
            rate: learning rate of the weights.
        """
        self._twin.copy_from(self._base)
        self.hold(base, shifted, rate)

    def hold(
        self, base: Mixture[Tensor], shifted: Mixture[Tensor], rate: float
    ) -> None:
        """Go on with a window that was open when the state was taken."""
        self._base.hold(base, rate)
        self._twin.hold(shifted, rate)

    def step(
        self, images: Float[Tensor, "n c h w"], labels: Int64[Tensor, "n"]
    ) -> Float[Tensor, ""]:
        """Train both copies on one batch.

        Returns:
            The base's loss [nats], detached.
        """
        return self._both(
            lambda: self._base.train(images, labels),
            lambda: self._twin.train(images, labels),
            apart=images.device.type == "cpu",
        )

    def _both(
        self, first: Callable[[], Tensor], second: Callable[[], Any], *, apart: bool
    ) -> Tensor:
        """The first result, once both are done; side by side where that is faster."""
        threads = torch.get_num_threads()
        if threads == 1 or not apart:
            result = first()
            second()
            return result
        share = threads // 2

        def beside() -> None:
            torch.set_num_threads(share)
            second()

        twin = self._threads.submit(beside)
        torch.set_num_threads(share)
        try:
            result = first()
        finally:
            error = twin.exception()
            torch.set_num_threads(threads)
        if error is not None:
            raise error
        return result

    def judge(
        self,
        images: Float[Tensor, "n c h w"],
        labels: Int64[Tensor, "n"],
        mixture: Mixture[Tensor],
    ) -> Judged:
        """What a validation batch says of the base copy.

        Args:
            images: a validation batch, normalised.
            labels: its classes.
            mixture: with gradient; what it was made from receives its own.
        """
        return self._base.judge(images, labels, mixture)

    def shift(self) -> Float[Tensor, "weights"]:
        """Weights of the twin minus those of the base."""
        return (self._twin.flat - self._base.flat).detach()

    def state_dict(self) -> dict[str, Any]:
        """Weights and momenta of both; the tensors are the live ones."""
        return {"base": self._base.state_dict(), "twin": self._twin.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Copy what ``state_dict`` gave; an open window is to be held anew."""
        self._base.load_state_dict(state["base"])
        self._twin.load_state_dict(state["twin"])
