"""The errors of the project, for every room.

One base error; each subclass's docstring is its default message. This module imports nothing: every run pays for it.
"""

from __future__ import annotations


class ScheduledTasksError(Exception):
    """Something went wrong in scheduled_tasks."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UsageError(ScheduledTasksError):
    """The command line is not understood."""

    exit_code = 64


class ConfigurationError(ScheduledTasksError):
    """The configuration is incomplete or wrong."""

    exit_code = 78


class ServiceUnavailableError(ScheduledTasksError):
    """A needed service is not reachable now."""

    exit_code = 75


class DecoratorOrderError(ScheduledTasksError):
    """The decorators of a task are in the wrong order."""

    exit_code = 78
