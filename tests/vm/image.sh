#!/usr/bin/env bash
# Make the guest that `make test-vm` boots: image.sh CACHE. Prints the folder that holds it: vmlinuz, initrd, root.ext4.
#
# The guest is the host's own Debian release, since it runs what was built here, and comes from the mirror that this machine's
# apt already uses. What it is made of is named below; the folder is named by a digest of this file, so a changed recipe makes
# a new guest and an unchanged one is taken from the cache without asking the network for anything. Old guests are removed.
# A guest that could not be finished is not there at all: it is made under another name and renamed at the end.
#
# The kernel is started by qemu itself, with an initial file system that holds busybox and the five modules which this
# kernel needs to see a virtio disk. No boot loader, no partition, no loop device, no mount on the host: debootstrap's own
# mounts are made in a mount namespace that ends with it. Read next: vm.py.
set -euo pipefail
cache=$1
PATH=$PATH:/usr/sbin:/sbin # where root's programs are, here and in the guest
here=$(cd "$(dirname "$0")" && pwd)

# What an administrator's machine has, and what goraed is linked with: `apt install ./gorae_*.deb` works without a network.
packages=systemd,systemd-sysv,udev,dbus,apparmor,kmod,procps,iproute2,nftables,busybox-static,curl,jq
packages+=,libjansson4,libnettle8,libarchive13,libcurl4,libssl3,libmnl0
packages+=,bats,socat,libcap2-bin,bsdextrautils,xz-utils # for guest/e2e.sh
kernel=linux-image-cloud-amd64
modules="virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci virtio_blk"

# shellcheck disable=SC1091 # the host's
release=$(. /etc/os-release && echo "$ID $VERSION_CODENAME")
name=guest-$( (cat "$0" "$here/guest/lane.service"; echo "$release") | sha256sum | cut -c1-16)
if [ -e "$cache/$name/root.ext4" ]; then
    echo "$cache/$name"
    exit 0
fi
say() { echo "image.sh: $*" >&2; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
[ ! -e "$cache/$name/root.ext4" ] || { echo "$cache/$name"; exit 0; }
rm -rf "${cache:?}"/guest-* "${cache:?}"/making.*
work=$(mktemp -d "$cache/making.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
root=$work/root
log=$work/log

mirror() { apt-get indextargets --format '$(SITE) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' | awk -v c="${release#* }" '$2 == c && $3 == "main" {print $1; exit}'; }
real_kernel() { apt-cache depends "$kernel" 2>/dev/null | sed -n 's/^ *Depends: \(linux-image-.*\)/\1/p' | head -n 1; }
if [ -z "$(mirror)" ] || [ -z "$(real_kernel)" ]; then apt-get -o DPkg::Lock::Timeout=300 update >"$log" 2>&1 || true; fi
from=$(mirror)
image=$(real_kernel)
[ -n "$from" ] && [ -n "$image" ] || { say "apt knows no mirror with ${release#* } main, or no $kernel in it"; exit 1; }

say "a Debian guest is made, once (about two minutes): ${release#* }, $image"
unshare --mount --propagation private debootstrap --variant=minbase --include="$packages" "${release#* }" "$root" "$from" >"$log" 2>&1 ||
    { tail -n 20 "$log" >&2; say "debootstrap failed"; exit 1; }
(cd "$work" && apt-get download "$image" >>"$log" 2>&1) || { tail -n 5 "$log" >&2; say "$image cannot be downloaded"; exit 1; }
# Not straight into the guest, where /lib is a link that the package's own folder would replace.
dpkg-deb -x "$work"/linux-image-*.deb "$work/kernel"
version=${image#linux-image-}
mkdir "$root/usr/lib/modules"
mv "$work/kernel/lib/modules/$version" "$root/usr/lib/modules/"
mv "$work/kernel/boot/vmlinuz-$version" "$work/vmlinuz"
chroot "$root" depmod "$version"
rm -rf "$work/kernel" "$root"/var/cache/apt/*.bin "$root"/var/cache/apt/archives/*.deb "$root"/usr/share/{doc,man,locale,info}/*
# Nothing is fetched in the guest, and nothing is left that would try.
: >"$root/etc/apt/sources.list"
rm -f "$root"/var/lib/apt/lists/*_* "$root/etc/resolv.conf"
for unit in apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer fstrim.timer e2scrub_reap.service dpkg-db-backup.timer getty@tty1.service; do
    rm -f "$root"/etc/systemd/system/*.wants/"$unit"
done
echo gorae-vm >"$root/etc/hostname"
echo "/dev/vda / ext4 errors=remount-ro 0 1" >"$root/etc/fstab"
# The lane's own service: it takes what the host has put onto the second disk and does what is written there.
install -m 644 "$here/guest/lane.service" "$root/etc/systemd/system/lane.service"
ln -s ../lane.service "$root/etc/systemd/system/multi-user.target.wants/lane.service"

init=$work/init
mkdir -p "$init"/{bin,dev,proc,root}
cp "$root/bin/busybox" "$init/bin/busybox"
for m in $modules; do
    find "$root/lib/modules/$version/kernel/drivers" -name "$m.ko" -exec cp {} "$init/" \;
done
cat >"$init/init" <<INIT
#!/bin/busybox sh
busybox=/bin/busybox
\$busybox mount -t proc proc /proc
\$busybox mount -t devtmpfs dev /dev
for m in $modules; do
    [ ! -e /\$m.ko ] || \$busybox insmod /\$m.ko
done
n=0
until [ -b /dev/vda ] || [ \$n = 300 ]; do \$busybox sleep 0.1; n=\$((n + 1)); done
\$busybox mount -t ext4 -o rw /dev/vda /root || exit 1
\$busybox mount --move /dev /root/dev
\$busybox umount /proc
exec \$busybox switch_root /root /lib/systemd/systemd
INIT
chmod 755 "$init/init"
(cd "$init" && find . | LC_ALL=C sort | /bin/busybox cpio -o -H newc 2>>"$log" | gzip -1) >"$work/initrd"

# Sparse: it takes what it holds. The journal is small, so that a cut often falls into its middle.
truncate -s 3G "$work/root.ext4"
mkfs.ext4 -q -F -J size=16 -L gorae -d "$root" "$work/root.ext4" >>"$log" 2>&1 || { tail -n 5 "$log" >&2; exit 1; }
rm -rf "$root" "$init" "$work"/linux-image-*.deb
chmod 755 "$work"
trap - EXIT
mv "$work" "$cache/$name"
echo "$cache/$name"
