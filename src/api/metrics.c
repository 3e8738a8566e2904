/* --metrics-addr: what this daemon has done and holds, as text for Prometheus, on a port of its own.
 *
 * One thread serves one connection at a time, one request each, and knows one path. So the port cannot be used for
 * anything else, and it answers while all other connections are taken. Nothing secret is in the text, but it is for
 * this machine alone unless --insecure-tcp is given, and not for web pages (guard.c).
 *
 * Where dockerd has the same figure it has the same name here, engine_daemon_…; process_… are Prometheus's own names
 * (for what /proc knows of us); gorae_… are ours. Source: Prometheus, "Text-based exposition format" 0.0.4; proc(5).
 * Read next: router.c for the counts of requests. */
#include "api/api.h"
#include "api/hosts.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define TIMEOUT_MS 5000

/* ---- the text ---- */

/* A row a family: `key` of the figures is a number, or an object of numbers by their labels. Without a type it belongs
 * to the family above. */
static const struct {
    const char *name, *type, *help, *key;
} rows[] = {
    {"engine_daemon_engine_info", "gauge", "This daemon; always 1.", "Build"},
    {"engine_daemon_engine_cpus_cpus", "gauge", "CPUs of this machine.", "NCPU"},
    {"engine_daemon_engine_memory_bytes", "gauge", "Its memory.", "MemTotal"},
    {"engine_daemon_container_states_containers", "gauge", "Containers by what docker counts them as.", "Docker"},
    {"gorae_containers", "gauge", "Containers by state.", "States"},
    {"gorae_containers_health", "gauge", "Containers that run, by what their own checks say.", "Health"},
    {"gorae_images", "gauge", "Images.", "Images"},
    {"engine_daemon_events_total", "counter", "Events.", "EventCount"},
    {"engine_daemon_events_subscribers_total", "gauge", "Who listens to events now.", "Listeners"},
    {"gorae_events_total", "counter", "Events by kind of object and action.", "Events"},
    {"gorae_request_seconds", "summary", "Requests that succeeded, and their time; of streams, the stream's.", NULL},
    {"gorae_request_seconds_sum", NULL, NULL, "Seconds"},
    {"gorae_request_seconds_count", NULL, NULL, "Requests"},
    {"gorae_request_failures_total", "counter", "Requests that were answered with an error.", "Failures"},
    {"engine_daemon_container_actions_seconds", "summary", "What requests did to containers, and its time.", NULL},
    {"engine_daemon_container_actions_seconds_sum", NULL, NULL, "ActionSeconds"},
    {"engine_daemon_container_actions_seconds_count", NULL, NULL, "Actions"},
    {"process_cpu_seconds_total", "counter", "CPU time, user and system.", "Cpu"},
    {"process_resident_memory_bytes", "gauge", "Memory in use.", "Resident"},
    {"process_threads", "gauge", "Threads.", "Threads"},
    {"process_open_fds", "gauge", "File descriptors.", "Open"},
    {"process_max_fds", "gauge", "And how many there may be.", "OpenMax"},
    {"process_start_time_seconds", "gauge", "Since when, in Unix time.", "Began"},
};

static char *text_of(const json_t *figures)
{
    autostr out = STR_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const json_t *v = rows[i].key ? json_object_get(figures, rows[i].key) : NULL;
        if (rows[i].type)
            str_addf(&out, "# HELP %s %s\n# TYPE %s %s\n", rows[i].name, rows[i].help, rows[i].name, rows[i].type);
        if (json_is_number(v))
            str_addf(&out, "%s %.15g\n", rows[i].name, json_number_value(v));
        json_each_pair (labels, x, v)
            str_addf(&out, "%s{%s} %.15g\n", rows[i].name, labels, json_number_value(x));
    }
    return str_take(&out);
}

/* ---- the figures ---- */

static void put(json_t *figures, const char *key, const char *labels, double value)
{
    json_object_set_new(json_object_get(figures, key), labels, json_real(value));
}

static void add_route(void *arg, const struct route_tally *t)
{
    static const char *const actions[][3] = {{"POST", "/containers/create", "create"}, /* as dockerd calls them */
                                             {"POST", "/containers/{}/start", "start"},
                                             {"DELETE", "/containers/{}", "delete"},
                                             {"POST", "/commit", "commit"},
                                             {"GET", "/containers/{}/changes", "changes"}};
    autofree char *labels = str_printf("method=\"%s\",route=\"%s\"", t->method, t->pattern);
    if (t->ok + t->failed == 0)
        return;
    put(arg, "Seconds", labels, (double)t->ns / NS_PER_S);
    put(arg, "Requests", labels, (double)t->ok);
    put(arg, "Failures", labels, (double)t->failed);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
        autofree char *action = str_printf("action=\"%s\"", actions[i][2]);
        if (!str_eq(actions[i][0], t->method) || !str_eq(actions[i][1], t->pattern))
            continue;
        put(arg, "ActionSeconds", action, (double)t->ns / NS_PER_S);
        put(arg, "Actions", action, (double)t->ok);
    }
}

/* Of /proc/self/stat behind the name in brackets: fields 14 and 15 are ticks of CPU, 20 threads, 22 the start in ticks
 * since the boot, 24 memory in pages. */
