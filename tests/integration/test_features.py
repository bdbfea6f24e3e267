"""Switching flags, in the table and with the real `clocks features …`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path
from typing import Any

import psycopg
import pytest

from scheduled_tasks import Feature
from scheduled_tasks.errors import UsageError
from scheduled_tasks.operate import feature_flags
from scheduled_tasks.operate.feature_flags import UnknownFeatureError

SHOP = Path(__file__).parent / "run" / "projects" / "shop"

Database = psycopg.Connection[Any]


class Toggle(Enum):
    SELL = Feature("Sell things")
    GIVE_AWAY = Feature("Give things away", default=False)


class LaterToggle(Enum):
    SELL = Feature("Sell things, and count them")
    SEND = Feature("Send things", default=False)


def _states(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute("SELECT name, is_active, updated_by FROM feature ORDER BY name").fetchall()


def _history(connection: Database) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT name, changed_by, was_active, is_active, reason FROM feature_change ORDER BY id"
    ).fetchall()


def test_sync_adds_missing_flags_with_their_defaults(connection: Database) -> None:
    done = feature_flags.synchronize(connection, Toggle, actor="deploy")
    assert done == feature_flags.Synchronized(added=("SELL", "GIVE_AWAY"), described=(), undeclared=())
    assert _states(connection) == [("GIVE_AWAY", False, "deploy"), ("SELL", True, "deploy")]
    assert _history(connection) == [
        ("SELL", "deploy", None, True, "added with its default"),
        ("GIVE_AWAY", "deploy", None, False, "added with its default"),
    ]


def test_a_second_sync_does_nothing(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    before = connection.execute("SELECT * FROM feature ORDER BY id").fetchall()
    assert feature_flags.synchronize(connection, Toggle, actor="robot") == feature_flags.Synchronized((), (), ())
    assert connection.execute("SELECT * FROM feature ORDER BY id").fetchall() == before
    assert len(_history(connection)) == 2


def test_sync_never_overrides_an_operator(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    feature_flags.set_active(connection, "SELL", active=False, actor="anna", reason="the till is broken")
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    assert _states(connection) == [("GIVE_AWAY", False, "deploy"), ("SELL", False, "anna")]


def test_sync_updates_descriptions_and_reports_flags_that_the_enum_no_longer_has(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    done = feature_flags.synchronize(connection, LaterToggle, actor="deploy")
    assert done == feature_flags.Synchronized(added=("SEND",), described=("SELL",), undeclared=("GIVE_AWAY",))
    flags = feature_flags.list_flags(connection, LaterToggle)
    assert [(flag.name, flag.description, flag.declared) for flag in flags] == [
        ("GIVE_AWAY", "Give things away", False),
        ("SELL", "Sell things, and count them", True),
        ("SEND", "Send things", True),
    ]


def test_a_switch_is_recorded_in_the_history_and_a_repeated_one_is_not(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    assert feature_flags.set_active(connection, "SELL", active=False, actor="anna", reason="the till is broken")
    assert not feature_flags.set_active(connection, "SELL", active=False, actor="bert")
    assert feature_flags.set_active(connection, "SELL", active=True, actor="bert")
    assert _history(connection)[2:] == [
        ("SELL", "anna", True, False, "the till is broken"),
        ("SELL", "bert", False, True, None),
    ]


@pytest.mark.parametrize(
    ("name", "hint"),
    [("SEL", "did you mean SELL?"), ("sell", "did you mean SELL?"), ("ZZZ", "there are: GIVE_AWAY, SELL")],
)
def test_an_unknown_flag_is_reported_with_the_nearest_names(connection: Database, name: str, hint: str) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    with pytest.raises(UnknownFeatureError) as error:
        feature_flags.set_active(connection, name, active=True, actor="anna")
    assert str(error.value) == f"unknown feature {name!r}: {hint}"
    assert len(_history(connection)) == 2


def test_an_empty_table_is_reported_as_such(connection: Database) -> None:
    with pytest.raises(UnknownFeatureError, match="there are: none"):
        feature_flags.set_active(connection, "SELL", active=True, actor="anna")


def _clocks(*argv: str, group: tuple[str, ...] = ("features",)) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"SCHEDULED_TASKS_CONFIG": str(SHOP / "pyproject.toml"), "SUDO_USER": "anna"}
    command = [sys.executable, "-m", "scheduled_tasks.cli", *group, *argv]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_clocks_features_sync_prints_what_it_did(connection: Database) -> None:
    connection.execute("INSERT INTO feature (name, is_active, updated_by) VALUES ('OLD', true, 'bert')")
    first = _clocks("sync")
    assert (first.returncode, first.stdout.splitlines()) == (0, [
        "SELL added",
        "GIVE_AWAY added",
        "OLD is in the table, but the enum no longer has it",
    ])  # fmt: skip
    assert json.loads(_clocks("sync", "--json").stdout) == {
        "changed": False, "added": [], "described": [], "undeclared": ["OLD"],
    }  # fmt: skip
    assert ("SELL", True, "anna") in _states(connection)


def test_a_migration_with_features_adds_missing_flags_and_a_check_of_it_adds_none(connection: Database) -> None:
    def migrate(*options: str) -> tuple[int, dict[str, Any]]:
        done = _clocks("migrate", *options, "--json", group=())
        return done.returncode, json.loads(done.stdout)

    missing = {"added": ["SELL", "GIVE_AWAY"], "described": [], "undeclared": []}
    assert migrate("--features", "--check") == (2, {"changed": True, "applied": [], "flags": missing})
    assert _states(connection) == []
    assert migrate() == (0, {"changed": False, "applied": [], "flags": {key: [] for key in missing}})
    assert _states(connection) == []
    assert migrate("--features") == (0, {"changed": True, "applied": [], "flags": missing})
    assert ("SELL", True, "anna") in _states(connection)
    assert migrate("--features")[1]["changed"] is False


def test_clocks_features_switches_a_flag_and_records_who_and_why(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    assert _clocks("disable", "SELL", "--reason", "the till is broken").stdout == "SELL is inactive now\n"
    assert _clocks("disable", "SELL").stdout == "SELL was inactive already\n"
    assert _clocks("enable", "SELL").stdout == "SELL is active now\n"
    assert _history(connection)[2:] == [
        ("SELL", "anna", True, False, "the till is broken"),
        ("SELL", "anna", False, True, None),
    ]


def test_clocks_features_rejects_an_unknown_flag(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    result = _clocks("enable", "SEL")
    assert (result.returncode, result.stdout) == (64, "")
    assert result.stderr == "clocks: unknown feature 'SEL': did you mean SELL?\n"


def test_clocks_features_list_shows_the_table_and_missing_flags(connection: Database) -> None:
    connection.execute(
        "INSERT INTO feature (name, description, is_active, updated_by) VALUES"
        " ('SELL', 'Sell things', false, 'anna'), ('OLD', 'Do it the old way', true, 'bert')"
    )
    result = _clocks("list")
    header, old, sell = (line.split() for line in result.stdout.splitlines())
    assert header == ["FLAG", "STATE", "SINCE", "BY", "WHY", "DESCRIPTION"]
    assert [old[0], old[1], old[4]] == ["OLD", "active", "bert"]
    assert "(the enum no longer has it)" in result.stdout
    assert [sell[0], sell[1], sell[4]] == ["SELL", "inactive", "anna"]
    assert result.stderr == ("GIVE_AWAY is not in the table: its default applies; `clocks features sync` adds it\n")
    shown = json.loads(_clocks("list", "--json").stdout)
    assert [flag["name"] for flag in shown["flags"]] == ["OLD", "SELL"]
    assert shown["missing"] == ["GIVE_AWAY"]


def test_a_temporary_switch_reverts_and_the_history_records_it(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    over = datetime(2026, 11, 24, 6, tzinfo=UTC)
    assert feature_flags.set_active(connection, "SELL", active=False, actor="anna", reason="stocktaking", until=over)
    [_, sell] = feature_flags.list_flags(connection, Toggle)
    assert (sell.is_active, sell.reason, sell.updated_at, sell.reverts_at) == (
        True,
        "the temporary switch expired",
        over,
        None,
    )
    assert feature_flags.revert_expired(connection) == ["SELL"]
    assert feature_flags.list_flags(connection, Toggle)[1] == sell  # recording it changes nothing
    assert feature_flags.revert_expired(connection) == []
    assert {change[2:] for change in feature_flags.history(connection, "SELL")} == {
        ("deploy", None, True, "added with its default", None), ("anna", True, False, "stocktaking", over),
        ("anna", False, True, "the temporary switch expired", None),
    }  # fmt: skip


def test_a_temporary_switch_can_get_another_end_and_a_permanent_one_stays_permanent(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    soon, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 2))
    assert not feature_flags.set_active(connection, "SELL", active=True, actor="anna", until=soon)
    assert feature_flags.set_active(connection, "SELL", active=False, actor="anna", until=soon)
    assert feature_flags.set_active(connection, "SELL", active=False, actor="anna", until=later)
    assert connection.execute("SELECT is_active, reverts_at FROM feature WHERE name = 'SELL'").fetchone() == (
        False,
        later,
    )
    assert feature_flags.set_active(connection, "SELL", active=False, actor="anna")
    assert connection.execute("SELECT is_active, reverts_at FROM feature WHERE name = 'SELL'").fetchone() == (
        False,
        None,
    )


def test_a_second_temporary_switch_is_rejected_so_that_the_first_end_is_not_lost(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    soon, later = (datetime.now(UTC) + timedelta(hours=hours) for hours in (1, 2))
    feature_flags.set_active(connection, "SELL", active=False, actor="anna", until=later)
    with pytest.raises(UsageError) as error:  # it would end switched off permanently, which nobody requested
        feature_flags.set_active(connection, "SELL", active=True, actor="bert", until=soon)
    assert str(error.value) == (
        f"SELL is inactive until {later:%Y-%m-%dT%H:%M:%SZ} and reverts then: switch it without --until, or give that "
        "switch another end"
    )
    assert feature_flags.reverts_at(connection, "SELL") == later
    assert feature_flags.set_active(connection, "SELL", active=True, actor="bert")
    assert feature_flags.reverts_at(connection, "SELL") is None


def test_an_expired_switch_can_be_made_again(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    over, soon = (datetime.now(UTC) + timedelta(hours=hours) for hours in (-1, 1))
    feature_flags.set_active(connection, "SELL", active=False, actor="anna", until=over)
    assert feature_flags.set_active(connection, "SELL", active=False, actor="bert", until=soon)
    assert _history(connection)[-2:] == [
        ("SELL", "anna", False, True, "the temporary switch expired"),
        ("SELL", "bert", True, False, None),
    ]


def test_clocks_features_shows_when_a_switch_reverts_and_that_it_has(connection: Database) -> None:
    feature_flags.synchronize(connection, Toggle, actor="deploy")
    at = f"{datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}"
    until = at.replace("T", " ")
    for line in (f"SELL is inactive until {until} now\n", f"SELL was inactive until {until} already\n"):
        done = _clocks("disable", "SELL", "--until", at, "--reason", "stocktaking")
        assert (done.returncode, done.stdout) == (0, line)
    assert f"inactive until {until}" in _clocks("list").stdout
    assert _clocks("enable", "GIVE_AWAY").stdout == "GIVE_AWAY is active now\n"
    assert _clocks("enable", "GIVE_AWAY", "--until", "1h").stdout == "GIVE_AWAY was active already; this is permanent\n"
    connection.execute("UPDATE feature SET reverts_at = %s WHERE name = 'SELL'", [datetime.now(UTC)])
    [sell] = [line.split() for line in _clocks("list").stdout.splitlines() if line.startswith("SELL")]
    assert sell[1] == "active"
    assert "until" not in sell
    newest = _clocks("log", "SELL").stdout.splitlines()[1].split()
    assert newest[2:] == ["SELL", "active", "anna", "the", "temporary", "switch", "expired"]
