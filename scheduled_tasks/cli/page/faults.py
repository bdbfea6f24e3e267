"""What keeps the page of this host from starting, for `clocks check`: before a deployment makes it current."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from scheduled_tasks.errors import ConfigurationError, ScheduledTasksError
from scheduled_tasks.run import database, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduled_tasks.run.settings import Settings

PAGE_DATABASE_URL = "page_database_url"  # a setting: with the role that can only read, and call the functions that act
MODULES = {"page": ("starlette", "uvicorn", "psycopg_pool"), "page-oidc": ("authlib", "joserfc", "requests")}


def page_faults(configuration: Settings, *, connects: bool) -> Iterator[str]:
    """The faults of the table `[page]`; if this host serves the page, also what it lacks for that."""
    from scheduled_tasks.page.access import configured

    table = configuration.values.get("page")
    if table is None:
        return
    try:
        configured(table, "", proxy_secret=settings.setting("page.proxy_secret", ""))
    except ConfigurationError as error:
        yield str(error)
        return
    if not (url := settings.setting(PAGE_DATABASE_URL, "")):
        return
    for extra in ("page", *(["page-oidc"] if "oidc" in table else [])):
        if missing := [module for module in MODULES[extra] if not find_spec(module)]:
            instead = f"write scheduled-tasks[{extra}] into the project's dependencies, and lock them again"
            yield f"the page needs {missing[0]}: {instead}"
    if connects:
        try:
            with database.connect(url, name="clocks"):
                pass
        except ScheduledTasksError as error:
            yield f"the page's database, {PAGE_DATABASE_URL}: {error}"
