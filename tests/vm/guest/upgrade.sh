#!/bin/bash
# A newer package is installed over the old one, while containers run.
. /run/lane/lib.sh

upgrade() {
    box --name stays --restart always busybox sh -c 'trap "exit 0" TERM; i=0; while :; do i=$((i+1)); echo $i; sleep 0.2; done'
    pid_of stays >stays.pid
    main_pid >main.pid
    dpkg -i ./gorae-next.deb
    dpkg-query -W -f '${Version}' gorae | grep 'next$'
    within 60 gorae version
    [ "$(main_pid)" != "$(cat main.pid)" ]
    is stays running
    [ "$(pid_of stays)" = "$(cat stays.pid)" ]
    [ "$(gorae inspect -f '{{.RestartCount}}' stays)" = 0 ]
    # no line is lost and none is doubled
    gorae logs stays >log
    seq "$(wc -l <log)" | cmp - log
    judge
}
check "an upgrade starts the new daemon, and containers run on with the same pid" upgrade
