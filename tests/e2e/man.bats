#!/usr/bin/env bats
# The manual against --help: no command without a page, no flag that its page lacks, no page that a reader of manuals stumbles over.
load lib

setup_file() {
    T=$(mktemp -d /tmp/gorae-man.XXXXXX)
    M=$T/pages
    export T M
    SOURCE_DATE_EPOCH=0 "$GORAE_REPO/src/man/pages.sh" "$GORAE_BUILD/bin" "$M" 0.0
    # every page as a reader sees it, made once; what groff had to warn of while it did
    local page name
    for page in "$M"/man?/*; do
        name=$(basename "$page")
        if [ -L "$page" ]; then
            ln -s "$(readlink "$page")" "$T/$name"
        else
            MANWIDTH=200 man --warnings -E UTF-8 -l -Tutf8 "$page" 2>>"$T/warnings" | col -b >"$T/$name"
        fi
    done
}
teardown_file() { rm -rf "$T"; }

commands() { awk '/^[A-Z].*:$/ { on = /Commands:$/; next } on && /^  [a-z]/ { print $1 }'; }
flags() { grep -oE '^  (-., |    )--[a-z0-9-]+' | grep -oE -- '--.*'; }

# page, flags of the help on standard input: each opens a line of the page
has_flags() {
    local flag bad=0
    while read -r flag; do
        grep -qE -- "^ +(-., )?$flag( |\[|$)" "$T/$1" || { echo "$1 lacks $flag"; bad=1; }
    done
    return $bad
}

@test "every command has its page, with every flag" {
    local c sub n=0
    for c in $(gorae --help | commands); do
        [ -s "$T/gorae-$c.1" ]
        gorae "$c" --help | flags | has_flags "gorae-$c.1"
        n=$((n + 1))
        grep -q "^Usage:  gorae $c COMMAND" <(gorae "$c" --help) || continue
        for sub in $(gorae "$c" --help | commands); do
            [ -s "$T/gorae-$c-$sub.1" ]
            gorae "$c" "$sub" --help | flags | has_flags "gorae-$c-$sub.1"
            n=$((n + 1))
        done
    done
    [ "$n" -gt 60 ]
    gorae --help | flags | has_flags gorae.1
    goraed --help | flags | has_flags goraed.8
}

@test "what a flag does is told as --help tells it" {
    # folded differently: compared without blanks
    local squeezed
    squeezed=$(gorae run --help | sed -n '/^Options:/,$p' | tail -n +2 | tr -d ' \n')
    while read -r text; do
        text=$(tr -d ' ' <<<"$text")
        [[ $squeezed == *"$text"* ]]
    done < <(sed -n '/^OPTIONS/,/^[A-Z].*STATUS/p' "$T/gorae-run.1" | grep -vE '^[A-Z]|^$')
}

@test "every key of daemon.json stands in gorae-daemon.json(5), and no other" {
    [ "$(readlink "$M/man5/daemon.json.5")" = gorae-daemon.json.5 ]
    diff <(sed -n '/^SETTINGS/,/^FILES/p' "$T/gorae-daemon.json.5" | grep -oE '^ +"[a-z0-9-]+":' | tr -d ' ":') <(goraed --settings | cut -f1)
    # every flag but those that end the daemon at once, and the one that names the file
    diff <(goraed --help | flags | sed 's/^--//' | grep -vxE 'check|settings|state-machine|validate|version|help|config-file' | sort) \
        <(goraed --settings | cut -f2 | sort)
    never sh -c "goraed --settings | grep -vE '^[a-z0-9-]+	[a-z0-9-]+	[a-z]+	(live|start)	.'"
    grep -qE '^ +"live-restore": true or false' "$T/gorae-daemon.json.5"
    # the example is one that the daemon takes
    sed -n '/^EXAMPLES/,$p' "$T/gorae-daemon.json.5" | sed -n '/{$/,/^ *}$/p' >"$T/example.json"
    goraed --validate --config-file "$T/example.json"
}

@test "every verb of the runtime stands in gorae-runtime(8)" {
    local verb
    for verb in $("$GORAE_BUILD/bin/gorae-runtime" --help | sed -nE 's/^  ([a-z]+) .*/\1/p'); do
        grep -qE "^ +$verb( |$)" "$T/gorae-runtime.8"
    done
}

@test "every page has the sections that a reader looks for" {
    local page section
    for page in "$T"/*.[158]; do
        for section in NAME SYNOPSIS DESCRIPTION EXAMPLES "SEE ALSO"; do
            grep -qx "$section" "$page" || [[ $section == EXAMPLES && $page == *.1 ]]
        done
        [[ $page == *.5 ]] || grep -qx "EXIT STATUS" "$page"
    done
    for section in COMMANDS OPTIONS "EXIT STATUS" ENVIRONMENT FILES EXAMPLES; do grep -qx "$section" "$T/gorae.1"; done
    for section in OPTIONS "EXIT STATUS" SIGNALS ENVIRONMENT FILES EXAMPLES; do grep -qx "$section" "$T/goraed.8"; done
}

@test "groff and mandoc find nothing to warn of" {
    run cat "$T/warnings"
    echo "$output"
    [ -z "$output" ]
    need mandoc
    run bash -c 'find "$M" -name "*.[158]" -type f -exec mandoc -T lint -W warning {} + 2>&1'
    echo "$output"
    [ -z "$output" ]
}

@test "a page leads to no page that is not there" {
    local page to
    for page in "$M"/man?/*; do
        for to in $(grep -oE '^\.BR (gorae|goraed)[a-z.\\-]* \([158]\)' "$page" | sed 's/^\.BR //; s/\\//g; s/ (\(.\))/.\1/'); do
            [ -e "$M/man${to##*.}/$to" ] || { echo "$page: $to"; false; }
        done
    done
}
