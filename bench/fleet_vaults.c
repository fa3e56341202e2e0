/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/fleet_vaults.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/span.h"
#include "keyprovider/breaker.h"
#include "keyprovider/pace.h"

#define WRAPPED_BYTES 256u
#define PAD           0xa5u

enum kind { GET, WRAP, UNWRAP };

struct call {
    struct call *next;
    enum kind kind;
    struct gk_key_reference key;
    uint8_t bytes[WRAPPED_BYTES];
    int64_t deadline_ms;
    gk_vault_done_fn *done;
    void *ctx;
};

struct gk_provider_timer {
    struct gk_provider_timer *next;
    int64_t at_ms;
    gk_timer_fn *fn;
    void *ctx;
};

struct gk_provider {
    struct gk_provider_host host;
    struct gk_provider_timer *timers;
    struct gk_kv_paces paces;
    struct gk_kv_breakers breakers;
    bool stopping;
};

struct fleet_vaults fleet;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct call *first; /* under the mutex */
static struct call **last = &first;

bool fleet_vault_is_silent(unsigned vault)
{
    const struct fleet_vault *at = &fleet.vaults[vault];
    const int64_t now_ms = atomic_load(&fleet.now_ms);
    return now_ms >= at->silent_from_ms && now_ms < at->silent_until_ms;
}

/* --- answers ------------------------------------------------------------------------------------- */

static void refuse(struct gk_vault_answer *answer)
{
    fleet.calls.refused++;
    answer->verdict = GK_VAULT_KEY_REFUSED;
    snprintf(answer->code, sizeof answer->code, "Forbidden/KeyDisabled");
}

static void name_version(const struct gk_key_reference *key, unsigned version,
                         struct gk_vault_answer *answer)
{
    snprintf(answer->key_id, sizeof answer->key_id, "%s/keys/%s/%032x", key->vault_uri, key->name,
             version);
}

static void answer_get(const struct fleet_key *key, struct gk_vault_answer *answer)
{
    fleet.calls.gets++;
    answer->info = (struct gk_key_info){.key_type = "RSA",
                                        .modulus_bits = 2048,
                                        .enabled = !key->disabled,
                                        .may_wrap = 1,
                                        .may_unwrap = 1,
                                        .soft_delete = 1,
                                        .purge_protected = 1,
                                        .recovery_level = "Recoverable"};
}

/* Turned over, and the version: who asks is what this is about. */
static void answer_wrap(struct call *call, const struct fleet_key *key, unsigned version,
                        struct gk_vault_answer *answer)
{
    fleet.calls.wraps++;
    if (key->disabled) {
        refuse(answer);
        return;
    }
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        call->bytes[i] ^= PAD;
    }
    memcpy(call->bytes + GK_ROOT_KEY_BYTES, &version, sizeof version);
    snprintf(answer->algorithm, sizeof answer->algorithm, "RSA-OAEP-256");
    answer->value = gk_span_of(call->bytes, WRAPPED_BYTES);
}

static void answer_unwrap(struct call *call, const struct fleet_key *key, unsigned version,
                          struct gk_vault_answer *answer)
{
    const int64_t now_ms = atomic_load(&fleet.now_ms);
    fleet.calls.unwraps++;
    if (key->disabled || version + 1 < key->version ||
        (version < key->version && now_ms >= key->old_until_ms)) {
        refuse(answer);
        return;
    }
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        call->bytes[i] ^= PAD;
    }
    answer->value = gk_span_of(call->bytes, GK_ROOT_KEY_BYTES);
}

static void ask_vault(struct call *call, unsigned number, struct gk_vault_answer *answer)
{
    const struct fleet_key *key = &fleet.keys[number];
    const unsigned version = call->key.version[0] == '\0'
                                 ? key->version
                                 : (unsigned)strtoul(call->key.version, NULL, 16);
    answer->verdict = GK_VAULT_OK;
    name_version(&call->key, version, answer);
    if (call->kind == GET) {
        answer_get(key, answer);
    } else if (call->kind == WRAP) {
        answer_wrap(call, key, version, answer);
    } else {
        answer_unwrap(call, key, version, answer);
    }
}

