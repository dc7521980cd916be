"""Export and validation as steps of a run."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from zonas_edge import __version__
from zonas_edge.artifact import Delivered, Run, write_bytes, write_json, write_text
from zonas_edge.artifact.files import holds, plain_errors
from zonas_edge.blueprint import Blueprint
from zonas_edge.constraint import ExpectedLatency, expected_latency
from zonas_edge.cost import macs, parameters
from zonas_edge.data.dataset import Dataset, Split
from zonas_edge.deploy.example import example_source
from zonas_edge.deploy.export import Exported, export_network
from zonas_edge.deploy.parity import file_probabilities
from zonas_edge.device.bundle import (
    Bundle,
    CarriedTarget,
    Errand,
    check_free,
    write_bundle,
)
from zonas_edge.device.job import sha256_of_file
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.process import Progress
from zonas_edge.device.target import Target
from zonas_edge.errors import AcceptanceError, IncompatibleError, UsageError
from zonas_edge.pipeline.blueprint import read_blueprint
from zonas_edge.pipeline.host import environment
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import read_network
from zonas_edge.profile import Acceptance, DeviceProfile
from zonas_edge.runtimes import wanted_runtime
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace, TaskSpec
from zonas_edge.validate import (
    Float32,
    Subject,
    ValidationReport,
    measured_job,
    validate_model,
)
from zonas_edge.validate.trial import Trial
from zonas_edge.validate.verdict import check_gates


def run_export(
    run: Run, request: Request, dataset: Dataset, *, progress: Progress | None = None
) -> Exported:
    """Write the ONNX file, its golden vectors and the example beside it.

    An INT8 file that was made from another float file than this is deleted.
    ``progress`` is called with the one line of progress that there is.

    Raises:
        AcceptanceError: the file doesn't say what the network says.
        IncompatibleError: the profile's runtime would not load it.
    """
    if not run.finished("retrain"):
        raise UsageError(
            f"{run.path}: no trained network yet",
            run.command("retrain", "--resume"),
        )
    if progress is not None:
        progress("writing the file and comparing it with torch on every val image")
    network, normalisation = read_network(run, dataset.task)
    exported = export_network(
        network,
        normalisation,
        runtime=request.profile.runtime,
        val=dataset.val,
        metadata=_metadata(run, request, dataset),
        class_names=dataset.class_names,
    )
    told = exported.summary() | {"environment": environment("cpu")}  # whatever trained
    if holds(run.model, exported.model):
        if (int8 := run.read().get("export", {}).get("int8")) is not None:
            told["int8"] = int8
    else:
        _forget_another(run)
    run.mark("export", "started")
    write_bytes(run.model, exported.model)
    write_bytes(run.golden, exported.golden)
    runtime = request.profile.runtime
    write_text(run.example, example_source(run.model.name, dataset.task, runtime))
    run.update(export=told)
    run.mark("export", "finished")
    return exported


def _forget_another(run: Run) -> None:
    """Take back what was said of another float file, and what was made from it.

    The marks go before the files.
    """
    stages = run.stages()
    kept = {key: stages[key] for key in stages if key != "validate"}
    run.update(stages=kept, refused=None, refused_int8=None)
    with plain_errors(run.path):
        run.report.unlink(missing_ok=True)
    run.int8.remove()


def _metadata(run: Run, request: Request, dataset: Dataset) -> dict[str, str]:
    return {
        "dataset": dataset.name,
        "dataset_sha256": dataset.sha256,
        "dataset_licence": dataset.licence,
        "profile": request.profile.name,
        "run": run.name,
        "created": str(run.read()["created"]),
        "generator": f"zonas-edge {__version__}",
        "licence": "made by zonas-edge (Apache-2.0) from data under their own licence",
        "notice": "not for clinical use without validation",
    }


def _expected(
    profile: DeviceProfile, blueprint: Blueprint, space: SearchSpace, task: TaskSpec
) -> ExpectedLatency | None:
    """The latency on the judging profile's device, None if nothing is known of it."""
    try:
        return expected_latency(profile, blueprint, space, task)
    except UsageError:  # it decides nothing, so that nothing is refused for it
        return None


def run_validate(
    run: Run,
    request: Request,
    dataset: Dataset,
    *,
    profile: DeviceProfile,
    acceptance: Acceptance | None,
    target: Target | None = None,
    progress: Callable[[str], None] | None,
    int8: bool = False,
) -> ValidationReport:
    """Measure the exported file on the test split and on a target's clock.

    Args:
        run: its folder, locked.
        request: what it was made under.
        dataset: its data.
        profile: what it is judged by.
        acceptance: gates instead of the profile's, or None.
        target: what measures; None = this machine.
        progress: is called with each line of progress.
        int8: measure the INT8 file, and hold it against the float file too.

    Raises:
        ZonasError: as ``validate_model``.
    """
    files, trial = _delivered(run, int8=int8)
    check_gates(acceptance or profile.acceptance, dataset.class_names)
    if isinstance(target, CarriedTarget):
        target.check_models([files.model])
    blueprint = read_blueprint(run)
    space = request.profile.search_space  # the run's own, whatever it is judged by
    latency = None if int8 else _expected(profile, blueprint, space, dataset.task)
    test, openings = open_test(run, dataset)
    if not (int8 or run.finished("validate")):  # an earlier report stands until then
        run.mark("validate", "started")
    refusal = "refused_int8" if int8 else "refused"
    with _refusals(run, target or LocalTarget(), refusal):
        report = validate_model(
            files.model,
            files.golden,
            profile=profile,
            subject=Subject(
                run=run.name,
                parameters=parameters(blueprint, dataset.task),
                macs=macs(blueprint, dataset.task),
                class_names=dataset.class_names,
                dataset={
                    "name": dataset.name,
                    "sha256": dataset.sha256,
                    "licence": dataset.licence,
                },
                estimate_ms=None if latency is None else latency.p95,
                estimate_source="estimate" if latency is None else latency.source,
                test_openings=openings,
                seed=derived_seed(request.seed, "validate") % 2**32,
                judge=environment("cpu"),
                float32=_float32(run, trial, test),
                notes=dataset.notes,
            ),
            test_images=test.images,
            test_labels=test.labels,
            acceptance=acceptance,
            target=target,
            progress=progress,
        )
    write_json(files.report, report.to_dict())
    run.update(**{refusal: None})
    if not int8:
        run.mark("validate", "finished")
    return report


