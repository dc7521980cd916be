"""What an export says comes next."""

from pathlib import Path

import pytest

from zonas_edge.artifact import Run
from zonas_edge.report.exported import validation_command


@pytest.mark.parametrize(
    ("out", "options", "command"),
    [
        ("exports", [], "zonas-edge validate whole"),
        ("exports", ["--int8"], "zonas-edge validate whole --int8"),
        ("my runs", [], "zonas-edge validate whole --out 'my runs'"),
        # what a bundle prints: the name of its answer comes behind
        (
            "my runs",
            ["--gates", "a b.toml", "--import"],
            "zonas-edge validate whole --out 'my runs' --gates 'a b.toml' --import",
        ),
    ],
)
def test_the_following_command_can_be_copied(
    out: str, options: list[str], command: str
) -> None:
    folder = Path(out)
    assert validation_command(Run(folder / "whole"), folder, *options) == command
