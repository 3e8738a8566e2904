#!/usr/bin/env bash
# lint.sh BUILD: the one format, the laws, warnings as errors with two compilers, and three readers of the code. Each part
# says its name and whether it is content; the exit code is 1 if any is not.
set -u
build=$1
cd "$(dirname "$0")/../.." || exit 2
bad=0
mapfile -t all < <(find src tests -name '*.[ch]' | sort)
mapfile -t sources < <(find src -name '*.c' | sort)
flags=(-std=gnu17 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -Isrc '-DGORAE_VERSION="lint"' '-DGORAE_COMMIT="lint"')

part() { # name, command…
    local name=$1 out
    shift
    if out=$("$@" 2>&1); then echo "lint: $name: ok"; else printf 'lint: %s:\n%s\n' "$name" "$out"; bad=1; fi
}

warnings() { # compiler: nothing may be said at all
    make --no-print-directory -s BUILD="$build/lint-$1" CC="$1" EXTRA=-Werror all
}
analyzer() {
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 1 gcc "${flags[@]}" -O1 -fanalyzer -Wno-analyzer-malloc-leak \
        -Wno-analyzer-fd-leak -Wno-analyzer-file-leak -Werror -c -o /dev/null
}
check_cppcheck() {
    cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -j "$(nproc)" \
        --suppress=missingIncludeSystem --suppress=preprocessorErrorDirective --suppress=nullPointerRedundantCheck \
        --include=tests/lint/cppcheck-macros.h \
        -D_GNU_SOURCE '-DGORAE_VERSION="lint"' '-DGORAE_COMMIT="lint"' -Isrc src
}
tidy() {
    local checks
    checks=$(paste -sd, tests/lint/tidy-checks)
    # shellcheck disable=SC2016 # the inner shell expands them
    printf '%s\n' "${sources[@]}" | xargs -P "$(nproc)" -n 4 sh -c 'checks=$1; shift; clang-tidy-14 --quiet --checks="$checks" "$@" -- '"$(printf "'%s' " "${flags[@]}")" _ "$checks" 2>/dev/null |
        grep . && return 1
    return 0
}

part format clang-format-14 --dry-run --Werror "${all[@]}"
part laws tests/lint/laws.sh
part "shell scripts" shellcheck -S warning tests/*.sh tests/*/*.sh tests/vm/guest/*.sh .ci/run
part "gcc -Werror" warnings gcc
part "clang -Werror" warnings clang-14
part cppcheck check_cppcheck
part "gcc -fanalyzer" analyzer
part clang-tidy tidy
exit $bad
