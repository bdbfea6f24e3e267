"""Domains that come with the package. Their tasks are found if the project has no domain with the same name.

`command.run` is `scheduled_tasks.bundled.command:run`. In a clock file: `from scheduled_tasks.bundled import
command`.
"""
