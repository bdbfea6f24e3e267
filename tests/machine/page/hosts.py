"""Two hosts on which the role deploys the shop and the page: what docs/how-to/serve-the-page.md says, literally."""

from __future__ import annotations

import json
import socket
import ssl
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import yaml

from tests.documented import blocks
from tests.integration.page.proxied import CADDY, GUIDE, NAME, PASSWORD, certify, example, printed
from tests.machine.controller import REPOSITORY, SECRET, SHOP, Controller, set_up, wheelhouse
from tests.machine.machine import Machine, booted
from tests.machine.postgresql import NOTIFIER, Database, postgresql
from tests.roots import debian_12, debian_13
from tests.sinks import MailServer, mail_server
from tests.unix_http import CLIENT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SOCKET, SERVICE = "/run/clocks-page.sock", "clocks-page.service"
IDLE_SECONDS = 10
BANK_IS_DOWN = "srv/bank-is-down"
TASK = """
import logging
from pathlib import Path

from scheduled_tasks import log_cron


@log_cron
def export():
    logging.getLogger(__name__).info("exporting 12 invoices")
    if Path("/srv/bank-is-down").exists():
        raise OSError("the bank answered: 503 Service Unavailable")
"""
CLOCK = """
from scheduled_tasks import Clock
from shop.tasks.invoices import export

scheduler = Clock()
scheduler.add_job(export, "cron", id="export", minute="*")
"""


@dataclass(frozen=True)
class Answer:
    """An answer of the page.

    Attributes:
        status: its status.
        text: its body.
        seconds: from the request to its end.
    """

    status: int
    text: str
    seconds: float = 0.0


@dataclass(frozen=True)
class Fleet:
    """The hosts and what surrounds them.

    Attributes:
        controller: of Ansible.
        database: of both hosts.
        mail: the server to which notices are sent.
        port: on which the reverse proxy listens.
        folder: of the proxy's certificate and key.
    """

    controller: Controller
    database: Database
    mail: MailServer
    port: int
    folder: Path

    @property
    def app1(self) -> Machine:
        """The page's host."""
        return self.controller.machines["app1"]

    @property
    def app2(self) -> Machine:
        """The host of the clock `billing`."""
        return self.controller.machines["app2"]

    @property
    def url(self) -> str:
        """The page's URL, at the proxy."""
        return f"https://{NAME}:{self.port}"

    def ask(self, user: str, password: str, **headers: str) -> Answer:
        """Ask the proxy for the first screen, with a password."""
        context = ssl.create_default_context(cafile=f"{self.folder}/{NAME}.pem")
        named = {"Host": f"{NAME}:{self.port}"} | {name.replace("__", "-"): text for name, text in headers.items()}
        with httpx.Client(verify=context, auth=(user, password) if user else None, timeout=60) as client:
            answer = client.get(f"https://127.0.0.1:{self.port}/", headers=named, extensions={"sni_hostname": NAME})
        return Answer(answer.status_code, answer.text)


def connect(machine: Machine, user: str, *headers: dict[str, str]) -> list[Answer]:
    """Ask the page on a host's socket as a user there; no answer if the user can't connect."""
    command = ("runuser", "--user", user, "--", "/usr/bin/python3", "-I", "-c", CLIENT, SOCKET, json.dumps(headers))
    done = machine.run(*command, check=False)
    if "PermissionError" in done.stderr or "FileNotFoundError" in done.stderr:
        return []
    assert done.returncode == 0, done.stderr + "\n".join(
        map(str, (entry["MESSAGE"] for entry in machine.journal(SERVICE)))
    )
    return [Answer(*answer) for answer in json.loads(done.stdout)]


def show(machine: Machine, unit: str, name: str) -> str:
    """A property of a unit."""
    return machine.run("systemctl", "show", unit, f"--property={name}", "--value").stdout.strip()


