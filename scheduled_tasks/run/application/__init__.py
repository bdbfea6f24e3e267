"""The application of a task: what of it a run has to know."""
