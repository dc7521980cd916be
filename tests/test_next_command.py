"""What a run's hints say comes next."""

from pathlib import Path

import pytest

from zonas_edge.artifact import Run
from zonas_edge.cli.options import MEASURING_S
from zonas_edge.device.ssh import SshTarget


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
    assert Run(Path(out) / "whole").command("validate", *options) == command


def test_the_time_of_a_measurement_over_ssh_is_that_of_the_options() -> None:
    assert SshTarget.limit_s == MEASURING_S
