"""Switch from one set to another; wherever a machine stops in between, it has the old set or the new one.

A set is an immutable folder named by the hash of its content; `current` points to one, and /etc/systemd/system links
through it, so one rename switches the machine. Decision 0005 gives the reasons for the order of the steps.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scheduled_tasks.deploy import credentials, deployment_reports, stopped_timers
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.machine_state import SUMS, stopped_timers_path
from scheduled_tasks.deploy.plan import MachineState, Plan
from scheduled_tasks.deploy.running_jobs import RunningJobGuard
from scheduled_tasks.deploy.set_folders import NEVER, applied_at, superfluous
from scheduled_tasks.render.names import Places
from scheduled_tasks.render.unit_set import WANTED_BY, UnitSet


def write_set(files: Mapping[str, str], folder: Path, effects: Effects | None = None) -> None:
    """Write a set's files below a folder."""
    effects = effects or Effects()
    for path, text in files.items():
        effects.folder((folder / path).parent)
        effects.write(folder / path, text)


@dataclass(frozen=True)
class Switch:
    """The steps from a machine's current set to another.

    Attributes:
        units: the set to switch to; empty to remove everything.
        state: the state of the machine.
        todo: the plan made from these two.
        places: where units live.
        effects: through which the machine is changed.
    """

    units: UnitSet
    state: MachineState
    todo: Plan
    places: Places
    effects: Effects

    def carry_out(self) -> tuple[str, ...]:
        """Take all steps in order; return the services whose run fell due while their timer was stopped.

        Nothing takes effect until timers are stopped, because systemd ignores dangling links.
        """
        self._prepare()
        caught_up: tuple[str, ...] = ()
        if self.places.is_running:
            with stopped_timers.signals_deferred():
                caught_up = self._with_timers_stopped()
        else:
            self._flip()
        # If this apply is killed, the stale links tell the next one which units were ours. So they are removed last.
        for link in self.todo.stale_links:
            path = self.places.systemd / link
            self.effects.remove(path)
            if path.parent.name.endswith(".d"):
                self.effects.remove_if_empty(path.parent)
        self._remove_old_sets()
        credentials.remove_old_copies(self.units, self.places, self.effects)
        if (record := stopped_timers_path(self.places)).exists():
            self.effects.remove(record)
        return caught_up

    @cached_property
    def _folder(self) -> Path:
        return self.places.sets / self.units.name

    @property
    def _following(self) -> Path:
        """The link that becomes `current`."""
        return self.places.sets / ".following"

    @property
    def _before(self) -> Path:
        """The link that becomes `current` again if the switch fails."""
        return self.places.sets / ".before"

    @property
    def _stale_wants(self) -> list[str]:
        """The links that would make systemd keep a removed target in memory."""
        return [link for link in self.todo.stale_links if link.startswith(WANTED_BY)]

    def _prepare(self) -> None:
        """Write the set, all links, and the link that will become `current`."""
        self.effects.folder(self.places.systemd)
        if self.todo.flips and self.units and not self._folder.is_dir():
            self._write_set()
        for link in self.todo.missing_links:
            self.effects.folder((self.places.systemd / link).parent)
            self.effects.link(self.places.systemd / link, self.places.link_target(self.units.links[link]))
        if self.todo.flips:
            if os.path.lexists(self._following):
                self.effects.remove(self._following)  # left by a killed apply, perhaps with another target
            if self.places.current.is_dir():  # about to be replaced
                current = self.places.current.resolve()
                self.effects.set_time(current, applied_at(current, self.places))
            if before := self._current():
                self.effects.link(self._before, before)
            if self.units:
                self.effects.link(self._following, self._folder.name)
            self.effects.flush(self.places.sets, self.places.systemd)

    def _write_set(self) -> None:
        unfinished = self.places.sets / f".unfinished-{self._folder.name}"
        self.effects.remove_folder(unfinished)
        self.effects.folder(unfinished)
        try:
            write_set({**self.units, SUMS: self.units.checksums}, unfinished, self.effects)
            self.effects.set_time(unfinished, NEVER)
            self.effects.rename(unfinished, self._folder)
        except OSError:
            self.effects.remove_folder(unfinished)
            raise

    def _with_timers_stopped(self) -> tuple[str, ...]:
        """Stop timers, switch, reload, start timers; after an error, restore the old set and start its timers."""
        before = self._current()
        restart = stopped_timers.before_stop(self.state, self.todo, self.units, self.places, self.effects)
        since = max((restart.stopped.timers[timer] for timer in self.todo.restart), default=time.time())
        report = None
        if self.todo.flips and not self.places.home:
            report = deployment_reports.write_report(self.units, since, self.places, self.effects)
        guard = RunningJobGuard(self.state, self.units, self.places, self.effects)
        try:
            self.effects.systemctl("stop", [*self.todo.stop, *self.todo.restart])
            self._switch(guard)
        except Exception:
            try:
                self._flip_back(before)
                guard.undo()
            finally:  # even if the disk is so full that the old set cannot be restored
                stopped_timers.restart(restart, self.state.units, self.places, self.effects)
            if report:
                self.effects.remove(report)
            raise
        caught_up = stopped_timers.restart(restart, self.units, self.places, self.effects)
        if report:
            deployment_reports.complete_report(report, self.units, since, time.time(), self.effects)
        return caught_up

    def _switch(self, guard: RunningJobGuard) -> None:
        if self.todo.reload:
            guard.before_switch()
        self._flip()
        for link in self._stale_wants:
            self.effects.remove(self.places.systemd / link)
        if self.todo.reload:
            credentials.copy(self.units, self.effects)  # before systemd reads the units that need them
            guard.reload()

    def _flip(self) -> None:
        if not self.todo.flips:
            return
        if self.units:
            self.effects.rename(self._following, self.places.current)
        else:
            self.effects.remove(self.places.current)

    def _flip_back(self, before: Path | None) -> None:
        """Restore the files that systemd has loaded, so that the stopped timers go on by the old set."""
        if self._current() == before:
            return
        if before is None:
            self.effects.remove(self.places.current)
        else:
            self.effects.rename(self._before, self.places.current)
        for link in self._stale_wants:
            self.effects.link(self.places.systemd / link, self.places.link_target(Path(link).name))

    def _current(self) -> Path | None:
        return self.places.current.readlink() if self.places.current.is_symlink() else None

    def _remove_old_sets(self) -> None:
        for folder in superfluous(self.places):
            self.effects.remove_folder(folder)
        for left in self.places.sets.glob(".*"):  # unfinished work of killed applies
            if left.is_symlink():
                self.effects.remove(left)
            else:
                self.effects.remove_folder(left)
