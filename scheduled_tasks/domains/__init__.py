"""The domains of the worked example: each module is a domain, its public functions are its tasks.

They are configured like a user's own project (`[tool.scheduled_tasks]` in pyproject.toml) and import only the public
names and the database of the runner. Modules that start with `_` are not domains; the tasks share them.
"""
