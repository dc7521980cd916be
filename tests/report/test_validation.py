"""The report for a reader: golden text, honest words, the same object as JSON."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.reports import (
    A_SUBJECT,
    PARITY,
    PROBABILITIES,
    XEON,
    a_measurement,
    a_profile,
    a_report,
)
from zonas_edge.profile import Acceptance
from zonas_edge.report.validation import report_text
from zonas_edge.validate import Float32, LatencyHost, Speed, ValidationReport

Golden = Callable[[str, str], None]


def test_the_text_of_a_pass_is_golden(golden: Golden) -> None:
    golden("report-pass.txt", report_text(a_report()))


def test_the_text_of_an_unverified_report_is_golden(golden: Golden) -> None:
    report = a_report(a_measurement(XEON))

    golden("report-unverified.txt", report_text(report))


def test_the_text_of_a_failure_is_golden(golden: Golden) -> None:
    failed = replace(PARITY, max_abs_dp=0.02, decisions_changed=3, passed=False)
    report = a_report(
        a_measurement(parity=failed, p95=5.5),
        profile=a_profile(min_parameters=200_000, latency_p95_ms=5, model_kb=100),
        acceptance=Acceptance(min_auc=0.9, min_sensitivity={"malignant": 0.9}),
    )

    golden("report-fail.txt", report_text(report))


def test_the_text_of_an_int8_report_is_golden(golden: Golden) -> None:
    speed = Speed(
        float32_ms=2.0,
        int8_ms=1.5,
        float32_p50_ms=2.25,
        int8_p50_ms=1.75,
        host=LatencyHost("x86_64", XEON, is_profile_device=False),
        onnxruntime="1.31.1",
        threads=1,
    )
    turned = PROBABILITIES.copy()
    turned[0] = turned[0, ::-1]
    subject = replace(A_SUBJECT, float32=Float32(2_000_000, turned, speed))
    report = a_report(subject=subject)

    assert report.beside is not None
    assert report.beside.test.decisions == 1
    assert report.beside.test.drops == {"malignant": -0.25, "benign": 0.0}
    assert ValidationReport.from_dict(report.to_dict()) == report
    golden("report-int8.txt", report_text(report))


def test_an_unverified_limit_is_told_in_words() -> None:
    text = report_text(a_report(a_measurement(XEON)), width=200)

    assert (
        "Still to measure on the device: latency_p95_ms, parity."
        f" {XEON} (x86_64) is not the profile's device;"
        " measure there with --target ssh://HOST or --target bundle.\n"
    ) in text


def test_what_the_machine_was_set_to_and_when_is_told() -> None:
    machine = replace(
        a_measurement().answer.machine,
        max_mhz=1510,
        power_mode="15W (0)",
        time="2026-11-23 02:44:11 UTC",
    )
    text = report_text(a_report(a_measurement(machine=machine)), width=200)
    assert (
        "\n          governor ondemand, at most 1,510 MHz, power mode 15W (0), 48 C,"
        " 2026-11-23 02:44:11 UTC by its clock\n"
    ) in text
    bare = replace(machine, governor=None, max_mhz=None, power_mode=None)
    bare = replace(bare, temperature_c=None, time=None)
    assert "clock" not in report_text(a_report(a_measurement(machine=bare)))


def test_a_report_without_a_terminal_is_ascii_when_asked_for() -> None:
    text = report_text(a_report(), encoding="ascii")

    assert text.isascii()
    assert "latency_p95_ms" in text


def test_class_names_are_shown_as_they_are_and_never_as_markup() -> None:
    subject = replace(A_SUBJECT, class_names=("[red]nævus[/]", "esc\x1b[31m\nline"))

    text = report_text(a_report(subject=subject))

    assert "[red]nævus[/]" in text
    assert "esc?[31m?line" in text


def test_a_report_from_before_classes_had_intervals_is_shown_without_them() -> None:
    data = a_report().to_dict()
    for figures in data["per_class"].values():
        del figures["sensitivity_ci95"], figures["specificity_ci95"]

    text = report_text(ValidationReport.from_dict(data))

    assert "│ malignant │              0.750 │              0.833 │" in text


def test_what_is_known_against_the_data_stands_beside_the_accuracy() -> None:
    note = "identical images in two splits (train-test 4): figures on them flatter"
    report = a_report(subject=replace(A_SUBJECT, notes=(note,)))

    text = report_text(report, width=200)

    assert f"opened 1x\n          but {note}\nAUC " in text
    assert ValidationReport.from_dict(report.to_dict()).notes == (note,)


def test_every_report_says_that_it_is_not_for_clinical_use() -> None:
    assert report_text(a_report()).endswith(
        "Not for clinical use without validation.\n"
    )


def test_a_measurement_from_elsewhere_says_how_it_came() -> None:
    text = report_text(a_report(target="ssh://pi@board"), width=200)

    assert (
        "1,000 runs on Raspberry Pi 4 Model B Rev 1.4; BCM2835 (aarch64) by"
        " ssh://pi@board, the profile's device\n"
    ) in text


def test_an_emulated_device_is_not_the_device_whatever_it_says() -> None:
    taken = a_measurement()
    machine = replace(taken.answer.machine, emulator="qemu-aarch64-st")
    report = a_report(a_measurement(machine=machine))

    assert report.verdict == "unverified"
    assert (
        "BCM2835, emulated by qemu-aarch64-st: times mean nothing (aarch64), not the"
        " profile's device\n"
    ) in report_text(report, width=200)


def test_a_figure_that_decides_is_told_from_its_limit() -> None:
    """2.000 beside 2.000, and fail, would be a riddle."""
    report = a_report(
        a_measurement(p95=2.0004),
        profile=a_profile(latency_p95_ms=2, model_kb=3200),
        acceptance=Acceptance(min_accuracy=0.9995),
    )
    lines = [
        line.strip("│").replace("│", "").split()
        for line in report_text(report).splitlines()
    ]
    assert ["latency_p95_ms", "<=", "2.000", "ms", "2.0004", "ms", "fail"] in lines
    assert ["min_accuracy", ">=", "0.9995"] in [line[:3] for line in lines]


@pytest.mark.parametrize("auc", [1.0, 0.5, 0.0])
def test_an_auc_that_no_resample_changes_has_no_interval(auc: float) -> None:
    """A perfect order, one answer to every image, and the reverse of the order."""
    classes = {
        name: replace(figures, support=10)
        for name, figures in a_report().per_class.items()
    }
    report = replace(a_report(), auc=auc, auc_ci95=None, per_class=classes)
    assert (
        f"AUC       {auc:.3f} (the same in every resample, so a bootstrap gives no"
        " interval)\n"
    ) in report_text(report, width=200)


def test_an_auc_of_few_images_has_no_interval() -> None:
    text = report_text(a_report(), width=200)
    assert "AUC       0.958 (a class has 4 images, too few for an interval)\n" in text


def test_classes_stand_in_their_own_order_also_after_json() -> None:
    data = json.loads(json.dumps(a_report().to_dict(), sort_keys=True))
    text = report_text(ValidationReport.from_dict(data))
    assert text.index("│ malignant") < text.index("│ benign")


def test_a_report_names_the_file_that_was_measured() -> None:
    measurement = a_measurement()
    assert a_report(measurement).model_sha256 == measurement.answer.model_sha256
