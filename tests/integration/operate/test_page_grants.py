"""Privileges of the page: it reads, and changes rows only through functions that record who did it, why and when."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from scheduled_tasks.alert import incident_rows
from scheduled_tasks.operate import feature_flags, pauses
from scheduled_tasks.operate.requests import request_rows
from scheduled_tasks.operate.requests.request_rows import Ask
from scheduled_tasks.operate.slots import Pause, Scope
from tests.integration.operate.roles import PAGE, Database, allowed, as_role


def test_the_page_can_write_no_table_and_call_only_the_functions_that_act(roles: Database) -> None:
    tables = [name for (name,) in roles.execute("SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND"
              " relnamespace = 'public'::regnamespace ORDER BY 1")]  # fmt: skip
    functions = roles.execute(
        "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"
    ).fetchall()
    assert {"task_run", "past_attempt", "feature", "pause", "request", "host", "incident"} <= set(tables)
    with as_role(roles, PAGE) as page:
        may = "SELECT has_table_privilege(%s, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')"
        assert [table for table in tables if page.execute(may, [table]).fetchone() == (True,)] == []
        assert [
            function
            for (function,) in functions
            if page.execute("SELECT has_function_privilege(%s, 'EXECUTE')", [function]).fetchone() == (True,)
        ] == [
            "acknowledge_incident(bigint,timestamp with time zone,text,text)",
            "add_pause(text,text,text,timestamp with time zone,timestamp with time zone,text,text)",
            "ask_request(text,text,text,text,timestamp with time zone,timestamp with time zone,uuid,boolean,text,text)",
            "end_pause(text,text,text,timestamp with time zone,text,text)",
            "snooze_incident(bigint,timestamp with time zone,text,text)",
            "switch_flag(text,boolean,timestamp with time zone,text,text)",
        ]
        for table in ("task_run", "past_attempt", "deployed_job", "host", "run_log", "request", "incident", "pause"):
            page.execute(f"SELECT FROM {table}".encode())


FORBIDDEN_TO_THE_PAGE = {
    "turn a failure to a success": "UPDATE task_run SET status = 'ended'",
    "insert a run": "INSERT INTO task_run SELECT FROM generate_series(1, 1)",
    "delete runs": "DELETE FROM task_run",
    "rewrite earlier attempts": "DELETE FROM past_attempt",
    "claim a slot": "SELECT open_run('{}', now())",
    "close a run": "SELECT close_run('{}')",
    "judge a job": "SELECT judge_job('shop', 'sell', '')",
    "ask without saying who": "UPDATE request SET asked_by = 'bert'",
    "take a request": "UPDATE request SET taken_by = 'app1'",
    "pause by a row": "INSERT INTO pause (clock, paused_by, reason) VALUES ('shop', 'me', 'why')",
    "rewrite who paused": "UPDATE pause SET paused_by = 'bert'",
    "switch by a row": "UPDATE feature SET is_active = false",
    "rewrite the history of flags": "DELETE FROM feature_change",
    "close an incident": "UPDATE incident SET closed_at = now()",
    "hide a notice": "UPDATE notice SET dropped = 'x'",
    "let a host look alive": "UPDATE host SET heartbeat_at = now()",
    "change deployments": "DELETE FROM deployed_job",
    "invent log lines": "UPDATE run_log SET lines = 'x'",
    "take another clock's place": "INSERT INTO role_clock VALUES (session_user, 'night')",
    "lock the runs": "LOCK TABLE task_run IN ROW EXCLUSIVE MODE",
    "create a table": "CREATE TABLE mine (id integer)",
    "call the helper of the functions": "SELECT stated_time('pause', now())",
}


def test_what_the_page_may_not_do_is_refused(roles: Database) -> None:
    with as_role(roles, PAGE) as page:
        assert allowed(page, FORBIDDEN_TO_THE_PAGE) == []


def test_the_page_acts_through_functions_that_record_who_why_and_when(roles: Database) -> None:
    roles.execute(
        "INSERT INTO deployed_job (host, clock, job, task, schedule, options, valid_from)"
        " VALUES ('app1', 'shop', 'sell', 'shop.sell', '{}', '{}', now())"
    )
    roles.execute(
        "INSERT INTO incident (kind, host, opened_at, first_at, last_at) VALUES ('silent', 'app2', now(), now(), now())"
    )
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    scope = Scope("shop")
    with as_role(roles, PAGE) as page:
        request_rows.ask(page, Ask("run", "shop", "sell", "the bank is up"), by="ada")
        assert pauses.pause(page, Pause(scope, long_ago, "ada", "stocktaking", None))
        assert pauses.resume(page, scope, by="bert", at=long_ago, reason="counted") == 1
        assert feature_flags.set_active(page, "SELL", active=False, actor="ada", reason="overload")
        assert incident_rows.acknowledge(page, 1, by="ada", reason="seen", at=long_ago)
        incident_rows.snooze(page, 1, datetime(2099, 1, 1, tzinfo=UTC), by="ada", reason="tomorrow")
        for nameless in (
            "SELECT ask_request('run', 'shop', 'sell', NULL, NULL, NULL, NULL, false, '', 'why')",
            "SELECT add_pause('shop', NULL, NULL, NULL, NULL, 'ada', ' ')",
            "SELECT end_pause('shop', NULL, NULL, NULL, 'ada', NULL)",
            "SELECT switch_flag('SELL', true, NULL, 'ada', NULL)",
            "SELECT acknowledge_incident(1, NULL, NULL, 'why')",
        ):
            with pytest.raises(psycopg.errors.RaiseException, match="who does it and why must be said"):
                page.execute(nameless.encode())
    recently = "> now() - interval '1 min'"  # the page can't say another time than the present
    assert roles.execute(f"SELECT asked_by, reason, asked_at {recently} FROM request".encode()).fetchall() == [
        ("ada", "the bank is up", True)
    ]
    assert roles.execute(
        (
            f"SELECT paused_by, reason, paused_at {recently}, resumed_by, resume_reason, resumed_at {recently}"
            " FROM pause"
        ).encode()
    ).fetchall() == [("ada", "stocktaking", True, "bert", "counted", True)]
    assert roles.execute("SELECT changed_by, is_active, reason FROM feature_change").fetchall() == [
        ("ada", False, "overload")
    ]
    assert roles.execute(
        f"SELECT acked_by, ack_reason, acked_at {recently}, snoozed_by, snooze_reason FROM incident".encode()
    ).fetchall() == [("ada", "seen", True, "ada", "tomorrow")]
