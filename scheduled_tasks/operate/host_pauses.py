"""Pauses of this host: one file each, for which a condition of the services looks.

They need no database, survive reboots and deploys, and say who paused, when, why and until when. Any file pauses, even
an empty one that somebody touched. `host_watch` reports them to the database.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks import files
from scheduled_tasks.instants import from_epoch, iso8601, parse
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places


def path_of(places: Places, scope: Scope) -> Path:
    """The file that pauses a scope on this host."""
    name = names.EVERY_CLOCK if scope.clock is None else f"{scope.clock}.{scope.job}" if scope.job else scope.clock
    return places.paused / name


def write(places: Places, pause: Pause) -> bool:
    """Pause on this host; False if the same scope is already paused, which stays as it is."""
    places.paused.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = path_of(places, pause.scope)
    if path.exists():
        return False
    files.write(path, json.dumps(_to_json(replace(pause, local_id=str(uuid.uuid4()))), indent=1) + "\n", mode=0o644)
    return True


def end(places: Places, pause: Pause, *, by: str, at: datetime) -> None:
    """End a pause of this host: write a report for the database, then remove its file."""
    places.reports.mkdir(mode=0o755, parents=True, exist_ok=True)
    report = places.reports / f"{time.time_ns():020d}-pause.json"
    files.write(report, json.dumps(_to_json(replace(pause, resumed_at=at, resumed_by=by))))
    path_of(places, pause.scope).unlink(missing_ok=True)


def active(places: Places, host: str) -> list[Pause]:
    """The pauses of this host, whatever their `until` says: while the file exists, nothing starts."""
    if not places.paused.is_dir():
        return []
    return [_read(path, host) for path in sorted(places.paused.iterdir()) if not path.name.startswith(".")]


def read_report(text: str) -> Pause:
    """Read a pause that `write` or `end` wrote."""
    values = json.loads(text)

    def instant(key: str) -> datetime | None:
        return parse(values[key]) if values.get(key) else None

    return Pause(
        scope=Scope(values["clock"], values["job"], values["host"]),
        at=parse(values["paused_at"]),
        by=values["paused_by"],
        reason=values["reason"],
        until=instant("until"),
        resumed_at=instant("resumed_at"),
        resumed_by=values.get("resumed_by"),
        local_id=values["local_id"],
    )


def _read(path: Path, host: str) -> Pause:
    try:
        return read_report(path.read_text())
    except (ValueError, KeyError, TypeError):  # written by hand: any file pauses
        changed = path.stat().st_mtime_ns
        clock, _, job = path.name.partition(".")
        scope = Scope(None if clock == names.EVERY_CLOCK else clock, job or None, host)
        local_id = f"{host}:{path.name}:{changed}"
        return Pause(scope, from_epoch(changed // 10**9), path.owner(), "no reason was given", None, local_id=local_id)


def _to_json(pause: Pause) -> dict[str, Any]:
    values = {**pause.scope._asdict(), "paused_at": pause.at, "paused_by": pause.by, "reason": pause.reason,
              "until": pause.until, "resumed_at": pause.resumed_at, "resumed_by": pause.resumed_by,
              "local_id": pause.local_id}  # fmt: skip
    return {key: iso8601(value) if isinstance(value, datetime) else value for key, value in values.items()}
