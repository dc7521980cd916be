"""The grid: which networks are made, under which request each.

A cell is a whole request, so that it is the ordinary run of its settings; nothing that
a comparison decides is hidden outside of the run's own record.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zonas_edge.data.dataset import Dataset
from zonas_edge.errors import UsageError, did_you_mean
from zonas_edge.pipeline.begin import run_name
from zonas_edge.pipeline.request import Request
from zonas_edge.profile import (
    LARGEST_COUNT,
    Acceptance,
    Budget,
    DeviceProfile,
    Level,
    ProfileOrLevel,
    profile_on,
)
from zonas_edge.reference import ReferenceName
from zonas_edge.runtimes import load_profile_or_level
from zonas_edge.search.method import METHODS


@dataclass(frozen=True)
class Settings:
    """What all cells of a comparison share, and what a resumption may not change.

    Args:
        epochs: of every search, >= 1.
        retrain_epochs: of every retraining, >= 1.
        trial_epochs: of all trials of a cell's candidates together, >= 0.
        device: ``cpu`` or ``cuda``, as resolved.
        threads: of torch in every worker, >= 1.
        published_protocol: measure the test split after every retraining epoch too.
        search_images: of train that every search learns from, about; None for all.
    """

    epochs: int
    retrain_epochs: int
    trial_epochs: int
    device: str
    threads: int
    published_protocol: bool
    search_images: int | None = None


@dataclass(frozen=True)
class Source:
    """A data set of the grid, without its images.

    Args:
        name: short name, which no other of the grid has.
        source: what opens it again.
        folder: where its file was found, or None.
        flip: the user's word that a mirrored image keeps its class.
        facts: as a run records them.
    """

    name: str
    source: str
    folder: Path | None
    flip: bool
    facts: dict[str, Any]

    @classmethod
    def of(cls, dataset: Dataset, *, flip: bool, facts: dict[str, Any]) -> "Source":
        """What is kept of a data set that was loaded."""
        folder = None if dataset.folder is None else Path(dataset.folder)
        return cls(dataset.name, dataset.source, folder, flip, facts)


@dataclass(frozen=True)
class Cell:
    """One row to be: a run's name, and what its network is made under.

    Args:
        name: of the run's folder; cells whose network is the same share it.
        dataset: name of the data set.
        request: what the run is made under.
        profile: what the row stands under; the request's own unless a run is shared.
    """

    name: str
    dataset: str
    request: Request
    profile: DeviceProfile

    def facts(self) -> dict[str, Any]:
        """What tells the cell apart in a table."""
        budget = self.profile.budget
        return {
            "run": self.name,
            "method": self.request.method,
            "dataset": self.dataset,
            "profile": self.profile.name,
            "budget": budget.parameters,
            "min_parameters": budget.min_parameters,
            "seed": self.request.seed,
        }


def methods_of(names: Sequence[str]) -> tuple[str, ...]:
    """The methods of the grid, each once: searches and reference networks.

    Raises:
        UsageError: there is no such method.
    """
    known = [*METHODS, *ReferenceName]
    for name in names:
        if name not in known:
            raise UsageError(
                f"--methods: no method named {name}",
                did_you_mean(name.lower(), known, "--methods ")
                or f"--methods with some of {', '.join(known)}",
            )
    return tuple(dict.fromkeys(names))


def profiles_of(
    names: Sequence[str], budgets: Sequence[int]
) -> tuple[ProfileOrLevel, ...]:
    """The profiles of the grid.

    Args:
        names: shipped names, files, or constraint levels.
        budgets: parameters; () for each profile's own budget.

    Raises:
        ProfileError: a profile that can't be used.
        UsageError: a budget for a constraint level, which is one.
    """
    profiles = [load_profile_or_level(name) for name in dict.fromkeys(names)]
    if not budgets:
        return tuple(profiles)
    found = []
    for profile in profiles:
        if isinstance(profile, Level):
            raise UsageError(
                f"--budgets: profile {profile.name} is a budget itself",
                "leave out --budgets, or name a device's profile",
            )
        found += [with_budget(profile, number) for number in dict.fromkeys(budgets)]
    return tuple(found)


def with_budget(profile: DeviceProfile, parameters: int) -> DeviceProfile:
    """A profile whose one limit is a number of parameters.

    Methods are compared under the same number of weights, so that nothing else of the
    device may bind; its space, its runtime and its latency model stay.

    Args:
        profile: of the device.
        parameters: weights of the deployed network, at most, >= 1.
    """
    return profile.model_copy(
        update={
            "name": f"{profile.name}-{parameters}",
            "budget": Budget(parameters=parameters),
            "acceptance": Acceptance(),
        }
    )


def budgets_of(words: Sequence[str]) -> tuple[int, ...]:
    """Numbers of parameters from the words of ``--budgets``.

    Raises:
        UsageError: a word that is no number of parameters.
    """
    found = []
    for word in words:
        if not (word.isdecimal() and 0 < int(word) <= LARGEST_COUNT):
            raise UsageError(
                f"--budgets: {word!r} is no number of parameters from 1 to"
                f" {LARGEST_COUNT:,}",
                "--budgets 100000,250000",
            )
        found.append(int(word))
    return tuple(found)


def cells_of(
    settings: Settings,
    *,
    methods: Sequence[str],
    sources: Sequence[Source],
    profiles: Sequence[ProfileOrLevel],
    seeds: int,
) -> tuple[Cell, ...]:
    """Every cell, in the order in which they are made.

    Data sets come one after another, since a worker keeps one in memory; within a set
    the methods alternate, so that what is there at any time can be compared.

    Raises:
        UsageError: two different cells would have the same name.
        ProfileError: a constraint level has no band for a data set.
    """
    cells = tuple(_cells(settings, methods, sources, profiles, seeds))
    taken: dict[str, Cell] = {}
    for cell in cells:
        other = taken.setdefault(cell.name, cell)
        if other.request != cell.request:
            raise UsageError(
                f"{cell.name}: two cells of this name, of {other.request.dataset} under"
                f" {other.request.profile.path} and of {cell.request.dataset} under"
                f" {cell.request.profile.path}",
                "give one of the files another name",
            )
    return cells


def _cells(
    settings: Settings,
    methods: Sequence[str],
    sources: Sequence[Source],
    choices: Sequence[ProfileOrLevel],
    seeds: int,
) -> Iterator[Cell]:
    for source in sources:
        profiles = [profile_on(choice, source.name) for choice in choices]
        for seed in range(seeds):
            for profile in profiles:
                for method in methods:
                    made = _made_under(method, profile, profiles)
                    request = _request(settings, source, method, made, seed)
                    words = (source.name, made.name, method, f"seed{seed}")
                    yield Cell(run_name(*words), source.name, request, profile)


def _made_under(
    method: str, profile: DeviceProfile, profiles: Sequence[DeviceProfile]
) -> DeviceProfile:
    """The first profile under which a method makes the same file.

    A reference network of one width is what it is under every budget.
    """
    if method in list(ReferenceName) and not ReferenceName(method).scales:
        return next(one for one in profiles if one.runtime == profile.runtime)
    return profile


def _request(
    settings: Settings, source: Source, method: str, profile: DeviceProfile, seed: int
) -> Request:
    return Request(
        profile=profile,
        dataset=source.source,
        seed=seed,
        epochs=settings.epochs if method in METHODS else 0,
        retrain_epochs=settings.retrain_epochs,
        trial_epochs=settings.trial_epochs if method in METHODS else 0,
        method=method,
        device=settings.device,
        flip=source.flip,
        data_dir=source.folder,
        search_images=settings.search_images if method in METHODS else None,
    )
