/* diff: what a container has changed against its image. The comparing is done by gorae-archive (archive/diff.c),
 * because the names that come to light are the container's; its text goes to the client as it comes, for a container
 * may have changed a million files. Next: commit.c. */
#include "engine/model.h"
#include "base/mem.h"

json_t *tree_request_changes(struct engine *en, struct container *c, struct err *e)
{
    autostrv lower = {NULL, 0};
    autofree char *upper = container_path(en, c, "upper");
    if (rootfs_lower(en, c, &lower, e) < 0)
        return NULL;
    json_t *request = tree_request(en, c), *list = json_array();
    for (size_t i = 0; i < lower.n; i++)
        json_array_append_new(list, json_string(lower.v[i]));
    json_object_set_new(request, "lower", list);
    json_object_set_new(request, "upper", json_string(upper));
    return request;
}

int engine_changes(struct engine *en, const char *name, image_sink *sink, void *arg, struct err *e)
{
    autocontainer *c = container_get(en, name, e);
    if (!c)
        return -1;
    json_auto_t *done = NULL, *request = tree_request_changes(en, c, e);
    if (request && rootfs_hold(en, c, e) == 0) {
        const struct tree_job job = {.verb = "changes", .request = request, .sink = sink, .sink_arg = arg};
        done = tree_work(&job, e);
        rootfs_release(en, c);
    }
    return done ? 0 : -1;
}
