"""Whether an INT8 file is accepted: each condition, cheapest first, really measured."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.device.tiny import build_tiny, tiny_images, tiny_probabilities
from tests.reports import a_profile
from zonas_edge.data.dataset import Split
from zonas_edge.deploy.export import packed_golden
from zonas_edge.device.job import Job
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.process import Progress
from zonas_edge.errors import TargetError
from zonas_edge.profile import DeviceProfile, Quantization
from zonas_edge.validate.beside import Changed, changed
from zonas_edge.validate.trial import Candidate, Trial, exceeded, try_int8

IMAGES = tiny_images(40)
LABELS = tiny_probabilities(IMAGES).argmax(axis=1).astype(np.int64)
XEON = "which is not the profile's device"


@dataclass(frozen=True)
class Counted:
    """This machine, and how often it was asked."""

    asked: list[int]
    name: str = "local"

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        self.asked.append(len(jobs))
        return LocalTarget().measure(jobs, progress)


def slow(model: bytes) -> bytes:
    """The same answers after a thousand more multiplications by one."""
    read = onnx.load_from_string(model)
    gemm = next(node for node in read.graph.node if node.op_type == "Gemm")
    nodes, before = [], gemm.input[0]
    read.graph.initializer.append(
        onnx.numpy_helper.from_array(np.ones(64, np.float32), "ones")
    )
    for number in range(1000):
        nodes.append(helper.make_node("Mul", [before, "ones"], [f"same{number}"]))
        before = f"same{number}"
    gemm.input[0] = before
    place = list(read.graph.node).index(gemm)
    kept = [*read.graph.node]
    del read.graph.node[:]
    read.graph.node.extend([*kept[:place], *nodes, *kept[place:]])
    data: bytes = read.SerializeToString()
    return data


def heavy(model: bytes) -> bytes:
    """The same model with 200 kB of words in it."""
    read = onnx.load_from_string(model)
    read.doc_string = "x" * 200_000
    data: bytes = read.SerializeToString()
    return data


def a_candidate(
    folder: Path, float32: bytes, int8: bytes, golden: np.ndarray | None = None
) -> Candidate:
    for name, content in (("float32.onnx", float32), ("int8.onnx", int8)):
        (folder / name).write_bytes(content)
    expected = tiny_probabilities(IMAGES) if golden is None else golden
    (folder / "golden.npz").write_bytes(packed_golden(IMAGES, expected, 2e-2))
    return Candidate(
        float32=folder / "float32.onnx",
        int8=folder / "int8.onnx",
        golden=folder / "golden.npz",
        val=Split(IMAGES, LABELS),
        class_names=("low", "high"),
    )


def tried(
    candidate: Candidate, profile: DeviceProfile | None = None
) -> tuple[Trial, list[int]]:
    target = Counted([])
    trial = try_int8(
        candidate,
        profile or a_profile(),
        target=target,
        seed=0,
        progress=lambda _: None,
    )
    return trial, target.asked


def allowing(**limits: object) -> DeviceProfile:
    quantization = Quantization.model_validate(limits)
    return a_profile().model_copy(update={"quantization": quantization})


def test_a_smaller_faster_file_with_the_same_decisions_is_accepted(
    tmp_path: Path,
) -> None:
    trial, _ = tried(a_candidate(tmp_path, heavy(slow(build_tiny())), build_tiny()))

    assert (trial.accepted, trial.reason) == (True, None)
    assert trial.val is not None
    assert trial.speed is not None
    assert (trial.val.decisions, trial.val.worst[1]) == (0, 0.0)
    assert trial.speed.int8_ms < trial.speed.float32_ms
    assert trial.speed.host.target == "local"
    assert Trial.from_dict(trial.to_dict() | {"calibration": {}}) == trial


def test_a_file_that_is_not_smaller_is_refused_before_anything_is_run(
    tmp_path: Path,
) -> None:
    trial, asked = tried(a_candidate(tmp_path, b"float", b"no smaller"))

    assert asked == []
    assert not trial.accepted
    assert trial.reason == "not smaller: 10 bytes, float32 5"


def test_a_loss_of_accuracy_is_refused_without_asking_the_target(
    tmp_path: Path,
) -> None:
    """A scale below zero turns every decision round."""
    turned = build_tiny(scale=-1 / 255)
    trial, asked = tried(a_candidate(tmp_path, heavy(build_tiny()), turned))

    assert asked == []
    assert trial.val is not None
    assert trial.val.float32_accuracy == 1.0
    assert trial.reason == (
        f"val accuracy falls by {1 - trial.val.accuracy:.4f}, from 1.000 to"
        f" {trial.val.accuracy:.3f}; quantization.max_accuracy_drop is 0.01"
    )


@pytest.mark.parametrize(
    ("limits", "key", "value"),
    [
        ({"max_accuracy_drop": 1.0}, "max_sensitivity_drop", "0.02"),
        (
            {
                "max_accuracy_drop": 1.0,
                "max_sensitivity_drop": 1.0,
                "max_sensitivity_drop_of": {"low": 0.5, "high": 0.5},
            },
            "max_sensitivity_drop_of",
            "0.5",
        ),
    ],
)
def test_a_loss_of_a_class_s_sensitivity_is_refused(
    tmp_path: Path, limits: dict[str, object], key: str, value: str
) -> None:
    candidate = a_candidate(tmp_path, heavy(build_tiny()), build_tiny(scale=-1 / 255))
    trial, asked = tried(candidate, allowing(**limits))

    assert asked == []
    assert trial.val is not None
    name, drop = trial.val.worst
    assert trial.reason == (
        f"val sensitivity of {name} falls by {drop:.4f}; quantization.{key} is {value}"
    )


def test_a_drop_that_is_just_too_large_does_not_read_as_allowed() -> None:
    found = Changed(
        split="val",
        images=999,
        accuracy=0.9,
        float32_accuracy=0.9,
        decisions=0,
        drops={"a": 20 / 999},
    )
    assert exceeded(found, Quantization()) == (
        "val sensitivity of a falls by 0.02002; quantization.max_sensitivity_drop is"
        " 0.02"
    )


def test_a_drop_that_is_just_allowed_is_allowed() -> None:
    """0.95 - 0.94 is a little more than 0.01 in binary."""
    found = Changed(
        split="val",
        images=100,
        float32_accuracy=0.95,
        accuracy=0.94,
        drops={"low": 0.95 - 0.93},
        decisions=1,
    )

    assert exceeded(found, Quantization()) is None
    assert exceeded(replace(found, accuracy=0.93), Quantization()) is not None
    assert exceeded(replace(found, drops={"low": 0.03}), Quantization()) is not None


def test_a_target_that_does_not_give_the_golden_answers_refuses(
    tmp_path: Path,
) -> None:
    golden = tiny_probabilities(IMAGES)[:, ::-1]
    trial, asked = tried(
        a_candidate(tmp_path, heavy(build_tiny()), build_tiny(), golden)
    )

    assert asked == [1]
    assert trial.reason is not None
    assert trial.reason.startswith("this machine: 40 of 40 golden decisions changed")


def test_a_slower_file_is_refused_with_both_times_and_the_place(
    tmp_path: Path,
) -> None:
    trial, asked = tried(a_candidate(tmp_path, heavy(build_tiny()), slow(build_tiny())))

    assert asked == [1, 50]  # decisions; then 24 visits of both and a long one each
    assert trial.speed is not None
    assert trial.reason == (
        f"slower on this machine, {XEON}: {trial.speed.int8_ms:.3f} ms undisturbed,"
        f" float32 {trial.speed.float32_ms:.3f} ms"
    )


def test_a_target_that_fails_is_an_error_and_no_refusal(tmp_path: Path) -> None:
    profile = a_profile()
    runtime = profile.runtime.model_copy(update={"provider": "NoExecutionProvider"})
    with pytest.raises(TargetError, match="NoExecutionProvider"):
        tried(
            a_candidate(tmp_path, heavy(build_tiny()), build_tiny()),
            profile.model_copy(update={"runtime": runtime}),
        )


def test_what_changed_is_told_by_class_and_an_absent_class_is_left_out() -> None:
    labels = np.array([0, 0, 1, 1])
    before = np.eye(3, dtype=np.float32)[[0, 0, 1, 1]]
    after = np.eye(3, dtype=np.float32)[[0, 1, 1, 1]]

    found = changed("val", labels, before, after, ["a", "b", "c"])

    assert found.drops == {"a": 0.5, "b": 0.0}
    assert found.worst == ("a", 0.5)
    assert (found.decisions, found.images) == (1, 4)
    assert (found.float32_accuracy, found.accuracy) == (1.0, 0.75)
