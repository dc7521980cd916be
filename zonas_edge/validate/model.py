"""Measure an exported model and judge it against its profile.

The only reader of the test split. Measuring and judging are apart: whatever machine a
measurement comes from, it is judged by the same lines, and decides a latency only if
it is the profile's own device.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from zonas_edge import metrics
from zonas_edge.deploy.check import facts_of, read_model
from zonas_edge.device.job import Job, Repeats, workspace
from zonas_edge.device.local import LOCAL, LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.target import Target
from zonas_edge.latency import Source
from zonas_edge.metrics import ClassMetrics, Labels
from zonas_edge.profile import Acceptance, DeviceProfile, RuntimeLimits
from zonas_edge.validate.beside import Float32, beside
from zonas_edge.validate.host import check_runtime, host_of
from zonas_edge.validate.values import (
    SCHEMA,
    Compatibility,
    Environment,
    ValidationReport,
)
from zonas_edge.validate.verdict import (
    check_gates,
    judge_gates,
    judge_limits,
    verdict_of,
)


@dataclass(frozen=True)
class Subject:
    """What is judged, as far as it isn't measured.

    Args:
        run: name of the run.
        parameters: trained weights of the network.
        macs: multiply-accumulates of one image.
        class_names: one per column of the probabilities, in order.
        dataset: name, hash and whatever else tells the data apart.
        estimate_ms: 95th percentile that is expected on the profile's device, or None.
        estimate_source: ``estimate`` for the analytic one, ``fitted`` for a model of
            measurements there.
        test_openings: how often the test split was read, this time included.
        seed: of the AUC's bootstrap, >= 0.
        judge: versions, processor and commit of the host that judges.
        float32: the float file that an INT8 file was made of; None of a float file.
        notes: what is known against the data, a sentence each.
    """

    run: str
    parameters: int
    macs: int
    class_names: tuple[str, ...]
    dataset: Mapping[str, str | int] = field(default_factory=dict)
    estimate_ms: float | None = None
    estimate_source: Source = "estimate"
    test_openings: int = 1
    seed: int = 0
    judge: Mapping[str, str | int] = field(default_factory=dict)
    float32: Float32 | None = None
    notes: tuple[str, ...] = ()


def validate_model(
    model: Path,
    golden: Path,
    *,
    profile: DeviceProfile,
    subject: Subject,
    test_images: NDArray[np.uint8],
    test_labels: Labels,
    acceptance: Acceptance | None = None,
    target: Target | None = None,
    repeats: Repeats | None = None,
    progress: Callable[[str], None] | None = None,
) -> ValidationReport:
    """Measure ``model`` on a target and judge it against ``profile``.

    Args:
        model: the exported ONNX file.
        golden: its golden vectors, for parity.
        profile: limits, ceilings, thread count and provider.
        subject: what is known of the model without measuring.
        test_images: uint8 [N, C, H, W].
        test_labels: true classes [N] or [N, 1]; every class has an image.
        acceptance: the gates; None = the profile's own.
        target: what measures; None = this machine.
        repeats: how often the latency is measured; None = 1,000 runs or 5 seconds.
        progress: is called with each line of progress.

    Raises:
        UsageError: a gate names an unknown class, a file is missing or damaged.
        AcceptanceError: a probability is not finite.
        IncompatibleError: the model can't be read, or doesn't load there, or the
            device's runtime is not one that the profile allows.
        TargetError: the target can't be reached, or doesn't answer.
    """
    gates = profile.acceptance if acceptance is None else acceptance
    check_gates(gates, subject.class_names)
    compatibility = read_compatibility(model, profile.runtime)
    place = target or LocalTarget()
    with measured_job(model, golden, test_images, profile.runtime, repeats) as job:
        (measurement,) = place.measure([job], progress)
    check_runtime(measurement.answer.machine, profile, place.name)
    return judge(
        measurement,
        target=place.name,
        profile=profile,
        subject=subject,
        test_labels=test_labels,
        acceptance=gates,
        model_bytes=model.stat().st_size,
        compatibility=compatibility,
    )


@contextmanager
def measured_job(
    model: Path,
    golden: Path,
    images: NDArray[np.uint8],
    runtime: RuntimeLimits,
    repeats: Repeats | None = None,
) -> Iterator[Job]:
    """The job of a validation; its file of test images is there inside the block.

    Raises:
        UsageError: there is no space for the images.
    """
    with workspace() as folder:
        file = folder / "images.npy"
        np.save(file, images, allow_pickle=False)
        yield Job(
            model,
            file,
            golden,
            threads=runtime.threads,
            provider=runtime.provider,
            repeats=repeats or Repeats(),
        )


def judge(
    measurement: Measurement,
    *,
    target: str = LOCAL,
    profile: DeviceProfile,
    subject: Subject,
    test_labels: Labels,
    acceptance: Acceptance,
    model_bytes: int,
    compatibility: Compatibility,
) -> ValidationReport:
    """The report on a measurement, of whatever machine.

    Args:
        measurement: with golden vectors replayed.
        target: how the machine was reached, by its name.
        profile: the limits, and the device they hold for.
        subject: what is known of the model without measuring.
        test_labels: true classes [N] or [N, 1].
        acceptance: the gates.
        model_bytes: size of the file.
        compatibility: of the file with the profile's runtime.

    Raises:
        UsageError: a gate names an unknown class.
        ValueError: labels, classes and probabilities don't belong together, or the
            measurement was made without golden vectors.
    """
    check_gates(acceptance, subject.class_names)
    probabilities, answer = measurement.probabilities, measurement.answer
    _check_shapes(measurement, test_labels, subject.class_names)
    if answer.parity is None:
        raise ValueError("measured without golden vectors")
    host = host_of(answer.machine, profile.device, target)
    accuracy = metrics.accuracy(test_labels, probabilities)
    auc = metrics.auc(test_labels, probabilities)
    classes = _by_name(subject, test_labels, measurement)
    limits = judge_limits(
        profile.budget,
        parameters=subject.parameters,
        model_bytes=model_bytes,
        latency=answer.latency_ms,
        host=host,
    )
    gates = judge_gates(acceptance, accuracy=accuracy, auc=auc, per_class=classes)
    counts = metrics.confusion(test_labels, probabilities)
    rng = np.random.default_rng(subject.seed)
    return ValidationReport(
        schema=SCHEMA,
        run=subject.run,
        profile=profile.name,
        verdict=verdict_of(limits, gates, answer.parity, compatibility, host),
        limits=limits,
        parameters=subject.parameters,
        macs=subject.macs,
        model_bytes=model_bytes,
        accuracy=accuracy,
        accuracy_ci95=metrics.wilson_interval(int(counts.trace()), len(probabilities)),
        auc=auc,
        auc_ci95=metrics.auc_interval(test_labels, probabilities, rng),
        class_names=subject.class_names,
        per_class=classes,
        confusion=tuple(tuple(int(n) for n in row) for row in counts),
        latency_ms=answer.latency_ms,
        latency_host=host,
        estimate_ms=subject.estimate_ms,
        estimate_source=subject.estimate_source,
        memory=answer.memory,
        parity=answer.parity,
        compatibility=compatibility,
        acceptance=gates,
        environment=Environment(answer.machine, dict(subject.judge)),
        dataset=dict(subject.dataset),
        test_images=len(probabilities),
        test_openings=subject.test_openings,
        seed=subject.seed,
        beside=None
        if subject.float32 is None
        else beside(subject.float32, test_labels, probabilities, subject.class_names),
        model_sha256=answer.model_sha256,
        notes=subject.notes,
    )


def read_compatibility(model: Path, runtime: RuntimeLimits) -> Compatibility:
    """Operator set and file format of a model beside the profile's ceilings.

    Raises:
        UsageError: the file can't be read.
        IncompatibleError: it is no ONNX model.
    """
    facts = facts_of(read_model(model))
    return Compatibility(
        opset=facts.opset,
        ir=facts.ir,
        max_opset=runtime.max_opset,
        max_ir=runtime.max_ir,
        passed=facts.opset <= runtime.max_opset and facts.ir <= runtime.max_ir,
    )


def _check_shapes(
    measurement: Measurement, labels: Labels, class_names: Sequence[str]
) -> None:
    """Refuse figures that don't belong together: a caller's mistake."""
    expected = (labels.size, len(class_names))
    if measurement.probabilities.shape != expected:
        shape = measurement.probabilities.shape
        raise ValueError(f"probabilities are {shape}, not {expected}")


def _by_name(
    subject: Subject, labels: Labels, measurement: Measurement
) -> dict[str, ClassMetrics]:
    figures = metrics.per_class(labels, measurement.probabilities)
    return dict(zip(subject.class_names, figures, strict=True))
