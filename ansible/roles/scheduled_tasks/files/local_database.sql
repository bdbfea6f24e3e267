-- Creates only what is missing: each query returns the statement that psql then executes (\gexec), or no row if it is
-- not needed. psql prints one line for each executed statement, so no output means no change.
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- `clocks` and the watch run as root, which owns the tables; `clocks migrate` grants the services' role (tasks_role) the
-- rights of a task.
SELECT 'CREATE ROLE root LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'root') \gexec

SELECT format('CREATE DATABASE %I OWNER root', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
