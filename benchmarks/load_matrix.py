"""Do exported files load on the runtimes that boards have, and decide alike there?

    python benchmarks/load_matrix.py --json [RUN ...] > FILE

A RUN is the folder of a run that was exported; every ONNX file in it is tried, float or
INT8. Each one is measured by the project's own ``runner.py`` under ONNX Runtime 1.10.0
with Python 3.6 (a stock Jetson Nano), 1.15, 1.19, 1.23 and the newest on this machine,
and under the newest for 64-bit Arm, emulated: on all test images, whose opening counts
in the run's record. Decisions are compared with those of the same file under the newest
runtime here, and with those of the float file there. Without a RUN a small network for
the embedded digits is made, which takes two minutes. Latency is none of its business.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import checkout
import numpy as np
import numpy.typing as npt
from load_tables import load_matrix
from provenance import made_here

from tests.device.environments import DEVICES, NEWEST, MissingError
from zonas_edge import __version__, metrics
from zonas_edge.deploy.check import facts_of, read_model
from zonas_edge.deploy.parity import compare
from zonas_edge.device.job import Job, Repeats
from zonas_edge.device.local import LocalTarget
from zonas_edge.errors import IncompatibleError
from zonas_edge.pipeline.deliver import open_test
from zonas_edge.pipeline.session import old_session

ONCE = Repeats(runs=1, seconds=0.0, least=1, warmup=0)
PACKAGES = ("torch", "numpy", "onnx", "onnxruntime")
FLOAT, INT8 = "fp32", "int8"

_Probabilities = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Case:
    """A file with its test images.

    Args:
        model: the file.
        about: what there is to say of it.
        images: .npy of the test images.
        labels: their true classes.
        golden: golden vectors of the float network.
    """

    model: Path
    about: dict[str, Any]
    images: Path
    labels: npt.NDArray[np.int64]
    golden: Path

    def measured(self, target: LocalTarget) -> tuple[_Probabilities, dict[str, Any]]:
        """Probabilities of all test images, and what the device says of itself."""
        golden = self.golden if self.about["kind"] == FLOAT else None
        job = Job(self.model, self.images, golden, repeats=ONCE)
        (found,) = target.measure([job])
        machine, parity = found.answer.machine, found.answer.parity
        return found.probabilities, {
            "onnxruntime": machine.onnxruntime,
            "python": machine.python,
            "numpy": machine.numpy,
            "machine": machine.machine,
            "emulator": machine.emulator,
            "golden_passed": None if parity is None else parity.passed,
        }


def cases_of(run: Path, folder: Path) -> list[Case]:
    """The files of a run, the float one first; its test images go to ``folder``."""
    with old_session(
        run.parent, run.name, data_dir=None, offline=True, bars=False
    ) as session:
        test, _ = open_test(session.run, session.dataset)
    images = folder / f"{run.name}.npy"
    np.save(images, test.images)
    files = [(about_file(file), file) for file in sorted(run.glob("*.onnx"))]
    named = {"run": run.name, "dataset": session.dataset.name}
    return [
        Case(file, named | about, images, test.labels, session.run.golden)
        for about, file in sorted(files, key=lambda pair: pair[0]["kind"])
    ]


def about_file(file: Path) -> dict[str, Any]:
    """A file's kind, and by what it can be told from others."""
    model, data = read_model(file), file.read_bytes()
    facts = facts_of(model)
    quantized = any("QuantizeLinear" in name for name in facts.operators)
    return {
        "file": file.name,
        "kind": INT8 if quantized else FLOAT,
        "bytes": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "opset": facts.opset,
        "ir": facts.ir,
        "producer": f"{model.producer_name} {model.producer_version}".strip(),
    }


def rows_of(
    device: str, target: LocalTarget, cases: Sequence[Case], known: dict[str, Any]
) -> Iterator[dict[str, Any]]:
    """A row a file on one device.

    Args:
        device: its name.
        target: its interpreter.
        cases: the files.
        known: probabilities under the newest runtime here, by the file's hash, and of
            the float file by the name of the run.
    """
    for case in cases:
        about = case.about
        tell(f"{device}: {about['run']}/{about['file']}")
        row = {"device": device} | {key: about[key] for key in ("run", "file", "kind")}
        try:
            found, machine = case.measured(target)
        except IncompatibleError as error:
            yield row | {"loads": False, "reason": str(error)}
            continue
        same = compare(known[about["sha256"]], found)
        yield row | {
            "loads": True,
            **machine,
            "images": same.images,
            "max_abs_dp": same.max_difference,
            "changed": same.changed,
            "near_ties": same.near_ties,
            "changed_from_float": compare(known[about["run"]], found).changed,
            "accuracy": metrics.accuracy(case.labels, found),
        }


def matrix(cases: Sequence[Case]) -> dict[str, Any]:
    """Every file on every device, and the devices that can't be had here."""
    here, known = LocalTarget(DEVICES[NEWEST]()), {}
    for case in cases:
        found, _ = case.measured(here)
        known[case.about["sha256"]] = found
        if case.about["kind"] == FLOAT:
            known.setdefault(case.about["run"], found)
    rows, missing = [], {}
    for device, words in DEVICES.items():
        try:
            target = LocalTarget(words())
        except MissingError as reason:
            missing[device] = str(reason)
            continue
        rows += rows_of(device, target, cases, known)
    return {"rows": rows, "not_measured": missing}


@contextmanager
def a_digits_run() -> Iterator[Path]:
    """A small network for the embedded sample, in a temporary folder."""
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "zonas_edge", "run", "--name", "digits"]
        command += ["--profile", "benchmarks/demo.toml", "--dataset", "digits"]
        command += ["--epochs", "1", "--retrain-epochs", "4", "--out", name]
        done = subprocess.run(
            command, cwd=checkout.ROOT, stdout=sys.stderr, check=False
        )
        if done.returncode not in {0, 3}:  # 3: this machine is slower than its budget
            sys.exit(f"zonas-edge run: exit {done.returncode}")
        yield Path(name) / "digits"


def measure(runs: Sequence[Path]) -> dict[str, Any]:
    """The whole result of some runs."""
    with tempfile.TemporaryDirectory() as folder:
        cases = [case for run in runs for case in cases_of(run, Path(folder))]
        found = matrix(cases)
    packages = {name: version(name) for name in PACKAGES}
    return {
        "schema": 1,
        "reference": f"onnxruntime {NEWEST} on this machine",
        "files": [case.about | {"test_images": len(case.labels)} for case in cases],
        **found,
        "environment": {
            "python": sys.version.split()[0],
            "zonas-edge": __version__,
            "packages": packages,
            **made_here(),
        },
    }


def tell(line: str) -> None:
    """Progress."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", metavar="RUN", type=Path, nargs="*")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args()
    if options.runs:
        result = measure(options.runs)
    else:
        with a_digits_run() as run:
            result = measure([run])
    print(json.dumps(result, indent=1) if options.json else load_matrix(result))


if __name__ == "__main__":
    main()
