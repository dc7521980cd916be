"""``zonas-edge calibrate`` on this machine, and a search that uses what it fitted."""

import json
import platform
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.calibrations import a_calibration
from tests.cli.conftest import SHORT, Bench, a_profile, furnish
from tests.cli.test_help import told
from tests.device.sshd import a_server
from zonas_edge.artifact import write_json
from zonas_edge.profile import FittedLatency
from zonas_edge.space import SearchSpace, TaskSpec

HERE = json.dumps([platform.machine()])
BANDS = ["--dataset", "./bands.npz"]
CALIBRATE = ["calibrate", "--profile", "./here.toml"]
MODEL = "exports/calibrations/here.json"
UNKNOWN = ["calibrate", "--profile", "raspberry-pi-4"]
RUN = ["run", "--profile", "./here.toml", *BANDS, *SHORT, "--threads", "1"]


def with_here(bench: Bench) -> Bench:
    """A bench with a profile that recognises this machine."""
    text = a_profile(machine=HERE)
    (bench.folder / "here.toml").write_text(text, encoding="utf-8")
    return bench


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A calibrated bench, with a run that was searched with the fitted model."""
    bench = with_here(furnish(tmp_path_factory.mktemp("calibrated")))
    found = bench.run(*CALIBRATE, *BANDS, "--networks", "50")
    assert found.returncode == 0, found.stderr
    (bench.folder / "told.txt").write_text(found.stdout, encoding="utf-8")
    (bench.folder / "progress.txt").write_text(found.stderr, encoding="utf-8")
    made = bench.run(*RUN, "--latency-model", MODEL, "--name", "whole")
    assert made.returncode == 0, made.stderr
    (bench.folder / "report.txt").write_text(made.stdout, encoding="utf-8")
    return bench


def fitted_in(bench: Bench, file: str = MODEL) -> FittedLatency:
    data = json.loads((bench.folder / file).read_text(encoding="utf-8"))
    assert data["schema"] == 1
    return FittedLatency.model_validate(data["fitted"])


def test_the_model_says_what_it_holds_for(calibrated: Bench) -> None:
    fitted = fitted_in(calibrated)
    assert fitted.machine == platform.machine()
    assert fitted.image == (1, 8, 8)
    assert (fitted.classes, fitted.channels, fitted.max_depth) == (3, 4, 1)
    assert (fitted.networks, fitted.error.networks) == (40, 10)
    assert fitted.threads == 1
    assert fitted.p95_over_p50 >= 1


def test_the_text_tells_error_and_next_command(calibrated: Bench) -> None:
    text = (calibrated.folder / "told.txt").read_text(encoding="utf-8")
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert lines["model"].endswith(f" {MODEL}")
    assert lines["valid for"].endswith(
        "1x8x8 images, 3 classes, 4 channels, up to 1 cell a stage"
    )
    assert "on 10 networks that the fit has not seen: " in lines["error"]
    assert text.splitlines()[-1] == (
        "next: zonas-edge search --profile ./here.toml --latency-model"
        f" {MODEL} --dataset NAME|PATH"
    )


def test_progress_goes_to_stderr(calibrated: Bench) -> None:
    lines = (calibrated.folder / "progress.txt").read_text(encoding="utf-8")
    assert "calibrate: writing files: 50 of 50\n" in lines
    assert "calibrate: measuring: visit 824 of 824\n" in lines


def test_a_search_with_the_model_predicts_and_says_so(calibrated: Bench) -> None:
    record: dict[str, Any] = json.loads(
        (calibrated.folder / "exports/whole/run.json").read_text(encoding="utf-8")
    )
    latency = record["search"]["estimated_latency_ms"]
    fitted = fitted_in(calibrated)
    assert latency["source"] == "fitted"
    assert latency["p95"] == pytest.approx(latency["p50"] * fitted.p95_over_p50)
    profile = record["request"]["profile"]
    assert FittedLatency.model_validate(profile["fitted"]) == fitted

    shown = calibrated.run("runs", "show", "whole").stdout
    assert "(predicted by the fitted model, not measured)" in shown
    report = (calibrated.folder / "report.txt").read_text(encoding="utf-8")
    assert "\nPredicted " in report
    assert "\nEstimate" not in report


def test_a_run_goes_on_where_the_model_lies_elsewhere(calibrated: Bench) -> None:
    moved = calibrated.folder / "moved.json"
    moved.write_bytes((calibrated.folder / MODEL).read_bytes())
    words = [*RUN, "--latency-model", "moved.json", "--name", "whole", "--resume"]
    answer = calibrated.run(*words)
    assert answer.returncode in {0, 2}, answer.stderr
    assert "other figures" not in answer.stderr


def test_a_refit_takes_in_a_validated_run_once(calibrated: Bench) -> None:
    words = [*CALIBRATE, "--refit", MODEL, "--model", "again.json", "--json"]
    answer = calibrated.run(*words, "whole")
    assert answer.returncode == 0, answer.stderr
    told_ = json.loads(answer.stdout)
    report = json.loads(
        (calibrated.folder / "exports/whole/report.json").read_text(encoding="utf-8")
    )
    (run,) = told_["runs"]
    assert run["run"] == "whole"
    assert run["measured_ms"] == pytest.approx(report["latency_ms"]["p50"], rel=1e-9)
    assert fitted_in(calibrated, "again.json").networks == 41
    assert fitted_in(calibrated).networks == 40  # the old file is as it was

    words[words.index(MODEL)] = "again.json"
    assert calibrated.run(*words, "whole").returncode == 0
    assert fitted_in(calibrated, "again.json").networks == 41


def test_a_run_may_be_called_as_the_fit_is(calibrated: Bench) -> None:
    """Its measurement joins the fit's own; it replaces none of them."""
    exports = calibrated.folder / "exports"
    for name in ("fit", "held out"):
        shutil.copytree(exports / "whole", exports / name)
        words = [*CALIBRATE, "--refit", MODEL, "--model", "named.json", name]
        answer = calibrated.run(*words)
        assert answer.returncode == 0, answer.stderr
        assert fitted_in(calibrated, "named.json").networks == 41
        shutil.rmtree(exports / name)


