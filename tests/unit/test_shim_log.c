/* What the shim writes to the log, what a client is shown of it, and what happens when the disk is full. */
#include "shim_rig.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/un.h>

/* The log's records one by one: "1:text|2:text|". */
static char *records(const struct box *b)
{
    autofree char *log = box_get(b, "log");
    struct str all = STR_INIT;
    struct jsonlog_record r = {0};
    for (char *p = log, *end; (end = strchr(p, '\n')); p = end + 1) {
        if (jsonlog_decode(p, (size_t)(end - p), &r) < 0) {
            str_add(&all, "?|");
            continue;
        }
        str_addf(&all, "%d:", r.stream);
        str_addn(&all, r.text, r.len);
        str_addc(&all, '|');
    }
    jsonlog_release(&r);
    return str_take(&all);
}

static void run_to_end(struct box *b)
{
    box_run(b);
    box_exit_code(b, 0);
    ck_assert_int_eq(box_reap(b), 0);
}

START_TEST(a_record_is_a_line)
{
    struct box b;
    box_new(&b, "printf 'a\\n\\nb'; sleep .1; printf 'c\\nd'; sleep .1; printf x >&2; sleep .1; printf 'y\\n' >&2");
    run_to_end(&b);
    autofree char *r = records(&b);
    ck_assert_str_eq(r, "1:a\n|1:\n|1:bc\n|2:xy\n|1:d|");
    box_free(&b);
}
END_TEST

START_TEST(times_do_not_go_back)
{
    struct box b;
    int64_t before = clock_real(), last = 0;
    box_new(&b, "for i in 1 2 3 4 5; do echo $i; sleep .05; done; printf end");
    run_to_end(&b);
    autofree char *log = box_get(&b, "log");
    struct jsonlog_record r = {0};
    int n = 0;
    for (char *p = log, *end; (end = strchr(p, '\n')); p = end + 1, n++) {
        ck_assert_int_eq(jsonlog_decode(p, (size_t)(end - p), &r), 0);
        ck_assert_int_ge(r.time, before);
        ck_assert_int_ge(r.time, last);
        last = r.time;
    }
    ck_assert_int_eq(n, 6);
    ck_assert_int_gt(last - before, 200 * NS_PER_MS);
    jsonlog_release(&r);
    box_free(&b);
}
END_TEST

/* Long lines, fed in pieces of every awkward size: the records are the same as those of one piece. */
START_TEST(long_lines_are_split)
{
    static const int pieces[] = {1000, 16383, 16384, 16385, 40000};
    for (size_t i = 0; i < 5; i++) {
        struct box b;
        box_new(
            &b,
            "head -c 1 /dev/zero | tr '\\0' a; yes 한 | tr -d '\\n' | head -c 49152 | dd bs=$(cat $BOX/bs) 2>/dev/null;"
            "echo; head -c 16384 /dev/zero | tr '\\0' z; echo");
        autofree char *bs = str_printf("%d", pieces[i]);
        box_put(&b, "bs", bs);
        run_to_end(&b);
        autofree char *log = box_get(&b, "log");
        struct jsonlog_record r = {0};
        /* 1 + 3k ≤ 16384: 5461 characters in the first record; then 16383 bytes each, and the rest */
        static const size_t want[] = {16384, 16383, 16383, 4, 16384, 1};
        size_t n = 0;
        for (char *p = log, *end; (end = strchr(p, '\n')); p = end + 1, n++) {
            ck_assert_int_eq(jsonlog_decode(p, (size_t)(end - p), &r), 0);
            ck_assert_uint_lt(n, 6);
            ck_assert_uint_eq(r.len, want[n]);
            ck_assert_ptr_null(memmem(r.text, r.len, "\xef\xbf\xbd", 3));
        }
        ck_assert_uint_eq(n, 6);
        jsonlog_release(&r);
        box_free(&b);
    }
}
END_TEST

