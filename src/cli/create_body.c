/* The JSON of POST /containers/create.
 *
 * Only what the command line said goes into it: a field that is not there lets the daemon take the image's value or its
 * own default, and the request stays short enough to read in a trace. Texts that have a grammar of their own (device,
 * ulimit, restart policy) are taken apart here, because the API wants their parts; whether the parts make sense is for
 * the daemon to say, so that every client is told the same.
 *
 * How it fails: ERR_INVALID, quoting the flag's text. Nothing has been sent then.
 * Read next: create_mount.c, create_net.c; on the daemon's side engine/, which reads the same fields. */
#include "cli/create.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "cli/term.h"
#include "cli/value.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LINES_MAX   (1u << 20) /* bytes of an --env-file or --label-file */
#define SECCOMP_MAX (1u << 20)

/* ---- putting values into objects, where they were given ---- */

static void put_string(json_t *to, const char *key, const char *value)
{
    if (value)
        json_object_set_new(to, key, json_word(value));
}

static void put_int(json_t *to, const char *key, int64_t value)
{
    if (value != 0)
        json_object_set_new(to, key, json_integer(value));
}

static void put_true(json_t *to, const char *key, bool value)
{
    if (value)
        json_object_set_new(to, key, json_true());
}

static void put_switch(json_t *to, const char *key, enum flag_switch value)
{
    if (value != SWITCH_UNSET)
        json_object_set_new(to, key, json_boolean(value == SWITCH_ON));
}

static void put_list(json_t *to, const char *key, const struct strv *v)
{
    if (v->n > 0)
        json_object_set_new(to, key, json_strings(v));
}

static void put_map(json_t *to, const char *key, const struct strv *v)
{
    if (v->n > 0)
        json_object_set_new(to, key, json_pairs(v));
}

/* ---- variables and labels ---- */

/* A name alone takes its value from our environment. Where there is none, the name goes alone, which takes the image's
 * variable away. */
static void add_variable(struct strv *to, const char *text)
{
    const char *value = strchr(text, '=') ? NULL : getenv(text);
    if (value)
        strv_addf(to, "%s=%s", text, value);
    else
        strv_add(to, text);
}

/* The text of a file, which may be a pipe: the shell's <(…) makes one. @return the caller's */
static char *read_text(const char *path, size_t limit, size_t *ret_len, struct err *e)
{
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return err_null(err_sys(e, "cannot open %s", path));
    return fd_read_all(fd, limit, ret_len, e);
}

/* A NUL byte would end the text for us, and what follows it would be lost without a word. */
static int refuse_nul(const char *text, size_t size, const char *path, const char *flag, struct err *e)
{
    const char *nul = memchr(text, '\0', size);
    int number = 1;
    for (const char *at = text; nul && at < nul; at++)
        number += *at == '\n';
    return nul ? err_set(e, ERR_INVALID, "--%s %s: line %d: there is a NUL byte", flag, path, number) : 0;
}

/* The lines of a file: blank ones and comments left out, blanks before dropped, and the mark that some editors put at
 * the start of a text in UTF-8 (U+FEFF). */
static int read_lines(const char *path, const char *flag, struct strv *ret, struct err *e)
{
    static const char mark[] = "\xef\xbb\xbf";
    size_t size;
    autofree char *text = read_text(path, LINES_MAX, &size, e);
    if (!text)
        return err_wrap(e, "--%s", flag);
    if (refuse_nul(text, size, path, flag, e) < 0)
        return -1;
    char *rest = text + (str_starts(text, mark) ? strlen(mark) : 0), *line;
    for (int number = 1; (line = strsep(&rest, "\n")); number++) {
        size_t n = strlen(line);
        if (n > 0 && line[n - 1] == '\r')
            line[n - 1] = '\0';
        while (isspace((unsigned char)*line))
            line++;
        if (!*line || *line == '#')
            continue;
        size_t name = strcspn(line, "=");
        if (name == 0 || strcspn(line, " \t") < name)
            return err_set(e, ERR_INVALID, "--%s %s: line %d: a name may not be empty or hold blanks", flag, path,
                           number);
        strv_add(ret, line);
    }
    return 0;
}

