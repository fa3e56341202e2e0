/* SPDX-License-Identifier: Apache-2.0 */
/* Azure Key Vault and Managed HSM, as the Key Vault REST reference has them. */
#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "keyprovider/dialect.h"
#include "keyprovider/request.h"
#include "keyprovider/response.h"
#include "keyprovider/rotation_policy.h"

#define STATUS_UNAUTHORIZED 401u

static enum gk_status check_key(const struct gk_key_reference *key, struct gk_error *error)
{
    if (!gk_kv_key_name_is_good(key->name)) {
        return gk_fail(error, GK_E_INVALID, "a key's name is 1 to %u letters, digits and hyphens",
                       GK_KEY_NAME_BYTES_MAX - 1);
    }
    if (key->version[0] != '\0' && !gk_kv_key_version_is_good(key->version)) {
        return gk_fail(error, GK_E_INVALID,
                       "a key's version is %u hexadecimal digits, or none for the current one",
                       GK_KEY_VERSION_BYTES_MAX - 1);
    }
    return GK_OK;
}

static void url(struct gk_buf *out, const struct gk_kv_question *question)
{
    gk_kv_request_url(out, question->operation, question->key);
}

static bool body(struct gk_buf *out, const struct gk_kv_question *question, const char *algorithm,
                 struct gk_span value)
{
    (void)question;
    gk_kv_request_body(out, algorithm, value);
    return true;
}

static bool read_key(struct gk_span text, const struct gk_kv_question *question,
                     struct gk_vault_answer *answer)
{
    return gk_kv_response_key(text, question->key, answer);
}

static bool read_value(struct gk_span text, const struct gk_kv_question *question,
                       struct gk_vault_answer *answer, struct gk_buf *value)
{
    return gk_kv_response_value(text, question->key, answer, value);
}

static bool read_policy(struct gk_span text, const struct gk_kv_question *question,
                        struct gk_vault_answer *answer)
{
    return gk_kv_rotation_due(text, question->key->name, question->version,
                              &answer->info.rotation_due_wall_ms);
}

static void set_reason(struct gk_vault_answer *answer, const char *code, const char *message)
{
    snprintf(answer->code, sizeof answer->code, "%s", code);
    snprintf(answer->message, sizeof answer->message, "%s", message);
}

/* Says whose token the vault wants and whose it would get, and where to mend that. */
static void refuse_challenge(struct gk_vault_answer *answer, const struct gk_kv_question *question,
                             const struct gk_kv_challenge *challenge, const char *authority)
{
    snprintf(answer->code, sizeof answer->code, "ChallengeInvalid");
    if (strcmp(challenge->resource, question->vault->resource) != 0) {
        snprintf(answer->message, sizeof answer->message,
                 "the vault wants a token for %.64s, and %.64s is configured: correct resource in "
                 "provider.vaults",
                 challenge->resource, question->vault->resource);
        return;
    }
    snprintf(answer->message, sizeof answer->message,
             "the vault wants a token of %.90s, and %.60s is configured: %s", challenge->authority,
             authority == NULL ? "an https authority" : authority,
             question->vouched ? "correct authority in provider.vaults"
                               : "name an identity of that authority");
}

/* A 401 counts only when its challenge is our vault's. Who asks as an application of the vault's tenant
 * must be told which that is. */
static bool challenge_is_ours(const struct gk_kv_question *question, const char *header,
                              char tenant_id[GK_KV_TENANT_BYTES_MAX],
                              struct gk_vault_answer *answer)
{
    struct gk_kv_challenge challenge;
    const char *authority = question->vouched ? question->vault->authority
                            : gk_kv_source_is_host(question->identity->source)
                                ? NULL
                                : question->identity->authority;
    if (!gk_kv_challenge_parse(header, &challenge)) {
        set_reason(answer, "ChallengeInvalid",
                   "the vault takes no token and does not say whose it wants; is it a vault?");
        return false;
    }
    const bool agrees = gk_kv_challenge_agrees(&challenge, question->vault->resource, authority) &&
                        (gk_kv_challenge_tenant(&challenge, tenant_id) || !question->vouched);
    if (!agrees) {
        refuse_challenge(answer, question, &challenge, authority);
    }
    return agrees;
}

/* What the answer says in a vault's own words. A Managed HSM has none for a 401: its challenge is all of it. */
static bool read_error(const struct gk_kv_http_answer *http, struct gk_vault_answer *answer)
{
    if (gk_kv_response_error(http->body, answer)) {
        return true;
    }
    if (http->http_status == STATUS_UNAUTHORIZED && http->body.len == 0) {
        set_reason(answer, "Unauthorized", "the vault takes no token of this identity");
        return true;
    }
    return false;
}

static struct gk_kv_judgement judge(const struct gk_kv_question *question,
                                    const struct gk_kv_http_answer *http,
                                    struct gk_vault_answer *answer)
{
    const bool explained = read_error(http, answer);
    struct gk_kv_judgement judgement =
        gk_kv_judge_vault(question->operation, http->http_status, answer->code);
    if (http->http_status == STATUS_UNAUTHORIZED &&
        !challenge_is_ours(question, http->challenge, judgement.tenant_id, answer)) {
        return (struct gk_kv_judgement){.verdict = GK_VAULT_UNAVAILABLE};
    }
    judgement.of_token = http->http_status == STATUS_UNAUTHORIZED;
    if (!explained) {
        set_reason(answer, "AnswerInvalid", "the vault's answer is no error of a vault");
    }
    return judgement;
}

const struct gk_kv_dialect *gk_kv_dialect_keyvault(void)
{
    static const struct gk_kv_dialect dialect = {
        .wrap_algorithm = GK_KV_WRAP_ALGORITHM,
        .name_ends_with_vault = true,
        .weighs_keys = true,
        .check_key = check_key,
        .algorithm_is_known = gk_kv_algorithm_is_known,
        .url = url,
        .body = body,
        .read_key = read_key,
        .read_value = read_value,
        .read_policy = read_policy,
        .judge = judge,
    };
    return &dialect;
}
