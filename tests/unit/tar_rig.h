/* Tars written by hand: the good ones, and those that no honest program writes. */
#ifndef GORAE_TESTS_TAR_RIG_H
#define GORAE_TESTS_TAR_RIG_H

#include "base/digest.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "unit.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TAR_BLOCK 512

/* One entry; what is not given is 0. A mode of 0 means 0644, or 0755 for a folder. */
struct tar_entry {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' link, '3' char, '4' block, '5' folder, '6' FIFO; 0 means file */
    const char *link;
    const char *data;
    unsigned mode;
    long long uid, gid;
    unsigned major, minor;
    long long mtime;
    const char *raw_size; /* 12 bytes of the size field, instead of the data's length */
};

static inline void tar_number(char *field, size_t n, long long v)
{
    if (v >= 0 && v < 1LL << (3 * (n - 1))) {
        char text[24];
        snprintf(text, sizeof(text), "%0*llo", (int)n - 1, (unsigned long long)v);
        memcpy(field, text, n);
        return;
    }
    for (size_t i = n; i-- > 0; v >>= 8) /* base 256, as GNU has it */
        field[i] = (char)(v & 0xff);
    field[0] = (char)(field[0] | 0x80);
}

static inline void tar_header(struct str *t, const struct tar_entry *x, char type, const char *name, size_t size)
{
    char h[TAR_BLOCK] = {0};
    unsigned sum = 0;
    memcpy(h, name, strlen(name) < 100 ? strlen(name) : 100);
    tar_number(h + 100, 8, x->mode ? x->mode : type == '5' ? 0755 : 0644);
    tar_number(h + 108, 8, x->uid);
    tar_number(h + 116, 8, x->gid);
    tar_number(h + 124, 12, (long long)size);
    if (x->raw_size)
        memcpy(h + 124, x->raw_size, 12);
    tar_number(h + 136, 12, x->mtime);
    memset(h + 148, ' ', 8);
    h[156] = type;
    if (x->link)
        memcpy(h + 157, x->link, strlen(x->link) < 100 ? strlen(x->link) : 100);
    memcpy(h + 257, "ustar\00000", 8);
    tar_number(h + 329, 8, x->major);
    tar_number(h + 337, 8, x->minor);
    for (size_t i = 0; i < TAR_BLOCK; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    str_addn(t, h, sizeof(h));
}

static inline void tar_bytes(struct str *t, const void *p, size_t n)
{
    static const char zero[TAR_BLOCK];
    str_addn(t, p, n);
    if (n % TAR_BLOCK)
        str_addn(t, zero, TAR_BLOCK - n % TAR_BLOCK);
}

/* A name or link of more than 100 bytes, GNU's way. */
static inline void tar_long(struct str *t, char type, const char *text)
{
    const struct tar_entry none = {0};
    tar_header(t, &none, type, "././@LongLink", strlen(text) + 1);
    tar_bytes(t, text, strlen(text) + 1);
}

static inline void tar_addn(struct str *t, const struct tar_entry *x, const void *data, size_t n)
{
    if (strlen(x->name) > 100)
        tar_long(t, 'L', x->name);
    if (x->link && strlen(x->link) > 100)
        tar_long(t, 'K', x->link);
    tar_header(t, x, x->type ? x->type : '0', x->name, n);
    tar_bytes(t, data, n);
}

static inline void tar_add(struct str *t, const struct tar_entry *x)
{
    tar_addn(t, x, x->data ? x->data : "", x->data ? strlen(x->data) : 0);
}

static inline void tar_file(struct str *t, const char *name, const void *data, size_t n)
{
    const struct tar_entry x = {.name = name};
    tar_addn(t, &x, data, n);
}

/* "NAME=VALUE" for the next entry, as pax has it; the value may hold any bytes. */
static inline void tar_pax(struct str *t, const char *name, const void *value, size_t n)
{
    const struct tar_entry none = {0};
    autostr record = STR_INIT;
    size_t length = strlen(name) + n + 3, digits = 1; /* blank, '=', newline */
    for (size_t before = 0; before != digits;) {
        before = digits;
        digits = (size_t)snprintf(NULL, 0, "%zu", length + digits);
    }
    str_addf(&record, "%zu %s=", length + digits, name);
    str_addn(&record, value, n);
    str_addc(&record, '\n');
    tar_header(t, &none, 'x', "PaxHeaders/x", record.len);
    tar_bytes(t, record.s, record.len);
}

static inline void tar_end(struct str *t)
{
    static const char zero[2 * TAR_BLOCK];
    str_addn(t, zero, sizeof(zero));
}

/* The bytes as a file descriptor at its start. */
static inline int fd_of(const void *p, size_t n)
{
    int fd = memfd_create("bytes", MFD_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(fd_write_all(fd, p, n), 0);
    ck_assert_int_eq(lseek(fd, 0, SEEK_SET), 0);
    return fd;
}

/* The bytes compressed. @param code ARCHIVE_FILTER_GZIP and the like */
static inline void packed(int code, const struct str *in, struct str *out)
{
    size_t cap = in->len + (1 << 20), used = 0;
    autofree char *buf = mem_alloc(cap);
    struct archive *a = archive_write_new();
    struct archive_entry *x = archive_entry_new();
    ck_assert_int_eq(archive_write_add_filter(a, code), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_set_format_raw(a), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_open_memory(a, buf, cap, &used), ARCHIVE_OK);
    archive_entry_set_filetype(x, AE_IFREG);
    ck_assert_int_eq(archive_write_header(a, x), ARCHIVE_OK);
    ck_assert_int_eq(archive_write_data(a, in->s, in->len), (la_ssize_t)in->len);
    ck_assert_int_eq(archive_write_close(a), ARCHIVE_OK);
    archive_entry_free(x);
    archive_write_free(a);
    str_addn(out, buf, used);
}

#endif
