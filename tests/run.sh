#!/usr/bin/env bash
# Run lanes of the test suite and count: run.sh BUILD LANE… (A+B,C: A and then B, and C at the same time). The last line is
# "N passed, N failed"; skipped tests are named with their reasons above it, and where GORAE_REQUIRE_PEERS is set, a test
# skipped for want of a peer counts as failed.
set -u
build=$(cd "$1" && pwd)
shift
cd "$(dirname "$0")/.." || exit 2
export GORAE_BUILD=$build PATH=$build/bin:$PATH CK_DEFAULT_TIMEOUT=${CK_DEFAULT_TIMEOUT:-60}
# What a sanitizer finds in a daemon or a shim nobody would see on a terminal: reports go to files, and any file is a failure.
rm -rf "$build/reports"
mkdir -p "$build/reports"
export ASAN_OPTIONS=detect_leaks=0:log_path=$build/reports/asan UBSAN_OPTIONS=print_stacktrace=1:log_path=$build/reports/ubsan
export TSAN_OPTIONS=suppressions=$PWD/tests/tsan.supp:log_path=$build/reports/tsan
passed=0 failed=0
skips=()
broken=()

good() { passed=$((passed + $1)); }
wrong() { failed=$((failed + 1)); broken+=("$1"); }

lane_laws() {
    if tests/lint/laws.sh; then good 1; else wrong "the laws of the house"; fi
    if tests/lint/rows.sh; then good 1; else wrong "the rows of known attacks"; fi
    if tests/lint/laws_test.sh; then good 1; else wrong "the laws' own test"; fi
}

lane_unit() {
    local t out n bad
    for t in "$build"/test/test_*; do
        [ -x "$t" ] || continue
        case "$t" in *.d) continue ;; esac
        out=$("$t" 2>&1)
        local code=$?
        n=$(grep -oE 'Checks: [0-9]+' <<<"$out" | awk '{s += $2} END {print s + 0}')
        bad=$(grep -oE '(Failures|Errors): [0-9]+' <<<"$out" | awk '{s += $2} END {print s + 0}')
        if [ "$code" = 0 ] && [ "$bad" = 0 ] && [ "$n" -gt 0 ]; then
            printf 'unit  %-28s %s checks\n' "$(basename "$t")" "$n"
            good "$n"
        elif [ "$code" = 0 ] && [ "$n" = 0 ] && grep -q '^skipped:' <<<"$out"; then
            skips+=("unit $(basename "$t"): $(grep -m1 '^skipped:' <<<"$out")")
        else
            printf 'unit  %-28s FAILED (exit code %s)\n%s\n' "$(basename "$t")" "$code" "$out"
            [ "$n" -gt "$bad" ] && good $((n - bad))
            wrong "unit $(basename "$t")"
        fi
    done
}

lane_fuzz-corpus() {
    local t name
    for t in "$build"/test/fuzz-*; do
        [ -x "$t" ] || continue
        name=$(basename "$t" | sed 's/^fuzz-//')
        if "$t" tests/fuzz/corpus/"$name"/*; then good 1; else wrong "fuzz corpus $name"; fi
    done
}

# TAP: "ok 3 text", "ok 4 text # skip reason", "not ok 5 text", and the plan "1..5" first or last. A command that ends before it
# has kept its plan has not checked what it should.
tap() { # name of the lane, command…
    local line name=$1 plan='' seen=0
    shift
    while IFS= read -r line; do
        echo "$line"
        case "$line" in
        "ok "* | "not ok "*) seen=$((seen + 1)) ;;
        1..*) plan=${line#1..} ;;
        esac
        case "$line" in
        "ok "*"# skip"*)
            skips+=("$line")
            if [ -n "${GORAE_REQUIRE_PEERS:-}" ] && grep -q 'needs' <<<"${line#*# skip}"; then wrong "skipped, and must not be: $line"; fi
            ;;
        "ok "*) good 1 ;;
        "not ok "*) wrong "$name: ${line#not ok }" ;;
        esac
    done < <("$@" 2>&1)
    [ "$plan" = "$seen" ] || wrong "$name: ended early, after $seen of ${plan:-an unknown number of} checks"
}

root_or_skip() {
    [ "$(id -u)" = 0 ] && return 0
    echo "skipped: $1 (containers need root)"
    skips+=("all of $1: containers need root")
    return 1
}

lane_e2e() { root_or_skip e2e && tap e2e bats --tap tests/e2e; }
lane_figures() {
    root_or_skip figures || return 0
    if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
        echo "skipped: figures (they were recorded with cgroup v1, where the runtime takes two steps more)"
        return 0
    fi
    if tests/figures.sh "$build" check; then good 1; else wrong "the committed figures"; fi
}
lane_compat() { root_or_skip compat && tap compat bats --tap tests/compat; }
# The build with the fault points compiled in; how often each is tried is bounded (FAULT_MOST).
lane_fault() { root_or_skip fault && tap fault tests/fault/fault.py "$build/fault" --most "${FAULT_MOST:-2}"; }
lane_package() { root_or_skip package && tap package bats --tap tests/package; }
# VM_OPTIONS: see vm.py, e.g. "--seed 7 --cuts 20".
# shellcheck disable=SC2086 # options are words
lane_vm() { root_or_skip vm && tap vm python3 -B tests/vm/vm.py "$build" ${VM_OPTIONS:-}; }
lane_book() { tap book python3 -B tests/book/everything.py; }
lane_exercises() { root_or_skip exercises && tap exercises env BUILD="$build" python3 -B tests/book/grade_test.py; }

lane() {
    local start
    echo "== $1"
    start=$(date +%s)
    "lane_$1"
    echo "== $1 took $(($(date +%s) - start)) s"
}

# e2e+compat,fault: two rows of lanes at the same time. They mostly wait, each for daemons of its own. What each prints is
# shown as a whole, and what it counted is added up.
side_by_side() {
    local rows row at pids=()
    IFS=, read -ra rows <<<"$1"
    at=$(mktemp -d)
    for row in "${!rows[@]}"; do
        (
            passed=0 failed=0 skips=() broken=()
            for name in ${rows[row]//+/ }; do lane "$name"; done >"$at/$row.out" 2>&1
            declare -p passed failed skips broken >"$at/$row.counts"
        ) &
        pids+=($!)
    done
    for row in "${!rows[@]}"; do
        wait "${pids[row]}"
        cat "$at/$row.out"
        add "$at/$row.counts" || wrong "the lanes ${rows[row]}: ended without a result"
    done
    rm -rf "$at"
}

add() {
    [ -e "$1" ] || return 1
    local before_passed=$passed before_failed=$failed before_skips=("${skips[@]:+${skips[@]}}") before_broken=("${broken[@]:+${broken[@]}}")
    # shellcheck disable=SC1090 # written by side_by_side
    source <(sed 's/^declare /declare -g /' "$1")
    passed=$((passed + before_passed))
    failed=$((failed + before_failed))
    skips=("${before_skips[@]:+${before_skips[@]}}" "${skips[@]:+${skips[@]}}")
    broken=("${before_broken[@]:+${before_broken[@]}}" "${broken[@]:+${broken[@]}}")
}

for arg in "$@"; do
    case "$arg" in
    *,*) side_by_side "$arg" ;;
    *) lane "$arg" ;;
    esac
done
for r in "$build"/reports/*; do
    [ -e "$r" ] || continue
    head -n 40 "$r"
    wrong "sanitizer report $(basename "$r")"
done
echo
for s in "${skips[@]:+${skips[@]}}"; do echo "skipped: $s"; done
for b in "${broken[@]:+${broken[@]}}"; do echo "failed: $b"; done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
