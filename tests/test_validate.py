"""The verdict: inclusive limits, three answers, and the order of exit codes."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from tests.device.tiny import (
    TINY,
    build_tiny,
    tiny_images,
    tiny_probabilities,
    write_golden,
)
from tests.reports import (
    A_SUBJECT,
    FITTING,
    PARITY,
    PROBABILITIES,
    XEON,
    a_measurement,
    a_profile,
    a_report,
)
from zonas_edge.device.job import Repeats
from zonas_edge.device.measurement import Measurement
from zonas_edge.errors import IncompatibleError, UsageError
from zonas_edge.metrics import ClassMetrics, wilson_interval
from zonas_edge.profile import Acceptance
from zonas_edge.validate import Gate, Limit, ValidationReport, validate_model
from zonas_edge.validate.host import check_runtime


@pytest.mark.parametrize(
    ("name", "allowed", "passed"),
    [
        ("parameters", 123_456, True),
        ("parameters", 123_455, False),
        ("min_parameters", 123_456, True),
        ("min_parameters", 123_457, False),
        ("latency_p95_ms", 4.0, True),
        ("latency_p95_ms", 3.999, False),
        ("model_kb", 500.0, True),
        ("model_kb", 499.999, False),
    ],
)
def test_limits_are_inclusive_and_one_that_is_exceeded_is_exit_3(
    name: str, allowed: float, passed: bool
) -> None:
    report = a_report(profile=a_profile(**{name: allowed}))

    limit = next(each for each in report.limits if each.name == name)
    assert (limit.allowed, limit.passed) == (allowed, passed)
    assert report.verdict == ("pass" if passed else "fail")
    assert report.exit_code == (0 if passed else 3)


def test_a_budget_lists_only_the_limits_it_sets() -> None:
    report = a_report(profile=a_profile())

    assert report.limits == (Limit("parameters", 800_000, 123_456, passed=True),)


def test_a_latency_of_another_machine_leaves_its_limit_unverified() -> None:
    report = a_report(a_measurement(XEON, p95=0.1), profile=a_profile(latency_p95_ms=5))

    assert report.limits[1] == Limit(
        name="latency_p95_ms",
        allowed=5,
        measured=None,
        passed=None,
        note=f"{XEON} (x86_64) is not the profile's device",
    )
    assert (report.verdict, report.exit_code) == ("unverified", 0)
    assert report.latency_ms.p95 == 0.1
    assert not report.latency_host.is_profile_device


def test_a_slow_other_machine_does_not_fail_the_limit_either() -> None:
    report = a_report(a_measurement(XEON, p95=900), profile=a_profile(latency_p95_ms=5))

    assert (report.verdict, report.exit_code) == ("unverified", 0)


def test_another_machine_passes_nothing_though_no_latency_is_asked_for() -> None:
    """Its runtime is not the device's: it may load a file that the device refuses."""
    report = a_report(a_measurement(XEON), profile=a_profile())

    assert all(limit.passed for limit in report.limits)
    assert (report.verdict, report.exit_code) == ("unverified", 0)


def test_a_failed_limit_outweighs_an_unverified_one() -> None:
    report = a_report(
        a_measurement(XEON), profile=a_profile(latency_p95_ms=5, model_kb=1)
    )

    assert (report.verdict, report.exit_code) == ("fail", 3)


@pytest.mark.parametrize("loadable", [True, False])
@pytest.mark.parametrize("equal", [True, False])
@pytest.mark.parametrize("accepted", [True, False])
@pytest.mark.parametrize("within", [True, False])
def test_exit_5_comes_before_4_before_3(
    loadable: bool, equal: bool, accepted: bool, within: bool
) -> None:
    report = a_report(
        a_measurement(parity=replace(PARITY, passed=equal)),
        profile=a_profile(model_kb=500 if within else 1),
        acceptance=Acceptance(min_accuracy=0.8 if accepted else 0.9),
        compatibility=replace(FITTING, passed=loadable),
    )

    first = [
        (not loadable, 5),
        (not equal or not accepted, 4),
        (not within, 3),
        (True, 0),
    ]
    assert report.exit_code == next(code for failed, code in first if failed)
    assert (report.verdict == "fail") == (report.exit_code > 0)


