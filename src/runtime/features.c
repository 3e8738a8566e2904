/* `features` and `spec`: what this runtime can do, and an example of what it takes. OCI runtime-spec features.md. */
#include "runtime/args.h"
#include "runtime/plan.h"
#include "runtime/seccomp.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/capability.h>
#include <unistd.h>

static json_t *namespaces(void)
{
    json_t *a = json_array();
    for (int k = 0; k < NS_COUNT; k++)
        json_array_append_new(a, json_string(plan_ns_name[k]));
    return a;
}

static json_t *capabilities(void)
{
    json_t *a = json_array();
    for (cap_value_t c = 0; c < cap_max_bits(); c++) {
        char *name = cap_to_name(c);
        for (char *p = name; p && *p; p++)
            *p = (char)toupper((unsigned char)*p);
        if (name && str_starts(name, "CAP_"))
            json_array_append_new(a, json_string(name));
        cap_free(name);
    }
    return a;
}

int verb_features(struct runtime *rt, int argc, char **argv, struct err *e)
{
    (void)rt;
    const struct arg table[] = {{0}};
    if (args_parse(table, argc, argv, 0, 0, e) < 0)
        return -1;
    json_auto_t *j = json_pack(
        "{s:s, s:s, s:[s,s,s,s,s,s], s:o, s:{s:o, s:o, s:{s:b,s:b,s:b,s:b}, s:{s:b,s:o,s:o,s:o}, s:{s:b}, s:{s:b}}}",
        "ociVersionMin", "1.0.0", "ociVersionMax", OCI_VERSION, "hooks", "prestart", "createRuntime", "createContainer",
        "startContainer", "poststart", "poststop", "mountOptions", plan_mount_options(), "linux", "namespaces",
        namespaces(), "capabilities", capabilities(), "cgroup", "v1", 1, "v2", 1, "systemd", 1, "rdma", 0, "seccomp",
        "enabled", 1, "actions", filter_words("actions"), "operators", filter_words("operators"), "archs",
        filter_words("archs"), "apparmor", "enabled", 0, "selinux", "enabled", 0);
    autofree char *text = json_dumps(j, JSON_INDENT(2));
    printf("%s\n", text);
    return 0;
}

/* A small and harmless container: no capabilities, its own namespaces, `sh` on a terminal. */
static const char example[] =
    "{\n"
    "  \"ociVersion\": \"" OCI_VERSION "\",\n"
    "  \"process\": {\n"
    "    \"terminal\": false,\n"
    "    \"user\": {\"uid\": 0, \"gid\": 0},\n"
    "    \"args\": [\"sh\"],\n"
    "    \"env\": [\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", \"TERM=xterm\"],\n"
    "    \"cwd\": \"/\",\n"
    "    \"capabilities\": {\"bounding\": [], \"effective\": [], \"permitted\": []},\n"
    "    \"noNewPrivileges\": true\n"
    "  },\n"
    "  \"root\": {\"path\": \"rootfs\", \"readonly\": true},\n"
    "  \"hostname\": \"gorae\",\n"
    "  \"mounts\": [\n"
    "    {\"destination\": \"/proc\", \"type\": \"proc\", \"source\": \"proc\", \"options\": [\"nosuid\", \"noexec\", "
    "\"nodev\"]},\n"
    "    {\"destination\": \"/dev\", \"type\": \"tmpfs\", \"source\": \"tmpfs\", \"options\": [\"nosuid\", "
    "\"strictatime\", \"mode=755\", \"size=65536k\"]},\n"
    "    {\"destination\": \"/dev/pts\", \"type\": \"devpts\", \"source\": \"devpts\", \"options\": [\"nosuid\", "
    "\"noexec\", \"newinstance\", \"ptmxmode=0666\", \"mode=0620\", \"gid=5\"]},\n"
    "    {\"destination\": \"/sys\", \"type\": \"sysfs\", \"source\": \"sysfs\", \"options\": [\"nosuid\", \"noexec\", "
    "\"nodev\", \"ro\"]}\n"
    "  ],\n"
    "  \"linux\": {\n"
    "    \"namespaces\": [{\"type\": \"pid\"}, {\"type\": \"network\"}, {\"type\": \"ipc\"}, {\"type\": \"uts\"}, "
    "{\"type\": \"mount\"}],\n"
    "    \"maskedPaths\": [\"/proc/kcore\", \"/proc/keys\", \"/sys/firmware\"],\n"
    "    \"readonlyPaths\": [\"/proc/sys\", \"/proc/sysrq-trigger\"]\n"
    "  }\n"
    "}\n";

int verb_spec(struct runtime *rt, int argc, char **argv, struct err *e)
{
    (void)rt;
    const char *bundle = ".";
    const struct arg table[] = {{"bundle", 'b', ARG_STRING, &bundle, NULL}, {0}};
    if (args_parse(table, argc, argv, 0, 0, e) < 0)
        return -1;
    autofree char *path = str_printf("%s/config.json", bundle);
    autoclose int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0 || fd_write_all(fd, example, sizeof(example) - 1) < 0)
        return err_sys(e, "write %s", path);
    return 0;
}
