/* Names of containers: the grammar, the reservation, and one made up where none was given.
 *
 * A name is reserved in the table before any file exists, so of two creations with one name exactly one goes on. */
#include "engine/model.h"
#include "base/mem.h"

#define NAME_MAX_LENGTH 255
#define RANDOM_TRIES    6

/* Adjectives, and people of computing and of the sea: what `docker ps` shows for a container that nobody named. */
static const char *const adjectives[] = {
    "able",   "agile",  "amber",  "awake",   "brave",  "bright", "brisk",   "calm",   "candid", "cheerful",
    "clever", "cosmic", "crisp",  "curious", "daring", "deft",   "eager",   "early",  "exact",  "fair",
    "fluent", "frank",  "gentle", "glad",    "golden", "happy",  "honest",  "humble", "jolly",  "keen",
    "kind",   "lively", "lucid",  "merry",   "modest", "nimble", "patient", "polite", "quick",  "quiet",
    "ready",  "serene", "sharp",  "silent",  "steady", "sunny",  "tidy",    "vivid",  "warm",   "witty",
};
static const char *const surnames[] = {
    "allen",     "backus", "bartik",    "borg",    "cerf",      "church",   "clarke",   "codd",     "conway",
    "cousteau",  "dahl",   "dijkstra",  "earle",   "engelbart", "feinler",  "floyd",    "goldberg", "hamilton",
    "hamming",   "hoare",  "holberton", "hopper",  "jang",      "johnson",  "kahn",     "karp",     "kay",
    "kernighan", "kleene", "knuth",     "lamport", "liskov",    "lovelace", "mccarthy", "milner",   "naur",
    "nygaard",   "perlis", "perlman",   "postel",  "ritchie",   "sammet",   "sejong",   "shannon",  "thompson",
    "torvalds",  "turing", "wilkes",    "wing",    "wirth",
};

bool name_valid(const char *name)
{
    static const char alnum[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    static const char more[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
    size_t n = strlen(name);
    return n >= 2 && n <= NAME_MAX_LENGTH && strchr(alnum, name[0]) && strspn(name, more) == n;
}

int name_reserve(struct engine *en, const char *name, const char *id, struct err *e)
{
    if (!name_valid(name) || str_is_hex(name, ID_LENGTH))
        return err_set(e, ERR_INVALID,
                       "Invalid container name (%.64s): two to %d of [a-zA-Z0-9_.-], the first a letter or digit, and "
                       "not of the form of an id",
                       name, NAME_MAX_LENGTH);
    int r = 0;
    pthread_mutex_lock(&en->lock);
    const char *holder = json_string_value(json_object_get(en->names, name));
    if (holder)
        r = err_set(
            e, ERR_CONFLICT,
            "Conflict. The container name \"/%s\" is already in use by container \"%s\". You have to remove (or "
            "rename) that container to be able to reuse that name",
            name, holder);
    else
        json_object_set_new(en->names, name, json_string(id));
    pthread_mutex_unlock(&en->lock);
    return r;
}

void name_release(struct engine *en, const char *name)
{
    pthread_mutex_lock(&en->lock);
    json_object_del(en->names, name);
    pthread_mutex_unlock(&en->lock);
}

static size_t random_below(size_t n)
{
    char hex[9];
    str_random_hex(hex, 4);
    size_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v * 16 + (size_t)(hex[i] <= '9' ? hex[i] - '0' : hex[i] - 'a' + 10);
    return v % n;
}

char *name_random(struct engine *en, const char *id)
{
    for (int i = 0; i < RANDOM_TRIES; i++) {
        const char *a = adjectives[random_below(sizeof(adjectives) / sizeof(adjectives[0]))];
        const char *s = surnames[random_below(sizeof(surnames) / sizeof(surnames[0]))];
        autofree char *name = i == 0 ? str_printf("%s_%s", a, s) : str_printf("%s_%s%zu", a, s, random_below(10));
        if (name_reserve(en, name, id, NULL) == 0)
            return take_ptr(&name);
    }
    autofree char *name = mem_strndup(id, 12);
    return name_reserve(en, name, id, NULL) == 0 ? take_ptr(&name) : NULL;
}
