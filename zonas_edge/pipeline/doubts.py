"""What is to be doubted of a search that has come to its end."""

from typing import Any

from zonas_edge.artifact import Run
from zonas_edge.figures import count
from zonas_edge.search.method import METHODS, Method, Rows
from zonas_edge.search.settings import SearchSettings
from zonas_edge.trials import LEAST_STEPS

DECIDED = SearchSettings.confidence
"""Mean row maximum from which a search counts as decided."""


def search_doubts(run: Run) -> tuple[str, ...]:
    """Why the architecture may be no better than one drawn blindly, a sentence each."""
    record = run.read()
    found: dict[str, Any] = record.get("search", {})
    method = METHODS[record["request"]["method"]]
    # of a method that decides nothing one knows it
    doubts = _undecided(found, method) if method.decides else ()
    return (*doubts, *_untried(found, int(record["request"]["trial_epochs"])))


def _untried(found: dict[str, Any], epochs: int) -> tuple[str, ...]:
    """What is to be said where trials were asked for and none could be held."""
    if not epochs or found.get("ranked", 0) < 2 or found["trials"]["trials"]:  # noqa: PLR2004
        return ()
    doubt = (
        f"no candidate was tried: two of them take {2 * LEAST_STEPS} steps, more than"
        f" {count(epochs, 'epoch')} of trials have, so that the supernet's ranking"
        " chose; give it more --trial-epochs"
    )
    return (doubt,)


def _undecided(found: dict[str, Any], method: Method) -> tuple[str, ...]:
    updates = int(found.get("alpha_updates", 0))
    maximum = float(found.get("mean_maximum", 1.0))
    if not updates:
        return ("0 alpha updates: the search decided nothing; give it more --epochs",)
    if not found.get("converged") and maximum < DECIDED:
        doubt = (
            f"the search has not converged: mean row maximum {maximum:.2f}, below"
            f" {DECIDED}, after {count(updates, 'alpha update')}"
        )
        if method.rows is Rows.SOFTMAX:  # at the published rates, on data of any size
            return (f"{doubt}; rows of a softmax hardly ever get there",)
        return (f"{doubt}; give it more --epochs",)
    return ()
