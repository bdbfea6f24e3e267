"""docs/explanation/faults.md is made from the hostile suite's list of faults, and each of them is shown by a test."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.machine import faults

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs/explanation/faults.md"


def test_the_page_has_the_tables_of_the_suites_list(request: pytest.FixtureRequest) -> None:
    prose = PAGE.read_text().partition("\n## ")[0].rstrip("\n")
    expected = f"{prose}\n\n{faults.table()}".rstrip("\n") + "\n"
    if request.config.getoption("--write-golden"):
        PAGE.write_text(expected)
    assert PAGE.read_text() == expected


@pytest.mark.parametrize("fault", [*faults.AROUND, faults.NETWORK], ids=lambda fault: fault.what)
def test_the_test_that_shows_a_fault_exists(fault: faults.Fault) -> None:
    module, _, name = fault.shown_by.partition("::")
    tree = ast.parse((TESTS / module).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


def test_each_job_of_the_suite_has_one_fault() -> None:
    names = [job for jobs in faults.CLOCKS.values() for job in jobs]
    assert len(names) == len(set(names)) > 20
    in_tables = [
        fault for section in faults.SECTIONS.values() for fault in section if isinstance(fault, faults.JobFault)
    ]
    assert len(in_tables) == len(names)
