"""Units for a user's own systemd, on a developer's machine: what it has no right to is left out, and said.

What comes in: the files of a set for the system's systemd. What goes out: the same without the directives that a
user's (`systemctl --user`) can't keep, tried on 252 and 257: some fail the service (DynamicUser=, LogNamespace=), some
do nothing (IPAddressDeny=), and all that need a user namespace fail where the kernel gives users none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

# systemd.exec(5) and systemd.resource-control(5) say of most of them that they are for system services.
SYSTEMS = frozenset(
    {
        *("User", "DynamicUser", "LoadCredentialEncrypted", "LogNamespace", "RemoveIPC", "Requires"),
        *("IPAddressAllow", "IPAddressDeny", "DevicePolicy", "IOWeight"),
        *("CapabilityBoundingSet", "ProtectKernelLogs", "ProtectClock", "ProtectHostname", "PrivateDevices"),
        *("PrivateUsers", "PrivateTmp", "PrivateMounts", "ProtectSystem", "ProtectHome", "ReadWritePaths"),
        *("ProtectKernelTunables", "ProtectKernelModules", "ProtectControlGroups", "ProtectProc", "ProcSubset"),
    }
)


def for_user(files: Mapping[str, str]) -> dict[str, str]:
    """The files of a set without what a user's systemd has no right to."""
    return {path: "".join(f"{line}\n" for line in _kept(text.splitlines())) for path, text in files.items()}


def directives(files: Mapping[str, str]) -> list[str]:
    """What `for_user` leaves out of a set: the directives' names."""
    lines = (line for text in files.values() for line in text.splitlines())
    return sorted({_directive(line) for line in lines} & SYSTEMS)


def _kept(lines: list[str]) -> Iterator[str]:
    """A comment goes with the line that it stands above."""
    comments: list[str] = []
    last = ""
    for line in lines:
        if line.startswith("#"):
            comments.append(line)
            continue
        if _directive(line) not in SYSTEMS:
            if line or comments or last:  # of several empty lines one
                yield from (*comments, line)
            last = line
        comments = []
    yield from comments


def _directive(line: str) -> str:
    return line.partition("=")[0]