int env_collect(const struct strv *env, const struct strv *files, struct strv *ret, struct err *e)
{
    autostrv lines = {0};
    for (size_t i = 0; i < files->n; i++)
        if (read_lines(files->v[i], "env-file", &lines, e) < 0)
            return -1;
    for (size_t i = 0; i < lines.n; i++)
        if (strchr(lines.v[i], '=') || getenv(lines.v[i]))
            add_variable(ret, lines.v[i]);
    for (size_t i = 0; i < env->n; i++) {
        if (env->v[i][0] == '=' || !env->v[i][0])
            return err_set(e, ERR_INVALID, "invalid variable \"%s\": the name is missing", env->v[i]);
        add_variable(ret, env->v[i]);
    }
    return 0;
}

static int put_env(const struct create_options *o, json_t *config, struct err *e)
{
    autostrv all = {0};
    if (env_collect(&o->env, &o->env_file, &all, e) < 0)
        return -1;
    put_list(config, "Env", &all);
    return 0;
}

static int put_labels(const struct create_options *o, json_t *config, struct err *e)
{
    autostrv all = {0};
    for (size_t i = 0; i < o->label_file.n; i++)
        if (read_lines(o->label_file.v[i], "label-file", &all, e) < 0)
            return -1;
    for (size_t i = 0; i < o->label.n; i++) {
        if (o->label.v[i][0] == '=' || !o->label.v[i][0])
            return err_set(e, ERR_INVALID, "invalid label \"%s\": the name is missing", o->label.v[i]);
        strv_add(&all, o->label.v[i]);
    }
    put_map(config, "Labels", &all);
    return 0;
}

/* ---- Config ---- */

/* One of the flags that set a check's times. */
static const char *health_flag(const struct create_options *o)
{
    return o->health_interval         ? "interval"
           : o->health_timeout        ? "timeout"
           : o->health_start_period   ? "start-period"
           : o->health_start_interval ? "start-interval"
                                      : "retries";
}

static int put_health(const struct create_options *o, json_t *config, struct err *e)
{
    json_auto_t *h = json_object();
    if (o->no_healthcheck && !str_empty(o->health_cmd))
        return err_set(e, ERR_INVALID, "--no-healthcheck and --health-cmd exclude each other");
    if (o->no_healthcheck)
        json_object_set_new(h, "Test", json_pack("[s]", "NONE"));
    else if (!str_empty(o->health_cmd))
        json_object_set_new(h, "Test", json_pack("[s,o]", "CMD-SHELL", json_word(o->health_cmd)));
    put_int(h, "Interval", o->health_interval);
    put_int(h, "Timeout", o->health_timeout);
    put_int(h, "StartPeriod", o->health_start_period);
    put_int(h, "StartInterval", o->health_start_interval);
    put_int(h, "Retries", o->health_retries);
    if (o->no_healthcheck && json_object_size(h) > 1)
        return err_set(e, ERR_INVALID, "--no-healthcheck and --health-%s exclude each other", health_flag(o));
    if (json_object_size(h) > 0)
        json_object_set(config, "Healthcheck", h);
    return 0;
}

int create_attach_choice(const struct create_options *o, struct attach_choice *ret, struct err *e)
{
    struct attach_choice a = {o->interactive, true, true};
    if (o->attach.n > 0)
        a = (struct attach_choice){false, false, false};
    for (size_t i = 0; i < o->attach.n; i++) {
        const char *s = o->attach.v[i];
        if (strcasecmp(s, "stdin") != 0 && strcasecmp(s, "stdout") != 0 && strcasecmp(s, "stderr") != 0)
            return err_set(e, ERR_INVALID, "invalid stream \"%s\" for --attach: expected stdin, stdout or stderr", s);
        a.in = a.in || strcasecmp(s, "stdin") == 0;
        a.out = a.out || strcasecmp(s, "stdout") == 0;
        a.error = a.error || strcasecmp(s, "stderr") == 0;
    }
    if (o->detach)
        a = (struct attach_choice){false, false, false};
    *ret = a;
    return 0;
}