static void add_process(json_t *figures, int open_fds)
{
    struct err ignored;
    struct rlimit fds = {0};
    unsigned long long user, sys, threads, began, pages;
    double tick = (double)sysconf(_SC_CLK_TCK);
    struct timespec up;
    autofree char *text = file_read(AT_FDCWD, "/proc/self/stat", 4096, NULL, &ignored);
    const char *rest = text ? strrchr(text, ')') : NULL;
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %llu %*d %llu %*u %llu",
               &user, &sys, &threads, &began, &pages) != 5)
        return;
    getrlimit(RLIMIT_NOFILE, &fds);
    clock_gettime(CLOCK_BOOTTIME, &up);
    json_auto_t *own = json_pack("{s:f, s:f, s:I, s:i, s:f, s:f}", "Cpu", (double)(user + sys) / tick, "Resident",
                                 (double)pages * (double)sysconf(_SC_PAGESIZE), "Threads", (json_int_t)threads, "Open",
                                 open_fds, "OpenMax", (double)fds.rlim_cur, "Began",
                                 (double)clock_real() / NS_PER_S - (double)up.tv_sec + (double)began / tick);
    json_object_update(figures, own);
}

static char *make_text(struct engine *en)
{
    static const char *const tables[] = {"Build", "Seconds", "Requests", "Failures", "ActionSeconds", "Actions"};
    json_auto_t *m = engine_metrics(en), *info = engine_info(en);
    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
        json_object_set_new(m, tables[i], json_object());
    json_object_set(m, "NCPU", json_object_get(info, "NCPU"));
    json_object_set(m, "MemTotal", json_object_get(info, "MemTotal"));
    autofree char *build = str_printf("version=\"%s\",commit=\"%s\",architecture=\"%s\",kernel=\"%s\",daemon_id=\"%s\"",
                                      GORAE_VERSION, GORAE_COMMIT, json_str(info, "Architecture", ""),
                                      json_str(info, "KernelVersion", ""), json_str(info, "ID", ""));
    put(m, "Build", build, 1);
    router_tallies(add_route, m);
    add_process(m, (int)json_int(info, "NFd", 0));
    return text_of(m);
}

/* ---- the port ---- */

static int serve(struct request *r, struct err *e)
{
    if (guard_check(r, e) < 0 || http_target_parse(r->head->target, &r->target, e) < 0)
        return -1;
    if (!str_eq(r->target.path, "/metrics") || !(str_eq(r->head->method, "GET") || str_eq(r->head->method, "HEAD")))
        return err_set(e, ERR_NOT_FOUND, "page not found: here is nothing but GET /metrics");
    autofree char *text = make_text(r->engine);
    return reply_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", text, e);
}

static void serve_connection(struct server *sv, int fd)
{
    struct http h;
    struct http_head head;
    struct err e = {0};
    http_init(&h, fd);
    h.head_timeout_ms = h.idle_timeout_ms = h.whole_timeout_ms = h.write_timeout_ms = TIMEOUT_MS;
    if (http_read_request(&h, &head, &e) > 0) {
        struct request r = {.sv = sv, .engine = sv->engine, .http = &h, .head = &head, .tcp = true};
        head.keep_alive = false; /* the next one waits already */
        if (serve(&r, &e) < 0)
            reply_error(&r, &e);
        http_target_release(&r.target);
        http_head_release(&head);
    }
    http_release(&h);
}

static void *metrics_main(void *arg)
{
    struct server *sv = arg;
    for (;;) {
        int fd = accept4(sv->metrics, NULL, NULL, SOCK_CLOEXEC);
        if (fd >= 0)
            serve_connection(sv, fd);
        else if (errno != EINTR && errno != ECONNABORTED)
            usleep(100000); /* out of descriptors, perhaps: the kernel would say so again at once */
    }
    return NULL;
}

int metrics_serve(struct server *sv, struct err *e)
{
    pthread_t thread;
    if (sv->metrics < 0)
        return 0;
    if (pthread_create(&thread, NULL, metrics_main, sv) != 0)
        return err_sys(e, "start the thread for metrics");
    pthread_detach(thread);
    return 0;
}

int metrics_open(const struct options *o, bool look, struct err *e)
{
    struct addrinfo *found, hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    const char *text = o->metrics, *colon = strrchr(text, ':');
    autofree char *host = colon ? mem_strndup(text, (size_t)(colon - text)) : NULL;
    uint64_t port;
    if (host && *host == '[' && str_ends(host, "]"))
        memmove(host, host + 1, strlen(host)), host[strlen(host) - 1] = '\0';
    if (!host || !str_to_u64(colon + 1, &port) || port < 1 || port > 65535 ||
        getaddrinfo(str_eq(host, "localhost") ? "127.0.0.1" : host, colon + 1, &hints, &found) != 0)
        return err_set(e, ERR_INVALID, "--metrics-addr %s: ADDRESS:PORT is expected, in numbers", text);
    int fd = look ? 0 : -1;
    if (!tcp_is_loopback(found->ai_addr) && !o->insecure_tcp)
        fd = err_set(
            e, ERR_FORBIDDEN,
            "--metrics-addr %s: everybody who can connect could read there; listen on 127.0.0.1, or say --insecure-tcp",
            text);
    else if (!look && (fd = tcp_listen(found)) < 0)
        err_sys(e, "--metrics-addr %s: listen", text);
    freeaddrinfo(found);
    return fd;
}
