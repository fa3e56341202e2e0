/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/secret.h"
#include "keyprovider/arc_challenge.h"
#include "keyprovider/client_assertion.h"
#include "keyprovider/response.h"
#include "keyprovider/transit/response.h"
#include "keyprovider/transit/verdict.h"

#define MS_PER_S       1000
#define AHEAD_MAX_MS   (300 * MS_PER_S)
#define AHEAD_PART     4 /* of a short-lived token, the last quarter of its life */
#define LONG_LIFE_MS   (7200LL * MS_PER_S)
#define RENEW_AGAIN_MS (30 * MS_PER_S)

struct gk_kv_token {
    struct gk_kv_token *next;
    struct gk_kv_tokens *owner;
    struct gk_kv_grant grant;
    char resource[GK_KV_URL_BYTES_MAX]; /* the grant's */
    char *bearer;                       /* secret; NULL: none */
    uint64_t serial;
    int64_t renew_wall_ms;
    int64_t expires_wall_ms;

    struct gk_kv_exchange *exchange;    /* NULL: no fetch is under way */
    bool proving;                       /* it answers a challenge of Azure Arc */
    struct gk_kv_token_waiter vouching; /* for the identity's token, where it is an application's */
    uint64_t vouching_serial;
    bool vouching_fresh;
    int64_t asked_wall_ms;
    uint8_t *form; /* secret; what the exchange sends */
    struct gk_kv_token_waiter *waiters;
};

static int64_t wall_ms(const struct gk_kv_tokens *tokens)
{
    const struct gk_provider_host *host = tokens->transport->loop->host;
    return host->clock_wall_ms(host->ctx);
}

static void count(const struct gk_kv_token *token, const char *labels)
{
    const struct gk_provider_host *host = token->owner->transport->loop->host;
    host->count(host->ctx, "gatekey_token_requests_total", labels, 1);
}

/* --- which are kept --------------------------------------------------------------------------- */

static bool is_under_way(const struct gk_kv_token *token)
{
    return token->exchange != NULL || token->vouching.token != NULL;
}

static bool is_good(const struct gk_kv_token *token)
{
    return token->bearer != NULL && wall_ms(token->owner) < token->expires_wall_ms;
}

static void free_token(struct gk_kv_token *token)
{
    gk_secret_free(&token->form);
    gk_secret_free(&token->bearer);
    free(token);
}

static void sweep(struct gk_kv_tokens *tokens)
{
    unsigned kept = 0;
    struct gk_kv_token **link = &tokens->first;
    while (*link != NULL) {
        struct gk_kv_token *token = *link;
        const bool vouched = gk_kv_grant_is_vouched(&token->grant);
        const bool wanted = is_under_way(token) || token->waiters != NULL;
        if (vouched && !wanted && (!is_good(token) || kept >= GK_KV_VOUCHED_MAX)) {
            *link = token->next;
            free_token(token);
            tokens->vouched--;
        } else {
            kept += vouched ? 1 : 0;
            link = &token->next;
        }
    }
}

/* Tokens are swept by whoever leaves last: nobody further up has a hold on one then. The identities' own all stay. */
static void enter(struct gk_kv_tokens *tokens)
{
    tokens->inside++;
}

static void leave(struct gk_kv_tokens *tokens)
{
    if (--tokens->inside == 0 && tokens->vouched > 0) {
        sweep(tokens);
    }
}

/* --- giving out --------------------------------------------------------------------------------- */

static void give_to_all(struct gk_kv_token *token, const struct gk_kv_token_result *result)
{
    /* Whoever asks again from within got waits for the next fetch: one is taken off at a time, and
     * those who came later stand behind a list of their own. */
    struct gk_kv_token_waiter *waiters = token->waiters;
    token->waiters = NULL;
    for (struct gk_kv_token_waiter *waiter = waiters; waiter != NULL; waiter = waiter->next) {
        waiter->token = NULL;
    }
    while (waiters != NULL) {
        struct gk_kv_token_waiter *waiter = waiters;
        waiters = waiter->next;
        waiter->next = NULL;
        waiter->got(waiter->ctx, result);
    }
}

static struct gk_kv_token_result good_result(const struct gk_kv_token *token)
{
    return (struct gk_kv_token_result){
        .judgement = {.verdict = GK_VAULT_OK}, .bearer = token->bearer, .serial = token->serial};
}

/* --- the answer --------------------------------------------------------------------------------- */

