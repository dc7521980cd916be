"""A bundle is written, carried, run by hand, and its report judged as any other."""

import json
import math
import os
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.device.conftest import QUICK, a_job
from tests.device.tiny import TINY, build_tiny, tiny_images, tiny_probabilities
from zonas_edge.device.bundle import (
    CarriedTarget,
    Errand,
    read_report,
    write_bundle,
)
from zonas_edge.device.job import Job, sha256_of_file
from zonas_edge.errors import IncompatibleError, TargetError, UsageError, ZonasError

ERRAND = Errand(
    title="run tuesday, profile pi",
    runtime="onnxruntime>=1.22,!=1.21.0",
    command="zonas-edge validate tuesday --import",
    content="The images are those of breastmnist.",
    facts={"run": "tuesday"},
)
CELLS = b"cells-\xe9"
"""A name in Latin-1, as an old disk may have it."""

FILES = (
    "README.txt",
    "golden.npz",
    "images.npy",
    "manifest.json",
    "model.onnx",
    "runner.py",
)


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return a_job(tmp_path)


def carried(folder: Path, job: Job) -> Path:
    """The report of a bundle that was run by hand."""
    bundle = write_bundle(folder, [job], ERRAND)
    words = [sys.executable, str(bundle.path / "runner.py")]
    subprocess.run(words, capture_output=True, check=False)
    return folder / "measurement.json"


def failure(report: Path, job: Job) -> ZonasError:
    with pytest.raises(ZonasError) as caught:
        read_report(report).measure([job])
    return caught.value


def change(report: Path, **changes: Any) -> None:
    """Change figures of the one result."""
    answer = json.loads(report.read_text(encoding="utf-8"))
    for path, value in changes.items():
        *above, key = path.split("__")
        part = answer["results"][0]
        for name in above:
            part = part[name]
        part[key] = value
    report.write_text(json.dumps(answer), encoding="utf-8")


