/* The floor of `make bench`: what the kernel itself takes for a container. Clone with six namespaces, mount an overlay,
 * make /proc, pivot_root, exec a program that ends, wait, unmount: in one process, with no JSON, no limits, no logs.
 * Usage: floor WORKDIR; prints milliseconds. Without arguments it is the program that is executed. */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char lower[256], upper[256], work[256], root[256], program[300], options[1024], proc[300];

static int die(const char *what)
{
    perror(what);
    _exit(1);
}

static int child(void *arg)
{
    (void)arg;
    char *const argv[] = {"/floor", NULL}, *const env[] = {NULL};
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 || mount("overlay", root, "overlay", 0, options) < 0)
        die("mount");
    if (mount("proc", proc, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0 || chdir(root) < 0)
        die("mount proc");
    if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || chdir("/") < 0)
        die("pivot_root");
    execve("/floor", argv, env);
    return die("exec");
}

static void copy_self(void)
{
    char buf[65536];
    int in = open("/proc/self/exe", O_RDONLY), out = open(program, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    for (ssize_t n; (n = read(in, buf, sizeof(buf))) > 0;)
        if (write(out, buf, (size_t)n) != n)
            die("copy");
    close(in);
    close(out);
}

int main(int argc, char **argv)
{
    static char stack[65536] __attribute__((aligned(16)));
    struct timespec a, b;
    int status;
    if (argc < 2)
        return 0;
    snprintf(lower, sizeof(lower), "%s/fl", argv[1]);
    snprintf(upper, sizeof(upper), "%s/fu", argv[1]);
    snprintf(work, sizeof(work), "%s/fw", argv[1]);
    snprintf(root, sizeof(root), "%s/fr", argv[1]);
    snprintf(program, sizeof(program), "%s/floor", lower);
    snprintf(proc, sizeof(proc), "%s/proc", root);
    snprintf(options, sizeof(options), "lowerdir=%s,upperdir=%s,workdir=%s", lower, upper, work);
    mkdir(lower, 0755);
    mkdir(upper, 0755);
    mkdir(work, 0755);
    mkdir(root, 0755);
    char inner[300];
    snprintf(inner, sizeof(inner), "%s/proc", lower);
    mkdir(inner, 0755);
    copy_self();
    clock_gettime(CLOCK_MONOTONIC, &a);
    int pid = clone(child, stack + sizeof(stack),
                    CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWCGROUP | SIGCHLD,
                    NULL);
    if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
        die("container");
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.3f\n", (double)(b.tv_sec - a.tv_sec) * 1e3 + (double)(b.tv_nsec - a.tv_nsec) / 1e6);
    return 0;
}
