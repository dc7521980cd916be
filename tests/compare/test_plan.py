"""The grid as the options mean it."""

from pathlib import Path
from typing import Any

import pytest

from zonas_edge.compare.plan import (
    Cell,
    Settings,
    Source,
    budgets_of,
    cells_of,
    methods_of,
    profiles_of,
)
from zonas_edge.errors import ProfileError, UsageError
from zonas_edge.profile import load_profile

SETTINGS = Settings(
    epochs=3,
    retrain_epochs=5,
    trial_epochs=4,
    device="cpu",
    threads=1,
    published_protocol=False,
    search_images=1000,
)
TWICE = (
    "digits-x86-64-1000-zo-darts++-seed0: two cells of this name, of digits under"
    " profiles/x86-64.toml and of ./digits.npz under profiles/x86-64.toml"
)
DIGITS = Source("digits", "digits", None, flip=False, facts={})


def a_plan(**replaced: Any) -> tuple[Cell, ...]:
    options: dict[str, Any] = {
        "methods": ("zo-darts++", "resnet18", "mobilenetv2"),
        "sources": (DIGITS,),
        "profiles": profiles_of(["x86-64"], [1000, 2000]),
        "seeds": 2,
    }
    return cells_of(SETTINGS, **(options | replaced))


def test_searches_learn_from_as_many_images_and_reference_networks_have_none() -> None:
    asked = {cell.request.method: cell.request.search_images for cell in a_plan()}
    assert asked == {"zo-darts++": 1000, "resnet18": None, "mobilenetv2": None}


def test_the_methods_alternate_within_a_seed() -> None:
    assert [cell.name for cell in a_plan()][:6] == [
        "digits-x86-64-1000-zo-darts++-seed0",
        "digits-x86-64-1000-resnet18-seed0",
        "digits-x86-64-1000-mobilenetv2-seed0",
        "digits-x86-64-2000-zo-darts++-seed0",
        "digits-x86-64-1000-resnet18-seed0",
        "digits-x86-64-2000-mobilenetv2-seed0",
    ]


def test_a_network_that_no_budget_changes_is_made_once_and_stands_under_each() -> None:
    found = [cell for cell in a_plan() if cell.request.method == "resnet18"]
    assert len({cell.name for cell in found}) == 2  # the seeds
    assert [cell.facts()["budget"] for cell in found] == [1000, 2000, 1000, 2000]


def test_a_budget_takes_the_place_of_every_limit_and_of_the_gates() -> None:
    profile = {cell.profile.name: cell for cell in a_plan()}["x86-64-1000"].profile
    assert profile.budget.model_dump(exclude_none=True) == {"parameters": 1000}
    assert profile.acceptance.model_dump(exclude_none=True) == {"min_sensitivity": {}}
    assert profile.runtime == load_profile("x86-64").runtime


def test_a_reference_network_has_no_epochs_of_a_search() -> None:
    epochs = {cell.request.method: cell.request.epochs for cell in a_plan()}
    assert epochs == {"zo-darts++": 3, "resnet18": 0, "mobilenetv2": 0}


def test_long_names_are_cut_where_they_say_least() -> None:
    long = "Acevedo2020_peripheral_blood_cells_28x28_stratified_by_patient"
    source = Source(long, f"./{long}.npz", None, flip=False, facts={})
    names = [
        cell.name
        for cell in a_plan(
            sources=(source,),
            methods=("zo-darts++-paper", "zo-darts++"),
            profiles=profiles_of(["raspberry-pi-zero-2w"], [100_000]),
        )
    ]
    assert len(set(names)) == 4
    assert max(map(len, names)) == 80
    tail = "-raspberry-pi-zero-2w-100000-zo-darts++-paper-seed0"
    assert names[0] == long[: 80 - len(tail)] + tail


def test_a_level_is_the_band_of_its_data_set() -> None:
    breast = Source("breastmnist", "breastmnist", Path("/d"), flip=False, facts={})
    (cell,) = a_plan(
        methods=("zo-darts++",),
        sources=(breast,),
        profiles=profiles_of(["medium"], []),
        seeds=1,
    )
    facts = cell.facts()
    assert (facts["min_parameters"], facts["budget"]) == (341_561, 506_283)


@pytest.mark.parametrize(
    ("mistake", "kind", "message", "hint"),
    [
        (
            lambda: methods_of(["resnet"]),
            UsageError,
            "--methods: no method named resnet",
            "did you mean --methods resnet18?",
        ),
        (
            lambda: budgets_of(["100k"]),
            UsageError,
            "--budgets: '100k' is no number of parameters from 1 to 1,000,000,000,000",
            "--budgets 100000,250000",
        ),
        (
            lambda: budgets_of(["0"]),
            UsageError,
            "--budgets: '0' is no number of parameters from 1 to 1,000,000,000,000",
            "--budgets 100000,250000",
        ),
        (
            lambda: budgets_of(["9999999999999"]),
            UsageError,
            (
                "--budgets: '9999999999999' is no number of parameters from 1 to"
                " 1,000,000,000,000"
            ),
            "--budgets 100000,250000",
        ),
        (
            lambda: profiles_of(["small"], [1000]),
            UsageError,
            "--budgets: profile small is a budget itself",
            "leave out --budgets, or name a device's profile",
        ),
        (
            lambda: a_plan(profiles=profiles_of(["small"], [])),
            ProfileError,
            "profile small: no band was published for digits",
            "zonas-edge profiles show small",
        ),
        (
            lambda: a_plan(
                sources=(DIGITS, Source("digits", "./digits.npz", None, False, {}))
            ),
            UsageError,
            TWICE,
            "give one of the files another name",
        ),
    ],
    ids=["method", "word", "zero", "huge", "level", "band", "twice"],
)
def test_a_mistake_is_told_in_one_line(
    mistake: Any, kind: type[UsageError], message: str, hint: str
) -> None:
    with pytest.raises(kind) as told:
        mistake()
    assert str(told.value) == message
    assert told.value.hint == hint
