/* Running gorae-archive for the files of a container: the request goes in a memfd, the rest as for images (worker.c).
 *
 * A memfd and not an argument, because arguments can be read by everybody in /proc; and not standard input, because
 * that is the archive's. Next: make.c. */
#include "image/store.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"

#include <sys/mman.h>
#include <unistd.h>

json_t *tree_work(const struct tree_job *job, struct err *e)
{
    autofree char *text = json_text(job->request);
    autoclose int fd = memfd_create("gorae-request", MFD_CLOEXEC);
    if (fd < 0 || fd_write_all(fd, text, strlen(text)) < 0)
        return err_null(err_sys(e, "write the request for " ARCHIVE_PROGRAM));
    const struct worker_job w = {.verb = job->verb,
                                 .work = fd,
                                 .layers = -1,
                                 .src = job->src,
                                 .src_arg = job->src_arg,
                                 .sink = job->sink,
                                 .sink_arg = job->sink_arg,
                                 .progress = job->stat,
                                 .progress_arg = job->stat_arg};
    return worker_run(&w, e);
}
