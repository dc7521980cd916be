"""Rows of networks that nobody trained, for tables and statistics."""

from zonas_edge.compare.row import Row


def a_row(
    method: str = "zo-darts++",
    seed: int = 0,
    *,
    dataset: str = "digits",
    profile: str = "pi-1000",
    budget: int = 1000,
    accuracy: float = 0.9,
    parameters: int = 900,
    searched: bool = True,
    largest: float | None = None,
) -> Row:
    return Row(
        run=f"{dataset}-{profile}-{method}-seed{seed}",
        method=method,
        dataset=dataset,
        profile=profile,
        budget=budget,
        min_parameters=None,
        seed=seed,
        parameters=parameters,
        macs=1000 * parameters,
        val_accuracy=accuracy + 0.01,
        accuracy=accuracy,
        auc=accuracy + 0.05,
        accuracy_max_over_test_epochs=largest,
        search_seconds=100.0 + seed if searched else None,
        retrain_seconds=50.0,
        latency_p50_ms=parameters / 10_000,
        latency_p95_ms=parameters / 8_000,
        alpha_updates=12 if searched else None,
        inside_after_epochs=4 if searched else None,
        test_openings=1,
        latency_undisturbed_ms=parameters / 12_000,
    )


def a_grid(*, dataset: str = "digits") -> tuple[Row, ...]:
    """Two methods and a reference network, two budgets, three seeds; a gap."""
    return tuple(
        a_row(
            method,
            seed,
            dataset=dataset,
            profile=f"pi-{budget}",
            budget=budget,
            accuracy=0.8 + gain + budget / 20_000 + [0.01, -0.005, 0.0][seed],
            parameters=11_000 if method == "resnet18" else budget - 10 * seed,
            searched=method != "resnet18",
            largest=0.9 + gain,
        )
        for seed in range(3)
        for budget in (1000, 2000)
        for method, gain in (("zo-darts++", 0.02), ("random", 0.0), ("resnet18", -0.1))
        if (method, seed, budget) != ("random", 2, 2000)
    )