static bool keep(struct gk_kv_token *token, const struct gk_kv_token_response *response)
{
    char *bearer = gk_secret_alloc(response->access_token.len + 1);
    if (bearer == NULL) {
        return false;
    }
    memcpy(bearer, response->access_token.data, response->access_token.len);
    gk_secret_free(&token->bearer);
    token->bearer = bearer;
    token->serial = ++token->owner->serial;
    /* A duration does not depend on whose clock is right, so it goes first. */
    token->expires_wall_ms = response->expires_in_s > 0
                                 ? token->asked_wall_ms + (int64_t)response->expires_in_s * MS_PER_S
                                 : (int64_t)response->expires_on_s * MS_PER_S;
    const int64_t life_ms = token->expires_wall_ms - token->asked_wall_ms;
    const int64_t part_ms = life_ms / AHEAD_PART;
    const int64_t ahead_ms = life_ms > LONG_LIFE_MS   ? life_ms / 2
                             : part_ms < AHEAD_MAX_MS ? part_ms
                                                      : AHEAD_MAX_MS;
    token->renew_wall_ms = token->expires_wall_ms - ahead_ms;
    return true;
}

static struct gk_kv_token_result bad_result(enum gk_vault_verdict verdict, bool retry,
                                            const char *code, const char *message)
{
    struct gk_kv_token_result result = {.judgement = {.verdict = verdict, .retry = retry}};
    snprintf(result.code, sizeof result.code, "%s", code);
    snprintf(result.message, sizeof result.message, "%s", message);
    return result;
}

static struct gk_kv_token_result judge_login(const struct gk_kv_token *token,
                                             const struct gk_kv_http_answer *answer)
{
    struct gk_kv_token_result result = {.http_status = answer->http_status,
                                        .retry_after_ms = answer->retry_after_ms};
    char message[sizeof result.message];
    const char *code = "";
    const char *reason = "";
    const bool explained = gk_transit_response_error(answer->body, message, sizeof message);
    result.judgement = gk_transit_judge_login(token->grant.identity->source, answer->http_status,
                                              explained, message, &code, &reason);
    snprintf(result.code, sizeof result.code, "%s", code);
    snprintf(result.message, sizeof result.message, "%s", reason);
    return result;
}

static struct gk_kv_token_result judge_refusal(const struct gk_kv_token *token,
                                               const struct gk_kv_http_answer *answer)
{
    struct gk_kv_token_result result = {.http_status = answer->http_status,
                                        .retry_after_ms = answer->retry_after_ms};
    const bool explained = gk_kv_response_oauth_error(answer->body, result.code, sizeof result.code,
                                                      result.message, sizeof result.message);
    result.judgement =
        gk_kv_judge_token(gk_kv_grant_is_of_host(&token->grant), answer->http_status, result.code);
    if (!explained) {
        snprintf(result.code, sizeof result.code, "TokenRequestFailed");
        snprintf(result.message, sizeof result.message, "the token endpoint answered %u",
                 answer->http_status);
    }
    return result;
}

/* How many seconds our clock is ahead of the one of whoever answered; 0 where that told no time. */
static int64_t seconds_ahead(const struct gk_kv_token *token,
                             const struct gk_kv_http_answer *answer)
{
    return answer->date_wall_ms == 0 ? 0
                                     : (wall_ms(token->owner) - answer->date_wall_ms) / MS_PER_S;
}

/* Who refuses what is dated, and has another time than we, may refuse our clock. Then the identity is not gone, and
 * whose clock it is that is wrong, people have to find out. */
static struct gk_kv_token_result judge(const struct gk_kv_token *token,
                                       const struct gk_kv_http_answer *answer, bool login)
{
    const struct gk_kv_token_result refused =
        login ? judge_login(token, answer) : judge_refusal(token, answer);
    const int64_t ahead_s = seconds_ahead(token, answer);
    if (refused.judgement.verdict != GK_VAULT_IDENTITY_GONE ||
        !gk_kv_grant_is_dated(&token->grant) || llabs(ahead_s) <= GK_KV_CLOCK_SLACK_S) {
        return refused;
    }
    struct gk_kv_token_result result = bad_result(GK_VAULT_UNAVAILABLE, false, "ClockWrong", "");
    result.http_status = answer->http_status;
    snprintf(result.message, sizeof result.message,
             "this machine's clock is %lld seconds %s that of the token endpoint, which refuses "
             "what is dated by it (%.64s): put it right",
             llabs(ahead_s), ahead_s > 0 ? "ahead of" : "behind", refused.code);
    return result;
}

