"""The exported file: whole, within its ceilings, equal to the network."""

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch

from zonas_edge.architecture import Architecture, Stage, largest, smallest
from zonas_edge.cost import byte_table, exact, parameters
from zonas_edge.data.batches import Normalisation
from zonas_edge.data.dataset import Split
from zonas_edge.deploy import export as export_module
from zonas_edge.deploy.check import check_file, weight_count
from zonas_edge.deploy.example import example_source
from zonas_edge.deploy.export import Exported, export_network, golden_images
from zonas_edge.deploy.fold import DeployedNetwork, fold
from zonas_edge.deploy.parity import (
    Parity,
    compare,
    file_probabilities,
    network_probabilities,
)
from zonas_edge.errors import AcceptanceError, IncompatibleError
from zonas_edge.latency import analytic_latency
from zonas_edge.nn.classifier import Classifier
from zonas_edge.nn.network import Network
from zonas_edge.nn.ops import initialise
from zonas_edge.profile import Compute, RuntimeLimits
from zonas_edge.space import Op, SearchSpace, TaskSpec

pytestmark = pytest.mark.usefixtures("_untyped")


RUNTIME = RuntimeLimits(onnxruntime=">=1.10.0")
NORMALISATION = Normalisation(0.45, 0.21)
SPACE = SearchSpace(channels=4, max_depth=2)
MIXED = Stage(
    operations=(Op.CONV, Op.SKIP, Op.CONV_1X1, Op.AVG_POOL, Op.CONV, Op.CONV),
    kernels=(7, None, None, None, 5, 3),
    depth=2,
)
EVERY_OP = Architecture(channels=4, stages=(MIXED, MIXED, MIXED))
TASKS = (
    TaskSpec(1, 28, 28, 2),
    TaskSpec(3, 28, 28, 8),
    TaskSpec(1, 9, 13, 3),
    TaskSpec(3, 8, 8, 2),
)


def a_network(architecture: Architecture, task: TaskSpec) -> Classifier:
    return with_random_statistics(Network(architecture, task))


def with_random_statistics(network: Classifier) -> Classifier:
    """Random weights and random statistics, so that folding has something to do."""
    draw = torch.Generator().manual_seed(0)
    initialise(network, draw)
    for part in network.eval().modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            assert part.running_mean is not None
            assert part.running_var is not None
            part.running_mean.normal_(generator=draw)
            part.running_var.uniform_(0.5, 2, generator=draw)
            part.weight.data.uniform_(0.5, 2, generator=draw)
            part.bias.data.normal_(generator=draw)
    return network


def a_split(task: TaskSpec, count: int = 12) -> Split:
    rng = np.random.default_rng(0)
    shape = (count, task.channels, task.height, task.width)
    images = rng.integers(0, 256, shape, dtype=np.uint8)
    return Split(images, np.arange(count, dtype=np.int64) % task.classes)


def export(
    architecture: Architecture,
    task: TaskSpec,
    runtime: RuntimeLimits = RUNTIME,
    dataset: str = "tests",
) -> Exported:
    return export_network(
        a_network(architecture, task),
        NORMALISATION,
        runtime=runtime,
        val=a_split(task),
        metadata={"dataset": dataset, "notice": "not for clinical use"},
        class_names=[f"class {k}" for k in range(task.classes)],
    )


@pytest.mark.parametrize("task", TASKS, ids=str)
@pytest.mark.parametrize(
    "architecture",
    [smallest(SPACE), EVERY_OP, largest(SPACE)],
    ids=["smallest", "every op", "largest"],
)
def test_the_file_has_the_weights_of_its_architecture_and_no_others(
    architecture: Architecture, task: TaskSpec
) -> None:
    exported = export(architecture, task)
    model = onnx.load_from_string(exported.model)
    assert weight_count(model) == parameters(architecture, task) == exported.parameters
    assert exported.parity.changed == 0
    assert exported.parity.max_difference < 1e-5


@pytest.mark.parametrize("architecture", [smallest(SPACE), EVERY_OP, largest(SPACE)])
def test_the_size_of_the_file_is_below_its_bound_and_near_it(
    architecture: Architecture,
) -> None:
    task = TaskSpec(3, 28, 28, 8)
    size = len(export(architecture, task).model)
    bound = exact(byte_table(SPACE, task), architecture)
    assert size <= bound <= size + 16_000


