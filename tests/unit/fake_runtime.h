/* The runtime of most tests of the shim: the test program itself, called again with "fake-runtime" as its first
 * argument.
 *
 * Seen from the shim it does what a real one does: `create` leaves a process behind that waits on a FIFO and outlives
 * its parent, `start` lets it go, `delete` kills it. It makes no container; what runs is /bin/sh with the text of
 * bundle/payload. Files in the bundle make it fail on demand. */
#ifndef GORAE_TESTS_FAKE_RUNTIME_H
#define GORAE_TESTS_FAKE_RUNTIME_H

#include "base/file.h"
#include "base/mem.h"
#include "base/sock.h"
#include "base/str.h"

#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BOX_ID "00000000000000000000000000000000000000000000000000000000000000ab"

/* Not exit(): what the test framework has allocated by then is no leak of the runtime's. */
static inline void rt_exit(int code)
{
    fflush(NULL);
    _exit(code);
}

static inline const char *rt_file(const char *dir, const char *name)
{
    static char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static inline bool rt_asked(const char *bundle, const char *what)
{
    return access(rt_file(bundle, what), F_OK) == 0;
}

/* Fail as a runtime does where the bundle holds a file `what`: its text is the line for the log. */
static inline void rt_fail_if(const char *bundle, const char *what, const char *log)
{
    struct err e;
    if (!rt_asked(bundle, what))
        return;
    autofree char *text = file_read(AT_FDCWD, rt_file(bundle, what), 65536, NULL, &e);
    FILE *f = fopen(log, "a");
    fprintf(f, "{\"level\":\"warning\",\"msg\":\"not this one\"}\n%s\n{\"level\":\"debug\",\"msg\":\"nor this\"}\n",
            text);
    fclose(f);
    rt_exit(1);
}

static inline void rt_console(const char *path)
{
    struct err e;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0)
        rt_exit(70);
    const char *name = ptsname(master);
    int to = sock_dial_unix(path, SOCK_STREAM, &e);
    if (to < 0 || sock_send(to, name, strlen(name), master) < 0)
        rt_exit(71);
    int slave = open(name, O_RDWR); /* a session leader's first terminal becomes its controlling one */
    for (int i = 0; i < 3; i++)
        dup2(slave, i);
    close(slave);
    close(master);
    close(to);
}

static inline void rt_init(const char *bundle, const char *console)
{
    char go = 0;
    struct err e;
    setsid();
    if (console)
        rt_console(console);
    int fifo = open(rt_file(bundle, "start"), O_RDONLY);
    if (read(fifo, &go, 1) != 1)
        rt_exit(111);
    close(fifo);
    char *text = file_read(AT_FDCWD, rt_file(bundle, "payload"), 65536, NULL, &e);
    execl("/bin/sh", "sh", "-c", text, (char *)NULL);
    rt_exit(112);
}

/* An init that is orphaned, and so becomes the shim's child, and dies, all before `create` is done. */
static inline pid_t rt_early_death(void)
{
    int p[2];
    pid_t init = -1;
    if (pipe(p) < 0)
        rt_exit(66);
    if (fork() == 0) {
        init = fork();
        if (init == 0)
            rt_exit(7);
        (void)!write(p[1], &init, sizeof(init));
        rt_exit(0);
    }
    (void)!read(p[0], &init, sizeof(init));
    usleep(300000);
    return init;
}

static inline void rt_create(const char *bundle, const char *console, const char *pid_file, const char *root)
{
    struct err e;
    char text[16];
    if (rt_asked(bundle, "complain")) {
        fprintf(stderr, "the bundle smells\nof fish\n");
        rt_exit(3);
    }
    if (mkfifo(rt_file(bundle, "start"), 0600) < 0)
        rt_exit(60);
    int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
    struct statvfs fs;
    if (self < 0 || fstatvfs(self, &fs) < 0 || !(fs.f_flag & ST_RDONLY) || access("/proc/self/exe", W_OK) == 0)
        rt_exit(59); /* create must find itself executed through a read-only mount */
    close(self);
    if (rt_asked(bundle, "slow-create"))
        usleep(500000);
    fflush(NULL);
    pid_t pid = rt_asked(bundle, "die-early") ? rt_early_death() : fork();
    if (pid == 0)
        rt_init(bundle, console);
    snprintf(text, sizeof(text), "%d", (int)pid);
    if (file_replace_volatile(AT_FDCWD, rt_file(root, "pid"), text, strlen(text), 0600, &e) < 0)
        rt_exit(61);
    if (rt_asked(bundle, "wrong-pid"))
        strcpy(text, "2");
    if (file_replace_volatile(AT_FDCWD, pid_file, text, strlen(text), 0600, &e) < 0)
        rt_exit(62);
    if (console) /* as a real one: what create promised is there when it returns */
        usleep(50000);
}