static int put_process(const struct create_options *o, const struct args *args, json_t *config, struct err *e)
{
    struct attach_choice a;
    if (create_attach_choice(o, &a, e) < 0)
        return -1;
    put_string(config, "Image", args->v[0]);
    if (args->n > 1)
        json_object_set_new(config, "Cmd", json_strings(&(struct strv){args->v + 1, args->n - 1}));
    /* [""] is how the API says "none", as opposed to "the image's". */
    if (o->entrypoint)
        json_object_set_new(config, "Entrypoint", json_pack("[o]", json_word(o->entrypoint)));
    put_true(config, "AttachStdin", a.in);
    put_true(config, "AttachStdout", a.out);
    put_true(config, "AttachStderr", a.error);
    put_true(config, "OpenStdin", o->interactive);
    put_true(config, "StdinOnce", o->interactive && a.in);
    put_true(config, "Tty", o->tty);
    put_string(config, "Hostname", o->hostname);
    put_string(config, "Domainname", o->domainname);
    put_string(config, "User", o->user);
    put_string(config, "WorkingDir", o->workdir);
    put_string(config, "StopSignal", o->stop_signal);
    if (o->stop_timeout != FLAG_UNSET_VALUE)
        json_object_set_new(config, "StopTimeout", json_integer(o->stop_timeout));
    return put_health(o, config, e) < 0 || put_env(o, config, e) < 0 ? -1 : put_labels(o, config, e);
}

/* ---- HostConfig: things with a grammar ---- */

static int put_restart(const struct create_options *o, json_t *host, struct err *e)
{
    const char *colon = strchrnul(o->restart, ':');
    autofree char *name = mem_strndup(o->restart, (size_t)(colon - o->restart));
    int64_t count = 0;
    if (*colon && !str_to_i64(colon + 1, &count))
        return err_set(e, ERR_INVALID, "invalid --restart \"%s\": expected a number after the colon", o->restart);
    if (o->rm && !str_eq(name, "no") && *name)
        return err_set(e, ERR_INVALID, "--restart and --rm exclude each other");
    if (!str_eq(name, "no") || *colon)
        json_object_set_new(host, "RestartPolicy",
                            json_pack("{s:o, s:I}", "Name", json_word(name), "MaximumRetryCount", (json_int_t)count));
    return 0;
}

static int put_ulimits(const struct create_options *o, json_t *host, struct err *e)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < o->ulimit.n; i++) {
        const char *text = o->ulimit.v[i], *eq = strchr(text, '='), *colon = eq ? strchr(eq, ':') : NULL;
        autofree char *name = mem_strndup(text, eq ? (size_t)(eq - text) : 0);
        autofree char *first = eq ? mem_strndup(eq + 1, colon ? (size_t)(colon - eq - 1) : strlen(eq + 1)) : NULL;
        int64_t soft, hard;
        if (!*name || !str_to_i64(first, &soft) || !str_to_i64(colon ? colon + 1 : first, &hard))
            return err_set(e, ERR_INVALID, "invalid --ulimit \"%s\": expected name=soft[:hard]", text);
        json_array_append_new(list, json_pack("{s:o, s:I, s:I}", "Name", json_word(name), "Soft", (json_int_t)soft,
                                              "Hard", (json_int_t)hard));
    }
    if (o->ulimit.n > 0)
        json_object_set(host, "Ulimits", list);
    return 0;
}

static int put_devices(const struct create_options *o, json_t *host, struct err *e)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < o->device.n; i++) {
        autofree char *text = mem_strdup(o->device.v[i]);
        char *rest = text, *outside = strsep(&rest, ":"), *second = strsep(&rest, ":"), *third = strsep(&rest, ":");
        if (!*outside || rest)
            return err_set(e, ERR_INVALID, "invalid --device \"%s\": expected host[:container[:rwm]]", o->device.v[i]);
        /* "/dev/x:rw": the second part is a path only if it begins like one. */
        if (second && !third && *second != '/') {
            third = second;
            second = NULL;
        }
        if (third && (!*third || strspn(third, "rwm") != strlen(third)))
            return err_set(e, ERR_INVALID, "invalid --device \"%s\": permissions are some of r, w and m",
                           o->device.v[i]);
        json_array_append_new(list, json_pack("{s:o, s:o, s:s}", "PathOnHost", json_word(outside), "PathInContainer",
                                              json_word(second ? second : outside), "CgroupPermissions",
                                              third ? third : "rwm"));
    }
    if (o->device.n > 0)
        json_object_set(host, "Devices", list);
    return 0;
}

