// region head
// api.c - the requests that are understood: from a target to a job, from a job to an answer.
#include "http.h"
#include "job.h"
#include <fcntl.h>
#include <fnmatch.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>
// endregion
// region error
static json_t *error(struct http *h, int status, const char *message)
{
    h->status = status;
    return json_pack("{ss}", "message", message);
}
// endregion
// region version
static json_t *version(struct http *h)
{
    struct utsname u;
    h->status = uname(&u) < 0 ? 500 : 200;
    return json_pack("{ss ss ss ss}", "Version", "calf", "ApiVersion", "1.44", "Os", "linux", "Arch", u.machine);
}
// endregion
// region ping
static json_t *ping(struct http *h)
{
    http_head(h, "text/plain", 2);
    http_write(h, "OK", h->method[0] == 'H' ? 0 : 2); // the answer to HEAD is the head alone
    return h->status = 0, NULL;
}
// endregion
// region create
static json_t *create(struct http *h)
{
    const char *argv[WORDS_MAX + 1] = {0};
    json_auto_t *config = json_loads(h->body, 0, NULL);
    json_t *cmd = json_object_get(config, "Cmd");
    bool ok = json_array_size(cmd) > 0 && json_array_size(cmd) <= WORDS_MAX;
    for (size_t i = 0; ok && i < json_array_size(cmd); i++)
        ok = (argv[i] = json_string_value(json_array_get(cmd, i))) != NULL;
    if (!ok)
        return error(h, 400, "Cmd must be a list of 1 to 64 strings");
    const char *user = json_string_value(json_object_get(config, "User"));
    if (user && (strspn(user, "0123456789") < strlen(user) || strlen(user) > 9)) // a name would need the root's passwd
        return error(h, 400, "User must be a number");
    struct job *job = job_new((char **)argv);
    job->uid = (uid_t)strtoul(user ? user : "0", NULL, 10);
    job->tty = json_is_true(json_object_get(config, "Tty"));
    job->open_stdin = json_is_true(json_object_get(config, "OpenStdin"));
    job->privileged = json_is_true(json_object_get(json_object_get(config, "HostConfig"), "Privileged"));
    h->status = 201;
    return json_pack("{ss s[]}", "Id", job->id, "Warnings");
}
// endregion
// region start
static json_t *start(struct http *h)
{
    h->status = h->job->state == RUNNING ? 304 : 204;
    return job_start(h->job) < 0 ? error(h, 500, "no process could be made") : NULL;
}
// endregion
// region kill
static json_t *kill_it(struct http *h)
{
    char name[16] = "KILL";
    int sig = 1;
    sscanf(h->query, "signal=%15[A-Z0-9]", name), sscanf(h->query, "signal=SIG%15[A-Z0-9]", name);
    while (sig < 32 && strcmp(name, sigabbrev_np(sig)) != 0 && strtol(name, NULL, 10) != sig)
        sig++;
    if (sig == 32)
        return error(h, 400, "no such signal");
    h->status = 204;
    return job_kill(h->job, sig) < 0 ? error(h, 409, "the container is not running") : NULL;
}

