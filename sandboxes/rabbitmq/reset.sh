#!/bin/sh
# Back to a broker as it was at its start: no connections, no queues, no exchanges or policies but the built-in ones.
set -eu
erts=$(echo /usr/lib/erlang/erts-*)
export ERL_EPMD_ADDRESS=127.0.0.1
answer=$("$erts/bin/erl_call" -sname rabbit@localhost -c "$(cat "$HOME/.erlang.cookie")" -e </opt/soty/reset.erl)
[ "$answer" = '{ok, clean}' ] || {
    echo "rabbitmq: reset failed: $answer" >&2
    exit 1
}
