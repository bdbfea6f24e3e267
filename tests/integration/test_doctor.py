"""`clocks doctor` and the database: reachable, with its tables, with all flags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[2]


def of_the_database(url: str) -> dict[str, str]:
    """What the doctor finds there: where → the command that mends it, or advice."""
    environment = os.environ | {"DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    command = [sys.executable, "-m", "scheduled_tasks.cli", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)
    assert done.returncode == bool(findings), done.stderr
    return {
        each["where"]: each["mend"] or each["advice"]
        for each in findings
        if each["where"].startswith(("database", "flag"))
    }


def clocks(url: str, *arguments: str) -> None:
    environment = os.environ | {"DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    subprocess.run([sys.executable, "-m", "scheduled_tasks.cli", *arguments], cwd=ROOT, env=environment, check=True)


def test_flags_that_are_missing(database_url: str) -> None:
    assert set(of_the_database(database_url).values()) == {"clocks features sync"}
    clocks(database_url, "features", "sync")
    assert of_the_database(database_url) == {}
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM feature_change WHERE name = 'CANCEL_EXPIRED_BOOKINGS'")
        connection.execute("DELETE FROM feature WHERE name = 'CANCEL_EXPIRED_BOOKINGS'")
    assert of_the_database(database_url) == {"flag CANCEL_EXPIRED_BOOKINGS": "clocks features sync"}


def test_a_database_without_tables(empty_database_url: str) -> None:
    assert of_the_database(empty_database_url) == {"database": "clocks migrate"}


def test_a_database_that_nobody_reaches() -> None:
    [(where, mend)] = of_the_database("postgresql:///x?host=/nowhere").items()
    assert (where, mend.partition(",")[0]) == ("database", "look at 'systemctl status postgresql' there")
