"""Profiles from files, and the one line a person needs when a file is wrong.

Of all that is wrong the first in the order of the file is told, with its key, its
value and the nearest known word; a second run tells the next. pydantic's own report
names types and links, which help the author of a program, not of a profile.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from zonas_edge.errors import ProfileError, did_you_mean
from zonas_edge.profile.values import Acceptance, DeviceProfile, Gates, Sections

LARGEST_FILE = 2**20
"""Bytes of a profile; what is larger is another file taken for one."""

_LIST = "zonas-edge profiles list"
_SHOWN = 60
"""Characters of a refused value that the message shows."""

_ENDINGS = {
    "int_type": "not a whole number",
    "float_type": "not a number",
    "string_type": "not a text",
    "string_too_short": "empty",
    "string_too_long": "longer than {max_length} characters",
    "string_pattern_mismatch": "not of the form {pattern}",
    "tuple_type": "not a list",
    "dict_type": "not a table",
    "model_type": "not a section",
    "finite_number": "not a finite number",
    "greater_than": "not above {gt:g}",
    "greater_than_equal": "below {ge:g}",
    "less_than_equal": "above {le:g}",
    "value_error": "{error}",
}
"""The end of ``<key> is <value>, ...`` for each of pydantic's kinds of error."""

_Model = TypeVar("_Model", bound=BaseModel)


