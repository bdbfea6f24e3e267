"""The copies of credentials (render/secrets.py): made at an apply and when a file changed by hand, and taken away."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from scheduled_tasks.deploy import systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import overrides
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
    """Remove the copies for other sets.

    Those that the override of a running job names stay: systemd mounts them again for its ExecStopPost=. While any job
    is being started, all stay: it may have read its unit before an apply, and not mounted them yet.
    """
    service = copies_service(units)
    current = copies_folder(places, service) if service else None
    old = [folder for folder in places.secrets.glob("*") if folder != current]
    if old and not systemd.list_units(["activating"], "clock-*.service", manager=places.manager):
        running = "".join(text for _, text in overrides(places))
        for folder in old:
            if str(folder) not in running:
                effects.remove_folder(folder)


def renew(places: Places, effects: Effects | None = None) -> None:
    """Copy the current set's credentials again if a file has changed since they were copied; remove old copies.

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
    effects = effects or Effects(places.manager)
    if any(_is_newer(Path(file.replace("%%", "%")), folder / name) for name, _, file in loaded):
        copy(units, effects)
    remove_old_copies(units, places, effects)


def _is_newer(file: Path, copied: Path) -> bool:
    with suppress(FileNotFoundError):
        changed = file.stat().st_ctime  # the time of its modification can be an older file's
        return not copied.exists() or changed > copied.stat().st_ctime
    return copied.exists()
