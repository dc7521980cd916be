"""A retraining that is repeated, or gone on with, in the run that it belongs to."""

from dataclasses import replace

from zonas_edge.artifact import CHOOSING, Run
from zonas_edge.artifact.files import plain_errors
from zonas_edge.errors import UsageError
from zonas_edge.pipeline.host import environment, prepare, resolve_device
from zonas_edge.pipeline.request import RETRAINED_UNDER
from zonas_edge.pipeline.session import Session, Watcher, remember_host


def again(
    session: Session,
    watcher: Watcher,
    *,
    retrain_epochs: int | None,
    seed: int | None,
    device: str | None,
    threads: int | None,
    resume: bool,
) -> Session:
    """The session of a retraining that is repeated, or gone on with.

    Args:
        session: a locked run whose network is chosen.
        watcher: hears what has changed since.
        retrain_epochs: None for the run's own, as the next three.
        seed: of the retraining.
        device: ``auto``, ``cpu`` or ``cuda``.
        threads: of torch, None for its own choice.
        resume: go on instead of starting over.

    Raises:
        UsageError: there is nothing to retrain, or it can't be gone on with so.
    """
    run, request = session.run, session.request
    if not run.chosen:
        raise UsageError(
            f"{run.path}: its search is not finished",
            "repeat the search with --resume",
        )
    chosen = resolve_device(device or request.device)
    prepare(chosen, threads)
    wanted = replace(
        request,
        device=chosen,
        retrain_epochs=retrain_epochs or request.retrain_epochs,
        seed=request.seed if seed is None else seed,
    )
    key = RETRAINED_UNDER
    if not resume:
        _forget_retraining(run)
        run.update(**{"request": wanted.to_dict(), key: environment(chosen)})
    elif (difference := wanted.difference(request)) is not None:
        raise UsageError(
            f"{run.path}: {difference}, so it can't be resumed",
            "leave out --resume to start the retraining over",
        )
    elif not run.finished("retrain"):
        first = key if key in run.read() else "environment"
        remember_host(run, chosen, first, watcher)
    return replace(session, request=wanted)


def _forget_retraining(run: Run) -> None:
    """Take back what came of the old weights, the marks before the files.

    A model that stays beside other weights than its own would be a false witness.
    """
    stages = run.stages()
    run.update(
        stages={key: stages[key] for key in CHOOSING if key in stages},
        retrain=None,
        retrain_settings=None,
        export=None,
    )
    with plain_errors(run.path):
        for file in (
            run.retrain_checkpoint,
            run.retrain_log,
            run.weights,
            run.published_log,
            run.example,
            *run.float32,
            *run.int8,
        ):
            file.unlink(missing_ok=True)
