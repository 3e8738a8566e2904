#!/usr/bin/env bats
# What a new user does first: `make run`, and `make install` into a place of their own. Neither may need the network where all
# packages are there, and neither leaves anything behind.
load lib

setup() { daemon_dirs; }
teardown() {
    daemon_stop || true
    daemon_clean
}

@test "make run, without any network: what it prints, the picture, and nothing left" {
    mkdir "$T/build"
    ln -s "$GORAE_BUILD/bin" "$T/build/bin" # a daemon folder of its own: somebody may have said `make up`
    ip link show >"$T/links"
    # no device, not even a loopback that is up
    run unshare -n sh -ec "cd '$GORAE_REPO' && make -s deps-run && tests/tour.sh '$T/build'"
    [ "$status" = 0 ] || { echo "$output"; false; }
    [[ $output != *"Packages to install"* ]]
    [[ $output == *"hello from a container"*"CONTAINER ID"*"hello"*"REPOSITORY"*"busybox"*"1  A person types a command"*"make down"*"make -s up"* ]]
    grep -q '<svg' "$T/build/figure-2.68.svg"
    [ ! -e "$T/build/daemon" ]
    judge_empty
    # the README shows what it prints: each of its commands is there, and so are the headings of the table
    sed -n '/^    \$ gorae run --name hello/,/^$/p' "$GORAE_REPO/README.md" | sed 's/^    //' >"$T/shown"
    [ "$(wc -l <"$T/shown")" -ge 4 ]
    local squeezed # how wide a column is depends on how long ago things were
    squeezed=$(tr -s ' ' <<<"$output")
    while read -r line; do
        case "$line" in "\$ "* | hello* | CONTAINER*) grep -qxF -- "$line" <<<"$squeezed" || { echo "README shows: $line"; false; } ;; esac
    done < <(tr -s ' ' <"$T/shown")
}

@test "make install goes below DESTDIR and PREFIX and works from there; make uninstall takes it away" {
    local root=$T/root
    # a build of its own: what knows its place is made anew for another one, while other tests run what is there
    mkdir "$T/b"
    cp -a "$GORAE_BUILD"/{obj,lib,bin,told} "$T/b/"
    make -s -C "$GORAE_REPO" -o all BUILD="$T/b" DESTDIR="$root" PREFIX=/opt/gorae install >/dev/null
    [ -z "$(find "$root" -type f ! -path "$root/opt/gorae/*")" ]
    [ "$(cd "$root/opt/gorae/bin" && echo *)" = "gorae goraed" ]
    # found by where it lies, whatever prefix it was built for
    GORAED=$root/opt/gorae/bin/goraed daemon_start
    [ "$(readlink "/proc/$DAEMON/exe")" = "$root/opt/gorae/bin/goraed" ]
    import_busybox
    [ "$("$root/opt/gorae/bin/gorae" run --rm --init busybox echo installed)" = installed ]
    daemon_stop
    make -s -C "$GORAE_REPO" -o all BUILD="$T/b" DESTDIR="$root" PREFIX=/opt/gorae uninstall >/dev/null
    [ -z "$(find "$root" ! -type d)" ]
    [ -z "$(find "$root" -type d -name '*gorae*' ! -path "$root/opt/gorae")" ]
    judge_empty
}

@test "make uninstall-service takes away what install-service brought, but no setting that was changed" {
    local root=$T/root file
    mkdir "$T/b"
    cp -a "$GORAE_BUILD"/{obj,lib,bin,told} "$T/b/"
    at_root() { make -s -C "$GORAE_REPO" -o all BUILD="$T/b" DESTDIR="$root" "$@" >/dev/null; }
    at_root install-service
    [ "$(cat "$root/etc/gorae/daemon.json")" = "{}" ]
    at_root uninstall-service
    [ -z "$(find "$root" ! -type d)" ]
    [ -z "$(find "$root" -type d -name '*gorae*')" ]
    at_root install-service
    for file in gorae/daemon.json default/goraed logrotate.d/goraed; do echo "# mine" >>"$root/etc/$file"; done
    at_root install-service # an upgrade keeps the settings, too
    tail -n1 "$root/etc/gorae/daemon.json" | grep -qx "# mine"
    for file in default/goraed logrotate.d/goraed; do echo "# mine" >>"$root/etc/$file"; done
    at_root uninstall-service
    [ "$(cd "$root" && find . ! -type d | sort | xargs)" = "./etc/default/goraed ./etc/gorae/daemon.json ./etc/logrotate.d/goraed" ]
}
