/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gateway/metrics.h"

struct gk_audit_file {
    int fd;
};

enum gk_status gk_audit_file_open(const char *path, struct gk_audit_file **out,
                                  struct gk_error *error)
{
    *out = NULL;
    if (path == NULL) {
        return GK_OK;
    }
    const int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        const int reason = errno;
        if (fd >= 0) {
            close(fd);
        }
        return gk_fail(error, GK_E_INVALID, "audit_file %s: cannot be appended to: %s", path,
                       strerror(reason));
    }
    struct gk_audit_file *audit = calloc(1, sizeof *audit);
    if (audit == NULL) {
        close(fd);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    audit->fd = fd;
    *out = audit;
    return GK_OK;
}

/* A text that is not UTF-8 came from outside; it must not cost us the event. */
static void set_text(json_t *object, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }
    json_t *value = json_string(text);
    json_object_set_new(object, name, value == NULL ? json_string("(not UTF-8)") : value);
}

static char *event_line(const struct gk_audit_event *event)
{
    char when[GK_TIME_TEXT_BYTES];
    gk_time_iso(event->wall_ms, when);
    json_t *object = json_object();
    if (object == NULL) {
        return NULL;
    }
    set_text(object, "time", when);
    set_text(object, "event", event->event);
    set_text(object, "account", event->account);
    set_text(object, "outcome", event->outcome);
    set_text(object, "keyId", event->key_id);
    set_text(object, "reason", event->reason);
    set_text(object, "detail", event->detail);
    set_text(object, "requestId", event->request_id);
    char *text = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(object);
    return text;
}

static bool append_line(int fd, const char *text)
{
    char *line = NULL;
    const int len = asprintf(&line, "%s\n", text);
    if (len < 0) {
        return false;
    }
    const bool whole = write(fd, line, (size_t)len) == (ssize_t)len;
    free(line);
    return whole;
}

void gk_audit_file_write(const struct gk_audit_file *audit, const struct gk_audit_event *event)
{
    char *text = event_line(event);
    if (text == NULL) {
        gk_log(GK_LOG_ERROR, "audit", "an event could not be written: out of memory");
        gk_metrics_count("gatekey_audit_failures_total", "", 1);
        return;
    }
    gk_log_text(GK_LOG_INFO, "audit", text);
    if (audit != NULL && !append_line(audit->fd, text)) {
        gk_log(GK_LOG_ERROR, "audit", "the audit file could not be appended to: %s",
               strerror(errno));
        gk_metrics_count("gatekey_audit_failures_total", "", 1);
    }
    free(text);
}

void gk_audit_file_close(struct gk_audit_file *audit)
{
    if (audit == NULL) {
        return;
    }
    close(audit->fd);
    free(audit);
}
