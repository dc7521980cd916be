"""Architecture: the joint between the search and everything after it.

The search returns one, retraining builds from one, the report names one. It is a frozen
value, complete (operation, kernel and depth of every stage), hashable, and makes the
round trip through JSON. ``Mixture`` is its soft counterpart: probabilities over the
same decisions, as numpy arrays or torch tensors.

Source: ZO-DARTS++ (arXiv:2503.06092) and its published code for cell and stages; the
networks are drawn from the final probabilities, as there.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Generic, Self, TypeVar

import numpy as np
import numpy.typing as npt

from zonas_edge.figures import count
from zonas_edge.space import (
    EDGES,
    FIXED_KERNEL,
    KERNELS,
    NODES,
    OPS,
    STAGES,
    Op,
    SearchSpace,
)

SCHEMA = 1
CONV = OPS.index(Op.CONV)

Array = TypeVar("Array")


@dataclass(frozen=True)
class Mixture(Generic[Array]):
    """Probabilities of every decision of a space.

    Args:
        op: ``[stage, edge, op]``, each row over ``OPS``.
        kernel: ``[stage, edge, kernel]``, each row over ``KERNELS``; it matters where
            the edge's convolution has probability.
        depth: ``[stage, depth]``; column ``d`` means ``d + 1`` cells.
    """

    op: Array
    kernel: Array
    depth: Array


Probabilities = Mixture[npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Stage:
    """The decisions of one stage, shared by its cells.

    Args:
        operations: candidate of each edge, in the order of ``EDGES``.
        kernels: kernel side of each edge's convolution, None for other candidates.
        depth: number of cells, >= 1.
    """

    operations: tuple[Op, ...]
    kernels: tuple[int | None, ...]
    depth: int

    def __post_init__(self) -> None:
        """Refuse what is no stage."""
        if len(self.operations) != len(EDGES) or len(self.kernels) != len(EDGES):
            raise ValueError(f"a stage has {len(EDGES)} edges")
        for op, kernel in zip(self.operations, self.kernels, strict=True):
            if (op is Op.CONV) != (kernel in KERNELS):
                raise ValueError(f"{op.value} with kernel {kernel}")
        if self.depth < 1:
            raise ValueError(f"depth is {self.depth}, below 1")

    def simplified(self) -> Self:
        """The same function with every edge off the paths from input to output cut."""
        live = [
            (source, target)
            for (source, target), op in zip(EDGES, self.operations, strict=True)
            if op is not Op.NONE
        ]
        forward, backward = {0}, {NODES - 1}
        for source, target in sorted(live, key=lambda edge: edge[1]):
            if source in forward:
                forward.add(target)
        for source, target in sorted(live, reverse=True):
            if target in backward:
                backward.add(source)
        kept = [
            op is not Op.NONE and source in forward and target in backward
            for (source, target), op in zip(EDGES, self.operations, strict=True)
        ]
        return replace(
            self,
            operations=tuple(
                op if keep else Op.NONE
                for op, keep in zip(self.operations, kept, strict=True)
            ),
            kernels=tuple(
                kernel if keep else None
                for kernel, keep in zip(self.kernels, kept, strict=True)
            ),
        )

    @property
    def connected(self) -> bool:
        """True if the cell's output depends on its input."""
        return any(op is not Op.NONE for op in self.simplified().operations)


