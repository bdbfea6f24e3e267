"""Names and paths of units: made here and nowhere else.

A dash nests slices and tells clock from job, which is why clock and job names have none (`[a-z0-9_]+`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PARENT_SLICE = "clock.slice"

# Drop-ins (systemd.unit(5)) are read after the unit, by their own names' order whatever their folder, and of two with
# the same name only the more specific folder's counts. So each level has a name of its own, rising with it; an
# operator's 90-local.conf comes last at any level.
ALL_SERVICES = "clock-.service.d/10-every-job.conf"

# What a run keeps while its unit changes: after all of a set, before an operator's.
OVERRIDE_DROP_IN = "40-this-run.conf"

# Our own: a job's units have two dashes, a clock's slice and target are no timers, so that no name can be these.
WATCH = "clock-watch.service"
WATCH_DROP_IN = "clock-watch.service.d/30-watch.conf"
WATCH_TIMER = "clock-watch.timer"
FAILED = "clock-failed@.service"
FAILED_DROP_IN = "clock-failed@.service.d/30-failed.conf"
OWN_SERVICES = (WATCH, FAILED)

# What a set's timers are due by, for programs; no unit, and nothing links to it.
JOBS = "jobs.json"
# What all clocks' pause is called; a dash, so that no clock is.
EVERY_CLOCK = "every-clock"


def slice_name(clock: str) -> str:
    """The slice that a clock's services share."""
    return f"clock-{clock}.slice"


def target_name(clock: str) -> str:
    """The target that starts and stops a clock's timers together."""
    return f"clock-{clock}.target"


def clock_drop_in(clock: str) -> str:
    """What all services of a clock inherit."""
    return f"clock-{clock}-.service.d/20-clock.conf"


def job_drop_in(clock: str, job: str) -> str:
    """Where a job overrides what it inherits: in its unit, the clock's drop-in would win."""
    return f"{service_name(clock, job)}.d/30-job.conf"


def service_name(clock: str, job: str) -> str:
    """A job's service."""
    return f"clock-{clock}-{job}.service"


def timer_name(clock: str, job: str) -> str:
    """A job's timer."""
    return f"clock-{clock}-{job}.timer"


def service_of(timer: str) -> str:
    """The service that a timer starts."""
    return timer.removesuffix(".timer") + ".service"


@dataclass(frozen=True)
class Home:
    """A user's own folders, as the XDG Base Directory Specification names them."""

    config: Path
    data: Path
    runtime: Path


@dataclass(frozen=True)
class Places:
    """Where units live on a machine, in an image, or for a user's own systemd.

    Attributes:
        root: the machine's own root, or the folder that will be one.
        home: the folders of the user whose systemd it is; None for the system's.
    """

    root: Path = Path("/")
    home: Home | None = None

    @property
    def is_running(self) -> bool:
        """Whether a systemd is there to ask; in an image there is none."""
        return self.root == Path("/")

    @property
    def manager(self) -> tuple[str, ...]:
        """What tells systemctl and systemd-analyze which systemd is meant."""
        return ("--user",) if self.home else ()

    @property
    def systemd(self) -> Path:
        """Where systemd looks for an administrator's, or a user's, units."""
        return self.home.config / "systemd/user" if self.home else self.root / "etc/systemd/system"

    @property
    def transient(self) -> Path:
        """Where systemd looks for units that are gone after a boot; an administrator's come before them."""
        return self.home.runtime / "systemd/user" if self.home else self.root / "run/systemd/system"

    @property
    def packaged(self) -> tuple[Path, ...]:
        """Where systemd looks for the units that packages bring, which ours would take the place of."""
        kind = "user" if self.home else "system"
        return tuple(self.root / folder / "systemd" / kind for folder in ("usr/local/lib", "usr/lib"))

    @property
    def stamps(self) -> Path:
        """Where systemd keeps the last trigger of persistent timers."""
        return self.home.data / "systemd/timers" if self.home else self.root / "var/lib/systemd/timers"

    @property
    def sets(self) -> Path:
        """The rendered sets, one folder each, named by the hash of its content."""
        folder = self.home.config if self.home else self.root / "etc"
        return folder / "scheduled-tasks/units"

    @property
    def current(self) -> Path:
        """The symlink to the set in force."""
        return self.sets / "current"

    @property
    def runtime(self) -> Path:
        """What lasts until the machine is switched off: the lock, and an apply's account of what it has begun."""
        return (self.home.runtime if self.home else self.root / "run") / "scheduled-tasks"

    @property
    def blocked(self) -> Path:
        """Links named after jobs; while one leads somewhere, its service is not started (see all-services.conf.j2)."""
        return self.runtime / "blocked"

    @property
    def paused(self) -> Path:
        """A file for each pause on this machine: `CLOCK`, `CLOCK.JOB` or every-clock (see clock-services.conf.j2)."""
        return self.root / "etc/scheduled-tasks/paused"

    @property
    def start_requests(self) -> Path:
        """What somebody asks of a service's next start, a file for each, named after the unit."""
        return self.runtime / "start-requests"

    @property
    def state(self) -> Path:
        """What is kept on disk until the database has it: `reports`, results of runs, notes of failures."""
        return self.root / "var/lib/scheduled-tasks"

    @property
    def private_state(self) -> Path:
        """Where systemd keeps of it what belongs to users that it makes."""
        return self.state.parent / "private" / self.state.name

    @property
    def reports(self) -> Path:
        """Deployments and pauses that the database does not know yet: one file each, in the order of their names."""
        return self.state / "reports"

    def link_target(self, path: str) -> Path:
        """Where the link of a set's file points, as systemd will see it."""
        sets = self.sets if self.home else Path("/etc/scheduled-tasks/units")
        return sets / "current" / path
