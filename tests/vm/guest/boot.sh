#!/bin/bash
# In the guest, once it is up: run the scripts that this boot's plan names, one after the other, and switch the machine off.
# Their lines go to the virtio port; the host (vm.py) knows which checks each should bring.
cd /run/lane || exit 1
exec >/dev/virtio-ports/lane 2>&1 </dev/null
echo "# booted, $(cut -d' ' -f1 /proc/uptime) s after the kernel began; $(systemctl is-system-running --wait)"
systemctl --failed --no-legend --plain | sed 's/^/# failed unit: /'
while read -r script; do
    "./$script.sh" || echo "# $script.sh ended with code $?"
done <plan
systemctl poweroff
