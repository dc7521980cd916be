"""Other devices over ssh: the runtimes that boards have, and an emulated Arm board.

The same file must load there and decide as it does here, on every test image; in INT8
it must load, and agree with its golden vectors as far as those ask for.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.cli.conftest import Bench, furnish
from tests.device.environments import (
    DEVICES,
    NEWEST,
    PYTHONS,
    MissingError,
    Words,
)
from tests.device.sshd import Server
from tests.scripts import script
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.deploy.quantize import quantize_export
from zonas_edge.device.job import Job, Repeats
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.profile import load_profile

pytestmark = pytest.mark.slow

FEW = Repeats(runs=20, warmup=2)
NEAR_TIE = 1e-4


@dataclass(frozen=True)
class Delivered:
    """A network for the digits, exported, and all that it is tested with."""

    bench: Bench
    job: Job
    int8: Job
    here: Measurement


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Delivered:
    bench = furnish(tmp_path_factory.mktemp("digits"))
    words = ["run", "--profile", "./small.toml", "--dataset", "digits", "--quiet"]
    tiny = ["--epochs", "1", "--retrain-epochs", "4", "--threads", "1"]
    made = bench.run(*words, *tiny, "--name", "digits")
    assert made.returncode in {0, 3}, made.stderr
    images = bench.folder / "test.npy"
    dataset = load_dataset("digits", data_dir=None, offline=True)
    np.save(images, dataset.open_test().images)
    run = bench.folder / "exports" / "digits"
    job = Job(run / "model.onnx", images, run / "golden.npz", repeats=FEW)
    (here,) = LocalTarget().measure([job])
    return Delivered(bench, job, quantized(job, dataset, bench.folder), here)


def quantized(job: Job, dataset: Dataset, folder: Path) -> Job:
    """The same network in INT8 on a few images; an emulator is slow."""
    few = folder / "few.npy"
    np.save(few, dataset.val.images[:10])
    made = quantize_export(
        job.model.read_bytes(),
        train=dataset.train,
        val=dataset.val,
        profile=load_profile("x86-64"),
        seed=0,
    )
    (folder / "int8.onnx").write_bytes(made.model)
    (folder / "int8.npz").write_bytes(made.golden)
    return Job(folder / "int8.onnx", few, folder / "int8.npz", repeats=FEW)


def decides_as_here(there: Measurement, here: Measurement) -> None:
    """Every test image gets the same class, near-ties apart; parity is passed."""
    ours, theirs = here.probabilities, there.probabilities
    ranked = np.sort(ours, axis=1)
    clear = ranked[:, -1] - ranked[:, -2] > NEAR_TIE
    assert len(theirs) == 353
    assert np.abs(ours - theirs).max() <= 1e-4
    assert (ours.argmax(axis=1) == theirs.argmax(axis=1))[clear].all()
    assert clear.sum() >= 350
    assert there.answer.parity is not None
    assert there.answer.parity.passed


def had(device: str) -> Words:
    """The words of a device's interpreter; skips where it can't be had."""
    try:
        return DEVICES[device]()
    except MissingError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("device", DEVICES)
def test_a_device_behind_ssh_decides_as_this_machine(
    digits: Delivered, server: Server, device: str
) -> None:
    target = server.target(python=had(device))

    there, int8 = target.measure([digits.job, digits.int8])

    decides_as_here(there, digits.here)
    assert int8.answer.parity is not None
    assert int8.answer.parity.passed, int8.answer.parity
    machine = there.answer.machine
    version, _, emulated = device.partition("-")
    assert machine.onnxruntime == version
    if emulated:
        assert machine.machine == emulated
        assert (machine.emulator or "").startswith("qemu-")
    else:
        assert machine.emulator is None
        assert version == NEWEST or machine.python.startswith(PYTHONS[version])
    assert server.left() == []


def test_the_matrix_tells_which_file_loads_where(
    digits: Delivered, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two files the newer format is refused by the oldest runtime alone."""
    had("1.10.0")
    run = digits.job.model.parent
    newer = onnx.load(digits.job.model)
    newer.ir_version = 10
    (run / "newer.onnx").write_bytes(newer.SerializeToString())
    loading = script("load_matrix")
    devices = {device: DEVICES[device] for device in ("1.10.0", NEWEST)}

    def missing() -> Words:
        raise MissingError("no such board")

    monkeypatch.setattr(loading, "DEVICES", devices | {"9.9.9": missing})

    result = loading.measure([run])

    (run / "newer.onnx").unlink()
    assert result["not_measured"] == {"9.9.9": "no such board"}
    rows = [(row["device"], row["loads"]) for row in result["rows"]]
    old, new = "1.10.0", NEWEST
    assert rows == [(old, True), (old, False), (new, True), (new, True)]
    for row in result["rows"]:
        if row["loads"]:
            assert (row["images"], row["changed"]) == (353, 0)
            assert row["max_abs_dp"] <= 1e-4
            assert row["accuracy"] > 0.5
        else:
            assert "Unsupported model IR version: 10" in row["reason"]


def test_an_emulated_board_passes_everything_but_its_latency(
    digits: Delivered, server: Server
) -> None:
    """A profile that recognises any aarch64 must not take an emulator's times."""
    python = " ".join(had(f"{NEWEST}-aarch64"))
    text = (digits.bench.folder / "small.toml").read_text(encoding="utf-8")
    board = text.replace('machine = ["x86_64"]', 'machine = ["aarch64"]')
    (digits.bench.folder / "board.toml").write_text(board, encoding="utf-8")

    made = digits.bench.run(
        *("validate", "--profile", "./board.toml", "--target", "ssh://board"),
        *("--ssh-config", str(server.config), "--python", python, "--json"),
    )

    report = json.loads(made.stdout)
    (latency,) = (each for each in report["limits"] if "latency" in each["name"])
    assert report["latency_host"]["is_profile_device"] is False
    assert latency["passed"] is None
    assert "emulated by qemu-" in latency["note"]
    assert report["parity"]["passed"] is True
    assert report["test_images"] == 353