def test_gates_are_inclusive_and_each_is_told() -> None:
    gates = Acceptance(
        min_accuracy=0.8,
        min_auc=1.0,
        min_sensitivity={"malignant": 0.75, "benign": 0.9},
    )

    report = a_report(acceptance=gates)

    assert report.acceptance == (
        Gate("min_accuracy", 0.8, 0.8, passed=True),
        Gate("min_auc", 1.0, 23 / 24, passed=False),
        Gate("min_sensitivity.malignant", 0.75, 0.75, passed=True),
        Gate("min_sensitivity.benign", 0.9, 5 / 6, passed=False),
    )
    assert (report.verdict, report.exit_code) == ("fail", 4)


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("malignat", "did you mean malignant?"),
        ("xyz", "the classes are malignant, benign"),
    ],
)
def test_a_gate_for_an_unknown_class_is_refused_before_measuring(
    tmp_path: Path, word: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        validate_model(
            tmp_path / "none.onnx",
            tmp_path / "none.npz",
            profile=a_profile(),
            subject=A_SUBJECT,
            test_images=tiny_images(2),
            test_labels=np.array([0, 1]),
            acceptance=Acceptance(min_sensitivity={word: 0.5}),
        )

    assert str(caught.value) == f"acceptance.min_sensitivity: unknown class {word}"
    assert caught.value.hint == hint
    assert caught.value.exit_code == 2


def test_the_figures_are_those_of_the_test_split() -> None:
    report = a_report()

    assert report.accuracy == 0.8
    assert report.accuracy_ci95 == pytest.approx((0.4902, 0.9433), abs=5e-5)
    assert report.auc == pytest.approx(23 / 24)
    assert report.auc_ci95 is None  # of four and of six images
    assert report.class_names == ("malignant", "benign")
    four, six = wilson_interval(3, 4), wilson_interval(5, 6)
    assert report.per_class == {
        "malignant": ClassMetrics(0.75, 5 / 6, 4, four, six),
        "benign": ClassMetrics(5 / 6, 0.75, 6, six, four),
    }
    assert report.confusion == ((3, 1), (1, 5))


def test_a_report_goes_through_json_and_comes_back_equal() -> None:
    report = a_report(a_measurement(XEON))

    assert ValidationReport.from_dict(json.loads(json.dumps(report.to_dict()))) == (
        report
    )


def test_a_report_has_the_keys_that_others_rely_on() -> None:
    data = a_report(a_measurement(XEON)).to_dict()

    assert data["schema"] == 1
    assert {"verdict", "parameters", "macs", "model_bytes", "accuracy"} <= set(data)
    assert {"accuracy_ci95", "auc", "per_class", "parity", "environment"} <= set(data)
    assert {"mean", "p50", "p90", "p95", "p99", "max"} <= set(data["latency_ms"])
    assert {"name", "allowed", "measured", "passed"} <= set(data["limits"][0])
    assert data["limits"][1]["measured"] is None
    assert data["limits"][1]["passed"] is None


def test_a_damaged_report_is_refused() -> None:
    data = a_report().to_dict() | {"accuracy": "much"}

    with pytest.raises(ValueError, match="accuracy"):
        ValidationReport.from_dict(data)


def test_figures_that_do_not_belong_together_are_the_caller_s_mistake() -> None:
    taken = Measurement(PROBABILITIES[:9], a_measurement().answer)

    with pytest.raises(
        ValueError, match=r"^probabilities are \(9, 2\), not \(10, 2\)$"
    ):
        a_report(taken)
    with pytest.raises(ValueError, match=r"^measured without golden vectors$"):
        a_report(a_measurement(parity=None))


def validate_tiny(tmp_path: Path, model: Path = TINY) -> ValidationReport:
    """The tiny model against 40 images labelled with its own decisions."""
    images = tiny_images(40)
    return validate_model(
        model,
        write_golden(tmp_path / "golden.npz", images[:9]),
        profile=a_profile(latency_p95_ms=5, model_kb=3200),
        subject=A_SUBJECT,
        test_images=images,
        test_labels=np.argmax(tiny_probabilities(images), axis=1),
        repeats=Repeats(runs=20, warmup=2),
    )


def test_a_real_model_is_measured_and_its_latency_here_is_unverified(
    tmp_path: Path,
) -> None:
    report = validate_tiny(tmp_path)

    assert (report.verdict, report.exit_code) == ("unverified", 0)
    assert (report.accuracy, report.auc) == (1.0, 1.0)
    assert report.model_bytes == TINY.stat().st_size
    assert report.parity.images == 9
    assert report.parity.passed
    assert [limit.name for limit in report.unverified] == ["latency_p95_ms"]


@pytest.mark.parametrize(("opset", "ir"), [(15, 8), (13, 9)])
def test_a_file_above_the_profile_s_ceilings_is_exit_5(
    tmp_path: Path, opset: int, ir: int
) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(build_tiny(opset=opset, ir=ir))

    report = validate_tiny(tmp_path, model)

    assert (report.compatibility.opset, report.compatibility.ir) == (opset, ir)
    assert (report.verdict, report.exit_code) == ("fail", 5)


def test_a_model_of_other_weights_misses_parity_with_exit_4(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(build_tiny(scale=1 / 250))

    report = validate_tiny(tmp_path, model)

    assert report.parity.max_abs_dp > 1e-4
    assert (report.verdict, report.exit_code) == ("fail", 4)


def test_a_file_that_is_no_onnx_model_is_incompatible(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    model.write_bytes(b"no model")

    with pytest.raises(IncompatibleError) as caught:
        validate_tiny(tmp_path, model)

    assert str(caught.value) == f"{model}: not an ONNX model"
    assert caught.value.hint == "name an ONNX file, such as exports/RUN/model.onnx"


def test_a_model_that_is_missing_is_named(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"

    with pytest.raises(UsageError) as caught:
        validate_tiny(tmp_path, model)

    assert str(caught.value) == f"{model}: no such file or directory"


def test_a_model_above_this_runtime_s_format_does_not_load(tmp_path: Path) -> None:
    model = tmp_path / "model.onnx"
    proto = onnx.load_from_string(build_tiny())
    proto.ir_version = 99
    model.write_bytes(proto.SerializeToString())

    with pytest.raises(IncompatibleError) as caught:
        validate_tiny(tmp_path, model)

    assert str(caught.value).startswith(
        f"{model}: onnxruntime {onnxruntime.__version__} on this machine doesn't load"
        " it, "
    )


@pytest.mark.parametrize(
    ("limits", "version", "reason"),
    [
        ({"deny": ["1.31.1"]}, "1.31.1+cu126", "is on the profile's deny list"),
        ({"onnxruntime": ">=1.32"}, "1.31.1", "is not >=1.32"),
    ],
)
def test_the_device_s_own_runtime_must_be_one_the_profile_allows(
    limits: dict[str, Any], version: str, reason: str
) -> None:
    profile = a_profile()
    profile = profile.model_copy(
        update={"runtime": profile.runtime.model_copy(update=limits)}
    )
    machine = replace(a_measurement().answer.machine, onnxruntime=version)

    with pytest.raises(IncompatibleError) as caught:
        check_runtime(machine, profile, "ssh://pi@board")

    assert str(caught.value) == f"ssh://pi@board: onnxruntime {version} {reason}"
    denied = "".join(f",!={denied}" for denied in limits.get("deny", ()))
    wanted = f"onnxruntime{profile.runtime.onnxruntime}{denied}"
    assert caught.value.hint == f"there: python3 -m pip install '{wanted}'"
    other = replace(machine, cpu_model=XEON, machine="x86_64")
    check_runtime(other, profile, "ssh://pi@board")  # says nothing about the device