START_TEST(bytes_that_are_no_text)
{
    struct box b;
    box_new(&b, "printf '\\377\\000\\033[1m\"\\\\\\n'");
    run_to_end(&b);
    size_t n;
    autofree char *text = log_text(&b, 1, &n, NULL);
    ck_assert_uint_eq(n, 11);
    ck_assert_mem_eq(text, "\xef\xbf\xbd\0\x1b[1m\"\\\n", 11);
    box_free(&b);
}
END_TEST

START_TEST(a_torn_end_is_mended)
{
    struct box b;
    box_new(&b, "echo new");
    box_put(&b, "log", "{\"log\":\"old\\n\",\"stream\":\"stdout\",\"time\":\"2024-05-01T12:00:00Z\"}\n{\"log\":\"to");
    int fd = box_run_attached(&b, OUT | LOGS);
    seen_to_end(fd, 1, "old\nnew\n");
    box_exit_code(&b, 0);
    ck_assert_int_eq(box_reap(&b), 0);
    autofree char *r = records(&b);
    ck_assert_str_eq(r, "1:old\n|?|1:new\n|");
    box_free(&b);
}
END_TEST

START_TEST(a_log_that_is_no_file_is_refused)
{
    struct box b;
    box_new(&b, "echo never");
    autofree char *path = box_path(&b, "log");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    box_launch(&b);
    box_expect(&b, "failed");
    ck_assert_int_eq(box_reap(&b), 1);
    box_free(&b);
}
END_TEST

/* ---- much output ---- */

#define NUMBERS      1250000 /* of eight bytes each: 10 MB */
#define NUMBERS_TEXT "1250000"

/* An assertion that holds still costs a write to the framework: in loops over millions only failures may cost. */
static void numbers_are_whole(const char *text, size_t n)
{
    ck_assert_uint_eq(n, NUMBERS * 8);
    for (int i = 0; i < NUMBERS; i++) {
        const char *p = text + (size_t)i * 8;
        int v = 0;
        for (int k = 0; k < 7; k++)
            v = v * 10 + (p[k] - '0');
        if (v != i + 1 || p[7] != '\n')
            ck_abort_msg("line %d is \"%.8s\"", i + 1, p);
    }
}

START_TEST(much_output_is_whole_in_the_log_and_at_each_client)
{
    struct box b;
    box_new(&b, "(seq -w 1 " NUMBERS_TEXT " >&2) & seq -w 1 " NUMBERS_TEXT "; wait");
    int fd = box_run_attached(&b, OUT | ERR);
    autoseen s = {0};
    seen_all(&s, fd);
    box_exit_code(&b, 0);
    for (int stream = 1; stream <= 2; stream++) {
        size_t n;
        autofree char *text = log_text(&b, stream, &n, NULL);
        numbers_are_whole(text, n);
        numbers_are_whole(s.out[stream].s, s.out[stream].len);
    }
    close(fd);
    box_free(&b);
}
END_TEST

/* Clients join with logs at different moments of a running torrent, half a line among them: no gap, no repeat. */
START_TEST(logs_go_over_into_live_output)
{
    struct box b;
    int fd[6];
    box_new(&b, "printf 000; sleep .3; echo 0001; seq 2 600000 | sed 's/^/000000/; s/.*\\(.......\\)$/\\1/';" WAIT_GO
                "seq -w 600001 " NUMBERS_TEXT);
    box_run(&b);
    pid_t readers[6];
    for (int i = 0; i < 6; i++) {
        fd[i] = box_attach(&b, OUT | LOGS | (i == 5 ? ERR : 0));
        box_sync(&b);
        readers[i] = fork();
        if (readers[i] == 0) {
            b.shim = 0; /* this copy of the test must not tidy up */
            autoseen s = {0};
            seen_all(&s, fd[i]);
            numbers_are_whole(s.out[1].s, s.out[1].len);
            seen_free(&s);
            _exit(0);
        }
        close(fd[i]);
        usleep(i == 0 ? 100000 : 120000);
    }
    box_put(&b, "go", "");
    for (int i = 0; i < 6; i++) {
        int status;
        ck_assert_int_eq(waitpid(readers[i], &status, 0), readers[i]);
        ck_assert_msg(status == 0, "reader %d failed", i);
    }
    box_end(&b, 0);
}
END_TEST

