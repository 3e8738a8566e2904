// pstat PID... - prints pid, parent, state and name of processes. Three bugs are planted in here.
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct facts {
    int pid, parent;
    char state;
    char name[64];
};

// Fills in `f` from /proc/PID/stat: "4711 (name) S 1 …", see proc(5).
static void read_facts(const char *pid, struct facts *f)
{
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *in = fopen(path, "re");
    if (in && fgets(line, sizeof line, in))
        sscanf(line, "%d (%63[^)]) %c %d", &f->pid, f->name, &f->state, &f->parent);
    if (in)
        fclose(in);
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
    struct facts f = {0};
    int failed = 0;

    for (int i = 1; i < argc; i++) {
        read_facts(argv[i], &f);
        if (f.pid == 0) {
            warnx("%s: no such process", argv[i]);
            failed = 1;
            continue;
        }
        print_facts(&f);
    }
    return failed;
}
