/* --format, first half: from text to tree.
 *
 * The text is walked once. Outside {{ }} it is kept, except that "{{- " and " -}}" eat the white space beside them.
 * Inside, a hand-written recursive descent reads one action:
 *
 *     action   = if PIPE | with PIPE | range [vars] PIPE | else [if PIPE | with PIPE] | end | break | continue
 *              | [vars] PIPE
 *     vars     = $a [, $b] := | $a =
 *     PIPE     = CALL { "|" CALL }
 *     CALL     = OPERAND { OPERAND }
 *     OPERAND  = ( "(" PIPE ")" | "." | .Field | $var | word | "string" | `raw` | number | true | false | nil )
 *                { .Field }
 *
 * Blocks nest by recursion: block() reads nodes until an else or end that belongs to it. FORMAT_NEST_MAX bounds both
 * recursions, so the stack cannot be exhausted by "((((…".
 *
 * How it fails: ERR_INVALID, "template:1:8: …". Read next: format_eval.c. */
#include "cli/format_tree.h"
#include "base/json.h"
#include "base/mem.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct parser {
    struct format *f;
    const char *s; /* the whole text */
    size_t at;     /* outside an action: where text goes on */
    size_t end;    /* of the action we are in */
    size_t resume; /* behind that action's "}}" */
    int depth;
    int ranges; /* how many {{range}} we are in, for break and continue */
    struct err *e;
};

/* Why a block ended. */
enum stop { STOP_ERROR, STOP_EOF, STOP_END, STOP_ELSE };

int format_error(const struct format *f, size_t at, struct err *e, const char *fmt, ...)
{
    char why[512];
    size_t line = 1, column = 1;
    for (size_t i = 0; i < at && f->text[i]; i++) {
        column++;
        if (f->text[i] == '\n')
            line++, column = 1;
    }
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    return err_set(e, ERR_INVALID, "template:%zu:%zu: %s", line, column, why);
}

static struct node *node_new(struct parser *p, enum node_type type, size_t at)
{
    struct node *n = mem_alloc(sizeof(*n));
    n->type = type;
    n->at = at;
    n->chain = p->f->all;
    p->f->all = n;
    return n;
}

void format_free(struct format *f)
{
    if (!f)
        return;
    for (struct node *n = f->all, *next; n; n = next) {
        next = n->chain;
        free(n->text);
        free(n->name[0]);
        free(n->name[1]);
        json_decref(n->value);
        strv_release(&n->path);
        free(n);
    }
    free(f->text);
    free(f);
}

/* ---- inside an action: blanks, words, constants ---- */

static void blanks(struct parser *p)
{
    while (p->at < p->end && isspace((unsigned char)p->s[p->at]))
        p->at++;
}

static bool eat(struct parser *p, const char *token)
{
    size_t n = strlen(token);
    if (p->end - p->at < n || memcmp(p->s + p->at, token, n) != 0)
        return false;
    p->at += n;
    return true;
}

static bool word_char(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80;
}

/* The letters and digits from here on. @return the caller's */
static char *take_word(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->end && word_char(p->s[p->at]))
        p->at++;
    return mem_strndup(p->s + from, p->at - from);
}

/* A whole word, so that "iffy" is not "if". */
static bool eat_word(struct parser *p, const char *word)
{
    size_t n = strlen(word);
    if (p->end - p->at < n || memcmp(p->s + p->at, word, n) != 0 || word_char(p->s[p->at + n]))
        return false;
    p->at += n;
    return true;
}

static void add_utf8(struct str *out, uint32_t c)
{
    static const unsigned char lead[] = {0x00, 0xc0, 0xe0, 0xf0};
    int more = c >= 0x10000 ? 3 : c >= 0x800 ? 2 : c >= 0x80 ? 1 : 0;
    str_addc(out, (char)(lead[more] | c >> (6 * more)));
    while (more-- > 0)
        str_addc(out, (char)(0x80 | (c >> (6 * more) & 63)));
}

/* What follows a backslash. */
static bool escape(struct parser *p, struct str *out)
{
    static const char from[] = "abfnrtv\\'\"", to[] = "\a\b\f\n\r\t\v\\'\"";
    char c = p->s[p->at++];
    const char *k = memchr(from, c, sizeof(from) - 1);
    if (k)
        str_addc(out, to[k - from]);
    if (k || (c != 'x' && c != 'u' && c != 'U'))
        return k != NULL;
    size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : 8;
    char hex[9] = "";
    for (size_t i = 0; i < digits; i++) {
        if (p->at >= p->end || !isxdigit((unsigned char)p->s[p->at]))
            return false;
        hex[i] = p->s[p->at++];
    }
    unsigned long v = strtoul(hex, NULL, 16);
    if (v == 0 || v > 0x10ffff || (v >= 0xd800 && v < 0xe000))
        return false;
    add_utf8(out, (uint32_t)v);
    return true;
}

