"""Privileges in the database: what tasks, operators and monitoring may do, each with a role of its own.

`clocks migrate`, as the tables' owner, grants them to the roles that the configuration names (`Roles`) and revokes all
others; it creates no roles. If none is named, everybody connects as the owner, as in a checkout. `inspect_role` finds
what is wrong with the tasks' role.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import combinations
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql

from scheduled_tasks.errors import ConfigurationError
from scheduled_tasks.faults import what_to_write

if TYPE_CHECKING:
    import psycopg

# A run writes through these functions only. They have the owner's rights and check their arguments.
FUNCTIONS = ("open_run(jsonb, timestamptz)", "close_run(jsonb)", "next_attempt(uuid, uuid)")
# What the triggers on results call with the rights of whoever writes the result, and the watch.
JUDGING = (
    "alert_time()", "add_notice(bigint, text, timestamptz)", "close_incident(text, text, text, uuid, text)",
    "judge_job(text, text, text)", "try_to_judge(text, text, text)", "reason_of(task_run)", "judge_run(task_run)",
)  # fmt: skip
# Through which people act (migrations/0007). The page's role can call them and write nothing else.
ACTING = (
    "ask_request(text, text, text, text, timestamptz, timestamptz, uuid, boolean, text, text)",
    "add_pause(text, text, text, timestamptz, timestamptz, text, text)",
    "end_pause(text, text, text, timestamptz, text, text)",
    "switch_flag(text, boolean, timestamptz, text, text)",
    "acknowledge_incident(bigint, timestamptz, text, text)",
    "snooze_incident(bigint, timestamptz, text, text)",
)
REVERTING = "revert_expired_flags()"  # the watch's part of a switch
ALL_FUNCTIONS = (*FUNCTIONS, *JUDGING, *ACTING, REVERTING)
TASKS = {"feature": "SELECT", "pause": "SELECT"}
OPERATORS = {
    "feature": "SELECT, INSERT, UPDATE",
    "feature_change": "SELECT, INSERT",
    "pause": "SELECT, INSERT, UPDATE",
    "task_run": "SELECT, INSERT, UPDATE, DELETE",
    "past_attempt": "SELECT, DELETE",
    "role_clock": "SELECT",
    "deployed_job": "SELECT, INSERT, UPDATE, DELETE",
    "host": "SELECT, INSERT, UPDATE, DELETE",
    "maintenance": "SELECT, INSERT, UPDATE, DELETE",
    "incident": "SELECT, INSERT, UPDATE, DELETE",
    "notice": "SELECT, INSERT, UPDATE, DELETE",
    "run_log": "SELECT, INSERT, UPDATE, DELETE",
    "request": "SELECT, UPDATE, DELETE",
    "ping": "SELECT, DELETE",
    "dead_man": "SELECT, INSERT, UPDATE, DELETE",
    "slot_change": "SELECT, INSERT, DELETE",
    "slot_hour": "SELECT, INSERT, UPDATE, DELETE",
    "clock_hour": "SELECT, INSERT, UPDATE, DELETE",
    "clock_total": "SELECT, INSERT, UPDATE",
    "clock_duration": "SELECT, INSERT, UPDATE",
    "trace_export": "SELECT, INSERT, UPDATE, DELETE",
    "span_outbox": "SELECT, DELETE",
    "page_token": "SELECT, INSERT, UPDATE",
    "schema_migration": "SELECT",
}
OWN = tuple(OPERATORS)
MONITORS = dict.fromkeys([table for table in OWN if table != "page_token"], "SELECT")
PAGE = MONITORS | {"page_token": "SELECT"}  # what it shows, and whom it knows; it acts through ACTING
# The sender takes notices and records whether they were sent.
NOTIFIERS = MONITORS | {
    "notice": "SELECT, INSERT, UPDATE",
    "maintenance": "SELECT, INSERT, UPDATE, DELETE",
    "ping": "SELECT, UPDATE",
    "dead_man": "SELECT, UPDATE",
    "trace_export": "SELECT, UPDATE",
    "span_outbox": "SELECT, DELETE",
}


PURPOSES = ("operators_role", "monitors_role", "notifier_role", "page_role")


class Roles(NamedTuple):
    """The configured roles, each with the keys of the configuration as names.

    Attributes:
        tasks_role: of the services; "" if they connect as the owner, as in a checkout.
        clock_roles: of the services of single clocks, by clock: other roles then can't record runs of that clock, and
            that role none of others.
        tasks_tables: the project's own tables whose rows the services read and write.
        operators_role, monitors_role, notifier_role, page_role: of people and the watch, of monitoring, of the service
            that sends notices, and of the page; "" for none.
    """

    tasks_role: str = ""
    clock_roles: Mapping[str, str] = {}
    tasks_tables: Iterable[str] = ()
    operators_role: str = ""
    monitors_role: str = ""
    notifier_role: str = ""
    page_role: str = ""

    @classmethod
    def configured(cls, values: Mapping[str, Any]) -> Roles:
        """The roles that the keys of a configuration name.

        Raises:
            ConfigurationError: a key's value has another form.
        """
        roles = cls(**{key: values[key] for key in cls._fields if key in values})
        if isinstance(roles.tasks_tables, str) or not all(map(_is_name, roles.tasks_tables)):
            raise ConfigurationError(f'tasks_tables = {roles.tasks_tables!r}: write a list of names, ["customer"]')
        clock_roles: object = roles.clock_roles
        if not (isinstance(clock_roles, Mapping) and all(map(_is_name, clock_roles.values()))):
            raise ConfigurationError(f'clock_roles = {clock_roles!r}: write a table, {{ booking = "role" }}')
        return roles

    @property
    def of_services(self) -> tuple[str, ...]:
        """The roles with which runs are recorded."""
        return tuple(dict.fromkeys(filter(None, (self.tasks_role, *self.clock_roles.values()))))


def _is_name(value: object) -> bool:
    return isinstance(value, str) and value != ""


def wrong_roles(roles: Iterable[tuple[str, str]], clock_roles: Mapping[str, str]) -> list[str]:
    """A fault for each clock, given with the role of its jobs, whose runs the ledger would not let that role record."""
    faults = []
    for clock, role in roles:
        own = clock_roles.get(clock)
        if role != own and (own or role in clock_roles.values()):
            records = f"only {own} can record the clock's runs" if own else "it can record other clocks' runs only"
            faults.append(
                f"clock {clock}: the PostgreSQL role of its jobs is {role}, but {records} (clock_roles): store a URL"
                f" with another role as {clock}.database_url, and write that name into credentials (Ansible:"
                " scheduled_tasks_credentials)"
            )
    return faults


def grant(connection: psycopg.Connection[Any], roles: Roles) -> None:
    """Grant each role its privileges on the ledger and the project's own tables, and revoke all others.

    Raises:
        ConfigurationError: a role or a table does not exist, or one role has two purposes.
    """
    _check(connection, roles)
    with connection.transaction():
        [(schema, is_open)] = connection.execute(
            "SELECT current_schema(), has_schema_privilege('public', current_schema(), 'CREATE')"
        ).fetchall()
        if is_open:  # before PostgreSQL 15: what others create there, our functions could find before PostgreSQL's own
            _run(connection, "REVOKE CREATE ON SCHEMA {} FROM PUBLIC", schema)
        tables = _own_tables(connection, roles.tasks_tables)
        for role in roles.of_services:
            _grant(connection, schema, role, TASKS | dict.fromkeys(tables, "SELECT, INSERT, UPDATE, DELETE"))
            _grant_sequences(connection, role, tables)
        if roles.operators_role:
            _grant(connection, schema, roles.operators_role, OPERATORS, functions=ALL_FUNCTIONS)
        if roles.monitors_role:
            _grant(connection, schema, roles.monitors_role, MONITORS, functions=())
        if roles.notifier_role:
            _grant(connection, schema, roles.notifier_role, NOTIFIERS, functions=())
        if roles.page_role:
            _grant(connection, schema, roles.page_role, PAGE, functions=ACTING)
        connection.execute("DELETE FROM role_clock")
        for clock, role in roles.clock_roles.items():
            connection.execute("INSERT INTO role_clock (role, clock) VALUES (%s, %s)", [role, clock])


def _check(connection: psycopg.Connection[Any], roles: Roles) -> None:
    """Check that each role exists, and that none has two purposes."""
    purposes = {key: getattr(roles, key) for key in PURPOSES}
    for key, role in purposes.items():
        if role and role in roles.of_services:
            raise ConfigurationError(f"{key} and the tasks' role are both {role!r}: a task could then do the same")
    for one, other in combinations([key for key, role in purposes.items() if role], 2):
        if purposes[one] == purposes[other]:
            raise ConfigurationError(f"{one} and {other} are both {purposes[one]!r}")
    for role in filter(None, (*roles.of_services, *purposes.values())):
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount == 0:
            raise ConfigurationError(
                f"PostgreSQL has no role {role!r}: create it first, as an administrator (CREATE ROLE)"
            )


def _own_tables(connection: psycopg.Connection[Any], named: Iterable[str]) -> list[str]:
    """Check the names of the project's own tables."""
    known = [name for (name,) in connection.execute(_OWNED_TABLES).fetchall() if name not in OWN]
    for name in named:
        if name in OWN:
            raise ConfigurationError(f"tasks_tables: {name} is a table of the ledger: tasks can't write there")
        if name not in known:
            instead = what_to_write(name, known, "the project's tables")
            raise ConfigurationError(f"tasks_tables: there is no table {name!r} of this owner; {instead}")
    return list(named)


