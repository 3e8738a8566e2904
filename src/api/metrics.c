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
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define TIMEOUT_MS 5000

/* ---- the text ---- */

static void family(struct str *out, const char *name, const char *type, const char *help)
{
    str_addf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void single(struct str *out, const char *name, const char *type, const char *help, double value)
{
    family(out, name, type, help);
    str_addf(out, "%s %.15g\n", name, value);
}

/* Every number of an object, under its key as a label. */
static void add_each(struct str *out, const char *name, const char *label, const json_t *numbers)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)numbers, key, v)
    {
        str_addf(out, "%s{%s=\"%s\"} %lld\n", name, label, key, (long long)json_integer_value(v));
    }
}

static void add_containers(struct str *out, const json_t *m)
{
    family(out, "engine_daemon_container_states_containers", "gauge", "Containers by what docker counts them as.");
    add_each(out, "engine_daemon_container_states_containers", "state", json_object_get(m, "Docker"));
    family(out, "gorae_containers", "gauge", "Containers by state.");
    add_each(out, "gorae_containers", "state", json_object_get(m, "States"));
    family(out, "gorae_containers_health", "gauge", "Running containers by what their own checks say.");
    add_each(out, "gorae_containers_health", "health", json_object_get(m, "Health"));
    single(out, "gorae_images", "gauge", "Images.", (double)json_int(m, "Images", 0));
    single(out, "engine_daemon_events_total", "counter", "Events.", (double)json_int(m, "EventCount", 0));
    single(out, "engine_daemon_events_subscribers_total", "gauge", "Who listens to events now.",
           (double)json_int(m, "Listeners", 0));
    family(out, "gorae_events_total", "counter", "Events by kind of object and action.");
    add_each(out, "gorae_events_total", "event", json_object_get(m, "Events"));
}

static void one_route(void *arg, const struct route_tally *t)
{
    static const struct {
        const char *method, *pattern, *action; /* as dockerd calls them */
    } known[] = {{"POST", "/containers/create", "create"},
                 {"POST", "/containers/{}/start", "start"},
                 {"DELETE", "/containers/{}", "delete"},
                 {"POST", "/commit", "commit"},
                 {"GET", "/containers/{}/changes", "changes"}};
    struct str *out = arg; /* [0] ours, [1] failures, [2] dockerd's */
    if (t->ok + t->failed == 0)
        return;
    autofree char *labels = str_printf("{method=\"%s\",route=\"%s\"}", t->method, t->pattern);
    str_addf(&out[0], "gorae_request_seconds_sum%s %.9f\ngorae_request_seconds_count%s %ju\n", labels,
             (double)t->ns / 1e9, labels, (uintmax_t)t->ok);
    str_addf(&out[1], "gorae_request_failures_total%s %ju\n", labels, (uintmax_t)t->failed);
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (str_eq(known[i].method, t->method) && str_eq(known[i].pattern, t->pattern))
            str_addf(&out[2],
                     "engine_daemon_container_actions_seconds_sum{action=\"%s\"} %.9f\n"
                     "engine_daemon_container_actions_seconds_count{action=\"%s\"} %ju\n",
                     known[i].action, (double)t->ns / 1e9, known[i].action, (uintmax_t)t->ok);
}

static void add_requests(struct str *out)
{
    struct str parts[3] = {STR_INIT, STR_INIT, STR_INIT};
    static const char *const heads[3][3] = {
        {"gorae_request_seconds", "summary", "Requests that succeeded, and their time; of streams, the stream's."},
        {"gorae_request_failures_total", "counter", "Requests that were answered with an error."},
        {"engine_daemon_container_actions_seconds", "summary",
         "What was done to containers by request, and its time."}};
    router_tallies(one_route, parts);
    for (size_t i = 0; i < 3; i++) {
        family(out, heads[i][0], heads[i][1], heads[i][2]);
        str_add(out, parts[i].s ? parts[i].s : "");
        str_release(&parts[i]);
    }
}

