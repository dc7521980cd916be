"""Profiles load whole, or are refused with one line that can be acted on."""

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.errors import ProfileError
from zonas_edge.profile import (
    Acceptance,
    Device,
    Quantization,
    load_gates,
    load_profile,
    profile_from_dict,
    shipped_profiles,
)
from zonas_edge.space import SearchSpace

ROOT = Path(__file__).parents[1]

NO_RANGE = "not a version range such as >=1.22 or ==1.10.0"
NO_PATTERN = " (missing ), unterminated subpattern at position 0)"
NO_BRACKET = " expected ']' at the end of a table declaration"
NO_EQUALS = " expected '=' after a key in a key/value pair"

WHOLE = """\
[device]
name = "board"
cpu = "one core"
memory = "1 GB"

[budget]
parameters = 1000
min_parameters = 10
latency_p95_ms = 5
model_kb = 64.5

[runtime]
onnxruntime = ">=1.22"
deny = ["1.21.0"]

[compute]
gflops = 4
gbps = 2.0
overhead_us = 0
"""


def written(folder: Path, text: str | bytes) -> str:
    file = folder / "board.toml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(file)


def refusal(path: str) -> tuple[str, str | None]:
    """The message without the folder, and the hint."""
    with pytest.raises(ProfileError) as caught:
        load_profile(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value).removeprefix(path + ": "), caught.value.hint


def test_the_shipped_profiles_are_the_files_of_the_folder() -> None:
    assert shipped_profiles() == (
        "jetson-nano",
        "jetson-orin-nano",
        "raspberry-pi-4",
        "raspberry-pi-5",
        "raspberry-pi-zero-2w",
        "x86-64",
    )
    assert {file.stem for file in (ROOT / "profiles").glob("*.toml")} == set(
        shipped_profiles()
    )


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_profile_loads_and_survives_json(name: str) -> None:
    profile = load_profile(name)

    assert (profile.name, profile.path) == (name, f"profiles/{name}.toml")
    assert profile.runtime.max_opset == 13
    assert profile.runtime.max_ir == 8
    assert profile.board[0].sources
    again = profile_from_dict(json.loads(json.dumps(profile.to_dict())), "run.json")
    assert again == profile


def test_an_own_profile_in_a_folder_profiles_is_not_the_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "profiles").mkdir()
    own = written(tmp_path / "profiles", WHOLE)
    (tmp_path / "profiles" / "x86-64.toml").write_text(Path(own).read_text())
    for name in ("board", "x86-64"):
        profile = load_profile(f"profiles/{name}.toml")
        assert profile.argument == profile.path == f"./profiles/{name}.toml"
    assert load_profile("x86-64").argument == "x86-64"


