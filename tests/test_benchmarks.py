"""The speed benchmarks say what they promise; their yardsticks compute what we do."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.scripts import ROOT, script
from zonas_edge.cost import parameters
from zonas_edge.nn.network import Network
from zonas_edge.search.alphas import Alphas
from zonas_edge.space import SearchSpace, TaskSpec

TINY = ("--quick", "--json", "--channels", "2", "--side", "8", "--repeats", "1")
ENVIRONMENT = {"machine", "threads", "torch", "python", "date", "commit", "device"}


def files() -> set[Path]:
    """All that lies in benchmarks/ but what Python itself leaves there."""
    found = (ROOT / "benchmarks").rglob("*")
    return {path for path in found if "__pycache__" not in path.parts}


def told(name: str, *words: str) -> dict[str, Any]:
    """The one object that a benchmark prints, and that it has written nothing."""
    before = files()
    command = [sys.executable, "-W", "error", f"benchmarks/{name}.py", *TINY, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert files() == before
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["environment"].keys() >= ENVIRONMENT
    assert result["environment"]["machine"].keys() == {"cpu", "machine", "cores"}
    return result


@pytest.mark.slow
def test_search_speed_prints_what_it_promises() -> None:
    result = told("search_speed", "--batches", "4")
    phases = {"dense", "size", "sparse"}
    for key in ("ratio", "fraction_of_floor"):
        assert result[key].keys() == phases
        assert all(value > 0 for value in result[key].values())
    assert result["ratio_batch"] == 4
    assert result["full_search_seconds"] is None
    assert result["full_search"]["breastmnist"]["reason"] == "left out: --quick"
    live = {row["phase"]: row["live_candidates"] for row in result["rows"]}
    assert live == {"dense": 1.0, "size": 1.0, "late": pytest.approx(46 / 90)}
    assert all(
        len(row["textbook_seconds_per_window"]["samples"]) == 1
        for row in result["rows"]
    )


@pytest.mark.slow
def test_retrain_speed_prints_what_it_promises() -> None:
    result = told("retrain_speed", "--batch", "4", "--images", "8")
    assert result["ratio"] > 0
    assert result["images"] == 8
    for which in ("textbook", "our"):
        found = result[f"{which}_images_per_second"]
        assert found["min"] <= found["median"] <= found["max"]


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
    dense, size, *late = cases.phases(quick=False)
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
