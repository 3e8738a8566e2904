#!/bin/sh
# Write the root file system of a small image to standard output, as a tar: busybox and what programs expect around it.
#
# The same busybox always gives the same bytes (sorted names, no times, owner root), so the image's layer always has the
# same digest. Needs no root: owners and modes are written into the tar, not taken from files.
# BUSYBOX names another static busybox than /bin/busybox.
set -euf

busybox=${BUSYBOX:-/bin/busybox}
[ -x "$busybox" ] || {
    echo "make-busybox.sh: no $busybox (install the package busybox-static, or set BUSYBOX)" >&2
    exit 1
}
LC_ALL=C
export LC_ALL
umask 022

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
trap 'exit 1' HUP INT TERM

chmod 0755 "$root"
for dir in bin dev etc home proc root sys tmp usr usr/bin usr/sbin var var/log var/spool var/tmp var/www; do
    mkdir "$root/$dir"
done
chmod 0700 "$root/root"
chmod 1777 "$root/tmp" "$root/var/tmp"
ln -s bin "$root/sbin"

# Applets are hard links, as in the busybox image that people know: one file under many names.
cp "$busybox" "$root/bin/busybox"
chmod 0755 "$root/bin/busybox"
for applet in $("$busybox" --list); do
    [ "$applet" = busybox ] || ln "$root/bin/busybox" "$root/bin/$applet"
done
ln -s ../../bin/env "$root/usr/bin/env"

cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/bin/sh
daemon:x:1:1:daemon:/usr/sbin:/bin/false
bin:x:2:2:bin:/bin:/bin/false
sys:x:3:3:sys:/dev:/bin/false
mail:x:8:8:mail:/var/spool/mail:/bin/false
www-data:x:33:33:www-data:/var/www:/bin/false
operator:x:37:37:Operator:/var:/bin/false
nobody:x:65534:65534:nobody:/home:/bin/false
EOF
cat >"$root/etc/group" <<'EOF'
root:x:0:
daemon:x:1:
bin:x:2:
sys:x:3:
adm:x:4:
tty:x:5:
disk:x:6:
mail:x:8:
wheel:x:10:root
www-data:x:33:
operator:x:37:
nobody:x:65534:
EOF
cat >"$root/etc/shadow" <<'EOF'
root:*:19000:0:99999:7:::
nobody:*:19000:0:99999:7:::
EOF
chmod 0600 "$root/etc/shadow"

tar --create --format=ustar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --directory="$root" .
