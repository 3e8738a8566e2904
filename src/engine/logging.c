/* Where a container's output is kept: the log drivers and their options.
 *
 *     json-file   the files that `logs` reads, rotated where max-size says so (base/logset.h)
 *     local       the same files with limits from the start, for who wants no options
 *     journald    systemd's journal (shim/journal.c); read it with journalctl
 *     none        nowhere
 *
 * The shim does the writing. Here the options are checked when a container is created, so that a misspelt one is told
 * then and not at some start; and what the shim has to know is worked out when it is started: the limits, and what each
 * record carries besides its text (labels, environment and tag, as the options name them).
 *
 * Read next: shim/log.c, logs.c. */
#include "engine/logging.h"
#include "base/json.h"
#include "base/logset.h"
#include "base/mem.h"
#include "base/str.h"

#include <regex.h>
#include <stdlib.h>
#include <string.h>

#define JOURNAL_SOCKET "/run/systemd/journal/socket" /* systemd-journald.service(8) */

/* What "local" keeps: Docker's values. */
#define LOCAL_SIZE  (INT64_C(20) << 20)
#define LOCAL_FILES 5

enum driver { JSON_FILE = 1, LOCAL = 2, JOURNALD = 4, NONE = 8 };

static const struct {
    const char *name;
    enum driver driver;
} drivers[] = {{"json-file", JSON_FILE}, {"local", LOCAL}, {"journald", JOURNALD}, {"none", NONE}};

static const struct option {
    const char *name;
    unsigned drivers;
} options[] = {
    {"max-size", JSON_FILE | LOCAL},
    {"max-file", JSON_FILE | LOCAL},
    {"compress", JSON_FILE | LOCAL},
    {"labels", JSON_FILE | JOURNALD},
    {"labels-regex", JSON_FILE | JOURNALD},
    {"env", JSON_FILE | JOURNALD},
    {"env-regex", JSON_FILE | JOURNALD},
    {"tag", JSON_FILE | JOURNALD | LOCAL},
    /* Our writer never makes the container wait for a file, whichever of the two modes is asked for. */
    {"mode", JSON_FILE | LOCAL | JOURNALD},
    {"max-buffer-size", JSON_FILE | LOCAL | JOURNALD},
};

static enum driver driver_of(const char *name)
{
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        if (str_eq(drivers[i].name, name))
            return drivers[i].driver;
    return 0;
}

json_t *logging_drivers(void)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof(drivers) / sizeof(drivers[0]); i++)
        json_array_append_new(names, json_string(drivers[i].name));
    return names;
}

bool logging_readable(const json_t *host)
{
    return driver_of(json_str(host, "LogConfig.Type", "")) & (JSON_FILE | LOCAL);
}

bool engine_size(const char *s, int64_t *ret)
{
    static const char units[] = "bkmgt";
    if (str_eq(s, "-1"))
        return *ret = 0, true;
    size_t digits = strspn(s, "0123456789");
    autofree char *number = mem_strndup(s, digits);
    if (digits == 0 || !str_to_i64(number, ret))
        return false;
    const char *unit = s + digits, *u = *unit ? strchr(units, *unit | 0x20) : units;
    if (!u || (*unit && unit[1] && !((unit[1] | 0x20) == 'b' && !unit[2])))
        return false;
    int shift = 10 * (int)(u - units);
    if (*ret <= 0 || *ret > INT64_MAX >> shift)
        return false;
    *ret <<= shift;
    return true;
}

/* ---- the tag: text with {{.Name}} and the like in it ---- */

struct tag_facts {
    const char *id, *name, *image_id, *image, *command;
};

/* The value of one field, appended. @return false where there is none of that name */
static bool add_tag_field(struct str *out, const char *name, const struct tag_facts *f)
{
    const struct {
        const char *name, *value;
        size_t most; /* bytes of it */
    } fields[] = {
        {"ID", f->id, 12},
        {"FullID", f->id, SIZE_MAX},
        {"Name", f->name, SIZE_MAX},
        {"ImageName", f->image, SIZE_MAX},
        {"ImageFullID", f->image_id, SIZE_MAX},
        {"ImageID", f->image_id + strlen("sha256:"), 12},
        {"Command", f->command, SIZE_MAX},
        {"DaemonName", "docker", SIZE_MAX}, /* what tools that filter by it expect */
    };
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
        if (str_eq(fields[i].name, name))
            return str_addn(out, fields[i].value, strnlen(fields[i].value, fields[i].most)), true;
    return false;
}

