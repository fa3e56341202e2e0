/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/account_metrics.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/scopes.h"
#include "gateway/manage/arm_account.h"
#include "gateway/manage/manage.h"
#include "gateway/metrics.h"

/* A reading that took longer than a scrape waits is followed by a rest of so many times as long. */
#define REST_FACTOR 9

struct gk_account_metrics {
    struct gk_gateway *gateway;
    uint32_t wait_ms;
    pthread_t thread;
    atomic_bool stopping;
    pthread_mutex_t mutex; /* of all that follows */
    pthread_cond_t changed;
    uint64_t asked;  /* how many scrapes there were */
    uint64_t served; /* how many of them the last reading was begun after */
    int64_t rest_until_ms;
    struct gk_buf text; /* of the last reading that came to its end */
};

/* Of the clock that the condition waits by, which no test moves. */
static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* --- the series ---------------------------------------------------------------------------------*/

/* Of accounts and scopes with a customer's key, one row each. None where there is nothing to tell. */
struct gauge {
    const char *name;
    int64_t (*wall_ms)(const struct gk_account_status *status);
    bool zero; /* it is told as 0 when it never was */
};

static int64_t last_check(const struct gk_account_status *status)
{
    return status->last_check_wall_ms;
}

static int64_t last_version_check(const struct gk_account_status *status)
{
    return status->last_version_check_wall_ms;
}

static int64_t last_rotation(const struct gk_account_status *status)
{
    return status->last_rotation_wall_ms;
}

static int64_t key_created(const struct gk_account_status *status)
{
    return status->key_created_wall_ms;
}

static int64_t key_expires(const struct gk_account_status *status)
{
    return status->key_expires_wall_ms;
}

static int64_t grace_ends(const struct gk_account_status *status)
{
    return status->grace_until_wall_ms;
}

static int64_t revoked_since(const struct gk_account_status *status)
{
    return status->revoked_since_wall_ms;
}

static int64_t unreachable_since(const struct gk_account_status *status)
{
    return status->unreachable_since_wall_ms;
}

static const struct gauge times[] = {
    {"gatekey_account_last_check_timestamp_seconds", last_check, true},
    {"gatekey_account_last_version_check_timestamp_seconds", last_version_check, true},
    {"gatekey_account_last_rotation_timestamp_seconds", last_rotation, true},
    {"gatekey_account_key_created_timestamp_seconds", key_created, false},
    {"gatekey_account_key_expires_timestamp_seconds", key_expires, false},
    {"gatekey_account_grace_ends_timestamp_seconds", grace_ends, false},
    {"gatekey_account_revoked_since_timestamp_seconds", revoked_since, false},
    {"gatekey_account_unreachable_since_timestamp_seconds", unreachable_since, false},
};

#define TIMES (sizeof times / sizeof *times)

/* Series of one name stand together, below their TYPE line: the times first, then these. */
enum { STATE = TIMES, PENDING, WARNING, SERIES };

static const char *series_name(size_t series)
{
    switch (series) {
    case STATE:
        return "gatekey_account_state";
    case PENDING:
        return "gatekey_account_rotation_pending";
    case WARNING:
        return "gatekey_account_key_warning";
    default:
        return times[series].name;
    }
}

struct gauges {
    const struct gk_account_metrics *metrics;
    enum gk_status status; /* not GK_OK: the reading has come to nothing */
    struct gk_error *error;
    struct gk_buf out[SERIES];
};

/* Whose key: account="a", or account="a",scope="s" of a path "a/s". */
#define LABELS_BYTES_MAX (GK_ACCOUNT_PATH_BYTES_MAX + sizeof "account=\"\",scope=\"\"")

static void make_labels(const char *path, char labels[LABELS_BYTES_MAX])
{
    const size_t account_len = strcspn(path, "/");
    const char *scope = path[account_len] == '/' ? path + account_len + 1 : NULL;
    snprintf(labels, LABELS_BYTES_MAX, "account=\"%.*s\"%s%s%s", (int)account_len, path,
             scope == NULL ? "" : ",scope=\"", scope == NULL ? "" : scope,
             scope == NULL ? "" : "\"");
}

/* One series per key, with its state as a label, as kube-state-metrics does: an alert on a state
 * needs no table of numbers. */
static void add_state(struct gauges *gauges, const char *labels, const char *state)
{
    gk_buf_printf(&gauges->out[STATE], "%s{%s,state=\"%s\"} 1\n", series_name(STATE), labels,
                  state);
}

static void add_warnings(struct gauges *gauges, const char *labels, uint32_t warnings)
{
    static const char *const names[] = GK_KEY_WARNING_NAMES;
    for (size_t i = 0; i < GK_KEY_WARNINGS_COUNT; i++) {
        gk_buf_printf(&gauges->out[WARNING], "%s{%s,warning=\"%s\"} %d\n", series_name(WARNING),
                      labels, names[i], (warnings >> i & 1u) != 0);
    }
}

