// region head
// which - prints the file behind each command.
#include "path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
// endregion

// region main
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
// endregion
