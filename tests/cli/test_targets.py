"""A run is validated on a device behind ssh, and on one that only a person reaches."""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from tests.cli.conftest import Bench, a_profile
from tests.cli.test_help import told
from tests.device.sshd import Server, a_server
from tests.device.test_ssh import runners


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with a_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running


def over(server: Server, host: str = "board") -> list[str]:
    words = ["validate", "--target", f"ssh://{host}", "--python", sys.executable]
    return [*words, "--ssh-config", str(server.config)]


def accuracy(file: Path) -> Any:
    report = json.loads(file.read_text(encoding="utf-8"))
    return report["accuracy"], report["confusion"], report["auc"]


@pytest.mark.slow
def test_a_device_behind_ssh_is_measured_and_named(copy: Bench, server: Server) -> None:
    file = copy.folder / "exports" / "whole" / "report.json"
    here = accuracy(file)

    made = copy.run(*over(server))

    report = json.loads(file.read_text(encoding="utf-8"))
    assert made.returncode == {"pass": 0, "fail": 3}[report["verdict"]], made.stderr
    assert report["latency_host"]["target"] == "ssh://board"
    assert report["latency_host"]["is_profile_device"] is True
    assert report["test_openings"] == 2
    assert accuracy(file) == here
    assert "validate: latency: at most 1000 runs or 5 s\n" in made.stderr
    words = " ".join(made.stdout.split())
    assert " by ssh://board, taken for the profile's device" in words
    assert server.left() == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("gone", "connection refused"),
        ("stranger", "its host key is not known yet"),
        ("impostor", "its host key is not the known one"),
        ("locked", "authentication refused"),
    ],
)
def test_a_device_that_is_not_reached_is_exit_6(
    copy: Bench, server: Server, host: str, message: str
) -> None:
    file = copy.folder / "exports" / "whole" / "report.json"
    before = file.read_bytes()

    made = copy.run(*over(server, host), "--quiet")

    assert (made.returncode, made.stdout) == (6, "")
    assert made.stderr.startswith(f"error: ssh://{host}: {message}\nhint: ")
    assert made.stderr.count("\n") == 2
    assert file.read_bytes() == before


@pytest.mark.slow
def test_a_runtime_that_the_profile_does_not_allow_is_exit_5(
    copy: Bench, server: Server
) -> None:
    profile = a_profile(onnxruntime='">=1.23,<1.24"')
    (copy.folder / "strict.toml").write_text(profile, encoding="utf-8")

    made = copy.run(*over(server), "--profile", "./strict.toml", "--quiet")

    assert (made.returncode, made.stdout) == (5, "")
    assert made.stderr == (
        f"error: ssh://board: onnxruntime {onnxruntime.__version__} is not"
        " >=1.23,<1.24\n"
        "hint: there: python3 -m pip install 'onnxruntime>=1.23,<1.24'\n"
    )


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_ends_the_device_s_work_too(copy: Bench, server: Server) -> None:
    child = copy.start(*over(server))
    assert child.stderr is not None
    for line in child.stderr:
        if line.startswith("validate: latency"):
            break
    child.send_signal(signal.SIGINT)
    text, noise = child.communicate(timeout=60)

    assert (child.returncode, text) == (130, "")
    assert noise.splitlines()[-1] == "interrupted"
    assert server.now() == []
    assert runners(server) == []


@pytest.mark.slow
def test_a_bundle_goes_and_its_report_is_judged_as_a_live_one(copy: Bench) -> None:
    folder = copy.folder / "exports" / "whole"
    here = accuracy(folder / "report.json")

    made = copy.run("validate", "--target", "bundle", "--quiet")
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout == (
        "bundle         exports/whole/bundle\n"
        "on the device  in that folder: python3 runner.py\n"
        "bring back     measurement.json\n"
        "then           zonas-edge validate whole --import measurement.json\n"
    )
    shutil.move(folder / "bundle", copy.folder / "device")
    subprocess.run(
        [sys.executable, "-I", "device/runner.py"],
        cwd=copy.folder,
        check=True,
        capture_output=True,
    )
    judged = copy.run("validate", "--import", "device/measurement.json", "--quiet")

    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    assert judged.returncode == {"pass": 0, "fail": 3}[report["verdict"]]
    assert report["latency_host"]["target"] == "bundle, measurement.json"
    assert report["test_openings"] == 3  # one for the bundle, one for its report
    assert accuracy(folder / "report.json") == here


@pytest.mark.slow
def test_a_report_of_an_older_export_is_refused_before_the_test_split_is_opened(
    copy: Bench,
) -> None:
    words = ["validate", "--target", "bundle", "--bundle-out", "b.zip", "--json"]
    made = copy.run(*words, "--quiet")
    assert json.loads(made.stdout)["bundle"] == "b.zip"
    report = copy.folder / "measurement.json"
    report.write_text('{"schema": 1, "results": [{"model_sha256": "0"}]}')

    judged = copy.run("validate", "--import", "measurement.json", "--quiet")

    assert judged.returncode == 2
    assert judged.stderr.startswith(
        "error: measurement.json: not of the run's model, sha-256 is 0 and not "
    )
    record = json.loads((copy.folder / "exports/whole/run.json").read_text())
    assert record["test_openings"] == 2


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["--target", "pi@board"],
            "--target pi@board: not an address",
            "--target local, ssh://[user@]host[:port] or bundle",
        ),
        (
            ["--target", "ssh://-oX"],
            "--target ssh://-oX: not an address",
            "--target local, ssh://[user@]host[:port] or bundle",
        ),
        (
            ["--target", "bundle", "--import", "x.json"],
            "--target: --import reads what was measured already",
            "leave out --target, or --import",
        ),
        (
            ["--python", "python3", "--import", "x.json"],
            "--python: --import reads what was measured already",
            "leave out --python, or --import",
        ),
        (
            ["--bundle-out", "x"],
            "--bundle-out: nothing is carried to this target",
            "--target bundle",
        ),
        (
            ["--target", "ssh://board", "--timeout", "0"],
            "--timeout: is 0, below 1.0",
            "zonas-edge validate --help",
        ),
        (
            ["--target", "ssh://board", "--timeout", "inf"],
            "--timeout: is inf, above 604800.0",
            "zonas-edge validate --help",
        ),
        (
            ["--target", "ssh://board", "--timeout", "nan"],
            "--timeout: is nan, above 604800.0",
            "zonas-edge validate --help",
        ),
    ],
)
def test_options_that_do_not_go_together_are_exit_2(
    capsys: pytest.CaptureFixture[str], words: list[str], message: str, hint: str
) -> None:
    assert told(["validate", *words], capsys) == (
        2,
        "",
        f"error: {message}\nhint: {hint}\n",
    )
