// region head
// path.h - where a command is.
#ifndef PATH_H
#define PATH_H
#include <stddef.h>

/** Writes the file that a shell would start for `name` to `out`. `path` is a list of folders between colons, as in
    $PATH. A name with a slash in it is a file already. Returns 0, or -1 where there is no such program. */
int path_find(const char *path, const char *name, char *out, size_t size);

#endif
// endregion
