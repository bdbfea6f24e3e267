"""Pauses of this host: a file for each, which the services' condition looks for.

They hold without a database, survive reboots and deploys, and say who, when, why and until when. A file that somebody
touched by hand pauses as well. The database hears of them from `host_watch`.
"""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks import files
from scheduled_tasks.operate.pauses import PauseRow, Scope
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places

BY_HAND = "no reason was given"


def path_of(places: Places, scope: Scope) -> Path:
    """The file that pauses a scope on this host."""
    name = names.EVERY_CLOCK if scope.clock is None else f"{scope.clock}.{scope.job}" if scope.job else scope.clock
    return places.paused / name


def write(places: Places, row: PauseRow) -> bool:
    """Pauses on this host; False where the same is paused already, which is left as it is."""
    places.paused.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = path_of(places, row.scope)
    if path.exists():
        return False
    files.write(path, json.dumps(_to_json(replace(row, local_id=str(uuid.uuid4()))), indent=1) + "\n", mode=0o644)
    return True


def end(places: Places, row: PauseRow, *, by: str, at: datetime) -> None:
    """Ends a pause of this host: what it was is noted for the database, then its file goes."""
    places.reports.mkdir(mode=0o755, parents=True, exist_ok=True)
    note = places.reports / f"{time.time_ns():020d}-pause.json"
    files.write(note, json.dumps(_to_json(replace(row, resumed_at=at, resumed_by=by))))
    path_of(places, row.scope).unlink(missing_ok=True)


def in_force(places: Places, host: str) -> list[PauseRow]:
    """The pauses of this host, whatever their `until` says: while the file is there nothing starts."""
    if not places.paused.is_dir():
        return []
    return [_read(path, host) for path in sorted(places.paused.iterdir()) if not path.name.startswith(".")]


def read_note(text: str) -> PauseRow:
    """A pause as `end` noted it."""
    return _from_json(json.loads(text))


def _read(path: Path, host: str) -> PauseRow:
    try:
        return _from_json(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError):  # somebody's own: the file's being there is what counts
        changed = path.stat().st_mtime_ns
        clock, _, job = path.name.partition(".")
        scope = Scope(None if clock == names.EVERY_CLOCK else clock, job or None, host)
        at = datetime.fromtimestamp(changed // 10**9, UTC)
        return PauseRow(scope, at, path.owner(), BY_HAND, None, local_id=f"{host}:{path.name}:{changed}")


def _to_json(row: PauseRow) -> dict[str, Any]:
    values = {**row.scope._asdict(), "paused_at": row.at, "paused_by": row.by, "reason": row.reason, "until": row.until,
              "resumed_at": row.resumed_at, "resumed_by": row.resumed_by, "local_id": row.local_id}  # fmt: skip
    return {key: value.isoformat() if isinstance(value, datetime) else value for key, value in values.items()}


def _from_json(values: dict[str, Any]) -> PauseRow:
    def instant(key: str) -> datetime | None:
        return datetime.fromisoformat(values[key]) if values.get(key) else None

    return PauseRow(
        scope=Scope(values["clock"], values["job"], values["host"]),
        at=datetime.fromisoformat(values["paused_at"]),
        by=values["paused_by"],
        reason=values["reason"],
        until=instant("until"),
        resumed_at=instant("resumed_at"),
        resumed_by=values.get("resumed_by"),
        local_id=values["local_id"],
    )