START_TEST(logs_of_one_stream_only)
{
    struct box b;
    box_new(&b, "echo out; echo err >&2; printf half;" WAIT_GO "echo -end");
    box_run(&b);
    usleep(200000);
    int fd = box_attach(&b, OUT | LOGS), plain = box_attach(&b, OUT);
    autoseen s = {0}, t = {0};
    seen_until(&s, fd, 1, "half");
    box_put(&b, "go", "");
    seen_all(&s, fd);
    seen_all(&t, plain);
    ck_assert_str_eq(s.out[1].s, "out\nhalf-end\n");
    ck_assert_ptr_null(s.out[2].s);
    ck_assert_str_eq(t.out[1].s, "-end\n");
    close(fd);
    close(plain);
    box_end(&b, 0);
}
END_TEST

START_TEST(logs_of_a_terminal_are_raw)
{
    struct box b;
    box_new(&b, "echo one;" WAIT_GO "echo two");
    box_set(&b, "tty", json_true());
    box_run(&b);
    usleep(200000);
    int fd = box_attach(&b, OUT | LOGS);
    autoseen s = {.raw = true};
    seen_until(&s, fd, 0, "one\r\n");
    box_put(&b, "go", "");
    seen_end(&s, fd, 0, "one\r\ntwo\r\n");
    box_end(&b, 0);
}
END_TEST

/* Whoever is being shown a long log is not waited for by the container, not even when that ends. */
START_TEST(a_slow_reader_of_the_log_delays_nobody)
{
    struct box b;
    box_new(&b, "seq -w 1 600000 | sed s/^/0/; touch $BOX/first;" WAIT_GO "seq -w 600001 " NUMBERS_TEXT);
    box_run(&b);
    box_wait_for(&b, "first");
    int fd = box_attach(&b, OUT | LOGS);
    box_sync(&b);
    box_put(&b, "go", "");
    box_exit_code(&b, 0);
    autoseen s = {0};
    seen_all(&s, fd);
    numbers_are_whole(s.out[1].s, s.out[1].len);
    close(fd);
    box_free(&b);
}
END_TEST

/* ---- a full disk ---- */

