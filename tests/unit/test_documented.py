"""Every block of commands in the documentation belongs to a test that runs it; every other block has no commands."""

from __future__ import annotations

import ast
import re

import pytest
import yaml

from tests.documented import DOCS, FENCE, PAGES, ROOT, RUNNERS, Block, blocks

ALL = [block for page in PAGES for block in blocks(page)]
CONSOLE = [block for block in ALL if block.language == "console"]


def identify(block: Block) -> str:
    return f"{block.page}: {block.text.partition(chr(10))[0][:50]}"


@pytest.mark.parametrize("block", CONSOLE, ids=identify)
def test_a_block_of_commands_has_a_runner(block: Block) -> None:
    assert block.runner in RUNNERS
    assert block.text.startswith("$ ")
    source = (ROOT / RUNNERS[block.runner]).read_text()
    assert f'"{block.runner}"' in source
    assert f'"{block.page}"' in source or "PAGES" in source


def test_every_runner_has_a_block() -> None:
    assert {block.runner for block in CONSOLE} == set(RUNNERS)


def test_no_other_block_has_commands() -> None:
    known = {"console", "ini", "python", "sql", "text", "toml", "yaml"}
    of_other_programs = {"caddy", "icinga", "nagios", "nginx", "nrpe", "zabbix"}  # each has a test that runs them
    assert {block.language for block in ALL} == known | of_other_programs
    first_words = {command.split()[0].rpartition("/")[2] for block in CONSOLE for command, _ in block.steps}
    # The page of commands is written from `--help`, whose usage and examples begin with a command's name.
    others = [b for b in ALL if b.language != "console" and b.page != "reference/commands.md"]
    hidden = [
        identify(b) for b in others for line in b.text.splitlines() if {*line.split()[:1]} & (first_words | {"$"})
    ]
    assert hidden == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_block_without_fences(page: str) -> None:
    without = FENCE.sub("", PAGES[page])
    assert "```" not in without
    assert re.findall(r"(?:\A|\n)\n((?: {4}|\t).*)", without) == []


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "python"], ids=identify)
def test_a_block_of_python_is_python(block: Block) -> None:
    ast.parse(block.text)


def test_the_documented_inventory_is_the_one_of_the_fleets_test() -> None:
    shown = [yaml.safe_load(block.text) for block in blocks("how-to/deploy.md") if block.language == "yaml"]
    assert yaml.safe_load((ROOT / "tests/machine/shop/deploy/inventory.yml").read_text()) in shown


def test_the_recording_of_the_first_hour_has_the_tutorials_commands() -> None:
    recording = (DOCS / "recordings/first-hour.txt").read_text()
    typed = re.findall(r"^(?:\(\.venv\) )?\$ (.+)$", recording, re.MULTILINE)
    assert typed == [command for block in blocks("tutorial.md") for command, _ in block.steps]