@contextmanager
def _refusals(run: Run, target: Target, key: str) -> Iterator[None]:
    """Write down that a device has refused the file, or answered nonsense.

    An earlier report stands beside it: it is true of where it was measured.

    Args:
        run: its folder, locked.
        target: what measures.
        key: of the record, one for the float file and one for the INT8 file.
    """
    try:
        yield
    except (IncompatibleError, AcceptanceError) as error:
        time = datetime.now(UTC).isoformat(timespec="seconds")
        told = {"message": str(error), "target": target.name, "time": time}
        run.update(**{key: told})
        raise


def _delivered(run: Run, *, int8: bool) -> tuple[Delivered, Trial | None]:
    """The files that are measured, and the trial of an INT8 file.

    Raises:
        UsageError: they aren't there, or aren't what was exported and proven.
    """
    if not run.finished("export"):
        raise UsageError(f"{run.path}: no exported model yet", run.command("export"))
    trial = trial_of(run) if int8 else None
    told = run.read().get("export", {})
    files = run.int8 if int8 else run.float32
    _check_unchanged(run, files, told["int8"] if int8 else told)
    return files, trial


def _check_unchanged(run: Run, files: Delivered, told: dict[str, Any]) -> None:
    """See that model and golden vectors are those of the export."""
    again = run.command("export", *(["--int8"] if files == run.int8 else []))
    for kind, file in (("model", files.model), ("golden", files.golden)):
        if not file.is_file():
            raise UsageError(f"{file}: no such file", again)
        proven, found = told.get("sha256", {}).get(kind), sha256_of_file(file)
        if proven not in {None, found}:  # None: exported before it was kept
            raise UsageError(
                f"{file}: not the file that was exported, sha-256 is {found:.12} and"
                f" not {proven:.12}",
                again,
            )


def _float32(run: Run, trial: Trial | None, test: Split) -> Float32 | None:
    """What an INT8 file is held against; None of the float file itself."""
    if trial is None or trial.speed is None:
        return None
    model = run.model.read_bytes()
    return Float32(len(model), file_probabilities(model, test.images), trial.speed)


def trial_of(run: Run) -> Trial:
    """What the last export made of INT8, if it was accepted.

    Raises:
        UsageError: there is no INT8 file, or the record is damaged.
    """
    again = run.command("export", "--int8")
    told = run.read().get("export", {}).get("int8")
    if told is None:
        raise UsageError(f"{run.path}: no INT8 file was exported", again)
    try:
        trial = Trial.from_dict(told)
    except ValueError:
        raise UsageError(
            f"{run.record}: no trial of INT8 that can be read", again
        ) from None
    if not trial.accepted:
        raise UsageError(f"{run.path}: INT8 was not accepted, {trial.reason}", again)
    return trial


def run_bundle(
    run: Run,
    dataset: Dataset,
    *,
    profile: DeviceProfile,
    acceptance: Acceptance | None,
    path: Path | None,
    command: str,
    int8: bool = False,
) -> Bundle:
    """Write what a person carries to the device to measure the exported file there.

    Args:
        run: its folder, locked.
        dataset: its data; the test images travel, the labels don't.
        profile: what it will be judged by.
        acceptance: gates instead of the profile's, or None.
        path: the folder or zip to write; None = ``bundle`` in the run's folder.
        command: the line that reads the report; the file's name comes behind it.
        int8: measure the INT8 file there.

    Raises:
        UsageError: nothing is exported yet, a gate names an unknown class, or the
            place can't be written.
    """
    files, _ = _delivered(run, int8=int8)
    check_gates(acceptance or profile.acceptance, dataset.class_names)
    errand = Errand(
        title=f"run {run.name}, profile {profile.name}",
        runtime=wanted_runtime(profile.runtime),
        command=command,
        content=(
            f"The images are those of the data set {dataset.name} that the network is"
            " tested with.\nTheir labels are not here."
        ),
        facts={"run": run.name, "profile": profile.name, "dataset": dataset.name},
    )
    place = path or run.bundle
    check_free(place)
    test, _ = open_test(run, dataset)
    with measured_job(files.model, files.golden, test.images, profile.runtime) as job:
        return write_bundle(place, [job], errand)


def open_test(run: Run, dataset: Dataset) -> tuple[Split, int]:
    """The test split, and how often it was opened; each time counts in ``run.json``.

    The one place that opens it.
    """
    openings = int(run.read().get("test_openings", 0)) + 1
    run.update(test_openings=openings)
    return dataset.open_test(), openings
