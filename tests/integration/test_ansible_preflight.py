"""The preflight on this host, in a dry run: it reports all problems at once and never a secret."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.machine.controller import ANSIBLE, REPOSITORY, SHOP, wheelhouse

SECRETS = ("s3cret-of-the-database", "s3cret-of-the-api", "s3cret-of-the-page")
PAGE_PROBLEMS = {
    "localhost": (
        "scheduled_tasks_page_database_url is not set: the page connects with a role of its own",
        "scheduled_tasks_project.page_role is not set: name the role",
    ),
    "app9": ("scheduled_tasks_page_host is app9, which is not a host of this play: name one of localhost.",),
}


@pytest.mark.parametrize("page_host", PAGE_PROBLEMS)
def test_all_problems_are_reported_at_once_without_any_secret(tmp_path: Path, page_host: str) -> None:
    variables = {
        "scheduled_tasks_project": {"domains": "shop.tasks", "clocks": "shop.clocks"},
        # Nothing listens on this port, so the play ends here on any host.
        "scheduled_tasks_database_url": f"postgresql://shop:{SECRETS[0]}@127.0.0.1:1/shop",
        "scheduled_tasks_credentials": {"api_key": SECRETS[1]},
        "scheduled_tasks_page_host": page_host,
        "scheduled_tasks_page_credentials": {"oidc_client_secret": SECRETS[2]},
        "scheduled_tasks_packages": [str(SHOP)],
        "scheduled_tasks_requirements": str(SHOP / "requirements.txt"),
        "scheduled_tasks_wheelhouse": str(wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")),
        "scheduled_tasks_cache": str(tmp_path / "cache"),
        "scheduled_tasks_keep_releases": 1,
        "scheduled_tasks_minimum_free_mb": 10**9,
    }
    host = {"ansible_connection": "local", "ansible_python_interpreter": "/usr/bin/python3", "ansible_become": False}
    inventory = {"scheduled_tasks": {"hosts": {"localhost": host}, "vars": variables}}
    (tmp_path / "inventory.json").write_text(json.dumps(inventory))
    done = subprocess.run(
        [ANSIBLE / "ansible-playbook", f"--inventory={tmp_path}/inventory.json", "ansible/site.yml", "--check", "-vvv"],
        cwd=REPOSITORY, env=os.environ | {"ANSIBLE_NOCOLOR": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    output = " ".join(done.stdout.split())
    assert done.returncode == 2, done.stdout + done.stderr
    assert "PostgreSQL at 127.0.0.1:1 can't be reached from this host: [Errno 111] Connection refused." in output
    assert "but 1000000000 are required (scheduled_tasks_minimum_free_mb): free space." in output
    assert "scheduled_tasks_operators_database_url is not set: scheduled_tasks_database_url is for the jobs" in output
    assert "scheduled_tasks_keep_releases is 1: a rollback needs 2 or more." in output
    assert [problem for problem in PAGE_PROBLEMS[page_host] if problem not in output] == []
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []


@pytest.mark.parametrize(
    ("socket", "cluster", "problem"),
    [
        ("", "", ""),
        (".s.PGSQL.5432", "port = 5432", ""),
        ("", "#port = 5433", ""),  # not started yet, with the default
        (".s.PGSQL.5433", "port = 5433\t\t# (change requires restart)", "PostgreSQL on this host has port 5433, but"),
        ("", "port = 5434", "PostgreSQL on this host has port 5434, but"),
    ],
    ids=["none yet", "the usual port", "stopped", "another port", "stopped, another port"],
)
def test_a_local_postgresql_on_another_port_is_a_problem_before_anything_is_built(
    tmp_path: Path, socket: str, cluster: str, problem: str
) -> None:
    probe: dict[str, Any] = {}
    source = (REPOSITORY / "ansible/roles/scheduled_tasks/files/probe_host.py").read_text()
    exec(source.removesuffix("main()\n"), probe)
    probe["database_error"] = lambda _address: "nothing listens there"
    if socket:
        (tmp_path / socket).touch()
        (tmp_path / f"{socket}.lock").touch()
    if cluster:
        (tmp_path / "17/main").mkdir(parents=True)
        (tmp_path / "17/main/postgresql.conf").write_text(f"max_connections = 100\n{cluster}\n")
    problems = list(probe["local_database_problems"](str(tmp_path), str(tmp_path)))
    assert [text[: len(problem)] for text in problems] == [problem][: bool(problem)]
