"""Renew the copies of credentials (render/secrets.py) when a file was changed by hand, without a deployment."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_file import UnitFile


def renew(places: Places, effects: Effects | None = None) -> bool:
    """Copy the current set's credentials again if a file has changed since they were copied; return whether it has.

    Only root can know; for others nothing is done.

    Raises:
        SystemdError: a file is missing, or can't be decrypted.
    """
    drop_in = places.current / names.SECRETS_DROP_IN
    if os.geteuid() != 0 or not drop_in.is_file():
        return False
    lines = UnitFile(drop_in.read_text()).section("Service")
    files = (line.value.partition(":") for line in lines if line.name in names.LOADS_CREDENTIAL)
    changed = any(_is_newer(Path(file.replace("%%", "%")), places.secrets / name) for name, _, file in files)
    if changed:
        (effects or Effects(places.manager)).systemctl("start", [names.SECRETS])
    return changed


def _is_newer(file: Path, copy: Path) -> bool:
    with suppress(FileNotFoundError):
        changed = file.stat().st_ctime  # the time of its modification can be an older file's
        return not copy.exists() or changed > copy.stat().st_ctime
    return copy.exists()
