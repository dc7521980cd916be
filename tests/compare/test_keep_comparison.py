"""What is committed of a comparison, and what is refused."""

from typing import Any

import pytest

from tests.compare.rows import a_grid, a_row
from tests.scripts import script

CLEAN = "0123456789abcdef"


def some_results(**replaced: Any) -> dict[str, Any]:
    facts = {
        "name": "digits",
        "image": [1, 8, 8],
        "train": 1266,
        "val": 178,
        "test": 353,
    }
    facts["source"] = "/home/me/data/digits.npz"
    rows = a_grid() + a_grid(dataset="breastmnist")
    results: dict[str, Any] = {
        "schema": 1,
        "rows": [row.to_dict() for row in rows],
        "failures": [{"dataset": "digits", "run": "x", "message": "y"}],
        "reference": "zo-darts++",
        "environment": {
            "device": "cpu",
            "cpu": "a processor",
            "torch": "2.13",
            "onnxruntime": "1.31",
        },
        "clock": [
            {
                "cpu": "another processor",
                "onnxruntime": "1.32",
                "date": "2026-11-27",
                "commit": CLEAN,
            }
        ],
        "commit": CLEAN,
        "commits": [CLEAN],
        "mixed": [],
        "datasets": {"digits": facts, "breastmnist": {**facts, "name": "breastmnist"}},
        "settings": {
            "methods": ["zo-darts++", "random", "resnet18"],
            "seeds": 3,
            "epochs": 3,
            "retrain_epochs": 5,
            "workers": 2,
            "threads": 1,
            "search": {"digits": {"zo-darts++": {"batch_size": 32}}},
            "retrain": {"digits": {"batch_size": 32}},
        },
    }
    return results | replaced


def test_a_file_holds_one_data_set() -> None:
    kept = script("keep_comparison").parts(some_results(), "2026-11-22")
    assert list(kept) == ["digits", "breastmnist"]
    digits = kept["digits"]
    assert {row["dataset"] for row in digits["rows"]} == {"digits"}
    assert digits["settings"]["search"] == {"zo-darts++": {"batch_size": 32}}
    assert digits["settings"]["retrain"] == {"batch_size": 32}
    assert len(digits["failures"]) == 1
    assert digits["dataset"]["source"] == "digits.npz"
    assert kept["breastmnist"]["failures"] == []
    assert digits.keys() >= {"schema", "rows", "environment", "commit", "settings"}


def test_a_network_that_stands_under_two_budgets_keeps_both_rows() -> None:
    script_ = script("keep_comparison")
    rows = [
        a_row("resnet18", 0, profile=f"pi-{budget}", budget=budget).to_dict()
        | {"run": "shared"}
        for budget in (1000, 2000)
    ]
    assert len(script_.joined([some_results(rows=rows)])["rows"]) == 2


def test_parts_that_contradict_each_other_are_refused() -> None:
    script_ = script("keep_comparison")
    row = a_row().to_dict()
    slower = row | {"search_seconds": 999.0, "test_openings": 7}
    whole = script_.joined([some_results(rows=[row]), some_results(rows=[slower])])
    assert whole["rows"] == [row]
    other = row | {"accuracy": 0.5}
    with pytest.raises(ValueError, match=r"^digits.*: accuracy of the parts differ$"):
        script_.joined([some_results(rows=[row]), some_results(rows=[other])])


def test_parts_by_different_numbers_of_workers_name_both() -> None:
    script_ = script("keep_comparison")
    two = some_results()
    one = some_results(settings=two["settings"] | {"workers": 1})
    assert script_.joined([two, one])["settings"]["workers"] == [1, 2]
    assert script_.joined([two, two])["settings"]["workers"] == 2


