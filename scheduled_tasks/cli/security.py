"""clocks security: how exposed each unit is, by systemd's own measure, and what raised it."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click

from scheduled_tasks.cli.common import configured_clocks, configured_host, json_option, show_json, table
from scheduled_tasks.deploy import names
from scheduled_tasks.deploy.render import render
from scheduled_tasks.errors import ServiceUnavailableError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Exposure:
    """What `systemd-analyze security` says of a unit.

    Attributes:
        score: 0 to 10, the less the better.
        reasons: what raised it, the worst first: what it is, and by how much.
    """

    unit: str
    score: float
    reasons: tuple[tuple[str, float], ...]


def exposures(files: Mapping[str, str]) -> list[Exposure]:
    """How exposed the services of a rendered set are; this machine's own drop-ins for them count.

    Raises:
        ServiceUnavailableError: there is no systemd-analyze, or it failed; with what it said.
    """
    units = [path for path in files if path.endswith(".service")]
    with TemporaryDirectory(prefix="clocks-security-") as folder:
        for path, text in files.items():
            target = Path(folder, path)
            target.parent.mkdir(exist_ok=True)
            target.write_text(text)
        return [Exposure(unit, _score(unit, folder), _reasons(unit, folder)) for unit in units]


def _score(unit: str, folder: str) -> float:
    found = re.search(r"level for \S+: (\d+\.\d+)", _analyze(unit, folder))
    if found is None:
        raise ServiceUnavailableError(f"systemd-analyze has no score for {unit}")
    return float(found[1])


def _reasons(unit: str, folder: str) -> tuple[tuple[str, float], ...]:
    checks = json.loads(_analyze(unit, folder, "--json=short"))
    found = [(str(check["description"]), float(check["exposure"])) for check in checks if check["exposure"]]
    return tuple(sorted(found, key=lambda reason: (-reason[1], reason[0])))


def _analyze(unit: str, folder: str, *options: str) -> str:
    command = ["systemd-analyze", "security", "--offline=true", "--no-pager", *options, unit]
    environment = {"PATH": os.environ.get("PATH", os.defpath), "SYSTEMD_UNIT_PATH": f"{folder}:"}
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise ServiceUnavailableError(f"systemd-analyze can't be run: {error}") from error
    if done.returncode != 0:
        raise ServiceUnavailableError(f"systemd-analyze security {unit}: {done.stderr.strip()}")
    return done.stdout


@click.command("security")
@json_option
def security(*, as_json: bool) -> None:
    """Show how exposed each job is (systemd's measure, 0 to 10), and what raises it above what every job has."""
    clocks = configured_clocks()
    found = exposures(render(clocks, configured_host()))
    if as_json:
        show_json([asdict(exposure) for exposure in found])
        return
    relaxed = {
        names.service_name(clock.name, job.id): _relaxed(job.options.over(clock.options).by_name)
        for clock in clocks
        for job in clock.jobs
    }
    relaxed |= dict.fromkeys(names.OWN_SERVICES, "root: it starts jobs and writes in /etc")
    shared = set.intersection(*(set(exposure.reasons) for exposure in found)) if len(found) > 1 else set()
    table(
        ("UNIT", "SCORE", "RELAXED BY", "WHAT RAISED IT"),
        (
            (
                exposure.unit,
                f"{exposure.score:.1f}",
                relaxed[exposure.unit] or "-",
                "; ".join(f"{what} ({by:.1f})" for what, by in exposure.reasons if (what, by) not in shared) or "-",
            )
            for exposure in found
        ),
    )
    if shared:
        listed = "; ".join(f"{what} ({by:.1f})" for what, by in sorted(shared, key=lambda reason: -reason[1]))
        click.echo(f"every job: {listed}")


def _relaxed(options: Mapping[str, object]) -> str:
    relaxations = options.get("relax", ())
    named = list(relaxations) if isinstance(relaxations, tuple) else []
    return ", ".join([*named, *(["allow_network=any"] if options.get("allow_network") == ("any",) else [])])


COMMANDS = (security,)
