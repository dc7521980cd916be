"""What the estimators see of the hypergradient: signal, noise and cost.

    python benchmarks/estimators.py --dataset pneumoniamnist --data-dir DATA
    python benchmarks/estimators.py --dataset digits --quick --json

In each phase a supernet is trained under the mixture that a search begins the phase
with, and then stands still. From there, for a few random directions of alpha and a few
draws of a window's batches, both ways along the direction are trained. The truth is a
large-sample finite difference: the change of the validation loss over many images,
after the training steps, along the direction, averaged over the other draws. Each
estimator's slope is held against it: ``correlation`` (not centred, a true mean is zero
over directions) and ``sign_agreement``. ``passes`` are forward and backward passes of a
batch in a window.

``alignment`` is what a step of alpha makes of that: the cosine between the step's
gradient and the true one, when the direct part is known in every entry and the implicit
one along a single direction, weighted with rho. Random directions tell it without the
whole gradient: products with them are, times the number of entries, inner products.

``along_direct`` holds slopes along one direction that is not random: that of the mean
direct gradient, in draws which that mean has not seen.
"""

import argparse
import math
import time
from pathlib import Path
from typing import Any

import commandline
import numpy as np
import torch
from cases import WINDOW, phases
from measuring import facts
from standpoint import PRECISION, Seen, Standpoint

from zonas_edge.data.load import load_dataset
from zonas_edge.search.method import METHODS, MethodName

PHASES = ("dense", "size")
RATES = {
    "default rate": METHODS[MethodName.ZO_DARTS_PP].schedule.rate,
    "published rate": METHODS[MethodName.ZO_DARTS_PP_PAPER].schedule.rate,
}


def passes(name: str) -> int:
    """Forward and backward passes of a window."""
    copies = {"direct alone": 1}.get(name, 3 if "two-sided" in name else 2)
    return copies * WINDOW + 1


