"""A device behind a real sshd: what travels, what comes back, what goes wrong."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest

from tests.device.conftest import ENDLESS, a_job
from tests.device.sshd import Server
from tests.device.tiny import TINY, build_tiny, tiny_images, tiny_probabilities
from zonas_edge.device import ssh
from zonas_edge.device.job import Job
from zonas_edge.device.ssh import SshTarget
from zonas_edge.errors import IncompatibleError, TargetError, UsageError, ZonasError

HERE = (sys.executable,)


def failure(target: SshTarget, *jobs: Job) -> ZonasError:
    with pytest.raises(ZonasError) as caught:
        target.measure(jobs)
    return caught.value


def test_a_measurement_comes_back_and_nothing_stays(
    server: Server, tmp_path: Path
) -> None:
    lines: list[str] = []

    (taken,) = server.target(python=HERE).measure([a_job(tmp_path)], lines.append)

    np.testing.assert_allclose(
        taken.probabilities, tiny_probabilities(tiny_images(6)), atol=1e-6
    )
    assert taken.answer.latency_ms.runs == 20
    assert taken.answer.parity is not None
    assert taken.answer.parity.passed
    assert taken.answer.machine.emulator is None
    assert lines[0] == "sending 0.0 MiB to ssh://board"
    assert [line.split(":")[0] for line in lines[1:]] == [
        "load",
        "latency",
        "accuracy",
        "accuracy",
    ]
    assert server.left() == []


def test_many_jobs_take_one_connection_and_keep_their_order(
    server: Server, tmp_path: Path
) -> None:
    other = tmp_path / "other.onnx"
    other.write_bytes(build_tiny(scale=1 / 250))
    first, second = a_job(tmp_path), a_job(tmp_path, model=other, images=4)
    lines: list[str] = []

    taken = server.target(python=HERE).measure([first, second, first], lines.append)

    assert [len(each.probabilities) for each in taken] == [6, 4, 6]
    hashes = [each.answer.model_sha256 for each in taken]
    assert hashes[0] == hashes[2] != hashes[1]
    assert [each.answer.memory.peak_bytes for each in taken] == [None] * 3
    assert lines[1:] == [
        "model 1 of 3: model.onnx",
        "model 2 of 3: model-2.onnx",
        "model 3 of 3: model.onnx",
    ]
    assert server.logins() == 1


@pytest.mark.parametrize(
    ("host", "message", "hint"),
    [
        (
            "stranger",
            "its host key is not known yet",
            "see and accept the key once by hand: ssh -F {config} stranger",
        ),
        (
            "impostor",
            "its host key is not the known one",
            (
                "see why it changed; if it may, ssh-keygen -R impostor, and"
                " ssh -F {config} impostor once by hand"
            ),
        ),
        (
            "locked",
            "authentication refused",
            "it must let you in without a question: ssh -F {config} locked",
        ),
        (
            "gone",
            "connection refused",
            "see that sshd runs there, and on which port",
        ),
    ],
)
def test_a_device_that_is_not_reached_is_told_by_its_reason(
    server: Server, tmp_path: Path, host: str, message: str, hint: str
) -> None:
    error = failure(server.target(host), a_job(tmp_path))

    assert str(error) == f"ssh://{host}: {message}"
    assert error.hint == hint.format(config=server.config)
    assert error.exit_code == 6
    assert server.left() == []


def test_a_host_without_an_address_is_told(tmp_path: Path) -> None:
    error = failure(SshTarget("board.invalid"), a_job(tmp_path))

    assert str(error) == "ssh://board.invalid: no such host"
    assert (error.hint, error.exit_code) == ("see the name, or give the address", 6)


def test_a_server_that_says_nothing_is_given_up(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "CONNECT_S", 1)
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        mute.listen()
        server.through(mute.getsockname()[1])

        error = failure(server.target("behind"), a_job(tmp_path))

    assert str(error).startswith("ssh://behind: no answer to the connection within ")
    assert error.hint == "see that the device is on and the network leads there"
    assert error.exit_code == 6


def test_an_ssh_that_is_not_installed_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    error = failure(SshTarget("board"), a_job(tmp_path))

    assert str(error) == "ssh://board: this machine has no ssh"
    assert error.hint == "install OpenSSH's client, or use --target bundle"


PYTHONS: dict[str, tuple[tuple[str, ...], type[ZonasError], str]] = {
    "none": (
        ("/no/such/python",),
        TargetError,
        "no interpreter /no/such/python, ",
    ),
    "a module missing": (
        (sys.executable, "-I", "-S"),
        TargetError,
        "No module named 'numpy'",
    ),
    "too old": (
        ("sh", "-c", "echo 'SyntaxError: invalid syntax' >&2; exit 1"),
        TargetError,
        (
            """sh -c 'echo '"'"'SyntaxError: invalid syntax'"'"' >&2; exit 1' is"""
            " older than Python 3.6"
        ),
    ),
    "an illegal instruction": (
        ("sh", "-c", "kill -ILL $$"),
        IncompatibleError,
        "died of an illegal instruction",
    ),
    "killed": (
        ("sh", "-c", "kill -KILL $$"),
        TargetError,
        f"runner.py was ended by signal {int(signal.SIGKILL)}",
    ),
    "ssh's own exit code": (
        ("sh", "-c", 'echo "$0 a  b $1" >&2; exit 255'),
        TargetError,
        "runner.py ended with exit 254, runner.py a  b --jobs",
    ),
}


@pytest.mark.parametrize("name", PYTHONS)
def test_an_interpreter_that_does_not_measure_is_told(
    server: Server, tmp_path: Path, name: str
) -> None:
    python, kind, message = PYTHONS[name]

    error = failure(server.target(python=python), a_job(tmp_path))

    assert type(error) is kind
    if kind is IncompatibleError:
        says = f"numpy or onnxruntime on ssh://board {message}"
        assert str(error) == f"{TINY}: {says}"
    else:
        assert str(error).startswith(f"ssh://board: {message}")
    assert server.left() == []


def test_a_model_that_the_device_does_not_load_is_named_with_its_runtime(
    server: Server, tmp_path: Path
) -> None:
    import onnxruntime

    model = tmp_path / "model.onnx"
    model.write_bytes(build_tiny()[:-40])
    jobs = [a_job(tmp_path), a_job(tmp_path, model=model)]

    error = failure(server.target(python=HERE), *jobs)

    assert type(error) is IncompatibleError
    assert str(error).startswith(
        f"{model}: onnxruntime {onnxruntime.__version__} on ssh://board doesn't load"
        " it, "
    )
    assert server.left() == []


def test_a_missing_model_is_told_before_anything_is_sent(
    server: Server, tmp_path: Path
) -> None:
    job = a_job(tmp_path, model=tmp_path / "none.onnx")

    error = failure(server.target(), job)

    assert (type(error), str(error)) == (
        UsageError,
        f"{tmp_path / 'none.onnx'}: no such file",
    )
    assert server.logins() == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_full_device_says_so_and_is_left_empty(
    server: Server, tmp_path: Path
) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(server.remote)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting is not allowed here")
    try:
        error = failure(server.target(python=HERE), a_job(tmp_path, images=5000))
        left = server.left()
    finally:
        unmount = ["umount", "-l", str(server.remote)]
        subprocess.run(unmount, check=True)

    assert type(error) is TargetError
    assert str(error).startswith(
        "ssh://board: no room for 0.3 MiB in its temporary folder, tar: "
    )
    assert error.hint == (
        "free space there, or have sshd set TMPDIR to a folder with some"
    )
    assert left == []


def test_a_device_without_a_temporary_folder_says_so(
    server: Server, tmp_path: Path
) -> None:
    server.remote.rmdir()

    error = failure(server.target(), a_job(tmp_path))

    assert str(error).startswith(
        "ssh://board: no room for 0.0 MiB in its temporary folder, mktemp: "
    )


def test_a_measurement_that_takes_too_long_is_ended_on_both_sides(
    server: Server, tmp_path: Path
) -> None:
    target = server.target(python=HERE, limit_s=3.0)

    error = failure(target, a_job(tmp_path, repeats=ENDLESS))

    assert str(error) == "ssh://board: no answer within 3 s"
    assert (error.hint, error.exit_code) == ("--timeout 6", 6)
    assert server.left() == []
    assert runners(server) == []


def test_an_interrupt_passes_through_once_the_device_is_tidy(
    server: Server, tmp_path: Path
) -> None:
    begun = time.monotonic()

    with pytest.raises(KeyboardInterrupt):
        server.target(python=HERE).measure(
            [a_job(tmp_path, repeats=ENDLESS)], interrupted_at("latency")
        )

    assert time.monotonic() - begun < 10
    assert server.now() == []  # at once, without waiting
    assert runners(server) == []


def test_a_connection_that_is_killed_in_the_middle_is_told_and_tidied(
    server: Server, tmp_path: Path
) -> None:
    with proxy(server.port) as (port, cut):
        server.through(port)

        def listen(line: str) -> None:
            if line.startswith("latency"):
                cut()

        with pytest.raises(TargetError) as caught:
            server.target("behind", python=HERE).measure(
                [a_job(tmp_path, repeats=ENDLESS)], listen
            )

    assert str(caught.value).startswith(
        "ssh://behind: the connection was lost in the middle, "
    )
    assert (caught.value.hint, caught.value.exit_code) == ("repeat the command", 6)
    assert server.left() == []
    assert runners(server) == []


@pytest.mark.slow
def test_a_slow_link_takes_its_time_and_brings_the_same(
    server: Server, tmp_path: Path
) -> None:
    job = a_job(tmp_path, images=10_000)  # 640 kB of noise
    begun = time.monotonic()
    with proxy(server.port, bytes_per_s=200_000) as (port, _):
        server.through(port)

        (taken,) = server.target("behind", python=HERE).measure([job])

    assert time.monotonic() - begun > 3
    np.testing.assert_allclose(
        taken.probabilities, tiny_probabilities(tiny_images(10_000)), atol=1e-6
    )
    assert server.left() == []


@pytest.mark.slow
@pytest.mark.usefixtures("ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_ended_leaves_nothing_on_the_device(
    server: Server, tmp_path: Path, number: signal.Signals
) -> None:
    job = a_job(tmp_path, repeats=ENDLESS)
    script = (
        "import sys; from pathlib import Path\n"
        "from zonas_edge.device.job import Job, Repeats\n"
        "from zonas_edge.device.ssh import SshTarget\n"
        "model, images, config = map(Path, sys.argv[1:])\n"
        "job = Job(model, images, repeats=Repeats(runs=10**9, seconds=600))\n"
        "target = SshTarget('board', python=(sys.executable,), config=config)\n"
        "target.measure([job], lambda line: print(line, flush=True))\n"
    )
    words = [sys.executable, "-c", script, str(job.model), str(job.images)]
    with subprocess.Popen(
        [*words, str(server.config)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.startswith("latency"):
                break
        child.send_signal(number)
        child.wait(30)

    assert server.left() == []
    assert runners(server) == []


def test_no_word_of_a_target_can_be_an_option_or_a_command() -> None:
    target = SshTarget("board", user="me", port=22, python=("a b", "$(touch x)", "'"))

    words = target.command(512)

    assert words[-3:-1] == ["--", "board"]
    assert words[words.index("-l") + 1] == "me"
    script = shlex.split(words[-1])
    assert script[:3] == ["exec", "sh", "-c"]
    assert """'a b' '$(touch x)' ''"'"'' runner.py --jobs""" in script[3]


def interrupted_at(word: str) -> Callable[[str], None]:
    def listen(line: str) -> None:
        if line.startswith(word):
            raise KeyboardInterrupt

    return listen


def runners(server: Server) -> list[str]:
    """Runners that are still at work in the temporary folder of the server."""
    until = time.monotonic() + 10
    while found := list(_working(server.remote)):
        if time.monotonic() > until:
            break
        time.sleep(0.05)
    return found


def _working(folder: Path) -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            where = (process / "cwd").readlink()
            if str(where).startswith(str(folder)):
                yield (process / "cmdline").read_text()


@contextmanager
def proxy(
    port: int, bytes_per_s: float | None = None
) -> Iterator[tuple[int, Callable[[], None]]]:
    """A way to a port that can be slow, or cut in both directions at once."""
    sockets: list[socket.socket] = []

    def cut() -> None:
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def carry(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(16_384):
                sink.sendall(data)
                if bytes_per_s is not None:
                    time.sleep(len(data) / bytes_per_s)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def serve(listener: socket.socket) -> None:
        with suppress(OSError):
            near, _ = listener.accept()
            far = socket.create_connection(("127.0.0.1", port))
            sockets.extend([near, far])
            for pair in ((near, far), (far, near)):
                threading.Thread(target=carry, args=pair, daemon=True).start()

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        try:
            yield listener.getsockname()[1], cut
        finally:
            cut()