_OWNED_TABLES = (
    "SELECT relname::text FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p')"
    " AND pg_has_role(relowner, 'USAGE') ORDER BY relname"
)
# Of each column's own sequence (serial); those of identity columns need no privilege.
_SEQUENCES = (
    "SELECT sequence.relname::text, owner.relname::text FROM pg_class AS sequence LEFT JOIN pg_depend"
    " ON objid = sequence.oid AND classid = 'pg_class'::regclass AND deptype = 'a'"
    " LEFT JOIN pg_class AS owner ON owner.oid = refobjid"
    " WHERE sequence.relkind = 'S' AND sequence.relnamespace = current_schema()::regnamespace"
    " AND pg_has_role(sequence.relowner, 'USAGE')"
)


def _grant(
    connection: psycopg.Connection[Any],
    schema: str,
    role: str,
    rights: Mapping[str, str],
    *,
    functions: Iterable[str] = FUNCTIONS,
) -> None:
    _run(connection, "GRANT USAGE ON SCHEMA {} TO {}", schema, role)
    for (table,) in connection.execute(_OWNED_TABLES).fetchall():
        _run(connection, "REVOKE ALL ON {} FROM {}", table, role)
        if allowed := rights.get(table):
            _run(connection, f"GRANT {allowed} ON {{}} TO {{}}", table, role)
    for function in ALL_FUNCTIONS:
        verb = "GRANT EXECUTE ON FUNCTION {} TO" if function in functions else "REVOKE ALL ON FUNCTION {} FROM"
        _run(connection, f"{verb.format(function)} {{}}", role)


