/* Lines of a Dockerfile applied to a configuration: `import --change`, `commit --change`.
 *
 * Only the instructions that set something, one a line, without what a build adds (stages, caches, files). Words are
 * read as Dockerfiles do: blanks separate, quotes and backslashes protect, $NAME and ${NAME} are replaced from the
 * configuration's own Env. A list in JSON is taken as it is; any other text of CMD, ENTRYPOINT and HEALTHCHECK is for
 * the shell.
 *
 * A line that is not understood is refused, never half applied: each handler reads first and sets last. */
#include "image/store.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/signame.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#define LINE_MAX_BYTES (64 << 10)
#define PORTS_MAX      65536
#define BLANKS         " \t"

/* --- words ---------------------------------------------------------------------------------------------------- */

static const char *env_value(const json_t *config, const char *name, size_t n)
{
    const json_t *env = json_object_get(config, "Env");
    json_each (x, env) {
        const char *s = json_string_value(x);
        if (s && strncmp(s, name, n) == 0 && s[n] == '=')
            return s + n + 1;
    }
    return "";
}

static size_t name_length(const char *s)
{
    size_t n = 0;
    if (!isalpha((unsigned char)*s) && *s != '_')
        return 0;
    while (isalnum((unsigned char)s[n]) || s[n] == '_')
        n++;
    return n;
}

/* At a '$'. ${NAME:-text} and ${NAME:+text} choose by whether NAME is set to something. */
static int add_variable(const json_t *config, const char **p, struct str *out, struct err *e)
{
    const char *s = *p + 1;
    bool braces = *s == '{';
    s += braces;
    size_t n = name_length(s);
    const char *value = env_value(config, s, n), *end = s + n;
    if (n == 0 && !braces) {
        str_addc(out, '$');
        *p += 1;
        return 0;
    }
    if (braces && n > 0 && end[0] == ':' && (end[1] == '-' || end[1] == '+')) {
        const char *text = end + 2;
        end = strchrnul(text, '}');
        if ((*value == '\0') == (text[-1] == '-'))
            str_addn(out, text, (size_t)(end - text));
        else if (text[-1] == '-')
            str_add(out, value);
    } else {
        str_add(out, value);
    }
    if (braces && (n == 0 || *end != '}'))
        return err_set(e, ERR_INVALID, "malformed variable in \"%.64s\"", *p);
    *p = end + braces;
    return 0;
}

/* Read one word, its quotes taken off and its variables replaced; `whole` takes blanks too, up to the line's end.
 * @return new text, the caller's, or NULL */
static char *read_word(const json_t *config, const char **p, const char *stop, struct err *e)
{
    autostr out = STR_INIT;
    char quote = '\0';
    const char *s = *p;
    str_reset(&out);
    while (*s && (quote || !strchr(stop, *s))) {
        if (*s == quote) {
            quote = '\0';
            s++;
        } else if (!quote && (*s == '\'' || *s == '"')) {
            quote = *s++;
        } else if (*s == '\\' && quote != '\'' && s[1]) {
            if (quote && !strchr("\"$\\", s[1]))
                str_addc(&out, '\\');
            str_addc(&out, s[1]);
            s += 2;
        } else if (*s == '$' && quote != '\'') {
            if (add_variable(config, &s, &out, e) < 0)
                return NULL;
        } else {
            str_addc(&out, *s++);
        }
    }
    if (quote)
        return err_null(err_set(e, ERR_INVALID, "a quote is not closed in \"%.64s\"", *p));
    *p = s;
    return str_take(&out);
}

static const char *skip_blanks(const char *s)
{
    return s + strspn(s, BLANKS);
}

static int read_words(const json_t *config, const char *rest, struct strv *ret, struct err *e)
{
    for (rest = skip_blanks(rest); *rest; rest = skip_blanks(rest)) {
        autofree char *word = read_word(config, &rest, BLANKS, e);
        if (!word)
            return -1;
        strv_add(ret, word);
    }
    return ret->n > 0 ? 0 : err_set(e, ERR_INVALID, "an argument is missing");
}

