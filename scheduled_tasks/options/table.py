"""The table of options: each one's directive, validator, example, and the systemd version that introduced it.

A clock's options apply to all of its jobs; a job's own override them, or add to them if the table says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from scheduled_tasks.faults import Fault
from scheduled_tasks.options import alert_validators, validators
from scheduled_tasks.options.alert_validators import or_none
from scheduled_tasks.options.validators import SIZE, SPAN, Value, matching, shown_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping


class Option(NamedTuple):
    """One option.

    Attributes:
        directive: the unit's directive, without `=`; the first if one option needs several.
        validate: checks a value, see `validators`.
        example: what a fault suggests to write.
        section: the section of its lines; RUN for arguments of run-task, ALERTS for what only the jobs manifest has.
        since: the first systemd version that has it; 252 is the oldest supported.
        if_older: what happens on an older version; shown during deployment.
        adds: whether a job's values are added to its clock's instead of replacing them.
        of_clock: whether only a clock can have it.
    """

    directive: str
    validate: Callable[[object], Value]
    example: str
    section: str = "Service"
    since: int = 252
    if_older: str = ""
    adds: bool = False
    of_clock: bool = False


RUN = "run-task"  # not a section: these options are arguments of run-task
ALERTS = "alerts"  # nor is this: the watch and the sender of notices read them

OPTIONS = {
    "timeout": Option("RuntimeMaxSec", matching(SPAN), "timeout='30min' (a number is seconds)"),
    "memory_max": Option("MemoryMax", matching(SIZE), "memory_max='512M'"),
    "memory_high": Option("MemoryHigh", matching(SIZE), "memory_high='400M'"),
    "cpu_quota": Option("CPUQuota", matching(r"[1-9]\d*%"), "cpu_quota='50%' (of one processor)"),
    "cpu_weight": Option("CPUWeight", matching(r"[1-9]\d{0,3}|10000|idle"), "cpu_weight=50 (100 is usual)"),
    "io_weight": Option("IOWeight", matching(r"[1-9]\d{0,3}|10000"), "io_weight=50 (100 is usual)"),
    "tasks_max": Option("TasksMax", matching(r"[1-9]\d*"), "tasks_max=64 (processes and threads)"),
    "nice": Option("Nice", matching(r"-?1?\d|-20"), "nice=10 (-20 to 19, 19 is the nicest)"),
    "retries": Option("Restart", matching(r"\d|[1-9]\d"), "retries=3 (0 to 99; 0: no retry)"),
    "retry_delay": Option("RestartSec", matching(SPAN), "retry_delay='1min' (a number is seconds)"),
    "retry_delay_max": Option(
        "RestartMaxDelaySec",
        matching(SPAN),
        "retry_delay_max='1h': the delay grows up to it",
        since=254,
        if_older="the delay between retries doesn't grow",
    ),
    "environment": Option(
        "Environment", validators.environment, "environment={'NAME': 'value'}; secrets belong in credentials", adds=True
    ),
    "user": Option("User", validators.user, "user='shop', a system user"),
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
    "per_host": Option("", validators.boolean, "per_host=True: every host runs each slot", section=RUN),
    "overlap": Option(
        "",
        matching(r"skip|queue"),
        "overlap='skip' or 'queue': skip a run while another is running, or start it afterwards",
        section=RUN,
    ),
    "on_database_error": Option(
        "",
        matching(r"fail|run"),
        "on_database_error='run' or 'fail': what the job does if PostgreSQL is unreachable",
        section=RUN,
    ),
    "catch_up_after_pause": Option(
        "",
        validators.boolean,
        "catch_up_after_pause=True: when a pause ends, the last slot that it held back runs",
        section=RUN,
    ),
    "owner": Option("", or_none(alert_validators.owner), "owner='data', a team or a person", ALERTS),
    "notify": Option(
        "",
        or_none(alert_validators.routes),
        "notify='ops', a route of the configuration; notify=['ops', 'pager'] are tried in this order; notify=[] tells "
        "nobody",
        ALERTS,
    ),
    "alert_after": Option(
        "", or_none(alert_validators.count), "alert_after=3: somebody is told of the third bad slot in a row", ALERTS
    ),
    "expected_duration": Option(
        "", or_none(alert_validators.span), "expected_duration='20min': a run that takes longer is slow", ALERTS
    ),
    "expected_at_least": Option(
        "", or_none(alert_validators.span), "expected_at_least='10s': a run that ends sooner did too little", ALERTS
    ),
    "quiet": Option(
        "", or_none(alert_validators.quiet), "quiet='22:00-07:00': notices wait for the end of these hours", ALERTS
    ),
    "runbook": Option(
        "", or_none(alert_validators.link()), "runbook='https://wiki.example.org/stocks', a page for people", ALERTS
    ),
    "ping": Option(
        "",
        or_none(alert_validators.ping),
        "ping='https://hc-ping.com/…', a URL, or the name of a credential that contains it",
        ALERTS,
    ),
    "concurrency": Option(
        "ConcurrencySoftMax",
        matching(r"[1-9]\d{0,2}"),
        "concurrency=2: at most two of the clock's jobs run at once, the others wait",
        section="Slice",
        since=258,
        if_older="the jobs take turns by locks instead",
        of_clock=True,
    ),
}

# Every job has these limits: without a timeout, a hung task would block its schedule forever.
DEFAULTS = {"timeout": "1h", "memory_max": "1G", "tasks_max": "512"}
# systemd's default, a tenth of a second, would retry before anything can have changed.
RETRY_DELAY = "30s"


@dataclass(frozen=True)
class Options:
    """Checked options by name, in the order in which they were given."""

    values: tuple[tuple[str, Value], ...] = ()

    @cached_property
    def by_name(self) -> dict[str, Value]:
        """The options as a dict."""
        return dict(self.values)

    def text(self, name: str, default: str = "") -> str:
        """The value of an option that has one text as its value."""
        value = self.by_name.get(name, default)
        assert isinstance(value, str)  # noqa: S101 - its validator ensures it
        return value

    @property
    def timeout(self) -> str:
        """How long a run can take."""
        return self.text("timeout", DEFAULTS["timeout"])

    def in_order(self) -> Iterator[tuple[str, Value]]:
        """Names and values in the order of the table, which is their order in units."""
        given = self.by_name
        return ((name, given[name]) for name in OPTIONS if name in given)

    def over(self, inherited: Options) -> Options:
        """Merge with inherited options: these replace them, or add to them if the table says so."""
        merged = dict(inherited.by_name)
        for name, value in self.values:
            before = merged.get(name, ())
            if OPTIONS[name].adds and isinstance(value, tuple) and isinstance(before, tuple):
                merged[name] = before + tuple(item for item in value if item not in before)
            else:
                merged[name] = value
        return Options(tuple(merged.items()))


def _of_bounded_length(value: Value) -> Value:
    if sum(len(text.encode()) for text in ((value,) if isinstance(value, str) else value)) > validators.MAX_OPTION:
        raise ValueError(f"is longer than {validators.MAX_OPTION} bytes, and would not fit a line of a unit")
    return value


def _shown(value: object) -> str:
    """The value as a fault shows it: a dict without its values, so that secrets don't reach the logs of a CI."""
    return f"{{{', '.join(f'{name!r}: …' for name in value)}}}" if isinstance(value, dict) else shown_value(value)


DEFAULT_OPTIONS = Options(tuple(DEFAULTS.items()))


def read_options(given: Mapping[str, object], *, of_clock: bool = False) -> tuple[Options, list[Fault]]:
    """Check options as written in a clock file; the faults name field, value and what to write."""
    values: list[tuple[str, Value]] = []
    faults = []
    for name, value in given.items():
        option = OPTIONS[name]
        if option.of_clock and not of_clock:
            instead = f"write it in Clock(): {option.example}"
            faults.append(Fault("is an option of clocks, not of jobs", instead, name, repr(value)))
            continue
        try:
            values.append((name, _of_bounded_length(option.validate(value))))
        except ValueError as error:
            faults.append(Fault(str(error), f"write {option.example}", name, _shown(value)))
    return Options(tuple(values)), faults
