"""Reference networks as values: known counts, one description, one width."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.references import CIFAR, GRAY, MOBILENET, RESNET, SMALL, mobilenet, tasks
from zonas_edge.architecture import smallest
from zonas_edge.blueprint import blueprint_from_json
from zonas_edge.cost import macs, parameters, reference_bytes
from zonas_edge.latency import reference_ms
from zonas_edge.profile import Compute
from zonas_edge.reference import WIDEST, Reference, ReferenceName
from zonas_edge.space import SearchSpace, TaskSpec

COMPUTE = Compute(gflops=10.0, gbps=5.0, overhead_us=3.0)


def trained(reference: Reference, task: TaskSpec) -> int:
    """Weights in training: a scale and a shift each map, where a bias is deployed."""
    maps = sum(layer.convolution.outputs for layer in reference.layers(task))
    return parameters(reference, task) + maps


def test_resnet_18_for_cifar_10_has_the_known_count_and_operations() -> None:
    assert trained(RESNET, CIFAR) == 11_173_962
    assert parameters(RESNET, CIFAR) == 11_169_162
    assert macs(RESNET, CIFAR) == 555_422_720


@pytest.mark.parametrize(("classes", "count"), [(1000, 3_504_872), (10, 2_236_682)])
def test_mobilenet_v2_of_full_width_has_the_known_count(
    classes: int, count: int
) -> None:
    assert trained(MOBILENET, TaskSpec(3, 224, 224, classes)) == count


def test_mobilenet_v2_ends_in_an_eighth_of_the_image_and_resnet_too() -> None:
    for reference in (MOBILENET, RESNET):
        assert [*reference.layers(GRAY)][-1].pixels_out == 4 * 4
        assert [*reference.layers(CIFAR)][-1].pixels_out == 4 * 4


@given(st.integers(1, WIDEST), tasks())
def test_maps_are_even_and_each_layer_reads_what_another_wrote(
    width: int, task: TaskSpec
) -> None:
    layers = [*mobilenet(width).layers(task)]
    assert all(layer.convolution.outputs % 2 == 0 for layer in layers)
    for before, after in pairwise(layers):
        assert after.convolution.inputs == before.convolution.outputs
        assert after.pixels_in == before.pixels_out


@given(st.integers(1, WIDEST - 1), tasks())
def test_every_cost_grows_with_the_width(width: int, task: TaskSpec) -> None:
    narrow, wide = mobilenet(width), mobilenet(width + 1)
    assert parameters(narrow, task) <= parameters(wide, task)
    assert macs(narrow, task) <= macs(wide, task)
    assert reference_bytes(narrow, task) <= reference_bytes(wide, task)
    assert (
        0
        < reference_ms(COMPUTE, narrow, task)
        <= reference_ms(COMPUTE, wide, task) * (1 + 1e-12)
    )


def test_the_estimate_is_the_roofline_of_every_layer() -> None:
    """One multiply is two operations, one float four bytes; the head has four steps."""
    total = 0.0
    for layer in RESNET.layers(GRAY):
        part, maps = layer.convolution, layer.convolution.outputs * layer.pixels_out
        values = part.inputs * layer.pixels_in + part.weights + maps
        work = max(2e3 * part.weights * layer.pixels_out / 10e9, 4e3 * values / 5e9)
        total += work + 3e-3
        if layer.added:
            total += max(2e3 * maps / 10e9, 4e3 * 3 * maps / 5e9) + 3e-3
    total += 4 * (4e3 * 512 * 16 / 5e9 + 3e-3)
    assert reference_ms(COMPUTE, RESNET, GRAY) == pytest.approx(total)
    assert sum(layer.added for layer in RESNET.layers(GRAY)) == 8
    assert sum(layer.added for layer in MOBILENET.layers(GRAY)) == 10


@given(st.integers(1, WIDEST))
def test_a_reference_survives_json(width: int) -> None:
    for reference in (mobilenet(width), RESNET):
        again = blueprint_from_json(json.loads(json.dumps(reference.to_json())))
        assert again == reference


def test_an_architecture_is_told_from_a_reference() -> None:
    architecture = smallest(SearchSpace())
    assert blueprint_from_json(architecture.to_json()) == architecture


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "sketch"}, "kind is 'sketch', not reference"),
        ({"schema": 2}, "schema is 2, not 1"),
        ({"name": "resnet19"}, "'resnet19' is not a valid ReferenceName"),
        ({"width": 0}, "width is 0, not from 1 to 10000"),
        ({"name": "resnet18"}, "resnet18 has one width, 1000"),
        ({"width": None}, "no reference network: int() argument"),
    ],
)
def test_what_is_no_reference_is_refused(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the message is below
        blueprint_from_json(mobilenet(250).to_json() | change)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("data", [[], "resnet18", None, 3])
def test_what_is_no_object_is_no_blueprint(data: object) -> None:
    with pytest.raises(ValueError, match=r"^no architecture: "):
        blueprint_from_json(data)


def test_the_summary_tells_the_width_where_it_was_chosen() -> None:
    assert RESNET.summary() == "resnet18 (a reference network)"
    assert mobilenet(214).summary() == (
        "mobilenetv2 (a reference network, width 0.214)"
    )


def test_the_names_are_those_of_the_command() -> None:
    assert [name.value for name in ReferenceName] == ["resnet18", "mobilenetv2"]
    assert [name.scales for name in ReferenceName] == [False, True]
    assert parameters(RESNET, SMALL) > 11_000_000
