#!/bin/sh
# Install the named packages that are missing: the list first, then the distribution's package manager, with sudo where
# we are not root. With nothing missing it does not touch the network.
set -eu
missing=""
command -v dpkg-query >/dev/null 2>&1 || {
    echo "This system has no dpkg. Please install by hand what these Debian packages hold: $*" >&2
    exit 0
}
for p in "$@"; do
    dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0
echo "Packages to install:$missing"
as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null 2>&1 || { echo "install them as root, then run this again" >&2; exit 1; }
    as_root=sudo
fi
# A policy of 101 keeps a package's own service from being started: we only want its programs.
policy=/usr/sbin/policy-rc.d
made=""
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
    $as_root chmod 755 "$policy"
    made=yes
fi
trap '[ -z "$made" ] || $as_root rm -f "$policy"' EXIT
log=$(mktemp)
# shellcheck disable=SC2086 # the list is words
if ! { $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing ||
    { $as_root apt-get update && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing; }; } \
    >"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -f "$log"
    echo "could not install:$missing" >&2
    exit 1
fi
rm -f "$log"