static int entries(const char *path)
{
    autoclosedir DIR *d = opendir(path);
    int n = -2; /* "." and ".." */
    while (d && readdir(d))
        n++;
    return n > 0 ? n : 0;
}

/* Fields of /proc/self/stat behind the name in brackets: 14 and 15 are ticks of CPU, 20 threads, 22 the start in ticks
 * since the boot, 23 and 24 memory in bytes and pages. */
static void add_process(struct str *out)
{
    struct err ignored;
    struct rlimit fds = {0};
    struct timespec up, now;
    unsigned long long user = 0, sys = 0, threads = 0, began = 0, size = 0, pages = 0;
    double tick = (double)sysconf(_SC_CLK_TCK);
    autofree char *text = file_read(AT_FDCWD, "/proc/self/stat", 4096, NULL, &ignored);
    const char *rest = text ? strrchr(text, ')') : NULL;
    if (!rest ||
        sscanf(rest, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %*d %*d %*d %*d %llu %*d %llu %llu %llu",
               &user, &sys, &threads, &began, &size, &pages) != 6)
        return;
    getrlimit(RLIMIT_NOFILE, &fds);
    clock_gettime(CLOCK_BOOTTIME, &up);
    clock_gettime(CLOCK_REALTIME, &now);
    single(out, "process_cpu_seconds_total", "counter", "CPU time, user and system.", (double)(user + sys) / tick);
    single(out, "process_resident_memory_bytes", "gauge", "Memory in use.",
           (double)pages * (double)sysconf(_SC_PAGESIZE));
    single(out, "process_virtual_memory_bytes", "gauge", "Address space.", (double)size);
    single(out, "process_threads", "gauge", "Threads.", (double)threads);
    single(out, "process_open_fds", "gauge", "File descriptors.", entries("/proc/self/fd") - 1);
    single(out, "process_max_fds", "gauge", "And how many there may be.", (double)fds.rlim_cur);
    single(out, "process_start_time_seconds", "gauge", "Since when, in Unix time.",
           (double)(now.tv_sec - up.tv_sec) + (double)began / tick);
}

static char *make_text(struct engine *en)
{
    autostr out = STR_INIT;
    json_auto_t *m = engine_metrics(en), *info = engine_info(en);
    family(&out, "engine_daemon_engine_info", "gauge", "This daemon; always 1.");
    str_addf(&out,
             "engine_daemon_engine_info{version=\"%s\",commit=\"%s\",architecture=\"%s\",kernel=\"%s\",graphdriver=\"%"
             "s\",daemon_id=\"%s\"} 1\n",
             GORAE_VERSION, GORAE_COMMIT, json_str(info, "Architecture", ""), json_str(info, "KernelVersion", ""),
             json_str(info, "Driver", ""), json_str(info, "ID", ""));
    single(&out, "engine_daemon_engine_cpus_cpus", "gauge", "CPUs of this machine.", (double)json_int(info, "NCPU", 0));
    single(&out, "engine_daemon_engine_memory_bytes", "gauge", "Its memory.", (double)json_int(info, "MemTotal", 0));
    add_containers(&out, m);
    add_requests(&out);
    add_process(&out);
    return str_take(&out);
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
    if (sv->metrics < 0 || pthread_create(&thread, NULL, metrics_main, sv) == 0)
        return 0;
    return err_sys(e, "start the thread for metrics");
}

int metrics_open(const struct options *o, struct err *e)
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
    int fd = -1;
    if (!tcp_is_loopback(found->ai_addr) && !o->insecure_tcp)
        err_set(
            e, ERR_FORBIDDEN,
            "--metrics-addr %s: everybody who can connect could read there; listen on 127.0.0.1, or say --insecure-tcp",
            text);
    else if ((fd = tcp_listen(found)) < 0)
        err_sys(e, "--metrics-addr %s: listen", text);
    freeaddrinfo(found);
    return fd;
}
