"""Two fresh hosts, Debian 13 and 12, through the life of a user's own project: the role as docs/how-to/deploy.md says.

The project is `shop`, the role comes with the collection, built and installed from its file. The hosts share a
database. Each test is a step, and follows the one before, through all modules of this folder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.machine.controller import REPOSITORY, SECRET, SHOP, Controller, set_up, wheelhouse
from tests.machine.deployments.steps import FIRST, SECOND, STATIC_USER
from tests.machine.machine import booted
from tests.machine.postgresql import Database, postgresql
from tests.roots import debian_12, debian_13

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE = REPOSITORY / ".cache/fleet.txt"  # what each play took, for people


@pytest.fixture(scope="package")
def database() -> Iterator[Database]:
    """The hosts' database, which they reach by TCP and TLS."""
    with postgresql(SECRET) as database:
        yield database


@pytest.fixture(scope="package")
def fleet(database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Controller]:
    """The controller, and two hosts as debootstrap makes them."""
    folder = tmp_path_factory.mktemp("controller")
    variables: dict[str, object] = {
        **database.variables,
        "scheduled_tasks_wheelhouse": str(wheelhouse(SHOP / "requirements.txt", REPOSITORY / "requirements/build.txt")),
        "scheduled_tasks_cache": str(folder / "cache"),
        "scheduled_tasks_require_synchronised_clock": False,  # it is the test machine's
    }
    with booted("app1", debian_13()) as app1, booted("app2", debian_12()) as app2:
        database.introduce_to(app1, app2)
        controller = set_up(folder, {"app1": app1, "app2": app2}, variables, {"app2": dict(STATIC_USER)})
        controller.replace("shop/clocks/nightly.py", "hour=4", f"hour={SECOND}")
        controller.replace("shop/clocks/nightly.py", "hour=3", f"hour={FIRST}")
        controller.replace("shop/clocks/weekly.py", "hour=8", f"hour={FIRST}")
        yield controller
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(controller.show_table() + "\n")
        print(f"\n{controller.show_table()}")  # noqa: T201 - `pytest -s` shows it