@pytest.mark.parametrize(
    ("replaced", "reason"),
    [
        ({}, None),
        ({"rows": []}, "no network in it"),
        (
            {"commits": [CLEAN, f"{CLEAN}+changes"]},
            f"made by code that is no commit ({CLEAN}+changes)",
        ),
        ({"commits": []}, "made by code that is no commit (unknown)"),
        ({"commits": ["abc", "def"]}, "made by several commits (abc, def)"),
        (
            {"mixed": ["a: rate 1, elsewhere 2"]},
            "mixed settings: a: rate 1, elsewhere 2",
        ),
    ],
    ids=["good", "empty", "dirty", "unknown", "several", "mixed"],
)
def test_what_can_t_be_traced_is_refused(
    replaced: dict[str, Any], reason: str | None
) -> None:
    assert script("keep_comparison").refusal(some_results(**replaced)) == reason


def test_parts_of_one_grid_are_kept_as_the_whole() -> None:
    rows = [a_row(method, seed).to_dict() for method in "ab" for seed in range(3)]
    common = some_results()["settings"]
    few = some_results(
        rows=[row for row in rows if row["method"] == "a"],
        settings=common
        | {"methods": ["a"], "seeds": 3, "search": {"digits": {"a": {"rate": 1}}}},
    )
    many = some_results(
        rows=[row for row in rows if row["seed"] < 2],
        settings=common
        | {
            "methods": ["a", "b"],
            "seeds": 2,
            "workers": 9,
            "search": {"digits": {"a": {"rate": 1}, "b": {"rate": 2}}},
        },
    )
    joined = script("keep_comparison").joined
    whole = joined([few, many])
    names = [(row["method"], row["seed"]) for row in whole["rows"]]
    assert sorted(names) == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]
    assert whole["settings"]["methods"] == ["a", "b"]
    assert whole["settings"]["seeds"] == 3
    searches = {"a": {"rate": 1}, "b": {"rate": 2}}
    assert whole["settings"]["search"]["digits"] == searches
    assert few["settings"]["search"] == {"digits": {"a": {"rate": 1}}}
    assert joined([few])["rows"] == few["rows"]
    with pytest.raises(ValueError, match=r"^epochs of the parts differ$"):
        joined([few, many | {"settings": many["settings"] | {"epochs": 4}}])
    other = {"digits": {"a": {"rate": 3}}}
    with pytest.raises(ValueError, match=r"^searches by a of the parts differ$"):
        joined([few, many | {"settings": many["settings"] | {"search": other}}])
    with pytest.raises(ValueError, match=r"^commits of the parts differ$"):
        joined([few, many | {"commits": ["f" * 16]}])


def test_the_readme_s_section_is_made_from_the_files() -> None:
    tables = script("comparison_tables")
    kept = script("keep_comparison").parts(some_results(), "2026-11-22")
    text = tables.comparisons(list(kept.values()), [])
    assert "**digits, at most 1,000 parameters, 3 seeds**" in text
    assert "commit 0123456789" in text
    assert "| random | all | 6 | -0.0200 * |" in text
    assert text.startswith(
        "Better than chance? zo-darts++ minus random, 6 pairs: test accuracy +0.0200"
        " (p 0.031), better; test AUC +0.0200"
    )
    assert tables.comparisons([], []) == "Not measured yet."


def test_the_details_are_every_difference_and_front() -> None:
    tables = script("comparison_tables")
    kept = script("keep_comparison").parts(some_results(), "2026-11-22")
    text = tables.details(list(kept.values()), [])
    for data, pairs in (("all", 6), ("digits", 3), ("breastmnist", 3)):
        assert f"| random | {data} | test accuracy | {pairs} | -0.0200 |" in text
    for data in ("digits", "breastmnist"):
        assert f"| {data} | parameters | random | " in text
    assert tables.details([], []) == "Not measured yet."


def test_a_spread_stands_beside_what_the_test_images_alone_would_give() -> None:
    results = some_results()
    results["rows"] = [
        a_row("random-single", seed, accuracy=0.8 + 0.1 * seed).to_dict()
        for seed in range(3)
    ]
    kept, *_ = script("keep_comparison").parts(results, "2026-11-22").values()
    tables = script("comparison_tables")
    # mean 0.9 of 353 images: sqrt(0.9 * 0.1 / 353) = 0.016
    wanted = (
        "digits 0.100 (0.016; 3 `random-single` networks, at most 1,000 parameters)"
    )
    assert wanted in tables.noise([kept])
    assert wanted in tables.comparisons([kept], [kept])
    text = tables.details([kept], [kept])
    assert "**Spread of 3 `random-single` networks, digits, clean:**" in text


