/* commit: an image from what a container has changed.
 *
 *   1. One worker writes the changes as the tar of a layer (the caller's `write`, archive/diff.c); another unpacks it
 *      above the parent's layers and gives its digest (archive/commit.c). The bytes go from one to the other through
 *      the daemon, by a thread and a socket pair, and are nowhere held.
 *   2. The configuration is the parent's, with the new "config" and one more line of history. Its digest is the id.
 *   3. commit.c moves all of it into the store, as for an image that is loaded.
 *
 * If either worker fails the staging folder is thrown away with everything. An empty tar (two blocks of zeros) makes no
 * layer, only a line of history: as in Docker. Next: remove.c. */
#include "image/store.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define EMPTY_TAR 1024 /* two blocks of zeros */

/* --- from one worker to the other --------------------------------------------------------------------------------- */

struct producer {
    const struct image_commit *c;
    int fd;
    int result;
    bool refused; /* the other side would not take more */
    const char *trace;
    struct err err;
};

static int feed(void *arg, const void *p, size_t n)
{
    struct producer *t = arg;
    const char *at = p;
    while (n > 0) {
        ssize_t k = send(t->fd, at, n, MSG_NOSIGNAL);
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            t->refused = true;
            return 1;
        }
        at += k;
        n -= (size_t)k;
    }
    return 0;
}

static void *produce(void *arg)
{
    struct producer *t = arg;
    trace_to_file(t->trace);
    t->result = t->c->write(t->c->arg, feed, t, &t->err);
    trace_to_file(NULL);
    shutdown(t->fd, SHUT_WR);
    return NULL;
}

static ssize_t take(void *arg, void *p, size_t n, struct err *e)
{
    const int *fd = arg;
    ssize_t k;
    do
        k = read(*fd, p, n);
    while (k < 0 && errno == EINTR);
    return k < 0 ? err_sys(e, "read the changes") : k;
}

/* The job with what `c` writes as its input. @return its last message, or NULL */
static json_t *run_fed(const struct image_commit *c, const struct worker_job *job, struct err *e)
{
    int pair[2];
    pthread_t thread;
    struct producer t = {.c = c, .trace = trace_path()};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_null(err_sys(e, "socketpair"));
    autoclose int ours = pair[0], theirs = pair[1];
    t.fd = theirs;
    struct worker_job fed = *job;
    fed.src = take;
    fed.src_arg = &ours;
    if (pthread_create(&thread, NULL, produce, &t) != 0)
        return err_null(err_set(e, ERR_SYSTEM, "start a thread"));
    json_t *done = worker_run(&fed, e);
    shutdown(ours, SHUT_RDWR); /* should the producer still be sending: it ends */
    pthread_join(thread, NULL);
    if (t.result == 0 || (!done && t.refused))
        return done;
    *e = t.err; /* half of the changes may well have been a sound tar */
    json_decref(done);
    return NULL;
}

/* --- the configuration ---------------------------------------------------------------------------------------------
 */

static bool is_empty_layer(const json_t *layer)
{
    static const char zeros[EMPTY_TAR];
    char hex[DIGEST_SIZE];
    return str_eq(json_str(layer, "diff", ""), digest_of(zeros, sizeof(zeros), hex));
}

static void set_text(json_t *j, const char *key, const char *text)
{
    if (!str_empty(text))
        json_object_set_new(j, key, json_string_lossy(text, strlen(text)));
    else
        json_object_del(j, key);
}

/* @param diff of the new layer, or NULL @return the text, the caller's */
static char *make_config(const struct image_commit *c, const json_t *parent, const char *diff)
{
    char now[CLOCK_TEXT];
    clock_format(clock_real(), now);
    json_auto_t *j = json_deep_copy(parent);
    json_t *past = json_object_get(j, "history"), *ids = json_object_get(json_object_get(j, "rootfs"), "diff_ids");
    json_t *line = json_pack("{s:s}", "created", now);
    if (!json_is_array(past))
        json_object_set_new(j, "history", past = json_array());
    set_text(line, "author", c->author);
    set_text(line, "created_by", c->created_by);
    set_text(line, "comment", c->comment);
    json_array_append_new(past, line);
    if (diff && !json_is_array(ids))
        json_object_set_new(j, "rootfs", json_pack("{s:s, s:o}", "type", "layers", "diff_ids", ids = json_array()));
    if (diff)
        json_array_append_new(ids, json_sprintf(DIGEST_PREFIX "%s", diff));
    else
        json_object_set_new(line, "empty_layer", json_true());
    set_text(j, "author", c->author);
    set_text(j, "comment", c->comment);
    set_text(j, "container", c->container);
    json_object_set_new(j, "created", json_string(now));
    json_object_set_new(j, "docker_version", json_string(GORAE_VERSION));
    json_object_set_new(j, "config", json_deep_copy(c->config));
    json_object_set_new(j, "container_config", json_deep_copy(c->container_config));
    if (!json_object_get(j, "architecture"))
        json_object_set_new(j, "architecture", json_string(image_architecture()));
    if (!json_object_get(j, "os"))
        json_object_set_new(j, "os", json_string("linux"));
    return json_compact(j);
}

