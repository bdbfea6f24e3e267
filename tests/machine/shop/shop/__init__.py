"""A small shop: a project that uses scheduled_tasks, in a repository of its own."""
