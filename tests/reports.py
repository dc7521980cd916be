"""A measurement and a profile to judge: the parts of a report, without measuring."""

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zonas_edge.device.measurement import (
    Answer,
    Latency,
    Machine,
    Measurement,
    Memory,
    Parity,
)
from zonas_edge.profile import Acceptance, DeviceProfile, profile_from_dict
from zonas_edge.validate import Compatibility, Subject, ValidationReport, judge

LABELS: NDArray[np.int64] = np.array([[0], [0], [0], [0], [1], [1], [1], [1], [1], [1]])
"""Class 0 is found 3 times of 4, class 1 is found 5 times of 6."""

_SECOND = np.array([0.1, 0.2, 0.3, 0.6, 0.4, 0.9, 0.8, 0.7, 0.75, 0.85])
PROBABILITIES = np.stack([1 - _SECOND, _SECOND], axis=1).astype(np.float32)

PI = "Raspberry Pi 4 Model B Rev 1.4; BCM2835"
XEON = "Intel(R) Xeon(R) Processor @ 2.50GHz"
FITTING = Compatibility(opset=13, ir=8, max_opset=13, max_ir=8, passed=True)
PARITY = Parity(
    images=78,
    max_abs_dp=3e-8,
    decisions_changed=0,
    near_ties=0,
    tolerance=1e-4,
    passed=True,
)


def a_profile(**budget: Any) -> DeviceProfile:
    """A Raspberry Pi 4 with the given budget."""
    return profile_from_dict(
        {
            "name": "pi",
            "path": "pi.toml",
            "device": {
                "name": "Raspberry Pi 4",
                "cpu": "4x Cortex-A72",
                "memory": "4 GB",
                "machine": ["aarch64"],
                "cpu_pattern": "Raspberry Pi 4",
            },
            "budget": {"parameters": 800_000} | budget,
            "runtime": {"onnxruntime": ">=1.22"},
            "compute": {"gflops": 4.0, "gbps": 3.0, "overhead_us": 20.0},
        },
        "pi.toml",
    )


def a_measurement(cpu_model: str = PI, p95: float = 4.0, **changes: Any) -> Measurement:
    """Ten images, on a Raspberry Pi unless another machine is named."""
    machine = Machine(
        machine="aarch64" if cpu_model == PI else "x86_64",
        cpu_model=cpu_model,
        cores=4,
        governor="ondemand",
        temperature_c=48.3,
        system="Linux-6.6",
        python="3.11.2",
        numpy="2.4.6",
        onnxruntime="1.31.1",
        providers=("CPUExecutionProvider",),
    )
    latency = Latency(
        mean=3.2,
        p50=3.0,
        p90=3.5,
        p95=p95,
        p99=6.0,
        max=9.0,
        runs=1000,
        warmup=50,
        first_inference=11.0,
        session_seconds=0.21,
        threads=1,
        provider="CPUExecutionProvider",
    )
    answer = Answer(
        model_sha256="a" * 64,
        images_sha256="b" * 64,
        golden_sha256="c" * 64,
        images=10,
        latency_ms=latency,
        memory=Memory(peak_bytes=60 * 2**20, before_model_bytes=50 * 2**20),
        parity=PARITY,
        machine=machine,
    )
    return Measurement(PROBABILITIES, replace(answer, **changes))


A_SUBJECT = Subject(
    run="tuesday",
    parameters=123_456,
    macs=9_876_543,
    class_names=("malignant", "benign"),
    dataset={"name": "breastmnist", "md5": "750601b1f35ba3300ea97c75c52ff8f6"},
    estimate_ms=2.5,
)


def a_report(
    measurement: Measurement | None = None,
    *,
    profile: DeviceProfile | None = None,
    subject: Subject = A_SUBJECT,
    acceptance: Acceptance | None = None,
    model_bytes: int = 500 * 1024,
    compatibility: Compatibility = FITTING,
    target: str = "local",
) -> ValidationReport:
    """The report on a measurement that passes everything but what is changed."""
    return judge(
        measurement or a_measurement(),
        profile=profile or a_profile(latency_p95_ms=5, model_kb=3200),
        subject=subject,
        test_labels=LABELS,
        acceptance=acceptance or Acceptance(),
        model_bytes=model_bytes,
        compatibility=compatibility,
        target=target,
    )
