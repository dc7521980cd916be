"""How long the search takes: textbook and engine side by side, in one process.

    python benchmarks/search_speed.py                  # CPU; writes results/, hours
    python benchmarks/search_speed.py --device cuda
    python benchmarks/search_speed.py --quick --json   # the three ratios, two minutes

A sample is a window: ten steps of the pair and one of alpha, with the batches' loading
and augmentation. With ``--quick``, and on a CPU above batch 64, it is a tenth of one (a
pair step, and a tenth of the validation batch), times ten. ``ratio`` is the textbook's
median over the engine's, ``sparse`` in the mixture of a real search at 80 % of its
epochs. ``fraction_of_floor`` is the time that the arithmetic of all candidates with
probability would take at this machine's fastest measured matrix rate, over the
engine's. With ``--json`` nothing is written but one object on stdout.
"""

import argparse
import json
import sys
from typing import Any

import checkout
import torch
from cases import SPARSE, WINDOW, Case, Phase, phases
from full_search import breast_search, organs_search
from measuring import convolution_rate, facts, interleaved, matrix_rates
from mixtures import late_mixtures
from peak_memory import peaks

from zonas_edge.pipeline.host import prepare
from zonas_edge.space import STAGES, SearchSpace, TaskSpec

CLASSES = 2
BATCHES = (16, 64, 256)
RATIO_BATCH = 64


def measure(case: Case, steps: int, repeats: int, rate: float) -> dict[str, Any]:
    """One phase at one batch size.

    Args:
        case: textbook and engine.
        steps: pair steps in a sample.
        repeats: samples of each.
        rate: of this machine's matrix products [GFLOP/s].
    """
    case.warm_up()
    textbook, engine = interleaved(
        lambda: case.textbook_seconds(steps),
        lambda: case.engine_seconds(steps),
        repeats,
    )
    floor = case.floor_gflop() / rate
    return {
        "phase": case.phase.name,
        "progress": case.phase.progress,
        "temperature": case.phase.temperature,
        "batch": case.batch,
        "live_candidates": case.live_candidates,
        "pair_steps_per_sample": steps,
        "textbook_seconds_per_window": textbook.summary(),
        "engine_seconds_per_window": engine.summary(),
        "ratio": textbook.median / engine.median,
        "floor_gflop": case.floor_gflop(),
        "fraction_of_floor": floor / engine.median,
        "textbook_gflops": case.textbook_gflop() / textbook.median,
        "engine_gflops": case.floor_gflop() / engine.median,
    }


def of_phases(key: str, rows: list[dict[str, Any]], batch: int) -> dict[str, float]:
    """One figure of the three phases, at one batch size."""
    named = {("dense", 0.0): "dense", ("size", 0.4): "size", ("late", SPARSE): "sparse"}
    return {
        named[row["phase"], row["progress"]]: row[key]
        for row in rows
        if row["batch"] == batch and (row["phase"], row["progress"]) in named
    }


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
    long = arguments.device == "cpu" and batch > RATIO_BATCH
    return 1 if arguments.quick or long else WINDOW


