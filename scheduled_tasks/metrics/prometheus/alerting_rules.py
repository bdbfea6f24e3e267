"""The alerting rules: a few for all jobs, because the exporter publishes each job's deadline.

A job's series can come from several places: one exporter for the fleet, and a textfile of each host that has the job.
So each expression takes the newest of them by clock, job and host (which only jobs with `per_host` have), and none of
what was read too long ago. Decision 0034 has the reasons.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import indent
from typing import NamedTuple

from scheduled_tasks.alert.faults import MAX_ACCOUNT_AGE
from scheduled_tasks.alert.incidents import Kind
from scheduled_tasks.alert.message.message import severity_of
from scheduled_tasks.metrics.prometheus.yaml_text import quoted
from scheduled_tasks.operate.account import HOST_TIMEOUT
from scheduled_tasks.operate.on_call import handbook
from scheduled_tasks.operate.on_call.handbook import Alarm, Failed
from scheduled_tasks.run.status import RunStatus

HEADER = "# Written by `clocks export prometheus`: write it again instead of changing it.\n"
# How old the ledger's state can be that Prometheus sees, in seconds: the watch writes a textfile once a minute, and
# needs a while for it; Prometheus scrapes once a minute.
MAX_AGE = 180
FORGET_AFTER = 300  # seconds: what was read longer ago, as by a watch that died, says nothing of the present
EVALUATION_INTERVAL = 60  # seconds
# Five samples, one a minute. Of a range of whole minutes, Prometheus 3 leaves out the first one, which 2 counts.
FIVE_SAMPLES = "290s"
KEEP_FIRING_FOR = "5m"  # so that a scrape that fails resolves nothing

INSTANCE = ("instance", "job")  # the labels that Prometheus gives to all series of one scrape
JOB = ("clock", "job_name", "host")
PER_JOB = "scheduled_tasks_job_"
DEADLINE, RUNNING_SINCE = "next_deadline_timestamp_seconds", "running_since_timestamp_seconds"
BAD, MISSED, LOST = "bad_slots_in_a_row", "missed_slots_in_a_row", "lost_slots_in_a_row"
ALERT_AFTER, EXPECTED, PAUSED = "alert_after", "expected_duration_seconds", "paused"
# The metrics of jobs that the alerts need. Of two hosts that read the ledger one after the other, the one that read it
# last has the later deadline. A job is paused if no host runs it.
AGGREGATES = {
    DEADLINE: "max", BAD: "max", MISSED: "max", LOST: "max", ALERT_AFTER: "max", EXPECTED: "max",
    RUNNING_SINCE: "min", PAUSED: "min",
}  # fmt: skip


class Recorded(NamedTuple):
    """A recording rule: a series that the alerts read."""

    record: str
    expr: str


@dataclass(frozen=True)
class Alert:
    """An alerting rule.

    Attributes:
        alert: its name.
        expr: when it fires, in PromQL.
        severity: `critical` or `warning`.
        summary: what is wrong, in a line.
        description: what it means, and what to do: a row of the handbook.
        command: the command to run next.
        of_job: whether it is about a job, and so has its labels.
        pending: how long it must be so before it fires; "" if the expression says it.
    """

    alert: str
    expr: str
    severity: str
    summary: str
    description: str
    command: str
    of_job: bool = False
    pending: str = ""

    def annotations(self) -> dict[str, str]:
        """The annotations, as templates of Prometheus."""
        texts = {"summary": self.summary, "description": self.description, "command": self.command}
        return texts | {"runbook_url": _RUNBOOK} if self.of_job else texts


@dataclass(frozen=True)
class Rules:
    """The rules of one Prometheus.

    Attributes:
        fleet: labels that tell fleets apart, if one Prometheus has several: clocks of the same name are not the same.
    """

    fleet: tuple[str, ...] = ()

    def recorded(self) -> tuple[Recorded, ...]:
        """What is recorded first: one value for each job, of whatever was read lately, wherever it comes from."""
        stale = f"(time() - scheduled_tasks_read_timestamp_seconds > {FORGET_AFTER})"
        by, instance = self._by(JOB), ", ".join(INSTANCE)
        return tuple(
            Recorded(of_jobs(name), f"{how} by ({by}) (\n  {PER_JOB}{name}\n  unless on ({instance}) {stale}\n)")
            for name, how in AGGREGATES.items()
        )

    def alerts(self) -> tuple[Alert, ...]:
        """All alerts, the most urgent first."""
        many_bad = f"{of_jobs(BAD)} >= {of_jobs(ALERT_AFTER)}"
        none = f"0 * {of_jobs(BAD)}"  # missed and lost slots have no series while there are none
        others = f"({of_jobs(MISSED)} or {none})\n+ ({of_jobs(LOST)} or {none})"
        failed = f"\nunless\n{others}\n>= {of_jobs(BAD)}"
        slow = f"time() - {of_jobs(RUNNING_SINCE)} > {of_jobs(EXPECTED)} + {MAX_AGE}"
        return (
            self._of_job(
                "Overdue", f"time() - {of_jobs(DEADLINE)} > {MAX_AGE}\nor\n{of_jobs(MISSED)} > 0",
                Kind.MISSED, "no host has run it", handbook.of_run(Failed(RunStatus.MISSED)),
            ),
            self._of_job("Failing", many_bad + failed, Kind.FAILING, "its last runs failed", _FAILED),
            self._of_job(
                "Lost", f"{of_jobs(LOST)} > 0\nand\n{many_bad}",
                Kind.FAILING, "how its last run ended is unknown", handbook.of_run(Failed(RunStatus.LOST)),
            ),
            self._of_job("Slow", slow, Kind.SLOW, "its run takes longer than expected", handbook.of_kind(Kind.SLOW)),
            self._watch_silent(), self._account_stale(), self._notices_unsent(), self._metrics_missing(),
        )  # fmt: skip

    def _watch_silent(self) -> Alert:
        newest = f"max by ({self._by(('host',))}) (scheduled_tasks_host_heartbeat_timestamp_seconds)"
        expr = f"time() - {newest} > {HOST_TIMEOUT.total_seconds():.0f}"
        return _of_row("WatchSilent", expr, Kind.SILENT, "{{ $labels.host }} has no heartbeat")

    def _account_stale(self) -> Alert:
        age = MAX_ACCOUNT_AGE.total_seconds() + MAX_AGE
        expr = (
            f"time() - {self._newest('scheduled_tasks_accounted_until_timestamp_seconds')} > {age:.0f}\nor\n"
            f"max by ({self._by(('instance',))}) (max_over_time(scheduled_tasks_ledger_up[{FIVE_SAMPLES}])) == 0"
        )
        summary = "{{ with $labels.instance }}{{ . }} does not reach the ledger{{ else }}slots are not accounted for"
        return _of_row("AccountStale", expr, Kind.STALE, f"{summary}{{{{ end }}}}")

    def _notices_unsent(self) -> Alert:
        expr = f"{self._newest('scheduled_tasks_unsent_notices')} > 0"
        return _of_row("NoticesUnsent", expr, Kind.UNSENT, "{{ $value }} notices are not sent")

    def _metrics_missing(self) -> Alert:
        expr = (
            f"max_over_time(up[{FIVE_SAMPLES}]) == 0\nand on ({', '.join(INSTANCE)})\n"
            "last_over_time(scheduled_tasks_build_info[1d])\nor\nabsent_over_time(scheduled_tasks_build_info[10m])"
        )
        return Alert(
            PREFIX + "MetricsMissing", expr, "critical",
            "no metrics{{ with $labels.instance }} from {{ . }}{{ end }}: no rule can say that a job is wrong",
            "Prometheus can't scrape what it scraped before, or scrapes no exporter at all. Look at its page Targets.",
            "systemctl status prometheus-node-exporter clock-watch.timer", pending="5m",
        )  # fmt: skip

    def _of_job(self, name: str, expr: str, kind: Kind, what: str, row: Alarm) -> Alert:
        """An alert about jobs: not of those that are paused on all hosts, and only if anybody is to be told."""
        by = self._by(JOB)
        whole = (
            f"(\n  (\n{indent(expr, '    ')}\n  )\n  unless\n  {of_jobs(PAUSED)} == 1\n)\n"
            f'* on ({by}) group_left (owner)\ntopk by ({by}) (1, scheduled_tasks_job_info{{told!="no"}})'
        )
        command = handbook.commands(row.do)[0] if kind is Kind.SLOW else _HISTORY
        return Alert(
            PREFIX + name, whole, severity_of(kind), f"{_SUBJECT}: {what}", _description(row, _NAMES),
            handbook.placed(command, _NAMES), of_job=True,
        )  # fmt: skip

    def _newest(self, metric: str) -> str:
        return f"max by ({self._by()}) ({metric})" if self.fleet else f"max({metric})"

    def _by(self, labels: tuple[str, ...] = ()) -> str:
        return ", ".join((*self.fleet, *labels))


def of_jobs(name: str) -> str:
    """The recorded series of a metric of jobs, named as Prometheus asks: level, metric, operation."""
    return f"clock_job:{PER_JOB}{name}:{AGGREGATES[name]}"


PREFIX = "ScheduledTask"  # as the alerts that the sender posts to Alertmanager (alert/delivery/alertmanager.py)
_SUBJECT = "{{ $labels.clock }}/{{ $labels.job_name }}{{ with $labels.host }} on {{ . }}{{ end }}"
_HISTORY = "clocks history CLOCK/JOB --limit 5"
_FAILED = Alarm(
    "", ("failing",), "its last runs failed",
    f"`{_HISTORY}` names them; `clocks show RUN` of the last one has its exit code and its log",
)  # fmt: skip
_NAMES = {
    "CLOCK": "{{ $labels.clock }}",
    "JOB": "{{ $labels.job_name }}",
    "UNIT": "clock-{{ $labels.clock }}-{{ $labels.job_name }}.service",
}
_RUNBOOK = (
    '{{ with printf `topk(1, scheduled_tasks_job_info{clock="%s",job_name="%s",runbook!=""})`'
    " $labels.clock $labels.job_name | query }}{{ with first . }}{{ .Labels.runbook }}{{ end }}{{ end }}"
)


def _of_row(name: str, expr: str, kind: Kind, summary: str) -> Alert:
    row = handbook.of_kind(kind)
    description = _description(row, {"HOST": "{{ $labels.host }}"})
    return Alert(PREFIX + name, expr, severity_of(kind), summary, description, handbook.commands(row.do)[0])


def _description(row: Alarm, names: Mapping[str, str]) -> str:
    return handbook.placed(f"{row.means[0].upper()}{row.means[1:]}.\nDo: {row.do}.", names)


def rules_yaml(rules: Rules) -> str:
    """The file for `rule_files` of prometheus.yml."""
    lines = [f"{HEADER}groups:\n- name: scheduled_tasks\n  interval: {EVALUATION_INTERVAL}s\n  rules:"]
    for recorded in rules.recorded():
        lines += [f"  - record: {recorded.record}", _expr(recorded.expr)]
    for alert in rules.alerts():
        lines += _yaml(alert)
    return "\n".join(lines) + "\n"


def _yaml(rule: Alert) -> Iterable[str]:
    yield f"  - alert: {rule.alert}"
    yield _expr(rule.expr)
    if rule.pending:
        yield f"    for: {rule.pending}"
    yield f"    keep_firing_for: {KEEP_FIRING_FOR}"
    yield f"    labels:\n      severity: {rule.severity}"
    yield "    annotations:"
    yield from (f"      {name}: {quoted(text)}" for name, text in rule.annotations().items())


def _expr(expr: str) -> str:
    return f"    expr: |\n{indent(expr, ' ' * 6)}"
