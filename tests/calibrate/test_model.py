"""A calibration on the disk, in a profile, and in a search."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given

from tests.calibrations import TASK, TRUTH, a_calibration
from tests.strategies import SPACE, architectures, random_mixture
from zonas_edge.architecture import Architecture
from zonas_edge.artifact import write_json
from zonas_edge.calibrate.model import read_calibration
from zonas_edge.constraint import check_fitted, constraints_of, latency_model
from zonas_edge.cost import exact, expected
from zonas_edge.errors import ProfileError, UsageError
from zonas_edge.latency import fitted_latency
from zonas_edge.profile import (
    Budget,
    DeviceProfile,
    Space,
    load_profile,
    profile_from_dict,
    with_fitted,
)
from zonas_edge.search.selection import draw
from zonas_edge.space import SearchSpace, TaskSpec

FITTED = a_calibration().fitted
MODEL = fitted_latency(FITTED)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    found = tmp_path / "board.json"
    write_json(found, a_calibration().to_json())
    return found


def a_board(**changes: object) -> DeviceProfile:
    """The shipped x86-64 with the small space and a limit of latency."""
    return load_profile("x86-64").model_copy(
        update={
            "budget": Budget(parameters=10**6, latency_p95_ms=5.0),
            "space": Space(channels=SPACE.channels, max_depth=SPACE.max_depth),
        }
        | changes
    )


def test_a_calibration_makes_the_round_trip_through_its_file(file: Path) -> None:
    assert read_calibration(file) == a_calibration()


def test_a_profile_with_a_model_survives_json(file: Path) -> None:
    profile = with_fitted(load_profile("x86-64"), file)
    again = profile_from_dict(json.loads(json.dumps(profile.to_dict())), "run.json")
    assert again == profile
    assert again.fitted == FITTED


def test_a_profile_names_its_model_relative_to_itself(file: Path) -> None:
    text = (Path(__file__).parents[2] / "profiles" / "x86-64.toml").read_text()
    (file.parent / "my boards").mkdir()
    toml = file.parent / "my boards" / "mine.toml"
    toml.write_text(text + '\n[latency]\nmodel = "../board.json"\n')
    profile = load_profile(str(toml))
    assert profile.fitted == FITTED
    assert profile.latency.model == "../board.json"

    file.unlink()  # or not yet made
    with pytest.raises(ProfileError) as caught:
        load_profile(str(toml))
    assert str(caught.value) == f"{toml.parent}/../board.json: no such file"
    assert caught.value.hint == f"zonas-edge calibrate --profile '{toml}'"
    bare = load_profile(str(toml), fitted=False)
    assert bare.fitted is None
    assert bare.model_file == toml.parent / "../board.json"


@given(architectures(connected=True))
def test_the_fitted_model_has_the_value_of_the_cost_formula(
    architecture: Architecture,
) -> None:
    assert MODEL.source == "fitted"
    undisturbed = exact(TRUTH, architecture)
    assert MODEL.p50_ms(architecture) == pytest.approx(1.5 * undisturbed)
    assert MODEL.p95_ms(architecture) == MODEL.p50_ms(architecture) * 1.25


def test_the_expected_fitted_latency_is_the_mean_over_drawn_networks() -> None:
    mixture = random_mixture(7)
    rng = np.random.default_rng(0)
    drawn = [
        MODEL.p50_ms(network)
        for network in draw(mixture, 4_000, channels=SPACE.channels, rng=rng)
    ]
    assert np.mean(drawn) == pytest.approx(expected(MODEL.table, mixture), rel=0.02)


def test_the_budget_takes_the_fitted_model_in_place_of_the_estimate() -> None:
    before = constraints_of(a_board(), SPACE, TASK)[1]
    after = constraints_of(a_board(fitted=FITTED), SPACE, TASK)[1]
    assert latency_model(a_board(), SPACE, TASK).source == "estimate"
    assert latency_model(a_board(fitted=FITTED), SPACE, TASK) == MODEL
    assert before.table != after.table == MODEL.table
    assert after.unit == 1.25


SQUARE = "zonas-edge calibrate --profile x86-64 --side {} --channels {} --classes {}"


@pytest.mark.parametrize(
    ("space", "task", "reason", "hint"),
    [
        (
            SPACE,
            TaskSpec(1, 28, 28, 3),
            "image is 1x28x28, the latency model's is 1x8x8",
            SQUARE.format(28, 1, 3),
        ),
        (
            SPACE,
            TaskSpec(1, 8, 9, 3),
            "image is 1x8x9, the latency model's is 1x8x8",
            "zonas-edge calibrate --profile x86-64 --dataset FOLDER",
        ),
        (
            SPACE,
            TaskSpec(1, 8, 8, 4),
            "classes is 4, the latency model's is 3",
            SQUARE.format(8, 1, 4),
        ),
        (
            SearchSpace(4, 2),
            TASK,
            "space.channels is 4, the latency model's is 2",
            SQUARE.format(8, 1, 3),
        ),
        (
            SearchSpace(2, 3),
            TASK,
            "space.max_depth is 3, the latency model's is 2",
            SQUARE.format(8, 1, 3),
        ),
    ],
)
def test_a_model_of_other_networks_is_refused(
    space: SearchSpace, task: TaskSpec, reason: str, hint: str, file: Path
) -> None:
    profile = with_fitted(a_board(), file)
    with pytest.raises(UsageError) as caught:
        latency_model(profile, space, task)
    shape = f"{task.height}x{task.width}x{task.channels}-{task.classes}"
    other = file.with_name(f"board-{shape}-{space.channels}x{space.max_depth}.json")
    assert str(caught.value) == f"{file}: {reason}"
    assert caught.value.hint == f"{hint} --model {other}"  # this one stays
    assert caught.value.exit_code == 2


def test_a_shallower_space_than_was_measured_is_no_other() -> None:
    found = latency_model(a_board(fitted=FITTED), SearchSpace(2, 1), TASK)
    assert found == MODEL


def test_a_model_of_another_machine_is_refused(file: Path) -> None:
    profile = with_fitted(load_profile("raspberry-pi-4"), file)
    with pytest.raises(UsageError) as caught:
        latency_model(profile, SPACE, TASK)
    assert str(caught.value) == (
        f"{file}: measured on a processor (x86_64), which is not the device of"
        " profiles/raspberry-pi-4.toml"
    )


def test_a_model_of_another_thread_count_is_refused(file: Path) -> None:
    profile = with_fitted(a_board(), file)
    runtime = profile.runtime.model_copy(update={"threads": 4})
    with pytest.raises(UsageError) as caught:
        latency_model(profile.model_copy(update={"runtime": runtime}), SPACE, TASK)
    assert str(caught.value) == (
        f"{file}: runtime.threads is 4, the latency model's is 1"
    )


def test_a_model_of_a_forbidden_runtime_is_refused(file: Path) -> None:
    profile = with_fitted(a_board(), file)
    runtime = profile.runtime.model_copy(update={"deny": (FITTED.onnxruntime,)})
    with pytest.raises(UsageError) as caught:
        latency_model(profile.model_copy(update={"runtime": runtime}), SPACE, TASK)
    assert str(caught.value) == (
        f"{file}: measured with a runtime that the profile forbids, onnxruntime"
        f" {FITTED.onnxruntime} is on the profile's deny list"
    )
    assert caught.value.hint == f"{SQUARE.format(8, 1, 3)} --model {file}"


def test_a_model_that_contradicts_its_profile_is_told_without_a_data_set(
    file: Path,
) -> None:
    check_fitted(load_profile("x86-64"))
    profile = with_fitted(a_board(), file)
    check_fitted(profile)
    runtime = profile.runtime.model_copy(update={"threads": 4})
    with pytest.raises(UsageError, match=r"threads is 4, the latency model's is 1$"):
        check_fitted(profile.model_copy(update={"runtime": runtime}))


@pytest.mark.parametrize("time", [0, -1, float("inf")])
def test_a_damaged_observation_is_told(file: Path, time: float) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    data["observations"][3]["undisturbed_ms"] = str(time)
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match=r": no calibration \(undisturbed_ms is"):
        read_calibration(file)


def test_a_calibration_without_held_out_networks_is_told(file: Path) -> None:
    data = json.loads(file.read_text(encoding="utf-8"))
    for seen in data["observations"]:
        seen["source"] = "fit"
    file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(UsageError, match=r"too few networks in it, \d+, 0 held out"):
        read_calibration(file)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON object"),
        ("[]", "not a fitted latency model"),
        ('{"schema": 1}', "not a fitted latency model"),
        ('{"schema": 2, "fitted": {}}', "schema is 2, not 1"),
    ],
)
def test_a_file_that_is_no_model_is_refused(
    content: str, message: str, tmp_path: Path
) -> None:
    file = tmp_path / "board.json"
    file.write_text(content)
    with pytest.raises(ProfileError) as caught:
        with_fitted(load_profile("x86-64"), file)
    assert str(caught.value) == f"{file}: {message}"
    assert caught.value.hint == f"zonas-edge calibrate --profile x86-64 --model {file}"


def test_a_model_that_is_missing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProfileError) as caught:
        with_fitted(load_profile("x86-64"), tmp_path / "none.json")
    assert str(caught.value) == f"{tmp_path}/none.json: no such file"
    assert caught.value.hint == (
        f"zonas-edge calibrate --profile x86-64 --model {tmp_path}/none.json"
    )


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (-0.5, "kernel_ms[1][2] is -0.5, below 0"),
        ("1", 'kernel_ms[1][2] is "1", not a number'),
        (None, "kernel_ms[1] is [0.5, 0.5], of 2 entries, not 3"),
    ],
)
def test_a_figure_of_a_model_that_can_t_be_is_named(
    value: object, message: str, file: Path
) -> None:
    data = json.loads(file.read_text())
    row = [0.5, 0.5] if value is None else [0.5, 0.5, value]
    data["fitted"]["kernel_ms"][1] = row
    file.write_text(json.dumps(data))
    with pytest.raises(ProfileError) as caught:
        with_fitted(load_profile("x86-64"), file)
    assert str(caught.value) == f"{file}: {message}"
