"""What went wrong, as one line, a hint, and an exit code.

Typer's own complaints are worded again, so that every error has the same form: typer
0.29 carries its copy of click, whose classes have no public name, hence the attributes.
"""

import errno
import shlex
import signal

import typer
from pydantic import ValidationError  # typer has loaded it by then

from zonas_edge.errors import UsageError, ZonasError, reason_of
from zonas_edge.report.words import plain

INTERRUPTED = 130
_ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)
"""Signals that end a program at once, unless it asks to tidy up before."""


class Terminated(BaseException):
    """One of these signals has come; what is left in folders is tidied up behind it.

    Args:
        number: of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.exit_code = 128 + number


def tidy_when_ended() -> None:
    """Have such a signal end the work as an exception; one that is ignored stays so."""

    def end(number: int, _: object) -> None:
        for other in _ENDING:
            signal.signal(other, signal.SIG_IGN)
        raise Terminated(number)

    for number in _ENDING:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


_RESUMABLE = {"search", "baseline", "retrain", "run", "compare"}
_ENDINGS = {
    "greater_than_equal": "below {ge}",
    "less_than_equal": "above {le}",
    "int_parsing": "not a whole number",
    "int_parsing_size": "not a number of that size",
}
_FULL = {errno.ENOSPC, errno.EDQUOT}


def failed(error: Exception) -> int | None:
    """Tell an error on stderr.

    Returns:
        The exit code; None for what nobody foresaw, of which nothing is told.
    """
    if isinstance(error, ZonasError):
        return _tell(str(error), error.hint, error.exit_code)
    if isinstance(error, typer.Abort):
        return INTERRUPTED
    if isinstance(error, typer.TyperException):
        return _usage(error)
    if isinstance(error, OSError):
        return _system(error)
    if _out_of_memory(error):
        return _tell("out of memory", "close other programs, or use smaller data", 1)
    return None


def interrupted(words: list[str]) -> None:
    """Say how to go on after Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second one finds nothing to stop
    if not (words and words[0] in _RESUMABLE):
        typer.echo("interrupted", err=True)
        return
    again = words if "--resume" in words else [*words, "--resume"]
    command = shlex.join(["zonas-edge", *again])
    typer.echo(f"interrupted; go on with: {plain(command)}", err=True)


def _tell(message: str, hint: str | None, code: int) -> int:
    typer.echo(f"error: {plain(message)}", err=True)
    if hint:
        typer.echo(f"hint: {plain(hint)}", err=True)
    return code


def _usage(error: typer.TyperException) -> int:
    """Word a complaint of typer's as one of ours."""
    context = getattr(error, "ctx", None)
    where = context.command_path if context is not None else "zonas-edge"
    hint = f"{where} --help"
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(message, err=True)
        return UsageError.exit_code
    if hasattr(error, "possibilities"):
        if error.possibilities:
            hint = f"did you mean {error.possibilities[0]}?"
        message = f"{where}: no such option {getattr(error, 'option_name', '')}"
    elif isinstance(error, typer.BadParameter) and error.message:
        names = getattr(error.param, "opts", None) or [getattr(error.param, "name", "")]
        message = f"{names[0]}: {_refused(error)}"
    else:
        message, _, near = message.partition(" Did you mean ")
        if near:
            hint = f"did you mean {near.split(',')[0].strip(chr(39) + '?')}?"
        message = f"{where}: {_sentence(message)}"
    return _tell(message, hint, UsageError.exit_code)


def _refused(error: typer.BadParameter) -> str:
    """What is wrong with a value, which typer leaves to pydantic to say."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return _sentence(error.message)
    problem = cause.errors(include_url=False)[0]
    ending = _ENDINGS.get(problem["type"])
    if ending is None:
        return _sentence(error.message.removeprefix("Value error, "))
    return f"is {problem['input']}, {ending.format(**problem.get('ctx', {}))}"


def _sentence(message: str) -> str:
    """Typer's words in our form: lower case, no quotes around names, no full stop."""
    text = message.strip().rstrip(".").replace("'", "")
    return text[:1].lower() + text[1:]


def _system(error: OSError) -> int:
    """Tell what the system refused where no step of ours has foreseen it."""
    where = f"{error.filename}: " if error.filename else ""
    message = f"{where}{reason_of(error)}"
    if error.errno in _FULL:
        hint = "free some space, or choose another folder with --out"
        return _tell(message, hint, UsageError.exit_code)
    return _tell(message, None, 1)


def _out_of_memory(error: Exception) -> bool:
    """Whether memory ran out, which torch tells by a RuntimeError of several kinds."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or (isinstance(error, RuntimeError) and "allocate memory" in str(error))
    )
