/* What there is on disk: room, a file system that can carry overlays, and who may reach it.
 *
 * Whether overlayfs takes a folder for its upper layer depends on the file system below (extended attributes, d_type,
 * renames that leave whiteouts) and on its mount options, and no table of names is right for long. So it is tried: in a
 * mount namespace of our own, in a folder that is taken away again.
 *
 * How it fails: a data root that is not there yet is judged by the folder that it will be made in.
 * Read next: image/overlay.c, which mounts for real. */
#include "doctor/doctor.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/un.h>
#include <unistd.h>

#define MIB        (1024 * 1024ull)
#define FREE_LEAST (64 * MIB)
#define FREE_GOOD  (1024 * MIB)

/* The path itself, or its nearest folder that exists. @return the caller's */
static char *existing(const char *path)
{
    char *at = mem_strdup(path);
    while (access(at, F_OK) < 0 && errno == ENOENT && strchr(at, '/') && !str_eq(at, "/"))
        at[strrchr(at, '/') == at ? 1 : strrchr(at, '/') - at] = '\0';
    return at;
}

enum verdict check_disk(const struct machine *m, struct finding *f)
{
    struct statvfs s;
    autofree char *at = existing(m->data_root);
    if (statvfs(at, &s) < 0)
        return finding(f, DOCTOR_WARNING, "see df", "cannot tell the room at %s: %s", at, strerror(errno));
    unsigned long long room = (unsigned long long)s.f_bavail * s.f_frsize;
    bool no_files = s.f_files > 0 && s.f_favail < 1000; /* some file systems do not count them */
    enum verdict v = room < FREE_LEAST || no_files ? DOCTOR_MISSING : room < FREE_GOOD ? DOCTOR_WARNING : DOCTOR_OK;
    const char *mend = "gorae system prune, or --data-root on another disk";
    if (s.f_flag & ST_RDONLY)
        return finding(f, DOCTOR_MISSING, "mount -o remount,rw, or --data-root on another disk", "%s is read-only", at);
    if (no_files)
        return finding(f, v, mend, "room for %llu files at %s", (unsigned long long)s.f_favail, at);
    return finding(f, v, v == DOCTOR_OK ? NULL : mend, "%llu MiB free at %s", room / MIB, at);
}

/* Only root may change what root will trust. */
static enum verdict judge_folder(struct finding *f, const char *path, const char *option)
{
    struct stat s;
    autofree char *mend = NULL;
    if (lstat(path, &s) < 0 && errno == ENOENT)
        return finding(f, DOCTOR_OK, NULL, "%s, made at the first start", path);
    if (stat(path, &s) < 0) {
        mend = str_printf("see namei -l %s", path);
        return finding(f, DOCTOR_MISSING, mend, "%s cannot be looked at: %s", path, strerror(errno));
    }
    if (!S_ISDIR(s.st_mode)) {
        mend = str_printf("move it away, or %s DIR", option);
        return finding(f, DOCTOR_MISSING, mend, "%s is not a folder", path);
    }
    if (s.st_uid != 0 || s.st_mode & 022) {
        mend = str_printf("chown root:root %s && chmod go-w %s", path, path);
        return finding(f, DOCTOR_WARNING, mend, "%s can be changed by others than root", path);
    }
    return finding(f, DOCTOR_OK, NULL, "%s, root's", path);
}

enum verdict check_data_root(const struct machine *m, struct finding *f)
{
    return judge_folder(f, m->data_root, "--data-root");
}

enum verdict check_exec_root(const struct machine *m, struct finding *f)
{
    return judge_folder(f, m->exec_root, "--exec-root");
}

/* Mount one of four folders in the working folder. @return 0, or the errno of what failed */
static int try_overlay(void)
{
    static const char *const folders[] = {"lower", "upper", "work", "merged"};
    for (size_t i = 0; i < 4; i++)
        if (mkdir(folders[i], 0700) < 0)
            return errno;
    /* relative names need no escapes, whatever the data root is called */
    if (mount("overlay", "merged", "overlay", 0, "lowerdir=lower,upperdir=upper,workdir=work,index=off") < 0)
        return errno;
    int wrong = mkdir("merged/new", 0700) < 0 ? errno : 0;
    umount2("merged", MNT_DETACH);
    return wrong;
}

enum verdict check_overlay_mounts(const struct machine *m, struct finding *f)
{
    struct err e;
    autofree char *at = existing(m->data_root), *folder = str_printf("%s/.gorae-doctor-XXXXXX", at);
    autoclose int dir = open(at, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                  home = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return finding(f, DOCTOR_WARNING, "run it as root", "cannot be tried without the right to mount");
    if (dir < 0 || !mkdtemp(folder))
        return finding(f, DOCTOR_MISSING, "mend that, or --data-root on another disk", "nothing can be made in %s: %s",
                       at, strerror(errno));
    int wrong = chdir(folder) < 0 ? errno : try_overlay();
    if (home < 0 || fchdir(home) < 0)
        wrong = wrong ? wrong : errno;
    if (tree_remove(dir, strrchr(folder, '/') + 1, &e) < 0)
        return finding(f, DOCTOR_WARNING, "rm -r it", "the folder of this trial stays: %s", e.msg);
    if (wrong)
        return finding(f, DOCTOR_MISSING,
                       "--data-root on ext4, xfs (ftype=1), btrfs or tmpfs; not on an overlay, NFS or FAT",
                       "the file system of %s cannot carry them: %s", at, strerror(wrong));
    return finding(f, DOCTOR_OK, NULL, "tried in %s", at);
}

enum verdict check_socket(const struct machine *m, struct finding *f)
{
    struct stat s;
    struct sockaddr_un longest;
    autofree char *mend = str_printf("chmod 660 %s", m->socket), *folder = mem_strdup(m->socket);
    if (strlen(m->socket) >= sizeof(longest.sun_path))
        return finding(f, DOCTOR_MISSING, "-H unix:// with a shorter path", "a path of %zu bytes, of at most %zu",
                       strlen(m->socket), sizeof(longest.sun_path) - 1);
    char *slash = strrchr(folder, '/');
    if (slash)
        slash[slash == folder] = '\0';
    if (slash && access(folder, F_OK) < 0) {
        free(take_ptr(&mend));
        mend = str_printf("mkdir %s", folder);
        return finding(f, DOCTOR_MISSING, mend, "the folder of %s is not there", m->socket);
    }
    if (lstat(m->socket, &s) < 0)
        return finding(f, DOCTOR_OK, NULL, "%s, made at the start", m->socket);
    if (!S_ISSOCK(s.st_mode))
        return finding(f, DOCTOR_MISSING, "move it away", "%s is something else", m->socket);
    if (s.st_mode & 06)
        return finding(f, DOCTOR_WARNING, mend, "%s is open to everybody, and whoever can open it is root", m->socket);
    return finding(f, DOCTOR_OK, NULL, "%s, mode %03o", m->socket, s.st_mode & 0777u);
}
