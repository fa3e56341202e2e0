/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/call.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "common/text.h"
#include "keyprovider/pause.h"
#include "keyprovider/provider.h"
#include "keyprovider/route.h"

#define BACKOFF_FIRST_MS 200u
#define BACKOFF_MAX_MS   16000u
#define STATUS_OK        200u
#define STATUS_TOO_MANY  429u
#define PROBES_AWAITED   2u    /* of the breaker's, by one who is not let through */
#define PROBE_PART       2u    /* of a call's time that has to be left for it to be one */
#define ANSWER_PART      4u    /* of a call's time that the vault has for its answer, at least, */
#define ANSWER_MS_MAX    1000u /* or this where that is less */

/* One byte more than a key, so that a longer one is told from one that fits; and one for the NUL. */
#define UNWRAPPED_BYTES (GK_ROOT_KEY_BYTES + 2u)

struct gk_kv_call {
    struct gk_kv_task task;
    struct gk_kv_call *next;
    struct gk_kv_call **link; /* what points to this one; NULL: not in the list */
    struct gk_provider *provider;
    enum gk_kv_operation operation;
    struct gk_key_reference key;
    uint32_t deadline_ms;
    gk_vault_done_fn *done;
    void *ctx;
    uint8_t *body; /* secret: what is sent; NULL for a get */
    size_t body_len;
    size_t input_len;           /* of what is wrapped or unwrapped */
    struct gk_key_info version; /* of a look at the rotation policy */
    uint8_t *value;             /* secret: what came back */

    struct gk_kv_route route;
    struct gk_kv_grant grant; /* an application's tenant is "" while the vault's is not known */
    bool tenant_learned;      /* from the vault, for this call */
    int64_t deadline_real_ms;
    unsigned attempts;
    unsigned held;      /* how often the breaker did not let it through since it last asked */
    bool token_renewed; /* a token was rejected once; the next refusal counts */
    uint64_t token_serial;
    struct gk_kv_token_waiter waiter;
    struct gk_kv_exchange *exchange;
    struct gk_kv_lookup *lookup;
    struct gk_kv_timer deadline;
    struct gk_kv_timer backoff;
    struct gk_vault_answer answer;
};

/* --- the end ------------------------------------------------------------------------------------ */

static void count_call(const struct gk_kv_call *call)
{
    static const char *const operations[] = {"get", "wrap", "unwrap", "get_policy"};
    static const char *const results[] = {"ok", "key_refused", "gone", "identity_gone",
                                          "unavailable"};
    const struct gk_provider_host *host = &call->provider->host;
    char labels[64];
    snprintf(labels, sizeof labels, "operation=\"%s\",result=\"%s\"", operations[call->operation],
             results[call->answer.verdict]);
    host->count(host->ctx, "gatekey_vault_calls_total", labels, 1);
    if (call->deadline_real_ms == 0) {
        return; /* it was never begun */
    }
    const int64_t begun_real_ms = call->deadline_real_ms - call->deadline_ms;
    snprintf(labels, sizeof labels, "operation=\"%s\"", operations[call->operation]);
    host->count(host->ctx, "gatekey_vault_call_duration_seconds", labels,
                (double)(gk_kv_real_now_ms() - begun_real_ms) / 1000.0);
}

static void free_call(struct gk_kv_call *call)
{
    gk_secret_free(&call->body);
    gk_secret_free(&call->value);
    free(call);
}

static void finish(struct gk_kv_call *call)
{
    struct gk_kv_loop *loop = &call->provider->loop;
    gk_kv_loop_disarm(loop, &call->deadline);
    gk_kv_loop_disarm(loop, &call->backoff);
    gk_kv_token_forget(&call->waiter);
    gk_kv_exchange_cancel(call->exchange);
    gk_kv_lookup_abandon(call->lookup);
    if (call->link != NULL) {
        *call->link = call->next;
        if (call->next != NULL) {
            call->next->link = call->link;
        }
    }
    count_call(call);
    call->done(call->ctx, &call->answer);
    free_call(call);
}

