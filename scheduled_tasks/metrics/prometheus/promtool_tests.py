"""Write unit tests for promtool: series by the minute, and the second in which each alert has to fire first.

promtool's time begins at 0, so a test says which instant that is. https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from scheduled_tasks.instants import rfc3339
from scheduled_tasks.metrics.prometheus.alerting_rules import EVALUATION_INTERVAL, HEADER
from scheduled_tasks.metrics.prometheus.yaml_text import quoted

TARGET = {"instance": "app1:9100", "job": "node"}  # of whom the series are, unless a test says otherwise
NO_VALUE = None

Labels = tuple[tuple[str, str], ...]
Values = Sequence[float | None]


@dataclass(frozen=True)
class Series:
    """A series with a value for each minute; None for no sample.

    Attributes:
        name: the metric.
        labels: with those that Prometheus adds.
        values: one for each minute from the start of the test on.
    """

    name: str
    labels: Mapping[str, str]
    values: Values


@dataclass(frozen=True)
class RuleTest:
    """A test of all rules.

    Attributes:
        name: the property that it checks.
        minutes: how long it is.
        series: what Prometheus scrapes.
        first: of each alert that fires at the end, its labels and the second since which it does; no other alert fires.
        starts_at: the instant at which it begins, if its times are real.
        is_pending_first: whether these alerts are pending before they fire.
    """

    name: str
    minutes: int
    series: Sequence[Series]
    first: Mapping[str, Mapping[Labels, int]] = field(default_factory=dict)
    starts_at: datetime | None = None
    is_pending_first: bool = False


def labels_of(labels: Mapping[str, str]) -> Labels:
    """Labels as a key."""
    return tuple(sorted(labels.items()))


def constant(name: str, labels: Mapping[str, str], value: float, minutes: int) -> Series:
    """A series that does not change."""
    return Series(name, {**labels, **TARGET}, [value] * (minutes + 1))


def promtool_yaml(tests: Iterable[RuleTest], rules_file: str, by: Sequence[str]) -> str:
    """The file for `promtool test rules`.

    Args:
        tests: at least one.
        rules_file: the name of the file with the rules, beside this one.
        by: the labels by which alerts are told apart.
    """
    lines = [f"{HEADER}rule_files: [{rules_file}]", f"evaluation_interval: {EVALUATION_INTERVAL}s", "tests:"]
    for test in tests:
        lines += _yaml(test, by)
    return "\n".join(lines) + "\n"


def _yaml(test: RuleTest, by: Sequence[str]) -> Iterator[str]:
    yield f"- name: {quoted(test.name)}"
    if test.starts_at:
        yield f"  # 0 is {rfc3339(test.starts_at)}, {test.starts_at.timestamp():.0f}"
    yield "  interval: 1m\n  input_series:"
    for series in test.series:
        labels = ",".join(f"{name}={quoted(value)}" for name, value in series.labels.items())
        yield f"  - series: {_single_quoted(f'{series.name}{{{labels}}}')}"
        yield f"    values: {' '.join(_steps(series.values))}"
    yield "  promql_expr_test:"
    for alert, first in test.first.items():
        yield f"  - expr: min by ({', '.join(by)}) ({_firing_since(alert, test)})"
        yield from _expected(test.minutes, first)
    others = f',alertname!~"{"|".join(test.first)}"' if test.first else ""
    yield f'  - expr: max_over_time(ALERTS{{alertstate="firing"{others}}}[{test.minutes + 1}m])'
    yield from _expected(test.minutes, {})


def _firing_since(alert: str, test: RuleTest) -> str:
    """Since when an alert fires. Prometheus keeps that, unless it was pending first: then a range of samples tells."""
    if not test.is_pending_first:
        return f'ALERTS_FOR_STATE{{alertname="{alert}"}}'
    firing = f'ALERTS{{alertname="{alert}",alertstate="firing"}}'
    return f"min_over_time(timestamp({firing})[{test.minutes + 1}m:1m])"


def _expected(minutes: int, samples: Mapping[Labels, int]) -> Iterator[str]:
    yield f"    eval_time: {minutes}m"
    if not samples:
        yield "    exp_samples: []"
        return
    yield "    exp_samples:"
    for labels, value in samples.items():
        text = ", ".join(f"{name}={quoted(label)}" for name, label in labels)
        yield f"    - labels: {_single_quoted(f'{{{text}}}')}"
        yield f"      value: {value}"


def _steps(values: Values) -> Iterator[str]:
    """The values in promtool's notation: runs of equal ones as value+0xREPETITIONS, no sample as _."""
    before = None
    for value, run in groupby(values):
        length = len(list(run))
        if value is not None:
            yield f"{_number(value)}+0x{length - 1}" if length > 1 else _number(value)
        else:  # a series that ends is gone at once, not after the five minutes for which Prometheus looks back
            yield from ["stale"] * (before is not None)
            if gone := length - (before is not None):
                yield f"_x{gone}"
        before = value


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _single_quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