def test_a_bundle_holds_all_that_is_needed_and_says_what_to_do(
    tmp_path: Path, job: Job
) -> None:
    bundle = write_bundle(tmp_path / "bundle", [job], ERRAND)

    assert bundle.files == FILES
    assert tuple(sorted(file.name for file in bundle.path.iterdir())) == FILES
    assert (bundle.path / "model.onnx").read_bytes() == TINY.read_bytes()
    manifest = json.loads((bundle.path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["schema"] == 1
    assert manifest["run"] == "tuesday"
    assert manifest["command"] == "python3 runner.py"
    assert (manifest["jobs"][0]["model_sha256"],) == bundle.models
    text = (bundle.path / "README.txt").read_text(encoding="utf-8")
    assert 'pip install numpy "onnxruntime>=1.22,!=1.21.0"' in text
    assert "    python3 -m venv env\n    env/bin/python -m pip install numpy" in text
    assert text.startswith("A measurement for zonas-edge: run tuesday, profile pi\n")
    assert "    zonas-edge validate tuesday --import measurement.json\n" in text
    assert text.endswith("\nThe images are those of breastmnist.\n")


def test_names_that_are_no_utf_8_are_escaped_in_the_readme(
    tmp_path: Path, job: Job
) -> None:
    errand = replace(ERRAND, content=f"The images are those of {os.fsdecode(CELLS)}.")
    bundle = write_bundle(tmp_path / "bundle", [job], errand)

    text = (bundle.path / "README.txt").read_text(encoding="utf-8")
    assert text.endswith("\nThe images are those of cells-\\udce9.\n")


def test_a_device_without_numpy_leaves_a_report_too(tmp_path: Path, job: Job) -> None:
    bundle = write_bundle(tmp_path / "bundle", [job], ERRAND)
    # a module beside the runner is found first
    (bundle.path / "numpy.py").write_text("raise ImportError('no numpy here')\n")

    words = [sys.executable, str(bundle.path / "runner.py")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)

    report = bundle.path / "measurement.json"
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr == (
        "error: no numpy here\n"
        "hint: python3 -m pip install numpy onnxruntime\n"
        f"bring back this file: {report}\n"
    )
    error = failure(report, job)
    assert isinstance(error, TargetError)
    assert str(error) == "bundle, measurement.json: no numpy here"


def test_no_label_travels(tmp_path: Path, job: Job) -> None:
    bundle = write_bundle(tmp_path / "bundle", [job], ERRAND)

    with np.load(bundle.path / "golden.npz") as golden:
        assert sorted(golden) == ["images", "probabilities"]
    images = np.load(bundle.path / "images.npy")
    np.testing.assert_array_equal(images, tiny_images(6))


def test_a_zip_holds_the_same_files(tmp_path: Path, job: Job) -> None:
    folder = write_bundle(tmp_path / "bundle", [job], ERRAND)
    packed = write_bundle(tmp_path / "bundle.zip", [job], ERRAND)

    with zipfile.ZipFile(packed.path) as archive:
        assert tuple(archive.namelist()) == FILES
        for name in FILES:
            assert archive.read(name) == (folder.path / name).read_bytes(), name
    assert sorted(file.name for file in tmp_path.glob("*bundle*")) == [
        "bundle",
        "bundle.zip",
    ]


def test_what_is_brought_back_is_what_a_live_target_says(
    tmp_path: Path, job: Job
) -> None:
    report = carried(tmp_path / "bundle", job)
    lines: list[str] = []

    (taken,) = read_report(report).measure([job], lines.append)

    np.testing.assert_allclose(
        taken.probabilities, tiny_probabilities(tiny_images(6)), atol=1e-6
    )
    assert taken.answer.parity is not None
    assert taken.answer.parity.passed
    assert lines == [f"reading {report}"]


@pytest.mark.parametrize("name", ["bundle", "bundle.zip"])
def test_a_place_that_is_taken_is_left_alone(
    tmp_path: Path, job: Job, name: str
) -> None:
    place = tmp_path / name
    place.write_text("mine", encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        write_bundle(place, [job], ERRAND)

    assert str(caught.value) == f"{place}: exists already, and may hold a measurement"
    assert caught.value.hint == ("delete it, or choose another place with --bundle-out")
    assert place.read_text(encoding="utf-8") == "mine"


def test_a_bundle_that_can_not_be_written_leaves_nothing(
    tmp_path: Path, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", refuses)

    with pytest.raises(UsageError) as caught:
        write_bundle(tmp_path / "out" / "bundle", [job], ERRAND)

    assert str(caught.value) == f"{tmp_path}/out/bundle: no space left on device"
    assert list((tmp_path / "out").iterdir()) == []


def test_a_report_of_another_model_is_refused(tmp_path: Path, job: Job) -> None:
    report = carried(tmp_path / "bundle", job)
    other = tmp_path / "other.onnx"
    other.write_bytes(build_tiny(scale=1 / 250))

    error = failure(report, replace(job, model=other))

    assert str(error).startswith(f"{report}: not of the run's model, sha-256 is ")
    assert error.hint == "make a new bundle of the run with --target bundle"
    assert error.exit_code == 2


def test_a_report_on_other_images_is_refused(tmp_path: Path, job: Job) -> None:
    report = carried(tmp_path / "bundle", job)
    images = tmp_path / "other.npy"
    np.save(images, 255 - tiny_images(6))

    error = failure(report, replace(job, images=images))

    assert str(error).startswith(f"{report}: not of the run's images, sha-256 is ")


def test_a_report_with_other_golden_vectors_is_refused(
    tmp_path: Path, job: Job
) -> None:
    report = carried(tmp_path / "bundle", job)
    assert job.golden is not None
    job.golden.write_bytes(job.golden.read_bytes() + b"\0")

    error = failure(report, job)

    assert str(error).startswith(f"{report}: not of the run's golden vectors, ")


def test_a_report_under_other_settings_is_refused(tmp_path: Path, job: Job) -> None:
    report = carried(tmp_path / "bundle", job)

    error = failure(report, replace(job, threads=4))

    assert str(error) == f"{report}: measured with threads 1, not 4"
    assert error.hint == "judge by the profile that the bundle was made for"


@pytest.mark.parametrize(
    "changes",
    [
        {"probabilities": None},
        {"probabilities__shape": [5, 2]},
        {"probabilities__float32": "AAAA"},
        {"probabilities__float32": "not base64"},
        {"probabilities__shape": [-1, 2]},
        {"images": 0},
        {"latency_ms": {}},
        {"machine__cores": "many"},
        {"latency_ms__p95": -5.0},
        {"latency_ms__p95": math.nan},
        {"latency_ms__p95": 0.0},
        {"latency_ms__p50": "0.1"},
        {"latency_ms__p50": 1e9},
        {"latency_ms__runs": 0},
        {"parity": None},
        {"parity__images": 0},
        {"parity__max_abs_dp": 0.9},
        {"parity__decisions_changed": 1},
        {"parity__tolerance": math.inf},
        {"parity__passed": False},
    ],
)
def test_a_damaged_report_is_refused(
    tmp_path: Path, job: Job, changes: dict[str, Any]
) -> None:
    report = carried(tmp_path / "bundle", job)
    change(report, **changes)

    error = failure(report, job)

    assert str(error) == f"{report}: damaged, a measurement is not whole"
    assert (error.hint, error.exit_code) == (
        "bring the file again, or measure again",
        2,
    )


def test_a_measurement_that_was_cut_short_on_the_device_is_refused(
    tmp_path: Path, job: Job
) -> None:
    bundle = write_bundle(tmp_path / "bundle", [job], ERRAND)
    listed = bundle.path / "manifest.json"
    content = json.loads(listed.read_text(encoding="utf-8"))
    content["jobs"][0]["runs"] = 1
    listed.write_text(json.dumps(content), encoding="utf-8")
    words = [sys.executable, str(bundle.path / "runner.py")]
    subprocess.run(words, capture_output=True, check=True)
    report = bundle.path / "measurement.json"

    error = failure(report, job)

    least = min(job.repeats.runs, job.repeats.least)
    assert str(error) == f"{report}: 1 timed runs, at least {least} are needed"


def test_another_run_s_failure_is_not_this_one_s(tmp_path: Path, job: Job) -> None:
    model = tmp_path / "broken.onnx"
    model.write_bytes(build_tiny()[:-40])
    report = carried(tmp_path / "bundle", replace(job, model=model))

    error = failure(report, job)

    assert type(error) is UsageError
    assert str(error).startswith(f"{report}: not of the run's model, sha-256 is ")


def test_a_failure_that_is_brought_back_is_told_as_a_live_one(
    tmp_path: Path, job: Job
) -> None:
    model = tmp_path / "broken.onnx"
    model.write_bytes(build_tiny()[:-40])
    broken = replace(job, model=model)

    error = failure(carried(tmp_path / "bundle", broken), broken)

    assert type(error) is IncompatibleError
    assert str(error).startswith(f"{model}: onnxruntime ")
    assert " on bundle, measurement.json doesn't load it, " in str(error)


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (
            "",
            "not a report of runner.py",
            "bring back measurement.json from the folder of the bundle",
        ),
        (
            '{"schema": 1}',
            "not a report of runner.py",
            "bring back measurement.json from the folder of the bundle",
        ),
        (
            '{"schema": 2, "results": []}',
            "schema is 2, not 1",
            "make the bundle and read its report with the same zonas-edge",
        ),
        (
            "[" * 100_000,
            "not a report of runner.py",
            "bring back measurement.json from the folder of the bundle",
        ),
    ],
)
def test_a_file_that_is_no_report_is_refused(
    tmp_path: Path, content: str, message: str, hint: str
) -> None:
    file = tmp_path / "measurement.json"
    file.write_text(content, encoding="utf-8")

    with pytest.raises(UsageError) as caught:
        read_report(file)

    assert (str(caught.value), caught.value.hint) == (f"{file}: {message}", hint)


def test_a_report_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read_report(tmp_path / "none.json")

    assert str(caught.value) == f"{tmp_path}/none.json: no such file or directory"


def test_a_report_of_no_measurement_is_not_of_any_model(tmp_path: Path) -> None:
    CarriedTarget(tmp_path / "x", {"results": []}).check_models([TINY])
    CarriedTarget(tmp_path / "x", {"error": {}}).check_models([TINY])
    twice = [{"model_sha256": sha256_of_file(TINY)}] * 2
    unlike: tuple[list[Any], ...] = ([3], [{}], twice)
    for results in unlike:
        with pytest.raises(UsageError):
            CarriedTarget(tmp_path / "x", {"results": results}).check_models([TINY])


def test_results_that_are_no_list_are_a_damaged_report(
    tmp_path: Path, job: Job
) -> None:
    report = tmp_path / "measurement.json"
    report.write_text('{"schema": 1, "results": 3}', encoding="utf-8")

    error = failure(report, job)

    assert str(error) == f"{report}: damaged, a measurement is not whole"


@pytest.fixture
def jobs(tmp_path: Path, job: Job) -> list[Job]:
    """Two models in turn, three visits."""
    other = tmp_path / "other.onnx"
    other.write_bytes(build_tiny(scale=1 / 250))
    second = Job(other, job.images, repeats=QUICK)
    first = replace(job, golden=None)
    return [first, second, first]


def test_a_bundle_of_several_models_holds_each_file_once(
    tmp_path: Path, jobs: list[Job]
) -> None:
    bundle = write_bundle(tmp_path / "bundle", jobs, ERRAND)

    names = ("images.npy", "manifest.json", "model-2.onnx", "model.onnx", "runner.py")
    assert bundle.files == ("README.txt", *names)
    assert bundle.models == tuple(sha256_of_file(job.model) for job in jobs[:2])
    assert bundle.summary()["models_sha256"] == list(bundle.models)


def test_a_report_is_about_its_models_in_their_order(
    tmp_path: Path, jobs: list[Job]
) -> None:
    bundle = write_bundle(tmp_path / "bundle", jobs, ERRAND)
    words = [sys.executable, str(bundle.path / "runner.py")]
    subprocess.run(words, capture_output=True, check=True)
    report = read_report(bundle.path / "measurement.json")

    found = report.measure(jobs)

    told = [one.answer.model_sha256 for one in found]
    assert told == [sha256_of_file(job.model) for job in jobs]
    for other in (jobs[:2], [jobs[1], jobs[0], jobs[0]]):
        with pytest.raises(UsageError) as caught:
            replace(report, whose="Monday's", remedy="go again").measure(other)
        assert str(caught.value).startswith(
            f"{report.report}: not of Monday's model, sha-256 is "
        )
        assert caught.value.hint == "go again"
