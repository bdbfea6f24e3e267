"""Keep running jobs unharmed while an apply changes or removes their units.

systemd applies what a reload brings to a running service, too: a shorter time limit ends it at once (decision 0005).
So an apply writes overrides below /run, which give a running job its old limits, or the unit that it was started from,
and which the end of the run removes. `limits` decides what they contain.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from scheduled_tasks.deploy import machine_state, systemd
from scheduled_tasks.deploy.effects import Effects
from scheduled_tasks.deploy.limits import Comparison, Limits
from scheduled_tasks.deploy.plan import MachineState
from scheduled_tasks.render.escape import command_line
from scheduled_tasks.render.names import OVERRIDE_DROP_IN, Places
from scheduled_tasks.render.unit_file import UnitFile, section_text
from scheduled_tasks.render.unit_set import UnitSet

_HEAD = f"{machine_state.OVERRIDE_MARK} the run keeps {{what}}. Removed when the run ends.\n"
_END = 'rm -f "$1" "$2/{drop_in}"; rmdir "$2" 2>/dev/null; {systemctl} daemon-reload'


def drop_in_text(lost: Limits, service: str, places: Places) -> str:
    """A drop-in that restores a service's limits."""
    directives = ((name, value) for name, values in sorted(lost.items()) for value in values)
    return _HEAD.format(what="its limits") + section_text("Service", (*directives, _end(service, places)))


def unit_text(unit_files: Iterable[UnitFile], service: str, places: Places) -> str:
    """A unit that replaces a removed one, with all that systemd had read for it; nobody can start it by hand."""
    head = _HEAD.format(what="the unit that it was started from")
    end = section_text("Unit", [("RefuseManualStart", "yes")]) + section_text("Service", [_end(service, places)])
    return head + "\n".join((*(unit_file.text for unit_file in unit_files), end))


def _end(service: str, places: Places) -> tuple[str, str]:
    unit = places.transient / service
    script = _END.format(drop_in=OVERRIDE_DROP_IN, systemctl=" ".join(("systemctl", *places.manager)))
    # With full privileges, since the service has few; a user's systemd has none to give.
    mark = "-" if places.home else "-+"
    return "ExecStopPost", mark + command_line("/bin/sh", "-c", script, "sh", str(unit), f"{unit}.d")


class RunningJobGuard:
    """Writes and removes the overrides of running jobs around a reload."""

    def __init__(self, state: MachineState, units: UnitSet, places: Places, effects: Effects) -> None:
        self._state, self._places, self._effects = state, places, effects
        self._comparison = Comparison(state.units, units, state.overrides)
        lost = {service: self._comparison.lost(service) for service in self._comparison.touched()}
        self._at_risk = {service for service, limits in lost.items() if limits != {}}
        self._unharmed = lost.keys() - self._at_risk  # need no override with the new set
        self._written: dict[str, bool] = {}  # service → whether its link was removed

    def before_switch(self) -> None:
        """Write overrides for the running jobs, and remove those that no run needs any more."""
        running = self._running()
        for service in self._state.overrides:
            if service in self._unharmed or (service not in self._state.running and service not in running):
                self._remove(service)
        self._write(running)

    def reload(self) -> None:
        """Make systemd read the new set; a second time only if a run began or ended in the meantime."""
        self._effects.systemctl("daemon-reload")
        running = self._running()
        late = self._started_before_reload([service for service in running if service not in self._written])
        ended = [service for service in self._written if service not in running]
        for service in ended:
            self._remove(service)
        self._write(late)
        if late or ended:
            self._effects.systemctl("daemon-reload")

    def undo(self) -> None:
        """Remove the overrides after a failure: the old set, which has the same units, stays current."""
        for service, unlinked in self._written.items():
            self._remove(service)
            if unlinked:
                self._effects.link(self._places.systemd / service, self._places.link_target(service))

    def _running(self) -> list[str]:
        return [unit for unit in machine_state.running(self._places) if unit in self._at_risk] if self._at_risk else []

    def _started_before_reload(self, services: list[str]) -> list[str]:
        if not services:
            return []
        manager = self._places.manager
        [loaded] = systemd.show("UnitsLoadTimestamp", manager=manager)
        loaded_at = systemd.timestamp(loaded["UnitsLoadTimestamp"])
        shown = systemd.show("Id,InactiveExitTimestamp", *services, manager=manager)
        return [unit["Id"] for unit in shown if systemd.timestamp(unit["InactiveExitTimestamp"]) <= loaded_at]

    def _write(self, services: Iterable[str]) -> None:
        for service in services:
            lost = self._comparison.lost(service)
            link = self._places.systemd / service
            self._written[service] = lost is None and link.is_symlink()
            whole, drop_in = self._paths(service)
            self._effects.folder(whole.parent if lost is None else drop_in.parent)
            if lost is None:
                self._effects.write(whole, unit_text(self._comparison.old_files(service), service, self._places))
            else:
                self._effects.write(drop_in, drop_in_text(lost, service, self._places))
            if self._written[service]:
                self._effects.remove(link)  # it will soon dangle, and systemd would not look for the override

    def _remove(self, service: str) -> None:
        paths = self._paths(service)
        for path in paths:
            if path.exists():
                self._effects.remove(path)
        self._effects.remove_if_empty(paths[1].parent)

    def _paths(self, service: str) -> tuple[Path, Path]:
        """The unit and the drop-in that override a service."""
        return self._places.transient / service, self._places.transient / f"{service}.d" / OVERRIDE_DROP_IN