static bool has_its_turn(struct gk_provider *provider, const struct call *call, int64_t now_ms)
{
    const int64_t latest_ms = now_ms + call->deadline_ms;
    if (gk_kv_breaker_ask(&provider->breakers, call->key.vault_uri, now_ms, latest_ms) > now_ms) {
        return false;
    }
    const uint32_t cost_ms = gk_kv_pace_cost_ms(call->kind == UNWRAP ? WRAPPED_BYTES : 0);
    const int64_t at_ms =
        gk_kv_pace_take(&provider->paces, call->key.vault_uri, cost_ms, now_ms, latest_ms);
    if (at_ms >= latest_ms) {
        fleet.calls.paced_out++;
        return false;
    }
    fleet.waited_ms += at_ms - now_ms;
    atomic_store(&fleet.now_ms, at_ms); /* whoever asks waits, and so do those behind */
    return true;
}

static void answer(struct gk_provider *provider, struct call *call)
{
    const int64_t now_ms = atomic_load(&fleet.now_ms);
    struct gk_vault_answer result = {.verdict = GK_VAULT_UNAVAILABLE, .code = "NoAnswer"};
    const unsigned number = (unsigned)strtoul(call->key.name + strlen("key"), NULL, 10);
    if (!provider->stopping && has_its_turn(provider, call, now_ms)) {
        if (fleet_vault_is_silent(number % fleet.vaults_count)) {
            fleet.calls.silent++;
            (void)gk_kv_breaker_silent(&provider->breakers, call->key.vault_uri, now_ms, "NoAnswer",
                                       "");
        } else {
            (void)gk_kv_breaker_answered(&provider->breakers, call->key.vault_uri);
            ask_vault(call, number, &result);
        }
    }
    call->done(call->ctx, &result);
    free(call);
}

/* --- the one thread -------------------------------------------------------------------------------- */

void fleet_wake(void)
{
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

void fleet_serve_until(struct gk_provider *provider, const atomic_bool *done)
{
    pthread_mutex_lock(&mutex);
    while (first != NULL || !atomic_load(done)) {
        struct call *call = first;
        if (call == NULL) {
            pthread_cond_wait(&changed, &mutex);
            continue;
        }
        first = call->next;
        last = first == NULL ? &first : last;
        pthread_mutex_unlock(&mutex);
        answer(provider, call);
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
}

void fleet_run_timers(struct gk_provider *provider)
{
    const int64_t now_ms = atomic_load(&fleet.now_ms);
    struct gk_provider_timer *due = provider->timers;
    provider->timers = NULL;
    while (due != NULL) {
        struct gk_provider_timer *timer = due;
        due = timer->next;
        if (timer->at_ms > now_ms) {
            timer->next = provider->timers;
            provider->timers = timer;
            continue;
        }
        timer->fn(timer->ctx);
        free(timer);
    }
}

/* --- the operations -------------------------------------------------------------------------------- */

static enum gk_status create(const struct gk_provider_host *host, struct gk_provider **out,
                             struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    (*out)->host = *host;
    return GK_OK;
}

static enum gk_status config(struct gk_provider *provider, const char *key, const char *value,
                             struct gk_error *error)
{
    (void)provider, (void)value;
    return gk_fail(error, GK_E_NOT_FOUND, "%s: there is no such setting", key);
}

static enum gk_status config_check(struct gk_provider *provider, struct gk_error *error)
{
    (void)provider, (void)error;
    return GK_OK;
}

static enum gk_status start(struct gk_provider *provider, struct gk_error *error)
{
    (void)provider, (void)error;
    return GK_OK;
}

static void stop(struct gk_provider *provider)
{
    const atomic_bool done = true;
    provider->stopping = true;
    fleet_serve_until(provider, &done);
}

static void destroy(struct gk_provider *provider)
{
    while (provider->timers != NULL) {
        struct gk_provider_timer *timer = provider->timers;
        provider->timers = timer->next;
        free(timer);
    }
    gk_kv_paces_cleanup(&provider->paces);
    gk_kv_breakers_cleanup(&provider->breakers);
    free(provider);
}

static enum gk_status service_key_derive(struct gk_provider *provider, const char *label,
                                         uint8_t out[GK_ROOT_KEY_BYTES], struct gk_error *error)
{
    (void)provider, (void)error;
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        out[i] = (uint8_t)((unsigned char)label[i % strlen(label)] + i);
    }
    return GK_OK;
}

static void service_key_id(struct gk_provider *provider, char id[17])
{
    (void)provider;
    snprintf(id, 17, "0123456789abcdef");
}

static enum gk_status check_reference(struct gk_provider *provider,
                                      const struct gk_identity_reference *identity,
                                      const struct gk_key_reference *key, struct gk_error *error)
{
    (void)provider, (void)identity, (void)key, (void)error;
    return GK_OK;
}

static void submit(enum kind kind, const struct gk_key_reference *key, struct gk_span bytes,
                   uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        abort();
    }
    call->kind = kind;
    call->key = *key;
    if (bytes.len > 0) {
        memcpy(call->bytes, bytes.data, bytes.len);
    }
    call->deadline_ms = deadline_ms;
    call->done = done;
    call->ctx = ctx;
    pthread_mutex_lock(&mutex);
    *last = call;
    last = &call->next;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&mutex);
}

