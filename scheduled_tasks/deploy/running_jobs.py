"""What a job that runs keeps of its unit when an apply changes the unit or takes it away, until the run is over.

systemd holds a running service to what a reload brings: a time limit that shrank ends it there and then (decision
0005). What comes in: the sets before and after. What goes out: files below /run for systemd to read, which the end of
the run takes away. `limits` decides what they have, `Keeper` acts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from scheduled_tasks.deploy import machine_state
from scheduled_tasks.deploy.effects import System
from scheduled_tasks.deploy.limits import Comparison, Limits
from scheduled_tasks.deploy.plan import Facts
from scheduled_tasks.render.escape import command_line
from scheduled_tasks.render.names import KEPT_DROP_IN, Places

_HEAD = f"{machine_state.KEPT_MARK} the run keeps {{what}}. Goes when the run is over.\n"
_END = 'rm -f "$1" "$2/{drop_in}"; rmdir "$2" 2>/dev/null; {systemctl} daemon-reload'


def drop_in_text(lost: Limits, service: str, places: Places) -> str:
    """A drop-in that gives a service's limits back their values."""
    lines = [f"{name}={value}\n" for name, values in sorted(lost.items()) for value in values]
    return f"{_HEAD.format(what='its limits')}[Service]\n{''.join(lines)}{_end(service, places)}"


def unit_text(texts: Iterable[str], service: str, places: Places) -> str:
    """A unit in the place of one that goes, with all that systemd had read for it; nobody is to start it."""
    whole = "\n".join(texts)
    head = _HEAD.format(what="the unit that it was started from")
    return f"{head}{whole}\n[Unit]\nRefuseManualStart=yes\n[Service]\n{_end(service, places)}"


def _end(service: str, places: Places) -> str:
    unit = places.transient / service
    systemctl = " ".join(("systemctl", *places.manager))
    script = _END.format(drop_in=KEPT_DROP_IN, systemctl=systemctl)
    # With all rights, since the service has few; a user's systemd has none to give.
    mark = "-" if places.home else "-+"
    return f"ExecStopPost={mark}{command_line('/bin/sh', '-c', script, 'sh', str(unit), f'{unit}.d')}\n"


class Keeper:
    """Has the jobs that run at a reload keep what they were started with."""

    def __init__(self, facts: Facts, files: Mapping[str, str], places: Places, system: System) -> None:
        self._facts, self._places, self._system = facts, places, system
        self._compared = Comparison(facts.files, files, facts.kept)
        lost = {service: self._compared.lost(service) for service in self._compared.touched()}
        self._at_risk = {service for service, loses in lost.items() if loses != {}}
        self._settled = lost.keys() - self._at_risk  # what is kept for their runs is what they have
        self._written: dict[str, bool] = {}  # each with whether its link was taken away

    def keep(self) -> None:
        """Before the flip: writes what those that run now keep, and takes away what no run needs any more."""
        running = self._running()
        for service in self._facts.kept:
            if service in self._settled or (service not in self._facts.running and service not in running):
                self._remove(service)
        self._write(running)

    def reload(self) -> None:
        """Has systemd read the new set; a second time only where a run began or ended at that very moment."""
        self._system.systemctl("daemon-reload")
        running = self._running()
        late = self._started_before_it([service for service in running if service not in self._written])
        ended = [service for service in self._written if service not in running]
        for service in ended:
            self._remove(service)
        self._write(late)
        if late or ended:
            self._system.systemctl("daemon-reload")

    def undo(self) -> None:
        """After a failure: the old set stays in force, which has all this."""
        for service, unlinked in self._written.items():
            self._remove(service)
            if unlinked:
                self._system.link(self._places.systemd / service, self._places.link_target(service))

    def _running(self) -> list[str]:
        return [unit for unit in machine_state.running(self._places) if unit in self._at_risk] if self._at_risk else []

    def _started_before_it(self, services: list[str]) -> list[str]:
        if not services:
            return []
        [manager] = machine_state.show(self._places, "UnitsLoadTimestamp")
        read_at = machine_state.instant(manager["UnitsLoadTimestamp"])
        shown = machine_state.show(self._places, "Id,InactiveExitTimestamp", *services)
        return [unit["Id"] for unit in shown if machine_state.instant(unit["InactiveExitTimestamp"]) <= read_at]

    def _write(self, services: Iterable[str]) -> None:
        for service in services:
            lost = self._compared.lost(service)
            link = self._places.systemd / service
            unlinked = lost is None and link.is_symlink()
            self._written[service] = unlinked
            path = _path(service, self._places, whole=lost is None)
            self._system.folder(path.parent)
            if lost is None:
                self._system.write(path, unit_text(self._compared.unit(service), service, self._places))
            else:
                self._system.write(path, drop_in_text(lost, service, self._places))
            if unlinked:
                self._system.remove(link)  # it leads nowhere soon, and systemd would look no further

    def _remove(self, service: str) -> None:
        for whole in (True, False):
            path = _path(service, self._places, whole=whole)
            if path.exists():
                self._system.remove(path)
        self._system.remove_if_empty(path.parent)


def _path(service: str, places: Places, *, whole: bool) -> Path:
    return places.transient / service if whole else places.transient / f"{service}.d" / KEPT_DROP_IN