/* --- the whole ------------------------------------------------------------------------------------------------------
 */

static json_t *layers_below(const struct image_facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->chains.n; i++)
        json_array_append_new(list, json_pack("{s:s, s:s}", "diff", f->diffs.v[i], "chain", f->chains.v[i]));
    return list;
}

static int write_below(const struct staging *s, const struct image_facts *f, struct err *e)
{
    autostr text = STR_INIT;
    str_reset(&text);
    for (size_t i = 0; i < f->chains.n; i++)
        str_addf(&text, "%s\n", f->chains.v[i]);
    return file_replace_volatile(s->fd, "below", text.s, text.len, 0600, e);
}

/* @param id takes DIGEST_SIZE bytes */
static int store_made(struct image_store *st, const struct image_commit *c, const struct staging *s,
                      const struct image_facts *f, const json_t *parent, json_t *layer, const char *key, char *id,
                      struct err *e)
{
    bool empty = is_empty_layer(layer);
    autofree char *config = make_config(c, parent, empty ? NULL : json_str(layer, "diff", ""));
    if (staging_put_config(s, config, id, e) < 0)
        return -1;
    json_t *layers = layers_below(f);
    if (!empty)
        json_array_append(layers, layer);
    json_auto_t *images = json_pack("[{s:s, s:s, s:[], s:o}]", "config", id, "parent", f->id, "tags", "layers", layers);
    if (key)
        json_array_append_new(json_object_get(json_array_get(images, 0), "tags"), json_string(key));
    FAULT("commit.layer-made");
    return commit_images(st, s->fd, images, NULL, e);
}

static int make(struct image_store *st, const struct image_commit *c, const struct staging *s,
                const struct image_facts *f, const char *key, char *id, struct err *e)
{
    json_auto_t *parent = record_config(st, f->id, e);
    autoclose int layers = parent ? store_open_folder(st, "layers", e) : -1;
    if (layers < 0 || write_below(s, f, e) < 0)
        return -1;
    const struct worker_job job = {.verb = "commit", .work = s->fd, .layers = layers};
    json_auto_t *done = run_fed(c, &job, e);
    if (!done)
        return -1;
    json_t *layer = json_object_get(done, "layer");
    if (!str_is_hex(json_str(layer, "diff", ""), DIGEST_HEX))
        return err_set(e, ERR_SYSTEM, ARCHIVE_PROGRAM " reported no layer");
    return store_made(st, c, s, f, parent, layer, key, id, e);
}

char *image_commit(struct image_store *st, const struct image_commit *c, struct err *e)
{
    char id[DIGEST_SIZE];
    const char *parent = digest_parse(c->parent);
    struct image_facts f = {0};
    struct staging s = STAGING_INIT;
    autofree char *key = NULL;
    if (reference_of_new(c->ref, &key, e) < 0)
        return NULL;
    store_busy(st);
    int r = parent && table_facts(st, parent, &f) ? 0 : err_set(e, ERR_NOT_FOUND, "No such image: %s", c->parent);
    bool known = r == 0;
    if (r == 0 && f.chains.n >= IMAGE_LAYERS_MAX)
        r = err_set(e, ERR_INVALID, "max depth exceeded: an image has at most %d layers", IMAGE_LAYERS_MAX);
    if (r == 0)
        r = staging_make(st, &s, e);
    if (r == 0)
        r = make(st, c, &s, &f, key, id, e);
    staging_remove(st, &s);
    store_idle(st);
    if (known)
        image_facts_release(&f);
    return r < 0 ? NULL : store_id(id);
}
