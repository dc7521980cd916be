"""What is to be doubted of a search that has come to its end."""

from typing import Any

from zonas_edge.artifact import Run
from zonas_edge.search.method import METHODS, Rows

DECIDED = 0.9
"""Mean row maximum from which a search counts as decided (algorithm.md, section 13)."""


def search_doubts(run: Run) -> tuple[str, ...]:
    """Why the architecture may be no better than one drawn blindly, a sentence each."""
    record = run.read()
    method = METHODS[record["request"]["method"]]
    if not method.decides:
        return ()  # which is what it says of itself
    found: dict[str, Any] = record.get("search", {})
    updates = int(found.get("alpha_updates", 0))
    maximum = float(found.get("mean_maximum", 1.0))
    if not updates:
        return ("0 alpha updates: the search decided nothing; give it more --epochs",)
    if not found.get("converged") and maximum < DECIDED:
        doubt = (
            f"the search has not converged: mean row maximum {maximum:.2f}, below"
            f" {DECIDED}, after {updates:,} alpha"
            f" update{'' if updates == 1 else 's'}"
        )
        if method.rows is Rows.SOFTMAX:  # at the published rates, on data of any size
            return (f"{doubt}; rows of a softmax hardly ever get there",)
        return (f"{doubt}; give it more --epochs",)
    return ()
