"""INT8 as a part of export: made, tried, and delivered only if it is accepted."""

from hashlib import sha256

from zonas_edge.artifact import Run, write_bytes
from zonas_edge.artifact.files import holds
from zonas_edge.data.dataset import Dataset
from zonas_edge.deploy.export import Exported
from zonas_edge.deploy.quantize import Quantized, quantize_export
from zonas_edge.device.job import workspace
from zonas_edge.device.process import Progress
from zonas_edge.device.target import Target
from zonas_edge.pipeline.deliver import run_export
from zonas_edge.pipeline.request import Request
from zonas_edge.seed import derived_seed
from zonas_edge.validate.trial import Candidate, Trial, try_int8
from zonas_edge.validate.verdict import check_drops


def run_export_int8(
    run: Run,
    request: Request,
    dataset: Dataset,
    *,
    target: Target,
    progress: Progress,
) -> tuple[Exported, Trial]:
    """Export the float file, and beside it an INT8 file if that is accepted.

    The float file is whole before the INT8 file is tried, and stays whatever comes of
    it. An INT8 file that was accepted before, and its report, stay until there is
    another decision; a target that can't be reached makes none.

    Args:
        run: its folder, locked.
        request: what it was made under.
        dataset: train is calibrated on, val decides.
        target: where accuracy and latency of both files are measured.
        progress: is called with each line of progress.

    Raises:
        UsageError: the profile limits a class that the data don't have.
        ZonasError: as ``run_export`` and ``try_int8``.
    """
    profile = request.profile
    check_drops(profile.quantization, dataset.class_names)
    exported = run_export(run, request, dataset, progress=progress)
    progress("int8: calibrating on train images")
    made = quantize_export(
        exported.model,
        train=dataset.train,
        val=dataset.val,
        profile=profile,
        seed=derived_seed(request.seed, "quantize"),
    )
    with workspace() as folder:
        file, golden = folder / run.int8_model.name, folder / run.int8_golden.name
        file.write_bytes(made.model)
        golden.write_bytes(made.golden)
        trial = try_int8(
            Candidate(run.model, file, golden, dataset.val, dataset.class_names),
            profile,
            target=target,
            seed=derived_seed(request.seed, "trial"),
            progress=progress,
        )
    _deliver(run, made, trial)
    return exported, trial


def _deliver(run: Run, made: Quantized, trial: Trial) -> None:
    """Write an accepted file, and tell of it or of the refusal in the record.

    What an earlier trial has left goes, unless it is the same file once more.
    """
    if not (trial.accepted and holds(run.int8_model, made.model)):
        run.update(refused_int8=None)
        run.int8.remove()
    if trial.accepted:
        write_bytes(run.int8_model, made.model)
        write_bytes(run.int8_golden, made.golden)
    hashes = {"model": made.model, "golden": made.golden}
    told = trial.to_dict() | {
        "calibration": made.calibration,
        "sha256": {kind: sha256(data).hexdigest() for kind, data in hashes.items()},
    }
    run.update(export=run.read()["export"] | {"int8": told})