def test_one_input_and_one_output_have_the_shapes_that_are_promised() -> None:
    session = ort.InferenceSession(
        export(EVERY_OP, TaskSpec(3, 28, 28, 2)).model,
        providers=["CPUExecutionProvider"],
    )
    (image,), (output,) = session.get_inputs(), session.get_outputs()
    assert (image.name, image.type, image.shape) == (
        "image",
        "tensor(uint8)",
        [1, 3, 28, 28],
    )
    assert (output.name, output.type, output.shape) == (
        "probabilities",
        "tensor(float)",
        [1, 2],
    )


def test_the_file_is_opset_13_and_imports_nothing_else() -> None:
    exported = export(EVERY_OP, TASKS[0])
    assert exported.facts.opset == 13
    assert exported.facts.ir <= 8
    assert exported.facts.domains == ("",)
    model = onnx.load_from_string(exported.model)
    assert not any(tensor.external_data for tensor in model.graph.initializer)


def test_metadata_says_what_the_file_is() -> None:
    model = onnx.load_from_string(export(EVERY_OP, TASKS[1]).model)
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert json.loads(words["class_names"]) == [f"class {k}" for k in range(8)]
    assert words["input"] == (
        "image: uint8 [1, 3, 28, 28], NCHW, RGB, 0 to 255, no preprocessing"
    )
    assert words["output"] == "probabilities: float32 [1, 8], sums to 1"
    assert words["notice"] == "not for clinical use"


def test_a_file_name_that_is_no_utf_8_stands_in_the_metadata_escaped() -> None:
    latin = os.fsdecode(b"pr\xfcfung")
    model = onnx.load_from_string(export(EVERY_OP, TASKS[0], dataset=latin).model)
    words = {entry.key: entry.value for entry in model.metadata_props}
    assert words["dataset"] == r"pr\udcfcfung"


def test_the_same_network_gives_the_same_bytes() -> None:
    first, second = (export(EVERY_OP, TASKS[0]) for _ in range(2))
    assert first.model == second.model
    assert first.golden == second.golden


def test_folding_changes_nothing_and_leaves_the_network_alone() -> None:
    task = TASKS[1]
    network = a_network(EVERY_OP, task).double()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    images = torch.randn(
        4, 3, 28, 28, generator=torch.Generator().manual_seed(1), dtype=torch.float64
    )
    torch.testing.assert_close(fold(network)(images), network(images))
    after = network.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    with pytest.raises(TypeError, match="folded already"):
        fold(fold(network))


def test_normalisation_lives_in_the_graph() -> None:
    task = TASKS[0]
    network = a_network(EVERY_OP, task)
    images = a_split(task).images
    deployed = DeployedNetwork(network, NORMALISATION)(torch.tensor(images))
    reference = network_probabilities(network, NORMALISATION, images)
    np.testing.assert_allclose(deployed.detach().numpy(), reference, atol=1e-5)


@pytest.mark.parametrize("classes", [2, 5, 40])
def test_golden_images_are_of_every_class_though_data_are_sorted(classes: int) -> None:
    labels = np.repeat(np.arange(classes), 40)
    images = np.broadcast_to(
        labels.astype(np.uint8)[:, None, None, None], (len(labels), 1, 8, 8)
    )
    chosen = golden_images(Split(images, labels))[:-3, 0, 0, 0]
    counts = np.bincount(chosen, minlength=classes)
    assert len(chosen) == 32
    assert counts.max() - counts.min() <= 1
    assert (np.diff(chosen.astype(int)) >= 0).all()  # in the order of the data


def test_golden_vectors_are_what_the_network_says() -> None:
    exported = export(EVERY_OP, TASKS[1])
    golden = np.load(io.BytesIO(exported.golden), allow_pickle=False)
    assert golden["images"].dtype == np.uint8
    assert golden["images"].shape == (15, 3, 28, 28)  # all val images and 3 extremes
    assert golden["probabilities"].shape == (15, 8)
    np.testing.assert_allclose(golden["probabilities"].sum(1), 1, atol=1e-6)


