"""Measure what each directive of the sandbox costs a start: `python -m benchmarks.sandbox [STARTS]`, as root.

On one booted machine, `/bin/true` starts many times at once: without a sandbox, with the whole one of
`clock-.service.d/10-every-job.conf`, and with all of it but one directive. Prints the processor time of the whole
machine for each start, the median of some rounds in which all variants take turns.
"""

from __future__ import annotations

import statistics
import sys
from dataclasses import dataclass, field
from pathlib import Path

from scheduled_tasks.render.unit_file import UnitFile
from tests.machine.machine import Machine, booted, cpu_seconds
from tests.machine.waiting import wait_for

DROP_IN = Path(__file__).parents[1] / "tests/golden/ledger/expected/clock-.service.d/10-every-job.conf"
ROUNDS = 4
NOT_OF_SANDBOX = {"Type", "TimeoutStartSec", "Environment", "EnvironmentFile", "User", "UMask"}
NOT_OF_SANDBOX |= {"LogRateLimitIntervalSec", "LogRateLimitBurst", "BindReadOnlyPaths"}
UNIT = "[Service]\nType=exec\nSlice=clock.slice\nExecStart=/bin/true\n"
SECCOMP = {
    "SystemCallFilter", "SystemCallArchitectures", "SystemCallErrorNumber", "RestrictNamespaces", "RestrictRealtime",
    "RestrictSUIDSGID", "RestrictAddressFamilies", "LockPersonality", "MemoryDenyWriteExecute", "ProtectHostname",
    "ProtectClock", "ProtectKernelModules", "ProtectKernelLogs", "PrivateDevices",
}  # fmt: skip


@dataclass
class Variant:
    """A unit to start, and what each round of it cost."""

    name: str
    lines: list[str]
    costs: list[float] = field(default_factory=list)

    @property
    def cost(self) -> float:
        """Milliseconds of processor time for a start, the median of all rounds."""
        return 1000 * statistics.median(self.costs)


def variants() -> list[Variant]:
    """Nothing, everything, and everything but one directive."""
    lines = UnitFile(DROP_IN.read_text()).section("Service")
    sandbox = [(line.name, line.value) for line in lines if line.name not in NOT_OF_SANDBOX]
    user = ["User=daemon"]
    text = [f"{name}={value}" for name, value in sandbox]
    every = [Variant("no sandbox", []), Variant("User=", user), Variant("the sandbox", user + text)]
    every.append(Variant("the sandbox with DynamicUser=", ["DynamicUser=yes", *text]))
    every.append(Variant("the sandbox with ProtectKernelTunables=", [*user, *text, "ProtectKernelTunables=yes"]))
    every += [
        Variant(f"without {one}=", user + [f"{name}={value}" for name, value in sandbox if name != one])
        for one in dict(sandbox)
    ]
    every.append(Variant("without all of seccomp", user + [f"{n}={v}" for n, v in sandbox if n not in SECCOMP]))
    return every


def start(machine: Machine, number: int, variant: Variant, count: int) -> None:
    """Start many of a variant, wait until all have ended, and note what it cost."""
    units = [f"variant{number}@{one}.service" for one in range(count)]
    ask = ("systemctl", "list-units", "--no-legend", "--state=active,activating,deactivating", f"variant{number}@*")
    before = cpu_seconds(machine)
    machine.run("systemctl", "start", "--no-block", *units)
    wait_for("the end of all", lambda: not machine.run(*ask).stdout)
    variant.costs.append((cpu_seconds(machine) - before) / count)


def main() -> None:
    """Print a line for each variant."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    every = variants()
    with booted("sandbox") as machine:
        for number, variant in enumerate(every):
            unit = machine.root / f"etc/systemd/system/variant{number}@.service"
            unit.write_text(UNIT + "".join(f"{line}\n" for line in variant.lines))
        machine.run("systemctl", "daemon-reload")
        for _ in range(ROUNDS):
            for number, variant in enumerate(every):
                start(machine, number, variant, count)
    whole = every[2].cost
    for variant in every:
        print(f"{variant.name:<44} {variant.cost:6.1f} ms {variant.cost - whole:+6.1f}")


if __name__ == "__main__":
    main()
