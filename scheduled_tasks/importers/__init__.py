"""The importers room: APScheduler clock files and crontabs in, clock files of this project's form out, with a report.

What comes in: files as people have them, unmodified. What goes out: texts by path, and a `Report` in which each job or
line found has one entry. Everything here is pure but `execute`, which runs a file because its owner asked for that.
"""
