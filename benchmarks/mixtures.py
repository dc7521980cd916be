"""Mixtures of a real search, late in it, for timing what a sparse search costs.

    python benchmarks/mixtures.py exports/RUN   # writes results/history-<dataset>.json

The run must be one of those in ``results/run-<dataset>.json``, which says where it was
made. A mixture is kept as it was recorded; the parameters that give it are
reconstructed, since a run's history doesn't hold them.
"""

import argparse
import hashlib
import json
import math
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import checkout
import torch
from torch import Tensor

SHARES = (0.6, 0.8, 1.0)
"""Fractions of the epochs at which mixtures are kept."""
DEAD = 1.0
"""How far dead candidates lie below the support, in temperatures.

In the final parameters of the committed BreastMNIST run the median is 0.98 (quartiles
0.69 and 1.31); a direction moves an entry by about 0.06.
"""


@dataclass(frozen=True)
class Late:
    """A mixture of a real search.

    Args:
        share: of the epochs that were done.
        temperature: divisor of alpha then.
        mixture: probabilities of operations, kernels and depths, as recorded.
    """

    share: float
    temperature: float
    mixture: dict[str, Any]

    def alpha(self) -> Tensor:
        """Parameters whose mixture at ``temperature`` is the recorded one, float64.

        ``temperature * p`` for live candidates, since sparsemax is a projection; dead
        ones lie below by a margin, so that a small move doesn't revive them all.
        """
        parts = [
            torch.tensor(self.mixture[key], dtype=torch.float64).reshape(-1)
            for key in ("op", "kernel", "depth")
        ]
        p = torch.cat(parts)
        return self.temperature * (p - DEAD * (p == 0))


def late_mixtures(dataset: str = "breastmnist") -> tuple[list[Late], dict[str, Any]]:
    """The kept mixtures, and where they come from."""
    path = checkout.RESULTS / f"history-{dataset}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    return [Late(**entry) for entry in content["mixtures"]], content["source"]


def collect(run: Path) -> Path:
    """Write the results file of a finished run.

    Raises:
        SystemExit: the run is not among the committed results.
    """
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    dataset = record["dataset"]["name"]
    committed = checkout.RESULTS / f"run-{dataset}.json"
    results = json.loads(committed.read_text(encoding="utf-8"))
    rows = [row for row in results["rows"] if row["run"] == run.name]
    if not rows or results["dataset"]["sha256"] != record["dataset"]["sha256"]:
        sys.exit(f"{run}: not one of the runs in {committed.name}")
    (row,) = rows
    history = (run / "history.jsonl").read_bytes()
    epochs = [json.loads(line) for line in history.splitlines()]
    places = [math.ceil(share * len(epochs) - 1e-9) - 1 for share in SHARES]
    content = {
        "schema": 1,
        "source": {
            "results": committed.name,
            "history_sha256": hashlib.sha256(history).hexdigest(),
            "dataset_sha256": record["dataset"]["sha256"],
            "epochs": len(epochs),
            "recorded_epochs": [epochs[place]["epoch"] for place in places],
            **{
                key: row[key]
                for key in ("run", "profile", "seed", "method", "environment")
            },
            **{key: results[key] for key in ("machine", "date", "commit")},
        },
        "mixtures": [
            {
                "share": share,
                "temperature": epochs[place]["temperature"],
                "mixture": epochs[place]["mixture"],
            }
            for share, place in zip(SHARES, places, strict=True)
        ],
    }
    path = checkout.RESULTS / f"history-{dataset}.json"
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def main() -> None:
    """Collect from the run that is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path)
    print(collect(parser.parse_args().run))


if __name__ == "__main__":
    main()