static struct node *string(struct parser *p)
{
    size_t from = p->at;
    char quote = p->s[p->at++];
    autostr text = STR_INIT;
    str_reset(&text);
    while (p->at < p->end && p->s[p->at] != quote) {
        char c = p->s[p->at++];
        bool bad = quote == '"' && c == '\n';
        if (quote == '"' && c == '\\')
            bad = p->at >= p->end || !escape(p, &text);
        else
            str_addc(&text, c);
        if (bad)
            return err_null(format_error(p->f, p->at - 1, p->e, "bad character in a quoted string"));
    }
    if (p->at >= p->end)
        return err_null(format_error(p->f, from, p->e, "unterminated quoted string"));
    p->at++;
    struct node *n = node_new(p, NODE_VALUE, from);
    n->value = json_string_lossy(text.s, text.len);
    return n;
}

static struct node *number(struct parser *p)
{
    size_t from = p->at;
    if (p->s[p->at] == '-' || p->s[p->at] == '+')
        p->at++;
    while (p->at < p->end && (word_char(p->s[p->at]) || p->s[p->at] == '.'))
        p->at++;
    autofree char *text = mem_strndup(p->s + from, p->at - from);
    char *end;
    int64_t i;
    struct node *n = node_new(p, NODE_VALUE, from);
    if (str_to_i64(text[0] == '+' ? text + 1 : text, &i)) {
        n->value = json_integer(i);
        return n;
    }
    double d = strtod(text, &end);
    n->value = *end || end == text ? NULL : json_real(d);
    if (!n->value)
        return err_null(format_error(p->f, from, p->e, "bad number \"%s\"", text));
    return n;
}

/* ---- operands, calls, pipelines ---- */

static struct node *pipeline(struct parser *p);

static struct node *parenthesis(struct parser *p)
{
    struct node *n = node_new(p, NODE_PAREN, p->at++);
    if (++p->depth > FORMAT_NEST_MAX)
        return err_null(format_error(p->f, n->at, p->e, "nested deeper than %d levels", FORMAT_NEST_MAX));
    n->pipe = pipeline(p);
    if (!n->pipe)
        return NULL;
    p->depth--;
    blanks(p);
    if (!eat(p, ")"))
        return err_null(format_error(p->f, n->at, p->e, "this parenthesis is not closed"));
    return n;
}

static struct node *named(struct parser *p)
{
    static const struct {
        const char *word;
        json_t *(*make)(void);
    } constant[] = {{"true", json_true}, {"false", json_false}, {"nil", json_null}};
    struct node *n = node_new(p, NODE_WORD, p->at);
    n->text = take_word(p);
    for (size_t i = 0; i < sizeof(constant) / sizeof(*constant); i++) {
        if (str_eq(n->text, constant[i].word)) {
            n->type = NODE_VALUE;
            n->value = constant[i].make();
            return n;
        }
    }
    if (format_is_function(n->text))
        return n;
    return err_null(format_error(p->f, n->at, p->e, "function \"%s\" is not defined", n->text));
}

static struct node *operand(struct parser *p)
{
    char c = p->s[p->at];
    char after = p->at + 1 < p->end ? p->s[p->at + 1] : '\0';
    if (c == '"' || c == '`')
        return string(p);
    if (c == '(')
        return parenthesis(p);
    if (isdigit((unsigned char)c) || ((c == '-' || c == '+' || c == '.') && isdigit((unsigned char)after)))
        return number(p);
    if (c == '$') {
        struct node *n = node_new(p, NODE_VARIABLE, p->at++);
        n->text = take_word(p);
        return n;
    }
    if (c == '.')
        return node_new(p, NODE_DOT, word_char(after) ? p->at : p->at++);
    if (word_char(c))
        return named(p);
    return err_null(format_error(p->f, p->at, p->e, "unexpected '%c'", c));
}

/* An operand and the fields after it, without blanks between. */
static struct node *operand_with_path(struct parser *p)
{
    struct node *n = operand(p);
    while (n && p->at + 1 < p->end && p->s[p->at] == '.' && word_char(p->s[p->at + 1])) {
        if (n->type == NODE_VALUE || n->type == NODE_WORD)
            return err_null(format_error(p->f, p->at, p->e, "a field cannot follow here"));
        p->at++;
        autofree char *field = take_word(p);
        strv_add(&n->path, field);
    }
    return n;
}

