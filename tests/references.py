"""Reference networks of every kind for the tests, and images they can see."""

from hypothesis import strategies as st

from zonas_edge.reference import Reference, ReferenceName
from zonas_edge.space import TaskSpec

RESNET = Reference(ReferenceName.RESNET18)
MOBILENET = Reference(ReferenceName.MOBILENETV2)
CIFAR = TaskSpec(3, 32, 32, 10)
GRAY = TaskSpec(1, 28, 28, 2)
SMALL = TaskSpec(3, 9, 13, 3)


def mobilenet(width: int) -> Reference:
    return Reference(ReferenceName.MOBILENETV2, width)


def tasks() -> st.SearchStrategy[TaskSpec]:
    sides = st.integers(8, 40)
    return st.builds(TaskSpec, st.sampled_from([1, 3]), sides, sides, st.integers(2, 9))
