/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/fake_provider.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/error.h"

#define WRAPPED_BYTES 256u

enum call_kind { CALL_GET, CALL_POLICY, CALL_WRAP, CALL_UNWRAP };

struct call {
    struct call *next;
    enum call_kind kind;
    struct gk_key_reference key;
    uint8_t bytes[GK_WRAPPED_BYTES_MAX];
    size_t len;
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
    pthread_t thread;
    bool running; /* the thread is to be joined; start and stop alone */
    bool started;
    bool stopping;
    struct call *calls;
    struct gk_provider_timer *timers;
};

/* One process, one fake; the vault outlives the providers that a restart makes. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct fake_vault vault;

struct fake_vault *fake_vault_lock(void)
{
    pthread_mutex_lock(&mutex);
    return &vault;
}

void fake_vault_unlock(void)
{
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

void fake_vault_reset(void)
{
    pthread_mutex_lock(&mutex);
    vault = (struct fake_vault){
        .versions = 1,
        .info = {.key_type = "RSA",
                 .modulus_bits = 2048,
                 .enabled = 1,
                 .may_wrap = 1,
                 .may_unwrap = 1,
                 .soft_delete = 1,
                 .purge_protected = 1,
                 .recovery_level = "Recoverable"},
    };
    pthread_mutex_unlock(&mutex);
}

void fake_key_id(unsigned version, char key_id[GK_KEY_ID_BYTES_MAX])
{
    snprintf(key_id, GK_KEY_ID_BYTES_MAX, FAKE_VAULT_URI "/keys/" FAKE_KEY_NAME "/%032x", version);
}

/* --- answers ---------------------------------------------------------------------------------- */

static unsigned version_of(const char *text)
{
    return text[0] == '\0' ? vault.versions : (unsigned)strtoul(text, NULL, 16);
}

static void refuse(struct gk_vault_answer *answer, enum gk_vault_verdict verdict)
{
    answer->verdict = verdict;
    snprintf(answer->code, sizeof answer->code, "%s",
             verdict == GK_VAULT_UNAVAILABLE ? "Timeout" : "Forbidden/KeyDisabled");
    snprintf(answer->message, sizeof answer->message, "the fake vault says so");
    snprintf(answer->request_id, sizeof answer->request_id, "fake-request");
    answer->http_status = verdict == GK_VAULT_UNAVAILABLE ? 0 : 403;
    answer->retry_after_ms = verdict == GK_VAULT_UNAVAILABLE ? vault.retry_after_ms : 0;
    answer->ours = verdict == GK_VAULT_UNAVAILABLE && vault.ours;
}

static void locked_answer_get(unsigned version, struct gk_vault_answer *answer)
{
    vault.gets++;
    if (vault.get_verdict != GK_VAULT_OK) {
        refuse(answer, vault.get_verdict);
        return;
    }
    answer->info = vault.info;
    answer->info.enabled = vault.info.enabled && !vault.disabled[version - 1];
}

/* Whether the unwrap, which has been counted, is one of those that fail whatever the vault is like. */
static bool locked_fails(struct gk_vault_answer *answer)
{
    if (vault.room != 0 && vault.unwraps > vault.room) {
        refuse(answer, GK_VAULT_UNAVAILABLE);
        answer->ours = true;
        return true;
    }
    if (vault.failing_unwrap != vault.unwraps) {
        return false;
    }
    refuse(answer, vault.failing_status == 403 ? GK_VAULT_KEY_REFUSED : GK_VAULT_UNAVAILABLE);
    answer->http_status = vault.failing_status;
    return true;
}

/* What a wrap tells of the key that made it. */
static uint8_t mark_of(const struct gk_key_reference *key)
{
    unsigned sum = 0;
    for (const char *at = key->vault_uri; *at != '\0'; at++) {
        sum = 31 * sum + (unsigned char)*at;
    }
    for (const char *at = key->name; *at != '\0'; at++) {
        sum = 31 * sum + (unsigned char)*at;
    }
    return (uint8_t)(sum % 251);
}

/* Wrapped: the key's bytes turned over, then the version and which key. No cipher is needed to test
 * who asks. */
