/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/recent_events.h"

#include <fcntl.h>
#include <jansson.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "gatekey/audit.h"

/* What is read of a file's end: room for as many events as are kept, and a bound for other files. */
#define TAIL_BYTES (GK_RECENT_EVENTS_MAX * 1024u)

struct gk_recent_events {
    pthread_mutex_t lock;
    char *lines[GK_RECENT_EVENTS_MAX]; /* a ring; NULL where there is none yet */
    size_t next;                       /* where the next one goes, over the oldest */
};

enum gk_status gk_recent_events_new(struct gk_recent_events **out, struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    pthread_mutex_init(&(*out)->lock, NULL);
    return GK_OK;
}

void gk_recent_events_free(struct gk_recent_events *events)
{
    if (events == NULL) {
        return;
    }
    for (size_t i = 0; i < GK_RECENT_EVENTS_MAX; i++) {
        free(events->lines[i]);
    }
    pthread_mutex_destroy(&events->lock);
    free(events);
}

static bool is_kept(const char *event, const char *outcome)
{
    if (strcmp(event, gk_audit_event_name(GK_AUDIT_MANAGE_DENIED)) == 0) {
        return false;
    }
    const bool call = strcmp(event, gk_audit_event_name(GK_AUDIT_KEY_WRAP)) == 0 ||
                      strcmp(event, gk_audit_event_name(GK_AUDIT_KEY_UNWRAP)) == 0;
    return !call || strcmp(outcome, "ok") != 0;
}

void gk_recent_events_add(struct gk_recent_events *events, const char *event, const char *outcome,
                          struct gk_span line)
{
    if (!is_kept(event, outcome)) {
        return;
    }
    char *copy = strndup((const char *)line.data, line.len);
    if (copy == NULL) {
        return;
    }
    pthread_mutex_lock(&events->lock);
    free(events->lines[events->next]);
    events->lines[events->next] = copy;
    events->next = (events->next + 1) % GK_RECENT_EVENTS_MAX;
    pthread_mutex_unlock(&events->lock);
}

/* --- the end of a file -------------------------------------------------------------------------- */

static void add_line(struct gk_recent_events *events, struct gk_span line)
{
    json_t *value = json_loadb((const char *)line.data, line.len, JSON_REJECT_DUPLICATES, NULL);
    const char *event = json_string_value(json_object_get(value, "event"));
    const char *outcome = json_string_value(json_object_get(value, "outcome"));
    if (event != NULL && outcome != NULL) {
        gk_recent_events_add(events, event, outcome, line);
    }
    json_decref(value);
}

static void add_lines(struct gk_recent_events *events, struct gk_span text)
{
    while (text.len > 0) {
        const uint8_t *end = memchr(text.data, '\n', text.len);
        const size_t len = end == NULL ? text.len : (size_t)(end - text.data);
        add_line(events, gk_span_of(text.data, len));
        const size_t taken = end == NULL ? len : len + 1;
        text = gk_span_of(text.data + taken, text.len - taken);
    }
}

void gk_recent_events_read(struct gk_recent_events *events, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) {
        return;
    }
    struct stat info;
    uint8_t *tail = malloc(TAIL_BYTES);
    if (tail != NULL && fstat(fd, &info) == 0 && S_ISREG(info.st_mode)) {
        const off_t from = info.st_size > TAIL_BYTES ? info.st_size - TAIL_BYTES : 0;
        const ssize_t got = pread(fd, tail, TAIL_BYTES, from);
        if (got > 0) {
            add_lines(events, gk_span_of(tail, (size_t)got));
        }
    }
    free(tail);
    close(fd);
}

/* --- the list ------------------------------------------------------------------------------------ */

void gk_recent_events_render(struct gk_recent_events *events, struct gk_buf *out)
{
    const char *before = "";
    gk_buf_append_str(out, "[");
    pthread_mutex_lock(&events->lock);
    for (size_t i = 1; i <= GK_RECENT_EVENTS_MAX; i++) {
        const char *line =
            events->lines[(events->next + GK_RECENT_EVENTS_MAX - i) % GK_RECENT_EVENTS_MAX];
        if (line != NULL) {
            gk_buf_append_str(out, before);
            gk_buf_append_str(out, line);
            before = ",";
        }
    }
    pthread_mutex_unlock(&events->lock);
    gk_buf_append_str(out, "]");
}
