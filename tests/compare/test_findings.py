"""What rows say together, by hand on small grids."""

from dataclasses import replace

import pytest

from tests.compare.rows import a_grid, a_row
from zonas_edge.compare.findings import COVERAGES, contrasts, findings, fronts
from zonas_edge.compare.row import Row
from zonas_edge.compare.statistics import Difference


def test_a_group_is_what_differs_by_its_seed_alone() -> None:
    found = [one for one in findings(a_grid()) if one.figure == "accuracy"]
    counts = {(one.group.method, one.group.budget): one.summary.count for one in found}
    assert counts == {
        ("zo-darts++", 1000): 3,
        ("random", 1000): 3,
        ("resnet18", 1000): 3,
        ("zo-darts++", 2000): 3,
        ("random", 2000): 2,
        ("resnet18", 2000): 3,
    }
    assert found[0].summary.mean == pytest.approx(0.87 + 0.005 / 3)


def test_a_figure_that_no_row_has_is_left_out() -> None:
    figures = {one.figure for one in findings([a_row(searched=False)])}
    assert "search_seconds" not in figures
    assert "accuracy_max_over_test_epochs" not in figures
    assert "accuracy" in figures


def test_methods_are_compared_pair_by_pair_and_a_missing_partner_is_left_out() -> None:
    found = [
        one
        for one in contrasts(a_grid(), "zo-darts++")
        if (one.method, one.figure) == ("random", "accuracy")
    ]
    (pooled,) = found
    summary = pooled.difference.summary
    assert pooled.pooled
    assert pooled.datasets == ("digits",)
    assert summary.count == 3
    assert summary.mean == pytest.approx(-0.02)
    assert summary.sd == pytest.approx(0.0, abs=1e-12)


def test_several_data_sets_are_pooled_and_told_apart() -> None:
    rows = a_grid() + a_grid(dataset="breastmnist")
    found = {
        (one.datasets, one.pooled): one.difference.summary.count
        for one in contrasts(rows, "zo-darts++")
        if (one.method, one.figure) == ("random", "auc")
    }
    assert found == {
        (("digits", "breastmnist"), True): 6,
        (("digits",), False): 3,
        (("breastmnist",), False): 3,
    }


def test_a_method_of_one_set_among_several_is_compared_on_that_alone() -> None:
    rows = [*a_grid(), a_row("random", 0, dataset="breastmnist")]
    told = {
        (one.datasets, one.pooled)
        for one in contrasts(rows, "zo-darts++")
        if one.method == "random"
    }
    assert told == {(("digits",), True)}


def dominated(rows: list[Row]) -> dict[tuple[str, str], Difference]:
    return {
        (one.method, one.figure): one.difference
        for one in contrasts(rows, "a")
        if one.figure in COVERAGES
    }


def test_a_share_dominated_is_of_one_seed_s_networks_and_of_no_third_method() -> None:
    """Seed 0: a dominates one of b's two, b none; seed 1: neither; seed 2: b's does."""

    def wide(method: str, accuracy: float, parameters: int) -> Row:
        return a_row(
            method,
            profile="pi-2000",
            budget=2000,
            accuracy=accuracy,
            parameters=parameters,
        )

    rows = [
        a_row("a", 0, accuracy=0.9, parameters=900),
        a_row("b", 0, accuracy=0.85, parameters=950),
        wide("a", accuracy=0.9, parameters=1500),
        wide("b", accuracy=0.95, parameters=1200),
        a_row("a", 1, accuracy=0.8, parameters=900),
        a_row("b", 1, accuracy=0.8, parameters=900),
        a_row("a", 2, accuracy=0.8, parameters=900),
        a_row("b", 2, accuracy=0.8, parameters=800),
        a_row("c", 0, accuracy=0.99, parameters=1),
    ]
    found = dominated(rows)["b", "dominated_by_parameters"].summary
    # b's share minus a's: 1/2 - 1/2, since 1,200 parameters dominate 1,500; 0; 1 - 0
    assert found.count == 3
    assert found.mean == pytest.approx((0.0 + 0.0 + 1.0) / 3)
    untimed = [replace(row, latency_undisturbed_ms=None) for row in rows]
    assert ("b", "dominated_by_latency") in dominated(rows)
    assert ("b", "dominated_by_latency") not in dominated(untimed)


def test_a_network_beyond_its_budget_neither_dominates_nor_is_dominated() -> None:
    rows = [
        a_row("a", 0, accuracy=0.9, parameters=500),
        a_row("b", 0, accuracy=0.8, parameters=1001),
        a_row("a", 1, accuracy=0.9, parameters=500),
        a_row("b", 1, accuracy=0.8, parameters=1000),
    ]
    found = dominated(rows)["b", "dominated_by_parameters"].summary
    assert (found.count, found.mean) == (1, -1.0)