static void locked_answer_wrap(const struct call *call, unsigned version, uint8_t *bytes,
                               struct gk_vault_answer *answer)
{
    vault.wraps++;
    if (vault.wrap_verdict != GK_VAULT_OK || vault.disabled[version - 1]) {
        refuse(answer,
               vault.wrap_verdict == GK_VAULT_OK ? GK_VAULT_KEY_REFUSED : vault.wrap_verdict);
        return;
    }
    memset(bytes, 0, WRAPPED_BYTES);
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        bytes[i] = (uint8_t)(call->bytes[i] ^ 0xa5u);
    }
    bytes[GK_ROOT_KEY_BYTES] = (uint8_t)(version + (vault.spoil_wrap ? 100 : 0));
    bytes[GK_ROOT_KEY_BYTES + 1] = mark_of(&call->key);
    snprintf(answer->algorithm, sizeof answer->algorithm, "RSA-OAEP-256");
    answer->value = (struct gk_span){bytes, WRAPPED_BYTES};
}

static void locked_answer_unwrap(const struct call *call, unsigned version, uint8_t *bytes,
                                 struct gk_vault_answer *answer)
{
    vault.unwraps++;
    const bool fits = call->len == WRAPPED_BYTES && call->bytes[GK_ROOT_KEY_BYTES] == version &&
                      call->bytes[GK_ROOT_KEY_BYTES + 1] == mark_of(&call->key);
    if (locked_fails(answer)) {
        return;
    }
    if (version == vault.silent_version) {
        refuse(answer, GK_VAULT_UNAVAILABLE);
        return;
    }
    if (vault.unwrap_verdict != GK_VAULT_OK || vault.disabled[version - 1] || !fits) {
        refuse(answer,
               vault.unwrap_verdict == GK_VAULT_OK ? GK_VAULT_KEY_REFUSED : vault.unwrap_verdict);
        return;
    }
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        bytes[i] = (uint8_t)(call->bytes[i] ^ (vault.plant ? 0x5au : 0xa5u));
    }
    answer->value = (struct gk_span){bytes, GK_ROOT_KEY_BYTES - (vault.short_key ? 1 : 0)};
}

static void locked_answer_policy(struct gk_vault_answer *answer)
{
    vault.policies++;
    if (vault.policy_verdict != GK_VAULT_OK) {
        refuse(answer, vault.policy_verdict);
        return;
    }
    answer->info.rotation_due_wall_ms = vault.rotation_due_wall_ms;
}

static void locked_name_key(const struct gk_key_reference *key, unsigned version,
                            char key_id[GK_KEY_ID_BYTES_MAX])
{
    static const char form[] = "%s/keys/%s/%032x";
    switch (vault.odd_key_id) {
    case 1:
        snprintf(key_id, GK_KEY_ID_BYTES_MAX, form, key->vault_uri, "strange", version);
        break;
    case 2:
        snprintf(key_id, GK_KEY_ID_BYTES_MAX, form, key->vault_uri, key->name, version + 1);
        break;
    case 3:
        snprintf(key_id, GK_KEY_ID_BYTES_MAX, form, "https://strange.test", key->name, version);
        break;
    case 4:
        snprintf(key_id, GK_KEY_ID_BYTES_MAX, "%s", key->name);
        break;
    default:
        snprintf(key_id, GK_KEY_ID_BYTES_MAX, form, key->vault_uri, key->name, version);
        break;
    }
}

static void locked_answer(const struct call *call, bool stopping, uint8_t *bytes,
                          struct gk_vault_answer *answer)
{
    memset(answer, 0, sizeof *answer);
    const unsigned version = version_of(call->key.version);
    if (stopping || version == 0 || version > vault.versions) {
        refuse(answer, stopping ? GK_VAULT_UNAVAILABLE : GK_VAULT_KEY_REFUSED);
        answer->ours = stopping;
        return;
    }
    locked_name_key(&call->key, version, answer->key_id);
    switch (call->kind) {
    case CALL_GET:
        locked_answer_get(version, answer);
        break;
    case CALL_POLICY:
        locked_answer_policy(answer);
        break;
    case CALL_WRAP:
        locked_answer_wrap(call, version, bytes, answer);
        break;
    case CALL_UNWRAP:
        locked_answer_unwrap(call, version, bytes, answer);
        break;
    }
}

