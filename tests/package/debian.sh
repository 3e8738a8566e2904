#!/usr/bin/env bash
# debian.sh FOLDER PACKAGE: a minimal Debian of the machine's own release in FOLDER, with what PACKAGE depends on, from where the
# machine gets its packages. Made once, and anew where the package has come to depend on something else.
set -euo pipefail
folder=$1
[ "$(id -u)" = 0 ] || { echo "debian.sh needs root" >&2; exit 1; }
release=$(. /etc/os-release && echo "$VERSION_CODENAME")
site=$(apt-get indextargets --format '$(RELEASE) $(SITE)' 'Created-By: Packages' | sed -n "s/^$release //p" | head -n 1)
libraries=$(dpkg-deb -f "$2" Depends | tr ',' '\n' | sed 's/ *(.*//; s/|.*//; s/ //g' | paste -sd,)
if [ -d "$folder" ] && [ "$(cat "$folder.with" 2>/dev/null)" = "$libraries" ]; then exit 0; fi
rm -rf "$folder.new" "$folder"
debootstrap --variant=minbase --include="$libraries,busybox-static" "$release" "$folder.new" "$site" >"$folder.log" 2>&1 ||
    { tail -n 5 "$folder.log" >&2; exit 1; }
rm -f "$folder.new"/var/cache/apt/archives/*.deb
mv "$folder.new" "$folder"
echo "$libraries" >"$folder.with"
