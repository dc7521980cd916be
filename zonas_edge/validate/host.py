"""The machine that measured: whether it is the profile's device, and may be.

A latency decides a limit only where the profile recognises the machine by what the
runner reports of it: its architecture, its processor and its board.
"""

import shlex
from dataclasses import dataclass

from zonas_edge.device.local import LOCAL, place_of
from zonas_edge.device.measurement import Machine
from zonas_edge.errors import IncompatibleError
from zonas_edge.profile import Device, DeviceProfile
from zonas_edge.runtimes import version_allowed, wanted_runtime


@dataclass(frozen=True)
class LatencyHost:
    """The machine of the latency, and whether it is the profile's own device.

    Args:
        target: how it was reached: ``local``, ``ssh://…``, or ``bundle``.
        has_device: whether the profile has a device at all.
        any_processor: whether it is the device only since the profile names no
            processor, so that every machine of the architecture is.
    """

    machine: str
    cpu_model: str
    is_profile_device: bool
    target: str = LOCAL
    has_device: bool = True
    any_processor: bool = False

    @property
    def is_stranger(self) -> bool:
        """Whether there is a device, and this is another machine."""
        return self.has_device and not self.is_profile_device

    @property
    def stranger(self) -> str:
        """What follows its name where its figures say nothing of the device."""
        return ", which is not the profile's device" if self.is_stranger else ""


def host_of(machine: Machine, device: Device | None, target: str) -> LatencyHost:
    """The machine that measured, recognised or not as the profile's device.

    An emulated one never is, whatever it calls itself, and none is where the profile
    has no device.
    """
    model = machine.cpu_model
    own = (
        device is not None
        and device.recognises(machine.machine, model)
        and machine.emulator is None
    )
    if machine.emulator is not None:
        model = f"{model}, emulated by {machine.emulator}: times mean nothing"
    return LatencyHost(
        machine.machine,
        model,
        is_profile_device=own,
        target=target,
        has_device=device is not None,
        any_processor=own and device is not None and not device.cpu_pattern,
    )


def check_runtime(machine: Machine, profile: DeviceProfile, target: str) -> None:
    """See that the profile's own device has a runtime that the profile allows.

    What another machine has says nothing about the device.

    Raises:
        IncompatibleError: it is too old, too new, or on the deny list.
    """
    if not host_of(machine, profile.device, target).is_profile_device:
        return
    reason = version_allowed(machine.onnxruntime, profile.runtime)
    if reason is not None:
        wanted = wanted_runtime(profile.runtime)
        raise IncompatibleError(
            f"{place_of(target)}: {reason}",
            hint=f"there: python3 -m pip install {shlex.quote(wanted)}",
        )