static bool is_text(struct gk_span span, const char *text)
{
    return span.len == strlen(text) && strncasecmp((const char *)span.data, text, span.len) == 0;
}

/* Agents of Azure Arc that know no user-assigned identities give the machine's own token when asked
 * for one of these, without a word. Those that know them say whose the token is. */
static bool is_of_identity(const struct gk_kv_grant *grant,
                           const struct gk_kv_token_response *response)
{
    const struct gk_kv_identity *identity = grant->identity;
    if (!gk_kv_grant_is_of_host(grant) || identity->source != GK_KV_SOURCE_ARC) {
        return true;
    }
    return identity->client_id[0] != '\0' ? is_text(response->client_id, identity->client_id)
           : identity->resource_id[0] != '\0'
               ? is_text(response->resource_id, identity->resource_id)
               : true;
}

static struct gk_kv_token_result read_answer(struct gk_kv_token *token,
                                             const struct gk_kv_http_answer *answer)
{
    const bool login = gk_kv_source_is_login(token->grant.identity->source);
    struct gk_kv_token_response response;
    if (answer->outcome != GK_KV_ANSWERED) {
        struct gk_kv_token_result result =
            bad_result(GK_VAULT_UNAVAILABLE, true, "TokenEndpointUnreachable", answer->failure);
        result.ours = gk_kv_loop_was_late(token->owner->transport->loop);
        return result;
    }
    if (answer->http_status != 200) {
        return judge(token, answer, login);
    }
    if (login ? !gk_transit_response_token(answer->body, &response)
              : !gk_kv_response_token(answer->body, &response)) {
        return bad_result(GK_VAULT_UNAVAILABLE, false, "TokenAnswerInvalid",
                          "the token endpoint's answer is no token");
    }
    if (!is_of_identity(&token->grant, &response)) {
        return bad_result(GK_VAULT_UNAVAILABLE, false, "TokenOfAnotherIdentity",
                          "the agent of Azure Arc gave a token of another identity than was asked "
                          "for: it may know the system-assigned one alone");
    }
    if (!keep(token, &response)) {
        return bad_result(GK_VAULT_UNAVAILABLE, true, "OutOfMemory", "no memory for a token");
    }
    struct gk_kv_token_result result = good_result(token);
    result.fresh = true;
    return result;
}

static void finish(struct gk_kv_token *token, const struct gk_kv_token_result *result)
{
    const bool good = result->judgement.verdict == GK_VAULT_OK;
    count(token, good                                                  ? "result=\"ok\""
                 : result->judgement.verdict == GK_VAULT_IDENTITY_GONE ? "result=\"refused\""
                                                                       : "result=\"unavailable\"");
    if (!good) {
        token->renew_wall_ms = wall_ms(token->owner) + RENEW_AGAIN_MS;
    }
    give_to_all(token, result);
}

/* The request could not even be made. */
static void give_up(struct gk_kv_token *token, const char *reason)
{
    const struct gk_kv_token_result result =
        bad_result(GK_VAULT_UNAVAILABLE, true, "TokenRequestImpossible", reason);
    token->renew_wall_ms = wall_ms(token->owner) + RENEW_AGAIN_MS;
    give_to_all(token, &result);
}

/* --- asking ------------------------------------------------------------------------------------- */

/* Fills the form into secret memory; the transport sends it from there. */
static enum gk_status make_form(struct gk_kv_token *token, const char *vouching,
                                struct gk_span *body, struct gk_error *error)
{
    struct gk_buf form;
    *body = gk_span_of(NULL, 0);
    if (gk_kv_grant_is_of_host(&token->grant)) {
        return GK_OK;
    }
    token->form = gk_secret_alloc(GK_KV_TOKEN_FORM_BYTES_MAX);
    if (token->form == NULL) {
        snprintf(error->message, sizeof error->message, "no memory that can be locked");
        return GK_E_RESOURCE;
    }
    gk_buf_init_over(&form, token->form, GK_KV_TOKEN_FORM_BYTES_MAX);
    const enum gk_status status =
        gk_kv_token_form(&form, &token->grant, vouching, token->asked_wall_ms / MS_PER_S, error);
    *body = gk_buf_span(&form);
    return status;
}

static void on_answer(void *ctx, const struct gk_kv_http_answer *answer);

