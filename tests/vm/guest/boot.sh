#!/bin/bash
# In the guest, once it is up: run the scripts that this boot's plan names, one after the other, and switch the machine off.
# Their lines go to the virtio port; the host (vm.py) knows which checks each should bring.
cd /run/lane || exit 1
port=/dev/virtio-ports/lane
exec >/dev/console 2>&1 </dev/null
echo "boot.sh: plan $(tr '\n' ' ' <plan); $(ls -l $port /dev/vport* 2>&1 | tr '\n' ' ')"
until [ -c $port ]; do sleep 0.2; done # udev makes the name, in its own time
exec >$port 2>&1
state=$(timeout 120 systemctl is-system-running --wait)
echo "# booted, $(cut -d' ' -f1 /proc/uptime) s after the kernel began; $state"
[ "$state" = running ] || { systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend; } | sed 's/^/# not done: /'
while read -r script; do
    "./$script.sh" || echo "# $script.sh ended with code $?"
done <plan
systemctl poweroff
