"""Real Flask and Django applications: tasks run in their context, and uncommitted changes are reported."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.integration.run import support

Database = psycopg.Connection[Any]

ROLLED_BACK = "uncommitted changes are rolled back: {}; commit at the end of the task"


@pytest.fixture(params=["postgresql", "sqlite"])
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def flask_shop(tmp_path: Path, database_url: str, engine: str) -> support.Project:
    url = database_url.replace("postgresql:", "postgresql+psycopg:") if engine == "postgresql" else "sqlite://"
    return support.copy("flask_shop", tmp_path, DATABASE_URL=database_url, SHOP_DATABASE=url)


@pytest.fixture
def django_shop(tmp_path: Path, database_url: str, engine: str) -> support.Project:
    return support.copy("django_shop", tmp_path, DATABASE_URL=database_url, SHOP_DATABASE=engine)


def test_a_flask_task_runs_in_its_applications_context(flask_shop: support.Project) -> None:
    finished = flask_shop.run("orders.commits")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert finished.messages(level="info") == ["flask_shop has 1 order"]
    assert finished.messages(level="warning") == []


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize("task", ["only_reads", "does_nothing", "rolls_back"])
def test_a_flask_task_without_uncommitted_changes_causes_no_warning(flask_shop: support.Project, task: str) -> None:
    finished = flask_shop.run(f"orders.{task}")
    assert (finished.exit_code, finished.messages(level="warning")) == (0, [])


@pytest.mark.parametrize("engine", ["postgresql"], indirect=True)
@pytest.mark.parametrize(
    "task", ["adds", "flushes", "executes", "goes_on_after_a_failed_flush", "goes_on_after_a_failed_statement"]
)
def test_uncommitted_changes_of_a_flask_task_are_a_warning(
    flask_shop: support.Project, connection: Database, task: str
) -> None:
    finished = flask_shop.run(f"orders.{task}")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert finished.messages(level="warning") == [ROLLED_BACK.format("the SQLAlchemy session has changes")]
    assert connection.execute('SELECT count(*) FROM "order"').fetchone() == (0,)


def test_flushed_changes_are_noticed_in_either_database(flask_shop: support.Project) -> None:
    [warning] = flask_shop.run("orders.flushes").messages(level="warning")
    assert warning == ROLLED_BACK.format("the SQLAlchemy session has changes")


def test_a_django_task_runs_after_the_setup_that_its_models_need(django_shop: support.Project) -> None:
    finished = django_shop.run("orders.saves")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert finished.messages(level="info") == ["Apps is ready: True, order 1"]
    assert finished.messages(level="warning") == []


@pytest.mark.parametrize("task", ["saves_in_a_transaction", "does_nothing", "only_reads", "commits", "closes"])
def test_a_django_task_without_uncommitted_changes_causes_no_warning(django_shop: support.Project, task: str) -> None:
    finished = django_shop.run(f"orders.{task}")
    assert (finished.exit_code, finished.messages(level="warning")) == (0, [])


def test_uncommitted_changes_of_a_django_task_are_a_warning(django_shop: support.Project) -> None:
    finished = django_shop.run("orders.does_not_commit")
    assert (finished.exit_code, finished.statuses) == (0, ["started", "ended"])
    assert finished.messages(level="warning") == [ROLLED_BACK.format("Django's connection 'default' has changes")]


def test_an_unknown_django_task_is_reported_with_the_nearest_names(tmp_path: Path, database_url: str) -> None:
    shop = support.copy("django_shop", tmp_path, DATABASE_URL=database_url, SHOP_DATABASE="sqlite")
    finished = shop.run("orders.save")
    assert finished.exit_code == 64
    assert "did you mean orders.saves" in finished.end["reason"]
