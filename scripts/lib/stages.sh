# Stages of a longer run, each with its time, and the count of tests over all of them. To be sourced.

passed=0
failed=0
skipped=0
stages_failed=()
times=()
failures=()

# stage NAME COMMAND...: runs the command. If it fails, the run goes on and fails at its end.
stage() {
    local name=$1 start=$SECONDS result=passed
    shift
    printf '\n== %s\n' "$name"
    "$@" || { result=FAILED && stages_failed+=("$name"); }
    times+=("$(printf '%5d s  %-6s  %s' $((SECONDS - start)) "$result" "$name")")
}

# counted COMMAND...: runs tests and adds up what they say of themselves: cargo's own summaries, lines that begin with
# `skipped:`, and summaries such as `3 passed, 0 failed, 1 skipped`.
counted() {
    local log status=0 counts
    log=$(mktemp)
    "$@" 2>&1 | tee "$log" || status=$?
    counts=$(awk '
        /^test result: / { passed += $4; failed += $6; skipped += $8 }
        /^[0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { passed += $1; failed += $3; skipped += $5 }
        /^skipped: / { skipped++; passed-- }
        END { print passed + 0, failed + 0, skipped + 0 }' "$log")
    mapfile -t -O ${#failures[@]} failures < <(failures_of "$log")
    rm "$log"
    local counted_passed counted_failed counted_skipped
    read -r counted_passed counted_failed counted_skipped <<<"$counts"
    # What does not even compile has counted nothing.
    [ "$status" = 0 ] || [ "$counted_failed" != 0 ] || counted_failed=1
    passed=$((passed + counted_passed))
    failed=$((failed + counted_failed))
    skipped=$((skipped + counted_skipped))
    return "$status"
}

# failures_of LOG: the beginning of what each test that failed has printed.
failures_of() {
    awk '
        /^test result: / { failing = 0 }
        /^failures:$/ { failing = 1 }
        failing && /^---- / { lines = 30 }
        failing && lines-- > 0 { print substr($0, 1, 2000) }' "$1"
}

# Prints what failed, the stages with their times and the counts, and ends the script: with failure if anything failed.
finish() {
    [ ${#failures[@]} = 0 ] || printf '%s\n' '' '== what failed' "${failures[@]}"
    printf '\n'
    printf '%s\n' "${times[@]}"
    printf '%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
    [ ${#stages_failed[@]} = 0 ] && [ "$failed" = 0 ]
    exit
}
