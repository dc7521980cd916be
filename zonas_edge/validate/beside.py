"""An INT8 file beside the float file it was made of: what changed, and how fast it is.

INT8 evidence holds for one version of ONNX Runtime on one processor, so the speed
carries both, and the two files are timed in turn: a machine that slows down meanwhile
slows down both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zonas_edge import metrics
from zonas_edge.metrics import Labels, Probabilities
from zonas_edge.validate.host import LatencyHost


@dataclass(frozen=True)
class Changed:
    """Decisions of both files on the same images.

    Args:
        split: whose images, ``val`` or ``test``.
        images: how many.
        float32_accuracy: of the float file.
        accuracy: of the INT8 file.
        drops: by how much the sensitivity of each class fell, by name; below 0 where
            it rose. A class without images is not in it.
        decisions: that differ between the two.
    """

    split: str
    images: int
    float32_accuracy: float
    accuracy: float
    drops: dict[str, float]
    decisions: int

    @property
    def worst(self) -> tuple[str, float]:
        """The class that lost most sensitivity, and how much."""
        return max(self.drops.items(), key=lambda item: item[1])


@dataclass(frozen=True)
class Speed:
    """Both files timed in turn on one machine, milliseconds at batch 1.

    Args:
        float32_ms: undisturbed time of the float file (``device/measuring.py``).
        int8_ms: of the INT8 file.
        float32_p50_ms: median of the float file, with whatever came between.
        int8_p50_ms: of the INT8 file.
        host: the machine, and whether it is the profile's device.
        onnxruntime: version there.
        threads: intra-op threads.
    """

    float32_ms: float
    int8_ms: float
    float32_p50_ms: float
    int8_p50_ms: float
    host: LatencyHost
    onnxruntime: str
    threads: int


@dataclass(frozen=True)
class Beside:
    """What a report on an INT8 file says of the float file.

    Args:
        float32_bytes: size of the float file.
        test: decisions of both on the test split; the float file's were made here.
        speed: as both were timed when the INT8 file was accepted.
    """

    float32_bytes: int
    test: Changed
    speed: Speed


@dataclass(frozen=True, eq=False)
class Float32:
    """What an INT8 file is held against.

    Args:
        model_bytes: size of the float file.
        probabilities: what it says of the test images, [N, K].
        speed: of both files, as timed when the INT8 file was accepted.
    """

    model_bytes: int
    probabilities: Probabilities
    speed: Speed


def beside(
    before: Float32, labels: Labels, after: Probabilities, class_names: Sequence[str]
) -> Beside:
    """Hold what an INT8 file says of the test images against its float file."""
    test = changed("test", labels, before.probabilities, after, class_names)
    return Beside(before.model_bytes, test, before.speed)


def changed(
    split: str,
    labels: Labels,
    float32: Probabilities,
    int8: Probabilities,
    class_names: Sequence[str],
) -> Changed:
    """Compare the probabilities [N, K] that two files give the same images."""
    before, after = metrics.per_class(labels, float32), metrics.per_class(labels, int8)
    drops = {
        name: old.sensitivity - new.sensitivity
        for name, old, new in zip(class_names, before, after, strict=True)
        if old.sensitivity is not None and new.sensitivity is not None
    }
    apart = metrics.decisions(float32) != metrics.decisions(int8)
    return Changed(
        split=split,
        images=len(int8),
        float32_accuracy=metrics.accuracy(labels, float32),
        accuracy=metrics.accuracy(labels, int8),
        drops=drops,
        decisions=int(apart.sum()),
    )
