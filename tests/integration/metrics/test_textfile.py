"""The file that the watch writes for node_exporter: this host's series, whole or not at all, and never old ones."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.metrics import textfile
from scheduled_tasks.operate import deployments
from scheduled_tasks.render.names import Places
from scheduled_tasks.run.settings import Settings
from tests.integration.metrics.filled import fill
from tests.integration.metrics.scrape import Scrape
from tests.integration.operate.shop import HOURLY, Database

if TYPE_CHECKING:
    from pathlib import Path


def settings(folder: Path, **values: Any) -> Settings:
    return Settings(folder / "config.toml", {"metrics_textfile_folder": str(folder), **values}, deployed=True)


def test_it_has_the_series_of_this_host_and_its_jobs(connection: Database, hour: datetime, tmp_path: Path) -> None:
    fill(connection, hour)
    now = datetime.now(UTC)
    jobs = [
        {"clock": clock, "job": job, "task": "t", "schedule": HOURLY, "options": options}
        for clock, job, options in (
            ("shop", "sell", {"timeout": 600}),
            ("shop", "clean", {"timeout": 600, "per_host": True}),
            ("depot", "count", {}),
        )
    ]
    deployments.report(connection, "app2", deployments.JobsReport(jobs, "three", now, now))
    places = Places(tmp_path / "root")
    results = places.state / "results/clock-shop-sell"
    results.mkdir(parents=True)
    (results / "one.json").touch()
    (results / "two.refused").touch()
    textfile.write(connection, places, "app2", now, settings(tmp_path))
    path = tmp_path / "scheduled_tasks.prom"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["scheduled_tasks.prom"]
    found = Scrape(path.read_text())
    assert sorted(found.of("job_paused")) == [("depot", "count"), ("shop", "app2", "clean"), ("shop", "sell")]
    assert {clock for clock, _ in found.of("slots_total")} == {"shop"}
    assert set(found.of("host_heartbeat_timestamp_seconds")) == {("app2",)}
    assert found("host_pending_results", host="app2") == 1
    assert found("read_timestamp_seconds") == pytest.approx(now.timestamp(), abs=0.001)
    textfile.write(connection, places, "app2", now, settings(tmp_path, metrics_jobs=["depot"]))
    assert list(Scrape(path.read_text()).of("job_paused")) == [("depot", "count")]


def test_while_the_ledger_is_away_it_says_that_and_nothing_older(
    connection: Database, hour: datetime, tmp_path: Path
) -> None:
    fill(connection, hour)
    places, now = Places(tmp_path / "root"), datetime.now(UTC)
    textfile.write(connection, places, "app1", now, settings(tmp_path))
    textfile.write_without_ledger(places, "app1", now, settings(tmp_path))
    found = Scrape((tmp_path / "scheduled_tasks.prom").read_text())
    assert sorted(name.removeprefix("scheduled_tasks_") for name, _ in found.series) == [
        "build_info", "host_pending_results", "ledger_up", "read_timestamp_seconds",
    ]  # fmt: skip
    assert found("ledger_up") == 0


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    with pytest.raises(ConfigurationError, match=r"there is no such folder: install node_exporter"):
        textfile.write_without_ledger(Places(tmp_path), "app1", datetime.now(UTC), settings(gone))
