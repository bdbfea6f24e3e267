"""The table of options carries the rules: each one's directive, form, example, and since when systemd has it.

A clock's options hold for each of its jobs; a job's own override them, or add to them where the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.faults import Fault
from scheduled_tasks.options import validators
from scheduled_tasks.options.validators import SIZE, SPAN, Value, matching

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Option(NamedTuple):
    """One option.

    Attributes:
        directive: the unit's, without `=`; where one option comes to several, the first.
        validate: judges a value, see `forms`.
        example: what a fault proposes to write.
        section: where its lines stand; RUN for what run-task is told.
        since: the first systemd that has it; 252 is the oldest that is served.
        if_older: what happens on an older one, said to who deploys there.
        adds: whether a job's values come on top of its clock's, instead of in their place.
        of_clock: whether a clock alone has it.
    """

    directive: str
    validate: Callable[[object], Value]
    example: str
    section: str = "Service"
    since: int = 252
    if_older: str = ""
    adds: bool = False
    of_clock: bool = False


RUN = "run-task"  # the section of what is no directive: run-task is told on its command line

OPTIONS = {
    "timeout": Option("RuntimeMaxSec", matching(SPAN), "timeout='30min' (a number is seconds)"),
    "memory_max": Option("MemoryMax", matching(SIZE), "memory_max='512M'"),
    "memory_high": Option("MemoryHigh", matching(SIZE), "memory_high='400M'"),
    "cpu_quota": Option("CPUQuota", matching(r"[1-9]\d*%"), "cpu_quota='50%' (of one processor)"),
    "cpu_weight": Option("CPUWeight", matching(r"[1-9]\d{0,3}|10000|idle"), "cpu_weight=50 (100 is usual)"),
    "io_weight": Option("IOWeight", matching(r"[1-9]\d{0,3}|10000"), "io_weight=50 (100 is usual)"),
    "tasks_max": Option("TasksMax", matching(r"[1-9]\d*"), "tasks_max=64 (processes and threads)"),
    "nice": Option("Nice", matching(r"-?1?\d|-20"), "nice=10 (-20 to 19, 19 is the nicest)"),
    "retries": Option("Restart", matching(r"\d|[1-9]\d"), "retries=3 (0 to 99; 0: never again)"),
    "retry_delay": Option("RestartSec", matching(SPAN), "retry_delay='1min' (a number is seconds)"),
    "retry_delay_max": Option(
        "RestartMaxDelaySec",
        matching(SPAN),
        "retry_delay_max='1h': the delay grows to it",
        since=254,
        if_older="the delay between retries doesn't grow",
    ),
    "environment": Option(
        "Environment", validators.environment, "environment={'NAME': 'value'}; a secret is a credential", adds=True
    ),
    "user": Option("User", validators.user, "user='shop', a system user of that name"),
    "working_directory": Option("WorkingDirectory", validators.path, "working_directory='/srv/shop'"),
    "read_write_paths": Option("ReadWritePaths", validators.paths, "read_write_paths=['/srv/shop/exports']", adds=True),
    "allow_network": Option(
        "IPAddressAllow", validators.addresses, "allow_network=['192.0.2.7', '2001:db8::/32'], or allow_network='any'"
    ),
    "after": Option("After", validators.units, "after=['postgresql.service']", section="Unit", adds=True),
    "requires": Option("Requires", validators.units, "requires=['srv-exports.mount']", section="Unit", adds=True),
    "log_namespace": Option("LogNamespace", matching(r"[A-Za-z0-9_][A-Za-z0-9_-]*"), "log_namespace='shop'"),
    "relax": Option(
        "", validators.relaxations, "relax=['jit']: each has its cost, see docs/reference/clock-files.md", adds=True
    ),
    "per_host": Option("", validators.boolean, "per_host=True: each host has its own run of each time", section=RUN),
    "overlap": Option(
        "",
        matching(r"skip|queue"),
        "overlap='skip' or 'queue': what becomes of a run while another goes on",
        section=RUN,
    ),
    "on_database_error": Option(
        "",
        matching(r"fail|run"),
        "on_database_error='run': it runs even if PostgreSQL is unreachable; 'fail': it fails",
        section=RUN,
    ),
    "catch_up_after_pause": Option(
        "",
        validators.boolean,
        "catch_up_after_pause=True: when a pause ends, the last slot that it held back runs",
        section=RUN,
    ),
    "concurrency": Option(
        "ConcurrencySoftMax",
        matching(r"[1-9]\d{0,2}"),
        "concurrency=2: so many of the clock's jobs at once, the others wait",
        section="Slice",
        since=258,
        if_older="the jobs take turns by locks instead",
        of_clock=True,
    ),
}

# A hung task blocks its schedule for ever where nothing ends it, so that every job has these.
DEFAULTS = {"timeout": "1h", "memory_max": "1G", "tasks_max": "512"}
# systemd's own tenth of a second would try again before anything can have changed.
RETRY_DELAY = "30s"


@dataclass(frozen=True)
class Options:
    """Options by name, judged; in the order they were given."""

    values: tuple[tuple[str, Value], ...] = ()

    @property
    def by_name(self) -> dict[str, Value]:
        """The same, to look up."""
        return dict(self.values)

    def text(self, name: str, default: str = "") -> str:
        """The value of an option whose value is one text."""
        value = self.by_name.get(name, default)
        assert isinstance(value, str)  # noqa: S101 - its form makes it so
        return value

    @property
    def timeout(self) -> str:
        """How long a run may take."""
        return self.text("timeout", DEFAULTS["timeout"])

    def in_order(self) -> Iterator[tuple[str, Value]]:
        """Names and values in the table's order, which units are written in."""
        given = self.by_name
        return ((name, given[name]) for name in OPTIONS if name in given)

    def over(self, inherited: Options) -> Options:
        """These options, with `inherited` where they say nothing, and added to it where they add."""
        merged = inherited.by_name
        for name, value in self.values:
            before = merged.get(name, ())
            if OPTIONS[name].adds and isinstance(value, tuple) and isinstance(before, tuple):
                merged[name] = before + tuple(each for each in value if each not in before)
            else:
                merged[name] = value
        return Options(tuple(merged.items()))


def _shown(value: object) -> str:
    """A value in a fault. Of a dictionary the names alone: what looks like a secret isn't said to a log of CI."""
    return f"{{{', '.join(f'{name!r}: …' for name in value)}}}" if isinstance(value, dict) else repr(value)


DEFAULT_OPTIONS = Options(tuple(DEFAULTS.items()))


def read_options(given: Mapping[str, object], *, of_clock: bool = False) -> tuple[Options, list[Fault]]:
    """Reads options as they are written in a clock file; the faults name field, value and what to write."""
    values: list[tuple[str, Value]] = []
    faults = []
    for name, value in given.items():
        option = OPTIONS[name]
        if option.of_clock and not of_clock:
            faults.append(
                Fault("is a clock's, not a job's", f"write it in Clock(): {option.example}", name, repr(value))
            )
            continue
        try:
            values.append((name, option.validate(value)))
        except ValueError as error:
            faults.append(Fault(str(error), f"write {option.example}", name, _shown(value)))
    return Options(tuple(values)), faults
