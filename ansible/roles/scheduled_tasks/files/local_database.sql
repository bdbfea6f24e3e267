-- Makes what is missing, and nothing else: each query writes the statement that psql then executes (\gexec), or no
-- row where it isn't needed. psql prints one line for each statement executed, so no output is no change.
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

-- `clocks` and the watch are root: it owns the tables, and `clocks migrate` grants to the services' role (tasks_role) what
-- a task is to have of them.
SELECT 'CREATE ROLE root LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'root') \gexec

SELECT format('CREATE DATABASE %I OWNER root', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
