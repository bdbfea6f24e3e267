"""The pending files of this host: read without trusting them, recorded one by one."""
