"""`clocks monitors sync` gives each job's check its schedule, zone and grace, and leaves what people have set there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.alert.outside.shop import deploy
from tests.integration.operate.shop import NOON, clocks
from tests.outside.healthchecks import API_KEY, PING_KEY, Healthchecks, healthchecks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.operate.shop import Database

NIGHTLY = {"kind": "cron", "zone": "Europe/Paris", "minutes": [15], "hours": [4]}


@pytest.fixture
def outside() -> Iterator[Healthchecks]:
    with healthchecks() as service:
        yield service


@pytest.fixture
def project(tmp_path: Path, connection: Database, outside: Healthchecks) -> Path:
    """A configuration with the API key; the job shop/sell, which pings, is deployed."""
    configuration = tmp_path / "config.toml"
    configuration.write_text('domains = "tasks"\ncredentials = ["notify.healthchecks_api_key"]\n')
    (tmp_path / "credentials").mkdir()
    (tmp_path / "credentials/notify.healthchecks_api_key").write_text(API_KEY)
    url = f"{outside.url}/ping/{PING_KEY}/{{clock}}-{{job}}"
    deploy(connection, "app1", NOON, {"sell": url}, schedule=NIGHTLY)
    return configuration


def later(connection: Database, pings: dict[str, str], schedule: dict[str, Any] = NIGHTLY) -> None:
    """The jobs are deployed with other pings or another schedule."""
    deploy(connection, "app1", NOON.replace(hour=13), pings, schedule=schedule)


def sync(project: Path, *arguments: str, exit_code: int = 0) -> list[dict[str, Any]]:
    done = clocks("monitors", "sync", "--json", *arguments, configuration=project, check=False)
    assert done.exit_code == exit_code, done.output
    rows: list[dict[str, Any]] = json.loads(done.stdout)["monitors"]
    return rows


def test_a_check_is_created_with_schedule_zone_and_grace(project: Path, outside: Healthchecks) -> None:
    [row] = sync(project)
    assert row["outcome"] == "created"
    check = outside.by_slug("shop-sell")
    assert (check.name, check.tags, check.channels) == ("shop/sell", "scheduled-tasks shop", "*")
    assert (check.kind, check.schedule, check.tz) == ("cron", "15 4 * * *", "Europe/Paris")
    assert check.grace == 60 + 120 + 600
    assert check.manual_resume  # otherwise the next ping would end a pause


def test_a_second_sync_changes_nothing(project: Path, outside: Healthchecks) -> None:
    sync(project)
    writes = len(outside.writes)
    [row] = sync(project, "--check")
    assert row["outcome"] == "unchanged"
    sync(project)
    assert len(outside.writes) == writes


def test_a_check_only_says_what_would_be_done(project: Path, outside: Healthchecks) -> None:
    [row] = sync(project, "--check", exit_code=2)
    assert row["outcome"] == "created"
    assert outside.checks == []


def test_a_changed_schedule_is_updated_and_a_pause_stays(
    project: Path, outside: Healthchecks, connection: Database
) -> None:
    sync(project)
    check = outside.by_slug("shop-sell")
    check.status, check.name, check.channels = "paused", "the night's sales", "mail"
    later(connection, {"sell": f"{outside.url}/ping/{PING_KEY}/shop-sell"}, {**NIGHTLY, "hours": [5]})
    [row] = sync(project)
    assert (row["outcome"], row["detail"], row["is_paused"]) == ("updated", "schedule 15 5 * * *", True)
    assert (check.status, check.schedule) == ("paused", "15 5 * * *")
    assert (check.name, check.channels) == ("the night's sales", "mail")


def test_a_check_that_was_made_by_hand_is_found_by_its_uuid(
    project: Path, outside: Healthchecks, connection: Database
) -> None:
    check = outside.add(name="by hand", channels="mail")
    later(connection, {"sell": f"{outside.url}/ping/{check.uuid}"}, NIGHTLY)
    [row] = sync(project)
    assert row["outcome"] == "updated"
    assert (check.kind, check.schedule, check.name) == ("cron", "15 4 * * *", "by hand")


def test_an_interval_that_cron_cannot_say_is_a_period(
    project: Path, outside: Healthchecks, connection: Database
) -> None:
    sync(project)
    interval = {"kind": "interval", "zone": "UTC", "every": 5400}
    later(connection, {"sell": f"{outside.url}/ping/{PING_KEY}/shop-sell"}, interval)
    [row] = sync(project)
    assert row["detail"] == "timeout 5400"
    assert outside.by_slug("shop-sell").kind == "simple"


def test_what_has_no_check_is_left_out_with_the_reason(project: Path, connection: Database) -> None:
    urls = {"snitch": "https://nosnch.in/c2354d53d2", "sentry": "https://o1.ingest.sentry.io/api/42/cron/sentry/key/"}
    later(connection, {**urls, "silent": ""})
    assert {row["monitor"]["job"]: (row["outcome"], row["detail"]) for row in sync(project)} == {
        "snitch": ("left out", "its URL is not one of Healthchecks"),
        "sentry": ("left out", "Sentry gets the schedule with each check-in"),
    }


def test_what_fails_is_named_and_the_others_are_done(
    project: Path, outside: Healthchecks, connection: Database
) -> None:
    gone = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
    urls = {"gone": f"{outside.url}/ping/{gone}", "sell": f"{outside.url}/ping/{PING_KEY}/shop-sell"}
    later(connection, urls)
    done = clocks("monitors", "sync", configuration=project, check=False)
    assert done.exit_code == 1
    assert f"shop/gone: the project of the API key has no check {gone}" in done.stderr
    assert outside.by_slug("shop-sell").kind == "cron"


def test_a_wrong_key_is_an_error_without_the_key(project: Path, outside: Healthchecks) -> None:
    (project.parent / "credentials/notify.healthchecks_api_key").write_text("the-key-of-another-project")
    done = clocks("monitors", "sync", configuration=project, check=False)
    assert done.exit_code == 75
    assert f"{outside.url} answered 401" in done.stderr
    assert "another-project" not in done.stderr


def test_the_list_shows_each_monitor(project: Path) -> None:
    done = clocks("monitors", "list", configuration=project)
    assert done.stdout.splitlines()[1].split() == ["shop/sell", "-", "0"]
