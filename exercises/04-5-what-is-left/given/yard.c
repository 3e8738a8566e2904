// yard SEED - makes the folder farm with pid files and sockets, others for each seed, and starts the daemons to some of
// them. Of the others the daemon is gone. It prints its own pid and stays for ten minutes; with it everything ends.
#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MOST 9

enum kind { TIDY, CARELESS, HELPED, DEAF, DEAD, LIAR };

static unsigned long state;
static char name[16], socket_file[24];
static int lock, alive[2], ready[2]; // pipes: the one ends with the program itself, the other when all are ready

static unsigned dice(unsigned below)
{
    state = state * 6364136223846793005ul + 1442695040888963407ul;
    return (unsigned)(state >> 33) % below;
}

static void quit(int sig)
{
    (void)sig;
    unlink(socket_file);
    _exit(ftruncate(lock, 0));
}

// Stays as long as the scene.
__attribute__((noreturn)) static void stay(void)
{
    close(ready[1]);
    while (read(alive[0], &(char){0}, 1) > 0)
        ;
    _exit(0);
}

// The socket of a daemon: a file as soon as it is bound.
static int bind_socket(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    strcpy(addr.sun_path, socket_file);
    if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof addr) < 0)
        err(1, "%s", socket_file);
    return fd;
}

__attribute__((noreturn)) static void run(enum kind kind)
{
    prctl(PR_SET_NAME, name);
    close(alive[1]);
    if (flock(lock, LOCK_EX | LOCK_NB) < 0 || dprintf(lock, "%d\n", getpid()) < 0)
        err(1, "%s.pid", name);
    if (kind == HELPED && fork() == 0) {
        snprintf(name, sizeof name, "calf%u", dice(10000));
        prctl(PR_SET_NAME, name);
        stay();
    }
    if (kind == TIDY)
        signal(SIGTERM, quit);
    int fd = bind_socket();
    if (kind == DEAF)
        close(fd);
    else if (listen(fd, 64) < 0)
        err(1, "%s", socket_file);
    stay();
}

static pid_t dead(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void begin(enum kind kind, unsigned number)
{
    char file[24];
    snprintf(name, sizeof name, "cow%u", number);
    snprintf(socket_file, sizeof socket_file, "%s.sock", name);
    snprintf(file, sizeof file, "%s.pid", name);
    lock = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (lock < 0)
        err(1, "%s", file);
    if (kind == DEAD || kind == LIAR) {
        dprintf(lock, "%d\n", kind == DEAD ? dead() : getpid());
        close(bind_socket());
    } else if (fork() == 0) {
        run(kind);
    }
    close(lock);
}

static void fresh_folder(void)
{
    if ((mkdir("farm", 0700) < 0 && errno != EEXIST) || chdir("farm") < 0)
        err(1, "farm");
    DIR *d = opendir(".");
    for (struct dirent *e; d && (e = readdir(d));)
        if (strncmp(e->d_name, "cow", 3) == 0)
            unlink(e->d_name); // what an earlier run has left
    if (d)
        closedir(d);
}

int main(int argc, char **argv)
{
    static const enum kind others[] = {TIDY, CARELESS, DEAF, DEAD};
    enum kind kinds[MOST] = {HELPED, LIAR, TIDY, TIDY, CARELESS};
    unsigned n = 5;
    if (argc != 2)
        errx(2, "usage: yard SEED");
    state = strtoul(argv[1], NULL, 10) * 2654435761ul + 1;
    dice(2);
    fresh_folder();
    if (pipe(alive) < 0 || pipe(ready) < 0)
        err(1, "pipe");
    for (unsigned more = 2 + dice(3); more > 0; more--)
        kinds[n++] = more == 2 ? DEAF : others[dice(4)];
    for (unsigned i = 0; i < n; i++) {
        unsigned k = i + dice(n - i);
        enum kind one = kinds[k];
        kinds[k] = kinds[i];
        kinds[i] = one;
        begin(one, 1000 * (i + 1) + dice(1000));
    }
    signal(SIGCHLD, SIG_IGN); // who ends leaves no zombie
    close(ready[1]);
    if (read(ready[0], &(char){0}, 1) != 0)
        err(1, "pipe");
    printf("ready %d\n", getpid());
    fflush(stdout);
    sleep(600);
    return 0;
}
