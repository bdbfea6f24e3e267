"""The sets that are kept: what there is to go back to, going back, and taking everything away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from scheduled_tasks.deploy import machine_state
from scheduled_tasks.deploy.apply import Applied, ForeignUnitError, apply, locked
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import edited, read_facts, read_set
from scheduled_tasks.deploy.plan import plan
from scheduled_tasks.deploy.set_folders import applied_at, sets
from scheduled_tasks.deploy.switch import Switch
from scheduled_tasks.errors import UsageError
from scheduled_tasks.render import names
from scheduled_tasks.render.names import Places

FAILED_INSTANCES = names.FAILED.removesuffix(".service")


@dataclass(frozen=True)
class KeptSet:
    """A set that was in force once.

    Attributes:
        name: the hash of its content.
        applied_at: when it came into force, the last time.
        in_force: whether it is now.
        jobs: how many services it has.
    """

    name: str
    applied_at: datetime
    in_force: bool
    jobs: int


def kept_sets(places: Places) -> list[KeptSet]:
    """The sets, the one in force first, then the last applied."""
    in_force = places.current.resolve()
    return [
        KeptSet(
            name=folder.name,
            applied_at=datetime.fromtimestamp(applied_at(folder, places), UTC),
            in_force=folder == in_force,
            jobs=len([path for path in folder.glob("*.service") if path.name not in names.OWN_SERVICES]),
        )
        for folder in sets(places)
    ]


def rollback(name: str, places: Places, effects: Effects | None = None) -> Applied:
    """Brings a kept set back into force, by an apply like any other.

    Args:
        name: the set's name or its beginning; "" is the one that was in force before.
        places: where units live.
        effects: through which the machine is changed.

    Raises:
        UsageError: there is no such set, or several begin so.
        ForeignUnitError: somebody edited the set by hand.
    """
    folder = _find(name, places)
    files = read_set(folder)
    if refusals := tuple(edited(folder, files)):
        raise ForeignUnitError(refusals)
    return apply(files, places, effects)


def _find(name: str, places: Places) -> Path:
    in_force = places.current.resolve()
    others = [folder for folder in sets(places) if folder != in_force]
    found = [folder for folder in sets(places) if folder.name.startswith(name)] if name else others[:1]
    if len(found) == 1:
        return found[0]
    kept = ", ".join(folder.name[:12] for folder in others) or "none"
    problem = f"{len(found)} sets begin with {name}" if found else f"there is no set {name}" if name else "no other set"
    raise UsageError(f"{problem}: those to go back to are {kept}; see 'clocks sets'")


def remove_all(places: Places, effects: Effects | None = None) -> Applied:
    """Takes away every unit, link, set, stamp and pause; jobs that run go on to their end.

    Raises:
        ForeignUnitError: units were edited by hand; nothing was changed.
    """
    effects = effects or Effects(places.manager)
    with locked(places, effects):
        facts = read_facts(places, {})
        if facts.refusals:
            raise ForeignUnitError(facts.refusals)
        todo = plan({}, facts)
        kept = sets(places)
        is_gone = todo.is_empty and not places.sets.exists()
        units = {path.name for folder in kept for path in folder.glob("clock*.*") if path.is_file()}
        if not is_gone:
            Switch({}, facts, todo, places, effects).carry_out()
            for timer in sorted(units):  # while the sets tell which are ours
                if (places.stamps / f"stamp-{timer}").exists():
                    effects.remove(places.stamps / f"stamp-{timer}")
            effects.remove_folder(places.sets)
        _remove_the_rest(units, places, effects)
    return Applied() if is_gone else Applied(stopped=todo.stop, changed_files=todo.removed, changed=True)


def _remove_the_rest(units: set[str], places: Places, effects: Effects) -> None:
    """What isn't a set's: pauses of this machine, what lasts until a boot, what systemd remembers of failures."""
    if not places.home:
        effects.remove_folder(places.paused)
    if not places.sets.parent.is_mount():
        effects.remove_if_empty(places.sets.parent)
    if not places.is_running:
        return
    failed = [unit for unit in machine_state.failed_units(places) if unit in units or unit.startswith(FAILED_INSTANCES)]
    effects.systemctl("reset-failed", sorted(failed))
    if machine_state.running(
        places
    ):  # running jobs have locks and start requests there; a boot removes them at the latest
        effects.remove_folder(places.blocked)
    else:
        effects.remove_folder(places.runtime)
