"""Privileges: a run records itself with two functions, operators switch and prune, monitoring reads, and no more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from scheduled_tasks.alert import outbox
from scheduled_tasks.alert.judge import judge
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.operate.grants import Roles, grant, inspect_role
from scheduled_tasks.operate.prune import prune
from scheduled_tasks.run import database, record
from scheduled_tasks.run.current import Run
from scheduled_tasks.run.status import RunStatus
from tests.integration.operate.roles import (
    ALL,
    MONITORS,
    NIGHT,
    NOTIFIERS,
    OPERATORS,
    TASKS,
    Database,
    allowed,
    as_role,
)

FORBIDDEN_TO_TASKS = {
    "switch a flag": "UPDATE feature SET is_active = true",
    "add a flag": "INSERT INTO feature (name, is_active, updated_by) VALUES ('X', true, 'me')",
    "rewrite history": "DELETE FROM feature_change",
    "read history": "SELECT FROM feature_change",
    "resume": "UPDATE pause SET resumed_at = now()",
    "read runs": "SELECT FROM task_run",
    "turn failures to successes": "UPDATE task_run SET status = 'ended'",
    "insert a run": "INSERT INTO task_run SELECT FROM generate_series(1, 1)",
    "delete runs": "DELETE FROM task_run",
    "empty runs": "TRUNCATE task_run",
    "lock the runs": "LOCK TABLE task_run IN ROW EXCLUSIVE MODE",
    "lock the flags": "LOCK TABLE feature IN ROW EXCLUSIVE MODE",
    "lock the pauses": "LOCK TABLE pause IN SHARE MODE",
    "lock the migrations": "LOCK TABLE schema_migration IN ACCESS SHARE MODE",
    "lock the hosts": "LOCK TABLE host IN ACCESS SHARE MODE",
    "read earlier attempts": "SELECT FROM past_attempt",
    "rewrite earlier attempts": "DELETE FROM past_attempt",
    "take another clock's place": "INSERT INTO role_clock VALUES (session_user, 'night')",
    "change deployments": "DELETE FROM deployed_job",
    "hide an incident": "UPDATE incident SET closed_at = now()",
    "read incidents": "SELECT FROM incident",
    "hide a notice": "UPDATE notice SET sent_at = now()",
    "say something": "SELECT add_notice(1, 'opened')",
    "judge a job": "SELECT judge_job('shop', 'sell', '')",
    "hide a span": "DELETE FROM span_outbox",
    "stop the traces": "UPDATE trace_export SET wanted_at = '2000-01-01'",
    "queue a span": "INSERT INTO span_outbox (run_id, attempt) VALUES (gen_random_uuid(), 1)",
    "change a table": "ALTER TABLE task_run DROP COLUMN host",
    "stop keeping attempts": "ALTER TABLE task_run DISABLE TRIGGER ALL",
    "create a table": "CREATE TABLE mine (id integer)",
    "create a function": "CREATE FUNCTION mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "replace a function": "CREATE OR REPLACE FUNCTION close_run(jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true'",
    "call what only our functions call": "SELECT claim_slot(NULL, '{}')",
    "ask a host": "SELECT ask_request('run', 'shop', 'sell', NULL, NULL, NULL, NULL, false, 'me', 'why')",
    "pause by a function": "SELECT add_pause('shop', NULL, NULL, NULL, NULL, 'me', 'why')",
    "switch by a function": "SELECT switch_flag('SELL', false, NULL, 'me', 'why')",
    "ask a host by a row": "INSERT INTO request (kind, clock, job, reason, asked_by) SELECT 'run', 'a', 'b', 'c', 'd'",
    "read requests": "SELECT FROM request",
    "draw from the sequence of another table": "SELECT nextval('own_number_id_seq')",
    "read a table that no key names": "SELECT FROM stock",
}


@pytest.mark.parametrize("role", [TASKS, NIGHT])
def test_a_task_can_do_nothing_but_record_its_run(roles: Database, role: str) -> None:
    with as_role(roles, role) as task:
        assert allowed(task, FORBIDDEN_TO_TASKS) == []


def test_a_run_needs_no_more_than_the_privileges_of_the_services_role(
    roles: Database, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"{database_url}&user={TASKS}")
    run = Run("shop.work", "work", clock="shop", job="work")
    run.feature, run.slot_host, run.scheduled_at = "SELL", "", datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert record.open_run(run, record.ClaimTerms(timeout=60, overlap="skip"), "1") == (1, True, False, "", "")
    assert record.read_flag("SELL") is True
    database.execute("INSERT INTO venue (name) SELECT 'x' WHERE false", {})  # tasks_tables
    assert record.close_run(run, record.Result(run.run_id, 1, RunStatus.ENDED, 0, 0.1))
    assert roles.execute("SELECT status, duration FROM task_run").fetchall() == [("ended", 0.1)]


def test_an_operator_can_switch_pause_and_prune(roles: Database) -> None:
    roles.execute(
        "INSERT INTO task_run (run_id, task, host, trigger, status, started_at)"
        " SELECT gen_random_uuid(), 'a.b', 'app1', 'manual', status, now() - days * interval '1 day'"
        " FROM unnest(ARRAY['ended', 'started', 'ended'], ARRAY[500, 500, 300]) AS run (status, days)"
    )
    roles.execute("INSERT INTO past_attempt SELECT now(), * FROM task_run")
    with as_role(roles, OPERATORS) as operator:
        assert feature_flags.set_active(operator, "SELL", active=False, actor="ada", reason="stocktaking")
        operator.execute("INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'ada', 'stocktaking')")
        operator.execute("UPDATE task_run SET attempt = 2 WHERE status = 'started'")  # as the watch does; it is kept
        assert prune(operator, 400) == 1
        for forbidden in ("DELETE FROM feature_change", "INSERT INTO past_attempt SELECT now(), * FROM task_run"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                operator.execute(forbidden.encode())
    assert roles.execute("SELECT status FROM task_run ORDER BY started_at").fetchall() == [("started",), ("ended",)]
    assert roles.execute("SELECT count(*) FROM past_attempt").fetchone() == (1,)


def test_monitoring_reads_the_ledger_and_writes_nothing(roles: Database) -> None:
    with as_role(roles, MONITORS) as monitor:
        for table in ("task_run", "past_attempt", "deployed_job", "host", "pause", "feature"):
            monitor.execute(f"SELECT FROM {table}".encode())
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                monitor.execute(f"DELETE FROM {table}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            monitor.execute("SELECT open_run('{}', now())")


def test_results_are_judged_with_the_rights_of_a_task_and_of_an_operator(roles: Database) -> None:
    roles.execute(
        "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
        " VALUES ('app1', 'shop', 'sell', 'shop.sell', '{}', '{}', now())"
    )
    asked = {
        "run_id": str(uuid4()), "task": "shop.sell", "clock": "shop", "job": "sell", "host": "app1", "trigger": "timer",
        "scheduled_at": "2026-11-24T06:00:00Z", "slot_host": "", "attempt": 1,
        "is_idempotent": False, "is_exclusive": False,
    }  # fmt: skip
    failed = {"run_id": asked["run_id"], "attempt": 1, "status": "failed", "duration": 1.0}
    with as_role(roles, TASKS) as task:
        task.execute("SELECT open_run(%s, now() + interval '9 s')", [json.dumps(asked)])
        task.execute("SELECT close_run(%s)", [json.dumps(failed)])
    assert roles.execute("SELECT kind, bad FROM incident WHERE closed_at IS NULL").fetchall() == [("failing", 1)]
    with as_role(roles, OPERATORS) as operator:
        operator.execute("UPDATE task_run SET status = 'lost'")
        operator.execute("UPDATE task_run SET status = 'ended'")
        judge(operator, datetime.now(UTC), has_routes=True)
    assert roles.execute("SELECT kind FROM incident WHERE closed_at IS NULL").fetchall() == []
    assert roles.execute("SELECT what FROM notice ORDER BY created_at").fetchall() == [("opened",), ("closed",)]


def test_the_sender_takes_notices_and_does_nothing_else(roles: Database) -> None:
    roles.execute(
        "INSERT INTO incident (kind, host, opened_at, first_at, last_at) VALUES ('silent', 'app2', now(), now(), now())"
    )
    roles.execute("SELECT add_notice(id, 'opened', now() - interval '1 min') FROM incident")
    with as_role(roles, NOTIFIERS) as sender:
        now = datetime.now(UTC)
        [delivery] = outbox.take(sender, now, default=["ops"])
        outbox.failed(sender, delivery, now, "refused")
        [delivery] = outbox.take(sender, now + timedelta(minutes=1), default=["ops"])
        outbox.sent(sender, delivery, now)
        for forbidden in (
            "UPDATE incident SET closed_at = now()",
            "DELETE FROM notice",
            "UPDATE task_run SET status = 'ended'",
            "SELECT open_run('{}', now())",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                sender.execute(forbidden.encode())
    assert roles.execute("SELECT what, sent_at IS NULL FROM notice ORDER BY due_at").fetchall() == [
        ("opened", False),
        ("still", True),
    ]


def test_a_table_that_is_no_longer_named_is_closed_again_and_a_named_ones_sequence_is_open(roles: Database) -> None:
    grant(roles, ALL._replace(tasks_tables=["own_number"]))
    with as_role(roles, TASKS) as task:
        task.execute("INSERT INTO own_number DEFAULT VALUES")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            task.execute("SELECT FROM venue")


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ({"tasks_role": "app", "operators_role": "app"}, "a task could then do the same"),
        ({"clock_roles": {"night": "app"}, "monitors_role": "app"}, "a task could then do the same"),
        ({"operators_role": "app", "monitors_role": "app"}, "are both 'app'"),
        ({"monitors_role": "app", "notifier_role": "app"}, "monitors_role and notifier_role are both 'app'"),
        ({"tasks_role": "app", "notifier_role": "app"}, "a task could then do the same"),
        ({"tasks_role": "app", "page_role": "app"}, "a task could then do the same"),
        ({"operators_role": "app", "page_role": "app"}, "operators_role and page_role are both 'app'"),
        ({"tasks_role": "nobody_there"}, "no role 'nobody_there'"),
        ({"tasks_tables": ["venues"]}, "tasks_tables: there is no table 'venues' of this owner; write venue"),
        ({"tasks_tables": ["task_run"]}, "task_run is a table of the ledger"),
        ({"tasks_tables": "venue"}, "write a list of names"),
        ({"clock_roles": {"night": 1}}, "clock_roles = {'night': 1}: write a table"),
        ({"clock_roles": ["night"]}, "write a table"),
    ],
)
def test_a_faulty_configuration_is_refused(connection: Database, configured: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        grant(connection, Roles.configured(configured))
    assert message in str(refused.value)


def test_what_is_wrong_with_the_role_of_the_services_is_found(roles: Database) -> None:
    with as_role(roles, TASKS) as task:
        [warning] = inspect_role(task).warnings
    assert warning == (
        f"the tasks' role {TASKS} has no connection limit: one job can take all connections of PostgreSQL; write"
        f' ALTER ROLE "{TASKS}" CONNECTION LIMIT 50'
    )
    roles.execute(f"ALTER ROLE {TASKS} CONNECTION LIMIT 50".encode())
    assert inspect_role(roles, TASKS) == ((), ())
    roles.execute(f"GRANT INSERT ON task_run TO {TASKS}".encode())
    roles.execute(f"GRANT pg_signal_backend TO {TASKS}".encode())
    faults = [fault.partition(":")[0] for fault in inspect_role(roles, TASKS).faults]
    assert faults == [
        f"the tasks' role {TASKS} can write task_run",
        f"the tasks' role {TASKS} can end the connections of others (pg_signal_backend)",
    ]
    roles.execute(f"ALTER TABLE task_run OWNER TO {TASKS}".encode())
    assert "owns the ledger's tables" in inspect_role(roles, TASKS).faults[0]
    roles.execute("ALTER TABLE task_run OWNER TO CURRENT_USER")
    assert "is a superuser" in inspect_role(roles).faults[0]
    assert inspect_role(roles, "nobody_there").faults == ("PostgreSQL has no role 'nobody_there'",)
