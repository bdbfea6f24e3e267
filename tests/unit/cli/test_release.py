"""`clocks check` and `enabled_clocks`: the faults that keep a release from being activated, and a host's clocks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from scheduled_tasks.cli import main
from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.project import enabled_clocks, missing_services_database
from scheduled_tasks.render.names import Places
from scheduled_tasks.run import settings

GOLDEN = Path(__file__).parents[2] / "golden"  # has the shop, whose tasks the clocks name
CLOCK = "from scheduled_tasks import Clock\nfrom shop.tasks.booking import count\nscheduler = Clock(timezone='UTC')\n"
JOB = "scheduler.add_job(count, 'cron', id='{}', hour=3)\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project with two clocks, and its configuration."""
    for name in [name for name in sys.modules if name.partition(".")[0] in {"shop", "clocks_of_the_test"}]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(str(GOLDEN))
    monkeypatch.syspath_prepend(str(tmp_path))
    clocks = tmp_path / "clocks_of_the_test"
    clocks.mkdir()
    (clocks / "__init__.py").touch()
    for name in ("nightly", "weekly"):
        (clocks / f"{name}.py").write_text(CLOCK + JOB.format(name))
    monkeypatch.setenv("SCHEDULED_TASKS_CONFIG", str(tmp_path / "config.toml"))
    configure(tmp_path, "")
    yield tmp_path
    settings.load.cache_clear()


def configure(project: Path, more: str) -> None:
    text = f'domains = "shop.tasks"\nclocks = "clocks_of_the_test"\nrun_task = "/bin/true"\n{more}'
    (project / "config.toml").write_text(text)
    settings.load.cache_clear()


def check() -> tuple[int, dict[str, object]]:
    done = CliRunner().invoke(main, ["check", "--without-database", "--json"])
    return done.exit_code, json.loads(done.stdout)


def test_a_host_has_all_clocks_unless_the_configuration_lists_some(project: Path) -> None:
    assert [clock.name for clock in enabled_clocks()] == ["nightly", "weekly"]
    configure(project, 'enabled_clocks = ["weekly"]')
    assert [clock.name for clock in enabled_clocks()] == ["weekly"]
    configure(project, "enabled_clocks = []")
    assert enabled_clocks() == []


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ('enabled_clocks = ["nigthly"]', "enabled_clocks: there is no clock 'nigthly'; write nightly"),
        ('enabled_clocks = "nightly"', "write a list of clock names"),
        ('credentials = ["key", "nigthly.key"]', "credentials: there is no clock 'nigthly'; write nightly"),
        ('encrypted_credentials = ["weekli.key"]', "encrypted_credentials: there is no clock 'weekli'; write weekly"),
        ('clock_roles = {nigthly = "night"}', "clock_roles: there is no clock 'nigthly'; write nightly"),
    ],
)
def test_an_unknown_clock_is_a_fault(project: Path, line: str, fault: str) -> None:
    configure(project, line)
    with pytest.raises(ConfigurationError, match=fault):
        enabled_clocks()


def test_clocks_with_urls_of_their_own_need_no_common_one(project: Path) -> None:
    def missing(credentials: str) -> str:
        configure(project, f"credentials = {credentials}")
        config = project / "config.toml"
        config.write_text(config.read_text().replace('run_task = "/bin/true"\n', ""))
        settings.load.cache_clear()
        return missing_services_database(enabled_clocks(), Places())

    assert missing('["nightly.database_url", "weekly.database_url"]') == ""
    assert "the jobs have no database" in missing('["weekly.database_url"]')


def test_every_fault_of_a_release_is_reported(project: Path) -> None:
    (project / "clocks_of_the_test/weekly.py").write_text("1 / 0\n")
    configure(project, 'features = "nowhere:Flags"\napp = "nowhere:create"\n')
    code, checked = check()
    assert code == 65
    faults = checked["faults"]
    assert isinstance(faults, list)
    assert [next(word for word in ("ZeroDivisionError", "Flags", "create") if word in fault) for fault in faults] == [
        "ZeroDivisionError", "Flags", "create",
    ]  # fmt: skip


