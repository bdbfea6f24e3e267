"""The copies of credentials (render/secrets.py): made at an apply and when a file changed by hand, and taken away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.secrets import copies_folder, copies_service
from scheduled_tasks.render.unit_file import UnitFile


def copy(units: Mapping[str, str], effects: Effects) -> None:
    """Make the copies for a set whose files are in place.

    systemd reads an instance that it doesn't know from its files, also before a reload.

    Raises:
        SystemdError: a file is missing, or can't be decrypted.
    """
    if service := copies_service(units):
        effects.systemctl("start", [service])


def remove_old_copies(units: Mapping[str, str], places: Places, effects: Effects) -> None:
    """Remove the copies for other sets; a running job keeps its own."""
    if not places.secrets.is_dir():
        return
    service = copies_service(units)
    for folder in places.secrets.iterdir():
        if not service or folder != copies_folder(places, service):
            effects.remove_folder(folder)


def renew(places: Places, effects: Effects | None = None) -> None:
    """Copy the current set's credentials again if a file has changed since they were copied.

    Only root can know, on a machine that runs; otherwise nothing is done.

    Raises:
        SystemdError: a file is missing, or can't be decrypted.
    """
    files = [places.current / name for name in (names.SECRETS, names.SECRETS_DROP_IN)]
    if os.geteuid() != 0 or not places.is_running or not all(file.is_file() for file in files):
        return
    units = {str(file.relative_to(places.current)): file.read_text() for file in files}
    folder = copies_folder(places, copies_service(units))
    lines = UnitFile(units[names.SECRETS_DROP_IN]).section("Service")
    loaded = (line.value.partition(":") for line in lines if line.name in names.LOADS_CREDENTIAL)
    if any(_is_newer(Path(file.replace("%%", "%")), folder / name) for name, _, file in loaded):
        copy(units, effects or Effects(places.manager))


def _is_newer(file: Path, copied: Path) -> bool:
    with suppress(FileNotFoundError):
        changed = file.stat().st_ctime  # the time of its modification can be an older file's
        return not copied.exists() or changed > copied.stat().st_ctime
    return copied.exists()
