/* Runs a fuzz target over files and folders of files, once each: the corpus as a test, without libFuzzer.
 * Usage: fuzz-NAME FOLDER|FILE… ; ends with 1 where there was nothing to run, and by a signal where a property fails.
 */
#include "base/file.h"
#include "base/mem.h"
#include "fuzz.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define INPUT_MAX (16u << 20)

static int failed;

static int run_file(const char *path)
{
    struct err e;
    size_t n;
    autofree char *text = file_read(AT_FDCWD, path, INPUT_MAX, &n, &e);
    if (!text) {
        fprintf(stderr, "%s\n", e.msg);
        exit(2);
    }
    /* Exactly n bytes on the heap, so that a sanitizer sees a read beyond them. */
    autofree uint8_t *exact = malloc(n ? n : 1);
    HOLDS(exact);
    if (n > 0)
        memcpy(exact, text, n);
    /* In a process of its own: a failing property aborts, and the others shall run all the same. */
    fflush(NULL);
    pid_t child = fork();
    HOLDS(child >= 0);
    if (child == 0) {
        LLVMFuzzerTestOneInput(exact, n);
        exit(0);
    }
    int status;
    HOLDS(waitpid(child, &status, 0) == child);
    if (status != 0) {
        printf("FAILED: %s\n", path);
        failed++;
    }
    return 1;
}

static int run_folder(const char *path)
{
    struct dirent **list;
    int n = scandir(path, &list, NULL, alphasort), ran = 0;
    for (int i = 0; i < n; i++) {
        autofree char *inner = str_printf("%s/%s", path, list[i]->d_name);
        struct stat st;
        if (list[i]->d_name[0] != '.' && stat(inner, &st) == 0 && S_ISREG(st.st_mode))
            ran += run_file(inner);
        free(list[i]);
    }
    if (n >= 0)
        free(list);
    return ran;
}

int main(int argc, char **argv)
{
    int ran = 0;
    for (int i = 1; i < argc; i++) {
        struct stat st;
        ran += stat(argv[i], &st) == 0 && S_ISDIR(st.st_mode) ? run_folder(argv[i]) : run_file(argv[i]);
    }
    printf("%s: %d inputs, %d failed\n", argv[0], ran, failed);
    return ran > 0 && failed == 0 ? 0 : 1;
}
