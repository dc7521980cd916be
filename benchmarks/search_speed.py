"""How long the search takes: textbook and engine side by side, in one process.

    python benchmarks/search_speed.py                  # CPU; writes results/, an hour
    python benchmarks/search_speed.py --device cuda
    python benchmarks/search_speed.py --quick --json   # the three ratios alone

A sample is a window: ten steps of the pair and one of alpha, with the batches' loading
and augmentation. On a CPU above batch 16, and with ``--quick``, it is a part of one
(some pair steps, and as large a share of the validation batch), scaled to a whole one.
``ratio`` is the textbook's median over the engine's, ``sparse`` in the mixture of a
real search at 80 % of its epochs. With ``--quick`` the phases take turns, and the
textbook is timed in one phase for all in which it does the same work: it computes every
candidate, whatever its probability. ``fraction_of_floor`` is the time that the
arithmetic of all candidates with probability would take at this machine's fastest
measured matrix rate, over the engine's.

The whole can be made in pieces, at one commit of one machine, each of which joins the
file that is there (``--anew`` begins it). Minutes on two cores of a 2.5 GHz Xeon, the
upper figure when its neighbours are busy:

    --anew --batches 16 --phases dense size            3 to 5
    --batches 16 --phases late60 late80 late100        3 to 5
    --batches 64 --phases dense size                   1.5 to 3
    --batches 64 --phases late60 late80 late100        2 to 4
    --batches 256 --phases dense size                  3 to 5
    --batches 256 --phases late60 late80 late100       4 to 7
    --only memory                                      2 to 4
    --only searches                                    5 to 11
"""

import argparse
from typing import Any

import commandline
import pieces
from cases import WINDOW, Case, Phase, phases
from full_search import SEARCHES
from measuring import convolution_rate, facts, interleaved, matrix_rates
from mixtures import late_mixtures
from peak_memory import peaks
from search_figures import RATIO_BATCH, RATIOS, summarised, text

from zonas_edge.space import STAGES, SearchSpace, TaskSpec

CLASSES = 2
BATCHES = (16, 64, 256)
IMAGES = 160
"""Images that a sample on the CPU takes, at least one batch, at most a window."""


def measure(
    cases: list[Case], steps: int, repeats: int, rate: float
) -> list[dict[str, Any]]:
    """Phases at one batch size, by turns.

    The textbook is timed once for all phases with, and for all without, sizes: it then
    does the same work.

    Args:
        cases: textbook and engine in each phase.
        steps: pair steps in a sample.
        repeats: samples of each.
        rate: of this machine's matrix products [GFLOP/s].
    """
    plain = {case.phase.sizes: case for case in reversed(cases)}
    works = {
        f"{which} {case.phase.label}": seconds
        for case in cases
        for which, seconds in (
            ("textbook", case.textbook_seconds),
            ("engine", case.engine_seconds),
        )
        if which == "engine" or case is plain[case.phase.sizes]
    }
    samples = interleaved(
        [lambda seconds=seconds: seconds(steps) for seconds in works.values()], repeats
    )
    found = dict(zip(works, samples, strict=True))
    rows = []
    for case in cases:
        other = plain[case.phase.sizes].phase.label
        textbook = found[f"textbook {other}"]
        engine = found[f"engine {case.phase.label}"]
        rows.append(
            {
                "label": case.phase.label,
                "phase": case.phase.name,
                "progress": case.phase.progress,
                "temperature": case.phase.temperature,
                "batch": case.batch,
                "live_candidates": case.live_candidates,
                "pair_steps_per_sample": steps,
                "textbook_timed_in": other,
                "textbook_seconds_per_window": textbook.summary(),
                "engine_seconds_per_window": engine.summary(),
                "ratio": textbook.median / engine.median,
                "floor_gflop": case.floor_gflop(),
                "floor_gflops": rate,
                "fraction_of_floor": case.floor_gflop() / rate / engine.median,
                "textbook_gflops": case.textbook_gflop() / textbook.median,
                "engine_gflops": case.floor_gflop() / engine.median,
            }
        )
    return rows


def convolutions(task: TaskSpec, space: SearchSpace, batch: int, device: str) -> Any:
    """GFLOP/s of a plain 7x7 convolution in the shape of each stage."""
    rates = {}
    for s in range(STAGES):
        channels, side = space.stage_channels(s), task.resolution(s)[0]
        shape = f"{batch}x{channels}x{side}x{side}"
        rates[shape] = convolution_rate(batch, channels, side, device)
    return rates


