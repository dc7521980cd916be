"""Constraint levels: the published bands of parameter counts, in place of a profile.

The published code constrains its searches to three bands of each MedMNIST set: below
the 20th percentile of the counts of networks that an unconstrained search had found,
between the 40th and the 60th, and between the 80th and the 95th. A level is such a
band with no device: nothing limits the latency or the size of the file, and there is
nothing to verify on.

The bands are in the published count of 16 channels, so they are moved by its
difference from ours: 208 dead biases and unfolded shifts too many, and, for colour
images, the stem's 288 weights of two image channels too few. The same networks are
inside, but for edges that lead nowhere, which ours leaves out.

Source: the bound files of the published code of ZO-DARTS++, exact values.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from zonas_edge.errors import ProfileError, did_you_mean
from zonas_edge.profile.values import Budget, DeviceProfile, RuntimeLimits

PAPER_EXTRA = 208
"""Dead biases and unfolded shifts that the published count has on top of ours."""

LEVELS: tuple[str, ...] = ("small", "medium", "large")

Band = tuple[float, float]
"""Smallest and largest published count, inclusive; 0 is no lower bound."""

BANDS: Mapping[str, tuple[Band, Band, Band]] = MappingProxyType(
    {
        "organsmnist": (
            (0, 135_159.8),
            (226_916.6, 330_119.8),
            (498_411.0, 742_320.6),
        ),
        "organamnist": (
            (0, 335_579.0),
            (411_723.0, 607_345.4),
            (1_000_027.0, 1_323_960.6),
        ),
        "organcmnist": (
            (0, 204_225.4),
            (325_652.6, 496_737.4),
            (592_849.4, 829_866.2),
        ),
        "tissuemnist": (
            (0, 118_443.2),
            (138_187.2, 177_713.6),
            (244_772.8, 316_633.6),
        ),
        "pneumoniamnist": (
            (0, 331_864.4),
            (424_434.0, 617_720.4),
            (850_869.2, 1_340_079.6),
        ),
        "breastmnist": (
            (0, 221_694.8),
            (341_768.4, 506_491.6),
            (725_829.2, 1_122_505.2),
        ),
        "octmnist": (
            (0, 270_740.0),
            (441_076.0, 623_578.4),
            (885_652.0, 1_343_448.0),
        ),
        "bloodmnist": (
            (0, 153_310.4),
            (185_956.8, 238_168.0),
            (340_094.4, 822_670.4),
        ),
        "pathmnist": (
            (0, 175_807.4),
            (261_311.4, 393_909.8),
            (594_674.6, 917_349.0),
        ),
        "dermamnist": (
            (0, 192_019.8),
            (285_639.0, 487_331.8),
            (834_941.4, 1_420_619.8),
        ),
    }
)
"""Small, medium and large of each set, at 28x28."""

_COLOUR = {"pathmnist", "bloodmnist", "dermamnist"}
_COLOUR_LEFT_OUT = 288

_RUNTIME = RuntimeLimits(onnxruntime=">=1.10.0", python="3.6")
"""The oldest runtime of the shipped profiles, so that every device loads the file."""


@dataclass(frozen=True)
class Level:
    """A budget that depends on the data set, without a device.

    Args:
        name: ``small``, ``medium`` or ``large``.
    """

    name: str

    def band(self, dataset: str) -> Band:
        """The published band of a set.

        Raises:
            ProfileError: none was published for it.
        """
        if dataset not in BANDS:
            raise ProfileError(
                f"profile {self.name}: no band was published for {dataset}",
                did_you_mean(dataset.lower(), BANDS)
                or f"zonas-edge profiles show {self.name}",
            )
        return BANDS[dataset][LEVELS.index(self.name)]

    def budget(self, dataset: str) -> Budget:
        """The band of a set in our count.

        Raises:
            ProfileError: none was published for it.
        """
        low, high = self.band(dataset)
        ours = (_COLOUR_LEFT_OUT if dataset in _COLOUR else 0) - PAPER_EXTRA
        return Budget(
            parameters=math.floor(high) + ours,
            min_parameters=math.ceil(low) + ours if low else None,
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: the bands of every set, published and in our count."""
        return {
            "name": self.name,
            "bands": {
                dataset: {
                    "published": list(self.band(dataset)),
                    **self.budget(dataset).model_dump(
                        include={"parameters", "min_parameters"}
                    ),
                }
                for dataset in BANDS
            },
        }


ProfileOrLevel = DeviceProfile | Level


def profile_on(choice: ProfileOrLevel, dataset: str) -> DeviceProfile:
    """The profile itself, or that which a level means for a data set.

    Args:
        choice: what stood after ``--profile``.
        dataset: what stood after ``--dataset``.

    Raises:
        ProfileError: no band was published for the set.
    """
    if isinstance(choice, DeviceProfile):
        return choice
    return DeviceProfile(
        name=choice.name,
        path=choice.name,
        budget=choice.budget(dataset),
        runtime=_RUNTIME,
    )