def test_profiles_show_says_which_model_a_profile_has(calibrated: Bench) -> None:
    text = (calibrated.folder / "here.toml").read_text(encoding="utf-8")
    (calibrated.folder / "own.toml").write_text(
        f'{text}\n[latency]\nmodel = "{MODEL}"\n', encoding="utf-8"
    )
    with_one, without = (
        " ".join(calibrated.run("profiles", "show", f"./{name}.toml").stdout.split())
        for name in ("own", "here")
    )
    estimate = "an estimate from [compute]; nothing was measured"
    assert without.endswith(estimate)
    assert estimate not in with_one
    assert " fitted on 40 networks measured on " in with_one


def refused(words: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code, text, noise = told(words, capsys)
    assert text == ""
    return code, noise


@pytest.mark.usefixtures("_untyped")
def test_another_machine_than_the_profile_s_device_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, noise = refused([*UNKNOWN, "--quiet"], capsys)
    assert code == 2
    assert noise.startswith("error: profiles/raspberry-pi-4.toml: this machine is ")
    assert noise.endswith(
        ", not the profile's device\n"
        "hint: name the device with --target, or set device.machine and"
        " device.cpu_pattern\n"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_untyped")
def test_a_runtime_that_the_profile_does_not_allow_is_refused(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    import onnxruntime

    file = tmp_path / "old.toml"
    file.write_text(a_profile(machine=HERE, onnxruntime='"==1.10.0"'))
    words = ["calibrate", "--profile", str(file), "--quiet"]
    assert refused(words, capsys) == (
        5,
        (
            f"error: this machine: onnxruntime {onnxruntime.__version__} is not"
            " ==1.10.0\n"
            "hint: there: python3 -m pip install onnxruntime==1.10.0\n"
        ),
    )


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (
            ["whole"],
            "zonas-edge calibrate: whole: runs go with --refit",
            "zonas-edge calibrate --profile x86-64 --refit FILE whole",
        ),
        (
            ["--refit", "x.json"],
            "zonas-edge calibrate: --refit without a run",
            "zonas-edge calibrate --profile x86-64 --refit x.json RUN",
        ),
        (
            ["--channels", "2"],
            "zonas-edge calibrate: channels is 2, not 1 or 3",
            "--channels 1 or --channels 3",
        ),
        (
            ["--target", "bundle", "--import", "x.json"],
            "--target: --import reads what was measured already",
            "leave out --target, or --import",
        ),
        (
            ["--bundle-out", "x.zip"],
            "--bundle-out: nothing is carried to this target",
            "--target bundle",
        ),
        (
            ["--refit", "x.json", "whole", "--import", "y.json"],
            "--import: --refit measures nothing",
            "leave out --import, or --refit",
        ),
        (
            ["--refit", "x.json", "whole", "--target", "ssh://board"],
            "--target: --refit measures nothing",
            "leave out --target, or --refit",
        ),
        (
            ["--refit", "x.json", "whole", "--dataset", "digits"],
            "--dataset: --refit measures nothing",
            "leave out --dataset, or --refit",
        ),
        (
            ["--refit", "x.json", "whole", "--side", "64"],
            "--side: --refit measures nothing",
            "leave out --side, or --refit",
        ),
        (
            ["--dataset", "digits", "--channels", "3"],
            "--channels: --dataset has its own",
            "leave out --channels, or --dataset",
        ),
        (
            ["--ssh-config", "x"],
            "--ssh-config: this machine is measured without ssh",
            "leave out --ssh-config, or name a --target ssh://[user@]host[:port]",
        ),
        (
            ["--networks", "9"],
            "--networks: is 9, below 50",
            "zonas-edge calibrate --help",
        ),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    words: list[str],
    message: str,
    hint: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    asked = ["calibrate", "--profile", "x86-64", *words]
    assert refused(asked, capsys) == (2, f"error: {message}\nhint: {hint}\n")


def test_a_refit_for_another_board_writes_nothing(calibrated: Bench) -> None:
    before = (calibrated.folder / MODEL).read_bytes()
    words = ["calibrate", "--profile", "raspberry-pi-4", "--refit", MODEL, "whole"]
    answer = calibrated.run(*words)
    assert answer.returncode == 2
    assert answer.stderr.startswith(f"error: {MODEL}: measured on ")
    assert answer.stderr.endswith(
        ", which is not the device of profiles/raspberry-pi-4.toml\n"
        "hint: name the profile of its device\n"
    )
    assert (calibrated.folder / MODEL).read_bytes() == before


def test_a_refit_writes_over_nothing_but_such_a_model(calibrated: Bench) -> None:
    before = (calibrated.folder / "here.toml").read_bytes()
    words = [*CALIBRATE, "--refit", MODEL, "--model", "here.toml", "whole"]
    answer = calibrated.run(*words)
    assert (answer.returncode, answer.stderr) == (
        2,
        (
            "error: here.toml: not a JSON object\n"
            "hint: delete it, or name another file with --model\n"
        ),
    )
    assert (calibrated.folder / "here.toml").read_bytes() == before


def test_a_run_in_another_power_mode_is_refused(calibrated: Bench) -> None:
    slower = json.loads((calibrated.folder / MODEL).read_text(encoding="utf-8"))
    slower["environment"]["power_mode"] = "5W"
    write_json(calibrated.folder / "slower.json", slower)
    path = calibrated.folder / "exports" / "whole" / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    told_ = report | {"environment": dict(report["environment"])}
    told_["environment"]["machine"] = report["environment"]["machine"] | {
        "power_mode": "MAXN"
    }
    write_json(path, told_)
    answer = calibrated.run(*CALIBRATE, "--refit", "slower.json", "whole")
    write_json(path, report)
    assert (answer.returncode, answer.stderr) == (
        2,
        (
            "error: exports/whole: power_mode is MAXN, the latency model's is 5W\n"
            "hint: calibrate the device anew\n"
        ),
    )


def test_a_run_of_another_machine_is_refused(calibrated: Bench) -> None:
    elsewhere = a_calibration(
        space=SearchSpace(4, 1), task=TaskSpec(1, 8, 8, 3), cpu_model="a toaster"
    )
    write_json(calibrated.folder / "toaster.json", elsewhere.to_json())
    answer = calibrated.run(*CALIBRATE, "--refit", "toaster.json", "whole")
    assert answer.returncode == 2
    assert answer.stderr.startswith("error: exports/whole: cpu is ")
    assert answer.stderr.endswith(
        ", the latency model's is a toaster\nhint: calibrate the device anew\n"
    )


def test_a_model_of_other_images_is_refused_before_a_run_begins(
    calibrated: Bench,
) -> None:
    words = [*RUN, "--latency-model", "digits.json", "--name", "never"]
    other = a_calibration(space=SearchSpace(4, 1), task=TaskSpec(3, 16, 16, 3))
    write_json(calibrated.folder / "digits.json", other.to_json())
    answer = calibrated.run(*words)
    assert answer.returncode == 2
    assert answer.stderr == (
        "error: digits.json: image is 1x8x8, the latency model's is 3x16x16\n"
        "hint: zonas-edge calibrate --profile ./here.toml --side 8 --channels 1"
        " --classes 3 --model digits-8x8x1-3-4x1.json\n"
    )
    assert not (calibrated.folder / "exports/never").exists()


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_leaves_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = bench.folder / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    monkeypatch.setattr(tempfile, "tempdir", None)
    started = with_here(bench).start(*CALIBRATE, "--networks", "500")
    assert started.stderr is not None
    for line in started.stderr:
        if "writing files" in line:
            break
    started.send_signal(signal.SIGINT)
    begun = time.monotonic()
    _, noise = started.communicate(timeout=60)
    assert time.monotonic() - begun < 20
    assert (started.returncode, noise.splitlines()[-1]) == (130, "interrupted")
    assert list(scratch.glob("zonas-edge-*")) == []
    assert not (bench.folder / "exports").exists()


@pytest.mark.slow
def test_a_device_behind_ssh_is_calibrated_and_left_as_it_was(
    bench: Bench, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with_here(bench)
    with a_server(tmp_path_factory.mktemp("sshd")) as server:
        words = ["--target", "ssh://board", "--python", sys.executable]
        words += ["--ssh-config", str(server.config), "--networks", "50"]
        answer = bench.run(*CALIBRATE, *BANDS, *words)
        assert answer.returncode == 0, answer.stderr
        assert server.left() == []
    assert fitted_in(bench).networks == 40
    assert "calibrate: measuring: visit 824 of 824\n" in answer.stderr


CARRIED = [*CALIBRATE, *BANDS, "--networks", "50"]
AGAIN = (
    "zonas-edge calibrate --profile ./here.toml --side 8 --channels 1 --classes 3"
    f" --networks 50 --seed 0 --model {MODEL} --import measurement.json"
)


@pytest.fixture(scope="module")
def carried(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    """A bench with the report of a bundle that was carried to a device, and back."""
    bench = with_here(furnish(tmp_path_factory.mktemp("carried")))
    made = bench.run(*CARRIED, "--target", "bundle", "--bundle-out", "stick/b.zip")
    assert made.returncode == 0, made.stderr
    assert "bundle: writing files: 50 of 50\n" in made.stderr
    (bench.folder / "told.txt").write_text(made.stdout, encoding="utf-8")
    device = bench.folder / "device"
    with zipfile.ZipFile(bench.folder / "stick/b.zip") as packed:
        packed.extractall(device)
    words = [sys.executable, "-I", "runner.py"]
    subprocess.run(words, cwd=device, check=True, capture_output=True)
    shutil.copy(device / "measurement.json", bench.folder)
    return bench


@pytest.mark.slow
def test_a_bundle_says_what_to_do_and_is_small(carried: Bench) -> None:
    assert (carried.folder / "told.txt").read_text(encoding="utf-8") == (
        "bundle         stick/b.zip\n"
        "on the device  in that folder: python3 runner.py\n"
        "bring back     measurement.json\n"
        f"then           {AGAIN}\n"
    )
    text = (carried.folder / "device/README.txt").read_text(encoding="utf-8")
    assert text.startswith("A measurement for zonas-edge: calibration, profile here\n")
    assert f"\n    {AGAIN}\n" in text
    with zipfile.ZipFile(carried.folder / "stick/b.zip") as packed:
        sizes = [(one.compress_size, one.file_size) for one in packed.infolist()]
    assert sum(size for size, _ in sizes) < sum(size for _, size in sizes) / 4


@pytest.mark.slow
def test_a_report_that_is_brought_back_is_fitted(carried: Bench) -> None:
    read = carried.run(*shlex.split(AGAIN)[1:])

    assert read.returncode == 0, read.stderr
    assert "calibrate: reading measurement.json\n" in read.stderr
    fitted = fitted_in(carried)
    assert (fitted.networks, fitted.error.networks) == (40, 10)
    assert fitted.image == (1, 8, 8)
    assert fitted.error.rank_correlation > 0.8


@pytest.mark.slow
def test_a_report_on_other_networks_is_refused(carried: Bench) -> None:
    words = [*CARRIED, "--seed", "1", "--model", "never.json"]
    read = carried.run(*words, "--import", "measurement.json", "--quiet")

    assert (read.returncode, read.stdout) == (2, "")
    assert read.stderr.startswith(
        "error: measurement.json: not of this calibration's model, sha-256 is "
    )
    assert read.stderr.endswith(
        "\nhint: repeat the command of the bundle's README.txt with the versions and"
        " the profile that it was made with\n"
    )
    assert not (carried.folder / "never.json").exists()


@pytest.mark.slow
def test_a_report_of_another_device_than_the_profile_s_is_refused(
    carried: Bench,
) -> None:
    """What came back from this machine is nothing for a profile of another."""
    text = a_profile(machine='["pdp11"]')
    (carried.folder / "board.toml").write_text(text, encoding="utf-8")
    words = ["calibrate", "--profile", "./board.toml", *CARRIED[3:]]

    read = carried.run(*words, "--import", "measurement.json", "--quiet")

    assert (read.returncode, read.stdout) == (2, "")
    assert read.stderr.startswith("error: ./board.toml: bundle, measurement.json is ")
    assert ", not the profile's device\nhint: " in read.stderr
    assert not (carried.folder / "exports/calibrations/board.json").exists()
