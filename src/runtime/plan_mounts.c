/* The plan, "mounts": words such as "nosuid" or "rslave" become flags of mount_setattr(2); words that are not in the
 * tables belong to the file system and are handed to it as they are.
 *
 * Source: mount(8), mount_setattr(2); OCI runtime-spec config.md "Linux mount options". */
#include "runtime/plan.h"
#include "runtime/mnt.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

/* An access-time option is a value of a field of bits, not a bit: setting one clears the others. */
#define ATIME(x) MOUNT_ATTR_##x, MOUNT_ATTR__ATIME

static const struct {
    const char *word;
    uint64_t set, clear;
} flags[] = {
    {"ro", MOUNT_ATTR_RDONLY, 0},
    {"rw", 0, MOUNT_ATTR_RDONLY},
    {"nosuid", MOUNT_ATTR_NOSUID, 0},
    {"suid", 0, MOUNT_ATTR_NOSUID},
    {"nodev", MOUNT_ATTR_NODEV, 0},
    {"dev", 0, MOUNT_ATTR_NODEV},
    {"noexec", MOUNT_ATTR_NOEXEC, 0},
    {"exec", 0, MOUNT_ATTR_NOEXEC},
    {"nodiratime", MOUNT_ATTR_NODIRATIME, 0},
    {"diratime", 0, MOUNT_ATTR_NODIRATIME},
    {"nosymfollow", MOUNT_ATTR_NOSYMFOLLOW, 0},
    {"symfollow", 0, MOUNT_ATTR_NOSYMFOLLOW},
    {"relatime", ATIME(RELATIME)},
    {"atime", ATIME(RELATIME)},
    {"norelatime", ATIME(STRICTATIME)},
    {"strictatime", ATIME(STRICTATIME)},
    {"nostrictatime", ATIME(RELATIME)},
    {"noatime", ATIME(NOATIME)},
};
#define FLAGS (sizeof(flags) / sizeof(flags[0]))

static const struct {
    const char *word;
    uint64_t type;
    bool tree;
} propagations[] = {
    {"private", MS_PRIVATE, false},       {"rprivate", MS_PRIVATE, true},       {"shared", MS_SHARED, false},
    {"rshared", MS_SHARED, true},         {"slave", MS_SLAVE, false},           {"rslave", MS_SLAVE, true},
    {"unbindable", MS_UNBINDABLE, false}, {"runbindable", MS_UNBINDABLE, true},
};
#define PROPAGATIONS (sizeof(propagations) / sizeof(propagations[0]))

uint64_t plan_propagation(const char *word, bool *ret_tree)
{
    for (size_t i = 0; i < PROPAGATIONS; i++) {
        if (str_eq(propagations[i].word, word)) {
            *ret_tree = propagations[i].tree;
            return propagations[i].type;
        }
    }
    return 0;
}

/* Apply one word to a pair of sets; the last of two contradicting words counts. */
static void merge(uint64_t *set, uint64_t *clear, size_t i)
{
    *set = (*set & ~flags[i].clear) | flags[i].set;
    *clear = (*clear & ~flags[i].set) | flags[i].clear;
}

static bool take_flag(struct plan_mount *m, const char *word)
{
    for (size_t i = 0; i < FLAGS; i++) {
        if (str_eq(word, flags[i].word)) {
            merge(&m->set, &m->clear, i);
            return true;
        }
        if (*word == 'r' && str_eq(word + 1, flags[i].word)) { /* "rro": the whole tree */
            merge(&m->tree_set, &m->tree_clear, i);
            return true;
        }
    }
    return false;
}

static int take_option(struct plan_mount *m, const char *word, size_t *n, struct err *e)
{
    static const char *const refused[] = {"tmpcopyup",    "idmap",        "ridmap",
                                          "copy-symlink", "src-nofollow", "dest-nofollow"};
    bool tree;
    uint64_t propagation = plan_propagation(word, &tree);
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        if (str_eq(word, refused[i]))
            return err_set(e, ERR_NOT_IMPLEMENTED, "mount of %s: option \"%s\" is not supported", m->dest, word);
    if (propagation) {
        m->propagation = propagation;
        m->propagate_tree = tree;
    } else if (str_eq(word, "bind") || str_eq(word, "rbind")) {
        m->bind = true;
        m->recursive = *word == 'r';
    } else if (str_eq(word, "defaults") || str_eq(word, "remount") || take_flag(m, word)) {
        return 0;
    } else if (*n == PLAN_OPTIONS_MAX) {
        return err_set(e, ERR_INVALID, "mount of %s has more than %d options", m->dest, PLAN_OPTIONS_MAX);
    } else {
        m->options[(*n)++] = word;
    }
    return 0;
}

static int read_mount(struct plan_mount *m, const json_t *j, struct err *e)
{
    size_t noptions = 0;
    m->tree = -1;
    m->dest = json_str(j, "destination", "");
    m->type = json_str(j, "type", "");
    m->source = json_str(j, "source", NULL);
    m->bind = str_eq(m->type, "bind");
    if (*m->dest != '/' || strlen(m->dest) > PLAN_PATH_MAX)
        return err_set(e, ERR_INVALID, "config.json: mount destination \"%.100s\" is not an absolute path", m->dest);
    if (json_array_size(json_object_get(j, "uidMappings")) || json_array_size(json_object_get(j, "gidMappings")))
        return err_set(e, ERR_NOT_IMPLEMENTED, "mount of %s: id-mapped mounts are not supported", m->dest);
    autofree const char **words = plan_strings(json_object_get(j, "options"), "options of a mount", e);
    if (!words)
        return -1;
    for (size_t i = 0; words[i]; i++)
        if (take_option(m, words[i], &noptions, e) < 0)
            return -1;
    if (m->bind && str_empty(m->source))
        return err_set(e, ERR_INVALID, "config.json: bind mount of %s has no source", m->dest);
    if (!m->bind && !*m->type)
        return err_set(e, ERR_INVALID, "config.json: mount of %s has no type", m->dest);
    return 0;
}

int plan_mounts(struct plan *p, const json_t *list, struct err *e)
{
    size_t n = json_array_size(list);
    if (n > PLAN_MOUNTS_MAX)
        return err_set(e, ERR_INVALID, "config.json: more than %d mounts", PLAN_MOUNTS_MAX);
    p->mounts = mem_alloc((n + 1) * sizeof(*p->mounts));
    for (size_t i = 0; i < n; i++) {
        p->nmounts++;
        if (read_mount(&p->mounts[i], json_array_get(list, i), e) < 0)
            return -1;
    }
    return 0;
}

json_t *plan_mount_options(void)
{
    json_t *a = json_pack("[s, s, s]", "bind", "rbind", "defaults");
    for (size_t i = 0; i < PROPAGATIONS; i++)
        json_array_append_new(a, json_string(propagations[i].word));
    for (size_t i = 0; i < FLAGS; i++) {
        json_array_append_new(a, json_string(flags[i].word));
        json_array_append_new(a, json_sprintf("r%s", flags[i].word));
    }
    return a;
}
