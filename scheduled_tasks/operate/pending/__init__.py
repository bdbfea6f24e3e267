"""The files of this host that wait until the database has them: read without trust, recorded one by one."""