/* --- the thread ------------------------------------------------------------------------------- */

static struct call *locked_take_call(struct gk_provider *provider)
{
    struct call **link = &provider->calls;
    while (*link != NULL && (*link)->kind == CALL_WRAP && vault.hold_wraps && !provider->stopping) {
        link = &(*link)->next;
    }
    struct call *call = *link;
    if (call == NULL || (vault.hold && !provider->stopping)) {
        return NULL;
    }
    *link = call->next;
    return call;
}

static struct gk_provider_timer *locked_take_timer(struct gk_provider *provider)
{
    const int64_t now_ms = provider->host.clock_mono_ms(provider->host.ctx);
    struct gk_provider_timer **link = &provider->timers;
    while (*link != NULL && (*link)->at_ms > now_ms) {
        link = &(*link)->next;
    }
    struct gk_provider_timer *timer = *link;
    if (timer != NULL) {
        *link = timer->next;
    }
    return timer;
}

static void run_call(struct gk_provider *provider, struct call *call)
{
    uint8_t bytes[WRAPPED_BYTES];
    struct gk_vault_answer answer;
    pthread_mutex_lock(&mutex);
    locked_answer(call, provider->stopping, bytes, &answer);
    pthread_mutex_unlock(&mutex);
    call->done(call->ctx, &answer);
    free(call);
}

/* The test's clock moves without telling us: look again every millisecond. */
static void locked_wait(void)
{
    struct timespec at;
    clock_gettime(CLOCK_REALTIME, &at);
    at.tv_nsec += 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_nsec -= 1000000000;
        at.tv_sec++;
    }
    pthread_cond_timedwait(&changed, &mutex, &at);
}

static void *run(void *ctx)
{
    struct gk_provider *provider = ctx;
    pthread_mutex_lock(&mutex);
    for (;;) {
        struct call *call = locked_take_call(provider);
        struct gk_provider_timer *timer =
            call == NULL && !provider->stopping ? locked_take_timer(provider) : NULL;
        if (call == NULL && timer == NULL) {
            if (provider->stopping) {
                break;
            }
            locked_wait();
            continue;
        }
        pthread_mutex_unlock(&mutex);
        if (call != NULL) {
            run_call(provider, call);
        } else {
            timer->fn(timer->ctx);
            free(timer);
        }
        pthread_mutex_lock(&mutex);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

/* --- the operations --------------------------------------------------------------------------- */

static enum gk_status create(const struct gk_provider_host *host, struct gk_provider **out,
                             struct gk_error *error)
{
    (void)error;
    *out = calloc(1, sizeof **out);
    (*out)->host = *host;
    return GK_OK;
}

static enum gk_status config(struct gk_provider *provider, const char *key, const char *value,
                             struct gk_error *error)
{
    (void)provider, (void)value;
    return strcmp(key, "fake") == 0 ? GK_OK : gk_fail(error, GK_E_NOT_FOUND, "unknown");
}

static enum gk_status config_check(struct gk_provider *provider, struct gk_error *error)
{
    (void)provider, (void)error;
    return GK_OK;
}

static enum gk_status start(struct gk_provider *provider, struct gk_error *error)
{
    (void)error;
    pthread_mutex_lock(&mutex);
    provider->started = true;
    pthread_mutex_unlock(&mutex);
    provider->running = pthread_create(&provider->thread, NULL, run, provider) == 0;
    return provider->running ? GK_OK : GK_E_RESOURCE;
}

static void stop(struct gk_provider *provider)
{
    pthread_mutex_lock(&mutex);
    provider->stopping = true;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (provider->running) {
        pthread_join(provider->thread, NULL);
        provider->running = false;
    }
}

static void destroy(struct gk_provider *provider)
{
    while (provider->timers != NULL) {
        struct gk_provider_timer *timer = provider->timers;
        provider->timers = timer->next;
        free(timer);
    }
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
    (void)provider, (void)identity;
    return strcmp(key->vault_uri, FAKE_VAULT_URI) == 0 ||
                   strcmp(key->vault_uri, FAKE_OTHER_URI) == 0
               ? GK_OK
               : gk_fail(error, GK_E_INVALID, "not a vault that is configured");
}

static void submit(struct gk_provider *provider, struct call *call)
{
    pthread_mutex_lock(&mutex);
    if (provider->started && !provider->stopping) {
        struct call **link = &provider->calls;
        while (*link != NULL) {
            link = &(*link)->next;
        }
        *link = call;
        call = NULL;
        pthread_cond_broadcast(&changed);
    }
    pthread_mutex_unlock(&mutex);
    if (call != NULL) { /* it could not be started */
        struct gk_vault_answer answer = {.verdict = GK_VAULT_UNAVAILABLE, .ours = 1};
        call->done(call->ctx, &answer);
        free(call);
    }
}

static struct call *new_call(enum call_kind kind, const struct gk_key_reference *key,
                             gk_vault_done_fn *done, void *ctx)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        abort();
    }
    call->kind = kind;
    call->key = *key;
    call->done = done;
    call->ctx = ctx;
    return call;
}

