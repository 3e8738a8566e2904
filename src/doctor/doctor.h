/** @file
 * gorae-doctor: what a check is, and what it is given.
 *
 * A check looks at one thing that the daemon needs of the machine and judges it. It changes nothing and does not give
 * up: what it cannot find out is a warning. The checks stand in kernel.c (what the kernel can do), rights.c (what we
 * may do) and places.c (what there is on disk); main.c has the table of them, and prints.
 */
#ifndef GORAE_DOCTOR_DOCTOR_H
#define GORAE_DOCTOR_DOCTOR_H

#include "base/str.h"

/** In rising order: the worst one counts. */
enum verdict { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_MISSING };

struct machine {
    const char *root; /**< what stands before the paths of /proc, /sys, /etc and programs; "" but in tests */
    const char *data_root, *exec_root, *socket, *group;
};

/** What a check found, and how it is mended where it is not DOCTOR_OK: each a phrase without a full stop. */
struct finding {
    struct str found, mend;
};

typedef enum verdict doctor_check(const struct machine *m, struct finding *f);

doctor_check check_kernel, check_namespaces, check_overlayfs, check_seccomp, check_calls, check_cgroups, check_nftables;
doctor_check check_privileges, check_files, check_processes, check_user_namespaces, check_group, check_clock;
doctor_check check_disk, check_data_root, check_overlay_mounts, check_exec_root, check_socket;

/** Say what was found; `mend` NULL where nothing is to be done. @return `v` */
enum verdict finding(struct finding *f, enum verdict v, const char *mend, const char *found, ...)
    __attribute__((format(printf, 4, 5)));

/** The text of a small file below m->root. @return the caller's, or NULL where it cannot be read */
char *machine_read(const struct machine *m, const char *path);
/** Is there something at that path below m->root? */
bool machine_has(const struct machine *m, const char *path);
/** A number that is all there is in a file. @return false where it is not there, or not a number */
bool machine_number(const struct machine *m, const char *path, int64_t *ret);
/** The text after "NAME" at the beginning of a line, up to the line's end, blanks around it cut off. @return the
 * caller's, or NULL */
char *line_after(const char *text, const char *name);

#endif