static struct node *call(struct parser *p)
{
    struct node *c = node_new(p, NODE_CALL, p->at), **tail = &c->child;
    for (;;) {
        size_t before = p->at;
        blanks(p);
        if (p->at >= p->end || p->s[p->at] == '|' || p->s[p->at] == ')')
            break;
        if (c->child && p->at == before)
            return err_null(format_error(p->f, p->at, p->e, "unexpected '%c'", p->s[p->at]));
        struct node *n = operand_with_path(p);
        if (!n)
            return NULL;
        *tail = n;
        tail = &n->next;
    }
    if (!c->child)
        return err_null(format_error(p->f, p->at, p->e, "a value is missing"));
    if (c->child->type == NODE_VALUE && (c->child->next || json_is_null(c->child->value)))
        return err_null(format_error(p->f, c->at, p->e, "a constant is not a function"));
    return c;
}

static struct node *pipeline(struct parser *p)
{
    blanks(p);
    struct node *pipe = node_new(p, NODE_PIPE, p->at), **tail = &pipe->child;
    do {
        struct node *c = call(p);
        if (!c)
            return NULL;
        if (pipe->child && c->child->type != NODE_WORD && c->child->path.n == 0)
            return err_null(format_error(p->f, c->at, p->e, "only a function can take what comes through \"|\""));
        *tail = c;
        tail = &c->next;
    } while (eat(p, "|"));
    return pipe;
}

/* "$a :=", "$a =", in a range also "$a, $b :=", and the pipeline after it. */
static struct node *declaration(struct parser *p, bool two)
{
    char *name[2] = {NULL, NULL};
    bool assign = false, declared = false;
    blanks(p);
    size_t back = p->at;
    if (eat(p, "$")) {
        name[0] = take_word(p);
        blanks(p);
        if (two && eat(p, ",")) {
            blanks(p);
            if (eat(p, "$"))
                name[1] = take_word(p);
            blanks(p);
        }
        declared = eat(p, ":=");
        assign = !declared && eat(p, "=");
        if (!declared && !assign)
            p->at = back;
    }
    struct node *pipe = pipeline(p);
    if (pipe && (declared || assign)) {
        memcpy(pipe->name, name, sizeof(name));
        pipe->assign = assign;
    } else {
        free(name[0]);
        free(name[1]);
    }
    return pipe;
}

/* ---- text and blocks ---- */

static enum stop block(struct parser *p, struct node **ret_first);

/* The action is read to its end: go on behind its "}}". */
static int close_action(struct parser *p)
{
    blanks(p);
    if (p->at < p->end)
        return format_error(p->f, p->at, p->e, "unexpected '%c'", p->s[p->at]);
    p->at = p->resume;
    return 0;
}

/* Where the action that begins at `at` ends; braces inside strings and comments do not count. */
static size_t find_close(const char *s, size_t at)
{
    char quote = '\0';
    for (; s[at]; at++) {
        if (quote) {
            if (s[at] == '\\' && quote == '"' && s[at + 1])
                at++;
            else if (s[at] == quote)
                quote = '\0';
        } else if (s[at] == '"' || s[at] == '`') {
            quote = s[at];
        } else if (s[at] == '/' && s[at + 1] == '*') {
            const char *done = strstr(s + at + 2, "*/");
            if (!done)
                break;
            at = (size_t)(done - s) + 1;
        } else if (s[at] == '}' && s[at + 1] == '}') {
            return at;
        }
    }
    return SIZE_MAX;
}

/* Enter the action whose "{{" is at `open`: sets at, end and resume. @param ret_text_end where the text before it ends,
 * after "{{- " has eaten its blanks */
static int open_action(struct parser *p, size_t open, size_t *ret_text_end)
{
    const char *s = p->s;
    size_t at = open + 2, text_end = open, close = find_close(s, at);
    if (close == SIZE_MAX)
        return format_error(p->f, open, p->e, "this action is not closed");
    if (s[at] == '-' && isspace((unsigned char)s[at + 1])) {
        at++;
        while (text_end > p->at && isspace((unsigned char)s[text_end - 1]))
            text_end--;
    }
    p->resume = close + 2;
    if (close > at + 1 && s[close - 1] == '-' && isspace((unsigned char)s[close - 2])) {
        close--;
        while (isspace((unsigned char)s[p->resume]))
            p->resume++;
    }
    *ret_text_end = text_end;
    p->at = at;
    p->end = close;
    return 0;
}

