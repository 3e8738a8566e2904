#!/usr/bin/env bats
# Health checks: when they run, what follows from them, and where it is shown.
load lib

setup_file() { daemon_with_busybox; }
teardown() { gorae rm -f web other >/dev/null 2>&1 || true; }
teardown_file() { daemon_end; }

health() { gorae inspect -f '{{.State.Health.Status}}' "${1:-web}"; }
becomes() { eventually 60 sh -c "[ \"\$(gorae inspect -f '{{.State.Health.Status}}' ${2:-web})\" = $1 ]"; }

@test "starting, healthy, unhealthy after so many failures in a row, and healthy again; each told once" {
    local since
    since=$(date +%s.%N)
    gorae run -d --name web --health-cmd 'test -e /well && echo fine' --health-interval 100ms --health-retries 2 busybox sleep 1000 >/dev/null
    [ "$(health)" = starting ]
    gorae ps --format '{{.Status}}' | grep -q '(health: starting)$'
    becomes unhealthy
    gorae exec web touch /well
    becomes healthy
    gorae ps --format '{{.Status}}' | grep -q '(healthy)$'
    [ "$(gorae ps -q --filter health=healthy | wc -l)" = 1 ]
    [ -z "$(gorae ps -q --filter health=unhealthy)" ]
    gorae inspect -f '{{json .State.Health}}' web | jq -e '.FailingStreak == 0 and (.Log[-1] | .ExitCode == 0 and .Output == "fine\n")'
    gorae exec web rm /well
    becomes unhealthy
    gorae inspect -f '{{json .State.Health}}' web | jq -e '.FailingStreak >= 2 and (.Log | length) <= 5 and .Log[-1].ExitCode == 1'
    [ "$(gorae events --since "$since" --until "$(date +%s.%N)" --filter event=health_status --format '{{.Action}}' | paste -sd,)" = \
        "health_status: unhealthy,health_status: healthy,health_status: unhealthy" ]
}

@test "the first check comes after one interval; during the start period failures do not count" {
    gorae run -d --name web --health-cmd 'date >>/checks; false' --health-interval 700ms --health-retries 1 busybox sleep 1000 >/dev/null
    sleep 0.3
    run gorae exec web cat /checks
    [ "$status" = 1 ]
    becomes unhealthy
    gorae run -d --name other --health-cmd false --health-interval 100ms --health-retries 1 --health-start-period 1500ms \
        --health-start-interval 100ms busybox sleep 1000 >/dev/null
    sleep 0.8
    [ "$(health other)" = starting ]
    gorae inspect -f '{{json .State.Health}}' other | jq -e '.FailingStreak == 0 and (.Log | length) > 1'
    becomes unhealthy other
}

@test "a check that takes too long is killed and has failed; output is cut" {
    gorae run -d --name web --health-cmd 'sleep 77' --health-interval 100ms --health-timeout 200ms --health-retries 1 busybox sleep 1000 >/dev/null
    becomes unhealthy
    gorae inspect -f '{{json .State.Health.Log}}' web | jq -e '.[-1] | .ExitCode == -1 and .Output == "Health check exceeded timeout (200ms)"'
    gorae run -d --name other --health-cmd 'head -c 10000 /dev/zero | tr "\0" x' --health-interval 100ms busybox sleep 1000 >/dev/null
    becomes healthy other
    gorae inspect -f '{{json .State.Health.Log}}' other | jq -e '.[-1].Output | length == 4099 and endswith("x...")'
}

@test "a command that is not there fails; CMD is run without a shell" {
    answers 201 json POST '/containers/create?name=web' '{"Image":"busybox","Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD","/nosuch"],"Interval":100000000,"Retries":1}}'
    gorae start web >/dev/null
    becomes unhealthy
    json POST '/containers/create?name=other' '{"Image":"busybox","Cmd":["sleep","1000"],"Healthcheck":{"Test":["CMD","echo","$HOME;"],"Interval":100000000}}'
    gorae start other >/dev/null
    becomes healthy other
    gorae inspect -f '{{json .State.Health.Log}}' other | jq -e '.[-1].Output == "$HOME;\n"'
}

@test "paused it is not checked; stopped it is unhealthy; started again it begins anew" {
    gorae run -d --name web --health-cmd 'date >>/checks' --health-interval 100ms busybox sleep 1000 >/dev/null
    becomes healthy
    gorae pause web
    sleep 0.3
    local log
    log=$(gorae inspect -f '{{json .State.Health.Log}}' web)
    sleep 0.5
    [ "$(gorae inspect -f '{{json .State.Health.Log}}' web)" = "$log" ]
    gorae unpause web
    gorae stop -t 0 web
    [ "$(health)" = unhealthy ]
    gorae start web >/dev/null
    becomes healthy
    # after the daemon's death it is checked on
    daemon_kill
    daemon_start
    becomes healthy
}

@test "an image's check is inherited field by field; NONE switches it off" {
    gorae import --change 'HEALTHCHECK --interval=30s CMD true' --change 'CMD ["sh"]' "$GORAE_BUILD/payload/busybox.tar" checked >/dev/null
    gorae create --name web --health-interval 100ms checked sleep 1000 >/dev/null
    gorae inspect -f '{{json .Config.Healthcheck}}' web | jq -e '.Interval == 100000000 and .Test[-1] == "true"'
    gorae start web >/dev/null
    becomes healthy
    gorae run -d --name other --no-healthcheck checked sleep 1000 >/dev/null
    gorae inspect other | jq -e '.[0].State | has("Health") | not'
    gorae rm -f web other && gorae rmi checked >/dev/null
}

@test "bad settings are refused by name" {
    local case
    for case in '"Interval":1000|Interval in Healthcheck cannot be less than 1ms' '"Timeout":-5|Timeout in Healthcheck cannot be less' \
        '"Retries":-1|Retries in Healthcheck cannot be negative' '"Test":["WHAT","x"]|Unknown healthcheck type' '"Test":["CMD"]|needs a command'; do
        json POST /containers/create "{\"Image\":\"busybox\",\"Healthcheck\":{${case%%|*}}}"
        [ "$STATUS" = 400 ] && [[ $BODY == *"${case#*|}"* ]] || { echo "$case: $STATUS $BODY" >&2; return 1; }
    done
}
