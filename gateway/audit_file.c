/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"

struct gk_audit_file {
    const char *path;
    int fd;
    off_t end; /* after what was written last */
    bool torn; /* it does not end with a line's end */
};

/* -1, with errno. */
static int open_regular(const char *path)
{
    const int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info;
    if (fd >= 0 && (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode))) {
        close(fd);
        errno = EINVAL;
        return -1;
    }
    return fd;
}

static void look_at_end(struct gk_audit_file *file)
{
    struct stat info;
    char last = '\n';
    file->end = fstat(file->fd, &info) == 0 ? info.st_size : 0;
    file->torn = file->end > 0 && pread(file->fd, &last, 1, file->end - 1) == 1 && last != '\n';
}

enum gk_status gk_audit_file_open(const char *path, struct gk_audit_file **out,
                                  struct gk_error *error)
{
    *out = NULL;
    const int fd = open_regular(path);
    if (fd < 0) {
        return gk_fail(error, GK_E_INVALID, "audit_file %s: cannot be appended to: %s", path,
                       strerror(errno));
    }
    struct gk_audit_file *file = calloc(1, sizeof *file);
    if (file == NULL) {
        close(fd);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *file = (struct gk_audit_file){.path = path, .fd = fd};
    look_at_end(file);
    *out = file;
    return GK_OK;
}

int gk_audit_file_fd(const struct gk_audit_file *file)
{
    return file == NULL ? -1 : file->fd;
}

static bool has_moved(const struct gk_audit_file *file)
{
    struct stat ours;
    struct stat named;
    return stat(file->path, &named) != 0 || fstat(file->fd, &ours) != 0 ||
           named.st_dev != ours.st_dev || named.st_ino != ours.st_ino;
}

/* While no new one can be had, the one that was moved away is still better than none. */
static bool begin_anew(struct gk_audit_file *file)
{
    const int fd = open_regular(file->path);
    if (fd < 0) {
        gk_log(GK_LOG_ERROR, "audit", "%s was moved away, and cannot be made anew: %s", file->path,
               strerror(errno));
        return false;
    }
    close(file->fd);
    file->fd = fd;
    look_at_end(file);
    return true;
}

static bool was_cut(const struct gk_audit_file *file)
{
    struct stat info;
    return fstat(file->fd, &info) == 0 && info.st_size < file->end;
}

bool gk_audit_file_follow(struct gk_audit_file *file)
{
    if (has_moved(file)) {
        return begin_anew(file);
    }
    if (!was_cut(file)) {
        return false;
    }
    look_at_end(file);
    return true;
}

bool gk_audit_file_append(struct gk_audit_file *file, const char *text)
{
    char *line = NULL;
    const int len = asprintf(&line, "%s%s\n", file->torn ? "\n" : "", text);
    if (len < 0) {
        return false;
    }
    const ssize_t written = write(file->fd, line, (size_t)len);
    free(line);
    file->end += written > 0 ? written : 0;
    file->torn = written == (ssize_t)len ? false : file->torn || written > 0;
    return written == (ssize_t)len;
}

void gk_audit_file_close(struct gk_audit_file *file)
{
    if (file != NULL) {
        close(file->fd);
        free(file);
    }
}
