"""Words in a line: the user's, which may hold what breaks one, and counted things."""


def plain(text: str) -> str:
    """A user's word without line breaks or terminal control characters."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def short_commit(commit: str) -> str:
    """Ten digits of a commit, and whether the code differed from it."""
    digits, plus, changes = commit.partition("+")
    return f"{digits[:10]}{plus}{changes}"


def latency_source(source: str) -> str:
    """What stands behind an expected latency, so that nobody takes it for measured."""
    if source == "fitted":
        return "predicted by the fitted model, not measured"
    return "an estimate, not measured"
