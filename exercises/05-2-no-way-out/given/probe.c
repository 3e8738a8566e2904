// probe - runs inside and tells what it finds there. `probe` alone tells where it is; `probe FILE` looks for a file
// outside, by every way that it knows. Compile it with -static: there are no libraries inside.
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

// Prints the file's first line, if it is to be found below the descriptor of a folder.
static int look(const char *way, int folder, const char *file)
{
    char path[512], text[64];
    for (int up = 0; up < 12; up++) {
        snprintf(path, sizeof path, "%.*s%s", 3 * up, "../../../../../../../../../../../../", file);
        int fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
        if (fd >= 0)
            close(fd);
        if (n > 0) {
            text[n] = '\0';
            printf("%s: %s\n", way, text);
            return 1;
        }
    }
    return 0;
}

static void names(const char *folder)
{
    DIR *d = opendir(folder);
    printf("%s:", folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.')
            printf(" %s", e->d_name);
    printf("\n");
}

int main(int argc, char **argv)
{
    char cwd[256], path[512];
    struct stat st;
    const char *file = argc > 1 ? argv[1] : "";
    if (argc < 2) {
        names("/");
        printf("in %s\n", getcwd(cwd, sizeof cwd) ? cwd : "no folder that has a name here");
        return 0;
    }
    int found = look("from the working directory", AT_FDCWD, file);
    for (int fd = 0; fd < 64; fd++)
        if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode))
            found += look("from an open descriptor", fd, file);
    DIR *d = opendir("/");
    for (struct dirent *e; d && (e = readdir(d));) {
        int fd = e->d_name[0] == '.' ? -1 : openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        snprintf(path, sizeof path, "below /%s", e->d_name);
        found += fd >= 0 && look(path, fd, file);
    }
    mkdir("/below", 0700);
    if (chdir("/") == 0 && chroot("/below") == 0) // the escape of chapter 5
        found += look("by chroot", AT_FDCWD, file);
    if (!found)
        printf("not found\n");
    return 0;
}
