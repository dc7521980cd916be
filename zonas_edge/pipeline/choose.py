"""Choosing a run's network: by a search, or a reference network by its name.

Everything behind it (retraining, export, validation) is the same for both, so that a
reference network is an honest comparison.
"""

from zonas_edge.artifact import Run, write_json
from zonas_edge.data.dataset import Dataset
from zonas_edge.figures import number
from zonas_edge.pipeline.blueprint import costs_of
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.search import Listener, check_budget, run_search
from zonas_edge.reference import ReferenceName
from zonas_edge.runtimes import check_makeable
from zonas_edge.scaling import excesses, reference_for
from zonas_edge.validate.verdict import check_drops


def check_request(request: Request, dataset: Dataset) -> None:
    """See that the profile can be kept to, before hours of work.

    Raises:
        ProfileError: the device takes no file of our networks.
        BudgetError: no network of the space, or no width of the reference network,
            can meet it.
        UsageError: the profile's latency model says nothing of these networks, or the
            profile limits a class that the data don't have.
    """
    profile = request.profile
    check_makeable(profile.runtime, profile.path)
    check_drops(profile.quantization, dataset.class_names)
    if request.reference is None:
        check_budget(request, dataset)
    else:
        reference_for(request.reference, request.profile, dataset.task)


def choose_network(
    run: Run,
    request: Request,
    dataset: Dataset,
    listener: Listener,
) -> None:
    """Write the network that the request's method comes to, or go on with a search.

    Args:
        run: its folder, locked.
        request: what is asked for.
        dataset: a search reads its train and val splits.
        listener: told how a search goes.

    Raises:
        BudgetError: the budget can't be met.
    """
    if request.reference is None:
        run_search(run, request, dataset, listener)
    else:
        run_baseline(run, request, request.reference, dataset)


def run_baseline(
    run: Run, request: Request, name: ReferenceName, dataset: Dataset
) -> tuple[str, ...]:
    """Write the reference network of that name under the request's budget.

    Args:
        run: its folder, locked.
        request: its profile decides the width, where there is one to decide.
        name: of the reference network.
        dataset: its shape and classes count.

    Returns:
        A sentence for each limit that the network is expected to be beyond.

    Raises:
        BudgetError: not even the narrowest network meets the budget.
    """
    task = dataset.task
    reference = reference_for(name, request.profile, task)
    if not run.finished("baseline"):
        write_json(run.architecture, reference.to_json())
        run.update(baseline=costs_of(reference, request.profile, task))
        run.mark("baseline", "finished")
    return tuple(
        f"{name.value} is beyond the budget: {each.limit}"
        f" {number(each.cost, each.allowed)} of {number(each.allowed)}"
        for each in excesses(reference, request.profile, task)
    )
