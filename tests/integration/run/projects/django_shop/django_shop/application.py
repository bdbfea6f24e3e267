"""The factory that the configuration names as `app`."""

import os


def set_up():
    os.environ["DJANGO_SETTINGS_MODULE"] = "django_shop.settings"
    import django

    django.setup()
    from django.db import connection

    from django_shop.models import Order

    if Order._meta.db_table not in connection.introspection.table_names():
        with connection.schema_editor() as editor:
            editor.create_model(Order)
    return django.apps.apps