static inline void rt_start(const char *bundle)
{
    for (int i = 0; i < 500; i++, usleep(10000)) {
        int fifo = open(rt_file(bundle, "start"), O_WRONLY | O_NONBLOCK);
        if (fifo < 0)
            continue;
        if (write(fifo, "x", 1) != 1)
            rt_exit(63);
        if (rt_asked(bundle, "slow-start"))
            usleep(500000);
        rt_exit(0);
    }
    rt_exit(64);
}

static inline void rt_delete(const char *root)
{
    struct err e;
    autofree char *text = file_read(AT_FDCWD, rt_file(root, "pid"), 64, NULL, &e);
    if (text)
        kill((pid_t)strtol(text, NULL, 10), SIGKILL);
    if (file_replace_volatile(AT_FDCWD, rt_file(root, "deleted"), "", 0, 0600, &e) < 0)
        rt_exit(65);
}

static inline int fake_runtime(int argc, char **argv)
{
    const char *root = NULL, *log = NULL, *bundle = NULL, *pid_file = NULL, *console = NULL, *verb = NULL;
    for (int i = 2; i < argc - 1; i++) {
        const char *a = argv[i];
        const char **to = str_eq(a, "--root")             ? &root
                          : str_eq(a, "--log")            ? &log
                          : str_eq(a, "--bundle")         ? &bundle
                          : str_eq(a, "--pid-file")       ? &pid_file
                          : str_eq(a, "--console-socket") ? &console
                                                          : NULL;
        if (to)
            *to = argv[++i];
        else if (str_eq(a, "--log-format"))
            i++;
        else if (str_eq(a, "--process"))
            bundle = dirname(strdup(argv[++i])); /* an exec's process lies in what is the bundle here */
        else if (!str_eq(a, "--force") && !str_eq(a, "--detach"))
            verb = a;
    }
    if (!root || !log || !verb || !str_eq(argv[argc - 1], BOX_ID))
        return 50;
    FILE *calls = fopen(rt_file(root, "calls"), "a");
    for (int i = 1; i < argc; i++)
        fprintf(calls, "%s%c", argv[i], i < argc - 1 ? ' ' : '\n');
    fclose(calls);
    char kept[4096] = "";
    if (bundle) { /* later calls do not name the bundle */
        struct err e;
        if (file_replace_volatile(AT_FDCWD, rt_file(root, "bundle"), bundle, strlen(bundle), 0600, &e) < 0)
            return 51;
    } else {
        struct err e;
        autofree char *text = file_read(AT_FDCWD, rt_file(root, "bundle"), sizeof(kept) - 1, NULL, &e);
        snprintf(kept, sizeof(kept), "%s", text ? text : "");
        bundle = kept;
    }
    rt_fail_if(bundle,
               str_eq(verb, "create") || str_eq(verb, "exec") ? "fail-create"
               : str_eq(verb, "start")                        ? "fail-start"
                                                              : "fail-delete",
               log);
    if (str_eq(verb, "create"))
        rt_create(bundle, console, pid_file, root);
    else if (str_eq(verb, "exec")) { /* what is started as it is made */
        rt_create(bundle, console, pid_file, root);
        rt_start(bundle);
    } else if (str_eq(verb, "start"))
        rt_start(bundle);
    else if (str_eq(verb, "delete"))
        rt_delete(root);
    else
        return 52;
    return 0;
}

#endif
