#!/bin/sh
# Back to a database as it was at its start: no connections, no tables, no settings of the learner's.
set -eu
sql() {
    /usr/lib/postgresql/17/bin/psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username=postgres "$@"
}
sql --dbname=postgres <<SQL
DROP DATABASE IF EXISTS $DATABASE WITH (FORCE);
CREATE DATABASE $DATABASE STRATEGY FILE_COPY;
GRANT ALL ON DATABASE $DATABASE TO learner;
ALTER ROLE learner RESET ALL;
ALTER ROLE learner PASSWORD NULL;
SQL
sql --dbname="$DATABASE" --command="ALTER SCHEMA public OWNER TO learner"
