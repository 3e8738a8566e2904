// Grades 05-2: puts a program inside that tries every way to a file outside.
#include "grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"inside.c", NULL};
const char *const grade_programs[] = {"inside", "asroot", NULL};

static char root[32], secret[32], text[32];

// A folder with nothing but the probe in it, and beside it a file.
static void prepare(void)
{
    char path[64];
    struct how how = {.milliseconds = 20000};
    snprintf(root, sizeof root, "root%u", dice(100000));
    snprintf(secret, sizeof secret, "work/secret%u", dice(100000));
    snprintf(text, sizeof text, "secret of %u", dice(100000));
    snprintf(path, sizeof path, "/%s", secret);
    make_file(path, 0644, text);
    snprintf(path, sizeof path, "/work/%s", root);
    make_folder(path, 0755);
    snprintf(path, sizeof path, "%s/probe", root);
    struct run *r = run_program(&how, "/usr/bin/cc", "-static", "-D_GNU_SOURCE", "-o", path, "probe.c", NULL);
    ck_assert_msg(r->code == 0, "the probe cannot be compiled with -static");
}

static struct run *probe(const char *file)
{
    prepare();
    tried("./asroot ./inside %s /probe%s%s", root, file ? " " : "", file ? secret : "");
    struct run *r = run_program(NULL, "./asroot", "./inside", root, "/probe", file ? secret : NULL, NULL);
    ck_assert_msg(!strstr(r->err, "user namespace"), "this machine does not allow user namespaces");
    return r;
}

// The probe must have run, and must not have found the file in this way.
static void no_way(const char *way)
{
    struct run *r = probe(secret);
    expected("the probe runs, and finds nothing %s", way);
    came("%s%s", r->out, r->err);
    verdict(r->code == 0 && r->out_len > 0 && !strstr(r->out, way));
}

static void check_runs(void)
{
    struct run *r = probe(NULL);
    expected("a line that tells what is in /: probe");
    came("%s%s", r->out, r->err);
    verdict(r->code == 0 && strncmp(r->out, "/:", 2) == 0 && strstr(r->out, " probe") && !strstr(r->out, " work"));
}

static void check_working(void)
{
    struct run *r = probe(NULL);
    expected("in /");
    came("%s%s", r->out, r->err);
    verdict(strstr(r->out, "\nin /\n"));
}

static void check_descriptor(void)
{
    no_way("from an open descriptor");
}

static void check_chroot(void)
{
    no_way("by chroot");
}

static void check_old(void)
{
    no_way("below /");
}

static void check_missing(void)
{
    tried("./asroot ./inside nowhere /bin/echo in");
    struct run *r = run_program(NULL, "./asroot", "./inside", "nowhere", "/bin/echo", "in", NULL);
    expected("a sentence with the name, the exit code 1, and the command is not run");
    came("%s%sand the exit code %d", r->out, r->err, r->code);
    verdict(r->code == 1 && !r->out_len && strstr(r->err, "nowhere"));
}

const struct check grade_checks[] = {{"runs", 10, "the command runs, and / is ROOT", check_runs, NULL},
                                     {"working", 20, "its working directory is /", check_working, "runs"},
                                     {"descriptor", 20, "no open descriptor leads out", check_descriptor, "runs"},
                                     {"chroot", 30, "chroot(2) does not lead out", check_chroot, "runs"},
                                     {"old", 10, "the old root is nowhere below the new one", check_old, "runs"},
                                     {"missing", 10, "where ROOT is missing, nothing is run", check_missing, "runs"},
                                     {0}};