@contextmanager
def two_hosts(folder: Path) -> Iterator[Fleet]:
    """Debian 13 with nginx and Caddy, and Debian 12, before the first play."""
    with (
        postgresql(SECRET) as database,
        mail_server(auth_require_tls=False) as mail,
        booted("app1", debian_13()) as app1,
        booted("app2", debian_12()) as app2,
    ):
        database.introduce_to(app1, app2)
        install(app1, "python3-venv", "nginx", "caddy")
        install(app2, "python3-venv")
        for user in ("anna", "bert"):
            app1.run("useradd", "--create-home", user)
        (app2.root / BANK_IS_DOWN).touch()
        variables: dict[str, object] = {
            **database.variables,
            "scheduled_tasks_wheelhouse": str(
                wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")
            ),
            "scheduled_tasks_cache": str(folder / "cache"),
            "scheduled_tasks_require_synchronised_clock": False,  # it is the test machine's
        }
        enabled: dict[str, dict[str, object]] = {"app1": {"scheduled_tasks_enabled_clocks": ["weekly"]}}
        controller = set_up(folder, {"app1": app1, "app2": app2}, variables, enabled)
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        fleet = Fleet(controller, database, mail, port, folder)
        controller.variables |= follow_the_guide(fleet)
        controller.write("shop/tasks/invoices.py", TASK)
        controller.write("shop/clocks/billing.py", CLOCK)
        certify(folder)
        yield fleet


def install(machine: Machine, *packages: str) -> None:
    """Install Debian's packages; none of their services starts."""
    policy = machine.root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    machine.run("apt-get", "update", "-qq", seconds=300)
    command = ("apt-get", "install", "--yes", "-qq", "--no-install-recommends", *packages)
    machine.run("env", "DEBIAN_FRONTEND=noninteractive", *command, seconds=300)
    policy.unlink()


def follow_the_guide(fleet: Fleet) -> dict[str, object]:
    """Create the guide's role in PostgreSQL; return its variables, and those of a route for notices."""
    [create] = [block.text for block in blocks(GUIDE) if block.language == "sql"]
    [text] = [block.text for block in blocks(GUIDE) if block.language == "yaml"]
    with psycopg.connect(fleet.database.administrator, autocommit=True) as connection:
        connection.execute(create.replace("…", f"{SECRET}-shop_page").encode())
        connection.execute(f"CREATE ROLE {NOTIFIER} LOGIN PASSWORD '{SECRET}-{NOTIFIER}'".encode())
    fleet.controller.replace(
        "deploy/inventory.yml",
        "tasks_role: shop_tasks",
        f"tasks_role: shop_tasks\n      page_role: shop_page\n      notifier_role: {NOTIFIER}",
    )
    variables: dict[str, Any] = yaml.safe_load(text)
    variables["scheduled_tasks_page"]["proxy"]["users"].append("caddy")
    variables["scheduled_tasks_page"]["idle_seconds"] = IDLE_SECONDS
    route = {
        "kind": "mail",
        "url": f"smtp://127.0.0.1:{fleet.mail.port}",
        "from": "c@example.org",
        "to": ["o@example.org"],
    }
    return {
        **variables,
        "vault_page_database_url": fleet.database.notifier.replace(NOTIFIER, "shop_page"),
        "scheduled_tasks_listen": True,
        "scheduled_tasks_credentials": {"notify.database_url": fleet.database.notifier},
        "scheduled_tasks_notify": {"routes": {"ops": route}, "page_url": f"{fleet.url}/job/{{clock}}/{{job}}"},
    }


@contextmanager
def proxy(fleet: Fleet, program: str) -> Iterator[None]:
    """The guide's nginx or Caddy on the page's host; only its port is another."""
    text = example(program, with_oauth2_proxy=False)
    root = fleet.app1.root
    for name in (f"{NAME}.pem", f"{NAME}.key"):
        (root / "etc/ssl" / name).write_bytes((fleet.folder / name).read_bytes())
        (root / "etc/ssl" / name).chmod(0o644)
    if program == "nginx":
        (root / "etc/nginx/sites-enabled/default").unlink(missing_ok=True)  # it listens on this machine's port 80
        hashed = printed("openssl", "passwd", "-apr1", "-stdin", stdin=PASSWORD)
        (root / "etc/nginx/clocks-page.htpasswd").write_text(f"anna:{hashed}\n")
        assert "listen 443 ssl;" in text
        (root / "etc/nginx/conf.d/clocks-page.conf").write_text(text.replace("443", f"127.0.0.1:{fleet.port}"))
    else:
        hashed = fleet.app1.run("caddy", "hash-password", "--plaintext", PASSWORD).stdout.strip()
        assert text.startswith("page.example {")
        ours = text.replace("page.example {", f"page.example:{fleet.port} {{\n    bind 127.0.0.1", 1)
        (root / "etc/caddy/Caddyfile").write_text(CADDY + ours.replace("HASH", hashed))
    fleet.app1.run("systemctl", "start", program)
    try:
        yield
    finally:
        fleet.app1.run("systemctl", "stop", program)