def test_what_an_older_recipe_made_is_told_apart() -> None:
    kept = script("keep_comparison").parts(some_results(), "2026-11-22")
    kept["digits"]["settings"]["retrain"] = {"batch_size": 32, "mixed": 0.5}
    tables = script("comparison_tables")
    text = tables.comparisons(list(kept.values()), [])
    assert "By an older recipe (mixed 0.5), so apart: digits." in text
    assert "5 retraining epochs by an older recipe (mixed 0.5)" in text
    details = tables.details(list(kept.values()), [])
    assert details.count("By an older recipe (mixed 0.5), so apart: digits.") == 1
    for name in ("digits", "breastmnist"):
        assert text.count(f"| random | {name} | 3 | -0.0200 |") == 1
        assert details.count(f"| random | {name} | test accuracy | 3 | -0.0200 |") == 1
    assert text.startswith("Better than chance? zo-darts++ minus random, 3 pairs")
    assert text.count("Better than chance?") == 1


def test_another_batch_than_today_s_is_an_older_recipe() -> None:
    kept = script("keep_comparison").parts(some_results(), "2026-11-22")
    kept["digits"]["settings"]["retrain"] = {"batch_size": 64}
    text = script("comparison_tables").comparisons(list(kept.values()), [])
    assert "By an older recipe (batch 64), so apart: digits." in text
    assert text.startswith("Better than chance? zo-darts++ minus random, 3 pairs")


def test_the_spread_of_one_method_is_told_by_budget() -> None:
    results = some_results()
    results["rows"] = [row for row in results["rows"] if row["method"] == "random"]
    kept, *_ = script("keep_comparison").parts(results, "2026-11-22").values()
    text = script("comparison_tables").spread(kept)
    accuracies = [row["accuracy"] for row in kept["rows"] if row["budget"] == 1_000]
    low, high = min(accuracies), max(accuracies)
    assert f"`random` networks, {kept['rows'][0]['dataset']}, clean:" in text
    assert f"| 1,000 | {len(accuracies)} | test accuracy | {low:.3f} | " in text
    assert f"| {high:.3f} |" in text
    assert "commit 0123456789" in text


def test_the_spread_is_of_one_method() -> None:
    kept, *_ = script("keep_comparison").parts(some_results(), "2026-11-22").values()
    with pytest.raises(ValueError, match="too many values"):
        script("comparison_tables").spread(kept)


def test_a_budget_is_told_by_what_has_become_of_every_network() -> None:
    results = some_results()
    results["rows"] = [
        row | {"parameters": 1_001 if row["seed"] else 999, "alpha_updates": 13}
        for row in results["rows"]
        if row["method"] == "random" and row["budget"] == 1_000
    ]
    results["rows"][0]["inside_after_epochs"] = None
    results["rows"][1]["inside_after_epochs"] = 7
    kept, *_ = script("keep_comparison").parts(results, "2026-11-22").values()
    text = script("comparison_tables").penalty(kept)
    assert "| 1,000 | 0 | 999 | yes | never | 13 |" in text
    assert "| 1,000 | 1 | 1,001 | no | 7 | 13 |" in text
    assert "commit 0123456789" in text


def test_latencies_that_were_taken_twice_tell_both_times() -> None:
    script_ = script("keep_comparison")
    first, second = some_results(), some_results()
    second["clock"] = [second["clock"][0] | {"date": "2026-11-28"}]
    joined = script_.joined([first, second, first])
    assert [clock["date"] for clock in joined["clock"]] == ["2026-11-27", "2026-11-28"]
    kept, *_ = script_.parts(joined, "2026-11-28").values()
    text = script("comparison_tables").comparisons([kept], [])
    for clock in joined["clock"]:
        assert f"another processor, onnxruntime 1.32, {clock['date']}, commit" in text
