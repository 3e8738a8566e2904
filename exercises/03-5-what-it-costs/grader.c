// Grades 03-5: has the conversation of the student's seed written down, and measures it. No key is kept.
#include "grade.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

const char *const grade_files[] = {"answers", NULL};
const char *const grade_programs[] = {"talk", NULL};

#define CAPTURE_MAX (1 << 18)

static struct {
    bool known;
    char seed[16];
    long trips, failed, heads, bodies, chunks, pieces, frames, output, errors;
    bool head_only[64]; // of each request: its answer has no body
} fact;

struct capture {
    char bytes[CAPTURE_MAX];
    size_t n, at;
};

static struct capture asked, came_back, framed;

static void load(struct capture *c, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    for (ssize_t n; fd >= 0 && (n = read(fd, c->bytes + c->n, CAPTURE_MAX - 1 - c->n)) > 0;)
        c->n += (size_t)n;
    close(fd);
    ck_assert_msg(c->n > 0, "the conversation was not written down");
}

// The next line without its end.
static const char *line(struct capture *c)
{
    static char text[1024];
    char *from = c->bytes + c->at, *end = memmem(from, c->n - c->at, "\r\n", 2);
    ck_assert(end && end - from < (ssize_t)sizeof text);
    memcpy(text, from, (size_t)(end - from));
    text[end - from] = '\0';
    c->at = (size_t)(end + 2 - c->bytes);
    return text;
}

// Reads the headers. Returns the length of the body, -1 if it comes in chunks.
static long headers(struct capture *c)
{
    long length = 0;
    for (const char *l; *(l = line(c));) {
        if (strncasecmp(l, "Content-Length: ", 16) == 0)
            length = strtol(l + 16, NULL, 10);
        if (strcasecmp(l, "Transfer-Encoding: chunked") == 0)
            length = -1;
    }
    return length;
}

static void measure_chunks(struct capture *c)
{
    size_t from = c->at;
    for (unsigned long n = 1; n > 0; fact.pieces++) {
        n = strtoul(line(c), NULL, 16);
        ck_assert(c->at + n + 2 <= c->n && framed.n + n < CAPTURE_MAX);
        memcpy(framed.bytes + framed.n, c->bytes + c->at, n);
        framed.n += n;
        c->at += n;
        ck_assert_str_eq(line(c), "");
    }
    fact.pieces--; // the empty one at the end
    fact.chunks += (long)(c->at - from - framed.n);
}

static void measure_frames(void)
{
    while (framed.at < framed.n) {
        const unsigned char *f = (const unsigned char *)framed.bytes + framed.at;
        long n = f[4] << 24 | f[5] << 16 | f[6] << 8 | f[7];
        ck_assert(f[0] == 1 || f[0] == 2);
        *(f[0] == 1 ? &fact.output : &fact.errors) += n;
        fact.frames++;
        framed.at += 8 + (size_t)n;
    }
    ck_assert_uint_eq(framed.at, framed.n);
}

static void know(void)
{
    if (fact.known)
        return;
    snprintf(fact.seed, sizeof fact.seed, "%.15s", answer("/work/answers", "seed"));
    ck_assert_int_eq(run_program(NULL, "./talk", fact.seed, NULL)->code, 0);
    load(&asked, "/work/asked");
    load(&came_back, "/work/came");
    while (asked.at < asked.n) {
        size_t from = asked.at;
        ck_assert(fact.trips < 64);
        fact.head_only[fact.trips++] = strncmp(line(&asked), "HEAD ", 5) == 0;
        long body = headers(&asked);
        fact.heads += (long)(asked.at - from);
        fact.bodies += body;
        asked.at += (size_t)body;
    }
    long answers = 0;
    for (; came_back.at < came_back.n; answers++) {
        const char *status = line(&came_back) + 9;
        fact.failed += *status == '4' || *status == '5';
        long body = headers(&came_back);
        if (body < 0)
            measure_chunks(&came_back);
        else if (!fact.head_only[answers])
            came_back.at += (size_t)body;
    }
    ck_assert_int_eq(answers, fact.trips);
    measure_frames();
    fact.known = true;
}

// What is right is not told: it is for the student to find.
static void compare(const char *key, long right, long tempting, const char *heading)
{
    const char *given = answer("/work/answers", key);
    tried("%s, of the conversation with seed %s", key, fact.seed);
    expected("what the two files say");
    came("%s", given);
    if (given[0] && strtol(given, NULL, 10) == tempting)
        hint(heading);
    char want[24];
    snprintf(want, sizeof want, "%ld", right);
    verdict(strcmp(given, want) == 0);
}

static void check_seed(void)
{
    const char *seed = answer("/work/answers", "seed");
    tried("the line \"seed:\" of the file answers");
    expected("a number of at most nine digits");
    came("%s", seed);
    size_t n = strlen(seed);
    verdict(n > 0 && n <= 9 && strspn(seed, "0123456789") == n);
}

static void check_trips(void)
{
    know();
    compare("trips", fact.trips, -1, "trips");
}

static void check_failed(void)
{
    know();
    compare("failed", fact.failed, -1, "failed");
}

static void check_heads(void)
{
    know();
    compare("heads", fact.heads, fact.heads + fact.bodies, "bodies");
}

static void check_chunks(void)
{
    know();
    compare("chunks", fact.chunks, -1, "chunks");
}

static void check_frames(void)
{
    know();
    compare("frames", fact.frames, fact.pieces, "pieces");
}

static void check_output(void)
{
    know();
    compare("output", fact.output, fact.output + fact.errors, "both");
}

const struct check grade_checks[] = {
    {"seed", 0, "the answers say for which seed they are", check_seed, NULL},
    {"trips", 10, "trips: how often the client asked and waited for the answer", check_trips, "seed"},
    {"failed", 10, "failed: how many requests were at fault", check_failed, "seed"},
    {"heads", 20, "heads: the bytes of all heads that were sent", check_heads, "seed"},
    {"chunks", 20, "chunks: the bytes that the chunks cost", check_chunks, "seed"},
    {"frames", 20, "frames: how many there are", check_frames, "seed"},
    {"output", 20, "output: the bytes that the job has written to its standard output", check_output, "seed"},
    {0}};
