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


def test_a_server_that_does_not_answer_is_looked_at_before_its_url() -> None:
    assert database_findings("postgresql:///x?host=/nowhere") == {"database": "systemctl status postgresql"}
    advice = "look at PostgreSQL on db.invalid; if it runs, at the network between"
    assert database_findings("postgresql://db.invalid/shop?sslmode=verify-full") == {"database": advice}


def test_the_url_is_to_be_corrected_if_the_server_answers(database_url: str) -> None:
    wrong = database_url.replace("/test", "/missing", 1)
    advice = "PostgreSQL answers there: correct the URL, DATABASE_URL in the environment"
    assert database_findings(wrong) == {"database": advice}


def test_the_advice_names_the_file_of_a_credential(tmp_path: Path) -> None:
    file = tmp_path / "operators_database_url"
    file.write_text("postgresql:///x?host=/nowhere")
    [finding] = [
        finding for finding in all_findings(CREDENTIALS_DIRECTORY=str(tmp_path)) if finding["where"] == "database"
    ]
    assert finding["mend"] == "systemctl status postgresql"
    assert finding["advice"] == f"nothing answers at the URL, {file}"


def test_a_machine_without_systemd_is_one_finding() -> None:
    findings = {finding["where"]: finding for finding in all_findings(PATH="/nowhere")}
    assert findings["systemd"]["problem"] == "This machine does not run systemd (a container?), and so has no timers"
    assert (findings["systemd"]["mend"], findings["systemd"]["advice"]) == ("", "do this on a host that does.")


def test_a_checkout_without_a_database_is_not_set_up(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.scheduled_tasks]\n")
    findings = all_findings(SCHEDULED_TASKS_CONFIG=str(tmp_path / "pyproject.toml"))
    assert [finding["mend"] for finding in findings if finding["where"] == "database"] == ["clocks setup"]
    assert list(tmp_path.iterdir()) == [tmp_path / "pyproject.toml"]


def all_findings(**environment: str) -> list[dict[str, str]]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    project = {"PYTHONPATH": str(ROOT), "SCHEDULED_TASKS_CONFIG": str(ROOT / "pyproject.toml")}
    command = [sys.executable, "-P", "-m", "scheduled_tasks.cli", "doctor", "--json"]
    env = inherited | project | environment
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3, done.stderr
    findings: list[dict[str, str]] = json.loads(done.stdout)
    return findings


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
