"""Latency as it was measured on one device: a table, what it holds for, how good it is.

``zonas-edge calibrate`` makes it, a profile names it, and a run's record holds it
whole, so that the record tells what the search believed.
"""

from typing import Annotated, Any

from pydantic import AfterValidator, Field

from zonas_edge.profile.section import Above0, Count, Section, Share, Text
from zonas_edge.space import KERNELS, OPS, STAGES, SearchSpace, TaskSpec

_Milliseconds = Annotated[float, Field(ge=0)]


def _long(length: int) -> AfterValidator:
    """As many entries as the space has decisions; pydantic counts valid ones alone."""

    def check(row: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(row) != length:
            raise ValueError(f"of {len(row)} entries, not {length}")
        return row

    return AfterValidator(check)


_Row = Annotated[tuple[_Milliseconds, ...], Field(strict=False)]
_Operations = Annotated[_Row, _long(len(OPS))]
_Kernels = Annotated[_Row, _long(len(KERNELS))]
_STAGES = (Field(strict=False), _long(STAGES))


class FittedError(Section):
    """How far predictions were from measurements that the fit has not seen.

    Args:
        networks: so many were compared.
        within_10_percent: share whose prediction is at most 10 % off.
        median: median of the relative error.
        largest: largest relative error.
        rank_correlation: Spearman's, of predicted and measured.
    """

    networks: Count
    within_10_percent: Share
    median: Annotated[float, Field(ge=0)]
    largest: Annotated[float, Field(ge=0)]
    rank_correlation: Annotated[float, Field(ge=-1, le=1)]


class FittedLatency(Section):
    """A latency model of one device, for one space and one kind of image.

    Args:
        device: the profile's name of it.
        machine: what ``platform.machine()`` says there.
        cpu_model: its board and processor.
        onnxruntime: version that was measured.
        threads: intra-op threads of one inference.
        provider: execution provider.
        date: of the fit, UTC, such as 2026-11-22; a bundle's measurement is older,
            see ``environment.time`` of the file.
        image: channels, height and width.
        classes: of the classifier.
        channels: feature maps of the first stage.
        max_depth: largest number of cells in a stage that was measured.
        fixed_ms: time of stem, reductions and head; as the next two, while
            nothing came between (undisturbed).
        operation_ms: ``[stage][op]``, as in a cost table.
        kernel_ms: ``[stage][kernel]``.
        p50_over_undisturbed: how much longer the median of a measurement in one piece
            is there, typically.
        p95_over_p50: 95th percentile of a slow piece over the median of a typical one.
        networks: so many were measured for the fit.
        error: on networks that the fit has not seen.
    """

    device: Text
    machine: Text
    cpu_model: Text
    onnxruntime: Text
    threads: Count
    provider: Text
    date: Text
    image: Annotated[tuple[int, int, int], Field(strict=False)]
    classes: Count
    channels: Count
    max_depth: Count
    fixed_ms: Above0
    operation_ms: Annotated[tuple[_Operations, ...], *_STAGES]
    kernel_ms: Annotated[tuple[_Kernels, ...], *_STAGES]
    p50_over_undisturbed: Annotated[float, Field(ge=1)]
    p95_over_p50: Annotated[float, Field(ge=1)]
    networks: Count
    error: FittedError

    def mismatch(self, space: SearchSpace, task: TaskSpec) -> str | None:
        """Why it says nothing of these networks, in words, or None if it does."""
        for name, own, wanted in (
            ("image", self.image, (task.channels, task.height, task.width)),
            ("classes", self.classes, task.classes),
            ("space.channels", self.channels, space.channels),
        ):
            if own != wanted:
                shown = [
                    "x".join(map(str, v)) if isinstance(v, tuple) else v
                    for v in (own, wanted)
                ]
                return f"{name} is {shown[1]}, the latency model's is {shown[0]}"
        if space.max_depth > self.max_depth:
            return (
                f"space.max_depth is {space.max_depth}, the latency model's is"
                f" {self.max_depth}"
            )
        return None
