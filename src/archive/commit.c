/* `gorae-archive commit`: the changes of a container, as a tar that another of these processes wrote (diff.c), become
 * one more layer above those of its image.
 *
 * The tar could be unpacked straight away, but its digest is the layer's identity and must be that of the very bytes
 * that are kept; so it is written down first, as for every layer. Next: import.c. */
#include "archive/worker.h"
#include "base/archiveproto.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define BELOW_MAX (IMAGE_LAYERS_MAX * (DIGEST_HEX + 1))

/* @return how many, lowest first, or -1 */
static int read_below(int root, char chain[IMAGE_LAYERS_MAX][DIGEST_SIZE], struct err *e)
{
    int n = 0;
    autofree char *text = file_read(root, "below", BELOW_MAX, NULL, e);
    if (!text)
        return -1;
    for (const char *p = text; *p && n < IMAGE_LAYERS_MAX; p += DIGEST_HEX + 1) {
        memcpy(chain[n], p, strnlen(p, DIGEST_HEX));
        chain[n][DIGEST_HEX] = '\0';
        if (!str_is_hex(chain[n++], DIGEST_HEX) || p[DIGEST_HEX] != '\n')
            return err_set(e, ERR_SYSTEM, "malformed list of the layers below");
    }
    return n;
}

static int unpack(int root, int layers, const char *diff, const char *chain, char below[][DIGEST_SIZE], int n,
                  struct layer_result *ret, struct err *e)
{
    struct lower lower[IMAGE_LAYERS_MAX];
    size_t opened = 0;
    int r = 0;
    autofree char *blob = str_printf("blobs/%s", diff);
    autoclose int tar = openat(root, blob, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (tar < 0)
        return err_sys(e, "open %s", blob);
    for (; opened < (size_t)n && r == 0; opened++) {
        lower[opened] = (struct lower){.fd = -1};
        r = load_open_known(layers, below[n - 1 - (int)opened], &lower[opened], e);
    }
    if (r == 0)
        r = load_unpack(root, tar, diff, chain, lower, opened, ret, e);
    load_close_lowers(lower, opened);
    return r;
}

int commit_run(int root, int layers, struct err *e)
{
    char below[IMAGE_LAYERS_MAX][DIGEST_SIZE], diff[DIGEST_SIZE], chain[DIGEST_SIZE];
    int64_t size;
    struct layer_result result = {0};
    int n = read_below(root, below, e);
    if (n < 0)
        return -1;
    if (mkdirat(root, "blobs", 0700) < 0 || mkdirat(root, "layers", 0700) < 0)
        return err_sys(e, "make folders blobs and layers");
    if (load_tar(root, STDIN_FILENO, diff, &size, e) < 0)
        return -1;
    digest_chain(n > 0 ? below[n - 1] : NULL, diff, chain);
    if (unpack(root, layers, diff, chain, below, n, &result, e) < 0)
        return -1;
    json_t *layer = load_layer_json(diff, chain, size, &result);
    strv_release(&result.opaque);
    return message_send(json_pack("{s:s, s:o}", "ev", "done", "layer", layer), e);
}