START_TEST(a_full_disk_loses_records_and_says_so)
{
    struct box b;
    if (geteuid() != 0)
        return; /* mounting a small disk takes root */
    /* 400 KB of lines where 128 KB are free; then room again */
    box_new(&b, "seq -f 'first %g' 1 30000; touch $BOX/first;" WAIT_GO "seq -f 'second %g' 1 10; exit 5");
    autofree char *disk = box_path(&b, "disk"), *log = box_path(&b, "disk/log"), *copy = box_path(&b, "log");
    ck_assert_int_eq(unshare(CLONE_NEWNS), 0);
    ck_assert_int_eq(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    ck_assert_int_eq(mkdir(disk, 0700), 0);
    ck_assert_int_eq(mount("small", disk, "tmpfs", 0, "size=128k"), 0);
    box_set(&b, "log", json_string(log));
    int fd = box_run_attached(&b, OUT);
    autoseen s = {0};
    seen_until(&s, fd, 1, "first 30000\n"); /* the clients miss nothing */
    box_wait_for(&b, "first");
    ck_assert_int_eq(mount("small", disk, "tmpfs", MS_REMOUNT, "size=4m"), 0);
    box_put(&b, "go", "");
    seen_all(&s, fd);
    close(fd);
    box_exit_code(&b, 5);
    ck_assert_int_eq(box_reap(&b), 0);
    ck_assert_int_eq(symlink(log, copy), 0);
    size_t n;
    autofree char *out = log_text(&b, 1, &n, NULL), *err = log_text(&b, 2, NULL, NULL);
    unsigned lost = 0;
    ck_assert_int_eq(sscanf(err, "gorae: %u log records are missing here: No space left on device\n", &lost), 1);
    ck_assert_ptr_eq(strchr(err, '\n'), err + strlen(err) - 1); /* once */
    char want[32];
    unsigned kept = 0;
    for (char *p = out, *end; (end = strchr(p, '\n')) && str_starts(p, "first "); p = end + 1, kept++) {
        snprintf(want, sizeof(want), "first %u\n", kept + 1); /* no hole but the one at the end */
        ck_assert_int_eq(strncmp(p, want, strlen(want)), 0);
    }
    ck_assert_uint_gt(kept, 100);
    ck_assert_uint_eq(kept + lost, 30000);
    ck_assert_ptr_nonnull(strstr(out, "second 1\nsecond 2\n"));
    ck_assert(str_ends(out, "second 10\n"));
    ck_assert_int_eq(umount(disk), 0);
    box_free(&b);
}
END_TEST

static void limits(struct box *b, int size, int files)
{
    box_set(b, "log_size", json_integer(size));
    box_set(b, "log_files", json_integer(files));
}

/* The texts of the log's files, oldest first, each ended by a bar: "one\n|two\n|". */
static char *files_text(const struct box *b)
{
    struct str out = STR_INIT;
    struct jsonlog_record r = {0};
    for (int k = 20; k >= 0; k--) {
        autofree char *name = k ? str_printf("log.%d", k) : mem_strdup("log");
        if (!box_has(b, name))
            continue;
        autofree char *log = box_get(b, name);
        for (char *p = log, *end; (end = strchr(p, '\n')); p = end + 1) {
            ck_assert_int_eq(jsonlog_decode(p, (size_t)(end - p), &r), 0);
            str_addn(&out, r.text, r.len);
        }
        str_addc(&out, '|');
    }
    jsonlog_release(&r);
    return str_take(&out);
}

/* A record of these lines has 67 bytes: the second fills a file of 100. */
START_TEST(a_full_file_is_set_aside)
{
    struct box b;
    box_new(&b, "for i in 1 2 3 4 5 6 7; do echo $i; done"); /* in one batch or in seven: the files are the same */
    limits(&b, 100, 3);
    run_to_end(&b);
    autofree char *files = files_text(&b);
    ck_assert_str_eq(files, "3\n4\n|5\n6\n|7\n|");
    box_free(&b);
}
END_TEST

START_TEST(one_file_alone_begins_anew)
{
    struct box b;
    box_new(&b, "for i in 1 2 3; do echo $i; sleep .05; done");
    limits(&b, 100, 1);
    run_to_end(&b);
    autofree char *files = files_text(&b);
    ck_assert_str_eq(files, "3\n|");
    box_free(&b);
}
END_TEST

/* The client is shown three files, while a fourth is begun. */
START_TEST(logs_go_through_all_files)
{
    struct box b;
    autoseen seen = {0};
    box_new(&b, "seq 1 5; " WAIT_GO " seq 6 9");
    limits(&b, 100, 20);
    box_run(&b);
    box_wait_for(&b, "log.2");
    int c = box_attach(&b, OUT | ERR | LOGS);
    box_put(&b, "go", "");
    seen_all(&seen, c);
    ck_assert_str_eq(seen.out[1].s, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    box_exit_code(&b, 0);
    ck_assert_int_eq(box_reap(&b), 0);
    box_free(&b);
}
END_TEST

START_TEST(records_carry_what_was_asked_for)
{
    struct box b;
    struct jsonlog_record r = {0};
    box_new(&b, "echo text");
    box_set(&b, "log_attrs", json_string("{\"tag\":\"web\"}"));
    run_to_end(&b);
    autofree char *log = box_get(&b, "log");
    ck_assert_int_eq(jsonlog_decode(log, strlen(log), &r), 0);
    ck_assert_int_eq(r.attrs_len, 13);
    ck_assert_int_eq(strncmp(r.attrs, "{\"tag\":\"web\"}", 13), 0);
    ck_assert(r.len == 5 && memcmp(r.text, "text\n", 5) == 0);
    jsonlog_release(&r);
    box_free(&b);
}
END_TEST

/* A socket in the journal's place, to which this box logs. @return it, the caller's to close */
static int journal_for(struct box *b, const char *container)
{
    autofree char *path = box_path(b, "journal");
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
    int journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(journal, (struct sockaddr *)&name, sizeof(name)), 0);
    json_object_del(b->task, "log");
    box_set(b, "journal", json_pack("{s:s, s:{s:s}}", "socket", path, "fields", "CONTAINER_NAME", container));
    return journal;
}

START_TEST(the_journal_gets_a_datagram_a_line)
{
    struct box b;
    char got[4][512];
    box_new(&b, "echo one; sleep .1; printf 'a\\rb' >&2; sleep .1; printf x");
    int journal = journal_for(&b, "two\nlines");
    run_to_end(&b);
    for (int i = 0; i < 3; i++) {
        ssize_t n = recv(journal, got[i], sizeof(got[i]) - 1, MSG_DONTWAIT);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(memcmp(got[i], "CONTAINER_NAME\n\x09\0\0\0\0\0\0\0two\nlines\n", 33), 0);
        got[i][n] = '\0';
    }
    ck_assert_str_eq(got[0] + 33, "PRIORITY=6\nMESSAGE=one\n");
    ck_assert_str_eq(got[1] + 33, "PRIORITY=6\nMESSAGE=x\n"); /* unfinished lines at the end, stdout's first */
    ck_assert_str_eq(got[2] + 33, "PRIORITY=3\nMESSAGE=a\rb\n");
    ck_assert_int_eq(recv(journal, got[3], sizeof(got[3]), MSG_DONTWAIT), -1);
    close(journal);
    box_free(&b);
}
END_TEST

/* A journal that hangs: its socket is there, and full. The container's output must go on at the clients. */
START_TEST(a_journal_that_hangs_does_not_stop_the_container)
{
    struct box b;
    char got[512];
    box_new(&b, "i=0; while [ $i -lt 1500 ]; do echo $i; i=$((i+1)); done; sleep .2; echo end");
    int journal = journal_for(&b, "x");
    int64_t began = clock_mono();
    run_to_end(&b);
    ck_assert_int_lt(clock_mono() - began, 20 * NS_PER_S); /* and not a second for each line */
    int records = 0;
    while (recv(journal, got, sizeof(got), MSG_DONTWAIT) > 0)
        records++;
    ck_assert(records > 0 && records < 1500);
    close(journal);
    box_free(&b);
}
END_TEST

START_TEST(without_a_journal_nothing_starts)
{
    struct box b;
    box_new(&b, "echo one");
    box_set(&b, "journal", json_pack("{s:s, s:{s:s}}", "socket", "/nowhere/socket", "fields", "CONTAINER_NAME", "x"));
    box_launch(&b);
    json_auto_t *said = box_event(&b, "failed");
    ck_assert_int_eq(strncmp(json_str(said, "error.message", ""), "journald is not enabled on this host", 36), 0);
    ck_assert_int_eq(box_reap(&b), 1);
    box_free(&b);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim_log");
    TCase *t = shim_case(s, "records");
    tcase_add_test(t, a_record_is_a_line);
    tcase_add_test(t, times_do_not_go_back);
    tcase_add_test(t, long_lines_are_split);
    tcase_add_test(t, bytes_that_are_no_text);
    tcase_add_test(t, a_torn_end_is_mended);
    tcase_add_test(t, a_log_that_is_no_file_is_refused);
    tcase_add_test(t, a_full_file_is_set_aside);
    tcase_add_test(t, one_file_alone_begins_anew);
    tcase_add_test(t, logs_go_through_all_files);
    tcase_add_test(t, records_carry_what_was_asked_for);
    tcase_add_test(t, the_journal_gets_a_datagram_a_line);
    tcase_add_test(t, a_journal_that_hangs_does_not_stop_the_container);
    tcase_add_test(t, without_a_journal_nothing_starts);
    tcase_add_test(t, a_full_disk_loses_records_and_says_so);
    t = shim_case(s, "volume");
    tcase_add_test(t, much_output_is_whole_in_the_log_and_at_each_client);
    tcase_add_test(t, logs_go_over_into_live_output);
    tcase_add_test(t, logs_of_one_stream_only);
    tcase_add_test(t, logs_of_a_terminal_are_raw);
    tcase_add_test(t, a_slow_reader_of_the_log_delays_nobody);
    return shim_run(s, argc, argv);
}
