"""Constraint levels: the published bands, in our count, with no device."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reports import a_profile, a_report
from tests.strategies import architectures
from zonas_edge.architecture import Architecture
from zonas_edge.constraint import constraints_of, latency_model
from zonas_edge.cost import paper_parameters, parameters
from zonas_edge.data.catalogue import catalogue
from zonas_edge.errors import ProfileError
from zonas_edge.profile import (
    BANDS,
    LEVELS,
    Level,
    load_profile,
    profile_from_dict,
    profile_on,
    shipped_profiles,
    with_fitted,
)
from zonas_edge.report.validation import report_text
from zonas_edge.runtimes import (
    check_consistent,
    load_consistent_profile,
    load_profile_or_level,
)
from zonas_edge.space import SearchSpace, TaskSpec

WITHOUT_DEVICE = "profile small: a constraint level, which has no device"


def test_the_bands_are_the_published_ones_digit_by_digit() -> None:
    """Two sets written out; the others are checked by their sum."""
    assert [*BANDS["breastmnist"]] == [
        (0, 221_694.8),
        (341_768.4, 506_491.6),
        (725_829.2, 1_122_505.2),
    ]
    assert [*BANDS["bloodmnist"]] == [
        (0, 153_310.4),
        (185_956.8, 238_168.0),
        (340_094.4, 822_670.4),
    ]
    ends = [end for bands in BANDS.values() for band in bands for end in band]
    assert len(BANDS) == 10
    assert math.fsum(ends) == pytest.approx(26_408_199.4, abs=0.05)


@pytest.mark.parametrize("dataset", BANDS)
def test_the_levels_of_a_set_are_apart_and_rise(dataset: str) -> None:
    small, medium, large = (Level(name).budget(dataset) for name in LEVELS)

    assert small.min_parameters is None
    assert medium.min_parameters is not None
    assert large.min_parameters is not None
    assert small.parameters < medium.min_parameters < medium.parameters
    assert medium.parameters < large.min_parameters < large.parameters


@given(
    architectures(SearchSpace(), connected=True),
    st.sampled_from(sorted(BANDS)),
    st.sampled_from(LEVELS),
)
def test_a_network_is_inside_just_if_its_published_count_is(
    architecture: Architecture, dataset: str, name: str
) -> None:
    """The published count takes every image for a gray one, whatever it is."""
    known = catalogue()[dataset]
    task = TaskSpec(known.channels, 28, 28, len(known.class_names))
    low, high = Level(name).band(dataset)
    gray = TaskSpec(1, 28, 28, task.classes)

    budget = Level(name).budget(dataset)

    published = low <= paper_parameters(architecture, gray) <= high
    count = parameters(architecture, task)
    assert published == ((budget.min_parameters or 0) <= count <= budget.parameters)


def test_the_ends_of_a_band_are_inside() -> None:
    """Organs: 135,159 published parameters are inside, 135,160 are not."""
    assert Level("small").budget("organsmnist").parameters == 135_159 - 208
    assert Level("medium").budget("organsmnist").min_parameters == 226_917 - 208
    assert Level("large").budget("organamnist").min_parameters == 1_000_027 - 208
    assert Level("small").budget("bloodmnist").parameters == 153_310 - 208 + 288


def test_a_level_on_a_set_is_a_profile_without_a_device() -> None:
    profile = profile_on(load_profile_or_level("medium"), "breastmnist")

    assert (profile.name, profile.device, profile.compute) == ("medium", None, None)
    assert profile.search_space == SearchSpace()
    assert profile.budget.latency_p95_ms is None
    assert profile.budget.model_kb is None
    check_consistent(profile)
    again = profile_from_dict(json.loads(json.dumps(profile.to_dict())), "run.json")
    assert again == profile
    names = [
        limit.name
        for limit in constraints_of(
            profile, profile.search_space, TaskSpec(1, 28, 28, 2)
        )
    ]
    assert names == ["parameters", "min_parameters"]


@pytest.mark.parametrize("name", shipped_profiles())
def test_what_every_shipped_device_loads_a_level_allows(name: str) -> None:
    level, shipped = profile_on(Level("small"), "breastmnist"), load_profile(name)

    assert level.runtime.max_opset <= shipped.runtime.max_opset
    assert level.runtime.max_ir <= shipped.runtime.max_ir


def test_a_profile_is_the_same_on_every_set() -> None:
    profile = load_profile_or_level("x86-64")

    assert profile_on(profile, "anything") is profile
    assert profile == load_consistent_profile("x86-64")


@pytest.mark.parametrize(
    ("dataset", "hint"),
    [
        ("digits", "zonas-edge profiles show large"),
        ("breastmnist_64", "did you mean breastmnist?"),
        ("/data/breastmnist.npz", "did you mean breastmnist?"),
    ],
)
def test_a_set_without_a_band_is_refused(dataset: str, hint: str) -> None:
    with pytest.raises(ProfileError) as caught:
        profile_on(Level("large"), dataset)

    assert str(caught.value) == f"profile large: no band was published for {dataset}"
    assert caught.value.hint == hint
    assert caught.value.exit_code == 2


def test_a_level_is_refused_where_a_device_is_needed() -> None:
    profile = profile_on(Level("small"), "breastmnist")
    for use in (
        lambda: load_profile("small"),
        lambda: profile.board,
        lambda: latency_model(profile, SearchSpace(), TaskSpec(1, 28, 28, 2)),
        lambda: with_fitted(profile, Path("model.json")),
    ):
        with pytest.raises(ProfileError) as caught:
            use()
        assert str(caught.value) == WITHOUT_DEVICE
        assert caught.value.hint == "zonas-edge profiles list"


def test_a_misspelt_level_is_recognised() -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile_or_level("smal")

    assert caught.value.hint == "did you mean small?"


def test_the_report_on_a_level_says_that_there_is_no_device() -> None:
    profile = a_profile().model_copy(
        update={"name": "small", "device": None, "compute": None}
    )

    report = a_report(profile=profile)
    text = report_text(report, width=200)

    assert report.verdict == "pass"
    assert report.latency_host.has_device is False
    assert report.latency_host.is_profile_device is False
    assert (
        "small is a constraint level, so there is no device to verify on: its limits"
        " are on the parameters alone.\n"
    ) in text
    assert "BCM2835 (aarch64), of no device of a profile\n" in text
