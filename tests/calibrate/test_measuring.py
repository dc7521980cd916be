"""Many networks on this machine: one figure each, and the failures told."""

import hashlib
import os
import subprocess
import sys
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from tests.device.tiny import TINY, tiny_images
from tests.reports import a_measurement
from zonas_edge.architecture import largest, smallest
from zonas_edge.calibrate.files import model_bytes
from zonas_edge.calibrate.run import Effort, calibrate, time_networks
from zonas_edge.device.job import Job
from zonas_edge.device.local import LocalTarget
from zonas_edge.device.measurement import Measurement
from zonas_edge.device.measuring import LONG, PIECES, measure_networks, seconds_of
from zonas_edge.device.process import Progress
from zonas_edge.device.ssh import SshTarget
from zonas_edge.errors import IncompatibleError, TargetError, UsageError, ZonasError
from zonas_edge.profile import RuntimeLimits, load_profile
from zonas_edge.space import SearchSpace, TaskSpec

RUNTIME = RuntimeLimits(onnxruntime=">=1.10.0")
SPACE = SearchSpace(channels=8, max_depth=2)
TASK = TaskSpec(1, 28, 28, 2)


pytestmark = pytest.mark.usefixtures("_untyped")


def test_each_network_has_its_own_figure_in_the_order_given() -> None:
    """The largest network takes many times as long as the smallest."""
    lines: list[str] = []
    found = time_networks(
        [largest(SPACE), smallest(SPACE)],
        TASK,
        RUNTIME,
        target=LocalTarget(),
        rounds=3,
        rng=np.random.default_rng(0),
        tell=lines.append,
    )
    slow, fast = found.undisturbed_ms
    assert slow > 3 * fast > 0
    assert found.p50_over_undisturbed >= 1
    assert found.p95_over_p50 >= 1
    assert found.machine.cores >= 1
    assert lines == ["writing files: 2 of 2", "measuring: visit 8 of 8"]


@dataclass
class TwoSpeeds:
    """A device that takes twice as long in the middle fifth of the time."""

    name: str = "two speeds"
    lengths: list[int] = field(default_factory=list)

    def measure(
        self, jobs: Sequence[Job], progress: Progress | None = None
    ) -> tuple[Measurement, ...]:
        """A network takes as many milliseconds as its file has bytes."""
        assert progress is not None
        self.lengths = [job.repeats.runs for job in jobs]
        return tuple(
            self._measured(job, 1 + (2 <= 5 * place / len(jobs) < 3))
            for place, job in enumerate(jobs)
        )

    def _measured(self, job: Job, slowness: float) -> Measurement:
        taken = job.model.stat().st_size * slowness
        known = a_measurement()
        latency = replace(
            known.answer.latency_ms, p10=taken, p50=1.1 * taken, p95=1.32 * taken
        )
        return replace(known, answer=replace(known.answer, latency_ms=latency))


def test_a_limit_counts_with_the_device_s_slow_minutes(tmp_path: Path) -> None:
    """Typical p50 is that of the fast state; p95 allows for the slow one."""
    models = [tmp_path / f"{size}.onnx" for size in range(1, 41)]
    for size, model in enumerate(models, start=1):
        model.write_bytes(b"." * size)
    device = TwoSpeeds()
    found = measure_networks(
        device,
        models,
        tmp_path / "images.npy",
        RUNTIME,
        rounds=10,
        rng=np.random.default_rng(0),
        progress=lambda _: None,
    )
    assert found.undisturbed_ms == tuple(range(1, 41))
    assert found.p50_over_undisturbed == pytest.approx(1.1)
    assert found.p95_over_p50 == pytest.approx(2 * 1.2)
    assert {piece.network for piece in found.pieces} <= set(range(40))
    places = [place for place, runs in enumerate(device.lengths) if runs == LONG.runs]
    assert len(places) == len({piece.network for piece in found.pieces}) == PIECES
    apart = np.diff(places)
    assert apart.max() - apart.min() <= 1


