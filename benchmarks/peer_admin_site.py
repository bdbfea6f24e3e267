"""A Django site that has only the admin of django-apscheduler, for benchmarks.peer_admin: run by another Python.

    python -c 'import peer_admin_site; peer_admin_site.prepare()'
    waitress-serve peer_admin_site:application

SOCKET_FOLDER is where PostgreSQL listens. Whoever asks is the administrator: logging in is no part of what is measured.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import django
from django.conf import settings

settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "postgres", "USER": "postgres",
                           "HOST": os.environ["SOCKET_FOLDER"], "CONN_MAX_AGE": 600}},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.messages", "django.contrib.sessions", "django.contrib.staticfiles",
                    "django_apscheduler"],
    MIDDLEWARE=["django.middleware.gzip.GZipMiddleware", "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware", "peer_admin_site.as_administrator"],
    ROOT_URLCONF="peer_admin_site",
    SECRET_KEY="a benchmark",
    STATIC_URL="/static/",
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True,
                "OPTIONS": {"context_processors": ["django.template.context_processors.request",
                                                   "django.contrib.auth.context_processors.auth",
                                                   "django.contrib.messages.context_processors.messages"]}}],
    USE_TZ=True,
)  # fmt: skip
django.setup()

from django.contrib import admin  # noqa: E402 - the settings come first
from django.contrib.auth.models import User  # noqa: E402 - the same
from django.contrib.staticfiles.handlers import StaticFilesHandler  # noqa: E402 - the same
from django.core.handlers.wsgi import WSGIHandler  # noqa: E402 - the same
from django.core.management import call_command  # noqa: E402 - the same
from django.urls import path  # noqa: E402 - the same

urlpatterns = [path("admin/", admin.site.urls)]


def as_administrator(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Middleware: the request is the administrator's."""

    def answer(request: Any) -> Any:
        request.user = User.objects.get(username="anna")
        return get_response(request)

    return answer


def prepare() -> None:
    """Make the tables and the administrator."""
    call_command("migrate", verbosity=0)
    User.objects.create_superuser("anna")


application = StaticFilesHandler(WSGIHandler())  # last: it looks for the middleware above
