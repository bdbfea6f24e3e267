"""Domains that come with the package, for every project: a task of theirs is found where the project has no such domain.

`command.run` is `scheduled_tasks.bundled.command:run`. In a clock file: `from scheduled_tasks.bundled import command`.
"""
