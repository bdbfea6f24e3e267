"""The different sandboxes of a unit set: what jobs can reach, and which jobs are alike in that."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain

from scheduled_tasks.render import names
from scheduled_tasks.render.unit_set import UnitSet

# Directives of a job that are not of its sandbox: what it runs and when, what it keeps on disk, how much it may use.
_NOT_OF_SANDBOX = re.compile(
    "Type|NotifyAccess|Exec.*|Restart.*|RuntimeMax.*|Timeout.*|Slice|EnvironmentFile|Log.*|Standard.*|X-.*"
    "|(State|Runtime|Cache|Logs|Configuration)Directory.*|Memory(Max|High|Low|Min|SwapMax|ZSwapMax)|CPU.*|IO.*|Tasks.*"
    "|Nice|OOM.*"
)
_LOCALHOST = ("127.0.0.0/8", "::1/128")
_NAMED = {"localhost": _LOCALHOST, "link-local": ("169.254.0.0/16", "fe80::/64"), "any": ("0.0.0.0/0", "::/0")}


@dataclass(frozen=True)
class Sandbox:
    """A sandbox, and the jobs that have it.

    Attributes:
        directives: NAME and value of each line that makes it, in systemd's order.
        jobs: CLOCK/JOB of each.
        tasks: one task for each module that they import.
        needs_database: whether one of them fails without its database.
    """

    directives: tuple[tuple[str, str], ...]
    jobs: tuple[str, ...]
    tasks: tuple[str, ...]
    needs_database: bool

    @property
    def values(self) -> Mapping[str, tuple[str, ...]]:
        """The values of each directive, as systemd merges them."""
        merged: dict[str, tuple[str, ...]] = {}
        for name, value in self.directives:
            merged[name] = (*merged.get(name, ()), value) if value else ()
        return merged

    @property
    def clocks(self) -> set[str]:
        """The clocks of its jobs."""
        return {job.partition("/")[0] for job in self.jobs}

    @property
    def credential_files(self) -> tuple[str, ...]:
        """The file of each credential; a clock's own one replaces the common one of its name."""
        lines = [value for name, value in self.directives if name.startswith("LoadCredential")]
        return tuple(dict(line.partition(":")[::2] for line in lines).values())

    @property
    def named(self) -> str:
        """Its jobs, for a message."""
        more = f" and {len(self.jobs) - 3} more" if len(self.jobs) > 3 else ""  # noqa: PLR2004 - enough to find them
        return f"job{'s' * (len(self.jobs) > 1)} {', '.join(self.jobs[:3])}{more}"

    def allows(self, address: str) -> bool:
        """Whether its address filter lets it reach an address."""
        allowed, denied = (_networks(self.values.get(f"IPAddress{kind}", ())) for kind in ("Allow", "Deny"))
        ip = ipaddress.ip_address(address.partition("%")[0])
        return any(ip in network for network in allowed) or not any(ip in network for network in denied)


def _networks(values: Iterable[str]) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    words = (word for value in values for word in value.split())
    return [ipaddress.ip_network(text, strict=False) for word in words for text in _NAMED.get(word, (word,))]


def _loaded_credentials(units: UnitSet) -> dict[str, tuple[str, str]]:
    """The file that `clock-credentials@.service` copies each credential from: the directive that loads it, and it."""
    return {
        name: (line.name.removeprefix("X-"), path)
        for line in units.file(names.SECRETS_DROP_IN).section("Service")
        if line.name in names.LOADS_CREDENTIAL
        for name, _, path in [line.value.partition(":")]
    }


def _with_loaded_credential(name: str, value: str, loaded: Mapping[str, tuple[str, str]]) -> tuple[str, str] | None:
    """A line of a service as its trial has it: a credential is loaded from its file, of which there is no copy yet."""
    places = names.Places()
    if name == "Environment" and value.startswith("CREDENTIALS_DIRECTORY="):
        return None
    source, _, target = value.partition(":")
    if name != "BindReadOnlyPaths" or not target.startswith(f"{places.credentials}/"):
        return name, value
    directive, path = loaded[source.rpartition("/")[2]]
    return directive, f"{target.removeprefix(f'{places.credentials}/')}:{path}"


def sandboxes(units: UnitSet) -> list[Sandbox]:
    """The different sandboxes of a set's jobs."""
    release, loaded = units.release, _loaded_credentials(units)
    groups: dict[tuple[tuple[str, str], ...], list[tuple[str, str, bool]]] = {}

    @cache  # hundreds of jobs inherit the same files
    def lines_of(path: str) -> tuple[tuple[str, str], ...]:
        return tuple(
            directive
            for line in units.file(path).section("Service")
            # Its mount point is made by an apply; the trial calls the release where it is installed.
            if not (release and line.name == "BindReadOnlyPaths" and line.value.startswith(str(release.folder)))
            and not _NOT_OF_SANDBOX.fullmatch(line.name)
            and (directive := _with_loaded_credential(line.name, line.value, loaded))
        )

    for job in units.jobs:
        service = names.service_name(job["clock"], job["job"])
        lines = tuple(chain.from_iterable(map(lines_of, (service, *units.drop_ins(service)))))
        command = " ".join(units.file(service).values("ExecStart"))
        needs_database = "--on-database-error=run" not in command
        groups.setdefault(lines, []).append((f"{job['clock']}/{job['job']}", job["task"], needs_database))
    return [
        Sandbox(
            directives=lines,
            jobs=tuple(job for job, _, _ in jobs),
            tasks=tuple({task.rpartition(".")[0]: task for _, task, _ in jobs}.values()),
            needs_database=any(needs for _, _, needs in jobs),
        )
        for lines, jobs in groups.items()
    ]