/* A JSON array of strings, or NULL where the text is anything else. */
static json_t *json_form(const char *rest)
{
    struct err ignored; /* then it is meant for the shell */
    json_t *list = *rest == '[' ? json_parse(rest, strlen(rest), &ignored) : NULL;
    bool strings = json_is_array(list);
    json_each (x, list)
        strings &= json_is_string(x);
    if (!strings) {
        json_decref(list);
        return NULL;
    }
    return list;
}

static json_t *text_value(const char *s)
{
    return json_string_lossy(s, strlen(s));
}

/* The object at `key` of the configuration, made where it is missing. @return borrowed */
static json_t *object_at(json_t *config, const char *key)
{
    json_t *o = json_object_get(config, key);
    if (!json_is_object(o)) {
        o = json_object();
        json_object_set_new(config, key, o);
    }
    return o;
}

/* --- NAME=VALUE pairs -------------------------------------------------------------------------------------------- */

/* "A=1 B='two words'", or the old way "A value up to the end". @return names and values in turn */
static int read_pairs(const json_t *config, const char *rest, struct strv *ret, struct err *e)
{
    size_t first = strcspn(rest, BLANKS "=");
    if (first > 0 && rest[first] != '=') {
        autofree char *name = mem_strndup(rest, first);
        rest = skip_blanks(rest + first);
        autofree char *value = read_word(config, &rest, "", e);
        if (!value)
            return -1;
        if (!*value)
            return err_set(e, ERR_INVALID, "%.64s must have a value", name);
        strv_add(ret, name);
        strv_add(ret, value);
        return 0;
    }
    while (*rest) {
        autofree char *name = read_word(config, &rest, BLANKS "=", e);
        if (!name)
            return -1;
        if (!*name || *rest != '=')
            return err_set(e, ERR_INVALID, "syntax error: \"%.64s\" must be of the form: name=value", name);
        rest++;
        autofree char *value = read_word(config, &rest, BLANKS, e);
        if (!value)
            return -1;
        strv_add(ret, name);
        strv_add(ret, value);
        rest = skip_blanks(rest);
    }
    return ret->n > 0 ? 0 : err_set(e, ERR_INVALID, "an argument is missing");
}

static void set_env(json_t *env, const char *name, const char *value)
{
    size_t n = strlen(name);
    autofree char *text = str_printf("%s=%s", name, value);
    json_each (x, env) {
        const char *s = json_string_value(x);
        if (s && strncmp(s, name, n) == 0 && s[n] == '=') {
            json_array_set_new(env, x_at, text_value(text));
            return;
        }
    }
    json_array_append_new(env, text_value(text));
}

static int change_env(json_t *config, const char *rest, struct err *e)
{
    autostrv pairs = {NULL, 0};
    if (read_pairs(config, rest, &pairs, e) < 0)
        return -1;
    json_t *env = json_object_get(config, "Env");
    if (!json_is_array(env)) {
        env = json_array();
        json_object_set_new(config, "Env", env);
    }
    for (size_t i = 0; i + 1 < pairs.n; i += 2)
        set_env(env, pairs.v[i], pairs.v[i + 1]);
    return 0;
}

static int change_label(json_t *config, const char *rest, struct err *e)
{
    autostrv pairs = {NULL, 0};
    if (read_pairs(config, rest, &pairs, e) < 0)
        return -1;
    json_t *labels = object_at(config, "Labels");
    for (size_t i = 0; i + 1 < pairs.n; i += 2)
        if (json_object_set_new(labels, pairs.v[i], text_value(pairs.v[i + 1])) < 0)
            return err_set(e, ERR_INVALID, "a label's name is not valid UTF-8");
    return 0;
}

/* --- commands ---------------------------------------------------------------------------------------------------- */

