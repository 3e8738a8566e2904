/* Attached clients of the shim: who gets what, what each ending means, terminals. */
#include "shim_rig.h"

#include <netinet/in.h>
#include <sys/sysmacros.h>

static void detached(struct box *b, bool keys)
{
    json_auto_t *j = box_event(b, "detach");
    ck_assert_int_eq(json_is_true(json_at(j, "keys")), keys);
}

/* For half a second the shim takes next to no time of a processor. */
static void box_idles(const struct box *b)
{
    struct err e;
    autofree char *path = str_printf("/proc/%d/schedstat", (int)b->shim);
    autofree char *before = file_read(AT_FDCWD, path, 100, NULL, &e);
    usleep(500000);
    autofree char *after = file_read(AT_FDCWD, path, 100, NULL, &e);
    ck_assert_int_lt(atoll(after) - atoll(before), 100 * NS_PER_MS);
}

/* ---- output ---- */

START_TEST(each_gets_what_it_asked_for)
{
    struct box b;
    box_new(&b, "echo out; echo err >&2");
    box_create(&b);
    static const int what[] = {OUT | ERR, OUT, ERR, IN, 0, OUT | ERR | IN};
    int fd[6];
    for (int i = 0; i < 6; i++)
        fd[i] = box_attach(&b, what[i]);
    box_start(&b);
    for (int i = 0; i < 6; i++) {
        autoseen s = {0};
        seen_all(&s, fd[i]);
        ck_assert_str_eq(s.out[1].s ? s.out[1].s : "", what[i] & OUT ? "out\n" : "");
        ck_assert_str_eq(s.out[2].s ? s.out[2].s : "", what[i] & ERR ? "err\n" : "");
        close(fd[i]);
        seen_free(&s);
    }
    box_end(&b, 0);
}
END_TEST

START_TEST(attach_while_it_is_being_created)
{
    struct box b;
    box_new(&b, "cat");
    box_put(&b, "bundle/slow-create", "");
    box_open_stdin(&b, true);
    box_launch(&b);
    int fd = box_attach_with(&b, IN | OUT | ERR, NULL, "early ");
    say(fd, "bird\n");
    shutdown(fd, SHUT_WR);
    box_expect(&b, "created");
    box_start(&b);
    seen_to_end(fd, 1, "early bird\n");
    box_end(&b, 0);
}
END_TEST

/* docker's own client half-closes at once where it gives no input */
START_TEST(a_half_close_without_stdin_means_nothing)
{
    struct box b;
    box_new(&b, WAIT_GO "echo still here");
    box_create(&b);
    int fd = box_attach(&b, OUT | ERR);
    shutdown(fd, SHUT_WR);
    box_start(&b);
    box_quiet(&b);
    box_put(&b, "go", "");
    seen_to_end(fd, 1, "still here\n");
    box_end(&b, 0);
}
END_TEST

START_TEST(a_client_that_goes_does_not_matter)
{
    struct box b;
    box_new(&b, "echo one;" WAIT_GO "echo two");
    box_create(&b);
    int leaves = box_attach(&b, OUT | ERR), stays = box_attach(&b, OUT);
    box_start(&b);
    autoseen s = {0}, t = {0};
    seen_until(&s, leaves, 1, "one\n");
    close(leaves);
    detached(&b, false);
    box_put(&b, "go", "");
    seen_end(&t, stays, 1, "one\ntwo\n");
    box_exit_code(&b, 0);
    log_is(&b, 0, "one\ntwo\n");
    box_free(&b);
}
END_TEST