static json_t *stop(struct http *h)
{
    const char *t = strstr(h->query, "t=");
    long seconds = t ? strtol(t + 2, NULL, 10) : 10;
    h->status = job_kill(h->job, SIGTERM) < 0 ? 304 : 204;
    for (long ms = 0; h->job->state == RUNNING; ms += 20, usleep(20000))
        if (ms == 1000 * seconds)
            job_kill(h->job, SIGKILL);
    return NULL;
}
// endregion
// region list
static const char *const states[] = {"created", "running", "exited"};
static json_t *list(struct http *h)
{
    json_t *all = json_array();
    for (struct job *job = jobs; job; job = job->next)
        if (job->state == RUNNING || strstr(h->query, "all=1"))
            json_array_append_new(all, json_pack("{ss s[s+#] ss ss si ss ss}", "Id", job->id, "Names", "/", job->id, 12,
                                                 "Image", "root", "Command", job->argv[0], "Created", job->created,
                                                 "State", states[job->state], "Status", states[job->state]));
    return all;
}
// endregion
// region inspect
static json_t *inspect(struct http *h)
{
    return json_pack("{ss s{ss sb si} s{ss sb sb}}", "Id", h->job->id, "State", "Status", states[h->job->state],
                     "Running", h->job->state == RUNNING, "ExitCode", h->job->code, "Config", "Image", "root", "Tty",
                     h->job->tty, "OpenStdin", h->job->open_stdin);
}
// endregion
// region wait
static json_t *wait_for(struct http *h)
{
    char text[64];
    http_head(h, "application/json", -1); // now: docker starts the job only when it has this
    while (h->job->state != EXITED && !http_gone(h, 20))
        ; // http_gone() is the pause, too
    http_chunk(h, text, (size_t)snprintf(text, sizeof text, "{\"StatusCode\":%d}", h->job->code));
    http_chunk(h, "", 0);
    return h->status = 0, NULL;
}
// endregion
// region logs
static json_t *logs(struct http *h)
{
    const bool raw = h->method[0] == 'P'; // attach, too, comes here: until the job ends, bytes without chunks
    int (*const put)(const struct http *, const char *, size_t) = raw ? http_write : http_chunk;
    struct pollfd gone = {.fd = h->fd, .events = raw ? 0 : POLLRDHUP}; // raw: who sends no more may still listen
    const size_t skip = h->job->tty ? 8 : 0;                           // a terminal has one stream: no frames
    char file[128], frame[8 + 4096];
    int fd[3];
    for (int s = 1; s <= 2; s++) {
        job_file(h->job, s, file, sizeof file);
        fd[s] = open(file, O_RDONLY | O_CREAT | O_CLOEXEC, 0600);
        if (raw && h->job->state != CREATED) // attached later: only what comes from now on
            lseek(fd[s], 0, SEEK_END);
    }
    if (raw)
        dprintf(h->fd, "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
    else
        http_head(h, "application/vnd.docker.multiplexed-stream", -1);
    for (bool last = false; !last; last = last || poll(&gone, 1, 20) > 0) {
        last = (!raw && !strstr(h->query, "follow=1")) || h->job->state == EXITED; // asked before reading
        for (int s = 1; s <= 2; s++)
            for (ssize_t n; (n = read(fd[s], frame + 8, sizeof frame - 8)) > 0;) {
                memcpy(frame, (char[8]){(char)s, 0, 0, 0, 0, 0, (char)(n >> 8), (char)n}, 8);
                last = put(h, frame + skip, (size_t)n + 8 - skip) < 0 || last;
            }
    }
    put(h, "", 0);
    close(fd[1]), close(fd[2]);
    return h->status = 0, NULL;
}
// endregion
// region keys
// A thread: what the client sends is what the job reads.
static void *keys(void *http)
{
    struct http *h = http;
    while (h->job->state == CREATED && poll(&(struct pollfd){.fd = h->fd}, 1, 20) == 0)
        ; // docker attaches first and starts then
    int to = job_input(h->job);
    for (int c; (c = fgetc(h->in)) != EOF && write(to, &(char){(char)c}, 1) == 1;)
        ;
    close(to); // of a pipe: the job's input is at its end
    return NULL;
}
// endregion
// region attach
static json_t *attach(struct http *h)
{
    pthread_t thread;
    bool typing = strstr(h->query, "stdin=1") && pthread_create(&thread, NULL, keys, h) == 0;
    logs(h);
    shutdown(h->fd, SHUT_RDWR); // the client reads the end; so does keys(), and ends
    if (typing)
        pthread_join(thread, NULL); // it uses h, which api_serve() frees
    return h->closing = true, NULL;
}
// endregion
// region resize
static json_t *resize(struct http *h)
{
    struct winsize size = {0};
    int fd = h->job->tty ? job_input(h->job) : -1;
    bool ok = sscanf(h->query, "h=%hu&w=%hu", &size.ws_row, &size.ws_col) == 2 && ioctl(fd, TIOCSWINSZ, &size) == 0;
    close(fd);
    return ok ? NULL : error(h, 409, "no terminal, or no size");
}
// endregion
// region routes
static const struct route {
    const char *method, *target;
    json_t *(*handle)(struct http *h); // what it returns is sent as the answer's body, unless it has set status to 0
} routes[] = {{"HEAD", "/_ping", ping},
              {"GET", "/_ping", ping},
              {"GET", "/version", version},
              {"GET", "/containers/json", list},
              {"POST", "/containers/create", create},
              {"GET", "/containers/*/json", inspect},
              {"POST", "/containers/*/start", start},
              {"POST", "/containers/*/kill", kill_it},
              {"POST", "/containers/*/stop", stop},
              {"POST", "/containers/*/attach", attach},
              {"POST", "/containers/*/resize", resize},
              {"POST", "/containers/*/wait", wait_for},
              {"GET", "/containers/*/logs", logs}};
// endregion
// region route
static json_t *route(struct http *h)
{
    char *target = h->target, id[65] = "";
    int minor = 0, skip = 0;
    if (sscanf(target, "/v1.%d%n", &minor, &skip) == 1)
        target += skip;
    if (minor > 44)
        return error(h, 400, "client version is too new. Maximum supported API version is 1.44");
    sscanf(target, "/containers/%64[^/]/", id);
    h->job = job_find(id);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
        if (strcmp(routes[i].method, h->method) == 0 && fnmatch(routes[i].target, target, FNM_PATHNAME) == 0)
            return h->job || !strchr(routes[i].target, '*') ? routes[i].handle(h) : error(h, 404, "No such container");
    return error(h, 404, "page not found");
}
// endregion
// region serve
void *api_serve(void *http)
{
    struct http *h = http;
    while (!h->closing && (h->status = http_read(h)) > 0) {
        h->closing = h->closing || h->status != 200; // after an unreadable one: where would the next begin?
        json_auto_t *answer = h->status == 200 ? route(h) : error(h, h->status, "a request that cannot be read");
        char *text = json_dumps(answer, JSON_COMPACT); // NULL if there is no answer
        if (h->status)
            http_head(h, "application/json", text ? (ssize_t)strlen(text) : 0);
        http_write(h, text, text ? strlen(text) : 0);
        free(text);
    }
    fclose(h->in); // closes fd too
    free(h);
    return NULL;
}
// endregion
