/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/faults.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/error.h"

struct kv_faults {
    pthread_mutex_t mutex;
    pthread_cond_t stop; /* on CLOCK_MONOTONIC */
    bool stopped;
    struct kv_fault list[KV_FAULTS_MAX];
    size_t count;
};

struct kv_faults *kv_faults_new(void)
{
    struct kv_faults *faults = calloc(1, sizeof *faults);
    if (faults != NULL) {
        pthread_condattr_t attributes;
        pthread_condattr_init(&attributes);
        pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
        pthread_cond_init(&faults->stop, &attributes);
        pthread_condattr_destroy(&attributes);
        pthread_mutex_init(&faults->mutex, NULL);
    }
    return faults;
}

void kv_faults_free(struct kv_faults *faults)
{
    if (faults != NULL) {
        pthread_cond_destroy(&faults->stop);
        pthread_mutex_destroy(&faults->mutex);
        free(faults);
    }
}

static bool copy_text(const json_t *object, const char *name, char *out, size_t size)
{
    const json_t *value = json_object_get(object, name);
    const char *text = json_string_value(value);
    if (value == NULL) {
        return true;
    }
    if (text == NULL || strlen(text) >= size) {
        return false;
    }
    memcpy(out, text, strlen(text) + 1);
    return true;
}

static bool copy_number(const json_t *object, const char *name, int64_t minimum, int64_t maximum,
                        int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    if (value == NULL) {
        return true;
    }
    *out = json_integer_value(value);
    return json_is_integer(value) && *out >= minimum && *out <= maximum;
}

static bool action_of(const json_t *object, enum kv_fault_action *out)
{
    static const char *const names[] = {"none", "drop",      "garbage",   "truncate",
                                        "huge", "wrong_kid", "short_key", "long_key"};
    char text[24] = "none";
    if (!copy_text(object, "action", text, sizeof text)) {
        return false;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strcmp(names[i], text) == 0) {
            *out = (enum kv_fault_action)i;
            return true;
        }
    }
    return false;
}

enum gk_status kv_faults_add(struct kv_faults *faults, const json_t *object, struct gk_error *error)
{
    struct kv_fault fault = {.count = 1};
    int64_t status = 0;
    if (!copy_text(object, "operation", fault.operation, sizeof fault.operation) ||
        fault.operation[0] == '\0' || !copy_text(object, "key", fault.key, sizeof fault.key) ||
        !copy_text(object, "client_id", fault.client_id, sizeof fault.client_id) ||
        !copy_text(object, "body", fault.body, sizeof fault.body) ||
        !copy_text(object, "challenge", fault.challenge, sizeof fault.challenge) ||
        !copy_number(object, "count", -1, INT32_MAX, &fault.count) ||
        !copy_number(object, "delay_ms", 0, KV_FAULT_DELAY_MAX, &fault.delay_ms) ||
        !copy_number(object, "status", 200, 599, &status) ||
        !copy_number(object, "retry_after", 0, 86400, &fault.retry_after_s) ||
        !action_of(object, &fault.action)) {
        return gk_fail(error, GK_E_INVALID, "no fault, or a member of it is out of range");
    }
    fault.status = (unsigned)status;
    enum gk_status result = GK_OK;
    pthread_mutex_lock(&faults->mutex);
    if (faults->count == KV_FAULTS_MAX) {
        result = gk_fail(error, GK_E_LIMIT, "there are %u faults already", KV_FAULTS_MAX);
    } else if (fault.count != 0) {
        faults->list[faults->count++] = fault;
    }
    pthread_mutex_unlock(&faults->mutex);
    return result;
}

static bool is_one(const char *wanted, const char *text)
{
    return wanted != NULL && wanted[0] != '\0' && strcmp(wanted, text) == 0;
}

uint64_t kv_faults_clear(struct kv_faults *faults, const char *key, const char *client_id)
{
    const bool all = key == NULL && client_id == NULL;
    uint64_t taken = 0;
    size_t kept = 0;
    pthread_mutex_lock(&faults->mutex);
    for (size_t i = 0; i < faults->count; i++) {
        const struct kv_fault *fault = &faults->list[i];
        if (all || is_one(key, fault->key) || is_one(client_id, fault->client_id)) {
            taken += fault->taken;
        } else {
            faults->list[kept++] = *fault;
        }
    }
    faults->count = kept;
    pthread_mutex_unlock(&faults->mutex);
    return taken;
}

static bool applies(const struct kv_fault *fault, const struct kv_fault_call *call)
{
    return (strcmp(fault->operation, "*") == 0 || strcmp(fault->operation, call->operation) == 0) &&
           (fault->key[0] == '\0' || strcmp(fault->key, call->key) == 0) &&
           (fault->client_id[0] == '\0' || strcmp(fault->client_id, call->client_id) == 0);
}

bool kv_faults_take(struct kv_faults *faults, const struct kv_fault_call *call,
                    struct kv_fault *out)
{
    pthread_mutex_lock(&faults->mutex);
    size_t at = 0;
    while (at < faults->count && !applies(&faults->list[at], call)) {
        at++;
    }
    const bool found = at < faults->count;
    if (found) {
        struct kv_fault *fault = &faults->list[at];
        fault->taken++;
        *out = *fault;
        if (fault->count > 0 && --fault->count == 0) {
            faults->count--;
            memmove(fault, fault + 1, (faults->count - at) * sizeof *fault);
        }
    }
    pthread_mutex_unlock(&faults->mutex);
    return found;
}

void kv_faults_delay(struct kv_faults *faults, int64_t delay_ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += delay_ms / 1000;
    until.tv_nsec += delay_ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&faults->mutex);
    while (!faults->stopped && pthread_cond_timedwait(&faults->stop, &faults->mutex, &until) == 0) {
    }
    pthread_mutex_unlock(&faults->mutex);
}

void kv_faults_stop(struct kv_faults *faults)
{
    pthread_mutex_lock(&faults->mutex);
    faults->stopped = true;
    pthread_cond_broadcast(&faults->stop);
    pthread_mutex_unlock(&faults->mutex);
}
