#!/bin/bash
# The package goes: first the programs, then the data.
. /run/lane/lib.sh

remove() {
    gorae rm -f stays || true
    box --name kept --restart unless-stopped --stop-timeout 1 busybox sleep 100000
    DEBIAN_FRONTEND=noninteractive apt-get remove -y gorae
    nothing_left
    never command -v gorae
    [ -d "/var/lib/gorae/containers" ]
    [ ! -e /run/gorae.sock ]
}
check "remove stops everything and keeps the data" remove

reinstall() {
    DEBIAN_FRONTEND=noninteractive apt-get install -y ./gorae.deb
    within 60 gorae version
    within 60 is kept running
    gorae rm -f kept
    judge
}
check "installed again, the containers are there" reinstall

purge() {
    DEBIAN_FRONTEND=noninteractive apt-get purge -y gorae
    nothing_left
    [ ! -e /var/lib/gorae ]
    [ ! -e /etc/gorae ]
    [ ! -e /run/gorae ]
    never systemctl cat goraed.service
    never find /etc /usr /var/lib/systemd -name '*gorae*' -not -path '*/apt/*' | grep .
}
check "purge removes the data and the settings" purge
