"""The speed benchmarks say what they promise; their yardsticks compute what we do."""

import json
import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.scripts import ROOT, script
from zonas_edge.cost import parameters
from zonas_edge.nn.network import Network
from zonas_edge.nn.spectral import chosen_for_spectra
from zonas_edge.report.words import short_commit
from zonas_edge.search.alphas import Alphas
from zonas_edge.space import KERNELS, STAGES, SearchSpace, TaskSpec

TINY = ("--channels", "2", "--side", "8")
DEVICES = pytest.mark.parametrize(
    "device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)]
)
ENVIRONMENT = {"machine", "threads", "torch", "python", "date", "commit", "device"}


def files() -> set[Path]:
    """All that lies in benchmarks/ but what Python itself leaves there."""
    found = (ROOT / "benchmarks").rglob("*")
    return {path for path in found if "__pycache__" not in path.parts}


def told(name: str, *words: str) -> dict[str, Any]:
    """The one object that a benchmark prints, and that it has written nothing."""
    before = files()
    command = [sys.executable, "-W", "error", f"benchmarks/{name}.py"]
    command += ["--quick", "--json", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert files() == before
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["environment"].keys() >= ENVIRONMENT
    assert result["environment"]["machine"].keys() == {"cpu", "machine", "cores"}
    return result


@pytest.mark.slow
@DEVICES
def test_search_speed_prints_what_it_promises(device: str) -> None:
    words = (*TINY, "--repeats", "1", "--batches", "4", "--device", device)
    result = told("search_speed", *words)
    phases = {"dense", "size", "sparse"}
    for key in ("ratio", "fraction_of_floor"):
        assert result[key].keys() == phases
        assert all(value > 0 for value in result[key].values())
    assert result["ratio_batch"] == 4
    assert result["full_search_seconds"] is None
    assert result["full_search"]["breastmnist"]["reason"] == "left out of this run"
    live = {row["label"]: row["live_candidates"] for row in result["rows"]}
    assert live == {"dense": 1.0, "size": 1.0, "late80": pytest.approx(46 / 90)}
    timed = {row["label"]: row["textbook_timed_in"] for row in result["rows"]}
    assert timed == {"dense": "dense", "size": "size", "late80": "size"}
    assert all(
        len(row["textbook_seconds_per_window"]["samples"]) == 1
        for row in result["rows"]
    )


@pytest.mark.slow
@DEVICES
def test_retrain_speed_prints_what_it_promises(device: str) -> None:
    words = (*TINY, "--repeats", "1", "--batch", "4", "--images", "8")
    result = told("retrain_speed", *words, "--device", device)
    assert result["ratio"] > 0
    assert result["images"] == 8
    for which in ("textbook", "our"):
        found = result[f"{which}_images_per_second"]
        assert found["min"] <= found["median"] <= found["max"]


@pytest.mark.slow
@DEVICES
def test_growth_prints_what_it_promises(device: str) -> None:
    """On CUDA it is a whole search there: checkpoints, ranking and all."""
    result = told("growth", "--repeats", "1", "--device", device)
    assert [row["grows"] for row in result["rows"]] == ["images", "epochs"]
    for row in result["rows"]:
        assert row["seconds"].keys() == row["ratio"].keys() == {"1", "2", "4"}
        assert row["ratio"]["1"] == 1
        assert 0 <= row["deviation"] < math.inf


@pytest.mark.slow
@DEVICES
def test_slopes_prints_what_it_promises(device: str) -> None:
    words = (*TINY, "--batch", "4", "--windows", "2", "--device", device)
    result = told("slopes", *words)
    lower = {"float32", "bfloat16"} | ({"tf32"} if device == "cuda" else set())
    for phase in ("dense", "size"):
        rows = [row for row in result["rows"] if row["phase"] == phase]
        assert {row["precision"] for row in rows} == lower
        assert {row["term"] for row in rows} == {"direct", "implicit", "total"}
        for row in rows:
            assert row["windows"] == 2
            assert 0 <= row["sign_agreement"] <= 1
        direct = {
            row["precision"]: row["error_over_signal"]
            for row in rows
            if row["term"] == "direct"
        }
        # the precisions differ, and in the order of their digits
        assert 0 < direct["float32"] < direct["bfloat16"]


@pytest.mark.slow
@DEVICES
def test_estimators_prints_what_it_promises(device: str) -> None:
    words = ["--dataset", "digits", "--channels", "2", "--device", device]
    words += ["--rates", "default rate", "--directions", "1", "--warmup", "1"]
    words += ["--depth", "1"]
    rows = told("estimators", *words, "--threads", "1")["rows"]
    assert [row["phase"] for row in rows] == ["dense", "size"]
    assert [row["entries"] for row in rows] == [90, 90 + 54 + 3]
    for row in rows:
        names = [slope["estimator"] for slope in row["slopes"]]
        assert names[0] == "direct alone"
        assert {slope["passes"] for slope in row["slopes"]} == {11, 21, 31}
        assert len(row["steps"]) == 3 * (len(names) - 1)
        assert all(-1 <= slope["correlation"] <= 1 for slope in row["slopes"])
        along = row["along_direct"]
        assert along.keys() == {"truth", *names}
        assert {len(slopes) for slopes in along.values()} == {2}


def test_alignment_is_the_cosine_of_a_step_with_the_true_gradient() -> None:
    """A gradient half of which goes through alpha, and half through the weights."""
    estimators = script("estimators")
    draw = np.random.default_rng(0)
    direct, implicit = np.array([[3.0, 0, 0, 0], [0, 3.0, 0, 0]])
    directions = draw.normal(size=(4000, 4))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    seen = [
        estimators.Seen(
            truth=(direct + implicit) @ along,
            direct=direct @ along,
            direct_gradient=torch.tensor(direct),
            implicit={"exact": implicit @ along},
        )
        for along in directions
    ]
    found = estimators.judged([seen, seen], 4)
    assert found["truth_norm_squared"] == pytest.approx(18, rel=0.05)
    steps = {row["rho"]: row["alignment"] for row in found["steps"]}
    assert steps[0.0] == pytest.approx(math.sqrt(1 / 2), rel=0.05)
    updates = direct + 4 * (directions @ implicit)[:, None] * directions
    products = updates @ (direct + implicit)
    norms = np.sqrt(18 * np.mean(np.sum(updates**2, axis=1)))
    assert steps[4.0] == pytest.approx(float(np.mean(products) / norms), rel=0.05)
    exact, alone = found["slopes"][1], found["slopes"][0]
    assert exact["correlation"] == pytest.approx(1)
    assert exact["sign_agreement"] == 1
    assert alone["correlation"] == pytest.approx(math.sqrt(1 / 2), rel=0.05)


def test_fresh_draws_are_tried_along_the_mean_direct_gradient() -> None:
    estimators = script("estimators")

    def a_seen(direct: float, gradient: list[float]) -> Any:
        return estimators.Seen(
            truth=5.0,
            direct=direct,
            direct_gradient=torch.tensor(gradient),
            implicit={"some": 0.5},
        )

    class Stand:
        """From where the second entry of alpha has all of the slope."""

        def draw(self) -> None:
            """Nothing that matters here."""

        def seen(self, draw: None, directions: list[torch.Tensor]) -> list[Any]:
            assert draw is None
            (direction,) = directions
            return [a_seen(7 * float(direction[1]), [0.0, 7.0])]

    before = [[a_seen(0.0, [6.0, 0.0])], [a_seen(0.0, [0.0, 8.0])]]
    assert estimators.along_direct(Stand(), before, 2) == {
        "truth": [5.0, 5.0],
        "direct alone": pytest.approx([5.6, 5.6]),
        "some": pytest.approx([6.1, 6.1]),
    }


def test_slopes_are_of_direct_convolutions() -> None:
    """Autocast would compute the spectra's products in bfloat16 too."""
    slopes = script("slopes")
    for s in range(STAGES):
        channels, side = slopes.CHANNELS * 2**s, slopes.SIDE // 2**s
        x = torch.empty(slopes.BATCH, channels, side, side)
        edges = [torch.empty(channels, channels, k, k) for k in (*KERNELS, 1)] * 3
        assert chosen_for_spectra(x, edges) == []


def test_growth_on_a_straight_line_deviates_by_nothing() -> None:
    growth, measuring = script("growth"), script("measuring")

    def row(*seconds: float) -> dict[str, Any]:
        pairs = zip(growth.TIMES, seconds, strict=True)
        found = {n: measuring.Samples((taken,)) for n, taken in pairs}
        result: dict[str, Any] = growth.row("images", found)
        return result

    straight = row(5.0, 8.0, 14.0)
    assert straight["deviation"] == pytest.approx(0, abs=1e-9)
    assert straight["constant_seconds"] == pytest.approx(2)
    assert straight["ratio"] == {"1": 1.0, "2": 1.6, "4": 2.8}
    assert row(1.0, 4.0, 16.0)["deviation"] > 0.3


def test_the_readme_tells_growth_in_a_row_for_what_grows() -> None:
    spread = {"median": 2.0, "min": 1.9, "max": 2.1}
    seconds = dict.fromkeys(("1", "2", "4"), spread)
    facts = {"device": "cpu", "threads": 2, "torch": "2.13", "date": "2026-11-22"}
    machine = {"cpu": "Xeon", "cores": 2}
    found = script("speed_tables").growth(
        {
            "images": 512,
            "epochs": 10,
            "rows": [{"grows": "images", "seconds": seconds, "deviation": 0.0123}],
            "environment": facts | {"machine": machine, "commit": "0123456789abcdef"},
        }
    )
    assert found == (
        "**Growth** (Xeon, 2 cores, 2 threads, torch 2.13, 2026-11-22, commit"
        " 0123456789), seconds; 1x is 512 images and 10 epochs\n\n"
        "| what grows | 1x | 2x | 4x | off a straight line |\n"
        "|---|--:|--:|--:|--:|\n"
        "| images | 2 (1.9-2.1) | 2 (1.9-2.1) | 2 (1.9-2.1) | at most 1.2% |"
    )


def test_samples_are_taken_by_turns_and_the_first_changes() -> None:
    order: list[str] = []

    def work(name: str, seconds: float) -> Callable[[], float]:
        def done() -> float:
            order.append(name)
            return seconds

        return done

    works = [work("a", 1.0), work("b", 2.0), work("c", 3.0)]
    samples = script("measuring").interleaved(works, 3)
    assert "".join(order) == "abccbaabc"
    assert [found.seconds for found in samples] == [(1.0,) * 3, (2.0,) * 3, (3.0,) * 3]


def piece(batch: int, ratio: float, **changes: Any) -> dict[str, Any]:
    """A part of search_speed's result."""
    made = {
        "environment": {"commit": "a", "date": "2026-11-22", "threads": 2},
        "quick": False,
        "shape": {"channels": 16},
        "rows": [{"batch": batch, "progress": 0.4, "label": "size", "ratio": ratio}],
        "matrix_gflops": {"float32": ratio},
        "convolution_gflops": {},
        "peak_memory_mib": {str(batch): {"engine": ratio}},
        "full_search": {},
    }
    return made | changes


def test_a_piece_joins_what_was_measured_and_replaces_what_it_measured_anew() -> None:
    joined = script("pieces").joined
    both = joined(piece(64, 3.0), piece(16, 2.0))
    assert [(row["batch"], row["ratio"]) for row in both["rows"]] == [(16, 2), (64, 3)]
    assert both["peak_memory_mib"] == {"64": {"engine": 3.0}, "16": {"engine": 2.0}}
    again = joined(both, piece(64, 4.0))
    assert [(row["batch"], row["ratio"]) for row in again["rows"]] == [(16, 2), (64, 4)]


def test_a_piece_of_other_code_or_another_machine_is_refused(tmp_path: Path) -> None:
    begun, path = script("pieces").begun, tmp_path / "speed.json"
    assert begun(path, piece(64, 3.0)) is None
    before = piece(64, 3.0)
    path.write_text(json.dumps(before))
    later = {"commit": "a", "date": "2026-11-23", "threads": 2}
    assert begun(path, piece(16, 2.0, environment=later)) == before
    other = later | {"commit": "b", "threads": 1}
    with pytest.raises(SystemExit) as refused:
        begun(path, piece(16, 2.0, environment=other))
    message = f"{path}: differs in commit, threads; --anew begins it anew"
    assert refused.value.code == message


def test_what_follows_from_the_rows_is_of_batch_64_if_it_is_there() -> None:
    summarised = script("search_figures").summarised
    rows = [
        {"batch": batch, "label": label, "ratio": ratio, "fraction_of_floor": 0.5}
        for batch, label, ratio in (
            (16, "size", 2.0),
            (64, "size", 3.0),
            (64, "late60", 5.0),
            (64, "late80", 8.0),
            (256, "size", 4.0),
        )
    ]
    found = summarised({"rows": rows, "full_search": {"breastmnist": {"seconds": 9}}})
    assert found["ratio"] == {"size": 3.0, "sparse": 8.0}
    assert found["full_search_seconds"] == 9
    left_out = {"seconds": None, "reason": "left out of this run"}
    assert found["full_search"]["organsmnist_shape"] == left_out
    assert summarised({"rows": rows[:1], "full_search": {}})["ratio"] == {"size": 2.0}


def test_the_late_mixtures_are_those_that_were_recorded() -> None:
    late, source = script("mixtures").late_mixtures()
    assert [entry.share for entry in late] == [0.6, 0.8, 1.0]
    assert source["recorded_epochs"] == [18, 24, 30]
    for entry in late:
        mixture = Alphas(entry.alpha(), SearchSpace()).mixture(
            entry.temperature, sizes=True
        )
        for name, rows in entry.mixture.items():
            recorded = torch.tensor(rows, dtype=torch.float64)
            found = getattr(mixture, name)
            assert torch.equal(found > 0, recorded > 0)
            torch.testing.assert_close(found, recorded, atol=1e-6, rtol=0)


def test_the_floor_counts_what_has_probability_and_nothing_else() -> None:
    """In the 7x7 phase: the fixed blocks, and a 1x1 and a 7x7 on each of 18 edges."""
    cases = script("cases")
    dense, size, *late = cases.phases()
    space, task = SearchSpace(), TaskSpec(1, 28, 28, 2)
    found = []
    for phase in (dense, size, *late):
        alphas = Alphas(phase.alpha, space)
        mixture = alphas.mixture(phase.temperature, sizes=phase.sizes)
        found.append(cases.live_macs(mixture, space, task))
    cell = 6 * (49 + 1) * 16**2 * 28**2  # every stage has as many
    fixed = 9 * 16 * 28**2 + 64 * 2
    fixed += (9 * 32 * (16 + 32) + 16 * 32) * 14**2
    fixed += (9 * 64 * (32 + 64) + 32 * 64) * 7**2
    assert found[0] == fixed + 9 * cell
    assert found[1] == fixed + 9 * 6 * (49 + 25 + 9 + 1) * 16**2 * 28**2
    assert found[1] > found[2] > found[3] > found[4] > fixed


def test_the_textbook_s_derived_network_is_ours() -> None:
    speed, textbook = script("retrain_speed"), script("textbook_retrain")
    task = TaskSpec(1, 28, 28, 2)
    architecture = speed.architecture()
    assert architecture.connected
    assert architecture == architecture.simplified()
    assert parameters(architecture, task) == 310_690
    ours = Network(architecture, task, torch.Generator().manual_seed(0))
    plain = textbook.Network(speed.STAGES, 16, image_channels=1, classes=2)
    plain.load_state_dict(ours.state_dict())
    images = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    for network in (ours, plain):
        network.train()
    torch.testing.assert_close(plain(images), ours(images))
    for network in (ours, plain):
        network.eval()
    torch.testing.assert_close(plain(images), ours(images))


def test_the_textbook_s_average_follows_its_weights() -> None:
    textbook = script("textbook_retrain")
    stages = ((("skip", "none", "none", 3, "pool", "none"), 1),) * 3
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = textbook.Network(stages, 2, image_channels=1, classes=2)
    training = textbook.TextbookRetraining(network, share=0.25)
    start = network.head.classifier.weight.detach().clone()
    images = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    training.step(images, torch.arange(4) % 2)
    now = network.head.classifier.weight.detach()
    assert not torch.equal(now, start)
    averaged = training.average.head.classifier.weight
    torch.testing.assert_close(averaged, 0.75 * start + 0.25 * now)


def test_the_table_of_loading_tells_what_loads_and_what_was_not_tried() -> None:
    file: dict[str, Any] = {"dataset": "digits", "test_images": 9}
    file |= {"bytes": 2048, "opset": 13, "ir": 7}
    files = [
        {**file, "run": run, "kind": kind, "producer": "us", "sha256": "ab" * 32}
        for run, kind in (("a", "fp32"), ("b", "fp32"), ("a", "int8"))
    ]
    found: dict[str, Any] = {"onnxruntime": "1.2.3", "python": "3.6.9"}
    found |= {"machine": "arm", "emulator": "qemu-arm", "images": 9, "near_ties": 1}
    found |= {
        "accuracy": 0.5,
        "max_abs_dp": 1e-6,
        "changed": 2,
        "changed_from_float": 4,
    }
    rows = [
        {**found, "device": "x", "run": "a", "kind": "fp32", "loads": True},
        {"device": "x", "run": "b", "kind": "fp32", "loads": False, "reason": "no"},
        {"device": "x", "run": "a", "kind": "int8", "loads": False, "reason": "no"},
        {**found, "device": "z", "run": "b", "kind": "int8", "loads": True},
    ]
    environment: dict[str, Any] = {"machine": {"cpu": "a cpu"}}
    environment |= {
        "packages": {"onnx": "1.0"},
        "date": "2026-11-22",
        "commit": "0123456789abcdef",
    }
    missing = {"y": "no Python 3.6 here"}
    text = script("load_tables").load_matrix(
        {
            "reference": "onnxruntime 1.2.4 on this machine",
            "files": files,
            "rows": rows,
            "not_measured": missing,
            "environment": environment,
        }
    )
    lines = text.splitlines()
    assert lines[2:6] == [
        (
            "| 1.2.3 | 3.6.9 | arm, emulated | fp32 | 1 of 2 | 2 of 9 | 1 | 1.0e-06"
            " | 4 | 0.500 / - |"
        ),
        "| x | | | int8 | 0 of 1 | | | | | |",
        (
            "| 1.2.3 | 3.6.9 | arm, emulated | int8 | 1 of 1 | 2 of 9 | 1 | 1.0e-06"
            " | 4 | - / 0.500 |"
        ),
        "| y | | | | not measured: no Python 3.6 here | | | | | |",
    ]
    assert {line.count("|") for line in lines[:6]} == {11}
    assert lines[-1].startswith("Compared with onnxruntime 1.2.4 on this machine. ")


def a_record(**replaced: Any) -> dict[str, Any]:
    environment = {"cpu": "a processor", "machine": "x86_64", "commit": "a" * 40}
    return {
        "environment": environment | replaced,
        "created": "2026-11-27T20:46:44.769341+00:00",
    }


def test_evidence_is_of_the_machine_and_commit_of_its_runs() -> None:
    made_then = script("evidence").made_then
    told = made_then([a_record(), a_record()])
    assert told == {
        "machine": {"cpu": "a processor", "machine": "x86_64"},
        "date": "2026-11-27",
        "commit": "a" * 40,
    }
    for record, refusal in (
        (a_record(commit="b" * 40), "the runs are of commit a"),
        (a_record(cpu="another"), "the runs are of cpu a processor, another"),
        (a_record() | {"commits": ["a" * 40, "b" * 40]}, "the runs are of commit a"),
    ):
        with pytest.raises(SystemExit, match=f"^{refusal}"):
            made_then([a_record(), record])
    with pytest.raises(SystemExit, match="code that is no commit"):
        made_then([a_record(commit="a" * 40 + "+changes")])


def test_a_shortened_commit_tells_of_changes() -> None:
    assert short_commit("0123456789abcdef") == "0123456789"
    assert short_commit("0123456789abcdef+changes") == "0123456789+changes"
    assert short_commit("unknown") == "unknown"