def shipped_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package, sorted."""
    found = (Path(file.name) for file in _shipped_folder().iterdir())
    return tuple(sorted(file.stem for file in found if file.suffix == ".toml"))


def load_profile(name_or_path: str) -> DeviceProfile:
    """Read a shipped profile by name, or a file by path.

    Args:
        name_or_path: a path if it has a slash or ends in .toml, else a shipped name.

    Raises:
        ProfileError: there is no such profile, or it can't be used.
    """
    if "/" in name_or_path or name_or_path.endswith(".toml"):
        name, where = Path(name_or_path).stem, name_or_path
        data = _read_toml(Path(name_or_path), where)
    else:
        known = shipped_profiles()
        if name_or_path not in known:
            raise ProfileError(
                f"profile {name_or_path}: not one of the {len(known)} shipped",
                did_you_mean(name_or_path.lower(), known) or _LIST,
            )
        name, where = name_or_path, f"profiles/{name_or_path}.toml"
        data = _read_toml(_shipped_folder() / f"{name}.toml", where)
    # Name and path are no keys of the file, so the sections are checked without them.
    sections = _checked(Sections, data, where)
    return DeviceProfile(name=name, path=where, **dict(sections))


def profile_from_dict(data: Mapping[str, Any], where: str) -> DeviceProfile:
    """Make a profile from what :meth:`DeviceProfile.to_dict` gave.

    Args:
        data: the values, such as those in run.json.
        where: the file they stand in, for the message.

    Raises:
        ProfileError: a value can't be used.
    """
    return _checked(DeviceProfile, data, where)


def load_gates(path: str) -> Acceptance:
    """Read acceptance criteria from a TOML file.

    Args:
        path: a file whose keys stand at the top or under ``[acceptance]``.

    Raises:
        ProfileError: the file can't be read, is wrong, or holds no criterion.
    """
    data = _read_toml(Path(path), path)
    if "acceptance" in data:
        gates = _checked(Gates, data, path).acceptance
    else:
        gates = _checked(Acceptance, data, path)
    if gates == Acceptance():
        raise ProfileError(f"{path}: no criterion in it", "add min_accuracy = 0.85")
    return gates


def _shipped_folder() -> Traversable:
    """The folder of profiles: inside an installed package, beside it in a checkout."""
    inside = files("zonas_edge") / "profiles"
    return inside if inside.is_dir() else Path(__file__).parents[2] / "profiles"


def _read_toml(file: Traversable, where: str) -> dict[str, Any]:
    """Parse a file, or say in one line why it can't be."""
    try:
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise ProfileError(f"{where}: no such file", _nearest_to_file(where)) from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ProfileError(f"{where}: {reason}") from None
    if len(content) > LARGEST_FILE:
        raise ProfileError(f"{where}: larger than 1 MiB, not a profile")
    try:
        return tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise ProfileError(f"{where}: not UTF-8 at byte {error.start}") from None
    except RecursionError:
        raise ProfileError(f"{where}: broken TOML: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or an integer of 5,000 digits
        raise ProfileError(f"{where}: {_toml_reason(str(error))}") from None


def _nearest_to_file(where: str) -> str:
    return did_you_mean(Path(where).stem.lower(), shipped_profiles()) or _LIST


def _toml_reason(message: str) -> str:
    """Tomllib's ``Reason (at line 3, column 5)`` with the place in front."""
    found = re.fullmatch(r"(.*) \(at (.*)\)", message, re.DOTALL)
    reason, place = found.groups() if found else (message, "")
    reason = reason[:1].lower() + reason[1:]
    return f"broken TOML at {place}: {reason}" if place else f"broken TOML: {reason}"


def _checked(model: type[_Model], data: Mapping[str, Any], where: str) -> _Model:
    """Make a value of the file's data, or tell the first thing wrong in file order."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    first = min(problems, key=lambda problem: _position(data, problem["loc"]))
    text, hint = _sentence(model, first)
    if more := len(problems) - 1:
        count = f"{more} more problem{'s' if more > 1 else ''} after this one"
        hint = f"{hint} ({count})" if hint else count
    raise ProfileError(f"{where}: {text}", hint)


def _position(data: Any, loc: tuple[int | str, ...]) -> tuple[int, ...]:
    """Where a key stands in the file; one that is missing stands after its siblings."""
    place: list[int] = []
    for step in loc:
        if isinstance(step, int):
            place.append(step)
            data = data[step]
        else:
            keys = list(data)
            place.append(keys.index(step) if step in keys else len(keys))
            data = data.get(step)
    return tuple(place)


def _sentence(model: type[BaseModel], problem: ErrorDetails) -> tuple[str, str | None]:
    """What is wrong, and a hint or None."""
    loc, kind = problem["loc"], problem["type"]
    key = _key(loc)
    section = len(loc) == 1 and issubclass(model, Sections | Gates)
    if kind == "missing":
        return (f"missing section [{key}]" if section else f"missing key {key}"), None
    if kind == "extra_forbidden":
        section = section and isinstance(problem["input"], dict)
        text = f"unknown section [{key}]" if section else f"unknown key {key}"
        return text, _nearest_key(model, loc)
    ending = _ENDINGS.get(kind, problem["msg"].lower())
    ending = ending.format(**problem.get("ctx", {}))
    return f"{key} is {_shown(problem['input'])}, {ending}", None


def _key(loc: tuple[int | str, ...]) -> str:
    """``runtime.deny[0]``, as a person would point at it."""
    return "".join(
        f"[{step}]"
        if isinstance(step, int)
        else f".{step if step.isprintable() else json.dumps(step)}"
        for step in loc
    ).removeprefix(".")


def _nearest_key(model: type[BaseModel], loc: tuple[int | str, ...]) -> str | None:
    """The nearest key of the same section, else the same key of another section."""
    keys = list(_keys(model))
    *above, word = map(str, loc)
    prefix = "".join(f"{step}." for step in above)
    depth = len(loc)
    siblings = [
        key.removeprefix(prefix)
        for key in keys
        if key.startswith(prefix) and key.count(".") == depth - 1
    ]
    elsewhere = [key for key in keys if key.rpartition(".")[2] == word]
    if not (near := did_you_mean(word, siblings, prefix)) and elsewhere:
        return f"did you mean {elsewhere[0]}?"
    return near


def _keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Every key a file may have: ``budget``, ``budget.parameters``, ..."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _keys(kind, f"{prefix}{name}.")


def _shown(value: object) -> str:
    """A value as the file writes it, cut to what fits a line."""
    if isinstance(value, int) and not isinstance(value, bool):
        # str() refuses integers of thousands of digits, which hex notation can write.
        return f"{value:,}" if value.bit_length() < 4 * _SHOWN else f"{value:#x}"[:40]
    try:
        text = json.dumps(value, ensure_ascii=False, default=str)
    except ValueError:  # such an integer inside a list
        text = "a value"
    text = {"Infinity": "inf", "-Infinity": "-inf", "NaN": "nan"}.get(text, text)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 3] + "..."
