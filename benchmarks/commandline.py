"""How the benchmarks are called, and how they end: one object, or a text and a file.

With ``--json`` a benchmark writes nothing into the checkout but prints one object.
Otherwise it prints a text, and keeps its figures in ``results/`` unless they are a
quick look.
"""

import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import checkout
import torch

from zonas_edge.pipeline.host import prepare

Result = dict[str, Any]


def parser(doc: str | None, *, device: bool = True) -> argparse.ArgumentParser:
    """A command line with what all benchmarks share.

    Args:
        doc: the script's docstring, which is its help.
        device: whether it computes with torch, on a device and with threads of choice.
    """
    made = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", action="store_true", help="one object on stdout")
    if device:
        made.add_argument("--quick", action="store_true", help="a look; keeps nothing")
        made.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
        made.add_argument("--threads", type=at_least(1), help="else torch's choice")
    return made


def at_least(smallest: int) -> Callable[[str], int]:
    """Type of an option that is a whole number from ``smallest``."""

    def number(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"is {value}, below {smallest}")
        return value

    return number


def ready(made: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the command line, and set device and threads as it says."""
    arguments = made.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        made.error("--device cuda: no CUDA device that torch can use")
    prepare(arguments.device, arguments.threads)
    return arguments


def tell(line: str) -> None:
    """Progress, on stderr."""
    print(line, file=sys.stderr, flush=True)


def show(arguments: argparse.Namespace, result: Result, text: str) -> None:
    """Print the result as it was asked for."""
    print(json.dumps(result) if arguments.json else text)


def results_file(benchmark: str, device: str) -> Path:
    """Where the figures of a benchmark are kept."""
    return checkout.RESULTS / f"{benchmark}-{device}.json"


def finish(arguments: argparse.Namespace, result: Result, text: str) -> None:
    """Print the result; keep it, unless it is quick or asked for as JSON."""
    show(arguments, result, text)
    if not (arguments.json or arguments.quick):
        path = results_file(result["benchmark"], arguments.device)
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(path)