static void set_reason(struct gk_kv_call *call, enum gk_vault_verdict verdict, const char *code,
                       const char *message)
{
    call->answer.verdict = verdict;
    snprintf(call->answer.code, sizeof call->answer.code, "%s", code);
    snprintf(call->answer.message, sizeof call->answer.message, "%.*s",
             (int)sizeof call->answer.message - 1, message);
}

static void fail(struct gk_kv_call *call, enum gk_vault_verdict verdict, const char *code,
                 const char *message)
{
    set_reason(call, verdict, code, message);
    finish(call);
}

/* For a reason that is not the vault's. */
static void fail_ours(struct gk_kv_call *call, const char *code, const char *message)
{
    call->answer.ours = 1;
    fail(call, GK_VAULT_UNAVAILABLE, code, message);
}

/* --- the vault's breaker -------------------------------------------------------------------------- */

static void tell_breaker(const struct gk_kv_call *call, enum gk_log_level level, const char *what)
{
    const struct gk_provider_host *host = &call->provider->host;
    char line[GK_VAULT_URI_BYTES_MAX + sizeof call->answer.message + 128];
    snprintf(line, sizeof line, "%s: %s%s%s", call->key.vault_uri, what,
             call->answer.message[0] == '\0' ? "" : "; the last time: ", call->answer.message);
    host->log(host->ctx, level, "keyprovider", line);
}

static void note_silence(struct gk_kv_call *call)
{
    const struct gk_provider_host *host = &call->provider->host;
    if (gk_kv_breaker_silent(&call->provider->breakers, call->key.vault_uri, gk_kv_real_now_ms(),
                             call->answer.code, call->answer.message)) {
        tell_breaker(call, GK_LOG_WARNING,
                     "the vault does not answer; it is asked by one call at a time until it does");
        host->count(host->ctx, "gatekey_vault_breaks_total", "", 1);
    }
}

/* Nothing came at all: while this thread stood still, that is no silence of the vault's. */
static void note_no_answer(struct gk_kv_call *call)
{
    call->answer.ours = gk_kv_loop_was_late(&call->provider->loop);
    if (!call->answer.ours) {
        note_silence(call);
    }
}

static void note_answer(struct gk_kv_call *call)
{
    if (gk_kv_breaker_answered(&call->provider->breakers, call->key.vault_uri)) {
        tell_breaker(call, GK_LOG_INFO, "the vault answers again");
    }
}

/* --- once more ---------------------------------------------------------------------------------- */

static void ask(struct gk_kv_call *call);

/* What is wrapped is as long as the modulus. A get costs as little as the smallest key, and so, unknown as the key's
 * size is to it, a wrap: the unwrap that proves it pays. */
static uint32_t cost_ms(const struct gk_kv_call *call)
{
    const bool weighed = call->operation == GK_KV_UNWRAP && call->route.dialect->weighs_keys;
    return gk_kv_pace_cost_ms(weighed ? call->input_len : 0);
}

static void on_backoff(void *ctx);

/* A probe that ends with its own deadline says nothing of the vault, and would count as its silence. */
static int64_t probe_by_ms(const struct gk_kv_call *call)
{
    return call->deadline_real_ms - call->deadline_ms / PROBE_PART;
}

static void hold(struct gk_kv_call *call, int64_t until_ms)
{
    struct gk_provider *provider = call->provider;
    if (call->held++ < PROBES_AWAITED && until_ms <= probe_by_ms(call)) {
        gk_kv_loop_arm(&provider->loop, &call->backoff, until_ms, on_backoff, call);
        return;
    }
    call->answer.ours = 0; /* as an attempt before may have been: this is the vault's silence */
    gk_kv_breaker_reason(&provider->breakers, call->key.vault_uri, &call->answer);
    finish(call);
}

/* Whether the vault's breaker lets it through; else it is held, or has ended. */
static bool is_let_through(struct gk_kv_call *call, int64_t now_ms)
{
    const int64_t open_ms = gk_kv_breaker_ask(&call->provider->breakers, call->key.vault_uri,
                                              now_ms, probe_by_ms(call));
    if (open_ms > now_ms) {
        hold(call, open_ms);
        return false;
    }
    call->held = 0;
    return true;
}

