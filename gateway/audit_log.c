/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/audit_log.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"
#include "gatekey/audit.h"
#include "gateway/audit_chain.h"
#include "gateway/audit_file.h"
#include "gateway/audit_socket.h"
#include "gateway/metrics.h"

struct gk_audit_log {
    char gateway[HOST_NAME_MAX + 1];
    bool chained;
    struct gk_audit_socket syslog;
    struct gk_audit_socket journal;
    struct gk_recent_events *recent;
    pthread_mutex_t lock; /* of what follows, and of the order of lines */
    struct gk_audit_file *file;
    struct gk_audit_chain chain;
};

/* --- open, close --------------------------------------------------------------------------------*/

static void take_name(struct gk_audit_log *log, const char *name)
{
    if (name != NULL) {
        snprintf(log->gateway, sizeof log->gateway, "%s", name);
    } else if (gethostname(log->gateway, sizeof log->gateway) != 0) {
        snprintf(log->gateway, sizeof log->gateway, "unknown");
    }
    log->gateway[sizeof log->gateway - 1] = '\0';
}

/* The chain goes on where the head and, if there is one, the file say. */
static enum gk_status open_chain(struct gk_audit_log *log, const struct gk_audit_options *options,
                                 struct gk_error *error)
{
    char beside[PATH_MAX];
    const char *head = options->head_file;
    if (head == NULL) {
        const int len = snprintf(beside, sizeof beside, "%s" GK_CHAIN_HEAD_SUFFIX, options->file);
        if (len < 0 || (size_t)len >= sizeof beside) {
            return gk_fail(error, GK_E_INVALID, "audit_file: its name is too long");
        }
        head = beside;
    }
    log->chained = true;
    return gk_audit_chain_open(gk_audit_file_fd(log->file), head, &log->chain, error);
}

enum gk_status gk_audit_log_open(const struct gk_audit_options *options, struct gk_audit_log **out,
                                 struct gk_error *error)
{
    static const struct gk_audit_options nothing = {0};
    *out = NULL;
    options = options == NULL ? &nothing : options;
    struct gk_audit_log *log = calloc(1, sizeof *log);
    if (log == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    take_name(log, options->gateway);
    log->chain.head_fd = -1;
    pthread_mutex_init(&log->lock, NULL);
    gk_audit_socket_init(&log->syslog, options->syslog);
    gk_audit_socket_init(&log->journal, options->journal);
    enum gk_status status = gk_recent_events_new(&log->recent, error);
    if (status == GK_OK && options->file != NULL) {
        gk_recent_events_read(log->recent, options->file);
        status = gk_audit_file_open(options->file, &log->file, error);
    }
    if (status == GK_OK && (options->file != NULL || options->head_file != NULL)) {
        status = open_chain(log, options, error);
    }
    if (status != GK_OK) {
        gk_audit_log_close(log);
        return status;
    }
    *out = log;
    return GK_OK;
}

struct gk_recent_events *gk_audit_log_recent(struct gk_audit_log *log)
{
    return log->recent;
}

uint64_t gk_audit_log_behind(const struct gk_audit_log *log, uint64_t *last)
{
    *last = log->chain.head.sequence;
    return log->chain.behind;
}

void gk_audit_log_close(struct gk_audit_log *log)
{
    if (log == NULL) {
        return;
    }
    gk_audit_chain_close(&log->chain);
    gk_audit_file_close(log->file);
    gk_recent_events_free(log->recent);
    gk_audit_socket_cleanup(&log->syslog);
    gk_audit_socket_cleanup(&log->journal);
    pthread_mutex_destroy(&log->lock);
    free(log);
}

/* --- the line -----------------------------------------------------------------------------------*/

/* A text that is not UTF-8 came from outside; it must not cost us the event. */
static void set_text(json_t *object, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0') {
        return;
    }
    json_t *value = json_string(text);
    json_object_set_new(object, name, value == NULL ? json_string("(not UTF-8)") : value);
}

