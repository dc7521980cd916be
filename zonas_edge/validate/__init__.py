"""A measured model against its budget: the verdict, and what is still unverified."""

from zonas_edge.validate.beside import Beside, Changed, Float32, Speed
from zonas_edge.validate.host import LatencyHost
from zonas_edge.validate.model import Subject, judge, measured_job, validate_model
from zonas_edge.validate.values import (
    Compatibility,
    Environment,
    Gate,
    Limit,
    ValidationReport,
    Verdict,
)

__all__ = [
    "Beside",
    "Changed",
    "Compatibility",
    "Environment",
    "Float32",
    "Gate",
    "LatencyHost",
    "Limit",
    "Speed",
    "Subject",
    "ValidationReport",
    "Verdict",
    "judge",
    "measured_job",
    "validate_model",
]
