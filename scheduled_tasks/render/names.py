"""Names and paths of units: made here and nowhere else.

A dash nests slices and separates clock from job, which is why names of clocks and jobs have none (`[a-z0-9_]+`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

PARENT_SLICE = "clock.slice"

# systemd reads drop-ins (systemd.unit(5)) after the unit, sorted by their own names whatever directory they are in, and
# of two with the same name only that of the more specific directory. So the names differ, and they sort from the
# general to the specific; an operator's 90-local.conf comes last at any level.
ALL_SERVICES = "clock-.service.d/10-every-job.conf"
# The limits override of a run: read after a set's own drop-ins, before an operator's.
OVERRIDE_DROP_IN = "40-this-run.conf"

# Our own units. A job's unit has two dashes, and a clock's slice and target are neither services nor timers, so no name
# can clash with these.
WATCH = "clock-watch.service"
WATCH_DROP_IN = "clock-watch.service.d/30-watch.conf"
WATCH_TIMER = "clock-watch.timer"
FAILED = "clock-failed@.service"
FAILED_DROP_IN = "clock-failed@.service.d/30-failed.conf"
ALERT = "clock-alert@.service"
ALERT_DROP_IN = "clock-alert@.service.d/30-alert.conf"
SECRETS = "clock-credentials@.service"
SECRETS_DROP_IN = "clock-credentials@.service.d/30-credentials.conf"
# Directives of that drop-in which name a credential and its file; systemd doesn't read the first.
LOADS_CREDENTIAL = ("X-LoadCredential", "LoadCredentialEncrypted")
NOTIFY = "clock-notify.service"
NOTIFY_DROP_IN = "clock-notify.service.d/30-notify.conf"
LISTEN = "clock-listen.service"
LISTEN_DROP_IN = "clock-listen.service.d/30-listen.conf"
OWN_SERVICES = (WATCH, FAILED, ALERT, SECRETS, NOTIFY, LISTEN)

# Each job's own home, below /var/lib, and its cache, below /var/cache; %N is its unit's name.
JOB_HOME, JOB_CACHE = "scheduled-tasks/home/%N", "scheduled-tasks/cache/%N"

# The jobs manifest; not a unit, and no link leads to it.
JOBS = "jobs.json"
# The name of a pause of all clocks; no clock has it, since it has a dash.
EVERY_CLOCK = "every-clock"


def slice_name(clock: str) -> str:
    """The slice that contains a clock's services."""
    return f"clock-{clock}.slice"


def target_name(clock: str) -> str:
    """The target that starts and stops a clock's timers together."""
    return f"clock-{clock}.target"


def clock_drop_in(clock: str) -> str:
    """The drop-in that all services of a clock inherit."""
    return f"clock-{clock}-.service.d/20-clock.conf"


def job_drop_in(clock: str, job: str) -> str:
    """The drop-in in which a job overrides what it inherits: its clock's drop-in would override its unit."""
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
    """A user's own directories, as the XDG Base Directory Specification names them."""

    config: Path
    data: Path
    runtime: Path


