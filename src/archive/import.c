/* `gorae-archive import`: a root file system as one tar, perhaps compressed, becomes one layer. Its configuration is
 * written by the daemon, which knows what the user asked for. Next: save.c. */
#include "archive/worker.h"
#include "base/mem.h"
#include "base/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int import_run(int root, struct err *e)
{
    char diff[DIGEST_SIZE];
    int64_t size;
    if (mkdirat(root, "blobs", 0700) < 0 || mkdirat(root, "layers", 0700) < 0)
        return err_sys(e, "make folders blobs and layers");
    struct span span = trace_begin(0, "expand the archive");
    if (load_tar(root, STDIN_FILENO, diff, &size, e) < 0)
        return -1;
    trace_end(&span, "%lld bytes", (long long)size);
    autofree char *blob = str_printf("blobs/%s", diff);
    autoclose int fd = openat(root, blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, "open %s", blob);
    /* A single layer is its own chain. */
    struct layer_result result = {0};
    if (load_unpack(root, fd, diff, diff, NULL, 0, &result, e) < 0)
        return -1;
    json_t *layer = load_layer_json(diff, diff, size, &result);
    strv_release(&result.opaque);
    return message_send(json_pack("{s:s, s:o}", "ev", "done", "layer", layer), e);
}
