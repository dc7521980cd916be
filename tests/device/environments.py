"""Interpreters of other devices, made once and kept for later runs.

A stock Jetson Nano has Python 3.6, for which onnxruntime 1.10.0 is the last on PyPI;
later boards have later ones, and 64-bit Arm boards the newest, as this machine has. All
but the last are virtual environments with PyPI's wheels, the last is Debian's Python
unpacked into a folder, for qemu's user mode. They are kept in
``~/.cache/zonas-edge/tests``, or the folder that $ZONAS_EDGE_TEST_CACHE names; delete
it to have them made anew. The tests and ``benchmarks/load_matrix.py`` use them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

Words = tuple[str, ...]
"""The words that start an interpreter."""

CACHE = Path(
    os.environ.get("ZONAS_EDGE_TEST_CACHE", Path.home() / ".cache/zonas-edge/tests")
)
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCE = f"deb [signed-by={KEYS}] http://deb.debian.org/debian bookworm main\n"
WHEELS = ("manylinux_2_28", "manylinux_2_27", "manylinux2014")
NEWEST = metadata.version("onnxruntime")
"""What is installed here; a fresh installation takes the newest."""

PYTHONS = {
    "1.10.0": ("3.6",),
    "1.15.1": ("3.8", "3.9", "3.10", "3.11"),
    "1.19.2": ("3.9", "3.8", "3.10", "3.11", "3.12"),
    "1.23.2": ("3.10", "3.11", "3.12", "3.13"),
}
"""Of each onnxruntime the Pythons to try, the one that boards have it under first.

JetPack 4 has Python 3.6, JetPack 5 has 3.8, Debian 11 has 3.9, JetPack 6 has 3.10.
"""

CPUINFO = """\
processor\t: 0
Features\t: fp asimd evtstrm crc32 cpuid
CPU implementer\t: 0x41
CPU architecture: 8
CPU variant\t: 0x0
CPU part\t: 0xd08
CPU revision\t: 3
"""
"""A Cortex-A72. onnxruntime 1.31.1 dies of reading the host's in an Arm process."""


class MissingError(Exception):
    """Why an interpreter can't be had here."""


def with_runtime(runtime: str) -> Words:
    """Words that start a Python with a version of onnxruntime, one of ``PYTHONS``.

    Raises:
        MissingError: no such Python is here, or PyPI can't be reached.
    """
    wanted = PYTHONS[runtime]
    for python in wanted:
        if (interpreter := find_python(python)) is not None:
            build = partial(_environment, interpreter, python, runtime)
            folder = _kept(f"python{python}-onnxruntime{runtime}", build)
            return (str(folder / "bin" / "python"),)
    raise MissingError(
        f"no Python {' or '.join(wanted)} here; pyenv install {wanted[0]} makes one"
    )


def arm_board() -> Words:
    """Words that start an emulated Arm's Python 3.11 with the newest onnxruntime.

    Raises:
        MissingError: there is no emulator, or Debian or PyPI can't be reached.
    """
    emulator = shutil.which("qemu-aarch64-static")
    if emulator is None:
        raise MissingError("no qemu-aarch64-static here; .ci/prepare installs it")
    if not KEYS.exists() or not shutil.which("apt-get"):
        raise MissingError("no apt with Debian's keys here, which has the Arm packages")
    root = _kept(f"aarch64-python3.11-onnxruntime{NEWEST}", _unpack_arm)
    python = root / "usr" / "bin" / "python3.11"
    return (emulator, "-cpu", "cortex-a72", "-L", str(root), str(python))


DEVICES: dict[str, Callable[[], Words]] = {
    **{runtime: partial(with_runtime, runtime) for runtime in PYTHONS},
    NEWEST: lambda: (sys.executable, "-I"),
    f"{NEWEST}-aarch64": arm_board,
}
"""Every runtime that a file must load on, oldest first; Arm is emulated."""


def find_python(version: str) -> str | None:
    """A Python of this machine that starts, by its version such as 3.6."""
    found = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
    on_path = shutil.which(f"python{version}")
    for candidate in [*map(str, found), *([on_path] if on_path else [])]:
        tried = subprocess.run([candidate, "-V"], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


def _environment(interpreter: str, python: str, runtime: str, folder: Path) -> None:
    """A virtual environment with onnxruntime and the numpy it was built for."""
    _run([interpreter, "-m", "venv", "--copies", str(folder)])
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
    if python == "3.6":
        _run([*pip, "-U", "pip<22"])  # its own doesn't know the wheels' tags yet
    numpy = "numpy" if runtime == "1.23.2" else "numpy<2"
    _run([*pip, "--only-binary=:all:", numpy, f"onnxruntime=={runtime}"])


def _unpack_arm(folder: Path) -> None:
    """Debian's Python for arm64 without installing it, and PyPI's wheels beside it."""
    with tempfile.TemporaryDirectory() as name:
        for archive in _debian_packages(Path(name)):
            _run(["dpkg-deb", "-x", str(archive), str(folder)])
    (folder / "proc").mkdir()
    (folder / "proc" / "cpuinfo").write_text(CPUINFO, encoding="utf-8")
    cpus = folder / "sys" / "devices" / "system" / "cpu"
    cpus.mkdir(parents=True)
    for file in ("possible", "present"):
        (cpus / file).write_text("0\n", encoding="utf-8")
    packages = folder / "usr" / "lib" / "python3" / "dist-packages"
    pip = [sys.executable, "-m", "pip", "install", "-q", "--target", str(packages)]
    pip += ["--python-version", "3.11", "--only-binary=:all:"]
    for tag in WHEELS:
        pip += ["--platform", f"{tag}_aarch64"]
    _run([*pip, "numpy", f"onnxruntime=={NEWEST}"])


def _debian_packages(folder: Path) -> list[Path]:
    """Python and what it needs, by an apt that knows of no other system than this."""
    archives = folder / "cache" / "archives"
    for place in (archives / "partial", folder / "state" / "lists" / "partial"):
        place.mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(SOURCE, encoding="utf-8")
    options = {
        "APT::Architecture": "arm64",
        "APT::Architectures": "arm64",
        "APT::Sandbox::User": "",
        "Dir::State": folder / "state",
        "Dir::State::status": folder / "status",
        "Dir::Cache": folder / "cache",
        "Dir::Etc::sourcelist": folder / "sources.list",
        "Dir::Etc::sourceparts": "/dev/null",
        "Debug::NoLocking": "1",
    }
    apt = [
        "apt-get",
        "-qq",
        "-y",
        *(f"-o{key}={value}" for key, value in options.items()),
    ]
    _run([*apt, "update"])
    wanted = ["python3.11", "libstdc++6"]
    _run([*apt, "install", "--no-install-recommends", "--download-only", *wanted])
    return sorted(archives.glob("*.deb"))


def _kept(name: str, build: Callable[[Path], None]) -> Path:
    """A folder of the cache, built beside its place and moved there once whole."""
    place = CACHE / name
    if place.exists():
        return place
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix=f".{name}-") as temporary:
        folder = Path(temporary) / name
        folder.mkdir()
        build(folder)
        if not place.exists():  # another test process may have been faster
            folder.rename(place)
    return place


def _run(command: Sequence[str]) -> None:
    """Run a step of making.

    Raises:
        MissingError: what it refuses.
    """
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        raise MissingError(f"{' '.join(command[:4])}: {''.join(last)}")