def searches(arguments: argparse.Namespace) -> dict[str, Any]:
    """The full searches, or why there are none."""
    if not arguments.full_search:
        left_out: dict[str, Any] = {"seconds": None, "reason": "left out: --quick"}
        if not arguments.quick:
            left_out["reason"] = "left out: --no-full-search"
        return {"breastmnist": left_out, "organsmnist_shape": left_out}
    found = {"breastmnist": breast_search(arguments.device)}
    if arguments.device == "cuda":
        found["organsmnist_shape"] = organs_search(arguments.device)
    else:
        found["organsmnist_shape"] = {"seconds": None, "reason": "on CUDA only"}
    return found


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure everything that is asked for."""
    device, batches = arguments.device, arguments.batches
    space = SearchSpace(channels=arguments.channels)
    task = TaskSpec(1, arguments.side, arguments.side, CLASSES)
    prepare(device, arguments.threads)
    rates = matrix_rates(device)
    rows = []
    for batch in batches:
        for phase in phases(quick=arguments.quick):
            tell(phase, batch)
            case = Case(phase, space, task, batch, device)
            steps = steps_of(arguments, batch)
            rows.append(measure(case, steps, arguments.repeats, max(rates.values())))
    full = searches(arguments)
    chosen = RATIO_BATCH if RATIO_BATCH in batches else batches[-1]
    return {
        "schema": 1,
        "benchmark": "search_speed",
        "quick": arguments.quick,
        "shape": {"channels": arguments.channels, "side": arguments.side},
        "ratio": of_phases("ratio", rows, chosen),
        "ratio_batch": chosen,
        "fraction_of_floor": of_phases("fraction_of_floor", rows, chosen),
        "full_search_seconds": full["breastmnist"]["seconds"],
        "full_search": full,
        "rows": rows,
        "matrix_gflops": rates,
        "convolution_gflops": convolutions(task, space, chosen, device),
        "peak_memory_mib": None if arguments.quick else peaks(chosen, device),
        "mixtures": late_mixtures()[1],
        "environment": facts(device),
    }


def tell(phase: Phase, batch: int) -> None:
    """Say on stderr what is measured next."""
    words = f"batch {batch}, {phase.name}, {phase.progress:.0%} of a search"
    print(words, file=sys.stderr)


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    lines = []
    for row in result["rows"]:
        ours, plain = (
            row[f"{which}_seconds_per_window"] for which in ("engine", "textbook")
        )
        lines.append(
            f"batch {row['batch']:>3} {row['phase']:>5} at {row['progress']:>4.0%}:"
            f" textbook {plain['median']:.3f} s a window"
            f" ({plain['min']:.3f}-{plain['max']:.3f},"
            f" {row['textbook_gflops']:.0f} GFLOP/s),"
            f" engine {ours['median']:.3f} s ({ours['min']:.3f}-{ours['max']:.3f}),"
            f" ratio {row['ratio']:.2f}, {row['live_candidates']:.0%} of the"
            f" candidates live, {row['fraction_of_floor']:.0%} of the floor"
        )
    for name, rates in (
        ("matrix product", result["matrix_gflops"]),
        ("plain 7x7 convolution", result["convolution_gflops"]),
    ):
        figures = ", ".join(f"{key} {value:.0f}" for key, value in rates.items())
        lines.append(f"{name}, GFLOP/s: {figures}")
    for name, full in result["full_search"].items():
        seconds = full["seconds"]
        found = full["reason"] if seconds is None else f"{seconds:.1f} s"
        lines.append(f"full search, {name}: {found}")
    return "\n".join(lines)


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    parser.add_argument("--quick", action="store_true", help="the three ratios only")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--batches", type=int, nargs="+", help="default 16 64 256")
    parser.add_argument("--repeats", type=int, default=3, help="samples, default 3")
    parser.add_argument("--threads", type=int, help="else torch's choice")
    parser.add_argument("--channels", type=int, default=16, help="of the space")
    parser.add_argument("--side", type=int, default=28, help="of the images")
    parser.add_argument("--full-search", action=argparse.BooleanOptionalAction)
    arguments = parser.parse_args()
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.error("--device cuda: no CUDA device that torch can use")
    arguments.batches = arguments.batches or (
        [RATIO_BATCH] if arguments.quick else list(BATCHES)
    )
    if arguments.full_search is None:
        arguments.full_search = not arguments.quick
    return arguments


def main() -> None:
    """Measure, then print or write."""
    arguments = parse()
    result = run(arguments)
    if arguments.json:
        print(json.dumps(result))
        return
    print(text(result))
    if not arguments.quick:
        path = checkout.RESULTS / f"search_speed-{arguments.device}.json"
        path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