static int expand_tag(const char *template, const struct tag_facts *f, struct str *out, struct err *e)
{
    while (*template) {
        const char *open = strstr(template, "{{"), *close = open ? strstr(open, "}}") : NULL;
        if (!open) {
            str_add(out, template);
            return 0;
        }
        str_addn(out, template, (size_t)(open - template));
        const char *field = open + 2 + strspn(open + 2, " ");
        size_t n = close && *field == '.' ? strcspn(field + 1, " }") : 0;
        autofree char *name = mem_strndup(field + 1, n);
        if (n == 0 || field + 1 + n + strspn(field + 1 + n, " ") != close || !add_tag_field(out, name, f))
            return err_set(
                e, ERR_INVALID,
                "log option tag: %.*s is none of {{.ID}}, {{.FullID}}, {{.Name}}, {{.ImageName}}, {{.ImageID}}, "
                "{{.ImageFullID}}, {{.Command}}, {{.DaemonName}}",
                close ? (int)(close + 2 - open) : (int)strlen(open), open);
        template = close + 2;
    }
    return 0;
}

/* ---- checking ---- */

static int check_value(const char *key, const char *value, struct err *e)
{
    static const struct tag_facts none = {"", "", "sha256:", "", ""};
    const char *wrong = NULL;
    autostr ignored = STR_INIT;
    regex_t re;
    int64_t n;
    if (str_eq(key, "tag"))
        return expand_tag(value, &none, &ignored, e);
    if (str_eq(key, "max-size") || str_eq(key, "max-buffer-size"))
        wrong = engine_size(value, &n) ? NULL : "not a size such as 10m";
    else if (str_eq(key, "max-file"))
        wrong =
            str_to_i64(value, &n) && n >= 1 && n <= LOGSET_MAX ? NULL : "not a number from 1 to 100"; /* which it is */
    else if (str_eq(key, "compress") && str_eq(value, "true"))
        wrong = "not supported: rotated logs are kept as they are";
    else if (str_eq(key, "compress"))
        wrong = str_eq(value, "false") ? NULL : "neither true nor false";
    else if (str_eq(key, "mode"))
        wrong = str_eq(value, "blocking") || str_eq(value, "non-blocking") ? NULL : "neither blocking nor non-blocking";
    else if (str_ends(key, "-regex") && regcomp(&re, value, REG_EXTENDED | REG_NOSUB) != 0)
        wrong = "not a regular expression";
    else if (str_ends(key, "-regex"))
        regfree(&re);
    return wrong ? err_set(e, ERR_INVALID, "log option %s: \"%s\" is %s", key, value, wrong) : 0;
}