static void add_customer_key(struct gauges *gauges, const char *labels,
                             const struct gk_account_status *status)
{
    for (size_t i = 0; i < TIMES; i++) {
        const int64_t wall_ms = times[i].wall_ms(status);
        if (wall_ms != 0 || times[i].zero) {
            gk_buf_printf(&gauges->out[i], "%s{%s} %.3f\n", times[i].name, labels,
                          (double)wall_ms / 1000.0);
        }
    }
    gk_buf_printf(&gauges->out[PENDING], "%s{%s} %d\n", series_name(PENDING), labels,
                  status->rotation_pending != 0);
    add_warnings(gauges, labels, status->key_warnings);
}

/* Whether nobody could be heard, so that the reading comes to nothing. Any other failure is the record's. */
static bool is_silence(struct gauges *gauges, enum gk_status status)
{
    if (status == GK_E_UNAVAILABLE || status == GK_E_RESOURCE) {
        gauges->status = status;
        return true;
    }
    gk_error_clear(gauges->error);
    return false;
}

/* Of what was not found: a scope's account has a row for it; of an account more may be left than its object. Where that
 * cannot be read the reading comes to nothing. */
static bool has_lost_record(struct gauges *gauges, const char *path)
{
    struct gk_store *store = gauges->metrics->gateway->store;
    bool remains = false;
    return strchr(path, '/') != NULL ||
           (!is_silence(gauges, gk_account_has_remains(store, path, &remains, gauges->error)) &&
            remains);
}

/* The key of an account, or of a scope. False: there is none of that name, or the store is silent: of a record that nobody
 * has seen there is nothing to tell, and the reading comes to nothing. */
static bool add_key(struct gauges *gauges, const char *path)
{
    const struct gk_plugin_host *host = gauges->metrics->gateway->host;
    struct gk_account_status state;
    char labels[LABELS_BYTES_MAX];
    make_labels(path, labels);
    const enum gk_status status =
        host->plugin->account_status(host->instance, path, &state, gauges->error);
    if (is_silence(gauges, status) ||
        (status == GK_E_NOT_FOUND && !has_lost_record(gauges, path))) {
        return false;
    }
    add_state(gauges, labels, status == GK_OK ? gk_arm_state_name(state.state) : "unreadable");
    if (status == GK_OK && state.settings.source == GK_KEY_SOURCE_CUSTOMER) {
        add_customer_key(gauges, labels, &state);
    }
    return true;
}

static bool goes_on(const struct gauges *gauges)
{
    return gauges->status == GK_OK && !atomic_load(&gauges->metrics->stopping);
}

/* Of an account that cannot be read too: its scopes have records of their own. Scopes that cannot be listed would be
 * scopes of which all is well: the former reading stands instead. */
static void add_scopes(struct gauges *gauges, const char *account)
{
    struct gk_buf names;
    gk_buf_init(&names, (GK_SCOPES_MAX + 1) * (size_t)GK_SCOPE_NAME_BYTES_MAX);
    const enum gk_status status =
        gk_scopes_list(gauges->metrics->gateway, account, &names, gauges->error);
    gauges->status = status == GK_E_NOT_FOUND ? GK_OK : status; /* it was deleted meanwhile */
    for (size_t at = 0; at < names.len && goes_on(gauges);) {
        const char *name = (const char *)names.data + at;
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        at += strlen(name) + 1;
        gk_scope_path(account, name, path);
        (void)add_key(gauges, path);
    }
    gk_buf_cleanup(&names);
}

static bool add_account(void *ctx, const char *name)
{
    struct gauges *gauges = ctx;
    if (add_key(gauges, name)) {
        add_scopes(gauges, name);
    }
    return goes_on(gauges);
}

/* The time of the reading's begin is told with what was read. */
static void join(const struct gauges *gauges, int64_t begun_wall_ms, struct gk_buf *text)
{
    for (size_t i = 0; i < SERIES; i++) {
        const struct gk_span lines = gk_buf_span(&gauges->out[i]);
        gk_metrics_head(text, series_name(i));
        gk_buf_append(text, lines.data, lines.len);
    }
    gk_metrics_head(text, "gatekey_accounts_read_timestamp_seconds");
    gk_buf_printf(text, "gatekey_accounts_read_timestamp_seconds %.3f\n",
                  (double)begun_wall_ms / 1000.0);
}

static enum gk_status read_all(const struct gk_account_metrics *metrics, struct gk_buf *text,
                               struct gk_error *error)
{
    const struct gk_gateway *gateway = metrics->gateway;
    const int64_t begun_wall_ms = gk_clock_wall_ms(&gateway->clock);
    struct gauges gauges = {.metrics = metrics, .status = GK_OK, .error = error};
    for (size_t i = 0; i < SERIES; i++) {
        gk_buf_init(&gauges.out[i], GK_MANAGE_ANSWER_BYTES_MAX);
    }
    enum gk_status status = gk_accounts_list(gateway->accounts, "", add_account, &gauges, error);
    status = status == GK_OK ? gauges.status : status;
    if (status == GK_OK) {
        join(&gauges, begun_wall_ms, text);
    }
    for (size_t i = 0; i < SERIES; i++) {
        if (status == GK_OK) {
            status = gk_buf_status(&gauges.out[i]);
        }
        gk_buf_cleanup(&gauges.out[i]);
    }
    return status == GK_OK ? gk_buf_status(text) : status;
}