static json_t *command(const json_t *config, const char *rest)
{
    json_t *list = json_form(rest);
    if (list)
        return list;
    json_t *shell = json_object_get(config, "Shell");
    list = json_is_array(shell) && json_array_size(shell) > 0 ? json_copy(shell) : json_pack("[s, s]", "/bin/sh", "-c");
    json_array_append_new(list, text_value(rest));
    return list;
}

static int change_cmd(json_t *config, const char *rest, struct err *e)
{
    (void)e;
    json_object_set_new(config, "Cmd", command(config, rest));
    return 0;
}

static int change_entrypoint(json_t *config, const char *rest, struct err *e)
{
    (void)e;
    json_object_set_new(config, "Entrypoint", command(config, rest));
    return 0;
}

static int change_shell(json_t *config, const char *rest, struct err *e)
{
    json_t *list = json_form(rest);
    if (json_array_size(list) == 0) {
        json_decref(list);
        return err_set(e, ERR_INVALID, "SHELL requires the arguments to be in JSON form");
    }
    json_object_set_new(config, "Shell", list);
    return 0;
}

/* "--interval=5s" into the object; times in ns. @return 1 taken, 0 not a flag, -1 */
static int health_flag(json_t *health, const char *word, struct err *e)
{
    static const char *const times[][2] = {{"--interval=", "Interval"},
                                           {"--timeout=", "Timeout"},
                                           {"--start-period=", "StartPeriod"},
                                           {"--start-interval=", "StartInterval"}};
    int64_t ns;
    uint64_t retries;
    if (!str_starts(word, "--"))
        return 0;
    for (size_t i = 0; i < 4; i++) {
        if (!str_starts(word, times[i][0]))
            continue;
        if (!clock_parse_duration(word + strlen(times[i][0]), &ns) || (ns > 0 && ns < NS_PER_MS))
            return err_set(e, ERR_INVALID, "%.64s is not a duration of at least 1ms", word);
        json_object_set_new(health, times[i][1], json_integer(ns));
        return 1;
    }
    if (str_starts(word, "--retries=") && str_to_u64(word + strlen("--retries="), &retries) && retries <= INT32_MAX) {
        json_object_set_new(health, "Retries", json_integer((json_int_t)retries));
        return 1;
    }
    return err_set(e, ERR_INVALID, "unknown flag %.64s", word);
}

static int change_healthcheck(json_t *config, const char *rest, struct err *e)
{
    json_auto_t *health = json_object();
    for (;;) {
        size_t n = strcspn(rest, BLANKS);
        autofree char *word = mem_strndup(rest, n);
        int r = health_flag(health, word, e);
        if (r < 0)
            return -1;
        if (r == 0) {
            rest = skip_blanks(rest + n);
            if (strcasecmp(word, "NONE") == 0 && !*rest) {
                json_object_set_new(health, "Test", json_pack("[s]", "NONE"));
                break;
            }
            if (strcasecmp(word, "CMD") != 0 || !*rest)
                return err_set(e, ERR_INVALID, "HEALTHCHECK wants NONE, or CMD and a command");
            json_t *test = json_form(rest);
            if (test)
                json_array_insert_new(test, 0, json_string("CMD"));
            else
                test = json_pack("[s, o]", "CMD-SHELL", text_value(rest));
            json_object_set_new(health, "Test", test);
            break;
        }
        rest = skip_blanks(rest + n);
    }
    json_object_set(config, "Healthcheck", health);
    return 0;
}

/* --- ports, volumes, plain values -------------------------------------------------------------------------------- */

static bool read_port(const char *s, size_t n, uint64_t *ret)
{
    autofree char *text = mem_strndup(s, n);
    return str_to_u64(text, ret) && *ret > 0 && *ret < PORTS_MAX;
}

