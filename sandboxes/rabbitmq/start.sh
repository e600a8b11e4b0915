#!/bin/sh
# Starts the broker in 2-3 s instead of 5-7 (two cores): the Erlang machine directly, without Debian's wrappers;
# settings as plain Erlang terms, which spares the schema compiler (about 1.5 s); a short code path (about 1.5 s);
# TZ set, or every time stamp opens /etc/localtime; no system monitors; epmd first, or a second machine boots to start it.
set -eu
umask 077

password_file=/given/secrets/prober_password
if ! [ -r "$password_file" ]; then
    echo "rabbitmq: $password_file is missing: without it nobody could check this sandbox" >&2
    exit 78
fi
password=$(cat "$password_file")
case $password in
'' | *[!A-Za-z0-9_-]*)
    echo "rabbitmq: the prober's password must consist of letters, digits, - and _" >&2
    exit 78
    ;;
esac

cat >"$HOME/definitions.json" <<DEFINITIONS
{"vhosts": [{"name": "/"}],
 "users": [{"name": "learner", "password": "learner", "tags": []},
           {"name": "prober", "password": "$password", "tags": ["monitoring"]}],
 "permissions": [
   {"user": "learner", "vhost": "/", "configure": "^(?!probe\\\\.)", "write": "^(?!probe\\\\.)", "read": "^(?!probe\\\\.)"},
   {"user": "prober", "vhost": "/", "configure": ".*", "write": ".*", "read": ".*"}]}
DEFINITIONS
# A broker that is stopped and started again finds its own data, and keeps the cookie that it has.
if ! [ -e "$HOME/.erlang.cookie" ]; then
    tr -d - </proc/sys/kernel/random/uuid >"$HOME/.erlang.cookie"
    chmod 400 "$HOME/.erlang.cookie"
fi

plugins=$(echo /usr/lib/rabbitmq/lib/rabbitmq_server-*/plugins)
erts=$(echo /usr/lib/erlang/erts-*)
export TZ=UTC0 LANG=C.UTF-8
export ERL_LIBS="$plugins" ERL_EPMD_ADDRESS=127.0.0.1 ERL_MAX_PORTS=2048 ERL_MAX_ETS_TABLES=5000 ERL_CRASH_DUMP=/dev/null
export ROOTDIR=/usr/lib/erlang BINDIR="$erts/bin" EMU=beam PROGNAME=erl PATH="$erts/bin:/usr/bin"
export RABBITMQ_NODENAME=rabbit@localhost RABBITMQ_PLUGINS_DIR="$plugins" RABBITMQ_ENABLED_PLUGINS_FILE=/opt/soty/enabled_plugins
export RABBITMQ_CONFIG_FILE=/nonexistent RABBITMQ_ADVANCED_CONFIG_FILE=/nonexistent RABBITMQ_CONF_ENV_FILE=/nonexistent
export RABBITMQ_MNESIA_BASE="$HOME/mnesia" RABBITMQ_LOG_BASE="$HOME/log" RABBITMQ_LOGS=-

epmd -daemon -relaxed_command_check
exec erlexec -noinput -config /opt/soty/broker -s rabbit boot -boot start_sasl \
    +W w +S 1:1 +SDcpu 1:1 +SDio 2 +A 1 +sbwt none +sbwtdcpu none +sbwtdio none +B i +P 65536 +Q 4096 +zdbbl 8192 \
    +MBas ageffcbf +MHas ageffcbf +MBlmbcs 512 +MHlmbcs 512 +MMmcs 5 +MMscs 32 \
    -os_mon start_disksup false -os_mon start_memsup false -os_mon start_cpu_sup false \
    -syslog logger '[]' -syslog syslog_error_logger false -kernel prevent_overlapping_partitions false \
    -kernel inet_dist_use_interface '{127,0,0,1}'
