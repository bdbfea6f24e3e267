"""Domains that come with the package: a task of theirs is found where the project has no domain of that name.

`command.run` is `scheduled_tasks.bundled.command:run`. In a clock file: `from scheduled_tasks.bundled import
command`.
"""
