/*
 * The common half of every grader: build the student's files, run the table of checks, report.
 *
 * The report goes to fd 3, line by line, fields parted by tabs, control characters made visible (\n, \x1b), so that no
 * output of a student's program can look like a line of ours:
 *
 *     plan   name points title            one for each check, before anything runs
 *     build  what text                    the build failed: the file and the compiler's first errors
 *     begin  name                         so that after a time limit it is known which check was running
 *     end    name passed|failed|skipped hint tried expected came needs
 *     note   name text                    what a failed ck_assert said, where the check itself said nothing
 *     done
 *
 * Read next: grade_run.c, which starts the student's programs; then a grader, for instance that of 01-1.
 */
#include "grade.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define REPORT_FD       3
#define SAY_MAX         4000       /* bytes of tried, expected and came */
#define FILE_MAX        (1l << 20) /* bytes of one handed-in file */
#define COMPILE_MS      30000
#define ERROR_LINES_MAX 6
#define CHECKS_MAX      32

static struct {
    char tried[SAY_MAX], expected[SAY_MAX], came[SAY_MAX];
    char ending[128]; /* how the last program ended, where that was no ordinary end */
    char hint[64];
    bool passed, skipped;
} now;                          /* the check that runs */
static int current;             /* its row */
static bool passed[CHECKS_MAX]; /* rows that passed */
static unsigned long long random_state;

/* ---- the report ------------------------------------------------------------------------------------------------- */

/* Control characters become visible; bytes from 0x80 on pass, the reader of the report decodes them. */
static void visible(FILE *f, const char *s)
{
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '\n')
            fputs("\\n", f);
        else if (c == '\t')
            fputs("\\t", f);
        else if (c == '\r')
            fputs("\\r", f);
        else if (c == '\\')
            fputs("\\\\", f);
        else if (c < ' ' || c == 0x7f)
            fprintf(f, "\\x%02x", c);
        else
            fputc(c, f);
    }
}

__attribute__((sentinel)) static void report(const char *kind, ...)
{
    char *line = NULL;
    size_t n = 0;
    va_list ap;
    FILE *f = open_memstream(&line, &n);
    if (!f)
        exit(2);
    fputs(kind, f);
    va_start(ap, kind);
    for (const char *s; (s = va_arg(ap, const char *));) {
        fputc('\t', f);
        visible(f, s);
    }
    va_end(ap);
    fputc('\n', f);
    fclose(f);
    for (size_t done = 0; done < n;) {
        ssize_t w = write(REPORT_FD, line + done, n - done);
        if (w < 0 && errno != EINTR)
            exit(2);
        done += w > 0 ? (size_t)w : 0;
    }
    free(line);
}

#define SAY(buffer)                                 \
    do {                                            \
        va_list ap;                                 \
        va_start(ap, fmt);                          \
        vsnprintf(buffer, sizeof(buffer), fmt, ap); \
        va_end(ap);                                 \
    } while (0)

void tried(const char *fmt, ...)
{
    SAY(now.tried);
}

void expected(const char *fmt, ...)
{
    SAY(now.expected);
}

void came(const char *fmt, ...)
{
    SAY(now.came);
}

void ending(const char *fmt, ...)
{
    SAY(now.ending);
}

void hint(const char *heading)
{
    snprintf(now.hint, sizeof now.hint, "%s", heading);
}

void verdict(bool ok)
{
    size_t n = strlen(now.came);
    if (!ok && now.ending[0])
        snprintf(now.came + n, sizeof now.came - n, "%s(%s)", n ? "\n" : "", now.ending);
    if (!ok)
        ck_abort_msg("%s", now.came);
}

void same_text(const char *got, const char *want)
{
    expected("%s", want);
    came("%s", got);
    verdict(strcmp(got, want) == 0);
}

void same_number(const char *what, long got, long want)
{
    expected("%s %ld", what, want);
    came("%s %ld", what, got);
    verdict(got == want);
}

/* ---- the seed --------------------------------------------------------------------------------------------------- */

unsigned long grade_seed(void)
{
    const char *s = getenv("GRADE_SEED");
    return s ? strtoul(s, NULL, 10) : 1;
}

/* xorshift64*: small, and the same on every machine, which rand(3) is not. */
unsigned dice(unsigned below)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (unsigned)((random_state * 2685821657736338717ull) >> 33) % below;
}

/* ---- build ------------------------------------------------------------------------------------------------------ */