def test_a_file_for_measuring_is_one_that_the_profile_s_runtime_loads() -> None:
    model = onnx.load_from_string(model_bytes(smallest(SPACE), TASK, RUNTIME))
    assert model.ir_version <= RUNTIME.max_ir
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert words["notice"] == "for measuring latency; its weights mean nothing"


@pytest.mark.parametrize(
    ("provider", "content", "kind"),
    [
        ("NoExecutionProvider", TINY.read_bytes(), TargetError),
        ("CPUExecutionProvider", b"no model", IncompatibleError),
    ],
)
def test_what_can_t_be_measured_is_told(
    provider: str, content: bytes, kind: type[ZonasError], tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(content)
    np.save(tmp_path / "images.npy", tiny_images(2))
    with pytest.raises(kind) as caught:
        measure_networks(
            LocalTarget(),
            [tmp_path / "model.onnx"],
            tmp_path / "images.npy",
            RuntimeLimits(onnxruntime=">=1.10.0", provider=provider),
            rounds=1,
            rng=np.random.default_rng(0),
            progress=lambda _: None,
        )
    assert "this machine" in str(caught.value)


def test_files_for_measuring_pack_well_and_hold_ordinary_weights() -> None:
    """No zero, nothing near it, and no two alike, which a runtime could share."""
    data = model_bytes(largest(SPACE), TASK, RUNTIME)
    assert data == model_bytes(largest(SPACE), TASK, RUNTIME)
    assert len(zlib.compress(data)) < len(data) / 15
    initializers = onnx.load_from_string(data).graph.initializer
    weights = [numpy_helper.to_array(one) for one in initializers if len(one.dims) > 1]
    kernels = [weight for weight in weights if weight.ndim == 4]
    assert len(kernels) == 1 + 3 * 2 * 6 + 2 * 3  # stem, cells, reductions
    for weight in kernels:
        assert np.abs(weight).min() > 1e-6
        assert len(np.unique(weight)) >= min(127, weight.size)
    assert len({weight.tobytes() for weight in weights}) == len(weights)


def test_files_for_measuring_are_the_same_on_other_kinds_of_processors() -> None:
    """A bundle's report is read where its files may be made by another one."""
    code = (
        "import hashlib, torch\n"
        "from tests.calibrate import test_measuring as here\n"
        "data = here.model_bytes(here.largest(here.SPACE), here.TASK, here.RUNTIME)\n"
        "print(torch.backends.cpu.get_cpu_capability())\n"
        "print(hashlib.sha256(data).hexdigest())"
    )
    plain = os.environ | {"ATEN_CPU_CAPABILITY": "default"}
    answer = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[2],
        env=plain,
        capture_output=True,
        text=True,
        check=True,
    )
    own = hashlib.sha256(model_bytes(largest(SPACE), TASK, RUNTIME)).hexdigest()
    assert answer.stdout.split() == ["DEFAULT", own]


def test_the_time_of_a_calibration_is_what_its_visits_may_last() -> None:
    # 3 + 12 runs of 1 ms twice; 3 + 8 of 10 ms, at least 8 being asked for; in one
    # piece 50 + 1,000 of 1 ms and 50 + 200 of 10 ms
    assert seconds_of([1.0], rounds=2) == pytest.approx(2 * 0.015 + 1.05)
    assert seconds_of([10.0], rounds=2) == pytest.approx(2 * 0.11 + 2.5)
    assert seconds_of([1.0, 10.0], rounds=2) == pytest.approx(0.25 + 1.05 + 2.5)


def test_a_calibration_that_would_be_cut_off_is_refused_before() -> None:
    with pytest.raises(UsageError) as caught:
        calibrate(
            load_profile("raspberry-pi-zero-2w"),
            TaskSpec(3, 64, 64, 2),
            Effort(),
            target=SshTarget("nowhere.invalid"),
            progress=lambda _: None,
        )
    assert str(caught.value).startswith(
        "--timeout is 1,800 s, measuring takes about 2,"
    )
    assert str(caught.value.hint).startswith("--timeout 4")
