"""PostgreSQL, or SQLite if the test says so."""

import os

from psycopg.conninfo import conninfo_to_dict

server = conninfo_to_dict(os.environ["DATABASE_URL"])
postgresql = {
    "ENGINE": "django.db.backends.postgresql",
    "NAME": server["dbname"],
    "HOST": server["host"],
    "USER": server["user"],
}
sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": "shop.sqlite"}

DATABASES = {"default": sqlite if os.environ["SHOP_DATABASE"] == "sqlite" else postgresql}
INSTALLED_APPS = ["django_shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
