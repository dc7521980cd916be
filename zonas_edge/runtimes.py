"""Which ONNX Runtime loads which file: the highest opset and IR of each version.

A file is refused for its IR version before its opset is looked at, so both count. The
official table (docs/reference/compatibility.md of microsoft/onnxruntime) ends at 1.20
and gives 1.15 an IR lower than its wheel takes; the figures below were probed on the
pip wheels for x86-64, up to 1.31.1. A version between two rows is taken for the older
one, which is never too much.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from zonas_edge.errors import ProfileError
from zonas_edge.profile import (
    LEVELS,
    DeviceProfile,
    Level,
    ProfileOrLevel,
    RuntimeLimits,
    load_profile,
)


@dataclass(frozen=True)
class RuntimeCeiling:
    """The most recent file a runtime loads.

    Args:
        opset: highest version of the ai.onnx operator set.
        ir: highest version of the file format.
        ml: highest version of ai.onnx.ml, or None where it was not probed.
    """

    opset: int
    ir: int
    ml: int | None = None


TABLE: tuple[tuple[Version, RuntimeCeiling], ...] = tuple(
    (Version(version), ceiling)
    for version, ceiling in (
        ("1.6.0", RuntimeCeiling(13, 7)),
        ("1.8.1", RuntimeCeiling(14, 7)),
        ("1.9.0", RuntimeCeiling(15, 8)),
        ("1.10.0", RuntimeCeiling(15, 8, ml=2)),
        ("1.11.1", RuntimeCeiling(16, 8, ml=3)),
        ("1.12.1", RuntimeCeiling(17, 8)),
        ("1.14.1", RuntimeCeiling(18, 8)),
        ("1.15.1", RuntimeCeiling(19, 9)),
        ("1.17.3", RuntimeCeiling(20, 9)),
        ("1.18.1", RuntimeCeiling(21, 10)),
        ("1.21.1", RuntimeCeiling(22, 10)),
        ("1.23.2", RuntimeCeiling(23, 11)),
        ("1.24.4", RuntimeCeiling(25, 13)),
        ("1.26.0", RuntimeCeiling(26, 13)),
    )
)
"""Oldest version that takes a ceiling, and the ceiling; ascending."""

OLDEST = TABLE[0][0]

LEAST_OPSET, LEAST_IR = 13, 7
"""What the files of our networks are written in, which a profile must allow."""

_BEFORE_THE_TABLE = tuple(map(Version, ("0.5.0", "1.0.0", "1.4.0", "1.5.3")))


def limits_of(version: str) -> RuntimeCeiling | None:
    """The most recent file that a version of ONNX Runtime loads.

    Args:
        version: such as 1.22.0; build suffixes (1.22.0+cu126) don't matter.

    Returns:
        The ceiling, the newest row's for what is newer still; None for a version that
        is older than the table or no version number, of which nothing is known.
    """
    try:
        wanted = Version(version)
    except InvalidVersion:
        return None
    rows = [ceiling for known, ceiling in TABLE if known <= wanted]
    return rows[-1] if rows else None


def version_allowed(version: str, runtime: RuntimeLimits) -> str | None:
    """Why a device may not run a version of ONNX Runtime, or None if it may.

    Args:
        version: of the ONNX Runtime that is installed there.
        runtime: the device's limits.
    """
    try:
        wanted = Version(version)
    except InvalidVersion:
        return f"onnxruntime {version} is no version number"
    if _denied(wanted, runtime):
        return f"onnxruntime {version} is on the profile's deny list"
    if not SpecifierSet(runtime.onnxruntime).contains(wanted, prereleases=True):
        return f"onnxruntime {version} is not {runtime.onnxruntime}"
    return None


def wanted_runtime(runtime: RuntimeLimits) -> str:
    """What pip is to install on the device: ``onnxruntime>=1.22,!=1.21.0``."""
    denied = "".join(f",!={version}" for version in runtime.deny)
    return f"onnxruntime{runtime.onnxruntime}{denied}"


def check_consistent(profile: DeviceProfile) -> None:
    """See that the oldest runtime a profile allows loads the newest file it allows.

    Raises:
        ProfileError: it doesn't, or the profile allows no version, or one so old that
            nothing is known about it.
    """
    runtime, where = profile.runtime, profile.path
    ours = f"{where}: runtime.onnxruntime is {runtime.onnxruntime}"
    allowed = [
        version
        for version in sorted({*_BEFORE_THE_TABLE, *_candidates(runtime)})
        if version_allowed(str(version), runtime) is None
    ]
    if not allowed:
        raise ProfileError(f"{ours}, which leaves no version that is not denied")
    ceiling = limits_of(str(allowed[0]))
    if ceiling is None:
        raise ProfileError(
            f"{ours}, which allows versions older than {OLDEST}",
            f'runtime.onnxruntime = ">={OLDEST}"',
        )
    for key, highest in (("max_opset", ceiling.opset), ("max_ir", ceiling.ir)):
        value = getattr(runtime, key)
        if value > highest:
            raise ProfileError(
                f"{where}: runtime.{key} is {value}, but onnxruntime {allowed[0]},"
                f" which {runtime.onnxruntime} allows, loads no more than {highest}",
                f"runtime.{key} = {highest}, or a newer runtime.onnxruntime",
            )


def check_makeable(limits: RuntimeLimits, where: str) -> None:
    """See that a device takes the files that are written of our networks.

    Args:
        limits: the device's.
        where: the profile's path.

    Raises:
        ProfileError: it doesn't.
    """
    for key, least in (("max_opset", LEAST_OPSET), ("max_ir", LEAST_IR)):
        if (value := getattr(limits, key)) < least:
            raise ProfileError(
                f"{where}: runtime.{key} is {value}, the networks need {least}",
                f"runtime.{key} = {least}",
            )


def load_consistent_profile(name_or_path: str, *, fitted: bool = True) -> DeviceProfile:
    """Read a profile as ``load_profile`` does, and see that it is consistent.

    Args:
        name_or_path: as there.
        fitted: as there.

    Raises:
        ProfileError: there is no such profile, or it can't be used.
    """
    profile = load_profile(name_or_path, fitted=fitted)
    check_consistent(profile)
    return profile


def load_profile_or_level(name_or_path: str, *, fitted: bool = True) -> ProfileOrLevel:
    """What stands after ``--profile`` where a constraint level will do as well.

    Args:
        name_or_path: as ``load_profile`` takes it, or a level.
        fitted: as there.

    Raises:
        ProfileError: there is no such profile, or it can't be used.
    """
    if name_or_path in LEVELS:
        return Level(name_or_path)
    return load_consistent_profile(name_or_path, fitted=fitted)


def _denied(version: Version, runtime: RuntimeLimits) -> bool:
    # A deny-listed 1.21.0 means its builds too, such as 1.21.0+cu126.
    return Version(version.public) in map(Version, runtime.deny)


def _candidates(runtime: RuntimeLimits) -> Iterator[Version]:
    """Versions among which the oldest of a range is found.

    A range begins at a version it names or just after one (``>1.10.0``, a deny), else
    at a row of the table.
    """
    named = re.findall(r"\d+(?:\.\d+)*", runtime.onnxruntime)
    for version in (*map(Version, (*named, *runtime.deny)), *(row[0] for row in TABLE)):
        yield version
        yield Version(f"{version.major}.{version.minor}.{version.micro + 1}")
