#!/bin/sh
# build.sh ROOT OUT VERSION: a Debian package of what `make install` and `make install-service` put below ROOT.
#
# A package is an ar archive of two tars: the files, and what dpkg must know about them. dpkg-deb packs both; this script
# brings the tree into the shape that Debian's policy asks for, and writes the second. It does so without debhelper, to
# show that there is no more to it.
#
# Two builds of one commit are equal byte by byte, whoever makes them, wherever and whenever. So nothing here may depend on
# the folder's name, the clock, the umask, the locale, or the order in which a folder lists its files; SOURCE_DATE_EPOCH (the
# time of the commit) is the only time there is.
set -eu
export LC_ALL=C TZ=UTC
umask 022
root=$(cd "$1" && pwd) out=$2 version=$3
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:?}"
export SOURCE_DATE_EPOCH
arch=$(dpkg --print-architecture)
doc=$root/usr/share/doc/gorae

[ "$(sed -n '1s/^gorae (\(.*\)) .*/\1/p' "$here/changelog")" = "$version" ] ||
    { echo "src/service/deb/changelog: its first entry is not of version $version" >&2; exit 1; }

# 1. What only a package brings
install -d "$doc" "$root/usr/share/lintian/overrides" "$root/DEBIAN"
install -m 644 "$here/copyright" "$doc/copyright"
install -m 644 "$here/lintian-overrides" "$root/usr/share/lintian/overrides/gorae"
gzip -9nc "$here/changelog" >"$doc/changelog.gz"
find "$root/usr/share/man" -type f -exec gzip -9n {} +
find "$root/usr/share/man" -type l | while read -r link; do # they lead to pages that have another name now
    ln -s "$(readlink "$link").gz" "$link.gz"
    rm "$link"
done

# 2. Programs without what only a debugger reads
# (make-certs is a script)
elf() { find "$root/usr/bin" "$root/usr/libexec" -type f -perm -100 ! -name make-certs | sort; }
elf | xargs strip --strip-unneeded --remove-section=.comment --remove-section=.note

# 3. Which libraries they need, and in which versions: the linker's table and the libraries' own symbol lists tell.
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/debian"
printf 'Source: gorae\n\nPackage: gorae\nArchitecture: any\n' >"$work/debian/control"
elf | sed 's/^/-e/' | (cd "$work" && xargs dpkg-shlibdeps -O 2>"$work/said") >"$work/depends" || { cat "$work/said" >&2; exit 1; }

# 4. What dpkg must know
size=$(find "$root" -path "$root/DEBIAN" -prune -o -type f -printf '%s\n' -o -printf '0\n' |
    awk '{ kib += $1 ? int(($1 + 1023) / 1024) : 1 } END { print kib }')
sed -e "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@SIZE@/$size/" \
    -e "s/@DEPENDS@/$(sed 's/^shlibs:Depends=//' "$work/depends")/" "$here/control.in" >"$root/DEBIAN/control"
install -m 644 "$here/conffiles" "$root/DEBIAN"
install -m 755 "$here/postinst" "$here/prerm" "$here/postrm" "$root/DEBIAN"
(cd "$root" && find usr lib etc -path etc -prune -o -type f -print | sort | xargs md5sum) >"$root/DEBIAN/md5sums"

# 5. Packed: dpkg-deb sorts the files and sets no time later than SOURCE_DATE_EPOCH; that none be earlier is ours to see to.
chmod -R u=rwX,go=rX "$root"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group -Zxz --build "$root" "$out/gorae_${version}_$arch.deb"