def test_a_database_that_does_not_answer_is_a_fault(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    done = CliRunner().invoke(main, ["check"])
    assert done.exit_code == 65
    assert "PostgreSQL is unreachable" in done.stdout


def test_a_database_that_anybody_on_the_way_could_read_is_a_warning(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://tasks@db.invalid/shop")
    done = CliRunner().invoke(main, ["check", "--without-database"])
    assert "warning: database_url connects with TLS only if the server offers it" in done.stderr
    _, checked = check()
    assert "sslmode=verify-full" in str(checked["warnings"])


ROUTE = '[notify.routes.ops]\nkind = "webhook"\nurl = "http://127.0.0.1:8080"\n'


def of_weekly(project: Path, options: str) -> None:
    (project / "clocks_of_the_test/weekly.py").write_text(
        CLOCK + JOB.format("weekly").replace(")\n", f", {options})\n")
    )


def test_an_unknown_route_in_a_clock_file_is_a_fault(project: Path) -> None:
    of_weekly(project, "notify=['ops', 'opps'], ping='stock'")
    configure(project, 'credentials = ["notify.other"]\n' + ROUTE)
    code, checked = check()
    assert (code, checked["faults"]) == (65, [
        (f"{project}/clocks_of_the_test/weekly.py:4: job weekly/weekly: notify='opps': is not a route of the "
        "configuration; write ops; or add [notify.routes.opps]\n"
        f"{project}/clocks_of_the_test/weekly.py:4: job weekly/weekly: ping='stock': is not a credential of the sender "
        "of notices; write the URL, or add notify.stock to the credentials")
    ])  # fmt: skip
    configure(
        project, 'credentials = ["notify.stock"]\n' + ROUTE + ROUTE.replace("ops", "opps") + "[notify]\ndefault = 'ops'"
    )
    assert "notify" not in str(check()[1])


def test_faults_of_the_configuration_and_of_a_clock_file_are_reported_together(project: Path) -> None:
    of_weekly(project, "notify='opps'")
    configure(project, ROUTE.replace("webhook", "web") + "colour = 'red'")
    code, checked = check()
    faults = "\n".join(map(str, checked["faults"]))  # type: ignore[call-overload]
    assert code == 65
    assert all(text in faults for text in ("ops.kind='web'", "ops.colour='red'", "notify='opps'"))


def test_without_any_route_nobody_is_told_which_is_a_warning(project: Path) -> None:
    of_weekly(project, "notify='ops'")
    checked = check()[1]
    file = project / "config.toml"
    warning = f"nobody is told of weekly/weekly: notify= is given, but {file} has no route"
    assert (checked["warnings"], "notify" in str(checked["faults"])) == ([warning], False)


def test_the_list_of_jobs_has_for_programs_who_is_told_and_what_every_host_runs(project: Path) -> None:
    of_weekly(project, "owner='data', notify='ops', expected_duration='20min', quiet=None, per_host=True")
    listed = json.loads(CliRunner().invoke(main, ["list", "--json"]).stdout)
    alerts = {"owner": "data", "notify": ["ops"], "expected_duration": 1200}
    assert [(job["job"], job["per_host"], job["alerts"]) for job in listed] == [
        ("nightly", False, {}),
        ("weekly", True, alerts),
    ]


def test_no_clock_has_the_name_of_the_senders_credentials(project: Path) -> None:
    (project / "clocks_of_the_test/weekly.py").rename(project / "clocks_of_the_test/notify.py")
    _, checked = check()
    assert "'notify' is reserved: the sender of notices has the credentials notify.NAME" in str(checked["faults"])


def test_a_plan_says_what_changed_options_mean_that_no_unit_has(project: Path) -> None:
    root = ("--without-database", "--root", str(project / "image"))
    assert CliRunner().invoke(main, ["apply", *root]).exit_code == 0
    of_weekly(project, "alert_after=3, quiet='22:00-07:00', expected_duration=1200, catch_up_after_pause=True")
    planned = json.loads(CliRunner().invoke(main, ["plan", "--json", *root]).stdout)
    assert (planned["changed"], planned["restart"]) == (["jobs.json"], [])
    meanings = [(option["option"], option["meant"], option["means"]) for option in planned["options"]]
    assert meanings == [
        ("alert_after", "each failed slot is an incident", "3 failed slots in a row are an incident"),
        ("expected_duration", "slow by its usual duration", "slow after 20 min"),
        ("quiet", "no quiet hours", "notices wait from 22:00 to 07:00"),
        ("catch_up_after_pause", "after a pause no blocked slot runs", "after a pause the last slot runs"),
    ]
    shown = CliRunner().invoke(main, ["plan", *root]).stdout
    assert "weekly/weekly  notices wait from 22:00 to 07:00; before: no quiet hours" in shown
    assert CliRunner().invoke(main, ["apply", *root]).exit_code == 0
    assert CliRunner().invoke(main, ["plan", *root]).exit_code == 0


def test_what_keeps_the_page_from_starting_is_a_fault(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configure(project, "[page]\nadmin = ['anna']\n")
    assert faults_of_the_page() == ["[page]: unknown key 'admin'; write admins"]
    configure(project, "[page]\nadmins = ['anna']\n")
    assert faults_of_the_page() == []
    monkeypatch.setenv("PAGE_DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    monkeypatch.setattr("scheduled_tasks.cli.page.faults.find_spec", lambda module: module != "uvicorn")
    instead = "write scheduled-tasks[page] into the project's dependencies, and lock them again"
    assert faults_of_the_page() == [f"the page needs uvicorn: {instead}"]


def faults_of_the_page() -> list[str]:
    code, checked = check()
    faults = checked["faults"]
    assert isinstance(faults, list)
    of_the_page = [fault for fault in faults if "page" in fault]
    assert code == 65 or not of_the_page
    return of_the_page


def test_a_database_that_refuses_the_pages_role_is_a_fault(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAGE_DATABASE_URL", "postgresql://127.0.0.1:1/nobody")
    configure(project, "[page]\n")
    done = CliRunner().invoke(main, ["check"])
    assert done.exit_code == 65
    assert "the page's database, page_database_url: PostgreSQL is unreachable" in done.stdout
