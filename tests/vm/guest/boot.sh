#!/bin/bash
# In the guest, once it is up: run the scripts that this boot's plan names, one after the other, and switch the machine off.
# Their lines go to the virtio port; the host (vm.py) knows which checks each should bring.
cd /run/lane || exit 1
port=/dev/virtio-ports/lane
for _ in $(seq 600); do [ ! -c $port ] || break; sleep 0.1; done # udev makes it in its own time
exec >$port 2>&1 </dev/null
state=$(timeout 120 systemctl is-system-running --wait)
echo "# booted, $(cut -d' ' -f1 /proc/uptime) s after the kernel began; $state"
[ "$state" = running ] || { systemctl --failed --no-legend --plain; systemctl list-jobs --no-legend; } | sed 's/^/# not done: /'
while read -r script; do
    "./$script.sh" || echo "# $script.sh ended with code $?"
done <plan
systemctl poweroff