/* False, with a reason, when the request could not even be made. proof: of a host, NULL or what
 * answers its challenge; of an application, the token of the identity that vouches for it. */
static bool fetch(struct gk_kv_token *token, const char *proof, struct gk_error *error)
{
    struct gk_span body;
    struct gk_buf url;
    char *header = NULL;
    const bool host = gk_kv_grant_is_of_host(&token->grant);
    gk_buf_init(&url, GK_KV_TOKEN_URL_BYTES_MAX);
    gk_kv_token_url(&url, &token->grant);
    token->asked_wall_ms = wall_ms(token->owner);
    snprintf(error->message, sizeof error->message, "out of memory");
    if (make_form(token, proof, &body, error) == GK_OK &&
        gk_kv_token_header(&token->grant, &header, error) == GK_OK &&
        gk_buf_status(&url) == GK_OK) {
        const struct gk_kv_http_request request = {
            .url = gk_buf_str(&url),
            .of_host = host,
            .scheme = GK_KV_ARC_SCHEME,
            .credentials = host ? proof : NULL,
            .header = header,
            .content_type = gk_kv_token_content_type(&token->grant),
            .body = body,
            .client_certificate_file = gk_kv_token_certificate_file(&token->grant),
            .timeout_ms = token->owner->timeout_ms,
        };
        token->exchange = gk_kv_exchange_start(token->owner->transport, &request, on_answer, token);
    }
    gk_buf_cleanup(&url);
    gk_secret_free(&header);
    if (token->exchange == NULL) {
        gk_secret_free(&token->form);
    }
    token->proving = host && proof != NULL;
    return token->exchange != NULL;
}

static void on_vouching(void *ctx, const struct gk_kv_token_result *result)
{
    struct gk_kv_token *token = ctx;
    struct gk_error error = {0};
    if (result->judgement.verdict != GK_VAULT_OK) {
        token->renew_wall_ms = wall_ms(token->owner) + RENEW_AGAIN_MS;
        give_to_all(token, result);
        return;
    }
    token->vouching_serial = result->serial;
    token->vouching_fresh = result->fresh;
    if (!fetch(token, result->bearer, &error)) {
        give_up(token, error.message);
    }
}

/* The identity's own token for the exchange: it stands among the others, and takes no vouching. */
static struct gk_kv_grant vouching_grant(const struct gk_kv_token *token)
{
    return (struct gk_kv_grant){.identity = token->grant.identity,
                                .resource = gk_kv_exchange_resource(&token->grant.application)};
}

/* Whoever waits is told how it ended: later, or at once when it cannot even begin. */
static void begin_fetch(struct gk_kv_token *token)
{
    struct gk_error error = {0};
    if (gk_kv_grant_is_vouched(&token->grant)) {
        const struct gk_kv_grant grant = vouching_grant(token);
        token->vouching = (struct gk_kv_token_waiter){.got = on_vouching, .ctx = token};
        gk_kv_token_get(token->owner, &grant, &token->vouching);
    } else if (!fetch(token, NULL, &error)) {
        give_up(token, error.message);
    }
}

/* The agent of Azure Arc answers the first request with the name of a file that may be read by
 * whoever may have tokens, and the one with its content with a token. */
static bool is_challenged(const struct gk_kv_token *token, const struct gk_kv_http_answer *answer)
{
    return gk_kv_grant_is_of_host(&token->grant) &&
           token->grant.identity->source == GK_KV_SOURCE_ARC && !token->proving &&
           answer->outcome == GK_KV_ANSWERED && answer->http_status == 401;
}

static bool answer_challenge(struct gk_kv_token *token, const char *challenge,
                             struct gk_error *error)
{
    char *credentials = NULL;
    const bool sent = gk_kv_arc_credentials(challenge, token->grant.identity->challenge_directory,
                                            &credentials, error) == GK_OK &&
                      fetch(token, credentials, error);
    gk_secret_free(&credentials);
    return sent;
}

/* What is refused may be the token that vouched, for its age or its authority's keys: the application
 * is judged by a new one. False when it was new. */
static bool vouch_anew(struct gk_kv_token *token)
{
    if (!gk_kv_grant_is_vouched(&token->grant) || token->vouching_fresh) {
        return false;
    }
    const struct gk_kv_grant grant = vouching_grant(token);
    gk_kv_token_reject(token->owner, &grant, token->vouching_serial);
    begin_fetch(token);
    return true;
}

