#!/usr/bin/env bash
# Does laws.sh see what it should? Each law is broken once in a copy of the sources, and must then be reported.
set -u
cd "$(dirname "$0")/../.." || exit 2
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
bad=0
fresh() { rm -rf "${copy:?}"/*; mkdir "$copy/src"; cp -r src/. "$copy/src/"; cp README.md "$copy/"; }
expect() { # what, text that must be reported
    tests/lint/laws.sh "$copy" 2>&1 | grep -qF -- "$2" || { echo "laws_test: not seen: $1"; bad=1; }
}
fresh; echo '#include "engine/engine.h"' >>"$copy/src/wire/frame.c"; expect "a forbidden include" "wire may not include engine"
fresh; echo '#include "wire/http.h"' >>"$copy/src/shim/task.c"; expect "the shim using HTTP" "and nothing else of it"
fresh; yes '/* line */' | head -n 701 >"$copy/src/base/long.c"; expect "a long file" "a file has at most 700"
fresh; mkdir -p "$copy/tests/unit"; yes '/* line */' | head -n 701 >"$copy/tests/unit/test_long.c"; expect "a long test" "tests/unit/test_long.c: 701 lines; a file has at most 700"
fresh; { echo '/* x */'; echo 'void f(void)'; echo '{'; yes '    ;' | head -n 61; echo '}'; } >"$copy/src/base/f.c"; expect "a long function" "a function of 61 lines"
fresh; printf '/* x */\nvoid f(char *a)\n{\n    strcpy(a, a);\n}\n' >"$copy/src/base/f.c"; expect "a banned call" "strcpy is banned"
fresh; printf '/* x */\nint f(void)\n{\n    return syscall(SYS_openat2);\n}\n' >"$copy/src/engine/f.c"; expect "openat2 elsewhere" "one door"
fresh; printf '/* x */\nvoid f(void)\n{\n    exit(1);\n}\n' >"$copy/src/engine/f.c"; expect "a library that exits" "never exits"
fresh; printf '/* x */\nint f(void)\n{\n    return fork();\n}\n' >"$copy/src/engine/f.c"; expect "a fork in the daemon" "only the runtime"
fresh; echo 'int x;' >"$copy/src/base/f.c"; expect "a file that does not say what it is" "opens with what it is"
fresh; printf '/* x */\nvoid f(struct container *c)\n{\n    c->state = STATE_DEAD;\n}\n' >"$copy/src/engine/f.c"; expect "a state set by hand" "ask machine_next"
fresh; sed -i '1s,^/\*,/* Read next: nowhere.c. */ /*,' "$copy/src/base/err.c"; expect "a way that leads nowhere" "there is no nowhere.c"
fresh; sed -i 's,src/engine/start.c,src/engine/stop.c,' "$copy/README.md"; expect "a reading order that the essays do not follow" "goes on with src/engine/stop.c"
fresh; touch "$copy/junk"; expect "a stranger at the top" "does not belong at the top"
# and the rows of known attacks (rows.sh): one without a test, one without a control
mkdir "$copy/tests" && cp -r tests/e2e "$copy/tests/"
sed -i "s,row 17: top,top," "$copy/tests/e2e/hostile.bats"
sed -i "/^@test .row 23/,/^}/s/control/check/" "$copy/tests/e2e/hostile.bats"
for text in "row 17 has no test" "row 23 has no positive control"; do
    tests/lint/rows.sh "$copy" 2>&1 | grep -qF "$text" || { echo "laws_test: not seen: $text"; bad=1; }
done
[ "$bad" = 0 ] && echo "laws_test: fourteen breaches, all seen"
exit "$bad"
