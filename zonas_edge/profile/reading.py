"""Profiles, gates and fitted latency models from files.

What a file says of itself is checked whole before anything of it is used; see
:mod:`zonas_edge.profile.checking` for how it is told what is wrong.
"""

import json
import re
import shlex
import tomllib
from collections.abc import Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from zonas_edge.errors import ProfileError, did_you_mean, reason_of
from zonas_edge.profile.checking import checked
from zonas_edge.profile.fitted import FittedLatency
from zonas_edge.profile.levels import LEVELS
from zonas_edge.profile.values import (
    PROFILES,
    Acceptance,
    DeviceProfile,
    Gates,
    LatencySource,
    Sections,
    shipped_path,
)

LARGEST_FILE = 2**20
"""Bytes of a profile; what is larger is another file taken for one."""
LARGEST_MODEL = 16 * 2**20
"""Bytes of a fitted latency model, with thousands of observations in it."""

SCHEMA = 1
"""Of a fitted latency model's file."""


def shipped_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package, sorted."""
    found = (Path(file.name) for file in _shipped_folder().iterdir())
    return tuple(sorted(file.stem for file in found if file.suffix == ".toml"))


def load_profile(name_or_path: str, *, fitted: bool = True) -> DeviceProfile:
    """Read a shipped profile by name, or a file by path.

    Args:
        name_or_path: a path if it has a slash or ends in .toml, else a shipped name.
        fitted: read the latency model that it names too, if it names one.

    Raises:
        ProfileError: there is no such profile, or it can't be used.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        name, where = Path(name_or_path).stem, name_or_path
        if where == shipped_path(name):  # a folder of the user's own of that name
            where = f"./{where}"
        data = _read_toml(Path(name_or_path), where)
    else:
        known = shipped_profiles()
        if name_or_path in LEVELS:
            raise ProfileError(
                f"profile {name_or_path}: a constraint level, which has no device",
                PROFILES,
            )
        if name_or_path not in known:
            raise ProfileError(
                f"profile {name_or_path}: not one of the {len(known)} shipped",
                did_you_mean(name_or_path.lower(), (*known, *LEVELS)) or PROFILES,
            )
        name, where = name_or_path, shipped_path(name_or_path)
        data = _read_toml(_shipped_folder() / f"{name}.toml", where)
    # Name and path are no keys of the file, so the sections are checked without them.
    sections = checked(Sections, data, where)
    profile = DeviceProfile(name=name, path=where, **dict(sections))
    file = profile.model_file if fitted else None
    return profile if file is None else with_fitted(profile, file)


def profile_from_dict(data: Mapping[str, Any], where: str) -> DeviceProfile:
    """Make a profile from what :meth:`DeviceProfile.to_dict` gave.

    Args:
        data: the values, such as those in run.json.
        where: the file they stand in, for the message.

    Raises:
        ProfileError: a value can't be used.
    """
    return checked(DeviceProfile, data, where)


def with_fitted(profile: DeviceProfile, file: Path) -> DeviceProfile:
    """The profile with a latency model that ``zonas-edge calibrate`` has fitted.

    Args:
        profile: of the device.
        file: where the model is: the profile's own, or another.

    Raises:
        ProfileError: the model can't be read, or the profile has no device.
    """
    profile.board  # noqa: B018 - refused here, before the file is looked for
    where = str(file)
    words = ["zonas-edge", "calibrate", "--profile", profile.argument]
    own = file == profile.model_file
    again = shlex.join([*words, *([] if own else ["--model", where])])
    content = _read_bytes(file, where, again, largest=LARGEST_MODEL)
    try:
        data = json.loads(content)
    except (ValueError, RecursionError):
        raise ProfileError(f"{where}: not a JSON object", again) from None
    if not isinstance(data, dict) or "fitted" not in data:
        raise ProfileError(f"{where}: not a fitted latency model", again)
    if (schema := data.get("schema")) != SCHEMA:
        raise ProfileError(f"{where}: schema is {schema!r:.20}, not {SCHEMA}", again)
    fitted = checked(FittedLatency, data["fitted"], where)
    # absolute, since another one would be taken relative to the profile's folder
    source = profile.latency if own else LatencySource(model=str(file.absolute()))
    return profile.model_copy(update={"latency": source, "fitted": fitted})


def load_gates(path: str) -> Acceptance:
    """Read acceptance criteria from a TOML file.

    Args:
        path: a file whose keys stand at the top or under ``[acceptance]``.

    Raises:
        ProfileError: the file can't be read, is wrong, or holds no criterion.
    """
    data = _read_toml(Path(path), path)
    if "acceptance" in data:
        gates = checked(Gates, data, path).acceptance
    else:
        gates = checked(Acceptance, data, path)
    if gates == Acceptance():
        raise ProfileError(f"{path}: no criterion in it", "add min_accuracy = 0.85")
    return gates


def _shipped_folder() -> Traversable:
    """The folder of profiles: inside an installed package, beside it in a checkout."""
    inside = files("zonas_edge") / "profiles"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "profiles"


def _read_toml(file: Traversable, where: str) -> dict[str, Any]:
    """Parse a file, or say in one line why it can't be."""
    content = _read_bytes(file, where, _nearest_to_file(where))
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{where}: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ProfileError(f"{where}: broken TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of 5,000 digits
        raise ProfileError(f"{where}: {_toml_reason(str(error))}") from None


def _read_bytes(
    file: Traversable, where: str, hint: str, largest: int = LARGEST_FILE
) -> bytes:
    """The bytes of a file of a sane size; ``hint`` is for one that isn't there."""
    try:
        with file.open("rb") as stream:
            content: bytes = stream.read(largest + 1)
    except FileNotFoundError:
        raise ProfileError(f"{where}: no such file", hint) from None
    except OSError as error:
        raise ProfileError(f"{where}: {reason_of(error)}") from None
    if len(content) > largest:
        raise ProfileError(
            f"{where}: larger than {largest // 2**20} MiB, not a"
            f" {'profile' if largest == LARGEST_FILE else 'latency model'}"
        )
    return content


def _nearest_to_file(where: str) -> str:
    return did_you_mean(Path(where).stem.lower(), shipped_profiles()) or PROFILES


def _toml_reason(message: str) -> str:
    """Tomllib's ``Reason (at line 3, column 5)`` with the place in front."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    reason, place = found.groups() if found else (message, "")
    reason = reason[:1].lower() + reason[1:]
    return f"broken TOML at {place}: {reason}" if place else f"broken TOML: {reason}"
