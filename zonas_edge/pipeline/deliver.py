"""Export and validation as steps of a run."""

from collections.abc import Callable
from typing import Any

from zonas_edge import __version__
from zonas_edge.artifact import Run, write_bytes, write_json, write_text
from zonas_edge.constraint import latency_model
from zonas_edge.cost import macs, parameters
from zonas_edge.data.dataset import Dataset
from zonas_edge.deploy.example import example_source
from zonas_edge.deploy.export import Exported, export_network
from zonas_edge.errors import UsageError
from zonas_edge.latency import LatencyModel
from zonas_edge.pipeline.request import Request
from zonas_edge.pipeline.retrain import read_network
from zonas_edge.pipeline.search import read_architecture
from zonas_edge.profile import Acceptance, DeviceProfile
from zonas_edge.seed import derived_seed
from zonas_edge.space import SearchSpace
from zonas_edge.validate import Subject, ValidationReport, validate_model


def run_export(run: Run, request: Request, dataset: Dataset) -> Exported:
    """Write the ONNX file, its golden vectors and the example beside it.

    Raises:
        AcceptanceError: the file doesn't say what the network says.
        IncompatibleError: the profile's runtime would not load it.
    """
    if not run.finished("retrain"):
        raise UsageError(
            f"{run.path}: no trained network yet",
            f"zonas-edge retrain {run.name} --resume",
        )
    network, normalisation = read_network(run, dataset.task)
    exported = export_network(
        network,
        normalisation,
        runtime=request.profile.runtime,
        val=dataset.val,
        metadata=_metadata(run, request, dataset),
        class_names=dataset.class_names,
    )
    run.mark("export", "started")
    write_bytes(run.model, exported.model)
    write_bytes(run.golden, exported.golden)
    write_text(run.example, example_source(run.model.name, dataset.task))
    run.update(export=exported.summary())
    run.mark("export", "finished")
    return exported


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


def _model_for(
    profile: DeviceProfile, space: SearchSpace, dataset: Dataset
) -> LatencyModel | None:
    """The judging profile's latency model, None if it is of other networks."""
    try:
        return latency_model(profile, space, dataset.task)
    except UsageError:  # it decides nothing, so that nothing is refused for it
        return None


def run_validate(
    run: Run,
    request: Request,
    dataset: Dataset,
    *,
    profile: DeviceProfile,
    acceptance: Acceptance | None,
    progress: Callable[[str], None] | None,
) -> ValidationReport:
    """Measure the exported file on the test split and on this machine's clock.

    The one place that opens the test split; each opening is counted in ``run.json``.
    """
    if not run.finished("export"):
        raise UsageError(
            f"{run.path}: no exported model yet", f"zonas-edge export {run.name}"
        )
    architecture = read_architecture(run)
    space = request.profile.search_space  # the run's own, whatever it is judged by
    model = _model_for(profile, space, dataset)
    record: dict[str, Any] = run.read()
    openings = int(record.get("test_openings", 0)) + 1
    run.update(test_openings=openings)
    run.mark("validate", "started")
    test = dataset.open_test()
    report = validate_model(
        run.model,
        run.golden,
        profile=profile,
        subject=Subject(
            run=run.name,
            parameters=parameters(architecture, dataset.task),
            macs=macs(architecture, dataset.task),
            class_names=dataset.class_names,
            dataset={
                "name": dataset.name,
                "sha256": dataset.sha256,
                "licence": dataset.licence,
            },
            estimate_ms=None if model is None else model.p95_ms(architecture),
            estimate_source="estimate" if model is None else model.source,
            test_openings=openings,
            seed=derived_seed(request.seed, "validate") % 2**32,
        ),
        test_images=test.images,
        test_labels=test.labels,
        acceptance=acceptance,
        progress=progress,
    )
    write_json(run.report, report.to_dict())
    run.mark("validate", "finished")
    return report
