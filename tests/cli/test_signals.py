"""A program that is ended by a signal leaves no image behind."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys, time
from zonas_edge import cli
from zonas_edge.device.job import workspace

def work(**_):
    with workspace() as folder:
        (folder / "images.npy").touch()
        print(folder, flush=True)
        time.sleep(60)

cli.app = work
cli.main(["run"])
"""


def started(folder: Path, before: str = "") -> tuple[subprocess.Popen[str], Path]:
    child = subprocess.Popen(
        [sys.executable, "-c", before + PROGRAM],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"TMPDIR": str(folder)},
        text=True,
    )
    assert child.stdout is not None
    return child, Path(child.stdout.readline().strip())


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_what_lies_in_a_temporary_folder_goes(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    child, folder = started(tmp_path)
    assert (folder / "images.npy").is_file()
    child.send_signal(number)
    _, noise = child.communicate(timeout=30)
    assert child.returncode == code
    assert noise == "interrupted; go on with: zonas-edge run --resume\n"
    assert not folder.exists()


def test_a_signal_that_was_ignored_stays_so(tmp_path: Path) -> None:
    """As under nohup."""
    ignored = "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    child, folder = started(tmp_path, ignored)
    child.send_signal(signal.SIGHUP)
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(0.5)
    assert folder.exists()
    child.terminate()
    assert child.wait(30) == 143
    child.communicate()


def test_a_closed_stdout_ends_nothing_with_a_traceback() -> None:
    words = [sys.executable, "-m", "zonas_edge", "profiles", "list"]
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *words]
    ended = subprocess.run(shell, stderr=subprocess.PIPE, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
