/* JSON from outside: json_parse() and its limits.
 *
 * Properties:
 *   1. What is accepted is never deeper than JSON_NEST_MAX.
 *   2. The limit refuses nothing else: what jansson accepts at a permitted depth is accepted.
 *   3. Printed and parsed again, it is the same value (a fixpoint).
 *   4. An object or an array ends where json_extent() says, whatever follows.
 *   5. A string made from any bytes is valid JSON text. */
#include "base/json.h"
#include "base/mem.h"
#include "fuzz.h"

#include <string.h>

static int depth(const json_t *j)
{
    int most = 0;
    size_t i;
    const char *key;
    json_t *v;
    json_array_foreach(j, i, v)
    {
        int d = depth(v);
        most = d > most ? d : most;
    }
    json_object_foreach((json_t *)j, key, v)
    {
        int d = depth(v);
        most = d > most ? d : most;
    }
    return json_is_array(j) || json_is_object(j) ? most + 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err e = {0};
    const char *text = (const char *)data;
    json_auto_t *j = json_parse(text, size, &e);
    json_auto_t *theirs = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    HOLDS((j != NULL) == (theirs != NULL && depth(theirs) <= JSON_NEST_MAX));
    if (j) {
        HOLDS(json_equal(j, theirs));
        autofree char *printed = json_compact(j);
        json_auto_t *again = json_parse(printed, strlen(printed), &e);
        HOLDS(again && json_equal(again, j));
        autofree char *twice = json_compact(again);
        HOLDS(str_eq(printed, twice));
        autofree char *more = str_printf("%s]}\"", printed);
        bool brackets = json_is_object(j) || json_is_array(j);
        HOLDS(json_extent(more, strlen(more)) == (brackets ? strlen(printed) : 0));
        HOLDS(json_extent(printed, strlen(printed) - 1) == 0);
    } else {
        HOLDS(e.kind == ERR_INVALID);
    }
    json_auto_t *lossy = json_string_lossy(text, size);
    HOLDS(json_is_string(lossy));
    return 0;
}
