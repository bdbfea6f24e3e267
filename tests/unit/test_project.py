"""The host for which units are rendered, as the configuration describes it."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.project import configured_host
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
