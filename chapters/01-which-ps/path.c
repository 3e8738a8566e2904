// region head
// path.c - walks the folders of $PATH, as a shell does before it starts a command.
#include "path.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
// endregion

// region is-program
// A program is a regular file that this user may execute. A folder has the x bit too: hence the first test.
static int is_program(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;
}
// endregion

// region path-find
int path_find(const char *path, const char *name, char *out, size_t size)
{
    if (strchr(name, '/')) {
        int n = snprintf(out, size, "%s", name);
        return n >= 0 && (size_t)n < size && is_program(out) ? 0 : -1;
    }
    for (const char *dir = path; dir && *name; dir = *dir ? dir + 1 : NULL) {
        size_t len = strcspn(dir, ":");
        const char *folder = len ? dir : "."; // an empty entry means the current folder
        int n = snprintf(out, size, "%.*s/%s", len ? (int)len : 1, folder, name);
        if (n >= 0 && (size_t)n < size && is_program(out)) // a name cut off is some other file
            return 0;
        dir += len;
    }
    return -1;
}
// endregion
