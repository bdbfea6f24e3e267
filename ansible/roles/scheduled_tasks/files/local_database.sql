-- Creates only what is missing: each query returns the statement that psql then executes (\gexec), or no row if it is
-- not needed. psql prints one line for each executed statement, so no output means no change.

-- The role of the tasks, or of the sender of notices. What an administrator sets later stays: the timeouts are set with
-- the role only.
SELECT format('CREATE ROLE %I LOGIN', :'role'),
    format('ALTER ROLE %I SET idle_in_transaction_session_timeout = ''15min''', :'role'),
    format('ALTER ROLE %I SET lock_timeout = ''5min''', :'role'),
    format('ALTER ROLE %I SET statement_timeout = ''1h''', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- It can't take the connections that runs by hand, the watch and other databases' users need.
SELECT format('ALTER ROLE %I CONNECTION LIMIT %s', :'role', current_setting('max_connections')::int * 3 / 4)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role' AND rolconnlimit >= 0) \gexec

-- `clocks` and the watch run as root, which owns the tables; `clocks migrate` grants the tasks' role the rights of a task.
SELECT 'CREATE ROLE root LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'root') \gexec

SELECT format('CREATE DATABASE %I OWNER root', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
