/* A folder to unpack into, with a canary beside it: a file and a folder whose content, owner, mode and time must be the
 * same afterwards, whatever happened. Needs root, because devices and other people's files do. */
#ifndef GORAE_TESTS_ARCHIVE_RIG_H
#define GORAE_TESTS_ARCHIVE_RIG_H

#include "archive/worker.h"
#include "base/json.h"
#include "tar_rig.h"

#include <sys/stat.h>

/* What main.c gives the verbs. */
int message_send(json_t *msg, struct err *e)
{
    (void)e;
    json_decref(msg);
    return 0;
}
int message_progress(const char *diff, int64_t current, int64_t total, struct err *e)
{
    (void)diff;
    (void)e;
    ck_assert_int_le(current, total);
    return 0;
}

static char folder[] = "/tmp/test-archive-XXXXXX";
static char canary_dir[64], canary_file[64];
static int root = -1;
static struct stat canary_before[2];

static inline void setup(void)
{
    struct err e;
    umask(0);
    ck_assert_ptr_nonnull(mkdtemp(folder));
    ck_assert_int_eq(chdir(folder), 0);
    ck_assert_int_eq(mkdir("root", 0755), 0);
    ck_assert_int_eq(mkdir("canary", 0711), 0);
    ck_assert_int_eq(file_replace_volatile(AT_FDCWD, "canary/file", "canary\n", 7, 0640, &e), 0);
    ck_assert_int_eq(chown("canary/file", 12, 34), 0);
    snprintf(canary_dir, sizeof(canary_dir), "%s/canary", folder);
    snprintf(canary_file, sizeof(canary_file), "%s/canary/file", folder);
    const struct timespec old[2] = {{1000, 1}, {1000, 1}};
    ck_assert_int_eq(utimensat(AT_FDCWD, "canary/file", old, 0), 0);
    ck_assert_int_eq(utimensat(AT_FDCWD, "canary", old, 0), 0);
    ck_assert_int_eq(stat("canary", &canary_before[0]), 0);
    ck_assert_int_eq(stat("canary/file", &canary_before[1]), 0);
    root = open("root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ck_assert_int_ge(root, 0);
}

static inline void check_canary(void)
{
    for (int i = 0; i < 2; i++) {
        struct stat now, *was = &canary_before[i];
        ck_assert_int_eq(stat(i ? canary_file : canary_dir, &now), 0);
        ck_assert(now.st_ino == was->st_ino && now.st_mode == was->st_mode && now.st_uid == was->st_uid &&
                  now.st_gid == was->st_gid && now.st_size == was->st_size && now.st_nlink == was->st_nlink &&
                  now.st_mtim.tv_sec == was->st_mtim.tv_sec && now.st_mtim.tv_nsec == was->st_mtim.tv_nsec);
    }
    char text[16] = "";
    autoclose int fd = open(canary_file, O_RDONLY | O_CLOEXEC);
    ck_assert_int_eq(read(fd, text, sizeof(text)), 7);
    ck_assert_str_eq(text, "canary\n");
    struct stat st;
    ck_assert_int_eq(stat(folder, &st), 0);
    ck_assert_int_eq(st.st_nlink, 4); /* ".", its name, root and canary: nothing was made beside them */
}

static inline void teardown(void)
{
    check_canary();
    close(root);
    ck_assert_int_eq(tree_remove(AT_FDCWD, folder, NULL), 0);
}

static inline struct layer_options usual(void)
{
    return (struct layer_options){.whiteouts = true, .bytes_max = 1 << 20, .entries_max = 1000};
}

static inline int apply(const struct str *t, const struct layer_options *o, struct layer_result *r, struct err *e)
{
    autoclose int fd = fd_of(t->s, t->len);
    autostream *a = stream_open(fd, STREAM_TAR, e);
    *r = (struct layer_result){0};
    return a ? layer_apply(root, a, o, r, e) : -1;
}

/* Add entries up to one without a name. */
static inline void add_all(struct str *t, const struct tar_entry *x)
{
    for (; x->name; x++)
        tar_add(t, x);
    tar_end(t);
}

static inline bool exists(const char *path)
{
    struct stat st;
    return fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline struct stat look(const char *path)
{
    struct stat st = {0};
    ck_assert_msg(fstatat(root, path, &st, AT_SYMLINK_NOFOLLOW) == 0, "%s is missing", path);
    return st;
}

static inline const char *text_of(const char *path)
{
    static char text[256];
    autoclose int fd = openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    ck_assert_msg(fd >= 0, "%s cannot be opened", path);
    ssize_t n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    return text;
}

/* The tar is refused, and this is part of why. */
static inline void refused(const struct str *t, const char *says)
{
    struct layer_options o = usual();
    struct layer_result r;
    struct err e;
    ck_assert_int_eq(apply(t, &o, &r, &e), -1);
    ck_assert_msg(strstr(e.msg, says), "%s", e.msg);
    ck_assert_uint_lt(strlen(e.msg), 400);
}

/* Unpack entries up to one without a name, and fail the test if that fails. */
static inline struct layer_result unpack_with(const struct layer_options *o, const struct tar_entry *entries)
{
    struct layer_result r;
    struct err e;
    autostr t = STR_INIT;
    add_all(&t, entries);
    ck_assert_msg(apply(&t, o, &r, &e) == 0, "%s", e.msg);
    return r;
}

static inline struct layer_result unpack(const struct tar_entry *entries)
{
    struct layer_options o = usual();
    return unpack_with(&o, entries);
}

static inline TCase *extractor_case(Suite *s, const char *name)
{
    TCase *t = unit_root_case(s, name, "make devices and other people's files");
    tcase_add_checked_fixture(t, setup, teardown);
    return t;
}

#endif
