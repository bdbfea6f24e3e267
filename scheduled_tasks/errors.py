"""The base classes of the project's errors. Every run imports this module, so it imports nothing.

Each subclass has an exit code (from sysexits.h if one fits), and its docstring is its default message:

     1  ScheduledTasksError, WatchError; CommandFailedError has the command's own code
    64  UsageError: BindError, UnknownFeatureError; UnknownTaskError
    65  FaultsError, ForeignUnitError, UnsafeUnitError, UnsoundUnitError, UnwritableValueError, ExposedUnitError,
        CutOffError, MigrationError, UnansweredError
    71  SystemdError
    73  UnwritableError
    74  FilesError
    75  ServiceUnavailableError; AnotherApplyError, DeliveryError, PausedError, RestartedError, StartError
    77  NotRootError
    78  ConfigurationError: OtherMachineError, SchemaMissingError, TaskImportError; DecoratorOrderError
"""

from __future__ import annotations


class ScheduledTasksError(Exception):
    """Something went wrong in scheduled_tasks."""

    exit_code = 1

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.__doc__)


class UsageError(ScheduledTasksError):
    """The command line has a fault."""

    exit_code = 64


class ConfigurationError(ScheduledTasksError):
    """The configuration is incomplete or wrong."""

    exit_code = 78


class ServiceUnavailableError(ScheduledTasksError):
    """A needed service is unreachable."""

    exit_code = 75


class FilesError(ScheduledTasksError):
    """A file cannot be read or written."""

    exit_code = 74


class NotRootError(ScheduledTasksError):
    """Only root may do that."""

    exit_code = 77


class DecoratorOrderError(ScheduledTasksError):
    """The decorators of a task are in the wrong order."""

    exit_code = 78