def test_the_same_networks_under_a_second_budget_show_nothing_more() -> None:
    """Else every further budget would narrow the interval by itself."""
    gains = (0.0, 0.01, 0.03)

    def under(profile: str) -> list[Row]:
        return [
            a_row(method, seed, profile=profile, accuracy=0.8 + gain)
            for seed, own in enumerate(gains)
            for method, gain in (("zo-darts++", 0.0), ("random", own))
        ]

    once = contrasts(under("pi-1000"), "zo-darts++")
    assert contrasts(under("pi-1000") + under("pi-2000"), "zo-darts++") == once
    assert once[0].difference.summary.count == len(gains)


def test_a_network_beyond_its_budget_does_not_stretch_the_rectangle() -> None:
    """Only those within their budgets span it: 0.1 by 1000 to 2000 parameters."""
    rows = [
        a_row("a", 0, accuracy=0.8, parameters=1000),
        a_row("a", 0, profile="pi-2000", budget=2000, accuracy=0.9, parameters=2000),
        a_row("b", 0, accuracy=0.85, parameters=1000),
        a_row("b", 0, profile="pi-2000", budget=2000, accuracy=0.8, parameters=1500),
        a_row("resnet18", 0, accuracy=0.95, parameters=11_000),
        a_row("resnet18", 0, profile="pi-2000", accuracy=0.95, parameters=11_000),
    ]
    found = {one.method: one for one in fronts(rows) if one.cost == "parameters"}
    assert found["a"].points == ((1000.0, 0.8), (2000.0, 0.9))
    assert found["a"].hypervolume == 0.0
    assert found["b"].hypervolume == pytest.approx(0.5)
    assert found["resnet18"].points == ((11_000.0, 0.95),)
    assert found["resnet18"].hypervolume == 0.0


def test_more_networks_reach_no_further_by_their_number() -> None:
    """A third seed that the other method has not, the best of all."""
    alike = [
        a_row(method, seed, accuracy=0.8 + seed / 100 + gain, parameters=900 - seed)
        for seed in range(2)
        for method, gain in (("a", 0.02), ("b", 0.0))
    ]
    lucky = a_row("b", 2, accuracy=0.99, parameters=100)
    assert fronts([*alike, lucky]) == fronts(alike)
    assert {one.count for one in fronts(alike)} == {2}
    assert fronts([alike[0], lucky]) == ()
    untimed = [replace(row, latency_undisturbed_ms=None) for row in alike]
    assert {one.cost for one in fronts(untimed)} == {"parameters"}


def test_a_network_beyond_a_limit_does_not_stretch_it_either() -> None:
    slow = [
        replace(a_row("b", seed, accuracy=0.9, parameters=1000), limits_kept=False)
        for seed in range(2)
    ]
    rows = [
        a_row("a", 0, accuracy=0.8, parameters=500),
        a_row("a", 1, accuracy=0.85, parameters=900),
        *slow,
    ]
    found = {one.method: one for one in fronts(rows) if one.cost == "parameters"}
    assert found["b"].hypervolume == 0.0
    assert found["a"].hypervolume == fronts(rows[:2])[0].hypervolume


def test_a_seed_s_front_counts_no_network_beyond_its_budget() -> None:
    """1 by 1 inside: the larger budget would have room for b's second network."""
    rows = [
        a_row("a", 0, accuracy=0.8, parameters=1000),
        a_row("b", 0, accuracy=0.9, parameters=1500),
        *(
            replace(row, profile="pi-2000", budget=2000)
            for row in (
                a_row("a", 0, accuracy=0.9, parameters=1500),
                a_row("b", 0, accuracy=0.8, parameters=1900),
            )
        ),
    ]
    found = {one.method: one for one in fronts(rows) if one.cost == "parameters"}
    assert found["a"].hypervolume == pytest.approx(0.5)  # 1,500 of 1,000 to 2,000
    assert found["b"].hypervolume == 0.0
    assert found["b"].by_seed is not None
    assert found["b"].by_seed.mean == 0.0


def test_a_row_survives_its_json() -> None:
    row = replace(a_row(largest=0.95), verdict="unverified")
    assert Row.from_dict(row.to_dict() | {"later": 1}) == row


def test_no_network_is_left_out_for_what_was_found_on_test() -> None:
    """A missed gate of the profile is a verdict on accuracy, which is compared here."""
    rows = [
        a_row("a", 0, accuracy=0.9, parameters=800),
        replace(a_row("b", 0, accuracy=0.8, parameters=900), verdict="fail"),
    ]
    found = {one.figure: one for one in contrasts(rows, "a")}
    assert found["dominated_by_parameters"].difference.summary.mean == -1.0


@pytest.mark.parametrize(
    ("parameters", "kept", "inside"),
    [(900, None, True), (900, True, True), (900, False, False), (1001, True, False)],
)
def test_inside_is_a_matter_of_the_limits(
    parameters: int, kept: bool | None, inside: bool
) -> None:
    row = replace(a_row(parameters=parameters), verdict="fail", limits_kept=kept)
    assert row.inside is inside
    assert not replace(row, min_parameters=parameters + 1).inside


def test_a_row_from_before_verdicts_were_kept_can_be_read() -> None:
    data = a_row().to_dict()
    del data["verdict"]
    del data["limits_kept"]
    assert Row.from_dict(data) == a_row()
    del data["auc"]
    with pytest.raises(KeyError, match="auc"):
        Row.from_dict(data)
