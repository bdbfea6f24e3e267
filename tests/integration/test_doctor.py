"""`clocks doctor` checks that the database is reachable and has its tables and all flags."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg

ROOT = Path(__file__).parents[2]


def database_findings(url: str) -> dict[str, str]:
    """The findings about the database: where → the command that mends it, or advice."""
    environment = os.environ | {"DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    command = [sys.executable, "-m", "scheduled_tasks.cli", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    findings = json.loads(done.stdout)
    assert done.returncode == (3 if findings else 0), done.stderr
    return {
        finding["where"]: finding["mend"] or finding["advice"]
        for finding in findings
        if finding["where"].startswith(("database", "flag"))
    }


def clocks(url: str, *arguments: str) -> None:
    environment = os.environ | {"DATABASE_URL": url, "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    subprocess.run([sys.executable, "-m", "scheduled_tasks.cli", *arguments], cwd=ROOT, env=environment, check=True)


def test_missing_flags_are_found(database_url: str) -> None:
    assert set(database_findings(database_url).values()) == {"clocks features sync"}
    clocks(database_url, "features", "sync")
    assert database_findings(database_url) == {}
    with psycopg.connect(database_url) as connection:
        connection.execute("DELETE FROM feature_change WHERE name = 'CANCEL_EXPIRED_BOOKINGS'")
        connection.execute("DELETE FROM feature WHERE name = 'CANCEL_EXPIRED_BOOKINGS'")
    assert database_findings(database_url) == {"flag CANCEL_EXPIRED_BOOKINGS": "clocks features sync"}


def test_a_database_without_tables_is_found(empty_database_url: str) -> None:
    assert database_findings(empty_database_url) == {"database": "clocks migrate"}


def test_an_unreachable_database_is_found() -> None:
    [(where, mend)] = database_findings("postgresql:///x?host=/nowhere").items()
    assert (where, mend.partition(",")[0]) == ("database", "look at 'systemctl status postgresql' on its host")


def test_a_database_that_anybody_on_the_way_could_read_is_found() -> None:
    environment = os.environ | {
        "DATABASE_URL": "postgresql://tasks@db.invalid/shop?sslmode=disable",
        "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml"),
    }
    command = [sys.executable, "-m", "scheduled_tasks.cli", "doctor", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    problems = {finding["problem"]: finding["advice"] for finding in json.loads(done.stdout)}
    advice = problems["database_url connects without encryption to db.invalid (sslmode=disable)"]
    assert advice.startswith("write sslmode=verify-full and sslrootcert=FILE")
