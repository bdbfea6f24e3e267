"""From one set to another, in an order in which a machine that stops anywhere has the old set or the new.

A rendered set is an immutable folder named by the hash of its content; `current` points to the one in force, and
/etc/systemd/system links through it. One rename takes the machine from one set to the other; decision 0005 tells
why each step stands where it does. Every act goes through `System`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from scheduled_tasks.deploy.effects import System
from scheduled_tasks.deploy.machine_state import SUMS
from scheduled_tasks.deploy.plan import WANTED_BY, Facts, Plan, links_of, set_name, sums
from scheduled_tasks.deploy.running_jobs import Keeper
from scheduled_tasks.deploy.set_folders import NEVER, applied_at, superfluous
from scheduled_tasks.deploy.stopped_timers import close, forget_window, opened, uninterrupted
from scheduled_tasks.render import jobs_manifest
from scheduled_tasks.render.names import Places

FOLLOWING = ".following"  # what becomes `current`


def write_set(files: Mapping[str, str], folder: Path, system: System | None = None) -> None:
    """Writes a set's files below a folder."""
    system = system or System()
    for path, text in files.items():
        system.folder((folder / path).parent)
        system.write(folder / path, text)


@dataclass(frozen=True)
class Switch:
    """What takes a machine from the set in force to another.

    Attributes:
        files: the set that is wanted; empty where all is to go.
        facts: the machine as it was found.
        todo: what is to be done, by these two.
        places: where units live.
        system: the hands that act.
    """

    files: Mapping[str, str]
    facts: Facts
    todo: Plan
    places: Places
    system: System

    def carry_out(self) -> tuple[str, ...]:
        """The steps, in their order; returns the services whose run fell due meanwhile.

        Until timers are stopped nothing has an effect, since links to what isn't there are ignored.
        """
        self._prepare()
        caught_up: tuple[str, ...] = ()
        if self.places.is_running:
            with uninterrupted():
                caught_up = self._while_timers_stand()
        else:
            self._flip()
        # They tell an apply after a killed one which units were ours, so they go last.
        for link in self.todo.stale_links:
            self._remove_link(link)
        self._forget_old_sets()
        if self.places.is_running:
            forget_window(self.places, self.system)
        return caught_up

    @cached_property
    def _folder(self) -> Path:
        return self.places.sets / set_name(self.files)

    @property
    def _following(self) -> Path:
        return self.places.sets / FOLLOWING

    @property
    def _wants(self) -> list[str]:
        """The links for which systemd would keep a target that is gone in memory."""
        return [link for link in self.todo.stale_links if link.startswith(WANTED_BY)]

    def _prepare(self) -> None:
        """Writes the set, all links, and the link that is to become `current`."""
        self.system.folder(self.places.systemd)
        if self.todo.flips and self.files and not self._folder.is_dir():
            self._write_set()
        wanted = links_of(self.files)
        for link in self.todo.missing_links:
            self.system.folder((self.places.systemd / link).parent)
            self.system.link(self.places.systemd / link, self.places.link_target(wanted[link]))
        if self.todo.flips:
            if os.path.lexists(self._following):
                self.system.remove(self._following)  # an apply that was killed left it, and it may lead elsewhere
            if self.places.current.is_dir():  # which goes out of force
                in_force = self.places.current.resolve()
                self.system.set_time(in_force, applied_at(in_force, self.places))
            if self.files:
                self.system.link(self._following, self._folder.name)
            self.system.flush()

    def _write_set(self) -> None:
        unfinished = self.places.sets / f".unfinished-{self._folder.name}"
        self.system.remove_folder(unfinished)
        self.system.folder(unfinished)
        try:
            write_set({**self.files, SUMS: sums(self.files)}, unfinished, self.system)
            self.system.set_time(unfinished, NEVER)
            self.system.rename(unfinished, self._folder)
        except OSError:
            self.system.remove_folder(unfinished)
            raise

    def _while_timers_stand(self) -> tuple[str, ...]:
        """Stops timers, flips, has systemd reload, starts timers; after an error those of the old set, as before."""
        before = self._in_force()
        window = opened(self.facts, self.todo, self.files, self.places, self.system)
        since = max((window.noted.timers[timer] for timer in self.todo.restart), default=time.time())
        noted = None
        if self.todo.flips and not self.places.home:
            noted = jobs_manifest.note(self.files, since, self.places, self.system)
        keeper = Keeper(self.facts, self.files, self.places, self.system)
        try:
            self.system.systemctl("stop", [*self.todo.stop, *self.todo.restart])
            self._switch(keeper)
        except Exception:
            self._flip_back(before)
            keeper.undo()
            close(window, self.facts.files, self.places, self.system)
            if noted:
                self.system.remove(noted)
            raise
        caught_up = close(window, self.files, self.places, self.system)
        if noted:
            jobs_manifest.complete(noted, self.files, since, time.time(), self.system)
        return caught_up

    def _switch(self, keeper: Keeper) -> None:
        if self.todo.reload:
            keeper.keep()
        self._flip()
        for link in self._wants:
            self.system.remove(self.places.systemd / link)
        if self.todo.reload:
            keeper.reload()

    def _flip(self) -> None:
        if not self.todo.flips:
            return
        if self.files:
            self.system.rename(self._following, self.places.current)
        else:
            self.system.remove(self.places.current)

    def _flip_back(self, before: Path | None) -> None:
        """Has the files say again what systemd has loaded, so that the timers that were stopped go on by the old."""
        if self._in_force() == before:
            return
        if before is None:
            self.system.remove(self.places.current)
        else:
            self.system.link(self.places.current, before)
        for link in self._wants:
            self.system.link(self.places.systemd / link, self.places.link_target(Path(link).name))

    def _in_force(self) -> Path | None:
        return self.places.current.readlink() if self.places.current.is_symlink() else None

    def _remove_link(self, link: str) -> None:
        path = self.places.systemd / link
        self.system.remove(path)
        if path.parent.name.endswith(".d"):
            self.system.remove_if_empty(path.parent)

    def _forget_old_sets(self) -> None:
        for folder in superfluous(self.places):
            self.system.remove_folder(folder)
        for left in self.places.sets.glob(".*"):  # what applies that were killed had begun
            if left.is_symlink():
                self.system.remove(left)
            else:
                self.system.remove_folder(left)
