"""The application context in which a task runs, and the changes that the task left uncommitted there.

An application with `app_context()` (Flask) has its own context; the configured factory sets Django up by calling
`django.setup()`; any other object needs no context.
"""

from __future__ import annotations

import sys
from contextlib import nullcontext
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scheduled_tasks.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

_IDLE, _IN_TRANSACTION = 0, 2  # libpq's PQTRANS_IDLE, PQTRANS_INTRANS


def application_factory(path: str) -> Callable[[], object]:
    """A function that makes the application named by the configuration's `app`, once, when it is first called.

    Args:
        path: `module:factory`; empty for a project without an application, which is then None.
    """
    return cache(lambda: _make(path) if path else None)


def load_object(path: str, key: str) -> Any:
    """The object that a configuration key names as `module:name`.

    Raises:
        ConfigurationError: the module can't be imported, or has no such name.
    """
    module, _, name = path.partition(":")
    try:
        value: Any = import_module(module)
        for part in (name or "None").split("."):
            value = getattr(value, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{key} = {path!r} can't be loaded: {error}; write {key} = 'module:name'") from error
    return value


def _make(path: str) -> object:
    factory = load_object(path, "app")
    # A Flask application is callable itself (WSGI): it is the application, not its factory.
    return factory() if callable(factory) and not hasattr(factory, "app_context") else factory


def application_context(app: object) -> AbstractContextManager[object]:
    """The application's own context, if it has one."""
    own: Callable[[], AbstractContextManager[object]] | None = getattr(app, "app_context", None)
    return own() if own is not None else nullcontext()


def uncommitted(app: object) -> Iterator[str]:
    """Describe each change that the task left uncommitted; to be called before the context ends.

    Supports Flask-SQLAlchemy's session and Django's connections, and any application with a method `uncommitted()` that
    yields such descriptions.
    """
    own = getattr(app, "uncommitted", None)
    if callable(own):
        yield from own()
    extensions = getattr(app, "extensions", None)
    sqlalchemy = extensions.get("sqlalchemy") if isinstance(extensions, dict) else None
    registry = getattr(getattr(sqlalchemy, "session", None), "registry", None)  # of the session of this context
    if registry is not None and registry.has() and _session_has_changes(registry()):
        yield "the SQLAlchemy session has changes"
    if "django.db" in sys.modules:
        for connection in sys.modules["django.db"].connections.all(initialized_only=True):
            if connection.connection is not None and _has_written(connection.connection):
                yield f"Django's connection {connection.alias!r} has changes"


def _session_has_changes(session: Any) -> bool:
    if session.new or session.dirty or session.deleted or not session.is_active:  # not active: a flush has failed
        return True
    # Flushed changes have left the session's lists; the database knows whether the transaction has written.
    return session.in_transaction() and _has_written(session.connection().connection.dbapi_connection)


def _has_written(connection: Any) -> bool:
    """Whether the open transaction of a driver's connection (sqlite3, psycopg, psycopg2) has something to lose."""
    if hasattr(connection, "in_transaction"):  # sqlite3 opens a transaction for writing statements only
        return bool(connection.in_transaction)
    status = getattr(getattr(connection, "info", None), "transaction_status", _IDLE)
    if status != _IN_TRANSACTION:
        return bool(status != _IDLE)  # a failed one has lost its changes
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id_if_assigned()")
        return cursor.fetchone()[0] is not None
