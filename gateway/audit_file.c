/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_file.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gatekey/audit.h"
#include "gateway/audit_chain.h"
#include "gateway/metrics.h"

struct gk_audit_file {
    int fd;
    pthread_mutex_t lock;
    struct gk_audit_chain chain;
};

enum gk_status gk_audit_file_open(const char *path, struct gk_audit_file **out,
                                  struct gk_error *error)
{
    *out = NULL;
    if (path == NULL) {
        return GK_OK;
    }
    const int fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
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
    const enum gk_status status = gk_audit_chain_open(fd, path, &audit->chain, error);
    if (status != GK_OK) {
        close(fd);
        free(audit);
        return status;
    }
    pthread_mutex_init(&audit->lock, NULL);
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

static json_t *event_object(const struct gk_audit_event *event)
{
    char when[GK_TIME_TEXT_BYTES];
    gk_time_iso(event->wall_ms, when);
    json_t *object = json_object();
    if (object == NULL) {
        return NULL;
    }
    set_text(object, "time", when);
    set_text(object, "event", gk_audit_event_name(event->event));
    set_text(object, "actor", event->actor);
    set_text(object, "account", event->account);
    set_text(object, "outcome", event->outcome);
    set_text(object, "keyId", event->key_id);
    set_text(object, "reason", event->reason);
    set_text(object, "detail", event->detail);
    set_text(object, "requestId", event->request_id);
    if (event->count > 0) {
        char since[GK_TIME_TEXT_BYTES];
        gk_time_iso(event->since_wall_ms, since);
        set_text(object, "since", since);
        json_object_set_new(object, "count", json_integer((json_int_t)event->count));
    }
    return object;
}

static char *as_text(const json_t *object)
{
    return object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* One write, so that a line is whole or torn at its end; one that was torn before is ended first. */
static bool append_line(struct gk_audit_file *audit, const char *text)
{
    struct gk_audit_chain *chain = &audit->chain;
    char *line = NULL;
    const int len = asprintf(&line, "%s%s\n", chain->torn ? "\n" : "", text);
    if (len < 0) {
        return false;
    }
    const ssize_t written = write(audit->fd, line, (size_t)len);
    free(line);
    if (written != (ssize_t)len) {
        chain->torn = chain->torn || written > 0;
        return false;
    }
    chain->torn = false;
    return gk_audit_chain_pass(chain, gk_span_str(text));
}

/* The event with its place in the chain, at the end of the file. */
static bool append_event(struct gk_audit_file *audit, json_t *object)
{
    char previous[GK_CHAIN_HASH_TEXT_BYTES];
    pthread_mutex_lock(&audit->lock);
    gk_chain_hash_text(audit->chain.head.hash, previous);
    bool good =
        json_object_set_new(object, GK_CHAIN_SEQUENCE,
                            json_integer((json_int_t)audit->chain.head.sequence + 1)) == 0 &&
        json_object_set_new(object, GK_CHAIN_PREVIOUS, json_string(previous)) == 0;
    char *text = good ? as_text(object) : NULL;
    good = text != NULL && append_line(audit, text);
    pthread_mutex_unlock(&audit->lock);
    free(text);
    return good;
}

void gk_audit_file_write(struct gk_audit_file *audit, const struct gk_audit_event *event)
{
    json_t *object = event_object(event);
    char *text = as_text(object);
    if (text == NULL) {
        gk_log(GK_LOG_ERROR, "audit", "an event could not be written: out of memory");
        gk_metrics_count("gatekey_audit_failures_total", "", 1);
        json_decref(object);
        return;
    }
    gk_log_text(GK_LOG_INFO, "audit", text);
    if (audit != NULL && !append_event(audit, object)) {
        gk_log(GK_LOG_ERROR, "audit", "the audit file could not be appended to: %s",
               strerror(errno));
        gk_metrics_count("gatekey_audit_failures_total", "", 1);
    }
    free(text);
    json_decref(object);
}

void gk_audit_file_close(struct gk_audit_file *audit)
{
    if (audit == NULL) {
        return;
    }
    gk_audit_chain_close(&audit->chain);
    close(audit->fd);
    pthread_mutex_destroy(&audit->lock);
    free(audit);
}
