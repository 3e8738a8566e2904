#!/bin/bash
# The package goes: first the programs, then the data.
. /run/lane/lib.sh

remove() {
    gorae rm -f stays || true
    box --name kept --restart unless-stopped --stop-timeout 1 busybox sleep 100000
    dpkg -r gorae
    nothing_left
    [ ! -e /usr/bin/gorae ]
    [ -d "/var/lib/gorae/containers" ]
    [ ! -e /run/gorae.sock ]
}
check "remove stops everything and keeps the data" remove

reinstall() {
    dpkg -i ./gorae.deb
    within 60 gorae version
    within 60 is kept running
    gorae rm -f kept
    judge
}
check "installed again, the containers are there" reinstall

purge() {
    dpkg -P gorae
    nothing_left
    [ ! -e /var/lib/gorae ]
    [ ! -e /etc/gorae ]
    [ ! -e /run/gorae ]
    never systemctl cat goraed.service
    never find /etc /usr /var/lib/systemd -name '*gorae*' -not -path '*/apt/*' | grep .
}
check "purge removes the data and the settings" purge
