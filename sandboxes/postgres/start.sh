#!/bin/sh
# Makes a cluster in memory, its roles and the learner's database, and becomes the server. All of it before anybody can
# connect: in single-user mode, which costs a tenth of a second. A server that is started again keeps its data.
set -eu
umask 077
bin=/usr/lib/postgresql/17/bin

password_file=/given/secrets/prober_password
if ! [ -r "$password_file" ]; then
    echo "postgres: $password_file is missing: without it nobody could check this sandbox" >&2
    exit 78
fi
password=$(cat "$password_file")
case $password in
'' | *[!A-Za-z0-9_-]*)
    echo "postgres: the prober's password must consist of letters, digits, - and _" >&2
    exit 78
    ;;
esac
case $DATABASE in
'' | [0-9]* | *[!a-z0-9_]* | postgres | template[01] | all | replication | sameuser | samerole | samegroup)
    echo "postgres: DATABASE must be a name of lower-case letters, digits and _ that is not PostgreSQL's own" >&2
    exit 78
    ;;
esac

# The socket's folder belongs to this service alone.
cat >"$HOME/pg_hba.conf" <<HBA
local all postgres trust
local $DATABASE learner trust
host $DATABASE learner all trust
host all prober all scram-sha-256
HBA

if ! [ -e "$HOME/complete" ]; then
    rm -rf "$PGDATA"
    "$bin/initdb" --username=postgres --encoding=UTF8 --locale-provider=builtin --locale=C.UTF-8 --wal-segsize=1 \
        --no-sync --no-instructions --auth=trust --set=dynamic_shared_memory_type=mmap >/dev/null
    # A statement is a line here.
    "$bin/postgres" --single -D "$PGDATA" -c config_file=/opt/soty/postgresql.conf -c log_min_messages=error postgres >/dev/null <<SQL
CREATE ROLE learner LOGIN
CREATE ROLE prober LOGIN BYPASSRLS PASSWORD '$password'
GRANT pg_monitor, pg_signal_backend, pg_read_all_data, pg_write_all_data, pg_use_reserved_connections, learner TO prober
CREATE DATABASE $DATABASE STRATEGY FILE_COPY
GRANT ALL ON DATABASE $DATABASE TO learner
SQL
    "$bin/postgres" --single -D "$PGDATA" -c config_file=/opt/soty/postgresql.conf -c log_min_messages=error "$DATABASE" >/dev/null <<SQL
ALTER SCHEMA public OWNER TO learner
SQL
    : >"$HOME/complete"
fi
rm -f "$PGDATA/postmaster.pid"  # of a server that was killed: its process numbers mean nothing here
exec "$bin/postgres" -D "$PGDATA" -c config_file=/opt/soty/postgresql.conf
