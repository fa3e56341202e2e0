/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/secret.h"
#include "common/text.h"
#include "ctl/options.h"

#define SERVICE_KEY_BYTES 32u
#define SERVICE_KEY_LABEL "gatekey-service-key-v1 "

/* "gatekey-service-key-v1 <base64 of 32 bytes>\n" */
static bool new_service_key(struct gk_buf *line)
{
    uint8_t *key = gk_secret_alloc(SERVICE_KEY_BYTES);
    const bool good = key != NULL && gk_random(key, SERVICE_KEY_BYTES);
    if (good) {
        gk_buf_append_str(line, SERVICE_KEY_LABEL);
        gk_base64_encode(line, gk_span_of(key, SERVICE_KEY_BYTES));
        gk_buf_append_str(line, "\n");
    }
    gk_secret_free(&key);
    return good && gk_buf_status(line) == GK_OK;
}

/* A key that is lost in a power cut is as bad as one that is overwritten, hence O_EXCL and fsync. */
static enum ctl_exit write_new_file(const char *path, struct gk_span content)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        return errno == EEXIST
                   ? ctl_fail(CTL_FAILED,
                              "%s exists; a service key is never overwritten, for all "
                              "that it protects would be lost",
                              path)
                   : ctl_fail(CTL_FAILED, "%s cannot be made: %s", path, strerror(errno));
    }
    const bool whole = write(fd, content.data, content.len) == (ssize_t)content.len &&
                       fchmod(fd, 0600) == 0 && fsync(fd) == 0;
    const int reason = errno;
    if (close(fd) != 0 || !whole) {
        unlink(path);
        return ctl_fail(CTL_FAILED, "%s cannot be written: %s", path, strerror(reason));
    }
    return CTL_OK;
}

enum ctl_exit ctl_service_key_create(const struct ctl_options *options)
{
    if (options->out == NULL) {
        return ctl_fail(CTL_USAGE, "service-key create needs --out FILE");
    }
    struct gk_buf line;
    gk_buf_init(&line, 256);
    const enum ctl_exit code = new_service_key(&line)
                                   ? write_new_file(options->out, gk_buf_span(&line))
                                   : ctl_fail(CTL_FAILED, "no memory or no randomness for a key");
    gk_buf_cleanup_wipe(&line);
    if (code == CTL_OK) {
        printf("Made %s. Keep a copy where the store is not: without it every account is lost.\n",
               options->out);
    }
    return code;
}
