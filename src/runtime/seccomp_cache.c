/* Compiled filters are kept, because compiling one takes longer than all the rest of starting a container.
 *
 * `<root>/seccomp-cache/<hash>` holds the profile's JSON text and the program made from it. The hash only finds the
 * file: it is a cheap one, and collisions can be made on purpose. What counts is that the text in the file equals, byte
 * for byte, the text to be compiled. The versions of this program and of libseccomp are part of the text, so an
 * upgrade of either compiles anew.
 *
 * The folder is root's (0700) and lies on tmpfs. A file appears whole by rename, so a reader never sees half of one,
 * and two writers of the same write the same. Anything odd in a file means a miss, never an error. */
#include "runtime/seccomp.h"
#include "runtime/state.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define CACHE_FILES_MAX 128
#define CACHE_FILE_MAX  (4 << 20)
#define MAGIC           "gorae-filter-1"

struct header {
    char magic[16];
    uint32_t text, code; /* bytes of text, instructions of code; both follow in this order */
    uint32_t flags, zero;
};

/* FNV-1a, 64 bits: a multiplication a byte. */
static uint64_t hash(const char *p, size_t n)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
    return h;
}

static char *key_text(const json_t *profile)
{
    const struct scmp_version *v = seccomp_version();
    autofree char *json = json_compact(profile);
    return str_printf("%s %s %u.%u.%u\n%s", GORAE_VERSION, GORAE_COMMIT, v->major, v->minor, v->micro, json);
}

/* Take a file apart. `want` is the text it must hold, or NULL where any will do. @return true and *f filled */
static bool decode(struct filter *f, const char *p, size_t n, const char *want)
{
    struct header h;
    if (n < sizeof(h))
        return false;
    memcpy(&h, p, sizeof(h));
    size_t bytes = (size_t)h.code * sizeof(*f->code);
    if (memcmp(h.magic, MAGIC, sizeof(MAGIC)) != 0 || h.code == 0 || h.code > BPF_MAXINSNS ||
        n != sizeof(h) + h.text + bytes)
        return false;
    if (want && (strlen(want) != h.text || memcmp(want, p + sizeof(h), h.text) != 0))
        return false;
    *f = (struct filter){mem_alloc(bytes), (unsigned short)h.code, h.flags};
    memcpy(f->code, p + sizeof(h) + h.text, bytes);
    return true;
}

static void encode(struct str *out, const struct filter *f, const char *text)
{
    struct header h = {MAGIC, (uint32_t)strlen(text), f->n, f->flags, 0};
    str_addn(out, &h, sizeof(h));
    str_add(out, text);
    str_addn(out, f->code, f->n * sizeof(*f->code));
}

/* Profiles written by users come and go; when there are many, all are forgotten. Links in use keep their file. */
static void prune(int dir)
{
    autoclose int copy = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    autoclosedir DIR *d = copy >= 0 ? fdopendir(copy) : NULL;
    int n = 0;
    if (!d)
        return;
    take_fd(&copy);
    while (readdir(d))
        n++;
    rewinddir(d);
    for (struct dirent *x; n > CACHE_FILES_MAX && (x = readdir(d));)
        if (x->d_name[0] != '.')
            unlinkat(dir, x->d_name, 0);
}

static int open_cache(const struct runtime *rt, struct err *e)
{
    autofree char *path = str_printf("%s/" STATE_CACHE, rt->root);
    if (mkdir(path, 0700) < 0 && errno != EEXIST)
        return err_sys(e, "make folder %s", path);
    int dir = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    return dir >= 0 ? dir : err_sys(e, "open folder %s", path);
}

static int compile_and_store(struct filter *f, const json_t *profile, int dir, const char *name, const char *text,
                             struct err *e)
{
    autostr file = STR_INIT;
    if (filter_compile(f, profile, e) < 0)
        return -1;
    encode(&file, f, text);
    prune(dir);
    return file_replace_volatile(dir, name, file.s, file.len, 0600, e);
}

int filter_get(struct filter *f, const struct runtime *rt, const json_t *profile, int state_dir, struct err *e)
{
    char name[17];
    size_t n;
    *f = (struct filter){0};
    if (json_object_size(profile) == 0)
        return 0;
    autoclose int dir = open_cache(rt, e);
    if (dir < 0)
        return -1;
    autofree char *text = key_text(profile);
    snprintf(name, sizeof(name), "%016llx", (unsigned long long)hash(text, strlen(text)));
    autofree char *have = file_read(dir, name, CACHE_FILE_MAX, &n, NULL);
    if ((!have || !decode(f, have, n, text)) && compile_and_store(f, profile, dir, name, text, e) < 0)
        return -1;
    if (linkat(dir, name, state_dir, STATE_SECCOMP, 0) == 0)
        return 0;
    /* Pruned by another container in this very instant: write our own. */
    autostr file = STR_INIT;
    encode(&file, f, text);
    return file_replace_volatile(state_dir, STATE_SECCOMP, file.s, file.len, 0600, e);
}

int filter_load(struct filter *f, int state_dir, struct err *e)
{
    size_t n;
    *f = (struct filter){0};
    if (faccessat(state_dir, STATE_SECCOMP, F_OK, 0) < 0 && errno == ENOENT)
        return 0;
    autofree char *have = file_read(state_dir, STATE_SECCOMP, CACHE_FILE_MAX, &n, e);
    if (!have)
        return -1;
    /* Here a damaged file is an error: running without the filter would be worse than not running. */
    return decode(f, have, n, NULL) ? 0 : err_set(e, ERR_SYSTEM, "the container's seccomp file is damaged");
}
