"""What a run delivers: a file for the device, in float32 or in INT8."""

from pathlib import Path
from typing import NamedTuple

from zonas_edge.artifact.files import plain_errors


class Delivered(NamedTuple):
    """A file for the device, and what belongs to it.

    Args:
        model: the ONNX file.
        golden: its golden vectors.
        report: the verdict on it.
    """

    model: Path
    golden: Path
    report: Path

    def remove(self) -> None:
        """Delete what is there of them.

        Raises:
            UsageError: the system refuses.
        """
        for file in self:
            with plain_errors(file):
                file.unlink(missing_ok=True)
