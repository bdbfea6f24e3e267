"""Adapt units to a user's own systemd (`systemctl --user`): drop the directives that it has no right to.

Tried on 252 and 257: some of them make the service fail (DynamicUser=, LogNamespace=), some do nothing
(IPAddressDeny=), and all that need a user namespace fail if the kernel gives users none.
"""

from __future__ import annotations

from collections.abc import Mapping

from scheduled_tasks.render.unit_file import UnitFile

# systemd.exec(5) and systemd.resource-control(5) say of most of them that they are for system services.
SYSTEM_ONLY = frozenset(
    {
        *("User", "DynamicUser", "LoadCredentialEncrypted", "LogNamespace", "RemoveIPC", "Requires"),
        *("IPAddressAllow", "IPAddressDeny", "DevicePolicy", "IOWeight"),
        *("CapabilityBoundingSet", "ProtectKernelLogs", "ProtectClock", "ProtectHostname", "PrivateDevices"),
        *("PrivateUsers", "PrivateTmp", "PrivateMounts", "ProtectSystem", "ProtectHome", "ReadWritePaths"),
        *("TemporaryFileSystem",),
        *("ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups", "ProtectProc", "ProcSubset"),
    }
)


def for_user(units: Mapping[str, str]) -> dict[str, str]:
    """Drop the directives that a user's systemd has no right to."""
    return {path: UnitFile(text).without(SYSTEM_ONLY).text for path, text in units.items()}


def dropped_directives(units: Mapping[str, str]) -> list[str]:
    """The names of the directives that `for_user` drops."""
    return sorted(SYSTEM_ONLY & {directive.name for text in units.values() for directive in UnitFile(text).directives})