/* --- the thread ---------------------------------------------------------------------------------*/

/* What was read stands until something newer was. */
static void read_once(struct gk_account_metrics *metrics, uint64_t serving)
{
    struct gk_error error = {0};
    struct gk_buf text;
    gk_buf_init(&text, GK_MANAGE_ANSWER_BYTES_MAX);
    const int64_t begun_ms = now_ms();
    const enum gk_status status = read_all(metrics, &text, &error);
    const int64_t ended_ms = now_ms();
    const int64_t took_ms = ended_ms - begun_ms;
    if (status != GK_OK) {
        gk_log(GK_LOG_WARNING, "metrics", "the accounts could not be read: %s", error.message);
    }
    pthread_mutex_lock(&metrics->mutex);
    if (status == GK_OK) {
        const struct gk_buf former = metrics->text;
        metrics->text = text;
        text = former;
    }
    metrics->served = serving;
    metrics->rest_until_ms =
        took_ms > (int64_t)metrics->wait_ms ? ended_ms + REST_FACTOR * took_ms : 0;
    pthread_cond_broadcast(&metrics->changed);
    pthread_mutex_unlock(&metrics->mutex);
    gk_buf_cleanup(&text);
}

static struct timespec at_ms(int64_t ms)
{
    return (struct timespec){.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000L};
}

static void *run(void *ctx)
{
    struct gk_account_metrics *metrics = ctx;
    pthread_mutex_lock(&metrics->mutex);
    while (!atomic_load(&metrics->stopping)) {
        const uint64_t serving = metrics->asked;
        const struct timespec rest_until = at_ms(metrics->rest_until_ms);
        if (serving == metrics->served) {
            pthread_cond_wait(&metrics->changed, &metrics->mutex);
        } else if (now_ms() < metrics->rest_until_ms) {
            pthread_cond_timedwait(&metrics->changed, &metrics->mutex, &rest_until);
        } else {
            pthread_mutex_unlock(&metrics->mutex);
            read_once(metrics, serving);
            pthread_mutex_lock(&metrics->mutex);
        }
    }
    pthread_mutex_unlock(&metrics->mutex);
    return NULL;
}

void gk_account_metrics_append(struct gk_account_metrics *metrics, struct gk_buf *out)
{
    const struct timespec until = at_ms(now_ms() + metrics->wait_ms);
    int code = 0;
    pthread_mutex_lock(&metrics->mutex);
    const uint64_t ticket = ++metrics->asked;
    pthread_cond_broadcast(&metrics->changed);
    while (metrics->served < ticket && now_ms() >= metrics->rest_until_ms && code != ETIMEDOUT) {
        code = pthread_cond_timedwait(&metrics->changed, &metrics->mutex, &until);
    }
    const struct gk_span text = gk_buf_span(&metrics->text);
    gk_buf_append(out, text.data, text.len);
    pthread_mutex_unlock(&metrics->mutex);
}

static void free_metrics(struct gk_account_metrics *metrics)
{
    gk_buf_cleanup(&metrics->text);
    pthread_cond_destroy(&metrics->changed);
    pthread_mutex_destroy(&metrics->mutex);
    free(metrics);
}

enum gk_status gk_account_metrics_start(struct gk_gateway *gateway, uint32_t wait_ms,
                                        struct gk_account_metrics **out, struct gk_error *error)
{
    pthread_condattr_t monotonic;
    *out = NULL;
    struct gk_account_metrics *metrics = calloc(1, sizeof *metrics);
    if (metrics == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    metrics->gateway = gateway;
    metrics->wait_ms = wait_ms;
    atomic_init(&metrics->stopping, false);
    gk_buf_init(&metrics->text, GK_MANAGE_ANSWER_BYTES_MAX);
    pthread_mutex_init(&metrics->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&metrics->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&metrics->thread, NULL, run, metrics) != 0) {
        free_metrics(metrics);
        return gk_fail(error, GK_E_RESOURCE, "no thread for the accounts' metrics");
    }
    *out = metrics;
    return GK_OK;
}

void gk_account_metrics_stop(struct gk_account_metrics *metrics)
{
    if (metrics == NULL) {
        return;
    }
    pthread_mutex_lock(&metrics->mutex);
    atomic_store(&metrics->stopping, true);
    pthread_cond_broadcast(&metrics->changed);
    pthread_mutex_unlock(&metrics->mutex);
    pthread_join(metrics->thread, NULL);
    free_metrics(metrics);
}
