"""Where something is measured, as the options of its commands name it together."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from zonas_edge.cli import options as o
from zonas_edge.errors import UsageError

if TYPE_CHECKING:
    from zonas_edge.device.target import Target


@dataclass(frozen=True)
class ByHand:
    """A person carries a bundle to the device.

    Args:
        out: where it goes, or None for the run's own folder.
    """

    out: Path | None


def measured_place(
    target: str,
    *,
    python: str | None,
    ssh_config: Path | None,
    timeout: float,
    int8: bool,
) -> "Target | None":
    """What tries an INT8 file, None if none is asked for.

    Raises:
        UsageError: an option can't be read, or doesn't go without --int8.
    """
    if not int8:
        for name, given in of_a_target(target, python, ssh_config).items():
            if given:
                raise UsageError(
                    f"{name}: export measures nothing without --int8",
                    hint=f"leave out {name}, or add --int8",
                )
        return None
    place = place_of(
        target, python=python, ssh_config=ssh_config, timeout=timeout, bundle_out=None
    )
    if isinstance(place, ByHand):
        raise UsageError(
            "--target bundle: INT8 is tried while it is made, a bundle can't be",
            "zonas-edge export --int8 on the device or by ssh://[user@]host[:port];"
            " then zonas-edge validate --int8 --target bundle",
        )
    return place


def place_of(
    target: str,
    *,
    python: str | None,
    ssh_config: Path | None,
    timeout: float,
    bundle_out: Path | None,
    report: Path | None = None,
) -> "Target | ByHand":
    """What measures, or that a person has it measured.

    Raises:
        UsageError: an option can't be read, or doesn't go with another one.
    """
    from zonas_edge.device.bundle import read_report
    from zonas_edge.device.target import BUNDLE, Connection, parse_target

    given = of_a_target(target, python, ssh_config)
    if report is not None:
        refuse_beside("--import", "reads what was measured already", given)
    elif target == BUNDLE:
        live = {name: given[name] for name in ("--python", "--ssh-config")}
        refuse_beside("--target bundle", "is measured by hand", live)
    elif target == o.LOCAL and ssh_config is not None:
        raise UsageError(
            "--ssh-config: this machine is measured without ssh",
            "leave out --ssh-config, or name a --target ssh://[user@]host[:port]",
        )
    if bundle_out is not None and target != BUNDLE:
        raise UsageError(
            "--bundle-out: nothing is carried to this target", hint="--target bundle"
        )
    if report is not None:
        return read_report(report)
    if target == BUNDLE:
        return ByHand(bundle_out)
    return parse_target(target, Connection(python, ssh_config, timeout))


def of_a_target(
    target: str, python: str | None, ssh_config: Path | None
) -> dict[str, bool]:
    """The options of a live measurement, and which of them were given."""
    return {
        "--target": target != o.LOCAL,
        "--python": python is not None,
        "--ssh-config": ssh_config is not None,
    }


def refuse_beside(option: str, reason: str, given: Mapping[str, bool]) -> None:
    """Refuse options that another one leaves nothing to do.

    Args:
        option: the other one.
        reason: what it does, such as ``measures nothing``.
        given: options, and whether they were given.

    Raises:
        UsageError: names the first that was given.
    """
    for name, present in given.items():
        if present:
            raise UsageError(
                f"{name}: {option} {reason}", hint=f"leave out {name}, or {option}"
            )
