"""The host for which units are rendered, as the configuration describes it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.errors import ConfigurationError, ServiceUnavailableError
from scheduled_tasks.project import configured_host, open_database
from scheduled_tasks.run import settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "config.toml"
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(path))
    settings.load.cache_clear()
    yield path
    settings.load.cache_clear()


def test_units_are_for_this_machines_systemd(configuration: Path) -> None:
    configuration.write_text("")
    shown = subprocess.run(["systemctl", "--version"], capture_output=True, text=True, check=True).stdout
    assert configured_host().systemd_version == int(shown.split()[1])


def test_an_image_or_another_host_has_the_configured_systemd(configuration: Path) -> None:
    configuration.write_text("systemd = 258\n")
    assert configured_host().systemd_version == 258


def test_without_systemd_units_are_for_the_oldest_supported_version(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration.write_text("")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert configured_host().systemd_version == 252


@pytest.mark.parametrize("version", ["251", '"new"'])
def test_a_systemd_version_that_is_too_old_or_not_a_number_is_a_fault(configuration: Path, version: str) -> None:
    configuration.write_text(f"systemd = {version}\n")
    with pytest.raises(ConfigurationError, match="252 is the oldest"):
        configured_host()


def test_the_settings_of_all_jobs_are_read_from_the_configuration(configuration: Path) -> None:
    configuration.write_text(
        'credentials = ["a"]\nencrypted_credentials = ["b"]\nallow_network = ["10.0.0.5", "2001:db8::/32"]\n'
    )
    host = configured_host()
    assert (host.credentials, host.encrypted_credentials) == (("a",), ("b",))
    assert host.allow_network == ("10.0.0.5", "2001:db8::/32")


@pytest.mark.parametrize(
    ("addresses", "problem"),
    [('["db.example"]', "not names"), ('"any"', "is not allowed for all jobs"), ('"10.0.0.5"', "list")],
)
def test_a_network_for_every_job_is_a_list_of_addresses(configuration: Path, addresses: str, problem: str) -> None:
    configuration.write_text(f"allow_network = {addresses}\n")
    with pytest.raises(ConfigurationError, match=problem):
        configured_host()


def test_the_operators_credential_is_not_one_of_the_jobs(configuration: Path) -> None:
    configuration.write_text(
        'credentials = ["database_url", "operators_database_url"]\nencrypted_credentials = ["operators_database_url"]\n'
    )
    host = configured_host()
    assert (host.credentials, host.encrypted_credentials) == (("database_url",), ())
    assert host.operators_credentials == host.encrypted_operators_credentials == ("operators_database_url",)


def test_nor_is_it_one_of_a_single_clock(configuration: Path) -> None:
    configuration.write_text('credentials = ["shop.operators_database_url", "shop.database_url"]\n')
    assert configured_host().credentials == ("shop.database_url",)


def test_operators_do_not_connect_as_the_services_role(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql:///tasks?host=/nowhere")
    configuration.write_text('tasks_role = "tasks"\n')
    with pytest.raises(ConfigurationError, match="give this host a credential operators_database_url"), open_database():
        pass


def test_operators_connect_with_a_credential_of_their_own(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configuration.write_text('tasks_role = "tasks"\n')
    (tmp_path / "database_url").write_text("postgresql:///tasks?host=/nowhere/tasks")
    (tmp_path / "operators_database_url").write_text("postgresql:///tasks?host=/nowhere/operators")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ServiceUnavailableError, match="/nowhere/operators/"), open_database():
        pass
