"""Device profiles: what a device is, what a network may cost there, what it can load.

A profile is one TOML file, so that a person can write it by hand and review it.
"""

from zonas_edge.profile.fitted import FittedError, FittedLatency
from zonas_edge.profile.levels import (
    BANDS,
    LEVELS,
    PAPER_EXTRA,
    Level,
    ProfileOrLevel,
    profile_on,
)
from zonas_edge.profile.reading import (
    load_gates,
    load_profile,
    profile_from_dict,
    shipped_profiles,
    with_fitted,
)
from zonas_edge.profile.section import LARGEST_COUNT
from zonas_edge.profile.values import (
    Acceptance,
    Budget,
    Compute,
    Device,
    DeviceProfile,
    LatencySource,
    Quantization,
    RuntimeLimits,
    Space,
)

__all__ = [
    "BANDS",
    "LARGEST_COUNT",
    "LEVELS",
    "PAPER_EXTRA",
    "Acceptance",
    "Budget",
    "Compute",
    "Device",
    "DeviceProfile",
    "FittedError",
    "FittedLatency",
    "LatencySource",
    "Level",
    "ProfileOrLevel",
    "Quantization",
    "RuntimeLimits",
    "Space",
    "load_gates",
    "load_profile",
    "profile_from_dict",
    "profile_on",
    "shipped_profiles",
    "with_fitted",
]
