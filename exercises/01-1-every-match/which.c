// which - prints the file behind each command.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// A program is a regular file that this user may execute. A folder has the x bit too: hence the first test.
static int is_program(const char *file)
{
    struct stat st;
    return stat(file, &st) == 0 && S_ISREG(st.st_mode) && access(file, X_OK) == 0;
}

// Writes the first program called `name` in the folders of `path` to `out`. Returns 0, or -1 where there is none.
static int path_find(const char *path, const char *name, char *out, size_t size)
{
    for (const char *dir = path; dir && *name; dir = *dir ? dir + 1 : NULL) {
        size_t len = strcspn(dir, ":");
        const char *folder = len ? dir : "."; // an empty entry means the current folder
        int n = snprintf(out, size, "%.*s/%s", len ? (int)len : 1, folder, name);
        if (n >= 0 && (size_t)n < size && is_program(out))
            return 0;
        dir += len;
    }
    return -1;
}

int main(int argc, char **argv)
{
    const char *path = getenv("PATH");
    int missing = argc < 2;

    for (int i = 1; i < argc; i++) {
        char file[PATH_MAX];
        if (path_find(path ? path : "", argv[i], file, sizeof file) == 0)
            puts(file);
        else
            missing = 1;
    }
    return missing;
}