/* "path:rate" into {Path, `key`}. */
static int put_rates(json_t *host, const char *field, const char *key, const struct strv *v, bool sizes, struct err *e)
{
    json_auto_t *list = json_array();
    for (size_t i = 0; i < v->n; i++) {
        const char *colon = strrchr(v->v[i], ':');
        int64_t rate = 0;
        bool good = colon && colon > v->v[i] && (sizes ? size_parse(colon + 1, &rate) : str_to_i64(colon + 1, &rate));
        if (!good || rate < 0)
            return err_set(e, ERR_INVALID, "invalid limit \"%s\": expected path:%s", v->v[i],
                           sizes ? "bytes" : "number");
        autofree char *path = mem_strndup(v->v[i], (size_t)(colon - v->v[i]));
        json_array_append_new(list, json_pack("{s:o, s:I}", "Path", json_word(path), key, (json_int_t)rate));
    }
    if (v->n > 0)
        json_object_set(host, field, list);
    return 0;
}

/* A seccomp profile is a file of ours; the daemon may be elsewhere, so its text travels. */
static char *inline_seccomp(const char *path, struct err *e)
{
    size_t n;
    autofree char *text = read_text(path, SECCOMP_MAX, &n, e);
    json_auto_t *profile = text ? json_parse(text, n, e) : NULL;
    if (!profile)
        return err_null(err_wrap(e, "--security-opt seccomp=%s", path));
    autofree char *compact = json_compact(profile);
    return str_printf("seccomp=%s", compact);
}

static int put_security(const struct create_options *o, json_t *host, struct err *e)
{
    autostrv all = {0};
    for (size_t i = 0; i < o->security_opt.n; i++) {
        const char *s = o->security_opt.v[i];
        if (str_eq(s, "systempaths=unconfined")) {
            json_object_set_new(host, "MaskedPaths", json_array());
            json_object_set_new(host, "ReadonlyPaths", json_array());
            continue;
        }
        bool file = str_starts(s, "seccomp=") && !str_eq(s + 8, "unconfined") && !str_eq(s + 8, "builtin");
        autofree char *text = file ? inline_seccomp(s + 8, e) : mem_strdup(s);
        if (!text)
            return -1;
        strv_add(&all, text);
    }
    put_list(host, "SecurityOpt", &all);
    return 0;
}

static int put_gpus(const struct create_options *o, json_t *host, struct err *e)
{
    int64_t count = -1;
    if (o->gpus.n == 0)
        return 0;
    const char *text = o->gpus.v[o->gpus.n - 1];
    if (!str_eq(text, "all") && (!str_to_i64(text, &count) || count < 0))
        return err_set(e, ERR_INVALID, "invalid --gpus \"%s\": expected all or a number", text);
    json_object_set_new(host, "DeviceRequests",
                        json_pack("[{s:I, s:[[s]]}]", "Count", (json_int_t)count, "Capabilities", "gpu"));
    return 0;
}

static void put_limits(const struct create_options *o, json_t *host)
{
    put_int(host, "Memory", o->memory);
    put_int(host, "MemorySwap", o->memory_swap);
    put_int(host, "MemoryReservation", o->memory_reservation);
    put_int(host, "KernelMemory", o->kernel_memory);
    if (o->memory_swappiness != -1)
        json_object_set_new(host, "MemorySwappiness", json_integer(o->memory_swappiness));
    put_int(host, "ShmSize", o->shm_size);
    put_int(host, "OomScoreAdj", o->oom_score_adj);
    put_switch(host, "OomKillDisable", o->oom_kill_disable);
    put_int(host, "PidsLimit", o->pids_limit);
    put_int(host, "CpuShares", o->cpu_shares);
    put_int(host, "CpuPeriod", o->cpu_period);
    put_int(host, "CpuQuota", o->cpu_quota);
    put_int(host, "CpuRealtimePeriod", o->cpu_rt_period);
    put_int(host, "CpuRealtimeRuntime", o->cpu_rt_runtime);
    put_int(host, "NanoCpus", o->nano_cpus);
    put_string(host, "CpusetCpus", o->cpuset_cpus);
    put_string(host, "CpusetMems", o->cpuset_mems);
    put_int(host, "BlkioWeight", o->blkio_weight);
}