def agreement(one: np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Of slopes with the true ones."""
    norm = np.sqrt(np.mean(one**2) * np.mean(truth**2))
    return {
        "correlation": float(np.mean(one * truth) / norm),
        "sign_agreement": float(np.mean(np.sign(one) == np.sign(truth))),
        "size": float(np.sqrt(np.mean(one**2))),
    }


def judged(seen: list[list[Seen]], entries: int) -> dict[str, Any]:
    """Every estimator against the truth of the other draws.

    Args:
        seen: ``[draw][direction]``.
        entries: of alpha.
    """
    truth = np.array([[one.truth for one in row] for row in seen])
    draws = len(truth)
    others = (truth.sum(0) - truth) / (draws - 1)
    direct = np.array([[one.direct for one in row] for row in seen])
    squared = np.array(
        [[float(one.direct_gradient.square().sum()) for one in row] for row in seen]
    )
    # the square of the true gradient's norm, by products of different draws
    size = entries * float(np.mean(truth * others))
    rows = [{"estimator": "direct alone"} | agreement(direct, others)]
    steps = []
    for name in seen[0][0].implicit:
        implicit = np.array([[one.implicit[name] for one in row] for row in seen])
        rows.append({"estimator": name} | agreement(direct + implicit, others))
        for rho in (0.0, 1.0, float(entries)):
            product = entries * direct * others + rho * implicit * others
            norm = squared + 2 * rho * implicit * direct + (rho * implicit) ** 2
            aligned = np.mean(product) / math.sqrt(max(size, 0) * np.mean(norm) or 1)
            steps.append({"estimator": name, "rho": rho, "alignment": float(aligned)})
    ceiling = {"estimator": "the truth of one draw"} | agreement(truth, others)
    return {
        "entries": entries,
        "truth_norm_squared": size,
        "slopes": [row | {"passes": passes(row["estimator"])} for row in rows],
        "one_draw": ceiling,
        "steps": steps,
    }


def along_direct(
    stand: Standpoint, seen: list[list[Seen]], draws: int
) -> dict[str, Any]:
    """The same along the mean direct gradient, where first-order DARTS would go.

    Args:
        stand: from where.
        seen: ``[draw][direction]``, whose direct gradients are averaged.
        draws: new ones, which that average has not seen.
    """
    gradient = torch.stack([row[0].direct_gradient for row in seen]).mean(0)
    direction = gradient / gradient.norm()
    fresh = [stand.seen(stand.draw(), [direction])[0] for _ in range(draws)]
    return {
        "truth": [one.truth for one in fresh],
        "direct alone": [one.direct for one in fresh],
        **{
            name: [one.direct + one.implicit[name] for one in fresh]
            for name in fresh[0].implicit
        },
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both phases at both rates."""
    made, found = facts(arguments.device), []
    dataset = load_dataset(arguments.dataset, data_dir=arguments.data_dir, offline=True)
    for phase in phases():
        for label, rate in RATES.items():
            if phase.label not in PHASES or label not in arguments.rates:
                continue
            begun = time.monotonic()
            stand = Standpoint(phase, rate, dataset, arguments)
            directions = [stand.direction() for _ in range(arguments.directions)]
            seen = []
            for number in range(arguments.draws):
                commandline.tell(f"{phase.name}, {label}: draw {number + 1}")
                seen.append(stand.seen(stand.draw(), directions))
            figures = judged(seen, stand.entries) | {
                "along_direct": along_direct(stand, seen, arguments.draws)
            }
            found.append(
                {
                    "phase": phase.name,
                    "rate": rate,
                    "radii": stand.radii(),
                    "seconds": round(time.monotonic() - begun, 1),
                }
                | figures
            )
    return {
        "schema": 1,
        "benchmark": f"estimators-{dataset.name}",
        "quick": arguments.quick,
        "dataset": dataset.name,
        "dtype": str(PRECISION).removeprefix("torch."),
        "channels": arguments.channels,
        "depth": arguments.depth,
        "batch": arguments.batch,
        "warmup_windows": arguments.warmup,
        "directions": arguments.directions,
        "draws": arguments.draws,
        "large_sample": arguments.large,
        "rows": found,
        "environment": made,
    }


def text(result: dict[str, Any]) -> str:
    """The figures for a reader."""
    lines = []
    for part in result["rows"]:
        lines.append(f"{part['phase']}, rate {part['rate']:g}:")
        lines += [
            f"  {row['estimator']:>24}: correlation {row['correlation']:+.2f}, sign"
            f" {row['sign_agreement']:.0%}, size {row['size']:.3g}"
            for row in [*part["slopes"], part["one_draw"]]
        ]
        lines += [
            f"  {row['estimator']:>24}, rho {row['rho']:g}: alignment"
            f" {row['alignment']:+.3f}"
            for row in part["steps"]
        ]
        lines += [
            f"  along the direct gradient, {name}: {np.mean(slopes):+.4f}"
            f" ({min(slopes):+.4f} to {max(slopes):+.4f})"
            for name, slopes in part["along_direct"].items()
        ]
    return "\n".join(lines)


def main() -> None:
    """Look, then print or write."""
    parser = commandline.parser(__doc__)
    count = commandline.at_least(1)
    parser.add_argument("--dataset", default="pneumoniamnist")
    parser.add_argument("--data-dir", type=Path, help="of MedMNIST's files")
    parser.add_argument("--directions", type=count, help="default 16; quick 3")
    parser.add_argument(
        "--draws", type=commandline.at_least(2), help="of batches; default 4; quick 2"
    )
    parser.add_argument("--warmup", type=count, help="windows; default 40; quick 2")
    parser.add_argument("--batch", type=commandline.at_least(2), default=16)
    parser.add_argument(
        "--large", type=count, help="images of the large sample; default 512; quick 64"
    )
    parser.add_argument("--channels", type=count, default=16, help="of the space")
    parser.add_argument("--depth", type=count, default=3, help="of the space")
    parser.add_argument("--rates", nargs="+", choices=tuple(RATES), default=list(RATES))
    arguments = commandline.ready(parser)
    quick = arguments.quick
    arguments.directions = arguments.directions or (3 if quick else 16)
    arguments.draws = arguments.draws or (2 if quick else 4)
    arguments.warmup = arguments.warmup or (2 if quick else 40)
    arguments.large = arguments.large or (64 if quick else 512)
    result = run(arguments)
    commandline.finish(arguments, result, text(result))


if __name__ == "__main__":
    main()
