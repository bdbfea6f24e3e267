"""List the kept sets, roll back to one, or remove everything."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scheduled_tasks.deploy import credentials, machine_state
from scheduled_tasks.deploy.apply import Applied, ForeignUnitError, apply, locked
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import edited, read_machine_state, read_set
from scheduled_tasks.deploy.plan import plan
from scheduled_tasks.deploy.sandboxes import transient
from scheduled_tasks.deploy.set_folders import applied_at, sets
from scheduled_tasks.deploy.switch import Switch
from scheduled_tasks.errors import UsageError
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import UnitSet

FAILED_INSTANCES = names.FAILED.removesuffix(".service")


@dataclass(frozen=True)
class KeptSet:
    """A set that is or was current.

    Attributes:
        name: the hash of its contents.
        applied_at: when it last became current.
        current: whether it is now.
        jobs: how many services it has.
    """

    name: str
    applied_at: datetime
    current: bool
    jobs: int


def kept_sets(places: Places) -> list[KeptSet]:
    """The sets: first the current one, then the last applied."""
    current_folder = places.current.resolve()
    return [
        KeptSet(
            name=folder.name,
            applied_at=datetime.fromtimestamp(applied_at(folder, places), UTC),
            current=folder == current_folder,
            jobs=len([path for path in folder.glob("*.service") if path.name not in names.OWN_SERVICES]),
        )
        for folder in sets(places)
    ]


def rollback(name: str, places: Places, effects: Effects | None = None) -> Applied:
    """Make a kept set current again, by an apply like any other.

    Args:
        name: the set's name or its beginning; "" for the one that was current before.
        places: where units live.
        effects: performs the side effects.

    Raises:
        UsageError: no set, or more than one, has a name that begins so.
        ForeignUnitError: the set was edited by hand.
    """
    folder = _find(name, places)
    units = read_set(folder)
    if conflicts := tuple(edited(folder, units)):
        raise ForeignUnitError(conflicts)
    return apply(units, places, effects)


def _find(name: str, places: Places) -> Path:
    current = places.current.resolve()
    others = [folder for folder in sets(places) if folder != current]
    matches = [folder for folder in sets(places) if folder.name.startswith(name)] if name else others[:1]
    if len(matches) == 1:
        return matches[0]
    kept = ", ".join(folder.name[:12] for folder in others) or "none"
    problem = f"there is no set {name}" if name else "no other set"
    if matches:
        problem = f"{len(matches)} sets begin with {name}"
    raise UsageError(f"{problem}: those to go back to are {kept}; see 'clocks sets'")


def remove_all(places: Places, effects: Effects | None = None) -> Applied:
    """Remove every unit, link, set, stamp and pause; running jobs go on to their end.

    Raises:
        ForeignUnitError: units were edited by hand; nothing was changed.
    """
    effects = effects or Effects(places.manager)
    with locked(places, effects):
        state = read_machine_state(places, UnitSet())
        if state.conflicts:
            raise ForeignUnitError(state.conflicts)
        todo = plan(UnitSet(), state)
        kept = sets(places)
        is_removed = todo.is_empty and not places.sets.exists()
        units = {path.name for folder in kept for path in folder.glob("clock*.*") if path.is_file()}
        if not is_removed:
            Switch(UnitSet(), state, todo, places, effects).carry_out()
            for timer in sorted(units):  # while the sets still show which stamps are ours
                if (places.stamps / f"stamp-{timer}").exists():
                    effects.remove(places.stamps / f"stamp-{timer}")
            effects.remove_folder(places.sets)
        _remove_the_rest(units, places, effects)
    return Applied() if is_removed else Applied(stopped=todo.stop, changed_files=todo.removed, changed=True)


def _remove_the_rest(units: set[str], places: Places, effects: Effects) -> None:
    """Remove what belongs to no set: this machine's pauses, files that last until a boot, failed states."""
    if not places.home:
        effects.remove_folder(places.paused)
    if not places.sets.parent.is_mount():
        effects.remove_if_empty(places.sets.parent)
    if not places.is_running:
        return
    failed = [unit for unit in machine_state.failed_units(places) if unit in units or unit.startswith(FAILED_INSTANCES)]
    effects.systemctl("reset-failed", sorted(failed))
    transient.remove_abandoned(places, effects)
    if places.sender_state.is_symlink():  # DynamicUser= keeps it in /run/private
        effects.remove_folder(places.sender_state.resolve())
    effects.remove(places.sender_state)
    if not machine_state.running(places):
        effects.remove_folder(places.runtime)
        return
    # Running jobs still have their locks and start requests there; the next boot removes them.
    effects.remove_folder(places.blocked)
    credentials.remove_old_copies({}, places, effects)
    for path in (
        places.tried_sandboxes,
        places.sound_set,
        places.rendered_set,
        places.watch_succeeded,
        places.watch_failed,
        places.database_away,
    ):
        effects.remove(path)
