"""``zonas-edge check``: a file of whatever origin held against a profile."""

import json
from pathlib import Path

import pytest

from tests.cli.test_help import told
from tests.device.tiny import TINY, build_tiny


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The tiny model as a newer exporter would write it."""
    file = tmp_path / "newer.onnx"
    file.write_bytes(build_tiny(ir=10, opset=18))
    return file


def test_a_file_that_loads_is_exit_0(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, noise = told(["check", str(TINY), "--profile", "jetson-nano"], capsys)

    assert (code, noise) == (0, "")
    assert text.splitlines() == [
        f"{TINY} on jetson-nano (onnxruntime ==1.10.0): no reason to refuse it found",
        "opset       13 (at most 13)",
        "IR version  8 (at most 8)",
        "domains     ai.onnx",
        "operators   Cast, Flatten, Gemm, Mul, Softmax",
        "size        0.8 KiB (at most 4,096)",
    ]


def test_a_file_that_does_not_load_is_exit_5_with_cause_and_fix(
    newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, noise = told(["check", str(newer), "--profile", "jetson-nano"], capsys)

    assert (code, noise) == (5, "")
    assert text.splitlines()[0].endswith("(onnxruntime ==1.10.0): REFUSED")
    assert text.splitlines()[-4:] == [
        "refused     opset is 18, the profile allows 13",
        "  fix       export again with this profile",
        "refused     IR version is 10, the profile allows 8",
        "  fix       export again with this profile",
    ]


def test_the_json_has_every_finding(
    newer: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, text, _ = told(
        ["check", str(newer), "--profile", "jetson-nano", "--json"], capsys
    )

    answer = json.loads(text)
    assert code == 5
    assert (answer["schema"], answer["model"]) == (1, str(newer))
    assert (answer["profile"], answer["refused"], answer["fits"]) == (
        "jetson-nano",
        True,
        True,
    )
    assert answer["facts"]["opset"] == 18
    assert [finding["cause"] for finding in answer["findings"]] == [
        "opset is 18, the profile allows 13",
        "IR version is 10, the profile allows 8",
    ]


def test_a_file_that_is_missing_is_exit_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(tmp_path / "none.onnx"), "--profile", "jetson-nano"]

    assert told(words, capsys) == (
        2,
        "",
        (
            f"error: {tmp_path}/none.onnx: no such file or directory\n"
            "hint: name an ONNX file, such as exports/RUN/model.onnx\n"
        ),
    )
