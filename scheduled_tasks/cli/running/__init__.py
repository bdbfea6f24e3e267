"""Start jobs: on this host, or by a request on another one."""
