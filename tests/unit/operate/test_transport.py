"""Which connections to a database are at risk, by what libpq would do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from psycopg.pq import Conninfo

from scheduled_tasks.operate.transport import WHAT_TO_WRITE, configured_risks, parameters_of, risks
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from pathlib import Path

DB = "postgresql://u:p@db.example.org/shop"


@pytest.mark.parametrize(
    ("url", "risk"),
    [
        (
            DB,
            "connects with TLS only if the server offers it, and without verification, to db.example.org (no sslmode,",
        ),
        (f"{DB}?sslmode=prefer", "without verification, to db.example.org (sslmode=prefer)"),
        (f"{DB}?sslmode=disable", "connects without encryption to db.example.org (sslmode=disable)"),
        (f"{DB}?sslmode=allow", "connects without encryption, unless the server requires TLS, to db.example.org"),
        (f"{DB}?sslmode=require", "connects with TLS, but without verification, to db.example.org (sslmode=require)"),
        ("host=10.0.0.5 dbname=shop", "10.0.0.5"),
        ("host=localhost hostaddr=10.0.0.5", "localhost"),
        ("postgresql://localhost,db2.example.org:5433/shop", "without verification, to db2.example.org ("),
        ("postgresql:///shop?host=/run/postgresql,db2.example.org", "without verification, to db2.example.org ("),
        ("host=a.example.org,b.example.org", "a.example.org, b.example.org"),
        ("host=127.0.0.1.example.org", "127.0.0.1.example.org"),
    ],
)
def test_a_database_on_another_machine_is_verified(url: str, risk: str) -> None:
    [found] = risks(url, {})
    assert risk in found
    assert WHAT_TO_WRITE in found


@pytest.mark.parametrize(
    "url",
    [
        f"{DB}?sslmode=verify-full",
        f"{DB}?sslmode=verify-full&sslrootcert=/etc/ssl/certs/shop.pem",
        f"{DB}?sslmode=verify-ca&sslrootcert=/etc/ssl/certs/shop.pem",
        f"{DB}?sslmode=require&sslrootcert=/etc/ssl/certs/shop.pem",
        f"{DB}?sslrootcert=system",
        f"{DB}?gssencmode=require",
    ],
)
def test_a_verified_connection_is_no_risk(url: str) -> None:
    assert list(risks(url, {})) == []


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///shop",
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://%2Frun%2Fpostgresql/shop",
        "host=@shop",
        "postgresql://localhost/shop",
        "postgresql://127.0.0.2/shop",
        "postgresql://[::1]/shop?sslmode=disable",
        "host=db.example.org hostaddr=127.0.0.1",
    ],
)
def test_a_unix_socket_and_loopback_are_no_risk(url: str) -> None:
    assert list(risks(url, {})) == []


def test_the_environment_counts_where_the_url_says_nothing() -> None:
    assert list(risks(DB, {"PGSSLMODE": "verify-full"})) == []
    assert len(list(risks(f"{DB}?sslmode=require", {"PGSSLMODE": "verify-full"}))) == 1
    [found] = risks("postgresql:///shop", {"PGHOST": "db.example.org"})
    assert "db.example.org" in found
    assert list(risks("postgresql:///shop", {"PGHOST": "db.example.org", "PGHOSTADDR": "::1"})) == []


@pytest.mark.parametrize("named", ["service=shop", "postgresql:///?service=shop", ""])
def test_a_service_file_counts_before_the_environment(named: str, tmp_path: Path) -> None:
    file = tmp_path / ".pg_service.conf"
    environment = {"HOME": str(tmp_path), "PGSERVICE": "shop", "PGSSLMODE": "verify-full"}
    file.write_text("# ours\n[other]\nhost=127.0.0.1\n[shop]\nhost=db.example.org\nsslmode=require\npassword=50%\n")
    [found] = risks(named, environment)
    assert "db.example.org (sslmode=require)" in found
    assert list(risks("service=shop sslmode=verify-full", environment)) == []
    assert list(risks("service=other", environment)) == []


def test_a_service_file_is_found_where_libpq_looks(tmp_path: Path) -> None:
    file = tmp_path / "pg_service.conf"
    file.write_text("[shop]\nhost=db.example.org\n")
    assert len(list(risks("service=shop", {"PGSERVICEFILE": str(file)}))) == 1
    assert len(list(risks("service=shop", {"PGSYSCONFDIR": str(tmp_path)}))) == 1
    assert list(risks("service=shop", {})) == []


def test_what_is_not_a_url_is_left_to_others() -> None:
    assert list(risks("postgresql://[", {})) == []


def test_of_a_deployed_project_the_shells_environment_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its services don't have it."""
    (tmp_path / "config.toml").write_text("")
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(tmp_path / "config.toml"))
    monkeypatch.setenv("DATABASE_URL", DB)
    monkeypatch.setenv("OPERATORS_DATABASE_URL", f"{DB}?sslmode=verify-full")
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    settings.load.cache_clear()
    [found] = configured_risks()
    settings.load.cache_clear()
    assert found.startswith("database_url connects with TLS only if the server offers it")


def test_libpq_reads_the_same_service_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "services"
    file.write_text("# ours\n[other]\nhost=127.0.0.1\n[shop]\nhost=db.example.org\nsslmode=require\npassword=5=0%\n")
    environment = {"PGSERVICEFILE": str(file), "PGSERVICE": "shop", "PGSSLMODE": "verify-full", "PGPORT": "5433"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    by_libpq = {option.keyword.decode(): (option.val or b"").decode() for option in Conninfo.get_defaults()}
    read = parameters_of("", environment)
    assert read == {key: by_libpq[key] for key in read}
    assert set(read) == {"host", "sslmode", "password", "port", "service"}
