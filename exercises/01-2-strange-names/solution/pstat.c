// pstat PID... - prints pid, parent, state and name of processes.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct facts {
    int pid, parent;
    char state;
    char name[64];
};

// Fills in `f` from /proc/PID/stat: "4711 (name) S 1 …", see proc(5). Returns 0, or -1 where there is no such process.
// The name may hold blanks, brackets and even line ends: so the file is read whole, and the last bracket ends the name.
static int read_facts(const char *pid, struct facts *f)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *in = fopen(path, "re");
    if (!in)
        return -1;
    size_t n = fread(text, 1, sizeof text - 1, in);
    fclose(in);
    text[n] = '\0';
    char *open = strchr(text, '('), *close = strrchr(text, ')');
    if (!open || !close || close < open)
        return -1;
    snprintf(f->name, sizeof f->name, "%.*s", (int)(close - open - 1), open + 1);
    return sscanf(text, "%d", &f->pid) == 1 && sscanf(close + 1, " %c %d", &f->state, &f->parent) == 2 ? 0 : -1;
}

// A name may hold any character. Those that would spoil the table become '?'.
static void print_facts(const struct facts *f)
{
    printf("%d %d %c ", f->pid, f->parent, f->state);
    for (const char *s = f->name; *s; s++)
        putchar((unsigned char)*s < ' ' ? '?' : *s);
    putchar('\n');
}

int main(int argc, char **argv)
{
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        struct facts f;
        if (read_facts(argv[i], &f) != 0) {
            warnx("%s: no such process", argv[i]);
            failed = 1;
            continue;
        }
        print_facts(&f);
    }
    return failed;
}