/* The rest of if, with or range: condition, body, else, end. "else if" is an if inside the else that shares our end. */
static int control(struct parser *p, struct node *n)
{
    if (++p->depth > FORMAT_NEST_MAX)
        return format_error(p->f, n->at, p->e, "nested deeper than %d levels", FORMAT_NEST_MAX);
    n->pipe = declaration(p, n->type == NODE_RANGE);
    if (!n->pipe || close_action(p) < 0)
        return -1;
    p->ranges += n->type == NODE_RANGE;
    enum stop stop = block(p, &n->body);
    p->ranges -= n->type == NODE_RANGE;
    if (stop == STOP_ELSE) {
        blanks(p);
        size_t at = p->at;
        bool is_if = eat_word(p, "if");
        if (is_if || eat_word(p, "with")) {
            n->otherwise = node_new(p, is_if ? NODE_IF : NODE_WITH, at);
            int r = control(p, n->otherwise);
            p->depth--;
            return r;
        }
        if (close_action(p) < 0)
            return -1;
        stop = block(p, &n->otherwise);
        if (stop == STOP_ELSE)
            return format_error(p->f, p->at, p->e, "a second {{else}}");
    }
    p->depth--;
    if (stop == STOP_END)
        return close_action(p);
    return stop == STOP_EOF ? format_error(p->f, n->at, p->e, "the {{end}} of this block is missing") : -1;
}

/* One action other than else and end. @return its node, or NULL; a comment is an empty text */
static struct node *action(struct parser *p)
{
    size_t at = p->at;
    if (eat(p, "/*")) {
        const char *done = strstr(p->s + p->at, "*/");
        p->at = done ? (size_t)(done - p->s) + 2 : p->end;
        return close_action(p) < 0 ? NULL : node_new(p, NODE_TEXT, at);
    }
    static const struct {
        const char *word;
        enum node_type type;
    } keyword[] = {{"if", NODE_IF}, {"with", NODE_WITH}, {"range", NODE_RANGE}};
    for (size_t i = 0; i < sizeof(keyword) / sizeof(*keyword); i++) {
        if (eat_word(p, keyword[i].word)) {
            struct node *n = node_new(p, keyword[i].type, at);
            return control(p, n) < 0 ? NULL : n;
        }
    }
    bool leave = eat_word(p, "break");
    if (leave || eat_word(p, "continue")) {
        if (p->ranges == 0)
            return err_null(format_error(p->f, at, p->e, "{{%s}} outside of {{range}}", leave ? "break" : "continue"));
        return close_action(p) < 0 ? NULL : node_new(p, leave ? NODE_BREAK : NODE_CONTINUE, at);
    }
    struct node *n = node_new(p, NODE_PRINT, at);
    n->pipe = declaration(p, false);
    return n->pipe && close_action(p) == 0 ? n : NULL;
}

/* Read nodes up to the end of the text, or up to an else or end, which is left for the caller to finish. */
static enum stop block(struct parser *p, struct node **ret_first)
{
    for (struct node **tail = ret_first;; tail = &(*tail)->next) {
        size_t text = p->at, text_end = strlen(p->s);
        const char *open = strstr(p->s + text, "{{");
        if (open && open_action(p, (size_t)(open - p->s), &text_end) < 0)
            return STOP_ERROR;
        if (text_end > text) {
            *tail = node_new(p, NODE_TEXT, text);
            (*tail)->text = mem_strndup(p->s + text, text_end - text);
            tail = &(*tail)->next;
        }
        if (!open)
            return STOP_EOF;
        blanks(p);
        if (eat_word(p, "end"))
            return STOP_END;
        if (eat_word(p, "else"))
            return STOP_ELSE;
        *tail = action(p);
        if (!*tail)
            return STOP_ERROR;
    }
}

struct format *format_parse(const char *text, struct err *e)
{
    if (strlen(text) > FORMAT_SIZE_MAX)
        return err_null(err_set(e, ERR_INVALID, "the template is longer than %d bytes", FORMAT_SIZE_MAX));
    struct format *f = mem_alloc(sizeof(*f));
    f->text = mem_strdup(text);
    struct parser p = {.f = f, .s = f->text, .e = e};
    enum stop stop = block(&p, &f->root);
    if (stop == STOP_EOF)
        return f;
    if (stop != STOP_ERROR)
        format_error(f, p.at, e, "{{%s}} without a block to %s", stop == STOP_END ? "end" : "else",
                     stop == STOP_END ? "close" : "divide");
    format_free(f);
    return NULL;
}

void format_fields(const struct format *f, struct strv *ret)
{
    for (const struct node *n = f->all; n; n = n->chain)
        if (n->type == NODE_DOT && n->path.n > 0)
            strv_add(ret, n->path.v[0]);
}

char *format_unescape(const char *text)
{
    struct str out = STR_INIT;
    str_reset(&out);
    for (; *text; text++) {
        if (text[0] == '\\' && (text[1] == 't' || text[1] == 'n'))
            str_addc(&out, *++text == 't' ? '\t' : '\n');
        else
            str_addc(&out, *text);
    }
    return str_take(&out);
}