def _grant_sequences(connection: psycopg.Connection[Any], role: str, tables: Iterable[str]) -> None:
    for sequence, table in connection.execute(_SEQUENCES).fetchall():
        _run(connection, "REVOKE ALL ON SEQUENCE {} FROM {}", sequence, role)
        if table in tables:
            _run(connection, "GRANT USAGE ON SEQUENCE {} TO {}", sequence, role)


def _run(connection: psycopg.Connection[Any], statement: str, *names: str) -> None:
    connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


class RoleProblems(NamedTuple):
    """What is wrong with the tasks' role: `faults` open the ledger to every task, `warnings` don't."""

    faults: tuple[str, ...]
    warnings: tuple[str, ...]


_POWERS = """
SELECT role.rolname::text, rolsuper, rolcreaterole, rolconnlimit < 0 AS has_no_limit,
       pg_has_role(role.oid, 'pg_signal_backend', 'USAGE') AS signals,
       has_schema_privilege(role.oid, current_schema(), 'CREATE') AS creates,
       coalesce(pg_has_role(role.oid, relowner, 'USAGE'), false) AS owns,
       coalesce(has_table_privilege(role.oid, task_run.oid, 'INSERT, UPDATE, DELETE, TRUNCATE'), false) AS writes
  FROM pg_roles AS role LEFT JOIN pg_class AS task_run ON task_run.oid = to_regclass('task_run')
 WHERE rolname = coalesce(nullif(%s, ''), session_user)
"""


def inspect_role(connection: psycopg.Connection[Any], role: str = "") -> RoleProblems:
    """Find what is wrong with a role as the tasks' role; by default the role that is connected.

    Changes nothing, and needs no privilege: PostgreSQL's catalog is readable for everybody.
    """
    row = connection.execute(_POWERS, [role]).fetchone()
    if row is None:
        return RoleProblems((f"PostgreSQL has no role {role!r}",), ())
    name, is_superuser, creates_roles, has_no_limit, signals, creates, owns, writes = row
    faults = {
        "is a superuser": is_superuser,
        "can create roles": creates_roles and not is_superuser,
        "owns the ledger's tables": owns and not is_superuser,
        "can write task_run": writes and not owns and not is_superuser,
        "can create objects in the schema of the ledger": creates and not owns and not is_superuser,
        "can end the connections of others (pg_signal_backend)": signals and not is_superuser,
    }
    what_to_do = "give the tasks a role of their own, name it in tasks_role, and run clocks migrate as the owner"
    limit = f"the tasks' role {name} has no connection limit: one job can take all connections of PostgreSQL; write "
    return RoleProblems(
        tuple(f"the tasks' role {name} {power}: {what_to_do}" for power, holds in faults.items() if holds),
        (f"{limit}ALTER ROLE {sql.Identifier(name).as_string(connection)} CONNECTION LIMIT 50",)
        if has_no_limit and not is_superuser
        else (),
    )
