"""Options of the test run, and a check of every run."""

from __future__ import annotations

import os

import hypothesis
import pytest

# A busy machine is slow: no example has a time limit.
hypothesis.settings.register_profile("no_deadline", deadline=None)
hypothesis.settings.load_profile("no_deadline")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--write-golden", action="store_true", help="write tests/golden/*/expected; then read the diff")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse to run if xdist doesn't keep a group's tests on one worker: they share a machine, in their order.

    xdist writes a test's group into its id. One version silently ignored the groups.
    """
    if "PYTEST_XDIST_WORKER" not in os.environ or not config.getoption("loadgroup", default=False):
        return
    if apart := [item.nodeid for item in items if item.get_closest_marker("xdist_group") and "@" not in item.nodeid]:
        raise pytest.UsageError(f"this pytest-xdist doesn't keep groups together, for example {apart[0]}")
