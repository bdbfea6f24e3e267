"""Pauses of this host: one file each, which a condition of the services checks for.

They need no database, survive reboots and deploys, and say who paused, when, why and until when. systemd looks only at
the name, so anything with the name of a pause is one: an empty file that somebody touched, a folder, even a dangling
link. The name alone says what is paused; the contents only explain it. `host_watch` reports the pauses to the database.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scheduled_tasks import files, terminal
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.instants import EARLIEST, LATEST, from_epoch, iso8601, parse
from scheduled_tasks.operate.slots import Pause, Scope
from scheduled_tasks.render import names

if TYPE_CHECKING:
    from scheduled_tasks.render.names import Places

NAME = re.compile(rf"{names.EVERY_CLOCK}|[a-z0-9_]+(\.[a-z0-9_]+)?")
NO_REASON = "no reason was given"
MAX_BYTES = 1 << 16
MAX_TEXT = 1_000  # characters


def path_of(places: Places, scope: Scope) -> Path:
    """The file that pauses a scope on this host."""
    name = names.EVERY_CLOCK if scope.clock is None else f"{scope.clock}.{scope.job}" if scope.job else scope.clock
    return places.paused / name


def write(places: Places, pause: Pause) -> bool:
    """Pause on this host; False if the same scope is already paused, which stays as it is."""
    places.paused.mkdir(mode=0o755, parents=True, exist_ok=True)
    path = path_of(places, pause.scope)
    if os.path.lexists(path):
        return False
    files.write(path, json.dumps(_to_json(replace(pause, local_id=str(uuid.uuid4()))), indent=1) + "\n", mode=0o644)
    return True


def end(places: Places, pause: Pause, *, by: str, at: datetime) -> None:
    """End a pause of this host: write a report for the database, then remove its file.

    Raises:
        ConfigurationError: it can't be removed, so the pause goes on.
    """
    places.reports.mkdir(mode=0o755, parents=True, exist_ok=True)
    report = places.reports / f"{time.time_ns():020d}-pause.json"
    files.write(report, json.dumps(_to_json(replace(pause, resumed_at=at, resumed_by=by))))
    path = path_of(places, pause.scope)
    try:
        if path.is_dir() and not path.is_symlink():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        report.unlink()
        raise ConfigurationError(f"{path} can't be removed ({error.strerror}), so {pause.scope} stays paused") from None


def active(places: Places, host: str) -> list[Pause]:
    """The pauses of this host, whatever their `until` says: while the file exists, nothing starts."""
    pauses = [_read(path, host) for path in _entries(places) if NAME.fullmatch(path.name)]
    return [pause for pause in pauses if pause]


def without_effect(places: Places) -> list[Path]:
    """The files in the folder of pauses that pause nothing, because no clock or job can have their names."""
    return [path for path in _entries(places) if not NAME.fullmatch(path.name)]


def _entries(places: Places) -> list[Path]:
    if not places.paused.is_dir():
        return []
    return [path for path in sorted(places.paused.iterdir()) if not path.name.startswith(".")]


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


def _read(path: Path, host: str) -> Pause | None:
    """Read a pause that `write` wrote or a person made; missing values get defaults. None if it has just ended."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    clock, _, job = path.name.partition(".")
    scope = Scope(None if clock == names.EVERY_CLOCK else clock, job or None, host)
    values = _contents(path, found)
    until, reason = _bounded(values.get("until")), _text(values.get("reason")) or NO_REASON
    if until is None and values.get("until"):
        reason += f" (its until is not an instant: {_text(values['until'])})"
    changed = min(max(from_epoch(found.st_mtime), EARLIEST), datetime.now(UTC))
    # A copy of another pause's file, or one that was moved, is a pause of its own.
    is_ours = values.get("local_id") and all(values.get(key) == value for key, value in scope._asdict().items())
    return Pause(
        scope=scope,
        at=min(_bounded(values.get("paused_at")) or changed, datetime.now(UTC)),
        by=_text(values.get("paused_by")) or _user(found.st_uid),
        reason=reason,
        until=until,
        local_id=_text(values["local_id"]) if is_ours else f"{host}:{path.name}:{found.st_mtime_ns}",
    )


def _contents(path: Path, found: os.stat_result) -> Mapping[str, Any]:
    """What a file says: a JSON object's values, or its first line as the reason."""
    if found.st_size > MAX_BYTES:
        return {}
    with suppress(OSError, *files.CORRUPT):
        text = files.read_text(path)
        with suppress(*files.CORRUPT):
            values = json.loads(text)
            return values if isinstance(values, dict) else {}
        return {"reason": text.strip().partition("\n")[0]}
    return {}


def _text(value: object) -> str:
    """A text as the database can store it and a terminal can show it; of any other value, as JSON has it."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return terminal.one_line(text)[:MAX_TEXT].strip()


def _bounded(value: object) -> datetime | None:
    """An instant that the ledger can store, in UTC if it has no offset; None for everything else."""
    with suppress(*files.CORRUPT):
        at = parse(str(value), zone=UTC)
        return at if EARLIEST <= at < LATEST else None
    return None


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"


def _to_json(pause: Pause) -> dict[str, Any]:
    values = {**pause.scope._asdict(), "paused_at": pause.at, "paused_by": pause.by, "reason": pause.reason,
              "until": pause.until, "resumed_at": pause.resumed_at, "resumed_by": pause.resumed_by,
              "local_id": pause.local_id}  # fmt: skip
    return {key: iso8601(value) if isinstance(value, datetime) else value for key, value in values.items()}
