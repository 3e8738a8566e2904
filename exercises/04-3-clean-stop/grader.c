// Grades 04-3: jobs that obey, that take their time, that have ended already, and that do not listen.
#include "grade.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"yard.c", NULL};
const char *const grade_programs[] = {"yard", NULL};

// Each job leaves its pid in a file, so that it can be looked for afterwards.
#define OBEYS    "echo $$ >a.pid; exec sleep 60"
#define STUBBORN "trap '' TERM INT; echo $$ >b.pid; exec sleep 60"
#define WRITES   "trap 'sleep 0.7; echo bye >bye; exit' TERM; echo $$ >c.pid; while :; do sleep 0.05; done"
#define ENDED    "echo $$ >d.pid; exit 3"

static struct live yard;
static char file[32], path[64];

// Whether the job with this letter lives.
static bool there(char letter)
{
    char name[] = "/work/?.pid";
    name[6] = letter;
    pid_t pid = (pid_t)strtol(read_file(name), NULL, 10);
    const char *state = pid > 0 ? stat_field(pid, 3) : "";
    return state[0] && state[0] != 'Z';
}

static bool has_written(void *letter)
{
    char name[] = "/work/?.pid";
    name[6] = *(char *)letter;
    return strchr(read_file(name), '\n') != NULL;
}

static void begin(const char *first, const char *letters, const char *second)
{
    snprintf(file, sizeof file, "yard%u.sock", dice(100000));
    snprintf(path, sizeof path, "/work/%s", file);
    for (const char *s = "abcd"; *s; s++) {
        char name[] = "/work/?.pid";
        name[6] = *s;
        unlink(name);
    }
    unlink("/work/bye");
    if (second)
        yard = start_program(NULL, "./yard", file, first, second, NULL);
    else
        yard = start_program(NULL, "./yard", file, first, NULL);
    ck_assert_msg(strstr(read_until(yard.out, "ready\n", 2000), "ready\n"), "./yard did not get ready");
    for (; *letters; letters++)
        ck_assert_msg(eventually(has_written, (void *)letters, 2000), "./yard did not start its jobs");
    usleep(100000); // the shells set their traps first, but `exec sleep` is still to come
}

// What a client is told, "" if nobody listens.
static const char *ask(void)
{
    static char got[64];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool up = connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0;
    snprintf(got, sizeof got, "%s", up ? read_until(fd, "\n", 1000) : "");
    close(fd);
    return got;
}

// Sends the signal and waits for the end. Returns the exit code, -1 for no end; the time that it took in *ms.
static int end_by(int sig, int limit, long *ms)
{
    long from = milliseconds_now();
    kill(yard.pid, sig);
    int code = wait_program(&yard, limit);
    *ms = milliseconds_now() - from;
    return code;
}

static const char *ended(int code)
{
    static char text[64];
    if (code < 0)
        return "no end";
    if (code > 128)
        snprintf(text, sizeof text, "an end by signal %d", code - 128);
    else
        snprintf(text, sizeof text, "the exit code %d", code);
    return text;
}

static void check_works(void)
{
    char got[64];
    begin(OBEYS, "ad", ENDED);
    tried("./yard with a job that runs and one that has ended, and a client");
    usleep(200000);
    snprintf(got, sizeof got, "%s", ask());
    stop_all(&yard);
    same_text(got, "1\n");
}

static void end_and_gone(int sig, const char *name)
{
    long ms;
    begin(OBEYS, "a", NULL);
    tried("%s to ./yard, which has a job: sleep 60", name);
    int code = end_by(sig, 5000, &ms);
    bool lives = there('a');
    stop_all(&yard);
    expected("the exit code 0, and the job has ended");
    came("%s, and the job %s", ended(code), lives ? "lives on" : "has ended");
    verdict(code == 0 && !lives);
}

static void check_ends(void)
{
    end_and_gone(SIGTERM, "SIGTERM");
}

static void check_interrupt(void)
{
    end_and_gone(SIGINT, "SIGINT");
}

static void check_asked(void)
{
    long ms;
    begin(ENDED, "dc", WRITES);
    tried(
        "SIGTERM to ./yard, which has a job that has ended, and one that needs 0.7 seconds to put its things in order");
    int code = end_by(SIGTERM, 5000, &ms);
    bool wrote = strcmp(read_file("/work/bye"), "bye\n") == 0;
    stop_all(&yard);
    expected("an end when the job is done with it");
    came("%s after %.1f seconds; the job %s", ended(code), (double)ms / 1000,
         wrote ? "was done" : "had no time for it");
    verdict(code >= 0 && wrote);
}

static void check_stubborn(void)
{
    long ms;
    begin(STUBBORN, "ba", OBEYS);
    tried("SIGTERM to ./yard, which has a job that ignores SIGTERM, and another one");
    int code = end_by(SIGTERM, 5000, &ms);
    bool lives = there('b');
    stop_all(&yard);
    expected("an end after 2 seconds, and no job is left");
    came("%s after %.1f seconds, and the job %s", ended(code), (double)ms / 1000, lives ? "lives on" : "has ended");
    verdict(code >= 0 && !lives && ms >= 1800 && ms < 4000);
}

static void check_prompt(void)
{
    long ms;
    begin(ENDED, "da", OBEYS);
    tried("SIGTERM to ./yard, which has a job that has ended, and one that obeys at once");
    int code = end_by(SIGTERM, 5000, &ms);
    stop_all(&yard);
    expected("an end within a second");
    came("%s after %.1f seconds", ended(code), (double)ms / 1000);
    verdict(code >= 0 && ms < 1000);
}

static void check_socket(void)
{
    char got[64];
    begin(WRITES, "c", NULL);
    tried("a client, 0.3 seconds after SIGTERM, while a job still puts its things in order");
    kill(yard.pid, SIGTERM);
    usleep(300000);
    bool name = access(path, F_OK) == 0;
    snprintf(got, sizeof got, "%s", ask());
    wait_program(&yard, 5000);
    name = name || access(path, F_OK) == 0;
    stop_all(&yard);
    expected("no file %s any more", file);
    came("%s%s%s", name ? "the file is there" : "no file any more", got[0] ? ", and the client was told " : "", got);
    verdict(!name && !got[0]);
}

static void check_twice(void)
{
    long ms;
    begin(STUBBORN, "b", NULL);
    tried("SIGTERM, and 0.3 seconds later once more, to ./yard, which has a job that ignores SIGTERM");
    kill(yard.pid, SIGTERM);
    usleep(300000);
    int code = end_by(SIGTERM, 5000, &ms);
    bool lives = there('b');
    stop_all(&yard);
    expected("an end within a second, and no job is left");
    came("%s after %.1f seconds, and the job %s", ended(code), (double)ms / 1000, lives ? "lives on" : "has ended");
    verdict(code >= 0 && !lives && ms < 1000);
}

const struct check grade_checks[] = {
    {"works", 5, "a client is told how many jobs run", check_works, NULL},
    {"ends", 20, "SIGTERM ends the jobs and then the daemon, with the exit code 0", check_ends, "works"},
    {"interrupt", 5, "and so does SIGINT", check_interrupt, "works"},
    {"asked", 20, "a job is asked, and has time", check_asked, "ends"},
    {"stubborn", 20, "a job that does not obey is killed after two seconds", check_stubborn, "ends"},
    {"prompt", 10, "when all jobs have ended, the daemon waits no longer", check_prompt, "ends"},
    {"socket", 10, "the socket goes first", check_socket, "ends"},
    {"twice", 10, "a second SIGTERM ends the waiting", check_twice, "ends"},
    {0}};
