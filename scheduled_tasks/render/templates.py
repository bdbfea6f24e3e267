"""The templates of the units, and how they are rendered."""

from __future__ import annotations

from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scheduled_tasks.render import escape

if TYPE_CHECKING:
    from jinja2 import Environment
    from jinja2 import Template as LoadedTemplate

# A wheel has them in the package; a checkout has them at its top, where an operator looks for them.
TEMPLATES = tuple(folder / "units" for folder in Path(__file__).parents[1:3])


class Template(StrEnum):
    """The templates, by the names of their files."""

    PARENT_SLICE = "clock.slice.j2"
    ALL_SERVICES = "all-services.conf.j2"
    SLICE = "clock-CLOCK.slice.j2"
    TARGET = "clock-CLOCK.target.j2"
    CLOCK_SERVICES = "clock-services.conf.j2"
    SERVICE = "clock-CLOCK-JOB.service.j2"
    JOB_SERVICE = "job-service.conf.j2"
    TIMER = "clock-CLOCK-JOB.timer.j2"
    WATCH = "clock-watch.service.j2"
    WATCH_DROP_IN = "watch-service.conf.j2"
    WATCH_TIMER = "clock-watch.timer.j2"
    FAILED = "clock-failed.service.j2"
    FAILED_DROP_IN = "failed-service.conf.j2"
    ALERT = "clock-alert.service.j2"
    ALERT_DROP_IN = "alert-service.conf.j2"
    NOTIFY = "clock-notify.service.j2"
    NOTIFY_DROP_IN = "notify-service.conf.j2"
    LISTEN = "clock-listen.service.j2"
    LISTEN_DROP_IN = "listen-service.conf.j2"
    SECRETS = "clock-credentials@.service.j2"
    SECRETS_DROP_IN = "credentials-service.conf.j2"


def text_of(template: Template, **values: object) -> str:
    """Render a template; every value is escaped for systemd."""
    return _template(template).render(**values)


@cache
def _template(template: Template) -> LoadedTemplate:
    return _environment().get_template(template.value)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # `clocks list` needs no templates

    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        finalize=escape.escape,
        auto_reload=False,
        autoescape=False,  # noqa: S701 - units aren't HTML: `finalize` escapes every value for systemd
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