/* The vault may have fallen silent since the place was taken. */
static void on_turn(void *ctx)
{
    struct gk_kv_call *call = ctx;
    if (is_let_through(call, gk_kv_real_now_ms())) {
        ask(call);
    }
}

/* A place that leaves the vault no time to answer is none: it would end as the vault's silence. */
static int64_t latest_turn_ms(const struct gk_kv_call *call)
{
    const uint32_t part_ms = call->deadline_ms / ANSWER_PART;
    return call->deadline_real_ms - (part_ms < ANSWER_MS_MAX ? part_ms : ANSWER_MS_MAX);
}

static void fail_paced(struct gk_kv_call *call, uint32_t wait_ms)
{
    const struct gk_provider_host *host = &call->provider->host;
    host->count(host->ctx, "gatekey_vault_paced_total", "", 1);
    call->answer.retry_after_ms = wait_ms;
    fail_ours(call, "Paced",
              "more calls wait for the vault than it may be asked within the deadline");
}

/* Asks when the vault's breaker lets it through and its pace has a place for it. The call may have ended when this
 * returns. */
static void take_turn(struct gk_kv_call *call)
{
    struct gk_provider *provider = call->provider;
    const int64_t now_ms = gk_kv_real_now_ms();
    if (!is_let_through(call, now_ms)) {
        return;
    }
    const int64_t latest_ms = latest_turn_ms(call);
    const int64_t at_ms =
        gk_kv_pace_take(&provider->paces, call->key.vault_uri, cost_ms(call), now_ms, latest_ms);
    if (at_ms <= now_ms) {
        ask(call);
    } else if (at_ms < latest_ms) {
        gk_kv_loop_arm(&provider->loop, &call->backoff, at_ms, on_turn, call);
    } else {
        fail_paced(call, (uint32_t)(at_ms - now_ms));
    }
}

static void on_backoff(void *ctx)
{
    take_turn(ctx);
}

static void log_attempt(const struct gk_kv_call *call, uint32_t wait_ms)
{
    const struct gk_provider_host *host = &call->provider->host;
    char line[sizeof call->key + 512];
    snprintf(line, sizeof line, "%s of %s/keys/%s: %u %s (%.200s); again in %u ms",
             gk_kv_operation_name(call->operation), call->key.vault_uri, call->key.name,
             call->answer.http_status, call->answer.code, call->answer.message, wait_ms);
    host->log(host->ctx, GK_LOG_DEBUG, "keyprovider", line);
}

/* Ends the call at once when its next attempt would leave the vault no time to answer. */
static void retry_later(struct gk_kv_call *call)
{
    const uint32_t own_ms = gk_kv_pause_ms(BACKOFF_FIRST_MS, BACKOFF_MAX_MS, call->attempts);
    const uint32_t wait_ms =
        call->answer.retry_after_ms > own_ms ? call->answer.retry_after_ms : own_ms;
    const int64_t at_ms = gk_kv_real_now_ms() + wait_ms;
    call->attempts++;
    if (at_ms >= latest_turn_ms(call)) {
        finish(call);
        return;
    }
    log_attempt(call, wait_ms);
    gk_kv_loop_arm(&call->provider->loop, &call->backoff, at_ms, on_backoff, call);
}

/* For an authority's token, or a name that is looked up. */
static bool is_waiting_for_others(const struct gk_kv_call *call)
{
    return call->waiter.token != NULL || call->lookup != NULL;
}

static void on_deadline(void *ctx)
{
    struct gk_kv_call *call = ctx;
    /* The reason of the last attempt says more than that time is up. */
    if (call->answer.code[0] == '\0') {
        set_reason(call, GK_VAULT_UNAVAILABLE, "Timeout", "no answer within the deadline");
    }
    call->answer.verdict = GK_VAULT_UNAVAILABLE;
    if (call->exchange != NULL) {
        note_no_answer(call);
    } else if (is_waiting_for_others(call)) {
        call->answer.ours = gk_kv_loop_was_late(&call->provider->loop);
    }
    finish(call);
}