static void key_get(struct gk_provider *provider, const struct gk_identity_reference *identity,
                    const struct gk_key_reference *key, uint32_t deadline_ms,
                    gk_vault_done_fn *done, void *ctx)
{
    (void)identity, (void)deadline_ms;
    submit(provider, new_call(CALL_GET, key, done, ctx));
}

static void rotation_due(struct gk_provider *provider, const struct gk_identity_reference *identity,
                         const struct gk_key_reference *key, const struct gk_key_info *version,
                         uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    (void)identity, (void)version, (void)deadline_ms;
    submit(provider, new_call(CALL_POLICY, key, done, ctx));
}

static void wrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                 const struct gk_key_reference *key, const uint8_t plain[GK_ROOT_KEY_BYTES],
                 uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    (void)identity, (void)deadline_ms;
    struct call *call = new_call(CALL_WRAP, key, done, ctx);
    memcpy(call->bytes, plain, GK_ROOT_KEY_BYTES);
    call->len = GK_ROOT_KEY_BYTES;
    submit(provider, call);
}

static void unwrap(struct gk_provider *provider, const struct gk_identity_reference *identity,
                   const struct gk_key_reference *key, const char *algorithm,
                   struct gk_span wrapped, uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx)
{
    (void)identity, (void)deadline_ms, (void)algorithm;
    struct call *call = new_call(CALL_UNWRAP, key, done, ctx);
    memcpy(call->bytes, wrapped.data, wrapped.len);
    call->len = wrapped.len;
    submit(provider, call);
}

static struct gk_provider_timer *call_at(struct gk_provider *provider, int64_t at_ms,
                                         gk_timer_fn *fn, void *ctx)
{
    struct gk_provider_timer *timer = calloc(1, sizeof *timer);
    if (timer != NULL) {
        *timer = (struct gk_provider_timer){.at_ms = at_ms, .fn = fn, .ctx = ctx};
        pthread_mutex_lock(&mutex);
        timer->next = provider->timers;
        provider->timers = timer;
        pthread_mutex_unlock(&mutex);
    }
    return timer;
}

static void cancel(struct gk_provider *provider, struct gk_provider_timer *timer)
{
    pthread_mutex_lock(&mutex);
    struct gk_provider_timer **link = &provider->timers;
    while (*link != NULL && *link != timer) {
        link = &(*link)->next;
    }
    const bool found = *link != NULL;
    if (found) {
        *link = timer->next;
    }
    pthread_mutex_unlock(&mutex);
    if (found) {
        free(timer);
    }
}

const struct gk_provider_ops fake_provider_ops = {
    .api_version = GK_PROVIDER_API_VERSION,
    .struct_size = sizeof fake_provider_ops,
    .name = "fake",
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
    .rotation_due = rotation_due,
};
