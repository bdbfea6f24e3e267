"""Measure how exposed a set's services are, and refuse a set that is too exposed.

Runs `systemd-analyze security --offline`, which reads files and changes nothing.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from scheduled_tasks.deploy.analyze import analyze, temporary_folder
from scheduled_tasks.errors import ScheduledTasksError, ServiceUnavailableError
from scheduled_tasks.options import COSTS
from scheduled_tasks.render import names
from scheduled_tasks.render.directives import RELAXED
from scheduled_tasks.render.service_groups import group_services
from scheduled_tasks.render.unit_set import UnitSet

MAX_SCORE = 1.2
# The watch and the reconciliation of failed runs are root: they start jobs and write to files of other users. 1.7, and
# 0.1 if PostgreSQL's address is another host's (allow_network).
OWN_MAX_SCORE = 1.8


class ExposedUnitError(ScheduledTasksError):
    """A service is more exposed than the relaxations in its clock file allow."""

    exit_code = 65


@dataclass(frozen=True)
class Exposure:
    """What `systemd-analyze security` finds in a unit.

    Attributes:
        score: 0 to 10, less is better.
        relaxed: the relaxations that the unit names.
        reasons: what raised the score and by how much, the worst first.
    """

    unit: str
    score: float
    relaxed: tuple[str, ...]
    reasons: tuple[tuple[str, float], ...]


def exposures(units: UnitSet) -> list[Exposure]:
    """Measure the services of a set, with this machine's own drop-ins for them.

    Raises:
        ServiceUnavailableError: systemd-analyze is missing or failed; with its message.
    """
    with temporary_folder(units) as folder:
        scores = _scores(units.services, f"{folder}:")
        relaxed = {service: tuple(sorted(_relaxed(units, service))) for service in units.services}
        return [
            Exposure(service, scores[service], relaxed[service], _reasons(service, f"{folder}:"))
            for service in units.services
        ]


def gate(units: UnitSet) -> None:
    """Refuse a set with a service that scores above its limit: 1.2 plus the cost of each relaxation that it names.

    Raises:
        ExposedUnitError: a service scores more; names it, its score, and what raised it.
        ServiceUnavailableError: see `exposures`.
    """
    groups = group_services(units)
    if not groups:
        return
    first = [group[0] for group in groups]
    others = {service for group in groups for service in group[1:]}
    measured = {path: text for path, text in units.items() if path not in others and not path.endswith(".timer")}
    faults = []
    with temporary_folder(measured) as folder:
        # Without drop-ins of the machine: an operator's own are the operator's business.
        scores = _scores(first, folder)
        for service, *alike in groups:
            base = OWN_MAX_SCORE if service in names.OWN_SERVICES else MAX_SCORE
            score, limit = scores[service], base + sum(COSTS[name] for name in _relaxed(units, service))
            if score > limit + 0.001:
                worst = "; ".join(f"{what} ({by:.1f})" for what, by in _reasons(service, folder)[:3])
                more = f" and {len(alike)} more" if alike else ""
                faults.append(
                    f"{service}{more}: exposed to {score:.1f}, at most {limit:.1f} is allowed: {worst}; "
                    "a relaxation has a name, see relax in docs/reference/clock-files.md"
                )
    if faults:
        raise ExposedUnitError("\n".join(("systemd-analyze security: too exposed, nothing was changed:", *faults)))


def _relaxed(units: UnitSet, service: str) -> set[str]:
    return {name for value in units.effective(service).get(RELAXED, ()) for name in value.split()}


def _scores(services: list[str], path: str) -> dict[str, float]:
    # For a template it measures an instance, and names that.
    levels = re.findall(r"exposure level for ([^\s@]+@?)[^\s@]*?(\.service): (\d+\.\d+)", _security(path, *services))
    scores = {f"{name}{suffix}": float(score) for name, suffix, score in levels}
    if missing := [service for service in services if service not in scores]:
        raise ServiceUnavailableError(f"systemd-analyze has no score for {missing[0]}")
    return scores


def _reasons(service: str, path: str) -> tuple[tuple[str, float], ...]:
    checks = json.loads(_security(path, "--json=short", service))
    reasons = [(str(check["description"]), float(check["exposure"])) for check in checks if check["exposure"]]
    return tuple(sorted(reasons, key=lambda reason: (-reason[1], reason[0])))


def _security(path: str, *arguments: str) -> str:
    finished = analyze("security", "--offline=true", "--no-pager", *arguments, SYSTEMD_UNIT_PATH=path)
    if finished.returncode != 0:
        raise ServiceUnavailableError(f"systemd-analyze security: {finished.stderr.strip()}")
    return finished.stdout