static void clear_answer(struct gk_kv_call *call)
{
    memset(&call->answer, 0, sizeof call->answer);
    call->answer.verdict = GK_VAULT_UNAVAILABLE;
}

/* --- reading the answer -------------------------------------------------------------------------- */

static bool knows_tenant(const struct gk_kv_call *call)
{
    return !gk_kv_grant_is_vouched(&call->grant) || call->grant.application.tenant_id[0] != '\0';
}

/* What the vault is asked now: to learn its tenant, a get without a token, which it must refuse. */
static struct gk_kv_question question_of(const struct gk_kv_call *call)
{
    return (struct gk_kv_question){.operation = knows_tenant(call) ? call->operation : GK_KV_GET,
                                   .key = &call->key,
                                   .version = &call->version,
                                   .vault = &call->route.vault,
                                   .identity = call->route.identity,
                                   .vouched = gk_kv_grant_is_vouched(&call->grant)};
}

/* What is configured for the vault, else what its kind does. */
static const char *wrap_algorithm(const struct gk_kv_call *call)
{
    const char *configured = call->route.vault.wrap_algorithm;
    return configured[0] == '\0' ? call->route.dialect->wrap_algorithm : configured;
}

/* A value fits a buffer of what is expected and one byte more; its length is judged after. */
static bool read_value(struct gk_kv_call *call, struct gk_span body)
{
    const struct gk_kv_question question = question_of(call);
    const bool unwrap = call->operation == GK_KV_UNWRAP;
    const size_t room = unwrap ? UNWRAPPED_BYTES : GK_WRAPPED_BYTES_MAX + 1;
    struct gk_buf value;
    call->value = gk_secret_alloc(room);
    if (call->value == NULL) {
        return false;
    }
    gk_buf_init_over(&value, call->value, room);
    if (!call->route.dialect->read_value(body, &question, &call->answer, &value) ||
        value.len == 0 || (unwrap && value.len != GK_ROOT_KEY_BYTES)) {
        return false;
    }
    call->answer.value = gk_buf_span(&value);
    snprintf(call->answer.algorithm, sizeof call->answer.algorithm, "%s",
             unwrap ? "" : wrap_algorithm(call));
    return true;
}

static bool read_answer(struct gk_kv_call *call, struct gk_span body)
{
    const struct gk_kv_dialect *dialect = call->route.dialect;
    const struct gk_kv_question question = question_of(call);
    switch (call->operation) {
    case GK_KV_GET:
        return dialect->read_key(body, &question, &call->answer);
    case GK_KV_GET_POLICY:
        return dialect->read_policy(body, &question, &call->answer);
    case GK_KV_WRAP:
    case GK_KV_UNWRAP:
        break;
    }
    return read_value(call, body);
}

static void accept_answer(struct gk_kv_call *call, struct gk_span body)
{
    if (!knows_tenant(call)) {
        fail(call, GK_VAULT_UNAVAILABLE, "ChallengeInvalid", "the vault does not ask for a token");
        return;
    }
    if (read_answer(call, body)) {
        call->answer.verdict = GK_VAULT_OK;
        finish(call);
        return;
    }
    /* Nothing of what was read halfway is told. */
    memset(&call->answer.info, 0, sizeof call->answer.info);
    call->answer.key_id[0] = '\0';
    fail(call, GK_VAULT_UNAVAILABLE, "AnswerInvalid",
         "the vault's answer is not what was asked for");
}

/* What may be the token's fault counts only of a token that was just had. */
static void renew_token(struct gk_kv_call *call)
{
    call->token_renewed = true;
    gk_kv_token_reject(&call->provider->tokens, &call->grant, call->token_serial);
    ask(call);
}

static void set_tenant(struct gk_kv_call *call, const char *tenant_id)
{
    struct gk_kv_application *application = &call->grant.application;
    snprintf(application->tenant_id, sizeof application->tenant_id, "%s", tenant_id);
    gk_kv_tenants_set(&call->provider->tenants, call->key.vault_uri, tenant_id);
}

