/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/verdict.h"

#include <string.h>

#define ANY_OPERATION                                                                              \
    (1u << GK_KV_GET | 1u << GK_KV_WRAP | 1u << GK_KV_UNWRAP | 1u << GK_KV_GET_POLICY)

#define STATUS_OK           200u
#define STATUS_SERVER_FIRST 500u
#define STATUS_CLIENT_FIRST 400u
#define STATUS_BAD_REQUEST  400u
#define STATUS_UNAUTHORIZED 401u
#define STATUS_FORBIDDEN    403u
#define STATUS_NOT_FOUND    404u
#define STATUS_TIMEOUT      408u
#define STATUS_GONE         410u
#define STATUS_TOO_MANY     429u
#define STATUS_SERVER_LAST  599u

/* An explicit refusal: status, operation and, where the status alone does not say it, the code. */
static const struct {
    uint16_t http_status;
    unsigned operations;
    const char *code; /* NULL: any code, but there is one */
    enum gk_vault_verdict verdict;
} refusals[] = {
    {STATUS_BAD_REQUEST, 1u << GK_KV_UNWRAP, "BadParameter", GK_VAULT_KEY_REFUSED},
    /* A parameter that is ours alone: the algorithm, which the key's HSM may not have. */
    {STATUS_BAD_REQUEST, 1u << GK_KV_WRAP, "BadParameter", GK_VAULT_KEY_REFUSED},
    {STATUS_UNAUTHORIZED, ANY_OPERATION, NULL, GK_VAULT_IDENTITY_GONE},
    {STATUS_FORBIDDEN, ANY_OPERATION, NULL, GK_VAULT_KEY_REFUSED},
    {STATUS_NOT_FOUND, ANY_OPERATION, NULL, GK_VAULT_KEY_REFUSED},
};

const char *gk_kv_operation_name(enum gk_kv_operation operation)
{
    static const char *const names[] = {"get", "wrapKey", "unwrapKey", "getrotationpolicy"};
    return names[operation];
}

static bool is_transient(uint16_t http_status)
{
    return http_status == 0 || http_status == STATUS_TIMEOUT || http_status == STATUS_TOO_MANY ||
           (http_status >= STATUS_SERVER_FIRST && http_status <= STATUS_SERVER_LAST);
}

static struct gk_kv_judgement unavailable(bool retry)
{
    return (struct gk_kv_judgement){.verdict = GK_VAULT_UNAVAILABLE, .retry = retry};
}

/* "BadParameter" is the code of "BadParameter/Something" too. */
static bool code_is(const char *code, const char *wanted)
{
    const size_t len = strlen(wanted);
    return strncmp(code, wanted, len) == 0 && (code[len] == '\0' || code[len] == '/');
}

struct gk_kv_judgement gk_kv_judge_vault(enum gk_kv_operation operation, uint16_t http_status,
                                         const char *code)
{
    if (http_status == STATUS_OK) {
        return (struct gk_kv_judgement){.verdict = GK_VAULT_OK};
    }
    for (size_t i = 0; code[0] != '\0' && i < sizeof refusals / sizeof refusals[0]; i++) {
        if (refusals[i].http_status == http_status &&
            (refusals[i].operations & 1u << operation) != 0 &&
            (refusals[i].code == NULL || code_is(code, refusals[i].code))) {
            return (struct gk_kv_judgement){.verdict = refusals[i].verdict};
        }
    }
    return unavailable(is_transient(http_status));
}

/* RFC 6749 has codes for an authority that is out of order; they may come with any status. */
static bool is_passing_error(const char *code)
{
    return strcmp(code, "temporarily_unavailable") == 0 || strcmp(code, "server_error") == 0;
}

struct gk_kv_judgement gk_kv_judge_token(bool of_host, uint16_t http_status, const char *code)
{
    if (http_status == STATUS_OK) {
        return (struct gk_kv_judgement){.verdict = GK_VAULT_OK};
    }
    const bool away = of_host && (http_status == STATUS_UNAUTHORIZED ||
                                  http_status == STATUS_NOT_FOUND || http_status == STATUS_GONE);
    if (is_transient(http_status) || away || is_passing_error(code)) {
        return unavailable(true);
    }
    if (http_status >= STATUS_CLIENT_FIRST && http_status < STATUS_SERVER_FIRST &&
        code[0] != '\0') {
        return (struct gk_kv_judgement){.verdict = GK_VAULT_IDENTITY_GONE};
    }
    return unavailable(false);
}
