"""Interpreters of other devices, made once and kept for later runs.

A stock Jetson Nano has Python 3.6, for which onnxruntime 1.10.0 is the last on PyPI;
64-bit Arm boards have the newest, as this machine has. The first is a virtual
environment, the second Debian's Python unpacked into a folder, with PyPI's wheels, for
qemu's user mode. They are kept in ``~/.cache/zonas-edge/tests``, or the folder that
$ZONAS_EDGE_TEST_CACHE names; delete it to have them made anew. What can't be had is a
reason to skip.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import onnxruntime
import pytest

CACHE = Path(
    os.environ.get("ZONAS_EDGE_TEST_CACHE", Path.home() / ".cache/zonas-edge/tests")
)
KEYS = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
SOURCE = f"deb [signed-by={KEYS}] http://deb.debian.org/debian bookworm main\n"
WHEELS = ("manylinux_2_28", "manylinux_2_27", "manylinux2014")

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


def python36() -> str | None:
    """Any Python 3.6 of this machine that starts."""
    found = sorted(Path.home().glob(".pyenv/versions/3.6*/bin/python"))
    on_path = shutil.which("python3.6")
    for candidate in [*map(str, found), *([on_path] if on_path else [])]:
        tried = subprocess.run([candidate, "-V"], capture_output=True, check=False)
        if tried.returncode == 0:
            return candidate
    return None


def jetson_nano() -> tuple[str, ...]:
    """Words that start Python 3.6 with onnxruntime 1.10.0; skips without one."""
    interpreter = python36()
    if interpreter is None:
        pytest.skip("no Python 3.6 here; pyenv install 3.6 makes one")

    def build(folder: Path) -> None:
        _run([interpreter, "-m", "venv", "--copies", str(folder)])
        pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-q"]
        _run([*pip, "-U", "pip<22"])
        _run([*pip, "onnxruntime==1.10.0"])

    return (str(_kept("python3.6-onnxruntime1.10.0", build) / "bin" / "python"),)


def arm_board() -> tuple[str, ...]:
    """Words that start an emulated Arm's Python 3.11; skips where there is none."""
    emulator = shutil.which("qemu-aarch64-static")
    if emulator is None:
        pytest.skip("no qemu-aarch64-static here; .ci/prepare installs it")
    if not KEYS.exists() or not shutil.which("apt-get"):
        pytest.skip("no apt with Debian's keys here, which the Arm packages come from")
    root = _kept(
        f"aarch64-python3.11-onnxruntime{onnxruntime.__version__}", _unpack_arm
    )
    python = root / "usr" / "bin" / "python3.11"
    return (emulator, "-cpu", "cortex-a72", "-L", str(root), str(python))


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
    _run([*pip, "numpy", f"onnxruntime=={onnxruntime.__version__}"])


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
    """Run a step of making; what it refuses is a reason to skip."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
        pytest.skip(f"{' '.join(command[:4])}: {''.join(last)}")
