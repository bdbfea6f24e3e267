"""Other people's projects, a Flask bakery and a Django library, moved in and deployed by Ansible: a job of each fires.

Each is set up as docs/tutorial.md and docs/how-to/deploy.md say, from a copy that knows nothing of this project:
`clocks init`, a task of its own, an inventory; then the collection's one command onto a fresh machine.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from scheduled_tasks.cli import main
from tests.machine.machine import Machine, booted
from tests.machine.waiting import wait_for
from tests.roots import debian_13

# They come with the role that deploys other projects (docs/how-to/deploy.md).
controller: Any = pytest.importorskip("tests.machine.controller", reason="the role can't deploy other projects yet")
server: Any = pytest.importorskip("tests.machine.postgresql", reason="as above")

STRANGERS = Path(__file__).parents[1] / "strangers"
TASK = '''"""A task that uses its framework."""

import logging

from scheduled_tasks import cron_context, log_cron


@log_cron
@cron_context
def look(app):
    """Look around."""
    {look}
    logging.getLogger(__name__).info("%s", seen)
'''
CLOCK = '''"""A clock that fires often, because the other one is due at six."""

from {package}.tasks.looking import look
from scheduled_tasks import Clock, app

scheduler = Clock()
scheduler.add_job(look, "cron", [app], id="look", second="*/2")
'''
INVENTORY = """\
scheduled_tasks:
  hosts:
    {host}:
  vars:
    scheduled_tasks_project:
      domains: {package}.tasks
      clocks: {package}.clocks
      features: {package}.features:FeatureToggle
      app: {app}
      timezone: Europe/Paris
      tasks_role: shop_tasks
    scheduled_tasks_packages: ["{{{{ inventory_dir | dirname }}}}"]
    scheduled_tasks_requirements: "{{{{ inventory_dir | dirname }}}}/requirements.txt"
    scheduled_tasks_database_url: "{{{{ vault_database_url }}}}"
    scheduled_tasks_operators_database_url: "{{{{ vault_operators_database_url }}}}"
"""
SERVICE = "clock-often-look.service"


def moved_in(name: str, package: str, app: str, look: str, folder: Path) -> Path:
    """A stranger's repository after its owner has followed the tutorial."""
    project = Path(shutil.copytree(STRANGERS / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")))
    done = CliRunner().invoke(main, ["init", str(project), "--timezone", "Europe/Paris"])
    assert done.exit_code == 0, done.output
    (project / package / "tasks/looking.py").write_text(TASK.format(look=look))
    (project / package / "clocks/often.py").write_text(CLOCK.format(package=package))
    (project / "deploy").mkdir()
    shutil.copy(controller.SHOP / "deploy/requirements.yml", project / "deploy/requirements.yml")
    (project / "deploy/inventory.yml").write_text(INVENTORY.format(host="app1", package=package, app=app))
    return project


def ended(machine: Machine) -> Callable[[], list[dict[str, Any]]]:
    return lambda: [line for line in machine.log_lines(SERVICE) if line.get("status") == "ended"]


@pytest.mark.parametrize(
    ("name", "package", "app", "look", "message"),
    [
        (
            "flask_bakery", "bakery", "bakery:create_app",
            "from flask import current_app; seen = current_app.name, list(map(str, app.url_map.iter_rules()))[-1]",
            "('bakery', '/orders')",
        ),
        (
            "django_library", "library", "library.scheduled:set_up",
            "from loans.models import Loan; seen = app.ready, Loan._meta.label",
            "(True, 'loans.Loan')",
        ),
    ],
)  # fmt: skip
def test_a_strangers_project_is_deployed_and_its_job_fires(  # noqa: PLR0913, PLR0917 - a case has these parts
    name: str, package: str, app: str, look: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = moved_in(name, package, app, look, tmp_path)
    monkeypatch.setattr(controller, "SHOP", project)
    build = controller.REPOSITORY / "requirements/build.txt"
    with server.postgresql(controller.SECRET) as database, booted("machine", debian_13()) as machine:
        database.introduce_to(machine)
        variables = {
            **database.variables,
            "scheduled_tasks_wheelhouse": str(controller.wheelhouse(project / "requirements.txt", build)),
            "scheduled_tasks_cache": str(tmp_path / "cache"),
            "scheduled_tasks_require_synchronised_clock": False,  # it is the test machine's
        }
        (tmp_path / "controller").mkdir()
        controller.set_up(tmp_path / "controller", {"app1": machine}, variables).play("first deploy")
        wait_for("a run that ended", ended(machine))
        lines = machine.log_lines(SERVICE)
        assert {line["task"] for line in lines} == {"looking.look"}
        assert message in {line["message"] for line in lines}
        listed = machine.run("systemctl", "list-timers", "--no-pager", "--plain", "clock-*").stdout
        assert "clock-example-say_hello.timer" in listed
