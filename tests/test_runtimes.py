"""A profile never asks for a file that its oldest runtime can't load."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from zonas_edge.errors import ProfileError
from zonas_edge.profile import (
    DeviceProfile,
    RuntimeLimits,
    load_profile,
    profile_from_dict,
    shipped_profiles,
)
from zonas_edge.runtimes import (
    TABLE,
    RuntimeCeiling,
    check_consistent,
    check_makeable,
    limits_of,
    load_consistent_profile,
    version_allowed,
)


def with_runtime(**changes: object) -> DeviceProfile:
    data = load_profile("raspberry-pi-4").to_dict()
    data["runtime"] |= {"deny": [], **changes}
    return profile_from_dict({**data, "path": "pi.toml"}, "pi.toml")


@pytest.mark.parametrize(
    ("version", "ceiling"),
    [
        ("1.10.0", RuntimeCeiling(15, 8, ml=2)),
        ("1.11.0", RuntimeCeiling(15, 8, ml=2)),
        ("1.11.1", RuntimeCeiling(16, 8, ml=3)),
        ("1.13.1", RuntimeCeiling(17, 8)),
        ("1.20.1", RuntimeCeiling(21, 10)),
        ("1.22.0+cu126", RuntimeCeiling(22, 10)),
        ("1.31.1", RuntimeCeiling(26, 13)),
        ("2.0", RuntimeCeiling(26, 13)),
        ("1.5.3", None),
        ("no version", None),
    ],
)
def test_a_version_loads_what_the_row_before_it_loads(
    version: str, ceiling: RuntimeCeiling | None
) -> None:
    assert limits_of(version) == ceiling


def test_the_table_ascends_in_every_column() -> None:
    versions = [version for version, _ in TABLE]
    ceilings = [(ceiling.opset, ceiling.ir) for _, ceiling in TABLE]
    assert versions == sorted(set(versions))
    assert ceilings == sorted(ceilings)
    assert [ir for _, ir in ceilings] == sorted(ir for _, ir in ceilings)


def test_the_runtime_of_this_machine_loads_what_the_table_says() -> None:
    """The row of the installed version, against its real loader: at most, not more."""
    import onnx
    import onnxruntime as ort

    ceiling = limits_of(ort.__version__)
    assert ceiling is not None
    value = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [1])
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node("Identity", ["x"], ["y"])
    graph = onnx.helper.make_graph([node], "g", [value], [out])
    opset = onnx.helper.make_opsetid("", ceiling.opset)
    model = onnx.helper.make_model(graph, ir_version=ceiling.ir, opset_imports=[opset])
    session = ort.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    assert [entry.name for entry in session.get_inputs()] == ["x"]


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_profile_is_consistent(name: str) -> None:
    assert load_consistent_profile(name) == load_profile(name)


@pytest.mark.parametrize(
    ("changes", "message", "hint"),
    [
        (
            {"onnxruntime": "==1.10.0", "max_opset": 16},
            (
                "pi.toml: runtime.max_opset is 16, but onnxruntime 1.10.0, which"
                " ==1.10.0 allows, loads no more than 15"
            ),
            "runtime.max_opset = 15, or a newer runtime.onnxruntime",
        ),
        (
            {"onnxruntime": ">=1.10,<1.30", "max_ir": 9},
            (
                "pi.toml: runtime.max_ir is 9, but onnxruntime 1.10, which >=1.10,<1.30"
                " allows, loads no more than 8"
            ),
            "runtime.max_ir = 8, or a newer runtime.onnxruntime",
        ),
        (
            {"onnxruntime": "==1.21.0", "deny": ["1.21.0"]},
            (
                "pi.toml: runtime.onnxruntime is ==1.21.0, which leaves no version that"
                " is not denied"
            ),
            None,
        ),
        (
            {"onnxruntime": ">=1.22,<1.20"},
            (
                "pi.toml: runtime.onnxruntime is >=1.22,<1.20, which leaves no version"
                " that is not denied"
            ),
            None,
        ),
        (
            {"onnxruntime": "<1.20"},
            (
                "pi.toml: runtime.onnxruntime is <1.20, which allows versions older"
                " than 1.6.0"
            ),
            'runtime.onnxruntime = ">=1.6.0"',
        ),
        (
            {"onnxruntime": "!=1.21.0"},
            (
                "pi.toml: runtime.onnxruntime is !=1.21.0, which allows versions older"
                " than 1.6.0"
            ),
            'runtime.onnxruntime = ">=1.6.0"',
        ),
    ],
)
def test_a_profile_that_contradicts_itself_is_told(
    changes: dict[str, object], message: str, hint: str | None
) -> None:
    with pytest.raises(ProfileError) as caught:
        check_consistent(with_runtime(**changes))
    assert (str(caught.value), caught.value.hint) == (message, hint)


@pytest.mark.parametrize(
    ("range_", "deny", "opset"),
    [
        (">=1.10,!=1.10.0", [], 15),  # begins at 1.10.1, still of the row before
        (">1.11.1", [], 16),
        ("==1.12.*", [], 16),
        ("~=1.14.1", [], 18),
        (">=1.11.1", ["1.11.1"], 16),
        (">=99", [], 26),
    ],
)
def test_the_oldest_version_of_a_range_decides(
    range_: str, deny: list[str], opset: int
) -> None:
    check_consistent(with_runtime(onnxruntime=range_, deny=deny, max_opset=opset))
    with pytest.raises(ProfileError):
        check_consistent(
            with_runtime(onnxruntime=range_, deny=deny, max_opset=opset + 1)
        )


@given(
    low=st.tuples(st.integers(6, 32), st.integers(0, 4)),
    more=st.tuples(st.integers(0, 5), st.integers(0, 4)),
)
def test_every_version_of_a_consistent_range_loads_the_profiles_files(
    low: tuple[int, int], more: tuple[int, int]
) -> None:
    lowest = f"1.{low[0]}.{low[1]}"
    ceiling = limits_of(lowest)
    assert ceiling is not None
    profile = with_runtime(
        onnxruntime=f">={lowest}", max_opset=ceiling.opset, max_ir=ceiling.ir
    )
    check_consistent(profile)

    version = f"1.{low[0] + more[0]}.{more[1]}"
    allowed = version_allowed(version, profile.runtime) is None
    assert allowed == (Version(version) >= Version(lowest))
    if allowed:
        above = limits_of(version)
        assert above is not None
        assert above.opset >= profile.runtime.max_opset
        assert above.ir >= profile.runtime.max_ir


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.22.0", None),
        ("1.23.0rc1", None),
        ("1.20.1", "onnxruntime 1.20.1 is not >=1.20.2"),
        ("1.21.0", "onnxruntime 1.21.0 is on the profile's deny list"),
        ("1.21.0+cu126", "onnxruntime 1.21.0+cu126 is on the profile's deny list"),
        ("nightly", "onnxruntime nightly is no version number"),
    ],
)
def test_a_version_that_the_device_may_not_run_is_told_why(
    version: str, reason: str | None
) -> None:
    limits = RuntimeLimits(onnxruntime=">=1.20.2", deny=("1.21",))
    assert version_allowed(version, limits) == reason


@pytest.mark.parametrize(("key", "value", "least"), [("opset", 12, 13), ("ir", 6, 7)])
def test_a_device_that_takes_no_file_of_ours_is_told_before_the_work(
    key: str, value: int, least: int
) -> None:
    limits = with_runtime(**{f"max_{key}": value}).runtime
    with pytest.raises(ProfileError) as caught:
        check_makeable(limits, "pi.toml")
    assert str(caught.value) == (
        f"pi.toml: runtime.max_{key} is {value}, the networks need {least}"
    )
    assert caught.value.hint == f"runtime.max_{key} = {least}"
    check_makeable(with_runtime(max_opset=13, max_ir=7).runtime, "pi.toml")
