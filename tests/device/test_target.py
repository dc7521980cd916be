"""What a user may name as a target, and what is refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zonas_edge.device.local import LocalTarget
from zonas_edge.device.ssh import SshTarget
from zonas_edge.device.target import Connection, parse_target
from zonas_edge.errors import UsageError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ssh://board", SshTarget("board")),
        ("ssh://pi@10.0.0.7", SshTarget("10.0.0.7", user="pi")),
        ("ssh://pi@board.lab:2222/", SshTarget("board.lab", user="pi", port=2222)),
        ("ssh://[fe80::1%eth0]:22", SshTarget("fe80::1%eth0", port=22)),
    ],
)
def test_an_address_is_read_and_named_again(text: str, expected: SshTarget) -> None:
    target = parse_target(text)

    assert target == expected
    assert target.name == text.rstrip("/")


def test_the_words_of_the_interpreter_are_split_as_a_shell_would() -> None:
    how = Connection(python="qemu-aarch64-static -L '/my root' python3", limit_s=7.0)

    target = parse_target("ssh://board", how)

    words = ("qemu-aarch64-static", "-L", "/my root", "python3")
    assert target == SshTarget("board", python=words, limit_s=7.0)
    assert parse_target("local", Connection(python="python3.9")) == LocalTarget(
        ("python3.9",)
    )


@pytest.mark.parametrize(
    "text",
    [
        "",
        "board",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://-l@board",
        "ssh://pi@-board",
        "ssh://board/home",
        "ssh://board:",
        "ssh://board:22x",
        "ssh://pi:secret@board",
        "ssh://a b",
        "ssh://board\n",
        "ssh://bo\x07ard",
        "ssh://[::1",
        "ssh://[-x]",
        "SSH://board",
        "bundle",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(text)

    assert str(caught.value) == f"--target {text}: not an address"
    assert caught.value.hint == "--target local, ssh://[user@]host[:port] or bundle"


@pytest.mark.parametrize("port", [0, 65_536, 99_999])
def test_a_port_outside_its_range_is_refused(port: int) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target(f"ssh://board:{port}")

    assert str(caught.value) == (
        f"--target ssh://board:{port}: port is {port}, not from 1 to 65,535"
    )


@pytest.mark.parametrize(
    ("python", "reason"),
    [
        ("", "empty"),
        ("'python3", "no closing quotation"),
        ("python3\n", "holds a character that can't be printed"),
    ],
)
def test_an_interpreter_that_can_not_be_meant_is_refused(
    python: str, reason: str
) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("ssh://board", Connection(python=python))

    assert str(caught.value) == f"--python {python!r}: {reason}"
    assert caught.value.hint == "--python python3.11"


def test_a_configuration_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        parse_target("ssh://board", Connection(ssh_config=tmp_path / "none"))

    assert str(caught.value) == f"--ssh-config {tmp_path / 'none'}: no such file"


@given(st.text())
def test_no_text_becomes_an_option_of_ssh(text: str) -> None:
    try:
        target = parse_target(f"ssh://{text}")
    except UsageError:
        return

    assert isinstance(target, SshTarget)
    words = target.command(512)
    assert not words[-2].startswith("-")
    assert not any(word.startswith("-") for word in (target.host, target.user or "x"))
    assert all(word.isprintable() for word in words)
