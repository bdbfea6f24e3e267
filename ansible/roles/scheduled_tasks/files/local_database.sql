-- Makes what is missing, and nothing else: each query writes the statement that psql then executes (\gexec), or no
-- row where it isn't needed. psql prints one line for each statement executed, so no output is no change.
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec

SELECT format('CREATE DATABASE %I OWNER %I', :'database', :'role')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec

-- `clocks` is called by root: there root is the services' role, so that what it makes belongs to them. In this database
-- only: a role root that was there before stays what it is everywhere else.
SELECT 'CREATE ROLE root LOGIN'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'root') \gexec

SELECT format('GRANT %I TO root', :'role')
WHERE NOT EXISTS (
    SELECT FROM pg_auth_members
    WHERE roleid = to_regrole(quote_ident(:'role')) AND member = to_regrole('root')
) \gexec

SELECT format('ALTER ROLE root IN DATABASE %I SET role = %L', :'database', :'role')
WHERE NOT EXISTS (
    SELECT FROM pg_db_role_setting
    JOIN pg_database ON pg_database.oid = setdatabase
    WHERE datname = :'database' AND setrole = to_regrole('root') AND ('role=' || :'role') = ANY (setconfig)
) \gexec
