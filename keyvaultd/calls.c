/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/calls.h"

#include <pthread.h>
#include <stdlib.h>

#include "common/log.h"

struct kv_calls {
    pthread_mutex_t mutex;
    uint64_t last; /* number of the newest */
    struct kv_call ring[KV_CALLS_KEPT];
};

struct kv_calls *kv_calls_new(void)
{
    struct kv_calls *calls = calloc(1, sizeof *calls);
    if (calls != NULL) {
        pthread_mutex_init(&calls->mutex, NULL);
    }
    return calls;
}

void kv_calls_free(struct kv_calls *calls)
{
    if (calls != NULL) {
        pthread_mutex_destroy(&calls->mutex);
        free(calls);
    }
}

void kv_calls_add(struct kv_calls *calls, const struct kv_call *call)
{
    pthread_mutex_lock(&calls->mutex);
    const uint64_t seq = ++calls->last;
    struct kv_call *kept = &calls->ring[seq % KV_CALLS_KEPT];
    *kept = *call;
    kept->seq = seq;
    pthread_mutex_unlock(&calls->mutex);
    gk_log(GK_LOG_INFO, "call",
           "%llu %s key=%s version=%s identity=%s status=%u code=%s request=%s",
           (unsigned long long)seq, call->operation, call->key, call->version, call->identity,
           call->status, call->code, call->request_id);
}

static json_t *json_of_call(const struct kv_call *call)
{
    return json_pack("{s:I, s:I, s:s, s:s, s:s, s:s, s:i, s:s, s:s}", "seq", (json_int_t)call->seq,
                     "time", (json_int_t)call->time_ms, "operation", call->operation, "key",
                     call->key, "version", call->version, "identity", call->identity, "status",
                     (int)call->status, "code", call->code, "request_id", call->request_id);
}

json_t *kv_calls_after(struct kv_calls *calls, uint64_t seq)
{
    json_t *list = json_array();
    bool good = list != NULL;
    pthread_mutex_lock(&calls->mutex);
    if (calls->last > KV_CALLS_KEPT && seq < calls->last - KV_CALLS_KEPT) {
        seq = calls->last - KV_CALLS_KEPT;
    }
    size_t count = 0;
    while (good && seq < calls->last && count < KV_CALLS_AT_ONCE) {
        seq++;
        count++;
        good = json_array_append_new(list, json_of_call(&calls->ring[seq % KV_CALLS_KEPT])) == 0;
    }
    pthread_mutex_unlock(&calls->mutex);
    if (!good) {
        json_decref(list);
        return NULL;
    }
    return json_pack("{s:o, s:I}", "calls", list, "next", (json_int_t)seq);
}
