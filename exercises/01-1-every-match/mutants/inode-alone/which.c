// which - prints the file behind each command; with -a every such file along PATH, each once.
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEEN_MAX 1024 // folders of one PATH

struct seen {
    dev_t dev;
    ino_t ino;
};

// A program is a regular file that this user may execute. A folder has the x bit too: hence the first test.
static int is_program(const char *file, struct stat *st)
{
    return stat(file, st) == 0 && S_ISREG(st->st_mode) && access(file, X_OK) == 0;
}

// A file is the same as another if both its number and the number of its device are the same: inode numbers are counted
// on each device anew.
static int seen_before(struct seen *seen, size_t *n, const struct stat *st)
{
    for (size_t i = 0; i < *n; i++)
        if (seen[i].ino == st->st_ino)
            return 1;
    if (*n < SEEN_MAX)
        seen[(*n)++] = (struct seen){st->st_dev, st->st_ino};
    return 0;
}

// Prints the programs called `name` in the folders of `path`: the first, or all. Returns how many.
static int print_matches(const char *path, const char *name, int all)
{
    struct seen seen[SEEN_MAX];
    size_t nseen = 0;
    int found = 0;
    for (const char *dir = path; dir && *name; dir = *dir ? dir + 1 : NULL) {
        char file[PATH_MAX];
        struct stat st;
        size_t len = strcspn(dir, ":");
        const char *folder = len ? dir : "."; // an empty entry means the current folder
        int n = snprintf(file, sizeof file, "%.*s/%s", len ? (int)len : 1, folder, name);
        if (n >= 0 && (size_t)n < sizeof file && is_program(file, &st) && !seen_before(seen, &nseen, &st)) {
            puts(file);
            found++;
            if (!all)
                break;
        }
        dir += len;
    }
    return found;
}

int main(int argc, char **argv)
{
    const char *path = getenv("PATH");
    int all = argc > 1 && strcmp(argv[1], "-a") == 0;
    int missing = 0;

    if (argc < 2 + all) {
        fprintf(stderr, "usage: which [-a] NAME...\n");
        return 2;
    }
    for (int i = 1 + all; i < argc; i++)
        if (print_matches(path ? path : "", argv[i], all) == 0)
            missing = 1;
    return missing;
}
