"""The dashboard: Grafana can import it, Prometheus understands each of its expressions, and each one returns data."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import jsonschema
import pytest

from scheduled_tasks.metrics.families import FAMILIES
from scheduled_tasks.metrics.grafana import dashboard
from scheduled_tasks.metrics.prometheus.alerting_rules import Rules, rules_yaml
from scheduled_tasks.metrics.prometheus.yaml_text import quoted
from tests.integration.metrics.promtool import problems, require_promtool

SCHEMA = json.loads((Path(__file__).parent / "grafana.schema.json").read_text())
DASHBOARD = json.loads(dashboard())
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
ALL = {"clock": ".*", "owner": ".*", "host": ".*", "job_name": ".*"}
NAME = re.compile(r"scheduled_tasks_[a-z_]+")
SELECTOR = re.compile(r"(scheduled_tasks_[a-z_]+)\{([^}]*)\}")


def substituted(expr: str, values: dict[str, str] | None = None) -> str:
    """An expression as Grafana sends it."""
    for name, value in {**(values or ALL), "__rate_interval": "4m"}.items():
        expr = expr.replace(f"${name}", value)
    assert "$" not in expr
    return expr


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression, with the panel that it is for."""
    for panel in PANELS:
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def metrics_of(text: str) -> set[str]:
    series = {re.sub(r"_(bucket|sum|count)$", "", name) for name in NAME.findall(text)}
    return {name for name in series if not name.startswith("scheduled_tasks_rules")}


def test_it_has_the_fields_that_grafana_needs() -> None:
    jsonschema.validate(DASHBOARD, SCHEMA)


def test_the_schema_refuses_a_target_without_an_expression() -> None:
    wrong = json.loads(dashboard())
    del next(panel for panel in wrong["panels"] if panel["type"] == "stat")["targets"][0]["expr"]
    with pytest.raises(jsonschema.ValidationError, match="'expr' is a required property"):
        jsonschema.validate(wrong, SCHEMA)


def test_no_panel_covers_another_and_what_is_wrong_comes_first() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])
    assert [panel["title"] for panel in DASHBOARD["panels"]][:4] == [
        "What is wrong", "Alerts firing", "Bad jobs", "Overdue",
    ]  # fmt: skip


def test_variables_are_used_and_defined() -> None:
    names = {variable["name"] for variable in DASHBOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?([a-z][a-z_]+)", json.dumps(DASHBOARD)))
    assert used == names == {"datasource", "clock", "owner", "host", "job_name"}


def test_prometheus_understands_each_expression(tmp_path: Path) -> None:
    require_promtool()
    rules = "".join(
        f"  - record: panel:{n}\n    expr: {quoted(substituted(expr))}\n" for n, (_, expr) in enumerate(expressions())
    )
    assert problems(tmp_path, f"groups:\n- name: panels\n  rules:\n{rules}") == ""


def test_it_and_the_rules_name_exactly_what_is_exported() -> None:
    named = metrics_of(dashboard()) | metrics_of(rules_yaml(Rules()))
    assert {family.name for family in FAMILIES} == named


def test_it_and_the_rules_select_only_labels_that_the_metrics_have() -> None:
    labels = {family.name: {*family.labels, "le"} for family in FAMILIES}
    text = json.dumps([expr for _, expr in expressions()]) + rules_yaml(Rules())
    selectors = SELECTOR.findall(text.replace('\\"', '"'))
    assert len(selectors) > 40
    for name, selected in selectors:
        family = re.sub(r"_(bucket|sum|count)$", "", name)
        assert set(re.findall(r"([a-z_]+)(?:=|!)", selected)) <= labels[family], name