/* Copy one file into /work. Only a plain file is taken: a link could point to what its owner may not see. */
static bool copy(const char *dir, const char *name, const char **why)
{
    char from[512], to[512], *text = malloc(FILE_MAX + 1);
    struct stat st;
    size_t len = 0;
    snprintf(from, sizeof from, "%s/%s", dir, name);
    snprintf(to, sizeof to, "/work/%s", name);
    int fd = open(from, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    *why = !text ? "no memory" : fd < 0 && errno == ENOENT ? "is missing" : "cannot be read (only plain files count)";
    if (!text || fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        goto out;
    *why = "is longer than a megabyte";
    if (st.st_size > FILE_MAX)
        goto out;
    for (ssize_t n; (n = read(fd, text + len, FILE_MAX - len)) > 0;)
        len += (size_t)n;
    int made = open(to, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0755);
    *why = made >= 0 && write(made, text, len) == (ssize_t)len ? NULL : "cannot be copied";
    if (made >= 0)
        close(made);
    if (!*why && lchown(to, student_uid(), student_uid()) != 0)
        *why = "cannot be handed over";
out:
    if (fd >= 0)
        close(fd);
    free(text);
    return *why == NULL;
}

/* The lines that say "error", and the line of source that gcc shows below the first. */
static void first_errors(const char *all, char *few, size_t size)
{
    size_t len = 0;
    int lines = 0;
    few[0] = '\0';
    for (const char *line = all; *line && lines < ERROR_LINES_MAX;) {
        const char *end = strchrnul(line, '\n');
        bool counts =
            memmem(line, (size_t)(end - line), "error", 5) || memmem(line, (size_t)(end - line), "undefined", 9);
        if (counts && len + (size_t)(end - line) + 2 < size) {
            len += (size_t)snprintf(few + len, size - len, "%.*s\n", (int)(end - line), line);
            lines++;
        }
        line = *end ? end + 1 : end;
    }
    if (!few[0])
        snprintf(few, size, "%.*s", SAY_MAX / 2, all);
}

static bool compile(const char *name)
{
    static char few[SAY_MAX];
    char source[128];
    snprintf(source, sizeof source, "%s.c", name);
    char *argv[] = {"cc", "-std=gnu17", "-D_GNU_SOURCE", "-O1",       "-g",        "-fno-diagnostics-color",
                    "-o", (char *)name, source,          "-ljansson", "-lpthread", NULL};
    struct how how = {.milliseconds = COMPILE_MS};
    struct run *r = run_argv(&how, "/usr/bin/cc", argv);
    if (r->code == 0)
        return true;
    if (r->late)
        snprintf(few, sizeof few, "the compiler was still busy after %d seconds\n", COMPILE_MS / 1000);
    else
        first_errors(r->err, few, sizeof few);
    report("build", source, few, NULL);
    return false;
}

static bool copy_given(void)
{
    const char *why = NULL;
    DIR *d = opendir("/priv/grader/given");
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && !copy("/priv/grader/given", e->d_name, &why)) {
            report("build", e->d_name, why, NULL);
            break;
        }
    if (d)
        closedir(d);
    return why == NULL;
}

static bool build(void)
{
    const char *why;
    for (int i = 0; grade_files[i]; i++)
        if (!copy("/priv/submission", grade_files[i], &why)) {
            report("build", grade_files[i], why, NULL);
            return false;
        }
    if (!copy_given())
        return false;
    for (int i = 0; grade_programs[i]; i++)
        if (!compile(grade_programs[i]))
            return false;
    return true;
}

/* ---- the table as a suite --------------------------------------------------------------------------------------- */

static bool may_run(const struct check *c)
{
    for (int i = 0; c->needs && grade_checks[i].name; i++)
        if (strcmp(grade_checks[i].name, c->needs) == 0)
            return passed[i];
    return true;
}

START_TEST(one_check)
{
    const struct check *c = &grade_checks[current];
    memset(&now, 0, sizeof now);
    hint(c->name);
    if (!may_run(c)) {
        now.skipped = true;
        return;
    }
    report("begin", c->name, NULL);
    /* Each check has numbers of its own, so a check changed or left out does not change the next one's. */
    random_state = grade_seed() * 0x9e3779b97f4a7c15ull + (unsigned long long)current * 7919 + 1;
    dice(2);
    c->run();
    now.passed = true;
}
END_TEST

/* libcheck runs this after the check, however it ended. */
static void after(void)
{
    const struct check *c = &grade_checks[current];
    kill_student();
    passed[current++] = now.passed;
    report("end", c->name,
           now.passed    ? "passed"
           : now.skipped ? "skipped"
                         : "failed",
           now.hint, now.tried, now.expected, now.came, c->needs ? c->needs : "", NULL);
}

static void notes(SRunner *runner)
{
    int n = srunner_ntests_failed(runner);
    TestResult **failed = srunner_failures(runner);
    for (int i = 0; i < n; i++)
        report("note", tr_tcname(failed[i]), tr_msg(failed[i]), NULL);
    free(failed);
}

int main(void)
{
    char points[16];
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; grade_checks[i].name; i++) {
        snprintf(points, sizeof points, "%d", grade_checks[i].points);
        report("plan", grade_checks[i].name, points, grade_checks[i].title, NULL);
    }
    if (chdir("/work") != 0)
        return 2;
    if (build()) {
        Suite *suite = suite_create("exercise");
        for (int i = 0; grade_checks[i].name; i++) {
            TCase *tc = tcase_create(grade_checks[i].name);
            tcase_add_checked_fixture(tc, NULL, after);
            tcase_add_test(tc, one_check);
            suite_add_tcase(suite, tc);
        }
        SRunner *runner = srunner_create(suite);
        srunner_set_fork_status(runner,
                                CK_NOFORK); /* the rows share what has passed; the student's code is forked anyway */
        srunner_run_all(runner, CK_SILENT);
        notes(runner);
        srunner_free(runner);
    }
    report("done", NULL);
    return 0;
}
