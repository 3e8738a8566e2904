/* system df: what images, containers, volumes and the build cache take on disk. Counted anew each time; the sizes of
 * containers are those of their writable folders, walked file by file, which is why `ps` shows them only on request. */
#include "engine/model.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/trace.h"

static const char *const kinds[] = {"image", "container", "volume", "build-cache"};

static bool wanted(const struct strv *types, const char *kind)
{
    for (size_t i = 0; i < types->n; i++)
        if (str_eq(types->v[i], kind))
            return true;
    return types->n == 0;
}

static int check_types(const struct strv *types, struct err *e)
{
    for (size_t i = 0; i < types->n; i++) {
        bool known = false;
        for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
            known = known || str_eq(types->v[i], kinds[k]);
        if (!known)
            return err_set(e, ERR_INVALID, "unknown object type: %.64s", types->v[i]);
    }
    return 0;
}

static int collect(void *arg, json_t *element, struct err *e)
{
    (void)e;
    return json_array_append_new(arg, element);
}

json_t *engine_usage(struct engine *en, const struct strv *types, struct err *e)
{
    if (check_types(types, e) < 0)
        return NULL;
    struct span s = trace_begin(3, "count what is on disk");
    json_t *out =
        wanted(types, kinds[0]) ? image_usage(en->images) : json_pack("{s:i, s:n}", "LayersSize", 0, "Images");
    const struct list_options all = {.all = true, .size = true};
    json_t *list = wanted(types, kinds[1]) ? json_array() : json_null();
    if (json_is_array(list) && engine_list(en, &all, collect, list, e) < 0) {
        json_decref(list);
        json_decref(out);
        return NULL;
    }
    json_object_set_new(out, "Containers", list);
    json_object_set_new(out, "Volumes", wanted(types, kinds[2]) ? json_array() : json_null());
    json_object_set_new(out, "BuildCache", wanted(types, kinds[3]) ? json_array() : json_null());
    json_object_set_new(out, "BuilderSize", json_integer(0));
    trace_end(&s, "%zu images, %zu containers", json_array_size(json_object_get(out, "Images")), json_array_size(list));
    return out;
}
