"""The worked example's domains: each module is a domain, its public functions are its tasks.

They come in by the door that a user's own project uses (`[tool.scheduled_tasks]` in pyproject.toml), and import nothing
of the runner but its public names and its database. Modules that start with `_` are no domains: the tasks share them.
"""