int logging_check(const json_t *host, struct err *e)
{
    const char *type = json_str(host, "LogConfig.Type", "");
    enum driver driver = driver_of(type);
    json_t *given = json_object_get(json_object_get(host, "LogConfig"), "Config");
    if (!driver)
        return err_set(e, ERR_INVALID, "logger: no log driver named '%s' is registered", type);
    json_each_pair (key, value, given) {
        bool known = false;
        for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
            known = known || (str_eq(options[i].name, key) && (options[i].drivers & driver));
        if (!known)
            return err_set(e, ERR_INVALID, "unknown log opt '%s' for %s log driver", key, type);
        if (!json_is_string(value))
            return err_set(e, ERR_INVALID, "log option %s must be a string", key);
        if (check_value(key, json_string_value(value), e) < 0)
            return -1;
    }
    if (json_object_get(given, "max-buffer-size") && !str_eq(json_str(given, "mode", ""), "non-blocking"))
        return err_set(e, ERR_INVALID, "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    return 0;
}

/* ---- what the shim is told ---- */

/* Is `key` one of the comma-separated names, or does the expression fit it? */
static bool chosen(const char *key, const char *names, const regex_t *re)
{
    size_t n = strlen(key);
    for (const char *p = names; *p; p += strcspn(p, ","), p += *p == ',')
        if (strcspn(p, ",") == n && strncmp(p, key, n) == 0)
            return true;
    return re && regexec(re, key, 0, NULL, 0) == 0;
}

/* The labels or variables (an object) that the options `name` and `name`-regex choose. */
static void choose(json_t *out, const json_t *from, const json_t *given, const char *name)
{
    autofree char *regex_name = str_printf("%s-regex", name);
    const char *names = json_string_value(json_object_get(given, name));
    const char *expression = json_string_value(json_object_get(given, regex_name));
    regex_t re;
    bool has_re = !str_empty(expression) && regcomp(&re, expression, REG_EXTENDED | REG_NOSUB) == 0;
    json_each_pair (key, value, from)
        if (chosen(key, names ? names : "", has_re ? &re : NULL))
            json_object_set(out, key, value);
    if (has_re)
        regfree(&re);
}

/* ["K=v", …] as an object. */
static json_t *variables(const json_t *env)
{
    json_t *out = json_object();
    json_each (v, env) {
        const char *text = json_string_value(v), *eq = strchr(text, '=');
        autofree char *key = mem_strndup(text, eq ? (size_t)(eq - text) : strlen(text));
        json_object_set_new(out, key, json_string(eq ? eq + 1 : ""));
    }
    return out;
}

static json_t *extras(const json_t *config, const json_t *given)
{
    json_t *out = json_object();
    json_auto_t *env = variables(json_object_get(config, "Env"));
    choose(out, json_object_get(config, "Labels"), given, "labels");
    choose(out, env, given, "env");
    return out;
}

/* A name that the journal takes: capitals, digits and underscores, none in front (systemd.journal-fields(7)). */
static void add_journal_field(json_t *fields, const char *key, const json_t *value)
{
    autofree char *name = mem_strdup(key);
    for (char *p = name; *p; p++)
        if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
        else if (!((*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9')))
            *p = '_';
    const char *from = name + strspn(name, "_0123456789");
    if (*from && strlen(from) <= 64)
        json_object_set(fields, from, (json_t *)value);
}

static json_t *journal_task(const struct tag_facts *f, const char *tag, const json_t *more)
{
    json_t *fields = json_object();
    json_each_pair (key, value, more)
        add_journal_field(fields, key, value);
    json_t *own =
        json_pack("{s:s#, s:s, s:s, s:s, s:s, s:s}", "CONTAINER_ID", f->id, 12, "CONTAINER_ID_FULL", f->id,
                  "CONTAINER_NAME", f->name, "CONTAINER_TAG", tag, "SYSLOG_IDENTIFIER", tag, "IMAGE_NAME", f->image);
    json_object_update(fields, own); /* ours go before a label of the same name */
    json_decref(own);
    return json_pack("{s:s, s:o}", "socket", JOURNAL_SOCKET, "fields", fields);
}

static void files_task(enum driver driver, const char *path, const json_t *given, json_t *more, json_t *task)
{
    int64_t size = driver == LOCAL ? LOCAL_SIZE : 0, files = driver == LOCAL ? LOCAL_FILES : 1;
    const char *max_size = json_string_value(json_object_get(given, "max-size"));
    const char *max_file = json_string_value(json_object_get(given, "max-file"));
    if (max_size)
        (void)engine_size(max_size, &size); /* checked at create */
    if (max_file)
        (void)str_to_i64(max_file, &files);
    json_object_set_new(task, "log", json_string(path));
    json_object_set_new(task, "log_size", json_integer(size));
    json_object_set_new(task, "log_files", json_integer(files));
    if (json_object_size(more) > 0) {
        autofree char *text = json_dumps(more, JSON_COMPACT | JSON_SORT_KEYS);
        json_object_set_new(task, "log_attrs", json_string(text));
    }
}

void logging_task(struct engine *en, struct container *c, json_t *task)
{
    const json_t *given = json_object_get(json_object_get(c->host, "LogConfig"), "Config");
    const char *template = json_string_value(json_object_get(given, "tag"));
    enum driver driver = driver_of(json_str(c->host, "LogConfig.Type", ""));
    autofree char *command = json_join(c->path_args, " "), *path = logging_path(en, c);
    const struct tag_facts f = {c->id, c->name, c->image, json_str(c->config, "Image", ""), command};
    json_auto_t *more = extras(c->config, given);
    autostr tag = STR_INIT;
    struct err ignored; /* checked at create */
    str_reset(&tag);
    expand_tag(template ? template : "{{.ID}}", &f, &tag, &ignored);
    if (driver == JOURNALD) {
        json_object_set_new(task, "journal", journal_task(&f, tag.s, more));
    } else if (driver != NONE) {
        if (template)
            json_object_set_new(more, "tag", json_string(tag.s));
        files_task(driver, path, given, more, task);
    }
}

char *logging_path(struct engine *en, const struct container *c)
{
    autofree char *name = str_printf("%s-json.log", c->id);
    return container_path(en, c, name);
}