@pytest.mark.parametrize("name", shipped_profiles())
def test_a_shipped_figure_stands_beside_its_source_or_is_called_judgement(
    name: str,
) -> None:
    text = (ROOT / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    budget = text.split("[budget]")[1].split("[runtime]")[0]
    compute = text.split("[compute]")[1].splitlines()

    limits = [line for line in budget.splitlines() if "=" in line]
    assert len(limits) == 3
    assert all("judgement" in line for line in limits)
    assert "judgement, unverified" in compute[0]


def test_every_package_of_the_tree_is_named_in_pyproject() -> None:
    """The list is by hand, for the sake of profiles/; a gap would break the wheel."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        setuptools = tomllib.load(stream)["tool"]["setuptools"]
    found = {
        ".".join(file.parent.relative_to(ROOT).parts)
        for file in (ROOT / "zonas_edge").rglob("*.py")
    }

    assert set(setuptools["packages"]) == found | {"zonas_edge.profiles"}
    assert setuptools["package-dir"] == {"zonas_edge.profiles": "profiles"}


def test_a_file_fills_in_the_defaults(tmp_path: Path) -> None:
    path = written(tmp_path, WHOLE)
    profile = load_profile(path)

    assert (profile.name, profile.path) == ("board", path)
    assert profile.budget.latency_p95_ms == 5.0
    assert profile.runtime.threads == 1
    assert profile.runtime.deny == ("1.21.0",)
    assert profile.search_space == SearchSpace(channels=16, max_depth=3)
    assert profile.acceptance == Acceptance()
    assert profile.quantization == Quantization(
        weight_bits=7, max_accuracy_drop=0.01, max_sensitivity_drop=0.02
    )


def test_space_and_acceptance_are_read(tmp_path: Path) -> None:
    more = (
        "[space]\nchannels = 8\n[acceptance]\nmin_auc = 0.9\n"
        'min_sensitivity = {"a b" = 1}\n'
    )
    profile = load_profile(written(tmp_path, WHOLE + more))

    assert profile.search_space == SearchSpace(channels=8, max_depth=3)
    assert profile.acceptance == Acceptance(min_auc=0.9, min_sensitivity={"a b": 1.0})


def test_a_byte_order_mark_and_windows_lines_are_taken(tmp_path: Path) -> None:
    text = "\ufeff" + WHOLE.replace("\n", "\r\n")
    assert load_profile(written(tmp_path, text)).name == "board"


@pytest.mark.parametrize(
    ("old", "new", "message", "hint"),
    [
        (
            "latency_p95_ms = 5",
            "latency = 5",
            "unknown key budget.latency",
            "did you mean budget.latency_p95_ms?",
        ),
        (
            "model_kb",
            "max_opset = 13\nmodel_kb",
            "unknown key budget.max_opset",
            "did you mean runtime.max_opset?",
        ),
        ("model_kb", "zzz = 1\nmodel_kb", "unknown key budget.zzz", None),
        ("model_kb", '"a\\nb" = 1\nmodel_kb', 'unknown key budget."a\\nb"', None),
        (
            "[device]",
            "name = 'x'\n[device]",
            "unknown key name",
            "did you mean device.name?",
        ),
        (
            "[compute]",
            "[acceptnce]\n[compute]",
            "unknown section [acceptnce]",
            "did you mean acceptance?",
        ),
        (
            "[compute]\ngflops = 4\ngbps = 2.0\noverhead_us = 0\n",
            "",
            "missing section [compute]",
            None,
        ),
        ("parameters = 1000\n", "", "missing key budget.parameters", None),
        (
            "[compute]",
            "[quantization]\nweight_bits = 4\n[compute]",
            "quantization.weight_bits is 4, below 7",
            None,
        ),
        (
            "[compute]",
            "[quantization]\nmax_accuracy_drop = 2\n[compute]",
            "quantization.max_accuracy_drop is 2, above 1",
            None,
        ),
        ("= 1000", "= true", "budget.parameters is true, not a whole number", None),
        ("= 1000", "= 1e3", "budget.parameters is 1000.0, not a whole number", None),
        ("= 1000", '= "many"', 'budget.parameters is "many", not a whole number', None),
        ("= 1000", "= 0", "budget.parameters is 0, below 1", None),
        (
            "= 10\n",
            "= 2000\n",
            "budget.min_parameters is 2,000, above budget.parameters (1,000)",
            None,
        ),
        ("= 64.5", "= nan", "budget.model_kb is nan, not a finite number", None),
        ("= 64.5", "= inf", "budget.model_kb is inf, not a finite number", None),
        ("= 64.5", "= true", "budget.model_kb is true, not a number", None),
        ("= 64.5", "= -1", "budget.model_kb is -1, not above 0", None),
        ('= ">=1.22"', '= "1.22"', 'runtime.onnxruntime is "1.22", ' + NO_RANGE, None),
        ('= ">=1.22"', '= ""', 'runtime.onnxruntime is "", ' + NO_RANGE, None),
        (
            '["1.21.0"]',
            '["1.21.0", "x"]',
            'runtime.deny[1] is "x", not a version such as 1.21.0',
            None,
        ),
        ('["1.21.0"]', '"1.21.0"', 'runtime.deny is "1.21.0", not a list', None),
        ('cpu = "one core"', "cpu = 1", "device.cpu is 1, not a text", None),
        ('cpu = "one core"', 'cpu = ""', 'device.cpu is "", empty', None),
        (
            'memory = "1 GB"',
            'memory = "1 GB"\ncpu_pattern = "("',
            'device.cpu_pattern is "(", not a regular expression' + NO_PATTERN,
            None,
        ),
        (
            "[compute]",
            'provider = "GPU"\n[compute]',
            'runtime.provider is "GPU", not of the form ^\\w+ExecutionProvider$',
            None,
        ),
        (
            "[compute]",
            "[acceptance]\nmin_auc = 1.5\n[compute]",
            "acceptance.min_auc is 1.5, above 1",
            None,
        ),
        (
            "[compute]",
            "[acceptance.min_sensitivity]\na = -0.1\n[compute]",
            "acceptance.min_sensitivity.a is -0.1, below 0",
            None,
        ),
        ("[device]", "space = 3\n[device]", "space is 3, not a section", None),
        (
            "gflops = 4",
            "gflops = 0x" + "f" * 5000,
            "compute.gflops is 0x" + "f" * 38 + ", not a number",
            None,
        ),
    ],
)
def test_what_is_wrong_is_told_with_key_and_value(
    tmp_path: Path, old: str, new: str, message: str, hint: str | None
) -> None:
    assert old in WHOLE
    path = written(tmp_path, WHOLE.replace(old, new, 1))
    assert refusal(path) == (message, hint)


def test_of_several_mistakes_the_first_in_the_file_is_told(tmp_path: Path) -> None:
    text = WHOLE.replace("gflops = 4", "gflops = 0").replace("overhead_us = 0\n", "")
    assert refusal(written(tmp_path, text)) == (
        "compute.gflops is 0, not above 0",
        "1 more problem after this one",
    )
    text = text.replace("[device]", "[devise]")
    assert refusal(written(tmp_path, text)) == (
        "unknown section [devise]",
        "did you mean device? (3 more problems after this one)",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[device\n", "broken TOML at line 1, column 8:" + NO_BRACKET),
        (b"[device]\nname 3\n", "broken TOML at line 2, column 6:" + NO_EQUALS),
        (b"a = ", "broken TOML at end of document: invalid value"),
        (b"\xff\xfe", "not UTF-8 at byte 0"),
        (b"a = " + b"[" * 5000, "broken TOML: nested too deeply"),
        (b"#" * (2**20 + 1), "larger than 1 MiB, not a profile"),
        (b"", "missing section [device]"),
    ],
)
def test_what_is_no_toml_is_told_with_its_place(
    tmp_path: Path, content: bytes, message: str
) -> None:
    assert refusal(written(tmp_path, content))[0] == message


def test_an_integer_of_thousands_of_digits_is_no_traceback(tmp_path: Path) -> None:
    message, _ = refusal(written(tmp_path, "a = " + "9" * 5000))
    assert message.startswith("broken TOML: exceeds the limit (4300 digits)")


def test_a_path_that_is_no_file_is_told(tmp_path: Path) -> None:
    missing = f"{tmp_path}/raspbery-pi-4.toml"

    assert refusal(missing) == ("no such file", "did you mean raspberry-pi-4?")
    assert refusal("./zzz") == ("no such file", "zonas-edge profiles list")
    assert refusal(f"{tmp_path}/") == ("is a directory", None)
    assert refusal(f"{tmp_path}/{'x' * 300}.toml") == ("file name too long", None)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("raspberry-pi4", "did you mean raspberry-pi-4?"),
        ("Jetson-Nano", "did you mean jetson-nano?"),
        ("zzz", "zonas-edge profiles list"),
        ("", "zonas-edge profiles list"),
        ("..", "zonas-edge profiles list"),
    ],
)
def test_an_unknown_name_is_told_with_the_nearest(name: str, hint: str) -> None:
    with pytest.raises(ProfileError) as caught:
        load_profile(name)
    assert str(caught.value) == f"profile {name}: not one of the 6 shipped"
    assert caught.value.hint == hint


@pytest.mark.parametrize(
    ("name", "machine", "model", "own"),
    [
        (
            "raspberry-pi-4",
            "aarch64",
            "Cortex-A72 Raspberry Pi 4 Model B Rev 1.4",
            True,
        ),
        ("raspberry-pi-4", "arm64", "raspberry pi 4 model b", True),
        ("raspberry-pi-4", "armv7l", "Raspberry Pi 4 Model B Rev 1.4", False),
        ("raspberry-pi-4", "aarch64", "Raspberry Pi 5 Model B Rev 1.0", False),
        ("raspberry-pi-4", "aarch64", "Raspberry Pi 400", False),
        ("raspberry-pi-zero-2w", "aarch64", "Raspberry Pi Zero 2 W Rev 1.0", True),
        ("jetson-nano", "aarch64", "NVIDIA Jetson Nano Developer Kit", True),
        ("jetson-nano", "aarch64", "NVIDIA Jetson Nano 2GB Developer Kit", False),
        ("jetson-nano", "aarch64", "NVIDIA Jetson Orin Nano Developer Kit", False),
        ("jetson-orin-nano", "aarch64", "NVIDIA Jetson Orin Nano Developer Kit", True),
        ("x86-64", "x86_64", "AMD EPYC 7B13", True),
        ("x86-64", "AMD64", "", True),
        ("x86-64", "aarch64", "Neoverse-N1", False),
    ],
)
def test_a_device_recognises_itself_alone(
    name: str, machine: str, model: str, own: bool
) -> None:
    assert load_profile(name).board[0].recognises(machine, model) is own


def test_a_device_that_says_nothing_of_itself_recognises_nothing() -> None:
    silent = Device(name="a", cpu="b", memory="c")
    assert not silent.recognises("x86_64", "anything")


@pytest.mark.parametrize("heading", ["", "[acceptance]\n"])
def test_gates_stand_at_the_top_or_in_their_section(
    tmp_path: Path, heading: str
) -> None:
    path = written(tmp_path, heading + "min_accuracy = 0.84\n")
    assert load_gates(path) == Acceptance(min_accuracy=0.84)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("min_acc = 0.8", "unknown key min_acc", "did you mean min_auc?"),
        (
            "[acceptance]\nmin_aucc = 1",
            "unknown key acceptance.min_aucc",
            "did you mean acceptance.min_auc?",
        ),
        ("[acceptance]\nmin_auc = 1\n[budget]\n", "unknown section [budget]", None),
        ("min_auc = 85", "min_auc is 85, above 1", None),
        ("", "no criterion in it", "add min_accuracy = 0.85"),
    ],
)
def test_gates_that_are_wrong_are_told(
    tmp_path: Path, text: str, message: str, hint: str | None
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ProfileError) as caught:
        load_gates(path)
    assert (str(caught.value), caught.value.hint) == (f"{path}: {message}", hint)


def test_a_damaged_record_of_a_profile_is_told() -> None:
    data = load_profile("x86-64").to_dict()
    data["budget"]["parameters"] = None
    with pytest.raises(ProfileError) as caught:
        profile_from_dict(data, "exports/a/run.json")
    assert (
        str(caught.value)
        == "exports/a/run.json: budget.parameters is null, not a whole number"
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner)
    ),
    max_leaves=4,
)


@given(
    section=st.sampled_from(["device", "budget", "runtime", "compute", "acceptance"]),
    value=anything,
    whole_section=st.booleans(),
    data=st.data(),
)
def test_no_value_anywhere_is_answered_with_anything_but_one_line(
    section: str, value: Any, whole_section: bool, data: st.DataObject
) -> None:
    profile = load_profile("raspberry-pi-4").to_dict()
    if whole_section:
        profile[section] = value
    else:
        key = data.draw(st.sampled_from(sorted(profile[section])) | st.text())
        profile[section][key] = value
    refused: list[str] = []
    try:
        profile_from_dict(profile, "run.json")
    except ProfileError as error:
        refused.append(str(error))
    assert all(text.startswith("run.json: ") for text in refused)
    assert not any("\n" in text for text in refused)
