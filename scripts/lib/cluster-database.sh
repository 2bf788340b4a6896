# The database of scripts/cluster, which goes with it. To be sourced there.

# The database ends once nobody holds its standard input: that is who sleeps here, until `down`.
start_database() {
    local place url rest
    # Where also the user postgres can reach it.
    place=$(mktemp -d "${TMPDIR:-/tmp}/stentor-cluster.XXXXXX")
    echo "$place" >"$FOLDER/database"
    : >"$FOLDER/database.url"
    chmod 600 "$FOLDER/database.url"
    mkfifo "$FOLDER/database.hold"
    setsid scripts/lib/postgres.sh start "$place" <"$FOLDER/database.hold" >"$FOLDER/database.url" 2>"$FOLDER/database.log" 9>&- &
    echo $! >"$FOLDER/database.keeper"
    # Whose end is none of this shell's news.
    disown
    setsid sleep infinity >"$FOLDER/database.hold" 2>/dev/null </dev/null 9>&- &
    echo $! >"$FOLDER/database.pid"
    disown
    wait_for "the database" test -s "$FOLDER/database.url" || { cat "$FOLDER/database.log" >&2; exit 1; }
    url=$(cat "$FOLDER/database.url")
    rest=${url#postgresql://stentor:}
    (umask 077 && echo "${rest%%@*}" >"$FOLDER/database.password")
    echo "postgresql://stentor@${rest#*@}" >"$FOLDER/database.url"
}

# Whether the database is gone, or whoever was to end it.
is_gone_or_left() {
    local pid
    [ -e "$1" ] || return 0
    pid=$(cat "$FOLDER/database.keeper" 2>/dev/null) && [ -e "/proc/$pid" ] || return 0
    ! tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$1"
}

# Fails if it does not end; then all that is known of it must be kept.
end_database() {
    local place pid
    place=$(cat "$FOLDER/database" 2>/dev/null) && [ -n "$place" ] || return 0
    pid=$(cat "$FOLDER/database.pid" 2>/dev/null) || pid=
    [ -z "$pid" ] || ! grep -q '^sleep' "/proc/$pid/cmdline" 2>/dev/null || kill "$pid"
    # The database's folder is removed last.
    wait_for "the end of the database" is_gone_or_left "$place" || true
    scripts/lib/postgres.sh end "$place" || give_up "$FOLDER is kept: scripts/cluster down, once more, ends what is left"
}
