"""Import APScheduler clock files and crontabs, unmodified, as clock files of this project, with a report.

The report has one entry for each job or line of the input. Everything here is pure except `execute`, which runs a file
because its owner asked for that. `new_project` composes the first files of a project that has nothing to import.
"""
