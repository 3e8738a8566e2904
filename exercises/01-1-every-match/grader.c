// Grades 01-1: which -a. Every check builds folders of programs with names drawn by the seed, and compares what is
// printed.
#include "grade.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *const grade_files[] = {"which.c", NULL};
const char *const grade_programs[] = {"which", NULL};

static char name[2][32]; // two commands, called otherwise with each seed

static void program(const char *folder, const char *called)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, called);
    make_file(path, 0755, "#!/bin/sh\n");
}

// Folders a, b and c, each with the first command; b has a folder and c a plain file of the second command's name.
static void scene(void)
{
    static const char *const words[] = {"whale", "calf", "krill", "pod", "fluke", "spout"};
    snprintf(name[0], sizeof name[0], "%s%u", words[dice(6)], dice(1000));
    snprintf(name[1], sizeof name[1], "x%s%u", words[dice(6)], dice(1000));
    for (const char *const *f = (const char *const[]){"/work/a", "/work/b", "/work/c", NULL}; *f; f++) {
        make_folder(*f, 0755);
        program(*f, name[0]);
    }
}

static struct run *which(const char *path, const char *a, const char *b, const char *c)
{
    static char var[512];
    snprintf(var, sizeof var, "PATH=%s", path);
    tried("%s ./which%s%s%s%s%s%s", var, a ? " " : "", a ? a : "", b ? " " : "", b ? b : "", c ? " " : "", c ? c : "");
    struct how how = {.env = (const char *const[]){var, NULL}};
    return run_program(&how, "./which", a, b, c, NULL);
}

static void check_first(void)
{
    char want[64];
    scene();
    snprintf(want, sizeof want, "/work/b/%s\n", name[0]);
    same_text(which("/work/none:/work/b:/work/a", name[0], NULL, NULL)->out, want);
}

static void check_all(void)
{
    char want[256], path[128], dir[64];
    scene();
    snprintf(path, sizeof path, "/work/a/%s", name[1]);
    make_file(path, 0644, "not executable\n");
    snprintf(dir, sizeof dir, "/work/b/%s", name[1]);
    make_folder(dir, 0755);
    program("/work/c", name[1]);
    snprintf(want, sizeof want, "/work/c/%s\n/work/a/%s\n/work/b/%s\n/work/c/%s\n", name[0], name[0], name[0], name[1]);
    same_text(which("/work/c:/work/a:/work/b", "-a", name[0], name[1])->out, want);
}

static void check_empty(void)
{
    static const char *const paths[] = {":/work/a", "/work/a:", "/work/a::/work/b"};
    char want[256], here[64];
    for (int i = 0; i < 3; i++) {
        scene();
        snprintf(here, sizeof here, "./%s\n", name[0]);
        program("/work", name[0]);
        snprintf(want, sizeof want, "%s/work/a/%s\n%s", i == 0 ? here : "", name[0], i > 0 ? here : "");
        if (i == 2)
            snprintf(want + strlen(want), sizeof want - strlen(want), "/work/b/%s\n", name[0]);
        same_text(which(paths[i], "-a", name[0], NULL)->out, want);
    }
}

static void check_same(void)
{
    char want[128];
    scene();
    ck_assert(symlink("/work/a", "/work/link") == 0); // another name of the folder a, as /bin is of /usr/bin
    snprintf(want, sizeof want, "/work/link/%s\n/work/b/%s\n", name[0], name[0]);
    same_text(which("/work/link:/work/a:/work/b:/work/a", "-a", name[0], NULL)->out, want);
}

// Two file systems count their inodes each for itself, so two files may have one number. Make such a pair.
static void check_device(void)
{
    char here[64], there[64], want[256];
    struct stat first, second = {0};
    scene();
    snprintf(here, sizeof here, "/work/a/%s", name[0]);
    ck_assert(stat(here, &first) == 0);
    make_folder("/tmp/d", 0755);
    snprintf(there, sizeof there, "/tmp/d/%s", name[0]);
    for (int i = 0; i < 3000 && second.st_ino < first.st_ino; i++) {
        program("/tmp/d", name[0]);
        ck_assert(stat(there, &second) == 0);
    }
    snprintf(want, sizeof want, "%s\n%s\n", here, there);
    same_text(which("/work/a:/tmp/d", "-a", name[0], NULL)->out, want);
}

static void check_each(void)
{
    char from[64], to[64], want[256];
    scene();
    snprintf(from, sizeof from, "/work/a/%s", name[0]);
    snprintf(to, sizeof to, "/work/a/%s", name[1]);
    ck_assert(link(from, to) == 0);
    snprintf(want, sizeof want, "%s\n%s\n", from, to);
    same_text(which("/work/a", "-a", name[0], name[1])->out, want);
}

static void check_missing(void)
{
    char want[64];
    scene();
    snprintf(want, sizeof want, "/work/a/%s\n", name[0]);
    struct run *r = which("/work/a", "nosuchcommand", name[0], NULL);
    expected("%sand the exit code 1", want);
    came("%sand the exit code %d", r->out, r->code);
    verdict(strcmp(r->out, want) == 0 && r->code == 1);
}

static void check_usage(void)
{
    struct run *r = which("/work/a", "-a", NULL, NULL);
    expected("nothing on the output, and the exit code 2");
    came("%s%sthe exit code %d", r->out, r->out_len ? "and " : "nothing on the output, and ", r->code);
    verdict(r->out_len == 0 && r->code == 2);
}

const struct check grade_checks[] = {
    {"first", 15, "without -a the first program is printed", check_first, NULL},
    {"all", 20, "with -a every program is printed, in the order of PATH", check_all, "first"},
    {"empty", 15, "with -a, too, an empty entry is the current folder", check_empty, "all"},
    {"same", 15, "with -a one file that PATH reaches twice is printed once", check_same, "all"},
    {"device", 10, "files of two devices are two files, whatever their inode numbers", check_device, "all"},
    {"each", 10, "two names of one file are both found", check_each, "all"},
    {"missing", 10, "the exit code is 1 if one name is not found, and the others are printed", check_missing, NULL},
    {"usage", 5, "without a name the exit code is 2", check_usage, NULL},
    {0}};
