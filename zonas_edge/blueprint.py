"""Blueprint: what a run's network is built from, whichever way it was come by.

An architecture of the search space, or a reference network by its name. A run's
``architecture.json`` holds one; costs, retraining, export and reports take either.
"""

from typing import Any

from zonas_edge.architecture import Architecture
from zonas_edge.reference import KIND, Reference

Blueprint = Architecture | Reference


def blueprint_from_json(data: Any) -> Blueprint:
    """Read what ``to_json`` of either kind wrote.

    Args:
        data: ``kind`` names a reference network; without it, an architecture.

    Raises:
        ValueError: if the object is neither.
    """
    kind = data.get("kind") if isinstance(data, dict) else None
    if kind is None:
        return Architecture.from_json(data)
    if kind != KIND:
        raise ValueError(f"kind is {kind!r:.40}, not {KIND}")
    return Reference.from_json(data)