static void set_time(json_t *object, const char *name, int64_t wall_ms)
{
    char text[GK_TIME_TEXT_BYTES];
    gk_time_iso(wall_ms, text);
    set_text(object, name, text);
}

static json_t *event_object(const struct gk_audit_log *log, const struct gk_audit_event *event,
                            const char *caused_by)
{
    json_t *object = json_object();
    if (object == NULL) {
        return NULL;
    }
    set_time(object, "time", event->wall_ms);
    set_text(object, "gateway", log->gateway);
    set_text(object, "event", gk_audit_event_name(event->event));
    set_text(object, "actor", event->actor);
    set_text(object, "account", event->account);
    set_text(object, "outcome", event->outcome);
    set_text(object, "keyId", event->key_id);
    set_text(object, "reason", event->reason);
    set_text(object, "detail", event->detail);
    set_text(object, "requestId", event->request_id);
    set_text(object, "causedBy", caused_by);
    if (event->count > 0) {
        set_time(object, "since", event->since_wall_ms);
        json_object_set_new(object, "count", json_integer((json_int_t)event->count));
    }
    return object;
}

/* With its place in the chain. NULL: out of memory. */
static char *locked_text(const struct gk_audit_log *log, json_t *object)
{
    if (log->chained) {
        char previous[GK_CHAIN_HASH_TEXT_BYTES];
        gk_chain_hash_text(log->chain.head.hash, previous);
        if (json_object_set_new(object, GK_CHAIN_SEQUENCE,
                                json_integer((json_int_t)log->chain.head.sequence + 1)) != 0 ||
            json_object_set_new(object, GK_CHAIN_PREVIOUS, json_string(previous)) != 0) {
            return NULL;
        }
    }
    return object == NULL ? NULL : json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* --- writing ------------------------------------------------------------------------------------*/

static void tell_failure(const char *what)
{
    gk_log(GK_LOG_ERROR, "audit", "an event could not be written to %s: %s", what, strerror(errno));
    gk_metrics_count("gatekey_audit_failures_total", "", 1);
}

static bool tell_unless(bool written, const char *what)
{
    if (!written) {
        tell_failure(what);
    }
    return written;
}

/* A head that a power cut leaves behind finds its place again in the lines that follow it, and so never in a file that
 * begins with later ones. */
static void locked_follow(struct gk_audit_log *log)
{
    if (gk_audit_file_follow(log->file)) {
        gk_audit_chain_sync(&log->chain);
    }
}

/* Whether all places have it. */
static bool locked_write(struct gk_audit_log *log, const struct gk_audit_event *event,
                         const char *caused_by, const char *text)
{
    bool all = true;
    if (log->file != NULL) {
        locked_follow(log);
        all = tell_unless(gk_audit_file_append(log->file, text), "the audit file");
    }
    if (log->chained) {
        all = tell_unless(gk_audit_chain_pass(&log->chain, gk_span_str(text)),
                          "the head of the audit's chain") &&
              all;
    }
    all = tell_unless(gk_audit_syslog(&log->syslog, event, text), "syslog") && all;
    return tell_unless(gk_audit_journal(&log->journal, event, caused_by, text), "the journal") &&
           all;
}

void gk_audit_log_write(struct gk_audit_log *log, const struct gk_audit_event *event,
                        const char *caused_by)
{
    if (log == NULL) {
        return;
    }
    bool all = true;
    json_t *object = event_object(log, event, caused_by);
    pthread_mutex_lock(&log->lock);
    char *text = locked_text(log, object);
    if (text != NULL) {
        all = locked_write(log, event, caused_by, text);
    }
    pthread_mutex_unlock(&log->lock);
    if (text == NULL) {
        errno = ENOMEM;
        tell_failure("any place");
    } else {
        /* What is missing elsewhere stands at least there, whatever the log's level. */
        gk_log_text(all ? GK_LOG_INFO : GK_LOG_ERROR, "audit", text);
        gk_recent_events_add(log->recent, gk_audit_event_name(event->event), event->outcome,
                             gk_span_str(text));
    }
    free(text);
    json_decref(object);
}
