"""What can go wrong for the user, one exit code each.

```
ZonasError             1
├── UsageError         2   a command, option, name or file that can't be used as given
│   └── ProfileError   2   a device profile that can't be read or makes no sense
├── BudgetError        3   a budget that is not met, or can't be reached
├── AcceptanceError    4   a parity or accuracy gate that is missed
├── IncompatibleError  5   a model that the device's runtime doesn't load
├── TargetError        6   a device that can't be reached or doesn't answer
└── DatasetError       7   a data set that is missing, damaged or can't be used
```

The command line adds 0 (done, within budget) and 129, 130 and 143 (interrupted). A
caller's own mistake inside the library is a plain `ValueError`.
"""

import difflib
from collections.abc import Iterable
from typing import ClassVar


class ZonasError(Exception):
    """Something the user can act on.

    Args:
        message: one line, ``where: what is wrong, with the value``, no full stop.
        hint: one line that can be typed or done, or None.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ZonasError):
    """A command, option, name or file that can't be used as given."""

    exit_code = 2


class ProfileError(UsageError):
    """A device profile that can't be read or makes no sense."""


class BudgetError(ZonasError):
    """A budget that is not met, or can't be reached."""

    exit_code = 3


class AcceptanceError(ZonasError):
    """A parity or accuracy gate that is missed."""

    exit_code = 4


class IncompatibleError(ZonasError):
    """A model that the device's runtime doesn't load."""

    exit_code = 5


class TargetError(ZonasError):
    """A device that can't be reached or doesn't answer."""

    exit_code = 6


class DatasetError(ZonasError):
    """A data set that is missing, damaged or can't be used."""

    exit_code = 7


def reason_of(error: OSError) -> str:
    """What the system refuses, in its words, as a line of ours goes on with it."""
    return (error.strerror or str(error) or type(error).__name__).lower()


def did_you_mean(word: str, known: Iterable[str], prefix: str = "") -> str | None:
    """A hint that names the known word nearest to ``word``, or None if none is near."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {prefix}{close[0]}?" if close else None
