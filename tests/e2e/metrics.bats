#!/usr/bin/env bats
# --metrics-addr: the figures are right, the port serves nothing else, and not everybody.
load lib

setup_file() {
    PORT=$(free_port)
    export PORT
    daemon_with_busybox --metrics-addr "127.0.0.1:$PORT"
}
teardown_file() { daemon_end; }

metrics() { curl -sf --max-time 10 "$@" "http://127.0.0.1:$PORT/metrics"; }
# is 'NAME{labels}' VALUE
is() { metrics | grep -Fqx "$1 $2" || { metrics | grep -F "${1%%[\{]*}" >&2; return 1; }; }

@test "containers by state and health, images, events, listeners" {
    gorae run -d --name web --health-cmd true --health-interval 1s busybox sleep 1000 >/dev/null
    gorae create --name idle busybox true >/dev/null
    gorae run -d --name froze busybox sleep 1000 >/dev/null
    gorae pause froze >/dev/null
    eventually 50 is 'gorae_containers_health{health="healthy"}' 1
    is 'gorae_containers{state="running"}' 1
    is 'gorae_containers{state="paused"}' 1
    is 'gorae_containers{state="created"}' 1
    is 'engine_daemon_container_states_containers{state="stopped"}' 1
    is 'gorae_containers_health{health="none"}' 1 # the paused one, whose health nobody asks for
    is 'gorae_images' 1
    is 'gorae_events_total{type="container",action="start"}' 2
    is 'gorae_events_total{type="container",action="pause"}' 1
    is 'engine_daemon_events_subscribers_total' 0
    gorae events >/dev/null 3>&- &
    local listener=$!
    eventually 40 is 'engine_daemon_events_subscribers_total' 1
    [ "$(gorae info --format '{{.NEventsListener}}')" = 1 ]
    kill "$listener"
    eventually 40 is 'engine_daemon_events_subscribers_total' 0
    gorae rm -f web idle froze >/dev/null
    is 'gorae_containers{state="running"}' 0
}

@test "requests are counted by route, those that failed apart, and their time is a time" {
    local before
    before=$(metrics | sed -n 's/^gorae_request_seconds_count{method="POST",route="\/containers\/{}\/start"} //p')
    gorae run --rm busybox sleep 0.3
    never gorae start nosuch
    never gorae start nosuch
    is 'gorae_request_seconds_count{method="POST",route="/containers/{}/start"}' $((${before:-0} + 1))
    is 'gorae_request_failures_total{method="POST",route="/containers/{}/start"}' 2
    metrics | awk -F '[{} ]+' '$1 == "engine_daemon_container_actions_seconds_sum" && /start/ { t = $NF } END { exit !(t > 0.001 && t < 30) }'
    # the wait lasted as long as the container
    metrics | awk '/^gorae_request_seconds_sum.*wait/ { t = $NF } END { exit !(t > 0.25 && t < 30) }'
}

@test "what /proc knows of the daemon; each family has its help and type, each line its form" {
    daemon_pid
    local rss
    rss=$(metrics | sed -n 's/^process_resident_memory_bytes //p')
    [ "$rss" -gt 1000000 ]
    [ "$rss" -lt 100000000 ]
    is process_threads "$(ls "/proc/$DAEMON/task" | wc -l)"
    metrics | awk -v now="$(date +%s)" '$1 == "process_start_time_seconds" { t = $2 } END { exit !(now - t >= 0 && now - t < 300) }'
    metrics | grep -q "^engine_daemon_engine_info{version=\"$(gorae version -f '{{.Server.Version}}')\",.*} 1$"
    metrics >"$T/text"
    never grep -vE '^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z_]+="[^"]*"(,[a-z_]+="[^"]*")*\})? [0-9.e+-]+)$' "$T/text"
    # every sample belongs to a family that was announced
    awk '/^# TYPE/ { type[$3] = $4; next } /^#/ { next }
        { name = $1; sub(/\{.*/, "", name); base = name; sub(/_(sum|count)$/, "", base)
          if (!(name in type) && type[base] != "summary") { print; bad = 1 } } END { exit bad }' "$T/text"
    [ "$(metrics -o /dev/null -w '%{content_type}')" = "text/plain; version=0.0.4; charset=utf-8" ]
}

@test "nothing else is served there, to no web page, and one who says nothing holds nobody up for long" {
    code() { curl -s -o "$T/body" -w '%{http_code}' --max-time 15 "$@"; }
    for path in /info /v1.44/info /_ping / /metrics/x /containers/json; do
        [ "$(code "http://127.0.0.1:$PORT$path")" = 404 ]
        grep -q 'nothing but GET /metrics' "$T/body"
    done
    [ "$(code -X POST "http://127.0.0.1:$PORT/metrics")" = 404 ]
    [ "$(code -H 'Origin: http://x' "http://127.0.0.1:$PORT/metrics")" = 403 ]
    [ "$(code -H 'Host: rebound.example' "http://127.0.0.1:$PORT/metrics")" = 403 ]
    [ "$(code --unix-socket "$SOCK" http://d/metrics)" = 404 ]
    exec 9<>/dev/tcp/127.0.0.1/$PORT # says nothing

    sleep 0.2
    [ "$(code "http://127.0.0.1:$PORT/metrics")" = 200 ]
    exec 9>&-
}

@test "an address that is none, is taken, or is everybody's: named, and nothing was made" {
    refused() { # address, sentence
        run timeout 10 goraed -H "unix://$T/s2" --data-root "$T/d2" --exec-root "$T/e2" --pidfile "$T/p2" --metrics-addr "$1"
        [ "$status" = 1 ] && [[ $output == *"--metrics-addr $1: $2"* ]] || { echo "$status: $output" >&2; return 1; }
        [ ! -e "$T/d2" ] && [ ! -e "$T/e2" ] && [ ! -e "$T/p2" ] && [ ! -e "$T/s2" ]
    }
    refused 127.0.0.1:$PORT "listen: address already in use"
    refused 0.0.0.0:19324 "everybody who can connect could read there"
    for bad in 19324 localhost:0 127.0.0.1:99999 example.org:80 127.0.0.1; do refused $bad "ADDRESS:PORT is expected"; done
}