/* Over TCP a closed client looks half-closed until something is sent to it. */
static int tcp_pair(int *ret_server)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof(a);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), c = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    int small = 4096; /* most of what is sent must stay with the sender */
    setsockopt(c, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    ck_assert_int_eq(bind(l, (struct sockaddr *)&a, n), 0);
    ck_assert_int_eq(listen(l, 1), 0);
    ck_assert_int_eq(getsockname(l, (struct sockaddr *)&a, &n), 0);
    ck_assert_int_eq(connect(c, (struct sockaddr *)&a, n), 0);
    *ret_server = accept4(l, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_int_ge(*ret_server, 0);
    close(l);
    setsockopt(c, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    return c;
}

START_TEST(a_tcp_client_that_goes_is_found_out)
{
    struct box b;
    int server;
    box_new(&b, WAIT_GO "while [ -e $BOX/go ]; do echo x; sleep .05; done");
    box_create(&b);
    int client = tcp_pair(&server);
    box_attach_fd(&b, OUT | ERR, NULL, NULL, server);
    close(server);
    box_start(&b);
    close(client);
    box_quiet(&b);
    box_put(&b, "go", "");
    detached(&b, false);
    autofree char *go = box_path(&b, "go");
    unlink(go);
    box_end(&b, 0);
}
END_TEST

/* Input that arrives at the very end must not turn it into a reset, which eats output that is still on its way. */
START_TEST(the_end_is_gentle_over_tcp)
{
    struct box b;
    int server;
    box_new(&b, "head -c 60000 /dev/zero");
    box_create(&b);
    int client = tcp_pair(&server);
    box_attach_fd(&b, OUT, NULL, NULL, server);
    close(server);
    box_start(&b);
    box_exit_code(&b, 0);
    usleep(100000);
    say(client, "too late");
    usleep(100000);
    autoseen s = {0};
    seen_all(&s, client);
    ck_assert_uint_eq(s.out[1].len, 60000);
    close(client);
    box_free(&b);
}
END_TEST

START_TEST(who_does_not_read_holds_the_container_up)
{
    struct box b;
    box_new(&b, "head -c 3000000 /dev/zero | tr '\\0' x; touch $BOX/through");
    int lazy = box_run_attached(&b, OUT);
    usleep(700000);
    ck_assert(!box_has(&b, "through"));
    box_sync(&b); /* the shim itself is not held up */
    autoseen s = {0};
    seen_all(&s, lazy);
    ck_assert_uint_eq(s.out[1].len, 3000000);
    ck_assert(box_has(&b, "through"));
    box_exit_code(&b, 0);
    size_t n, records;
    autofree char *log = log_text(&b, 1, &n, &records);
    ck_assert_uint_eq(n, 3000000);
    ck_assert_uint_eq(records, (3000000 + JSONLOG_TEXT_MAX - 1) / JSONLOG_TEXT_MAX);
    close(lazy);
    box_free(&b);
}
END_TEST

START_TEST(a_lazy_client_that_goes_lets_the_container_on)
{
    struct box b;
    box_new(&b, "head -c 3000000 /dev/zero | tr '\\0' x");
    int lazy = box_run_attached(&b, OUT);
    usleep(300000);
    close(lazy);
    detached(&b, false);
    box_exit_code(&b, 0);
    size_t n;
    autofree char *log = log_text(&b, 1, &n, NULL);
    ck_assert_uint_eq(n, 3000000);
    box_free(&b);
}
END_TEST

/* After the end there is nobody to hold up: whoever takes nothing for ten seconds is let go; until then attach is
 * refused and hello still answered. */
START_TEST(a_lazy_client_does_not_keep_the_shim)
{
    struct box b;
    box_new(&b, "head -c 280000 /dev/zero | tr '\\0' x; exit 2"); /* more than the socket holds, less than blocks */
    box_create(&b);
    int lazy = box_attach(&b, OUT);
    int small = 1;
    setsockopt(lazy, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    box_start(&b);
    box_exit_code(&b, 2);
    int late = box_attach(&b, OUT | LOGS);
    char byte;
    ck_assert_int_eq(read(late, &byte, 1), 0);
    json_auto_t *j = box_hello(&b);
    ck_assert_str_eq(json_str(j, "phase", ""), "exited");
    ck_assert_int_eq(json_int(j, "code", 0), 2);
    int64_t began = clock_mono();
    ck_assert_int_eq(box_reap(&b), 0);
    ck_assert_int_gt((clock_mono() - began) / NS_PER_MS, 5000);
    close(lazy);
    close(late);
    box_free(&b);
}
END_TEST

/* ---- input ---- */

static char *many(char c, size_t n)
{
    char *text = mem_alloc(n + 1);
    memset(text, c, n);
    return text;
}

START_TEST(the_rest_comes_first)
{
    struct box b;
    box_new(&b, "cat");
    box_open_stdin(&b, true);
    box_create(&b);
    int fd = box_attach_with(&b, IN | OUT, NULL, "first ");
    say(fd, "second ");
    box_start(&b);
    say(fd, "third\n");
    shutdown(fd, SHUT_WR);
    seen_to_end(fd, 1, "first second third\n");
    box_end(&b, 0);
}
END_TEST

START_TEST(without_stdin_once_the_end_of_input_ends_the_attachment)
{
    struct box b;
    box_new(&b, "while read x; do echo got $x; done; echo eof");
    box_open_stdin(&b, false);
    box_create(&b);
    int first = box_attach(&b, IN | OUT), other = box_attach(&b, OUT);
    box_start(&b);
    say(first, "a\n");
    autoseen s = {0}, t = {0};
    seen_until(&s, first, 1, "got a\n");
    shutdown(first, SHUT_WR);
    detached(&b, false);
    seen_all(&s, first);
    close(first);
    ck_assert(alive(b.init));
    int second = box_attach(&b, IN);
    say(second, "b\n");
    seen_until(&t, other, 1, "got a\ngot b\n");
    silent(second); /* attached to stdin alone: no output */
    kill(b.init, SIGKILL);
    seen_all(&t, other);
    ck_assert_ptr_null(strstr(t.out[1].s, "eof"));
    box_exit_code(&b, 137);
    close(second);
    close(other);
    box_free(&b);
}
END_TEST

/* A client that only gives input and closes: all it sent arrives, then end of file. */
START_TEST(input_of_a_client_that_is_gone)
{
    struct box b;
    autofree char *big = many('b', 150000);
    box_new(&b, WAIT_GO "wc -c");
    box_open_stdin(&b, true);
    box_create(&b);
    int fd = box_attach_with(&b, IN, NULL, "12345");
    say(fd, big); /* what the pipe does not take lies in the socket */
    close(fd);
    box_start(&b);
    box_sync(&b);
    box_idles(&b); /* and does not spin on the hang-up that it cannot act on */
    box_put(&b, "go", "");
    detached(&b, false);
    box_exit_code(&b, 0);
    log_is(&b, 0, "150005\n");
    box_free(&b);
}
END_TEST

START_TEST(input_waits_for_the_container)
{
    struct box b;
    autofree char *big = many('b', 1000000);
    box_new(&b, WAIT_GO "wc -c");
    box_open_stdin(&b, true);
    int fd = box_run_attached(&b, IN | OUT);
    pid_t pid = fork();
    if (pid == 0) {
        say(fd, big);
        shutdown(fd, SHUT_WR);
        _exit(0);
    }
    usleep(300000);
    ck_assert_int_eq(waitpid(pid, NULL, WNOHANG), 0); /* it is held up */
    box_sync(&b);
    box_put(&b, "go", "");
    seen_to_end(fd, 1, "1000000\n");
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    box_end(&b, 0);
}
END_TEST

START_TEST(input_that_nobody_wants_is_dropped)
{
    for (int closed = 0; closed < 2; closed++) {
        struct box b;
        autofree char *big = many('b', 1000000);
        box_new(&b, closed ? "exec <&-; echo ready;" WAIT_GO "echo end" : "echo ready;" WAIT_GO "echo end");
        if (closed)
            box_open_stdin(&b, true); /* the container closes it; else there is none to begin with */
        int fd = box_run_attached(&b, IN | OUT);
        autoseen s = {0};
        seen_until(&s, fd, 1, "ready\n");
        say(fd, big);
        box_put(&b, "go", "");
        seen_end(&s, fd, 1, "ready\nend\n");
        box_end(&b, 0);
    }
}
END_TEST

/* ---- terminals ---- */

static int attach_tty(struct box *b, const char *keys)
{
    return box_attach_with(b, IN | OUT | ERR, keys, NULL);
}

START_TEST(a_terminal_is_raw_both_ways)
{
    struct box b;
    box_new(&b, "tty >/dev/null && echo yes; stty size; echo err >&2; read x; echo \"<$x>\"; stty size");
    box_set(&b, "tty", json_true());
    box_set(&b, "console_size", json_pack("[i,i]", 33, 77));
    box_open_stdin(&b, true);
    box_create(&b);
    ck_assert(!box_has(&b, "dir/console.sock"));
    int fd = attach_tty(&b, NULL);
    box_start(&b);
    autoseen s = {.raw = true};
    seen_until(&s, fd, 0, "yes\r\n33 77\r\nerr\r\n");
    box_send(&b, json_pack("{s:s, s:i, s:i}", "op", "resize", "h", 24, "w", 80), -1);
    json_auto_t *j = box_event(&b, "resized");
    ck_assert_ptr_null(json_at(j, "error"));
    say(fd, "hello\r");
    seen_end(&s, fd, 0, "yes\r\n33 77\r\nerr\r\nhello\r\n<hello>\r\n24 80\r\n");
    box_exit_code(&b, 0);
    log_is(&b, JSONLOG_STDOUT, "yes\r\n33 77\r\nerr\r\nhello\r\n<hello>\r\n24 80\r\n");
    log_is(&b, JSONLOG_STDERR, "");
    box_free(&b);
}
END_TEST

START_TEST(the_end_of_input_on_a_terminal_is_a_detach)
{
    struct box b;
    box_new(&b, "while read x; do echo \"<$x>\"; done; echo eof");
    box_set(&b, "tty", json_true());
    box_open_stdin(&b, true);
    box_create(&b);
    int fd = attach_tty(&b, NULL);
    box_start(&b);
    say(fd, "a\r");
    autoseen s = {.raw = true};
    seen_until(&s, fd, 0, "<a>");
    shutdown(fd, SHUT_WR);
    detached(&b, false);
    seen_all(&s, fd);
    ck_assert_ptr_null(strstr(s.out[0].s, "eof"));
    ck_assert(alive(b.init));
    close(fd);
    fd = attach_tty(&b, NULL);
    say(fd, "\x04"); /* this is how a terminal says end of file */
    seen_until(&s, fd, 0, "eof");
    seen_all(&s, fd);
    close(fd);
    box_end(&b, 0);
}
END_TEST

START_TEST(detach_keys)
{
    static const struct {
        const char *keys, *typed[4], *arrives;
    } t[] = {
        {NULL, {"ab", "\x10", "\x11zz"}, "ab"},             /* ctrl-p,ctrl-q in two pieces; nothing after it counts */
        {"", {"ab\x10\x11"}, "ab"},                         /* the default again */
        {"ctrl-a,x", {"\x01y", "\x01\x01xz"}, "\x01y\x01"}, /* a beginning that comes to nothing is passed on */
        {"a,a,b", {"aaa", "b"}, "a"},
        {"q", {"pq"}, "p"},
        {"ctrl-@,ctrl-_",
         {"\x1f"
          "1"},
         NULL},
        {"no such keys", {"1\x10\x11"}, "1"},
    };
    for (size_t i = 0; i < COUNT(t); i++) {
        struct box b;
        box_new(&b, "stty raw -echo; echo ready; cat > $BOX/typed");
        box_set(&b, "tty", json_true());
        box_open_stdin(&b, true);
        box_create(&b);
        int fd = attach_tty(&b, t[i].keys);
        box_start(&b);
        autoseen s = {.raw = true};
        seen_until(&s, fd, 0, "ready");
        for (int k = 0; k < 4 && t[i].typed[k]; k++) {
            say(fd, t[i].typed[k]);
            usleep(30000);
        }
        if (!t[i].arrives)
            ck_assert_int_eq(write(fd, "\0\x1f", 2), 2);
        detached(&b, true);
        seen_all(&s, fd); /* our FIN */
        close(fd);
        ck_assert(alive(b.init));
        const char *want = t[i].arrives ? t[i].arrives
                                        : "\x1f"
                                          "1";
        autofree char *typed = NULL;
        for (int k = 0; k < 200 && !str_eq(typed, want); k++) {
            free(typed);
            typed = box_get(&b, "typed");
            usleep(10000);
        }
        ck_assert_str_eq(typed, want);
        kill(b.init, SIGKILL);
        box_exit_code(&b, 137);
        seen_free(&s);
        box_free(&b);
    }
}
END_TEST

START_TEST(detach_keys_are_plain_input_without_a_terminal)
{
    struct box b;
    box_new(&b, "cat");
    box_open_stdin(&b, true);
    int fd = box_run_attached(&b, IN | OUT);
    say(fd, "\x10\x11");
    shutdown(fd, SHUT_WR);
    seen_to_end(fd, 1, "\x10\x11");
    box_end(&b, 0);
}
END_TEST

/* All descriptors of the terminal are closed and later opened again: output goes on, and nobody spins meanwhile. */
START_TEST(a_terminal_may_be_opened_again)
{
    struct box b;
    box_new(&b, "t=$(tty); echo one; exec </dev/null >/dev/null 2>&1; " WAIT_GO "exec >$t; echo two");
    box_set(&b, "tty", json_true());
    int fd = box_run_attached(&b, OUT);
    autoseen s = {.raw = true};
    seen_until(&s, fd, 0, "one");
    usleep(200000);
    box_idles(&b);
    box_put(&b, "go", "");
    seen_end(&s, fd, 0, "one\r\ntwo\r\n");
    box_end(&b, 0);
}
END_TEST

START_TEST(a_long_path_does_not_matter)
{
    struct box b;
    char base[] = "/tmp/gorae-shim-XXXXXX";
    struct err e;
    ck_assert_ptr_nonnull(mkdtemp(base));
    autofree char *top = str_printf("%s/%0100d", base, 7);
    box_at(&b, top, "tty");
    box_set(&b, "tty", json_true());
    int fd = box_run_attached(&b, OUT);
    autoseen s = {.raw = true};
    seen_all(&s, fd);
    ck_assert_ptr_nonnull(strstr(s.out[0].s, "/dev/pts/"));
    close(fd);
    box_end(&b, 0);
    ck_assert_int_eq(tree_remove(AT_FDCWD, base, &e), 0);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *s = suite_create("shim_attach");
    TCase *t = shim_case(s, "output");
    tcase_add_test(t, each_gets_what_it_asked_for);
    tcase_add_test(t, attach_while_it_is_being_created);
    tcase_add_test(t, a_half_close_without_stdin_means_nothing);
    tcase_add_test(t, a_client_that_goes_does_not_matter);
    tcase_add_test(t, a_tcp_client_that_goes_is_found_out);
    tcase_add_test(t, the_end_is_gentle_over_tcp);
    tcase_add_test(t, who_does_not_read_holds_the_container_up);
    tcase_add_test(t, a_lazy_client_that_goes_lets_the_container_on);
    tcase_add_test(t, a_lazy_client_does_not_keep_the_shim);
    t = shim_case(s, "input");
    tcase_add_test(t, the_rest_comes_first);
    tcase_add_test(t, without_stdin_once_the_end_of_input_ends_the_attachment);
    tcase_add_test(t, input_of_a_client_that_is_gone);
    tcase_add_test(t, input_waits_for_the_container);
    tcase_add_test(t, input_that_nobody_wants_is_dropped);
    t = shim_case(s, "terminal");
    tcase_add_test(t, a_terminal_is_raw_both_ways);
    tcase_add_test(t, the_end_of_input_on_a_terminal_is_a_detach);
    tcase_add_test(t, detach_keys);
    tcase_add_test(t, detach_keys_are_plain_input_without_a_terminal);
    tcase_add_test(t, a_terminal_may_be_opened_again);
    tcase_add_test(t, a_long_path_does_not_matter);
    return shim_run(s, argc, argv);
}