/* Vaults move from tenant to tenant: what is remembered from earlier calls need not be true. */
static bool tenant_may_be_another(const struct gk_kv_call *call)
{
    return gk_kv_grant_is_vouched(&call->grant) && !call->tenant_learned;
}

/* A tenant that refused the application need not be the vault's any more. False when the vault has just
 * said so. */
static bool doubt_tenant(struct gk_kv_call *call)
{
    const bool doubtful = tenant_may_be_another(call);
    if (gk_kv_grant_is_vouched(&call->grant)) {
        set_tenant(call, "");
    }
    return doubtful;
}

/* An application needs a token of the vault's tenant, which the vault alone can tell. False when it
 * tells nothing new. */
static bool learn_tenant(struct gk_kv_call *call, const char *tenant_id)
{
    if (!tenant_may_be_another(call) ||
        strcasecmp(tenant_id, call->grant.application.tenant_id) == 0) {
        return false;
    }
    set_tenant(call, tenant_id);
    call->tenant_learned = true;
    return true;
}

static void on_looked_up(void *ctx, bool gone)
{
    struct gk_kv_call *call = ctx;
    call->lookup = NULL;
    if (gone) {
        note_answer(call);
        fail(call, GK_VAULT_GONE, "VaultNotFound", "the vault's name does not exist");
        return;
    }
    note_no_answer(call);
    retry_later(call);
}

/* The name of whoever gives the tokens for that vault should resolve, if names resolve at all. */
static void find_witness(const struct gk_kv_call *call, char witness[GK_VAULT_URI_BYTES_MAX])
{
    struct gk_kv_origin origin;
    const char *authority = gk_kv_grant_is_vouched(&call->grant) ? call->route.vault.authority
                            : gk_kv_grant_is_of_host(&call->grant)
                                ? gk_kv_origin_known_authority(&call->route.vault.origin)
                                : call->route.identity->authority;
    const bool known =
        authority != NULL && gk_kv_origin_parse(gk_span_str(authority), &origin, NULL);
    snprintf(witness, GK_VAULT_URI_BYTES_MAX, "%s", known ? origin.host : "");
}

static void on_no_answer(struct gk_kv_call *call, const struct gk_kv_http_answer *answer)
{
    char witness[GK_VAULT_URI_BYTES_MAX];
    set_reason(call, GK_VAULT_UNAVAILABLE, "NoAnswer", answer->failure);
    if (answer->outcome == GK_KV_NAME_UNKNOWN && call->route.dialect->name_ends_with_vault) {
        find_witness(call, witness);
        call->lookup = gk_kv_lookup_start(&call->provider->lookups, call->route.vault.origin.host,
                                          witness, on_looked_up, call);
    }
    if (call->lookup == NULL) {
        note_no_answer(call);
        retry_later(call);
    }
}

static void on_answer(void *ctx, const struct gk_kv_http_answer *answer)
{
    struct gk_kv_call *call = ctx;
    call->exchange = NULL;
    clear_answer(call);
    if (answer->outcome != GK_KV_ANSWERED) {
        on_no_answer(call, answer);
        return;
    }
    call->answer.http_status = answer->http_status;
    call->answer.retry_after_ms = answer->retry_after_ms;
    snprintf(call->answer.request_id, sizeof call->answer.request_id, "%s", answer->request_id);
    if (answer->http_status == STATUS_OK) {
        note_answer(call);
        accept_answer(call, answer->body);
        return;
    }
    const struct gk_kv_question question = question_of(call);
    const struct gk_kv_judgement judgement =
        call->route.dialect->judge(&question, answer, &call->answer);
    if (judgement.retry && answer->http_status != STATUS_TOO_MANY) {
        note_silence(call);
    } else {
        note_answer(call);
    }
    if (judgement.of_token && learn_tenant(call, judgement.tenant_id)) {
        ask(call);
    } else if (judgement.of_token && !call->token_renewed) {
        renew_token(call);
    } else if (judgement.retry) {
        retry_later(call);
    } else {
        call->answer.verdict = judgement.verdict;
        finish(call);
    }
}