@dataclass(frozen=True)
class Architecture:
    """One network of the space.

    Args:
        channels: feature maps of the first stage.
        stages: the decisions of each stage.
    """

    channels: int
    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        """Refuse what is no architecture."""
        if len(self.stages) != STAGES:
            raise ValueError(f"{len(self.stages)} stages, not {STAGES}")

    def simplified(self) -> Self:
        """The same function without edges that lead nowhere."""
        return replace(self, stages=tuple(stage.simplified() for stage in self.stages))

    @property
    def connected(self) -> bool:
        """True if the image reaches the classifier through every stage."""
        return all(stage.connected for stage in self.stages)

    def belongs_to(self, space: SearchSpace) -> bool:
        """True if the space contains this network."""
        return (
            self.channels == space.channels
            and (space.sizes or len(set(self.stages)) == 1)
            and all(
                stage.depth in space.depths
                and all(k is None or k in space.kernels for k in stage.kernels)
                for stage in self.stages
            )
        )

    def to_json(self) -> dict[str, Any]:
        """A JSON object; ``from_json`` reads it back."""
        return {
            "schema": SCHEMA,
            "channels": self.channels,
            "stages": [
                {
                    "depth": stage.depth,
                    "edges": [
                        {"from": a, "to": b, "op": op.value}
                        | ({"kernel": kernel} if kernel else {})
                        for (a, b), op, kernel in zip(
                            EDGES, stage.operations, stage.kernels, strict=True
                        )
                    ],
                }
                for stage in self.stages
            ],
        }

    @classmethod
    def from_json(cls, data: Any) -> Self:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: if the object is no architecture of schema 1.
        """
        try:
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema is {data['schema']}, not {SCHEMA}")
            stages = []
            for stage in data["stages"]:
                edges = stage["edges"]
                if [(edge["from"], edge["to"]) for edge in edges] != list(EDGES):
                    raise ValueError("edges are not those of a cell")
                stages.append(
                    Stage(
                        operations=tuple(Op(edge["op"]) for edge in edges),
                        kernels=tuple(edge.get("kernel") for edge in edges),
                        depth=int(stage["depth"]),
                    )
                )
            return cls(channels=int(data["channels"]), stages=tuple(stages))
        except (KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"no architecture: {error}") from error

    def summary(self) -> str:
        """One line a stage: depth, then the candidate of each live edge."""
        lines = []
        for number, stage in enumerate(self.stages, 1):
            edges = [
                f"{a}>{b} {op.value if kernel is None else f'{kernel}x{kernel}'}"
                for (a, b), op, kernel in zip(
                    EDGES, stage.operations, stage.kernels, strict=True
                )
                if op is not Op.NONE
            ]
            cells = count(stage.depth, "cell")
            lines.append(f"stage {number}: {cells} of {', '.join(edges)}")
        return "\n".join(lines)


def smallest(space: SearchSpace) -> Architecture:
    """The cheapest network of the space: one identity from input to output a stage."""
    stage = Stage(
        operations=(*[Op.NONE] * 3, Op.SKIP, *[Op.NONE] * 2),
        kernels=(None,) * len(EDGES),
        depth=min(space.depths),
    )
    return Architecture(channels=space.channels, stages=(stage,) * STAGES)


def largest(space: SearchSpace) -> Architecture:
    """The network with the most weights: the widest kernel everywhere, full depth."""
    stage = Stage(
        operations=(Op.CONV,) * len(EDGES),
        kernels=(max(space.kernels),) * len(EDGES),
        depth=space.max_depth,
    )
    return Architecture(channels=space.channels, stages=(stage,) * STAGES)


def every_one_cell(space: SearchSpace) -> Iterator[Architecture]:
    """Every network of a space without sizes: one cell for all stages, 15,625 of them.

    Those that are not connected are among them.
    """
    for operations in product(OPS, repeat=len(EDGES)):
        stage = Stage(
            operations=operations,
            kernels=tuple(FIXED_KERNEL if op is Op.CONV else None for op in operations),
            depth=space.max_depth,
        )
        yield Architecture(channels=space.channels, stages=(stage,) * STAGES)


def one_hot(
    architecture: Architecture, max_depth: int
) -> Mixture[npt.NDArray[np.int64]]:
    """The mixture that is certain of ``architecture``.

    Kernel rows of edges without a convolution name the first kernel; they matter to
    nobody.
    """
    op = np.zeros((STAGES, len(EDGES), len(OPS)), np.int64)
    kernel = np.zeros((STAGES, len(EDGES), len(KERNELS)), np.int64)
    depth = np.zeros((STAGES, max_depth), np.int64)
    for s, stage in enumerate(architecture.stages):
        depth[s, stage.depth - 1] = 1
        for e, (chosen, side) in enumerate(
            zip(stage.operations, stage.kernels, strict=True)
        ):
            op[s, e, OPS.index(chosen)] = 1
            kernel[s, e, KERNELS.index(side) if side else 0] = 1
    return Mixture(op=op, kernel=kernel, depth=depth)


def architecture_of(
    op: npt.NDArray[np.int64],
    kernel: npt.NDArray[np.int64],
    depth: npt.NDArray[np.int64],
    *,
    channels: int,
) -> Architecture:
    """The architecture with the given columns.

    Args:
        op: ``[stage, edge]``, columns of ``OPS``.
        kernel: ``[stage, edge]``, columns of ``KERNELS``.
        depth: ``[stage]``; column ``d`` means ``d + 1`` cells.
        channels: feature maps of the first stage.
    """
    return Architecture(
        channels=channels,
        stages=tuple(
            Stage(
                operations=tuple(OPS[o] for o in op[s]),
                kernels=tuple(
                    KERNELS[k] if o == CONV else None
                    for o, k in zip(op[s], kernel[s], strict=True)
                ),
                depth=int(depth[s]) + 1,
            )
            for s in range(STAGES)
        ),
    )


def derive(mixture: Probabilities, *, channels: int) -> Architecture:
    """The most probable candidate of every decision; a tie goes to the first column.

    It is not simplified, and may not be connected.
    """
    return architecture_of(
        mixture.op.argmax(-1),
        mixture.kernel.argmax(-1),
        mixture.depth.argmax(-1),
        channels=channels,
    )


FLOOR = 1e-6
"""Probability below which a decision of a network to be compared doesn't fall."""


def log_probability(architecture: Architecture, mixture: Probabilities) -> float:
    """Natural logarithm of the probability of drawing ``architecture``, unsimplified.

    A decision counts as ``FLOOR`` at least, so that networks outside the support can
    still be compared.

    Args:
        architecture: a network of the mixture's space.
        mixture: probabilities.
    """
    total = 0.0
    for s, stage in enumerate(architecture.stages):
        total += math.log(max(FLOOR, mixture.depth[s, stage.depth - 1]))
        for e, (op, side) in enumerate(
            zip(stage.operations, stage.kernels, strict=True)
        ):
            total += math.log(max(FLOOR, mixture.op[s, e, OPS.index(op)]))
            if side:
                total += math.log(max(FLOOR, mixture.kernel[s, e, KERNELS.index(side)]))
    return total
