#!/usr/bin/env bash
# A private, throwaway PostgreSQL, for tests and trials.
#
#   postgres.sh start DIR     makes a cluster in DIR, starts it on a free port of 127.0.0.1, prints its URL on one line,
#                             and ends it, with all that is in DIR, once standard input closes: so also when who holds
#                             the other end of it is killed
#   postgres.sh restart DIR   ends it as a crash would, and starts it again on the same port
#   postgres.sh end DIR       ends it, and removes DIR, where who was to do that was killed itself
#   postgres.sh install       only sees to it that there is one to start
#
# It takes Debian's package if there is none, without starting that one's own cluster. PostgreSQL does not run as root:
# then it runs as the user postgres, to whom DIR is given, and who must be able to reach it.
set -euo pipefail
# The server would keep open whatever the caller left open, also the other end of its own standard input.
for fd in /proc/$$/fd/*; do
    fd=${fd##*/}
    [ "$fd" -le 2 ] || [ "$fd" = 255 ] || exec {fd}>&-
done
cd "$(dirname "$0")/../.."
. scripts/lib/need.sh

policy=/usr/sbin/policy-rc.d

# The folder of initdb and pg_ctl, which Debian keeps out of the path.
programs() {
    local initdb
    initdb=$(command -v initdb || ls -1v /usr/lib/postgresql/*/bin/initdb 2>/dev/null | tail -n 1)
    [ -n "$initdb" ] && dirname "$(readlink -f "$initdb")"
}

install_it() {
    [ "$(id -u)" = 0 ] || give_up "PostgreSQL is missing; install it, for example with apt-get install postgresql"
    if [ ! -e "$policy" ]; then
        trap 'rm -f "$policy"' EXIT
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # Asked for by a name that is in no path, so that it is always installed here.
    need_program postgresql-of-debian postgresql >&2
    rm -f "$policy"
    trap - EXIT
}

# Runs a command as who may run PostgreSQL.
as_user() {
    if [ "$(id -u)" = 0 ]; then
        runuser -u postgres -- "$@"
    else
        "$@"
    fi
}

control() {
    as_user "$bin/pg_ctl" --silent --wait --pgdata "$dir/data" --log "$dir/log" "$@" >&2
}

# Ports are tried until one is free: nobody else can take it between a look and its use.
start_on_a_free_port() {
    local attempt
    for attempt in $(seq 20); do
        port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
        if control --options "-p $port" start 2>/dev/null; then
            return
        fi
    done
    tail -n 5 "$dir/log" >&2
    give_up "PostgreSQL does not start"
}

# Whether a process is the server in DIR: its number may be another's by now.
is_server() {
    [ -e "/proc/$1" ] && tr '\0' ' ' 2>/dev/null <"/proc/$1/cmdline" | grep -qF -- "$dir/data"
}

# What still runs is not forgotten: then DIR stays. This takes none of PostgreSQL's programs, which may be gone by now.
end() {
    local pid deadline=$((SECONDS + 10))
    pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null) || pid=
    if [ -n "$pid" ] && is_server "$pid"; then
        # As pg_ctl has it end in the mode "immediate".
        kill -QUIT "$pid" || true
        while is_server "$pid"; do
            [ $SECONDS -lt $deadline ] || give_up "the database in $dir does not end; its process is $pid"
            sleep 0.1
        done
    fi
    rm -rf "$dir"
}

start() {
    mkdir -p "$dir"
    local password
    password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
    printf '%s\n' "$password" >"$dir/password"
    chmod 700 "$dir"
    [ "$(id -u)" != 0 ] || chown -R postgres "$dir"
    as_user test -x "$dir" || give_up "the user postgres cannot reach $dir"
    # Only the making of the cluster goes without waiting for the disk.
    trap end EXIT
    as_user "$bin/initdb" --pgdata "$dir/data" --username stentor --pwfile "$dir/password" --auth scram-sha-256 \
        --encoding UTF8 --locale C --no-sync >/dev/null
    as_user tee -a "$dir/data/postgresql.conf" >/dev/null <<-END
		listen_addresses = '127.0.0.1'
		unix_socket_directories = ''
		max_connections = 60
		fsync = on
		synchronous_commit = on
	END
    start_on_a_free_port
    printf 'postgresql://stentor:%s@127.0.0.1:%s/postgres\n' "$password" "$port"
    # It is not for whoever interrupts the one who asked for it to interrupt this.
    trap '' INT TERM HUP
    cat >/dev/null
}

readonly usage="usage: postgres.sh start|restart|end DIR, or postgres.sh install"
case "$#:${1-}" in
2:start | 2:restart | 2:end) dir=$(realpath -m "$2") ;;
1:install) ;;
*) give_up "$usage" ;;
esac
[ "$1" != end ] || { end; exit; }
programs >/dev/null || install_it
bin=$(programs) || give_up "PostgreSQL was installed, but has no initdb"
case $1 in
start) start ;;
restart) control --mode immediate restart ;;
esac