static void take_answer(struct gk_kv_token *token, const struct gk_kv_http_answer *answer)
{
    struct gk_error error = {0};
    token->exchange = NULL;
    gk_secret_free(&token->form);
    const bool challenged = is_challenged(token, answer);
    if (challenged && answer_challenge(token, answer->challenge, &error)) {
        return;
    }
    const struct gk_kv_token_result result =
        challenged
            ? bad_result(GK_VAULT_UNAVAILABLE, true, "ArcChallengeUnanswerable", error.message)
            : read_answer(token, answer);
    if (result.judgement.verdict == GK_VAULT_IDENTITY_GONE && vouch_anew(token)) {
        return;
    }
    finish(token, &result);
}

static void on_answer(void *ctx, const struct gk_kv_http_answer *answer)
{
    struct gk_kv_token *token = ctx;
    struct gk_kv_tokens *tokens = token->owner;
    enter(tokens);
    take_answer(token, answer);
    leave(tokens);
}

static bool is_grant(const struct gk_kv_grant *a, const struct gk_kv_grant *b)
{
    if (a->identity != b->identity || strcmp(a->resource, b->resource) != 0 ||
        strcasecmp(a->application.client_id, b->application.client_id) != 0) {
        return false;
    }
    return !gk_kv_grant_is_vouched(a) ||
           (strcasecmp(a->application.tenant_id, b->application.tenant_id) == 0 &&
            strcmp(a->application.authority, b->application.authority) == 0);
}

static struct gk_kv_token *find(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant)
{
    struct gk_kv_token *token = tokens->first;
    while (token != NULL && !is_grant(&token->grant, grant)) {
        token = token->next;
    }
    return token;
}

static struct gk_kv_token *find_or_add(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant)
{
    struct gk_kv_token *token = find(tokens, grant);
    if (token == NULL && (token = calloc(1, sizeof *token)) != NULL) {
        token->owner = tokens;
        token->grant = *grant;
        snprintf(token->resource, sizeof token->resource, "%s", grant->resource);
        token->grant.resource = token->resource;
        token->next = tokens->first;
        tokens->first = token;
        tokens->vouched += gk_kv_grant_is_vouched(grant) ? 1 : 0;
    }
    return token;
}

/* Fetches ahead; a failure to do so is for the one who asks after its end. */
static void renew_ahead(struct gk_kv_token *token, int64_t now_ms)
{
    if (!is_under_way(token) && now_ms >= token->renew_wall_ms) {
        begin_fetch(token);
    }
}

static void get(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                struct gk_kv_token_waiter *waiter)
{
    struct gk_kv_token *token = find_or_add(tokens, grant);
    if (token == NULL) {
        const struct gk_kv_token_result result =
            bad_result(GK_VAULT_UNAVAILABLE, true, "TokenRequestImpossible", "out of memory");
        waiter->got(waiter->ctx, &result);
        return;
    }
    if (is_good(token)) {
        renew_ahead(token, wall_ms(tokens));
        const struct gk_kv_token_result result = good_result(token);
        waiter->got(waiter->ctx, &result);
        return;
    }
    waiter->token = token;
    waiter->next = token->waiters;
    token->waiters = waiter;
    if (!is_under_way(token)) {
        begin_fetch(token);
    }
}

void gk_kv_token_get(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                     struct gk_kv_token_waiter *waiter)
{
    enter(tokens);
    get(tokens, grant, waiter);
    leave(tokens);
}

void gk_kv_token_forget(struct gk_kv_token_waiter *waiter)
{
    if (waiter->token == NULL) {
        return;
    }
    struct gk_kv_token_waiter **link = &waiter->token->waiters;
    while (*link != waiter) {
        link = &(*link)->next;
    }
    *link = waiter->next;
    waiter->next = NULL;
    waiter->token = NULL;
}

void gk_kv_token_reject(struct gk_kv_tokens *tokens, const struct gk_kv_grant *grant,
                        uint64_t serial)
{
    struct gk_kv_token *token = find(tokens, grant);
    if (token != NULL && token->serial == serial) {
        gk_secret_free(&token->bearer);
    }
}

void gk_kv_tokens_cleanup(struct gk_kv_tokens *tokens)
{
    while (tokens->first != NULL) {
        struct gk_kv_token *token = tokens->first;
        tokens->first = token->next;
        gk_kv_exchange_cancel(token->exchange);
        free_token(token);
    }
    tokens->vouched = 0;
}
