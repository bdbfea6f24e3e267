"""Where a setting comes from, and which faults of the configuration file are reported."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.run import settings
from tests.roots import lacking, require


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A configuration file, isolated from this process's own settings."""
    for name in ("SCHEDULED_TASKS_CONFIG", "CREDENTIALS_DIRECTORY", "ALGOLIA_API_KEY", "SCHEDULED_TASKS_DOMAINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(settings, "DEPLOYED_CONFIG", tmp_path / "nowhere")
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    file = tmp_path / "pyproject.toml"
    file.write_text('[tool.scheduled_tasks]\ndomains = "shop.tasks"\nsettings = {algolia_api_key = "of the file"}\n')
    return file


def test_a_setting_comes_from_the_environment_then_a_credential_then_the_file(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings.setting("algolia_api_key") == "of the file"
    credentials = project.parent / "credentials"
    credentials.mkdir()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(credentials))
    assert settings.setting("algolia_api_key") == "of the file"
    (credentials / "algolia_api_key").write_text("of the credential\n")
    assert settings.setting("algolia_api_key") == "of the credential"
    monkeypatch.setenv("ALGOLIA_API_KEY", "of the environment")
    assert settings.setting("algolia_api_key") == "of the environment"


def test_an_empty_variable_counts_as_unset(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALGOLIA_API_KEY", "")
    assert settings.setting("algolia_api_key") == "of the file"


def test_an_unset_setting_has_its_default_or_is_an_error_that_says_where_to_write_it(project: Path) -> None:
    assert settings.setting("colour", "red") == "red"
    with pytest.raises(ConfigurationError) as error:
        settings.setting("colour")
    assert str(error.value) == (
        "the setting colour has no value: set COLOUR in the environment, give the service a credential colour, or "
        f"write it into [settings] of {project}"
    )


def test_the_environment_overrides_a_key(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULED_TASKS_DOMAINS", "other.tasks")
    assert settings.load().get("domains") == "other.tasks"


def test_unknown_keys_are_named_and_their_values_are_not(project: Path) -> None:
    project.write_text('[tool.scheduled_tasks]\ndatabase_url = "postgresql://robot:hunter2@db"\ncolour = "red"\n')
    with pytest.raises(ConfigurationError) as error:
        settings.load()
    assert str(error.value).startswith(f"{project}: unknown colour, database_url: the keys are domains, clocks, ")
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('key = "hunter2', "Unterminated string"),
        ("[settings]\nalgolia_api_key = hunter2", "Invalid value"),
        ('settings = "hunter2"', "settings is not a table"),
        ("[tool.scheduled_tasks]\n", "unknown tool"),
    ],
)
def test_an_invalid_file_is_named_but_not_quoted(
    project: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str
) -> None:
    config = project.with_name("config.toml")
    config.write_text(text)
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(config))
    with pytest.raises(ConfigurationError) as error:
        settings.load()
    assert str(error.value).startswith(f"{config}: ")
    assert reason in str(error.value)
    assert "hunter2" not in str(error.value)


def test_the_nearest_project_above_is_the_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    below = project.parent / "a" / "b"
    below.mkdir(parents=True)
    (below / "pyproject.toml").write_text("[project]\nname = 'other'\n")
    monkeypatch.chdir(below)
    configuration = settings.load()
    assert (configuration.path, configuration.deployed) == (project, False)
    assert configuration.state_directory == project.parent / ".scheduled-tasks"


def test_a_file_of_another_name_is_a_deployed_configuration(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = project.with_name("config.toml")
    config.write_text('domains = "shop.tasks"\n')
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(config))
    assert settings.load().deployed
    assert settings.load().require("domains") == "shop.tasks"


def test_a_missing_file_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", "/nowhere/config.toml")
    with pytest.raises(ConfigurationError, match=r"^/nowhere/config.toml: can't be read: No such file or directory$"):
        settings.load()


def test_a_required_key_says_what_to_write(project: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"clocks is not set: write clocks = … \(the package of clock files"):
        settings.load().require("clocks")