static void key_get(struct gk_provider *provider, const struct gk_identity_reference *identity,
                    const struct gk_key_reference *key, uint32_t deadline_ms,
                    gk_vault_done_fn *done, void *ctx)
{
    (void)provider, (void)identity;
    submit(GET, key, gk_span_of(NULL, 0), deadline_ms, done, ctx);
}

static void wrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                 const struct gk_key_reference *key, const uint8_t plain[GK_ROOT_KEY_BYTES],
                 uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    (void)provider, (void)identity;
    submit(WRAP, key, gk_span_of(plain, GK_ROOT_KEY_BYTES), deadline_ms, done, ctx);
}

static void unwrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                   const struct gk_key_reference *key, const char *algorithm,
                   struct gk_span wrapped, uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    (void)provider, (void)identity, (void)algorithm;
    submit(UNWRAP, key, wrapped, deadline_ms, done, ctx);
}

/* Before the threads start, and on the one thread. */
static struct gk_provider_timer *call_at(struct gk_provider *provider, int64_t at_ms,
                                         gk_timer_fn *fn, void *ctx)
{
    struct gk_provider_timer *timer = calloc(1, sizeof *timer);
    if (timer != NULL) {
        *timer = (struct gk_provider_timer){
            .next = provider->timers, .at_ms = at_ms, .fn = fn, .ctx = ctx};
        provider->timers = timer;
    }
    return timer;
}

static void cancel(struct gk_provider *provider, struct gk_provider_timer *timer)
{
    struct gk_provider_timer **link = &provider->timers;
    while (*link != NULL && *link != timer) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = timer->next;
        free(timer);
    }
}

const struct gk_provider_ops fleet_provider_ops = {
    .api_version = GK_PROVIDER_API_VERSION,
    .struct_size = sizeof fleet_provider_ops,
    .name = "fleet",
    .create = create,
    .config = config,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .service_key_derive = service_key_derive,
    .service_key_id = service_key_id,
    .check_reference = check_reference,
    .key_get = key_get,
    .wrap = wrap,
    .unwrap = unwrap,
    .call_at = call_at,
    .cancel = cancel,
    .config_check = config_check,
};
