"""Reports of what was deployed when and by whom: written to disk at each apply, kept until the database has them.

So an apply needs no database, and the database gets the true instants. operate/host_watch.py delivers them.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet

MAX_PENDING_REPORTS = 50  # of a host that never reaches a database


def digest(manifest: str) -> str:
    """Hash a jobs manifest, to compare it with another."""
    return hashlib.sha256(manifest.encode()).hexdigest()


def write_report(units: UnitSet, at: float, places: Places, effects: Effects) -> Path:
    """Report a set before it becomes current: a killed apply leaves one report too many, never one too few.

    Args:
        units: the set; empty if everything is removed.
        at: from when its changes count, in seconds since the epoch.
        places: where reports are kept.
        effects: performs the writes.
    """
    effects.folder(places.reports)
    for old in sorted(places.reports.glob("*-jobs.json"))[:-MAX_PENDING_REPORTS]:
        effects.remove(old)
    path = places.reports / f"{time.time_ns():020d}-jobs.json"
    complete_report(path, units, at, None, effects)
    return path


def complete_report(path: Path, units: UnitSet, at: float, new_from: float | None, effects: Effects) -> None:
    """Write a report again with the instant at which the timers of new jobs were started; None: not yet."""
    manifest = digest(units.jobs_manifest)
    report = {"at": at, "new_from": new_from, "by": effects.by, "digest": manifest, "jobs": units.jobs}
    effects.keep(path, json.dumps(report))


def read_report(text: str) -> dict[str, Any]:
    """Read a report: `at`, `new_from`, `by`, `digest` and `jobs`.

    A killed apply may have left out `new_from`. `by` is None if the watch or an earlier release has applied the set.

    Raises:
        ValueError, KeyError, TypeError: it isn't a report.
    """
    report = json.loads(text)
    return {
        "at": float(report["at"]),
        "new_from": float(report["new_from"] or report["at"]),
        "by": report.get("by") or None,
        "digest": str(report["digest"]),
        "jobs": list(report["jobs"]),
    }