def test_the_example_runs_with_numpy_and_onnxruntime_alone(tmp_path: Path) -> None:
    task = TASKS[1]
    exported = export(EVERY_OP, task)
    (tmp_path / "model.onnx").write_bytes(exported.model)
    (tmp_path / "golden.npz").write_bytes(exported.golden)
    program = example_source("model.onnx", task, RUNTIME)
    (tmp_path / "infer.py").write_text(program)
    assert "import torch" not in program
    done = subprocess.run(
        [sys.executable, "infer.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    golden = np.load(io.BytesIO(exported.golden))["probabilities"][0]
    assert done.stdout == f"class {golden.argmax()} {round(float(golden.max()), 4)}\n"


def test_the_estimate_counts_the_operators_of_the_graph() -> None:
    """Where an operator takes a millisecond, and nothing else any time."""
    compute = Compute(gflops=1e9, gbps=1e9, overhead_us=1000, p95_over_p50=1)
    model = onnx.load_from_string(export(smallest(SPACE), TASKS[1]).model)
    nodes = [node for node in model.graph.node if node.op_type != "Constant"]
    estimate = analytic_latency(compute, SPACE, TASKS[1])
    assert len(nodes) == 24
    assert estimate.table.fixed == pytest.approx(len(nodes), abs=1e-6)


def test_the_example_runs_as_the_profile_is_measured() -> None:
    runtime = RUNTIME.model_copy(
        update={"threads": 4, "provider": "CUDAExecutionProvider"}
    )
    program = example_source("model.onnx", TASKS[1], runtime)
    assert "intra_op_num_threads = 4\n" in program
    assert 'providers=["CUDAExecutionProvider"]' in program


def test_an_opset_that_is_too_old_is_refused() -> None:
    runtime = RuntimeLimits(onnxruntime=">=1.6.0", max_opset=12, max_ir=7)
    with pytest.raises(IncompatibleError) as caught:
        export(EVERY_OP, TASKS[0], runtime)
    assert str(caught.value) == (
        "export: the profile allows opset 12, the networks need 13"
    )
    assert caught.value.hint == "runtime.max_opset = 13"
    assert caught.value.exit_code == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda model: setattr(model, "ir_version", 10),
            "file: IR version is 10, the profile allows 8",
        ),
        (
            lambda model: setattr(model.opset_import[0], "version", 17),
            "file: opset is 17, the profile allows 13",
        ),
        (
            lambda model: model.opset_import.add(domain="ai.onnx.ml", version=5),
            "file: imports the domains ai.onnx.ml, which an old runtime may not know",
        ),
        (
            lambda model: setattr(
                model.graph.input[0].type.tensor_type.shape.dim[0], "dim_param", "n"
            ),
            "file: the shape of image is not fixed",
        ),
    ],
    ids=["ir", "opset", "domain", "dynamic"],
)
def test_what_an_old_runtime_refuses_is_refused_here(
    change: object, message: str
) -> None:
    model = onnx.load_from_string(export(EVERY_OP, TASKS[0]).model)
    assert callable(change)
    change(model)
    with pytest.raises(IncompatibleError) as caught:
        check_file(model, RUNTIME, "file")
    assert str(caught.value) == message


def test_a_file_that_says_something_else_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = file_probabilities

    def turned(model: bytes, images: np.ndarray) -> np.ndarray:
        return real(model, images)[:, ::-1]

    monkeypatch.setattr(export_module, "file_probabilities", turned)
    with pytest.raises(AcceptanceError, match="differs from the network on") as caught:
        export(EVERY_OP, TASKS[0])
    assert caught.value.exit_code == 4


def test_near_ties_are_counted_apart() -> None:
    reference = np.array([[0.5, 0.5], [0.9, 0.1], [0.2, 0.8]], np.float32)
    other = np.array([[0.49995, 0.50005], [0.9, 0.1], [0.6, 0.4]], np.float32)
    parity = compare(reference, other)
    assert (parity.changed, parity.near_ties) == (1, 1)
    assert not parity.passed
    assert Parity(images=3, max_difference=1e-4, changed=0, near_ties=1).passed
    assert not Parity(images=3, max_difference=2e-4, changed=0, near_ties=0).passed