static void put_isolation(const struct create_options *o, json_t *host)
{
    put_true(host, "AutoRemove", o->rm);
    put_true(host, "Privileged", o->privileged);
    put_true(host, "ReadonlyRootfs", o->read_only);
    put_switch(host, "Init", o->init);
    put_string(host, "ContainerIDFile", o->cidfile);
    put_string(host, "IpcMode", o->ipc);
    put_string(host, "PidMode", o->pid);
    put_string(host, "UTSMode", o->uts);
    put_string(host, "UsernsMode", o->userns);
    put_string(host, "CgroupnsMode", o->cgroupns);
    put_string(host, "CgroupParent", o->cgroup_parent);
    put_string(host, "Runtime", o->runtime);
    put_string(host, "Isolation", o->isolation);
    put_list(host, "CapAdd", &o->cap_add);
    put_list(host, "CapDrop", &o->cap_drop);
    put_list(host, "GroupAdd", &o->group_add);
    put_list(host, "DeviceCgroupRules", &o->device_rule);
    put_map(host, "StorageOpt", &o->storage_opt);
    put_map(host, "Sysctls", &o->sysctl);
    put_map(host, "Annotations", &o->annotation);
    if (o->log_driver || o->log_opt.n > 0)
        json_object_set_new(host, "LogConfig",
                            json_pack("{s:o, s:o}", "Type", json_word(o->log_driver ? o->log_driver : ""), "Config",
                                      json_pairs(&o->log_opt)));
}

static int put_host(const struct create_options *o, json_t *host, struct err *e)
{
    int rows, columns;
    put_isolation(o, host);
    put_limits(o, host);
    if (o->tty && term_size(STDOUT_FILENO, &rows, &columns))
        json_object_set_new(host, "ConsoleSize", json_pack("[i,i]", rows, columns));
    if (put_restart(o, host, e) < 0 || put_ulimits(o, host, e) < 0 || put_devices(o, host, e) < 0 ||
        put_security(o, host, e) < 0 || put_gpus(o, host, e) < 0)
        return -1;
    if (put_rates(host, "BlkioWeightDevice", "Weight", &o->blkio_weight_device, false, e) < 0 ||
        put_rates(host, "BlkioDeviceReadBps", "Rate", &o->read_bps, true, e) < 0 ||
        put_rates(host, "BlkioDeviceWriteBps", "Rate", &o->write_bps, true, e) < 0 ||
        put_rates(host, "BlkioDeviceReadIOps", "Rate", &o->read_iops, false, e) < 0 ||
        put_rates(host, "BlkioDeviceWriteIOps", "Rate", &o->write_iops, false, e) < 0)
        return -1;
    return 0;
}

json_t *create_body(const struct create_options *o, const struct args *args, struct err *e)
{
    json_auto_t *config = json_object(), *host = json_object(), *networking = json_object();
    if (put_process(o, args, config, e) < 0 || put_host(o, host, e) < 0 || create_mounts(o, config, host, e) < 0 ||
        create_network(o, config, host, networking, e) < 0)
        return NULL;
    json_object_set(config, "HostConfig", host);
    if (json_object_size(networking) > 0)
        json_object_set(config, "NetworkingConfig", networking);
    return json_incref(config);
}

json_t *create_update_body(struct create_options *o, struct err *e)
{
    json_auto_t *body = json_object();
    o->memory_swappiness = -1; /* create's own default; it is no flag of update */
    put_limits(o, body);
    if (o->restart && put_restart(o, body, e) < 0)
        return NULL;
    /* "no" is what create need not say; here it is a wish. */
    if (o->restart && !json_object_get(body, "RestartPolicy"))
        json_object_set_new(body, "RestartPolicy", json_pack("{s:s, s:i}", "Name", "no", "MaximumRetryCount", 0));
    return json_incref(body);
}
