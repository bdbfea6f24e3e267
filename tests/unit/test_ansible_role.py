"""Facts that the role and its collection state in two places are the same in both."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, FileSystemLoader
from ruamel.yaml import YAML  # comes with ansible-lint

import scheduled_tasks
from scheduled_tasks.alert.route_keys import KEYS
from scheduled_tasks.alert.routes import notify_settings
from scheduled_tasks.metrics.traces.trace_settings import KEYS as TRACE_KEYS
from scheduled_tasks.metrics.traces.trace_settings import trace_settings
from scheduled_tasks.page.access import configured
from scheduled_tasks.page.access.settings import KEYS as PAGE_KEYS
from scheduled_tasks.run.settings import Settings
from tests.documented import blocks

REPOSITORY = Path(__file__).parents[2]
ROLE = REPOSITORY / "ansible/roles/scheduled_tasks"
TASK_FILES = sorted(ROLE.glob("tasks/*.yml")) + sorted(ROLE.glob("handlers/*.yml"))
PAGE_SECRETS = ["page_database_url", "page.oidc_client_secret"]
KEYWORDS = {
    "name", "when", "vars", "register", "loop", "loop_control", "notify", "tags", "environment", "check_mode", "diff",
    "changed_when", "failed_when", "no_log", "delegate_to", "run_once", "become", "until", "retries", "delay", "block",
}  # fmt: skip


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def specs() -> Any:
    return read(ROLE / "meta/argument_specs.yml")["argument_specs"]


def tasks(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "block" in item:
            yield from tasks(item["block"] + item.get("rescue", []))
        else:
            yield item


ALL_TASKS = [task for path in TASK_FILES for task in tasks(read(path))]


def test_every_default_is_specified_with_its_value() -> None:
    options = specs()["main"]["options"]
    defaults = read(ROLE / "defaults/main.yml")
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    computed = {name for name, value in defaults.items() if "{{" in str(value)}  # the specification describes those
    assert {name: value for name, value in defaults.items() if name not in computed} == {
        name: option["default"] for name, option in options.items() if name in defaults and name not in computed
    }


def test_every_entry_point_is_specified_and_every_option_described() -> None:
    entry_points = {"main", "prepare", "switch", "rollback", "remove", "notify_test"}
    assert set(specs()) == entry_points
    for entry_point in specs().values():
        assert [name for name, option in entry_point["options"].items() if not option.get("description")] == []
    used = {role["tasks_from"] for play in ("site", "rollback", "remove", "notify_test") for role in roles_of(play)}
    assert used == entry_points - {"main"}


def roles_of(playbook: str) -> Iterator[dict[str, str]]:
    for play in read(REPOSITORY / f"ansible/{playbook}.yml"):
        yield from (task["ansible.builtin.import_role"] for task in play["tasks"])


def test_every_variable_that_the_role_reads_is_specified() -> None:
    text = "\n".join(path.read_text() for path in ROLE.rglob("*") if path.suffix in {".yml", ".j2"})
    variables = set(re.findall(r"(?<![\w-])scheduled_tasks_[a-z_]+\b", text))
    assert variables - set(specs()["main"]["options"]) == set()


def test_the_table_of_notify_has_the_configurations_keys() -> None:
    assert set(specs()["main"]["options"]["scheduled_tasks_notify"]["options"]) == set(KEYS)


def test_the_role_writes_a_table_that_is_read_again() -> None:
    notify = {
        "default": ["ops"],
        "fallback": "",
        "routes": {
            "ops": {"kind": "mail", "url": "smtp://127.0.0.1", "to": ["é@example.org"], "from": "clocks@example.org"},
            "pager-2": {"kind": "apprise", "credential": "pager_url", "allow_network": ["any"]},
        },
    }
    written = rendered_config(scheduled_tasks_notify=notify, __scheduled_tasks_all_credentials={"notify.pager_url": ""})
    read = notify_settings(Settings(Path("config.toml"), tomllib.loads(written), deployed=True))
    assert (read.default, read.fallback, list(read.routes)) == (("ops",), "ops", ["ops", "pager-2"])
    assert read.routes["ops"].to == ("é@example.org",)
    assert "notify" not in tomllib.loads(rendered_config())


def test_the_table_of_traces_has_the_configurations_keys() -> None:
    assert set(specs()["main"]["options"]["scheduled_tasks_traces"]["options"]) == set(TRACE_KEYS)


def test_the_role_writes_a_table_of_traces_that_is_read_again() -> None:
    traces = {
        "url": "http://192.0.2.4:4318", "headers_credential": "", "service": "Boutique d'été",
        "resource": {"deployment.environment.name": "production"}, "allow_network": ["192.0.2.4"],
    }  # fmt: skip
    written = tomllib.loads(rendered_config(scheduled_tasks_traces=traces))
    read = trace_settings(Settings(Path("config.toml"), written, deployed=True))
    assert (read.endpoint.url, read.service) == ("http://192.0.2.4:4318", "Boutique d'été")
    assert (read.resource, read.network) == ({"deployment.environment.name": "production"}, ("192.0.2.4",))
    assert "traces" not in tomllib.loads(rendered_config())


def test_the_table_of_the_page_has_the_configurations_keys() -> None:
    assert set(specs()["main"]["options"]["scheduled_tasks_page"]["options"]) == set(PAGE_KEYS)


def test_the_role_writes_the_guides_table_of_the_page_for_its_host_alone() -> None:
    guide = blocks("how-to/serve-the-page.md")
    [variables] = [block.text for block in guide if block.language == "yaml"]
    page = YAML(typ="safe").load(variables)["scheduled_tasks_page"]
    page["tokens"] = YAML(typ="safe").load(f"ci.prod: {{sha256: {'a' * 64}, until: 2027-06-30T00:00:00Z}}")
    page |= {"idle_seconds": 60, "oidc": None}
    credentials = {"database_url": "", "page_database_url": "", "page.oidc_client_secret": ""}
    ours = {"scheduled_tasks_page": page, "__scheduled_tasks_all_credentials": credentials}
    written = tomllib.loads(rendered_config(__scheduled_tasks_has_page=True, **ours))
    read = configured(written["page"], "a secret")
    assert read.authority.admins == {"anna"}
    assert read.authority.of_clocks == {"nightly": frozenset({"bert"})}
    assert read.proxy is not None
    assert read.proxy.user_header == "x-forwarded-user"
    assert read.proxy.users == {"www-data"}
    [token] = read.tokens
    assert (token.name, token.until) == ("ci.prod", datetime(2027, 6, 30, tzinfo=UTC))
    assert written["page"]["idle_seconds"] == 60
    assert written["credentials"] == ["database_url"]
    elsewhere = tomllib.loads(rendered_config(__scheduled_tasks_has_page=False, **ours))
    assert "page" not in elsewhere
    empty = tomllib.loads(rendered_config(__scheduled_tasks_has_page=True))
    assert configured(empty["page"], "a secret").authority.admins == frozenset()


def test_the_roles_units_of_the_page_are_the_guides() -> None:
    by_hand = [block.text.rstrip("\n") for block in blocks("how-to/serve-the-page.md") if block.language == "ini"]
    folders = {
        "__scheduled_tasks_etc": "/etc/scheduled-tasks",
        "__scheduled_tasks_current": "/opt/scheduled-tasks/current",
    }
    service = rendered("clocks-page.service.j2", __scheduled_tasks_page_secrets=PAGE_SECRETS[:1], **folders)
    by_role = [(ROLE / "files/clocks-page.socket").read_text(), service.replace("credentials/current/", "credentials/")]
    mark = "# Written by Ansible, the role scheduled_tasks.\n"
    assert [text.removeprefix(mark).rstrip("\n") for text in by_role] == by_hand
    assert all(text.startswith(mark) for text in by_role)  # by which the role knows what it can remove


def test_the_guides_examples_are_without_fault_and_say_the_same() -> None:
    guide = blocks("how-to/be-told.md")
    [variables] = [block.text for block in guide if block.language == "yaml"]
    first, others = (block.text for block in guide if block.language == "toml")
    values = YAML(typ="safe").load(variables)
    credentials = {**values["scheduled_tasks_credentials"], "notify.chat_url": "", "notify.tickets_url": ""}
    credentials["notify.tickets_secret"] = ""
    by_role = rendered_config(
        scheduled_tasks_notify=values["scheduled_tasks_notify"], __scheduled_tasks_all_credentials=credentials
    )
    by_hand = tomllib.loads(first)
    ops, same = (
        notify_settings(Settings(Path("config.toml"), table, deployed=True))
        for table in (tomllib.loads(by_role), by_hand)
    )
    assert ops == same
    assert (ops.default, ops.sender_network) == (("ops",), ("192.0.2.25",))
    both = tomllib.loads(f"{first}\n{others}") | {"credentials": list(credentials)}
    routes = notify_settings(Settings(Path("config.toml"), both, deployed=True)).routes
    assert sorted(routes) == ["alertmanager", "chat", "ops", "tickets"]


def rendered_config(**variables: object) -> str:
    """The configuration that the role writes: its template, with the filters of Ansible that it uses."""
    names = ("release_path", "current", "credentials_folder", "role", "etc")
    values = {f"__scheduled_tasks_{name}": "/opt" for name in names} | read(ROLE / "defaults/main.yml")
    values |= {"scheduled_tasks_project": {"domains": "shop.tasks"}, "__scheduled_tasks_all_settings": {}}
    values |= {"__scheduled_tasks_all_credentials": {}, "__scheduled_tasks_page_secrets": PAGE_SECRETS}
    return rendered("config.toml.j2", **values | variables)


def rendered(template: str, **variables: object) -> str:
    environment = Environment(loader=FileSystemLoader(ROLE / "templates"), trim_blocks=True, autoescape=False)
    environment.filters |= {"to_json": json.dumps, "bool": bool}
    return environment.get_template(template).render(variables)


def test_the_role_needs_no_other_collection() -> None:
    modules = {key for task in ALL_TASKS for key in task if key not in KEYWORDS}
    assert {module for module in modules if not module.startswith("ansible.builtin.")} == set()
    assert read(REPOSITORY / "galaxy.yml")["dependencies"] == {}


def test_every_command_reports_whether_it_changed_something() -> None:
    commands = [task for task in ALL_TASKS if {"ansible.builtin.command", "ansible.builtin.raw"} & task.keys()]
    assert len(commands) > 10
    assert [task["name"] for task in commands if "changed_when" not in task] == []


def test_exactly_the_tasks_with_secrets_are_not_logged() -> None:
    assert {task["name"] for task in ALL_TASKS if task.get("no_log")} == {
        "config | Create the passwords of the roles in the local database",
        "config | Store the credentials",
        "postgresql | Create the database and its roles",
        "check | Write the dry run's credentials",
    }
    secret = [name for name, option in specs()["main"]["options"].items() if option.get("no_log")]
    assert secret == [
        "scheduled_tasks_credentials",
        "scheduled_tasks_database_url",
        "scheduled_tasks_operators_database_url",
        "scheduled_tasks_page_database_url",
        "scheduled_tasks_page_credentials",
    ]


def test_a_tasks_name_starts_with_its_area() -> None:
    areas = {path.stem for path in TASK_FILES} - {"main", "prepare", "switch"}
    for path in TASK_FILES:
        if path.stem in areas:
            names = [str(task["name"]) for task in tasks(read(path)) if path.parent.name == "tasks"]
            assert [name for name in names if not name.startswith(f"{path.stem} | ")] == []


def test_the_inventory_has_the_project_as_pyproject_has_it() -> None:
    inventory = read(REPOSITORY / "ansible/inventory/this_machine.yml")
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert inventory["scheduled_tasks"]["vars"]["scheduled_tasks_project"] == pyproject["tool"]["scheduled_tasks"]


def test_the_collection_has_the_version_of_the_package() -> None:
    version = read(REPOSITORY / "galaxy.yml")["version"]
    assert version == scheduled_tasks.__version__
    files = ("docs/how-to/deploy.md", "tests/machine/shop/deploy/requirements.yml")
    assert [
        name for name in files if f"scheduled_tasks-deploy-{version}.tar.gz" not in (REPOSITORY / name).read_text()
    ] == []


@pytest.mark.parametrize("name", ["roles", "playbooks"])
def test_the_collections_folders_are_the_repositorys(name: str) -> None:
    assert (REPOSITORY / name).is_symlink()
    assert (REPOSITORY / name).resolve() == (REPOSITORY / {"roles": "ansible/roles", "playbooks": "ansible"}[name])


def test_the_documented_inventory_is_the_one_that_a_test_deploys() -> None:
    page = (REPOSITORY / "docs/how-to/deploy.md").read_text()
    inventory = (REPOSITORY / "tests/machine/shop/deploy/inventory.yml").read_text()
    assert inventory.removeprefix("---\n") in page
