"""Data from a file as a value, or the one line a person needs when it is wrong.

Of all that is wrong the first in the order of the file is told, with its key, its
value and the nearest known word; a second run tells the next. pydantic's own report
names types and links, which help the author of a program, not of a profile.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from zonas_edge.errors import ProfileError, did_you_mean
from zonas_edge.figures import count
from zonas_edge.profile.values import Gates, Sections

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


def checked(model: type[_Model], data: Mapping[str, Any], where: str) -> _Model:
    """Make a value of the file's data, or tell the first thing wrong in file order.

    Args:
        model: the value's class.
        data: what the file says.
        where: the file, for the message.

    Raises:
        ProfileError: something in it can't be used.
    """
    try:
        return model.model_validate(data)
    except ValidationError as error:
        problems = error.errors(include_url=False)
    first = min(problems, key=lambda problem: _position(data, problem["loc"]))
    text, hint = _sentence(model, first)
    if more := len(problems) - 1:
        others = f"{count(more, 'more problem')} after this one"
        hint = f"{hint} ({others})" if hint else others
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
