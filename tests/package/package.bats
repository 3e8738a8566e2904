#!/usr/bin/env bats
# The package as a file: what is in it, what lintian says, and that two builds of the same sources are the same bytes.
load ../e2e/lib

setup_file() {
    deb=$(echo "$GORAE_BUILD"/gorae_*.deb)
    [ -f "$deb" ]
    T=$(mktemp -d /tmp/gorae-package.XXXXXX)
    mkdir "$T/x"
    dpkg-deb -R "$deb" "$T/x"
    export deb T
}
teardown_file() { rm -rf "$T"; }

@test "lintian finds no error and no warning" {
    run lintian --allow-root --fail-on error,warning "$deb"
    echo "$output"
    [ "$status" = 0 ]
}

@test "every file is root's, in its place, and none is named twice" {
    dpkg-deb -c "$deb" | awk '$2 != "root/root" { print; bad = 1 } END { exit bad }'
    for f in usr/bin/gorae usr/bin/goraed usr/libexec/gorae/gorae-shim usr/libexec/gorae/gorae-runtime usr/libexec/gorae/gorae-init \
        usr/libexec/gorae/gorae-archive etc/init.d/goraed; do
        [ "$(stat -c %a "$T/x/$f")" = 755 ]
    done
    for f in lib/systemd/system/goraed.service lib/systemd/system/goraed.socket etc/default/goraed etc/gorae/daemon.json \
        etc/logrotate.d/goraed usr/share/bash-completion/completions/gorae usr/share/doc/gorae/changelog.gz; do
        [ "$(stat -c %a "$T/x/$f")" = 644 ]
    done
    # what is in /etc is the administrator's, whole
    diff <(cd "$T/x" && find etc -type f | sed 's,^,/,' | sort) <(sort "$T/x/DEBIAN/conffiles")
    "$GORAE_BUILD/bin/goraed" --validate --config-file "$T/x/etc/gorae/daemon.json"
}

@test "the units and the init script start the daemon that the package brings" {
    grep -x 'ExecStart=/usr/bin/goraed -H fd://' "$T/x/lib/systemd/system/goraed.service"
    grep -x 'DAEMON=/usr/bin/goraed' "$T/x/etc/init.d/goraed"
    "$T/x/usr/bin/goraed" --version
    never grep -rl "$GORAE_REPO" "$T/x"
    never sh -c "nm '$T/x/usr/bin/goraed' 2>/dev/null | grep ."
}

# The second build has another folder, another time, another mask, zone and language, and no git.
@test "a second build of the same sources is the same bytes" {
    cd "$GORAE_REPO"
    local there=$T/a-second-and-rather-longer-folder-than-the-first commit epoch
    commit=$(git rev-parse --short=12 HEAD)
    epoch=$(git log -1 --format=%ct)
    mkdir "$there"
    # what git has, as it is now: a test may stand beside changes that are not committed
    git ls-files -z | while IFS= read -rd '' f; do [ -e "$f" ] && printf '%s\0' "$f"; done | tar --null -T - -c | tar -x -C "$there"
    (
        cd "$there"
        umask 077
        find . -exec touch -h -d '2001-02-03' {} +
        env -u MAKEFLAGS -u MAKELEVEL -u BUILD TZ=Asia/Seoul LC_ALL=ko_KR.UTF-8 SOURCE_DATE_EPOCH="$epoch" \
            make -j2 COMMIT="$commit" deb >"$T/second.log" 2>&1
    ) || { tail -n 20 "$T/second.log"; false; }
    cmp "$deb" "$there/build/$(basename "$deb")"
}
