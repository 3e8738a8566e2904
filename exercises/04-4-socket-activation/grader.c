// Grades 04-4: clients of a socket that is there before the daemon. What the daemon was given, it says itself.
#include "grade.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

const char *const grade_files[] = {"onclient.c", NULL};
const char *const grade_programs[] = {"onclient", "served", NULL};

static struct live manager;
static char file[32], path[64];

static bool is_there(void *unused)
{
    struct stat st;
    (void)unused;
    return lstat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

// How many clients served is to answer, and how it ends.
static void begin(const char *clients, const char *code)
{
    snprintf(file, sizeof file, "on%u.sock", dice(100000));
    snprintf(path, sizeof path, "/work/%s", file);
    manager = start_program(NULL, "./onclient", file, "./served", clients, code, NULL);
    ck_assert_msg(eventually(is_there, NULL, 2000), "./onclient %s has made no socket", file);
    usleep(50000); // from bind() to listen()
}

// A client connects and says its word. Returns the connection, -1 if nobody listens.
static int come(const char *word)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char line[64]; // in one write: who has read the word may answer and close before a newline of its own came
    snprintf(line, sizeof line, "%s\n", word);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(fd, (struct sockaddr *)&addr, sizeof addr) == 0 && say(fd, line))
        return fd;
    close(fd);
    return -1;
}

static const char *answer_to(int fd)
{
    static char got[1024];
    snprintf(got, sizeof got, "%.1000s", fd < 0 ? "" : read_until(fd, "\n", 3000));
    if (fd >= 0)
        close(fd);
    return got;
}

// One client, and what it is told.
static const char *one_client(void)
{
    char word[32];
    snprintf(word, sizeof word, "calf%u", dice(100000));
    begin("1", "0");
    const char *got = answer_to(come(word));
    stop_all(&manager);
    ck_assert_msg(strncmp(got, word, strlen(word)) == 0, "the client was told nothing");
    return got;
}

static void check_quiet(void)
{
    tried("./onclient, half a second without a client");
    begin("1", "0");
    bool started = read_until(manager.out, "\n", 500)[0];
    int code = wait_program(&manager, 0);
    stop_all(&manager);
    expected("the command was not started, and ./onclient goes on");
    came("the command was %sstarted, and ./onclient %s", started ? "" : "not ", code < 0 ? "goes on" : "has ended");
    verdict(!started && code < 0);
}

static void check_served(void)
{
    char word[32];
    snprintf(word, sizeof word, "calf%u", dice(100000));
    tried("./onclient with ./served, and a client that says %s", word);
    begin("1", "0");
    const char *got = answer_to(come(word));
    char err[512];
    snprintf(err, sizeof err, "%.400s", got[0] ? "" : read_until(manager.err, "\n", 300));
    stop_all(&manager);
    expected("an answer that begins with %s", word);
    came("%s%s", got, err);
    verdict(strncmp(got, word, strlen(word)) == 0);
}

static void check_pid(void)
{
    char want[128], pid[16] = "";
    tried("the environment of the command");
    const char *got = one_client(), *s = strstr(got, ": pid ");
    if (s)
        snprintf(pid, sizeof pid, "%.*s", (int)strspn(s + 6, "0123456789"), s + 6);
    snprintf(want, sizeof want, ": pid %s, LISTEN_PID %s, LISTEN_FDS 1,", pid, pid);
    expected("LISTEN_PID is the command's own pid, %s, and LISTEN_FDS is 1", pid);
    came("%s", s ? s + 2 : got);
    verdict(s && strncmp(s, want, strlen(want)) == 0);
}

static void check_descriptors(void)
{
    tried("the open descriptors of the command");
    const char *s = strstr(one_client(), ", open ");
    same_text(s ? s + 7 : "", "0 1 2 3\n");
}

static void check_again(void)
{
    char got[3][16] = {""};
    const char *const words[] = {"one", "two", "three"};
    tried("three clients, each after the answer to the one before; the command ends after each");
    begin("1", "0");
    for (int i = 0; i < 3; i++) {
        snprintf(got[i], sizeof got[i], "%.*s", (int)strlen(words[i]), answer_to(come(words[i])));
        usleep(100000);
    }
    stop_all(&manager);
    expected("one, two, three");
    came("%s, %s, %s", got[0], got[1], got[2]);
    verdict(strcmp(got[0], "one") == 0 && strcmp(got[1], "two") == 0 && strcmp(got[2], "three") == 0);
}

static void check_crowd(void)
{
    int clients[6], answered = 0;
    tried("six clients at once; the command ends after every second one");
    begin("2", "0");
    for (int i = 0; i < 6; i++)
        clients[i] = come("calf");
    for (int i = 0; i < 6; i++)
        answered += strncmp(answer_to(clients[i]), "calf: ", 6) == 0;
    char got[1024];
    snprintf(got, sizeof got, "%.1000s", read_until(manager.out, "no such text", 300));
    stop_all(&manager);
    int starts = 0;
    for (const char *s = got; (s = strstr(s, "started ")); s++)
        starts++;
    expected("six answers, and the command was started three times");
    came("%d answers, and the command was started %d times", answered, starts);
    verdict(answered == 6 && starts == 3);
}

static void check_fails(void)
{
    tried("a client, and a command that ends with the exit code 3 without taking it");
    begin("0", "3");
    int fd = come("calf"), code = wait_program(&manager, 2000);
    char err[512];
    snprintf(err, sizeof err, "%.400s", read_until(manager.err, "\n", 200));
    close(fd);
    stop_all(&manager);
    expected("a sentence with the command's name, and the exit code 1");
    if (code < 0)
        came("no end");
    else
        came("%sand the exit code %d", err, code);
    verdict(code == 1 && strstr(err, "served"));
}

const struct check grade_checks[] = {
    {"quiet", 10, "without a client nothing is started", check_quiet, NULL},
    {"served", 25, "the command takes over the client that came before it", check_served, NULL},
    {"pid", 15, "the environment says what was given, and to whom", check_pid, "served"},
    {"descriptors", 15, "the command has four descriptors", check_descriptors, "served"},
    {"again", 15, "when it has ended, the next client starts it anew", check_again, "served"},
    {"crowd", 10, "nobody is lost between two runs of the command", check_crowd, "again"},
    {"fails", 10, "a command that fails is not started for ever", check_fails, "served"},
    {0}};
