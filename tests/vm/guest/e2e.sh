#!/bin/bash
# On demand (vm.py BUILD --bats FILE,…): black-box tests of tests/e2e, under this kernel and its control groups. They are quick
# where they were written for; here they take some fifteen times as long, so they are not part of the lane.
. /run/lane/lib.sh
mkdir -p repo/build/bin
ln -sf /usr/bin/gorae /usr/bin/goraed /usr/libexec/gorae/* repo/build/bin/
while read -r file; do
    (cd repo && bats --tap "tests/e2e/$file") 2>&1 | sed -E 's/: / - /g; s/^(ok|not ok) [0-9]+ (.*)/\1 \2/; t; s/^# ?/# /'
done <bats
