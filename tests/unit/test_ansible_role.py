"""What the role says of itself in two places is the same in both."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML  # comes with ansible-lint

REPOSITORY = Path(__file__).parents[2]
ROLE = REPOSITORY / "ansible/roles/scheduled_tasks"


def read(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def test_every_default_is_specified_with_its_value() -> None:
    options = read(ROLE / "meta/argument_specs.yml")["argument_specs"]["main"]["options"]
    defaults = read(ROLE / "defaults/main.yml")
    assert set(defaults) == {name for name, option in options.items() if not option.get("required")}
    computed = {name for name, value in defaults.items() if "{{" in str(value)}  # the specification describes those
    assert {name: value for name, value in defaults.items() if name not in computed} == {
        name: option["default"] for name, option in options.items() if name in defaults and name not in computed
    }


def test_the_inventory_has_the_project_as_pyproject_has_it() -> None:
    inventory = read(REPOSITORY / "ansible/inventory/this_machine.yml")
    pyproject = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())
    assert inventory["scheduled_tasks"]["vars"]["scheduled_tasks_project"] == pyproject["tool"]["scheduled_tasks"]
