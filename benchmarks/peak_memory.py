"""Peak memory of a pair step and an alpha step in the size phase, in its own process.

    python benchmarks/peak_memory.py textbook --batch 64 --device cpu

Prints MiB: on CUDA what torch allocated, else the whole process, torch included.
"""

import argparse
import subprocess
import sys

import checkout
import torch
from cases import Case, phases

from zonas_edge.device.runner import peak_memory
from zonas_edge.pipeline.host import prepare
from zonas_edge.space import SearchSpace, TaskSpec

WHICH = ("textbook", "engine")


def peak(which: str, batch: int, device: str) -> float:
    """Measure here [MiB]."""
    _, size, *_ = phases()
    case = Case(size, SearchSpace(), TaskSpec(1, 28, 28, 2), batch, device)
    if which == "textbook":
        del case.engine
        seconds = case.textbook_seconds
    else:
        del case.textbook
        seconds = case.engine_seconds
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    seconds(1)
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**20
    found = peak_memory()
    if found is None:
        raise OSError("this system doesn't tell a process's peak memory")
    return found / 2**20


def peaks(batch: int, device: str) -> dict[str, float]:
    """Measure both, each in a process of its own [MiB]."""
    found = {}
    for which in WHICH:
        command = [sys.executable, str(checkout.BENCHMARKS / "peak_memory.py"), which]
        command += ["--batch", str(batch), "--device", device]
        command += ["--threads", str(torch.get_num_threads())]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[which] = float(done.stdout)
    return found


def main() -> None:
    """Print one figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("which", choices=WHICH)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    prepare(arguments.device, arguments.threads)
    print(peak(arguments.which, arguments.batch, arguments.device))


if __name__ == "__main__":
    main()