/* "80", "80/tcp", "8000-8010/udp". */
static int add_ports(json_t *ports, const char *word, struct err *e)
{
    const char *slash = strchrnul(word, '/');
    const char *proto = *slash ? slash + 1 : "tcp";
    const char *dash = memchr(word, '-', (size_t)(slash - word));
    uint64_t low, high;
    if (!str_eq(proto, "tcp") && !str_eq(proto, "udp") && !str_eq(proto, "sctp"))
        return err_set(e, ERR_INVALID, "invalid proto: %.32s", proto);
    if (!read_port(word, (size_t)((dash ? dash : slash) - word), &low) ||
        !read_port(dash ? dash + 1 : word, (size_t)(slash - (dash ? dash + 1 : word)), &high) || high < low)
        return err_set(e, ERR_INVALID, "invalid containerPort: %.64s", word);
    for (; low <= high; low++) {
        autofree char *key = str_printf("%u/%s", (unsigned)low, proto);
        json_object_set_new(ports, key, json_object());
    }
    return 0;
}

static int change_expose(json_t *config, const char *rest, struct err *e)
{
    autostrv words = {NULL, 0};
    json_auto_t *ports = json_object();
    if (read_words(config, rest, &words, e) < 0)
        return -1;
    for (size_t i = 0; i < words.n; i++)
        if (add_ports(ports, words.v[i], e) < 0)
            return -1;
    json_object_update(object_at(config, "ExposedPorts"), ports);
    return 0;
}

static int change_volume(json_t *config, const char *rest, struct err *e)
{
    autostrv words = {NULL, 0};
    json_auto_t *list = json_form(rest);
    size_t i;
    json_each (x, list)
        strv_add(&words, json_string_value(x));
    if (!list && read_words(config, rest, &words, e) < 0)
        return -1;
    for (i = 0; i < words.n; i++)
        if (!*words.v[i])
            return err_set(e, ERR_INVALID, "VOLUME specified can not be an empty string");
    if (words.n == 0)
        return err_set(e, ERR_INVALID, "an argument is missing");
    for (i = 0; i < words.n; i++)
        if (json_object_set_new(object_at(config, "Volumes"), words.v[i], json_object()) < 0)
            return err_set(e, ERR_INVALID, "a volume's path is not valid UTF-8");
    return 0;
}

/* The only word of the line. */
static char *single_word(const json_t *config, const char *rest, struct err *e)
{
    autostrv words = {NULL, 0};
    if (read_words(config, rest, &words, e) < 0)
        return NULL;
    if (words.n != 1 || !*words.v[0])
        return err_null(err_set(e, ERR_INVALID, "exactly one argument is needed"));
    return mem_strdup(words.v[0]);
}

static int change_string(json_t *config, const char *key, const char *rest, struct err *e)
{
    autofree char *word = single_word(config, rest, e);
    if (!word)
        return -1;
    json_object_set_new(config, key, text_value(word));
    return 0;
}

static int change_user(json_t *config, const char *rest, struct err *e)
{
    return change_string(config, "User", rest, e);
}

static int change_stopsignal(json_t *config, const char *rest, struct err *e)
{
    if (change_string(config, "StopSignal", rest, e) < 0)
        return -1;
    const char *name = json_str(config, "StopSignal", "");
    return signal_number(name) ? 0 : err_set(e, ERR_INVALID, "Invalid signal: %.64s", name);
}

/* `path` below `base`, "." and ".." worked out by the text. @return the caller's */
static char *clean_join(const char *base, const char *path)
{
    autofree char *whole = *path == '/' ? mem_strdup(path) : str_printf("%s/%s", base, path);
    autostr out = STR_INIT;
    str_reset(&out);
    for (const char *s = whole; *s;) {
        size_t n = strcspn(s, "/");
        if (n == 2 && s[0] == '.' && s[1] == '.') {
            char *slash = out.len ? memrchr(out.s, '/', out.len) : out.s;
            out.len = (size_t)(slash - out.s);
            out.s[out.len] = '\0';
        } else if (n > 0 && !(n == 1 && s[0] == '.')) {
            str_addc(&out, '/');
            str_addn(&out, s, n);
        }
        s += n + (s[n] == '/');
    }
    if (out.len == 0)
        str_add(&out, "/");
    return str_take(&out);
}

