"""Progress as lines, as a picture, and not at all."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from zonas_edge.profile import Budget
from zonas_edge.report.progress import Progress, duration, search_figures
from zonas_edge.retrain import RetrainRecord
from zonas_edge.search.record import EpochRecord
from zonas_edge.trials import TrialRecord

EPOCH = EpochRecord(
    epoch=3,
    train_loss=1.25,
    validation_loss=1.5,
    temperature=0.5,
    sizes=True,
    alpha_updates=1200,
    mean_maximum=0.75,
    mean_entropy=0.5,
    stable_epochs=1,
    strength=0.1,
    implicit_slope=0.1,
    direct_norm=0.1,
    expected={"parameters": 123456.4, "latency_p95_ms": 1.2345},
    mixture={},
)
RETRAIN = RetrainRecord(
    epoch=1, train_loss=0.5, val_loss=0.25, val_accuracy=0.875, best_epoch=1
)
TRIAL = TrialRecord(
    number=1,
    round=1,
    candidate=0,
    steps=40,
    train_loss=1.5,
    val_loss=0.75,
    val_accuracy=0.5,
)
BUDGET = Budget(parameters=800_000, latency_p95_ms=5.0)


class Clock:
    """Ten seconds pass between two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


def shown(*, quiet: bool = False, terminal: bool = False) -> str:
    buffer = io.StringIO()
    console = Console(
        file=buffer, force_terminal=terminal, width=100, soft_wrap=True, highlight=False
    )
    with Progress(quiet=quiet, console=console, clock=Clock()) as progress:
        progress.note("going on")
        progress.begin("search", BUDGET)
        progress.search_epoch(EPOCH, 50)
        progress.search_epoch(replace(EPOCH, epoch=4, validation_loss=None), 50)
        progress.selection()
        progress.trial(TRIAL, 6, 0.125)
        progress.trial(replace(TRIAL, number=5, round=2, steps=80), 6, 0.75)
        progress.begin("retrain")
        progress.retrain_epoch(RETRAIN, 100)
        progress.warn("licensed CC BY-NC\x1b[31m")
    return buffer.getvalue()


def test_elsewhere_than_on_a_terminal_every_epoch_is_a_line() -> None:
    """The resumed search began at epoch 3: ten seconds an epoch, 47 to go."""
    assert shown() == (
        "note: going on\n"
        "search 3/50: train loss 1.250, alpha loss 1.500, expected parameters 123,456"
        " of 800,000, expected latency 1.234 of 5 ms, entropy 0.500, mean maximum"
        " 0.750, alpha updates 1,200, time left 7:50\n"
        "search 4/50: train loss 1.250, alpha loss -, expected parameters 123,456"
        " of 800,000, expected latency 1.234 of 5 ms, entropy 0.500, mean maximum"
        " 0.750, alpha updates 1,200, time left 7:40\n"
        "selection: comparing networks drawn from the mixture\n"
        "trial 1/6: round 1, steps 40, val loss 0.750, val accuracy 0.500\n"
        "trial 5/6: round 2, steps 80, val loss 0.750, val accuracy 0.500,"
        " time left 0:04\n"
        "retrain 1/100: train loss 0.500, val loss 0.250, val accuracy 0.875,"
        " best epoch 1, time left 16:30\n"
        "warning: licensed CC BY-NC?[31m\n"
    )


def test_quiet_shows_warnings_alone() -> None:
    assert shown(quiet=True) == "warning: licensed CC BY-NC?[31m\n"


def test_a_terminal_gets_a_picture_and_warnings_stay(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")

    text = shown(terminal=True)

    assert "warning: licensed CC BY-NC?[31m" in text
    assert "search 3/50: " not in text
    assert text.endswith("\x1b[?25h" + text.rpartition("\x1b[?25h")[2])  # cursor back


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_that_asks_for_it_gets_lines(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)

    assert "search 3/50: train loss" in shown(terminal=True)


def test_a_cost_without_a_limit_says_so() -> None:
    figures = search_figures(EPOCH, Budget(parameters=800_000))

    assert figures["expected latency"] == "1.234 of no limit"


def test_a_cost_that_is_not_expected_is_left_out() -> None:
    figures = search_figures(replace(EPOCH, expected={}), BUDGET)

    assert not {"expected parameters", "expected latency"} & set(figures)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00"), (9, "0:09"), (750, "12:30"), (3723, "1:02:03")]
)
def test_a_duration_reads_like_a_clock(seconds: float, text: str) -> None:
    assert duration(seconds) == text
