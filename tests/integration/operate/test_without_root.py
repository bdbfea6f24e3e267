"""On a deployed host a user who is not root gets one line and a code, and a monitor reads the ledger all the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from scheduled_tasks.operate.grants import Roles, grant
from tests.integration.operate.shop import SHOP, clocks, ran
from tests.projects import import_shop
from tests.roots import lacking, require

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tests.integration.operate.shop import Database


@pytest.fixture
def deployed(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The configuration of a deployed host, whose credential only root can read, and a way to be somebody else."""
    require(lacking("becoming another user", {}))
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv(TEST_URL, database_url)
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    configuration = folder / "config.toml"
    configuration.write_text('domains = "shop.tasks"\nfeatures = "shop.features:FeatureToggle"\n')
    configuration.chmod(0o644)
    (folder / "credentials").mkdir(mode=0o700)
    (folder / "credentials/operators_database_url").write_text(database_url)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder / "credentials"))
    import_shop(SHOP, monkeypatch)
    try:
        yield configuration
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)


TEST_URL = "TEST_DATABASE_URL"


def become_somebody(connection: Database) -> None:
    """Become a user who is not root but reaches PostgreSQL's socket."""
    os.seteuid(Path(connection.info.host).stat().st_uid)
    assert os.geteuid() != 0


@pytest.fixture
def monitors(connection: Database) -> Iterator[str]:
    """A role that `clocks migrate` lets read the ledger."""
    name = f"monitors_{os.getpid()}"
    connection.execute(f"CREATE ROLE {name} LOGIN")
    grant(connection, Roles(monitors_role=name))
    yield name
    connection.execute(f"DROP OWNED BY {name}")
    connection.execute(f"DROP ROLE {name}")


FOR_OPERATORS = [["status"], ["features", "list"], ["history"], ["show", "abcd"], ["pause", "--all", "--reason", "x"],
                 ["doctor"], ["migrate", "--check"]]  # fmt: skip


@pytest.mark.parametrize("argv", FOR_OPERATORS, ids=" ".join)
def test_without_root_a_command_says_what_it_may_not_read(
    deployed: Path, connection: Database, argv: list[str]
) -> None:
    clocks(*argv, configuration=deployed, check=False)  # imports what it needs: another user may not find it
    become_somebody(connection)
    done = clocks(*argv, configuration=deployed, check=False)
    credential = deployed.parent / "credentials/operators_database_url"
    instead = "run this as root, or set OPERATORS_DATABASE_URL to a URL of your own"
    assert (done.exit_code, done.stderr) == (77, f"clocks: {credential}: permission denied: {instead}\n")


def test_a_monitor_without_root_reads_the_ledger_with_a_role_of_its_own(
    deployed: Path,
    connection: Database,
    hour: datetime,
    monitors: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ran(connection, "count", hour, "failed", reason="no luck")
    monkeypatch.setenv("OPERATORS_DATABASE_URL", os.environ[TEST_URL].replace("postgres:", f"{monitors}:", 1))
    clocks("status", configuration=deployed)
    clocks("history", configuration=deployed)
    become_somebody(connection)
    assert "failed: no luck" in clocks("status", configuration=deployed).stdout
    assert clocks("history", "shop/count", configuration=deployed).exit_code == 0
    refused = clocks("pause", "--all", "--reason", "x", configuration=deployed, check=False)
    assert (refused.exit_code, refused.stderr.count("\n")) == (78, 1)
