"""What the user asked for: the part of a run's record that decides its result.

A run goes on only under the request it was begun with. ``folder`` (where the files of
a known set lie) is left out of that comparison, since it changes nothing.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zonas_edge.artifact import Run
from zonas_edge.data.batches import stratified_halves, stratified_sample
from zonas_edge.data.dataset import Dataset
from zonas_edge.data.load import load_dataset
from zonas_edge.errors import DatasetError, UsageError
from zonas_edge.profile import DeviceProfile, profile_from_dict
from zonas_edge.reference import ReferenceName
from zonas_edge.search.method import METHODS
from zonas_edge.seed import derived_seed

_REFERENCES = {name.value for name in ReferenceName}

RETRAINED_UNDER = "retrain_environment"
"""Key of the record: the host of a retraining that was begun by itself."""
CONTINUED_UNDER = "continued_under"
"""Key of the record: hosts that went on with the run and differ from the first."""


@dataclass(frozen=True)
class Request:
    """A run as it was asked for.

    Args:
        profile: the device and its budget.
        dataset: a known name, or the path of the user's own data.
        seed: of everything random, >= 0.
        epochs: of the search; a reference network has none.
        retrain_epochs: of retraining.
        trial_epochs: passes over the train split that all trials of candidates may
            take together; 0 leaves the choice to the supernet's ranking.
        method: how to search, a name of ``search.method``; or a reference network.
        device: ``cpu`` or ``cuda``, as resolved.
        flip: the user's word that a mirrored image keeps its class.
        classes: class names for own data, or None.
        data_dir: where the files of known sets lie, or None for the usual places.
        search_images: of the train split that the search learns from, about so many
            (rounded up a class, and two of each at least); None for all. Trials and
            retraining learn from all of them whatever this says.
    """

    profile: DeviceProfile
    dataset: str
    seed: int
    epochs: int
    retrain_epochs: int
    trial_epochs: int
    method: str
    device: str
    flip: bool = False
    classes: tuple[str, ...] | None = None
    data_dir: Path | None = None
    search_images: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """The request as ``run.json`` holds it."""
        return {
            "profile": self.profile.to_dict(),
            "dataset": self.dataset,
            "seed": self.seed,
            "epochs": self.epochs,
            "retrain_epochs": self.retrain_epochs,
            "trial_epochs": self.trial_epochs,
            "search_images": self.search_images,
            "method": self.method,
            "device": self.device,
            "flip": self.flip,
            "classes": None if self.classes is None else list(self.classes),
            "data_dir": None if self.data_dir is None else str(self.data_dir),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any], where: str) -> Self:
        """Read what ``to_dict`` gave.

        Raises:
            UsageError: the record is damaged.
        """
        try:
            return cls(
                profile=profile_from_dict(data["profile"], where),
                dataset=str(data["dataset"]),
                seed=int(data["seed"]),
                epochs=int(data["epochs"]),
                retrain_epochs=int(data["retrain_epochs"]),
                trial_epochs=int(data["trial_epochs"]),
                method=_known_method(str(data["method"])),
                device=str(data["device"]),
                flip=bool(data["flip"]),
                classes=tuple(data["classes"]) if data["classes"] else None,
                data_dir=Path(data["data_dir"]) if data["data_dir"] else None,
                search_images=_number(data.get("search_images")),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{where}: no request that can be read ({error})",
                "begin a new run",
            ) from None

    @property
    def reference(self) -> ReferenceName | None:
        """The reference network that is asked for, None for a search."""
        return ReferenceName(self.method) if self.method in _REFERENCES else None

    def difference(self, other: Self) -> str | None:
        """The first setting that differs from another request's, in words, or None."""
        mine, theirs = self.to_dict(), other.to_dict()
        for key in mine:
            # where a profile, its model or a set lies is no part of what it says
            if key == "data_dir":
                continue
            a, b = mine[key], theirs[key]
            if key == "profile":
                a, b = ({**part, "path": "", "latency": {}} for part in (a, b))
                if a != b:
                    return (
                        f"the profile is {self.profile.name},"
                        f" the run's was {other.profile.name} with other figures"
                        if self.profile.name == other.profile.name
                        else f"the profile is {self.profile.name},"
                        f" the run's is {other.profile.name}"
                    )
            elif a != b:
                return f"{key.replace('_', '-')} is {a}, the run's is {b}"
        return None


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _known_method(name: str) -> str:
    """A method's or a reference network's name, found in a record."""
    return name if name in _REFERENCES else METHODS[name].name.value


def request_of(run: Run) -> Request:
    """The request a run was begun with."""
    return Request.from_dict(run.read().get("request", {}), str(run.record))


def open_dataset(
    run: Run, request: Request, *, offline: bool, progress: bool
) -> Dataset:
    """The run's data set, the same as at its beginning.

    The first opening writes what the set is into the record; the later ones compare.

    Raises:
        DatasetError: its content has changed since the run began, or it is gone.
    """
    dataset = load_dataset(
        request.dataset,
        data_dir=request.data_dir,
        offline=offline,
        flip=request.flip,
        classes=request.classes,
        progress=progress,
    )
    same_data(run, dataset)
    return dataset


def same_data(run: Run, dataset: Dataset) -> None:
    """Write what the data are into the record, or see that they are still the same.

    Raises:
        DatasetError: their content has changed since the run began.
    """
    known = run.read().get("dataset")
    if known is None:
        run.update(dataset=describe(dataset))
    elif known.get("sha256") != dataset.sha256:
        raise DatasetError(
            f"{dataset.source}: sha-256 is {dataset.sha256}, but the run"
            f" {run.name} was begun on {known.get('sha256')}",
            "bring the data back as they were, or begin a new run",
        )


def describe(dataset: Dataset) -> dict[str, Any]:
    """What a run records of its data."""
    return {
        "name": dataset.name,
        "source": dataset.source,
        "sha256": dataset.sha256,
        "licence": dataset.licence,
        "image": [dataset.task.channels, dataset.task.height, dataset.task.width],
        "class_names": list(dataset.class_names),
        "train": len(dataset.train),
        "val": len(dataset.val),
        "test": dataset.test_count,
        "notes": list(dataset.notes),
    }


def halves(
    dataset: Dataset, seed: int, images: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Places in the train split: the weights' half, the alphas' half.

    Args:
        dataset: whose train split is searched on.
        seed: of the run.
        images: of both halves together; None for all. Each class has its share of
            them, rounded up, and an image in each half.
    """
    rng = np.random.default_rng(derived_seed(seed, "halves"))
    labels = dataset.train.labels
    if images is None:
        return stratified_halves(labels, rng)
    sampling = np.random.default_rng(derived_seed(seed, "search images"))
    chosen = stratified_sample(labels, images, sampling, least=2)
    first, second = stratified_halves(labels[chosen], rng)
    return chosen[first], chosen[second]