@dataclass(frozen=True)
class Places:
    """Where units live on a machine, in an image, or for a user's own systemd.

    Attributes:
        root: the machine's own root, or the directory that will be one.
        home: the directories of the user whose systemd it is; None for the system's.
    """

    root: Path = Path("/")
    home: Home | None = None

    @property
    def is_running(self) -> bool:
        """Whether a systemd runs there; none does in an image."""
        return self.root == Path("/")

    @property
    def manager(self) -> tuple[str, ...]:
        """The option that tells systemctl and systemd-analyze which systemd is meant."""
        return ("--user",) if self.home else ()

    @property
    def systemd(self) -> Path:
        """Where systemd looks for units of an administrator or a user."""
        return self.home.config / "systemd/user" if self.home else self.root / "etc/systemd/system"

    @property
    def transient(self) -> Path:
        """Where systemd looks for units that are gone after a boot; those of an administrator take precedence."""
        return self.home.runtime / "systemd/user" if self.home else self.root / "run/systemd/system"

    @property
    def packaged(self) -> tuple[Path, ...]:
        """Where systemd looks for the units of packages, over which ours take precedence."""
        kind = "user" if self.home else "system"
        return tuple(self.root / folder / "systemd" / kind for folder in ("usr/local/lib", "usr/lib"))

    @property
    def stamps(self) -> Path:
        """Where systemd keeps the last trigger of persistent timers."""
        return self.home.data / "systemd/timers" if self.home else self.root / "var/lib/systemd/timers"

    @property
    def sets(self) -> Path:
        """The sets, a directory each, named by the hash of its contents."""
        folder = self.home.config if self.home else self.root / "etc"
        return folder / "scheduled-tasks/units"

    @property
    def current(self) -> Path:
        """The symlink to the current set."""
        return self.sets / "current"

    @property
    def runtime(self) -> Path:
        """Files that last until the machine is switched off: the lock, the stopped timers, start requests."""
        return (self.home.runtime if self.home else self.root / "run") / "scheduled-tasks"

    @property
    def rendered_set(self) -> Path:
        """The set that was rendered last, and a digest of what it was rendered from."""
        return self.runtime / "rendered-set.json"

    @property
    def sound_set(self) -> Path:
        """The set that systemd found sound at the last apply, and what that verdict depends on."""
        return self.runtime / "sound-set.json"

    @property
    def tried_sandboxes(self) -> Path:
        """Which sandboxes passed at an earlier apply, so that only new ones are tried (deploy/sandboxes/)."""
        return self.runtime / "tried-sandboxes.json"

    @property
    def watch_succeeded(self) -> Path:
        """A file that the watch touches when it succeeds: when it did so last."""
        return self.runtime / "watch-succeeded"

    @property
    def watch_failed(self) -> Path:
        """A file that exists while the watch fails, so that the journal has one alert of it."""
        return self.runtime / "watch-failed"

    @property
    def sender_state(self) -> Path:
        """A folder of the sender of notices: what it has said while PostgreSQL is away."""
        return self.runtime.with_name("scheduled-tasks-notify")

    @property
    def has_sender(self) -> bool:
        """Whether the current set has the sender of notices."""
        return (self.current / NOTIFY).exists()

    @property
    def database_away(self) -> Path:
        """A file that exists while the watch can't reach PostgreSQL: since when, and what it knows itself."""
        return self.runtime / "database-away.json"

    @property
    def blocked(self) -> Path:
        """Links named after services; while one's target exists, the service can't start (all-services.conf.j2)."""
        return self.runtime / "blocked"

    @property
    def paused(self) -> Path:
        """A file for each pause on this machine: `CLOCK`, `CLOCK.JOB` or every-clock (clock-services.conf.j2)."""
        return self.root / "etc/scheduled-tasks/paused"

    @property
    def start_requests(self) -> Path:
        """The start requests, each named after its unit."""
        return self.runtime / "start-requests"

    @property
    def secrets(self) -> Path:
        """Copies of the credentials, which only root can reach; a folder for each list of them. A boot removes all."""
        return self.runtime / "secrets"

    @property
    def credentials(self) -> Path:
        """Where a service of the system sees its credentials; on the host it is empty."""
        return self.runtime / "credentials"

    @property
    def state(self) -> Path:
        """Files that are kept until the database has them: pending reports, results of runs, failure notes."""
        return self.root / "var/lib/scheduled-tasks"

    @property
    def private_state(self) -> Path:
        """Where systemd keeps the part of `state` that belongs to dynamic users."""
        return self.state.parent / "private" / self.state.name

    @property
    def caches(self) -> tuple[Path, ...]:
        """The jobs' caches, and the part of them that belongs to dynamic users."""
        cache = self.root / "var/cache"
        return cache / self.state.name, cache / "private" / self.state.name

    @property
    def reports(self) -> Path:
        """Reports that the database doesn't have yet, a file each, named so that they sort by time."""
        return self.state / "reports"

    def inside(self, path: Path) -> Path:
        """A path of the machine, below its root."""
        return self.root / str(path).lstrip("/")

    def link_target(self, path: str) -> Path:
        """Where the link to a file of the set points, as systemd will see it."""
        sets = self.sets if self.home else Path("/etc/scheduled-tasks/units")
        return sets / "current" / path
