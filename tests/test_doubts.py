"""What is doubted of a search, from its record alone."""

from pathlib import Path

import pytest

from zonas_edge.artifact import create_run
from zonas_edge.pipeline.doubts import search_doubts

DECIDED = {"alpha_updates": 9, "mean_maximum": 0.95, "converged": False}


@pytest.mark.parametrize(
    ("method", "epochs", "ranked", "trials"),
    [
        ("zo-darts++", 0, 5, 0),  # nobody asked for trials
        ("zo-darts++", 1, 1, 0),  # nothing to choose from
        ("random-single", 1, 0, 0),
        ("zo-darts++", 9, 5, 2),
    ],
)
def test_a_choice_that_was_made_as_asked_is_not_doubted(
    tmp_path: Path, method: str, epochs: int, ranked: int, trials: int
) -> None:
    assert doubts(tmp_path, method, epochs, ranked, trials=trials) == ()


@pytest.mark.parametrize(
    ("method", "epochs", "words"),
    [("zo-darts++", 1, "1 epoch"), ("random", 18, "18 epochs")],
)
def test_trials_that_were_asked_for_and_not_held_are_told(
    tmp_path: Path, method: str, epochs: int, words: str
) -> None:
    (doubt,) = doubts(tmp_path, method, epochs, 2, trials=0)
    assert doubt == (
        f"no candidate was tried: two of them take 320 steps, more than {words} of"
        " trials have, so that the supernet's ranking chose; give it more"
        " --trial-epochs"
    )


def doubts(
    folder: Path, method: str, epochs: int, ranked: int, *, trials: int
) -> tuple[str, ...]:
    run = create_run(folder, "one")
    run.update(
        request={"method": method, "trial_epochs": epochs},
        search={**DECIDED, "ranked": ranked, "trials": {"trials": trials}},
    )
    return search_doubts(run)