/* --- asking -------------------------------------------------------------------------------------- */

static uint32_t time_left_ms(const struct gk_kv_call *call)
{
    const int64_t left_ms = call->deadline_real_ms - gk_kv_real_now_ms();
    const uint32_t most_ms = call->provider->config.request_timeout_ms;
    return left_ms <= 0 ? 1 : left_ms < most_ms ? (uint32_t)left_ms : most_ms;
}

/* It has no body. */
static bool is_read(enum gk_kv_operation operation)
{
    return operation == GK_KV_GET || operation == GK_KV_GET_POLICY;
}

static void send_request(struct gk_kv_call *call, const char *bearer)
{
    const struct gk_kv_dialect *dialect = call->route.dialect;
    const struct gk_kv_question question = question_of(call);
    const bool read = is_read(question.operation);
    struct gk_buf url;
    struct gk_buf header;
    gk_buf_init(&url, GK_KV_CALL_URL_BYTES_MAX);
    gk_buf_init(&header, GK_KV_HEADER_BYTES_MAX);
    dialect->url(&url, &question);
    if (dialect->header != NULL) {
        dialect->header(&header, &question);
    }
    const struct gk_kv_http_request request = {
        .url = gk_buf_str(&url),
        .credentials = bearer,
        .header = header.len == 0 ? NULL : gk_buf_str(&header),
        .content_type = read ? NULL : "application/json",
        .body = read ? gk_span_of(NULL, 0) : gk_span_of(call->body, call->body_len),
        .timeout_ms = time_left_ms(call),
    };
    if (gk_buf_status(&url) == GK_OK && gk_buf_status(&header) == GK_OK) {
        call->exchange =
            gk_kv_exchange_start(&call->provider->transport, &request, on_answer, call);
    }
    gk_buf_cleanup(&header);
    gk_buf_cleanup(&url);
    if (call->exchange == NULL) {
        fail_ours(call, "OutOfMemory", "no memory for a request");
    }
}

static void on_token(void *ctx, const struct gk_kv_token_result *result)
{
    struct gk_kv_call *call = ctx;
    if (result->judgement.verdict == GK_VAULT_OK) {
        call->token_serial = result->serial;
        send_request(call, result->bearer);
        return;
    }
    if (result->judgement.verdict == GK_VAULT_IDENTITY_GONE && doubt_tenant(call)) {
        ask(call);
        return;
    }
    clear_answer(call);
    call->answer.http_status = result->http_status;
    call->answer.ours = result->ours;
    call->answer.retry_after_ms = result->retry_after_ms;
    set_reason(call, result->judgement.verdict, result->code, result->message);
    if (result->judgement.retry) {
        retry_later(call);
    } else {
        finish(call);
    }
}

/* The call may have ended when this returns. */
static void ask(struct gk_kv_call *call)
{
    if (!knows_tenant(call)) {
        send_request(call, NULL);
        return;
    }
    call->waiter = (struct gk_kv_token_waiter){.got = on_token, .ctx = call};
    gk_kv_token_get(&call->provider->tokens, &call->grant, &call->waiter);
}

/* Whose token it takes. */
static void find_grant(struct gk_kv_call *call)
{
    struct gk_kv_application *application = &call->grant.application;
    call->grant.identity = call->route.identity;
    call->grant.resource = call->route.vault.resource;
    snprintf(application->client_id, sizeof application->client_id, "%s", call->route.application);
    if (gk_kv_grant_is_vouched(&call->grant)) {
        snprintf(application->authority, sizeof application->authority, "%s",
                 call->route.vault.authority);
        snprintf(application->tenant_id, sizeof application->tenant_id, "%s",
                 gk_kv_tenants_find(&call->provider->tenants, call->key.vault_uri));
    }
}

