/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/files.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE_BYTES 65536u

static bool write_all(int fd, struct gk_span content)
{
    for (size_t at = 0; at < content.len;) {
        const ssize_t written = write(fd, content.data + at, content.len - at);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        at += written < 0 ? 0 : (size_t)written;
    }
    return true;
}

/* What is lost in a power cut is as bad as what is overwritten, hence O_EXCL and fsync. */
enum ctl_exit ctl_write_new_file(const char *path, struct gk_span content, const char *why)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST
                   ? ctl_fail(CTL_FAILED, "%s exists; %s", path, why)
                   : ctl_fail(CTL_FAILED, "%s cannot be made: %s", path, strerror(errno));
    }
    const bool whole = write_all(fd, content) && fchmod(fd, 0600) == 0 && fsync(fd) == 0;
    const int reason = errno;
    if (close(fd) != 0 || !whole) {
        unlink(path);
        return ctl_fail(CTL_FAILED, "%s cannot be written: %s", path, strerror(reason));
    }
    return CTL_OK;
}

static bool read_all(int fd, struct gk_buf *out)
{
    static uint8_t piece[PIECE_BYTES];
    for (;;) {
        const ssize_t got = read(fd, piece, sizeof piece);
        if (got == 0) {
            return true;
        }
        if (got < 0 && errno != EINTR) {
            return false;
        }
        gk_buf_append(out, piece, got < 0 ? 0 : (size_t)got);
        if (gk_buf_status(out) != GK_OK) {
            errno = EFBIG;
            return false;
        }
    }
}

enum ctl_exit ctl_read_file(const char *path, struct gk_buf *out)
{
    const bool standard = strcmp(path, "-") == 0;
    const int fd = standard ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return ctl_fail(CTL_FAILED, "%s cannot be opened: %s", path, strerror(errno));
    }
    const bool whole = read_all(fd, out);
    const int reason = errno;
    if (!standard) {
        close(fd);
    }
    return whole ? CTL_OK : ctl_fail(CTL_FAILED, "%s cannot be read: %s", path, strerror(reason));
}
