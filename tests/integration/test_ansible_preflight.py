"""The preflight on this host, in a dry run: it reports all problems at once and never a secret."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

from tests.machine.controller import ANSIBLE, REPOSITORY, SHOP, wheelhouse

SECRETS = ("s3cret-of-the-database", "s3cret-of-the-api")


def test_all_problems_are_reported_at_once_without_any_secret(tmp_path: Path) -> None:
    variables = {
        "scheduled_tasks_project": {"domains": "shop.tasks", "clocks": "shop.clocks"},
        # Nothing listens on this port, so the play ends here on any host.
        "scheduled_tasks_database_url": f"postgresql://shop:{SECRETS[0]}@127.0.0.1:1/shop",
        "scheduled_tasks_credentials": {"api_key": SECRETS[1]},
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
    assert [secret for secret in SECRETS if secret in done.stdout + done.stderr] == []
