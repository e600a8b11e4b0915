#!/bin/sh
# Runs a learner's file, from standard input, as the role `learner` and in one transaction; psql ends with 3 when the file
# is wrong. A file is SQL and nothing else: psql's own commands could start programs (\!), read our files (\i) or become
# somebody else (\c), so \restrict turns them off under a key that nobody can guess.
set -eu
key=$(tr -d - </proc/sys/kernel/random/uuid)
exec /usr/lib/postgresql/17/bin/psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --single-transaction \
    --username=learner --dbname="$DATABASE" --command="\\restrict $key" --file=-