static int change_workdir(json_t *config, const char *rest, struct err *e)
{
    autofree char *path = read_word(config, &rest, "", e);
    if (!path)
        return -1;
    autofree char *clean = clean_join(json_str(config, "WorkingDir", ""), path);
    json_object_set_new(config, "WorkingDir", text_value(clean));
    return 0;
}

static int change_onbuild(json_t *config, const char *rest, struct err *e)
{
    static const char *const refused[] = {"ONBUILD", "FROM", "MAINTAINER"};
    size_t n = strcspn(rest, BLANKS);
    for (size_t i = 0; i < 3; i++)
        if (strlen(refused[i]) == n && strncasecmp(rest, refused[i], n) == 0)
            return err_set(e, ERR_INVALID, "%s isn't allowed as an ONBUILD trigger", refused[i]);
    json_t *list = json_object_get(config, "OnBuild");
    if (!json_is_array(list)) {
        list = json_array();
        json_object_set_new(config, "OnBuild", list);
    }
    json_array_append_new(list, text_value(rest));
    return 0;
}

/* --- the line ------------------------------------------------------------------------------------------------------
 */

static const struct {
    const char *name;
    int (*apply)(json_t *config, const char *rest, struct err *e);
} instructions[] = {
    {"CMD", change_cmd},
    {"ENTRYPOINT", change_entrypoint},
    {"ENV", change_env},
    {"EXPOSE", change_expose},
    {"HEALTHCHECK", change_healthcheck},
    {"LABEL", change_label},
    {"ONBUILD", change_onbuild},
    {"SHELL", change_shell},
    {"STOPSIGNAL", change_stopsignal},
    {"USER", change_user},
    {"VOLUME", change_volume},
    {"WORKDIR", change_workdir},
};

static int change(json_t *config, const char *line, struct err *e)
{
    const char *start = skip_blanks(line);
    size_t n = strcspn(start, BLANKS), length = strlen(line);
    char shown[SHOW_MAX];
    autofree char *name = mem_strndup(start, n);
    if (length > LINE_MAX_BYTES || strpbrk(line, "\r\n"))
        return err_set(e, ERR_INVALID, "a change has to be one line of at most %d bytes", LINE_MAX_BYTES);
    while (length > 0 && strchr(BLANKS, line[length - 1]))
        length--;
    autofree char *rest = str_printf("%.*s", (int)(line + length - skip_blanks(start + n)), skip_blanks(start + n));
    for (size_t i = 0; i < sizeof(instructions) / sizeof(instructions[0]); i++) {
        if (strcasecmp(instructions[i].name, name) != 0)
            continue;
        if (!*rest)
            return err_set(e, ERR_INVALID, "%s requires at least one argument", instructions[i].name);
        if (instructions[i].apply(config, rest, e) < 0)
            return err_wrap(e, "%s", instructions[i].name);
        return 0;
    }
    return err_set(e, ERR_INVALID, "%s is not a valid change command", store_show(name, shown));
}

int image_changes(json_t *config, const struct strv *lines, struct err *e)
{
    json_auto_t *entry = json_incref(json_object_get(config, "Entrypoint"));
    json_auto_t *command = json_incref(json_object_get(config, "Cmd"));
    for (size_t i = 0; lines && i < lines->n; i++)
        if (change(config, lines->v[i], e) < 0)
            return -1;
    /* The Cmd that was there before had been meant for another program. */
    if (command && json_object_get(config, "Entrypoint") != entry && json_object_get(config, "Cmd") == command)
        json_object_set_new(config, "Cmd", json_null());
    return 0;
}