FOREIGN = 54321


@pytest.mark.parametrize("part", ["pyproject.toml", ""])
@pytest.mark.parametrize(
    ("owner", "group", "mode", "reason"),
    [
        (FOREIGN, 0, 0o700, "{} belongs to uid 54321, neither to root nor to you"),
        (0, 0, 0o702, "every user can write {}"),
        (0, FOREIGN, 0o720, "the group 54321 can write {}, and you are root"),
    ],
)
def test_a_project_that_others_can_write_is_ignored_and_the_reason_is_shown(  # noqa: PLR0913, PLR0917 - cases
    project: Path, capsys: pytest.CaptureFixture[str], owner: int, group: int, mode: int, reason: str, part: str
) -> None:
    require(lacking("giving files to other users", {}))
    os.chown(project.parent / part, owner, group)
    (project.parent / part).chmod(mode)
    with pytest.raises(ConfigurationError, match=r"^no configuration: "):
        settings.load()
    shown = reason.format(project.parent / part)
    assert capsys.readouterr().err == (
        f"ignored {project}: {shown}; if you trust it, name it in SCHEDULED_TASKS_CONFIG\n"
    )


def test_a_project_of_the_user_behind_sudo_is_used(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(lacking("giving files to other users", {}))
    for path in (project, project.parent):
        os.chown(path, FOREIGN, -1)
    monkeypatch.setenv("SUDO_UID", str(FOREIGN))
    assert settings.load().path == project


def test_only_root_takes_the_word_of_sudo(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(lacking("giving files to other users", {}))
    for path in (project, project.parent):
        os.chown(path, FOREIGN, -1)
    monkeypatch.setenv("SUDO_UID", str(FOREIGN))
    monkeypatch.setattr(os, "geteuid", lambda: FOREIGN + 1)
    with pytest.raises(ConfigurationError, match=r"^no configuration: "):
        settings.load()


def test_a_team_that_shares_a_checkout_by_its_group_can_use_it(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    require(lacking("giving files to other users", {}))
    for path in (project, project.parent):
        os.chown(path, FOREIGN, FOREIGN)
        path.chmod(path.stat().st_mode | 0o020)
    monkeypatch.setattr(os, "geteuid", lambda: FOREIGN)
    assert settings.load().path == project


def test_in_a_release_the_current_folder_means_nothing(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    release = tmp_path_factory.mktemp("release")
    monkeypatch.setattr(sys, "prefix", str(release))
    assert settings.load().path == project
    settings.load.cache_clear()
    (release / settings.RELEASE_MARK).touch()
    with pytest.raises(ConfigurationError, match=r"^no configuration: "):
        settings.load()


def test_a_removed_folder_has_no_project(project: Path) -> None:
    shutil.rmtree(project.parent)
    with pytest.raises(ConfigurationError, match=r"^no configuration: "):
        settings.load()


def test_by_hand_a_configured_credential_is_read_where_the_services_get_it_from(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials = project.parent / "credentials"
    credentials.mkdir()
    (credentials / "algolia_api_key").write_text("of the credential\n")
    assert settings.setting("algolia_api_key") == "of the file"  # the configuration names no credential
    project.write_text('[tool.scheduled_tasks]\ncredentials = ["algolia_api_key"]\n')
    settings.load.cache_clear()
    assert settings.setting("algolia_api_key") == "of the credential"
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(project.parent))  # a service reads its own alone
    assert settings.setting("algolia_api_key", "") == ""


@pytest.mark.parametrize(
    ("folder", "sets_up"),
    [("", True), ("/var/lib/jenkins", True), ("/var/lib/scheduled-tasks/results/clock-night-expire", False)],
    ids=["by hand", "in another service", "in a job's service"],
)
def test_a_projects_folder_is_set_up_on_first_use_but_never_in_a_service(
    project: Path, monkeypatch: pytest.MonkeyPatch, folder: str, *, sets_up: bool
) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", folder)
    assert settings.load().sets_up == sets_up
