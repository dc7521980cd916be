"""Does a latency budget that binds hold when the network is measured?

    python benchmarks/binding_latency.py --out FOLDER --data-dir DATA       # all of it
    python benchmarks/binding_latency.py --out FOLDER --data-dir DATA free  # a part

On this machine's CPU, for each seed: a search whose latency limit can't bind, and one
whose limit is half of the p95 measured of the first one's network. Both search with the
latency model that ``zonas-edge calibrate`` has fitted here, and both are retrained,
exported and measured by the command itself. Every part skips what is done already, so
that the long ones can run side by side and the measurements alone:

- ``calibrate``, ``free`` and ``bound``: the model and the runs
- ``measure``: validates whatever is trained; run it on a quiet machine
- ``result``: writes ``results/binding-latency.json``
"""

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import checkout
from provenance import made_here

PARTS = ("calibrate", "free", "measure", "bound", "measure", "result")
_FREE_MS = 1000.0
"""A limit that no network of the space comes near."""
_SHIPPED = checkout.ROOT / "profiles" / "x86-64.toml"


def command(arguments: argparse.Namespace, *words: str) -> None:
    """Run ``zonas-edge``; a verdict that fails is a result, anything else an error."""
    done = subprocess.run(
        [sys.executable, "-m", "zonas_edge", *words], cwd=arguments.out, check=False
    )
    if done.returncode not in (0, 3):
        sys.exit(f"zonas-edge {' '.join(words)}: exit {done.returncode}")


def model(arguments: argparse.Namespace) -> Path:
    """The latency model of this machine."""
    path: Path = arguments.out / "here.json"
    return path


def profile(arguments: argparse.Namespace, limit_ms: float, name: str) -> Path:
    """This computer with another latency limit."""
    text = _SHIPPED.read_text(encoding="utf-8")
    text, count = re.subn(
        r"^latency_p95_ms = \S+",
        f"latency_p95_ms = {limit_ms!r}",
        text,
        flags=re.MULTILINE,
    )
    if count != 1:
        sys.exit(f"{_SHIPPED}: has {count} latency limits")
    path: Path = arguments.out / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return path


def calibrate(arguments: argparse.Namespace) -> None:
    """Fit this machine's latency model, for gray 28x28 images of two classes."""
    if not model(arguments).is_file():
        name = str(profile(arguments, _FREE_MS, "free"))
        command(arguments, "calibrate", "--profile", name, "--model", "here.json")


def train(arguments: argparse.Namespace, kind: str, seed: int, limit: float) -> None:
    """Search, retrain and export one run, or go on with it."""
    name = f"{kind}-{seed}"
    folder = arguments.out / "exports" / name
    if not (folder / "model.onnx").is_file():
        words = [
            *("search", "--profile", str(profile(arguments, limit, name))),
            *("--latency-model", str(model(arguments)), "--dataset", "breastmnist"),
            *("--data-dir", str(arguments.data_dir), "--offline", "--name", name),
            *("--seed", str(seed), "--threads", "1"),
            *("--epochs", str(arguments.epochs)),
            *("--retrain-epochs", str(arguments.retrain_epochs)),
            *(["--resume"] if folder.exists() else []),
        ]
        command(arguments, *words)
        command(arguments, "export", name)


def report(arguments: argparse.Namespace, kind: str, seed: int) -> dict[str, Any]:
    """What was measured of a run."""
    path = arguments.out / "exports" / f"{kind}-{seed}" / "report.json"
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def free(arguments: argparse.Namespace) -> None:
    """The searches without a limit."""
    for seed in arguments.seeds:
        train(arguments, "free", seed, _FREE_MS)


def bound(arguments: argparse.Namespace) -> None:
    """The searches at half of what the free networks take."""
    for seed in arguments.seeds:
        p95 = report(arguments, "free", seed)["latency_ms"]["p95"]
        train(arguments, "bound", seed, round(p95 / 2, 3))


def measure(arguments: argparse.Namespace) -> None:
    """Validate what is exported and not yet measured."""
    for folder in sorted((arguments.out / "exports").iterdir()):
        if (folder / "model.onnx").is_file() and not (folder / "report.json").is_file():
            command(arguments, "validate", folder.name)


def result(arguments: argparse.Namespace) -> None:
    """Write the results file."""
    rows = []
    environment = report(arguments, "bound", arguments.seeds[0])["environment"]
    for seed in arguments.seeds:
        row: dict[str, Any] = {"seed": seed}
        for kind in ("free", "bound"):
            found = report(arguments, kind, seed)
            folder = arguments.out / "exports" / f"{kind}-{seed}"
            run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
            row[kind] = {
                **{name: found[name] for name in ("accuracy", "accuracy_ci95", "auc")},
                **{name: found[name] for name in ("parameters", "macs", "test_images")},
                "limit_ms": run["request"]["profile"]["budget"]["latency_p95_ms"],
                "latency_ms": found["latency_ms"],
                "predicted_ms": run["search"]["estimated_latency_ms"],
                "seconds": run["search"]["search_seconds"],
            }
        row["within"] = row["bound"]["latency_ms"]["p95"] <= row["bound"]["limit_ms"]
        rows.append(row)
    written = {
        "schema": 1,
        "dataset": "breastmnist",
        "epochs": arguments.epochs,
        "retrain_epochs": arguments.retrain_epochs,
        "note": arguments.note,
        "rows": rows,
        "environment": {
            "packages": environment["packages"],
            "cpu_model": environment["machine"]["cpu_model"],
            **made_here(),
        },
    }
    path = checkout.RESULTS / "binding-latency.json"
    path.write_text(json.dumps(written, indent=1) + "\n", encoding="utf-8")
    print(path)


DO = {
    "calibrate": calibrate,
    "free": free,
    "measure": measure,
    "bound": bound,
    "result": result,
}


def main() -> None:
    """Do the parts that are named, or all."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*DO, []], default=[])
    parser.add_argument("--out", type=Path, required=True, help="folder of all runs")
    parser.add_argument("--data-dir", type=Path, required=True, help="BreastMNIST")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--retrain-epochs", type=int, default=100)
    parser.add_argument("--note", default="", help="what else a reader must know")
    arguments = parser.parse_args()
    arguments.out = arguments.out.resolve()
    arguments.data_dir = arguments.data_dir.resolve()
    arguments.out.mkdir(parents=True, exist_ok=True)
    for part in arguments.parts or PARTS:
        DO[part](arguments)


if __name__ == "__main__":
    main()
