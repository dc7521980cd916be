"""Workers and GPUs as they are handed out; cells themselves in tests/cli."""

from pathlib import Path

import pytest

import zonas_edge
from zonas_edge.compare.pool import Crew, environment_of, visible_gpus


@pytest.mark.parametrize(
    ("count", "named", "gpus"),
    [
        (2, None, ("0", "1")),
        (2, "3,5", ("3", "5")),
        (1, "GPU-8a2c, GPU-77", ("GPU-8a2c",)),
        (0, None, ()),
    ],
)
def test_gpus_are_called_as_the_user_has_called_them(
    count: int, named: str | None, gpus: tuple[str, ...]
) -> None:
    environment = {} if named is None else {"CUDA_VISIBLE_DEVICES": named}
    assert visible_gpus(count, environment) == gpus


def test_workers_take_gpus_in_turn_and_have_their_own_threads() -> None:
    crew = Crew(3, 2, "cuda", ("4", "7"), Path())
    found = [environment_of(crew, number, {"PYTHONPATH": "/a"}) for number in range(3)]
    assert [each["CUDA_VISIBLE_DEVICES"] for each in found] == ["4", "7", "4"]
    assert {each["OMP_NUM_THREADS"] for each in found} == {"2"}


def test_a_worker_has_the_code_of_the_command_and_the_cpu_hides_no_gpu() -> None:
    crew = Crew(1, 1, "cpu", (), Path())
    found = environment_of(crew, 0, {"HOME": "/home/me", "PYTHONPATH": "/a"})
    ours = str(Path(zonas_edge.__file__).parents[1])
    assert found["PYTHONPATH"] == f"{ours}:/a"
    assert found["HOME"] == "/home/me"
    assert "CUDA_VISIBLE_DEVICES" not in found