static void link_call(struct gk_kv_call *call)
{
    call->next = call->provider->calls;
    call->link = &call->provider->calls;
    if (call->next != NULL) {
        call->next->link = &call->next;
    }
    call->provider->calls = call;
}

static void begin(void *ctx)
{
    struct gk_kv_call *call = ctx;
    struct gk_provider *provider = call->provider;
    if (provider->ending) {
        fail_ours(call, "Stopped", "the provider is stopping");
        return;
    }
    if (call->answer.code[0] != '\0') {
        finish(call); /* there is nobody to ask */
        return;
    }
    find_grant(call);
    link_call(call);
    call->deadline_real_ms = gk_kv_real_now_ms() + call->deadline_ms;
    gk_kv_loop_arm(&provider->loop, &call->deadline, call->deadline_real_ms, on_deadline, call);
    take_turn(call);
}

/* --- starting ------------------------------------------------------------------------------------ */

static bool make_body(struct gk_kv_call *call, const struct gk_kv_call_input *input)
{
    const struct gk_kv_dialect *dialect = call->route.dialect;
    const struct gk_kv_question question = question_of(call);
    const char *algorithm =
        input->operation == GK_KV_WRAP ? wrap_algorithm(call) : input->algorithm;
    struct gk_buf body;
    if (is_read(input->operation)) {
        return true;
    }
    if (!dialect->algorithm_is_known(algorithm) || input->value.len > GK_WRAPPED_BYTES_MAX ||
        (call->body = gk_secret_alloc(GK_KV_REQUEST_BYTES_MAX)) == NULL) {
        return false;
    }
    gk_buf_init_over(&body, call->body, GK_KV_REQUEST_BYTES_MAX);
    const bool made = dialect->body(&body, &question, algorithm, input->value);
    call->body_len = body.len;
    return made && gk_buf_status(&body) == GK_OK;
}

static struct gk_kv_call *new_call(struct gk_provider *provider,
                                   const struct gk_kv_call_input *input)
{
    struct gk_error error = {0};
    struct gk_kv_call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->task = (struct gk_kv_task){.run = begin, .ctx = call};
    call->provider = provider;
    call->operation = input->operation;
    call->key = *input->key;
    call->input_len = input->value.len;
    if (input->version != NULL) {
        call->version = *input->version;
    }
    call->deadline_ms = input->deadline_ms;
    call->done = input->done;
    call->ctx = input->ctx;
    call->answer.verdict = GK_VAULT_UNAVAILABLE;
    if (gk_kv_route_find(&provider->config, input->identity, input->key, &call->route, &error) !=
        GK_OK) {
        call->answer.ours = 1;
        set_reason(call, GK_VAULT_UNAVAILABLE, "NotConfigured", error.message);
    } else if (input->operation == GK_KV_GET_POLICY && call->route.dialect->read_policy == NULL) {
        call->answer.ours = 1;
        set_reason(call, GK_VAULT_UNAVAILABLE, "NoRotationPolicy",
                   "a vault of this kind tells of rotation with the key");
    } else if (!make_body(call, input)) {
        free_call(call);
        return NULL;
    }
    return call;
}

void gk_kv_call_start(struct gk_provider *provider, const struct gk_kv_call_input *input)
{
    struct gk_kv_call *call = new_call(provider, input);
    if (call != NULL && gk_kv_loop_post(&provider->loop, &call->task)) {
        return;
    }
    if (call != NULL) {
        free_call(call);
    }
    const struct gk_vault_answer answer = {
        .verdict = GK_VAULT_UNAVAILABLE,
        .ours = 1,
        .code = "NotStarted",
        .message = "the call could not be started: no memory, an input that no vault takes, or the "
                   "provider does not run",
    };
    input->done(input->ctx, &answer);
}

void gk_kv_calls_end(struct gk_provider *provider)
{
    provider->ending = true;
    while (provider->calls != NULL) {
        struct gk_kv_call *call = provider->calls;
        provider->calls = call->next;
        if (call->next != NULL) {
            call->next->link = &provider->calls;
        }
        call->link = NULL;
        fail_ours(call, "Stopped", "the provider is stopping");
    }
}