def steps_of(arguments: argparse.Namespace, batch: int) -> int:
    """Pair steps in a sample."""
    if arguments.quick:
        return 1
    return (
        WINDOW if arguments.device == "cuda" else max(1, min(WINDOW, IMAGES // batch))
    )


def windows(arguments: argparse.Namespace) -> dict[str, Any]:
    """Textbook and engine in every phase at every batch size that is asked for."""
    device, quick = arguments.device, arguments.quick
    space = SearchSpace(channels=arguments.channels)
    task = TaskSpec(1, arguments.side, arguments.side, CLASSES)
    rates = matrix_rates(device, 2 if quick else 5)
    rows, plain = [], {}
    asked = [phase for phase in phases() if phase.label in arguments.phases]

    def case(phase: Phase, batch: int) -> Case:
        made = Case(phase, space, task, batch, device)
        if device == "cuda" or not quick:  # else the median leaves out the first sample
            made.warm_up()
        return made

    for batch in arguments.batches:
        # by turns if quick; else one at a time, which needs the memory of one
        for group in [asked] if quick else [[phase] for phase in asked]:
            labels = ", ".join(phase.label for phase in group)
            commandline.tell(f"batch {batch}: {labels}")
            cases = [case(phase, batch) for phase in group]
            steps, rate = steps_of(arguments, batch), max(rates.values())
            rows += measure(cases, steps, arguments.repeats, rate)
        plain |= convolutions(task, space, batch, device)
    return {"rows": rows, "matrix_gflops": rates, "convolution_gflops": plain}


def memory(arguments: argparse.Namespace) -> dict[str, Any]:
    """Peak memory in the size phase, by batch size."""
    found = {}
    for batch in arguments.batches:
        commandline.tell(f"batch {batch}: memory")
        found[str(batch)] = peaks(batch, arguments.device)
    return {"peak_memory_mib": found}


def searches(arguments: argparse.Namespace) -> dict[str, Any]:
    """The full searches that are possible here."""
    found = {}
    for name, search in SEARCHES.items():
        commandline.tell(f"full search: {name}")
        found[name] = search(arguments.device)
    return {"full_search": found}


PARTS = {"windows": windows, "memory": memory, "searches": searches}


def head(arguments: argparse.Namespace) -> dict[str, Any]:
    """What a result is of."""
    return {
        "schema": 1,
        "benchmark": "search_speed",
        "quick": arguments.quick,
        "shape": {"channels": arguments.channels, "side": arguments.side},
        "mixtures": late_mixtures()[1],
        "environment": facts(arguments.device),
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything that is asked for, and join it to the file if it is kept."""
    result = head(arguments)
    kept = not (arguments.json or arguments.quick or arguments.anew)
    path = commandline.results_file(result["benchmark"], arguments.device)
    before = pieces.begun(path, result) if kept else None
    result |= {"rows": [], "matrix_gflops": {}, "convolution_gflops": {}}
    result |= {"full_search": {}, "peak_memory_mib": {}}
    for part in arguments.only:
        result |= PARTS[part](arguments)
    return summarised(result if before is None else pieces.joined(before, result))


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = commandline.parser(__doc__)
    count, labels = commandline.at_least(1), [phase.label for phase in phases()]
    parser.add_argument("--batches", type=count, nargs="+", help="default 16 64 256")
    parser.add_argument("--phases", nargs="+", choices=labels, help="default all")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=tuple(PARTS),
        help="default all, or with --batches or --phases the windows",
    )
    parser.add_argument("--anew", action="store_true", help="forget the file's pieces")
    parser.add_argument("--repeats", type=count, default=3, help="samples, default 3")
    parser.add_argument("--channels", type=count, default=16, help="of the space")
    parser.add_argument("--side", type=count, default=28, help="of the images")
    arguments = commandline.ready(parser)
    quick = arguments.quick
    windows_alone = quick or arguments.batches or arguments.phases
    arguments.batches = arguments.batches or ([RATIO_BATCH] if quick else BATCHES)
    arguments.phases = arguments.phases or (tuple(RATIOS) if quick else labels)
    arguments.only = arguments.only or (("windows",) if windows_alone else tuple(PARTS))
    return arguments


def main() -> None:
    """Measure, then print or write."""
    arguments = parse()
    result = run(arguments)
    commandline.finish(arguments, result, text(result))


if __name__ == "__main__":
    main()
