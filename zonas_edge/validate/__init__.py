"""A measured model against its budget: the verdict, and what is still unverified."""

from zonas_edge.validate.model import Subject, judge, measured_job, validate_model
from zonas_edge.validate.values import (
    Compatibility,
    Environment,
    Gate,
    LatencyHost,
    Limit,
    ValidationReport,
    Verdict,
)

__all__ = [
    "Compatibility",
    "Environment",
    "Gate",
    "LatencyHost",
    "Limit",
    "Subject",
    "ValidationReport",
    "Verdict",
    "judge",
    "measured_job",
    "validate_model",
]
