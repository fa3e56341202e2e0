/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/transit/verdict.h"

#include <string.h>

#define GET    (1u << GK_KV_GET)
#define WRAP   (1u << GK_KV_WRAP)
#define UNWRAP (1u << GK_KV_UNWRAP)
#define BOTH   (WRAP | UNWRAP)
#define ANY    (GET | BOTH)

#define STATUS_REDIRECT     307u /* a standby that cannot pass it on */
#define STATUS_BAD_REQUEST  400u
#define STATUS_FORBIDDEN    403u
#define STATUS_NOT_FOUND    404u
#define STATUS_TIMEOUT      408u
#define STATUS_NOT_YET      412u /* a standby that has not seen the token's writing yet */
#define STATUS_TOO_MANY     429u
#define STATUS_SERVER_FIRST 500u
#define STATUS_SERVER_LAST  599u

/* The first row that fits counts. */
static const struct {
    uint16_t http_status;
    unsigned operations;
    const char *words; /* what its error says among others; NULL: it has no error */
    const char *code;
    enum gk_vault_verdict verdict;
} rows[] = {
    /* Of a token that was just had this is a standby that does not know it yet, and no refusal. */
    {STATUS_FORBIDDEN, ANY, "invalid token", "TokenUnknown", GK_VAULT_UNAVAILABLE},
    {STATUS_FORBIDDEN, ANY, "bad token", "TokenUnknown", GK_VAULT_UNAVAILABLE},
    {STATUS_FORBIDDEN, ANY, "permission denied", "PermissionDenied", GK_VAULT_KEY_REFUSED},
    {STATUS_NOT_FOUND, GET, NULL, "KeyNotFound", GK_VAULT_KEY_REFUSED},
    {STATUS_NOT_FOUND, ANY, "route entry not found", "EngineNotFound", GK_VAULT_KEY_REFUSED},
    {STATUS_NOT_FOUND, ANY, "namespace not found", "NamespaceNotFound", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, BOTH, "encryption key not found", "KeyNotFound", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, BOTH, "soft-deleted key", "KeyDeleted", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, UNWRAP, "(too old)", "KeyVersionDisabled", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, UNWRAP, "version is too new", "KeyVersionNotFound", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, UNWRAP, "authentication failed", "KeyIsAnother", GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, WRAP, "higher than the latest", "KeyVersionNotFound",
     GK_VAULT_KEY_REFUSED},
    {STATUS_BAD_REQUEST, WRAP, "less than the minimum", "KeyVersionDisabled", GK_VAULT_KEY_REFUSED},
};

#define SECRET_GONE "LoginRefused", "the vault knows no such role id, or no such secret id of it"
#define ROLE_GONE   "RoleNotFound", "the vault's auth method has no such role"
#define CERT_GONE   "LoginRefused", "the vault has no role for the certificate that is shown"
static const struct {
    enum gk_kv_identity_source source;
    const char *words;
    const char *code;
    const char *reason;
} login_refusals[] = {
    {GK_KV_SOURCE_APPROLE, "invalid role or secret ID", SECRET_GONE},
    {GK_KV_SOURCE_APPROLE, "invalid secret id", SECRET_GONE},
    {GK_KV_SOURCE_APPROLE, "invalid secret_id", SECRET_GONE},
    {GK_KV_SOURCE_APPROLE, "invalid role ID", SECRET_GONE},
    {GK_KV_SOURCE_JWT, "\" could not be found", ROLE_GONE},
    {GK_KV_SOURCE_JWT, "invalid role name", ROLE_GONE},
    {GK_KV_SOURCE_TLS, "invalid certificate or no client certificate", CERT_GONE},
    {GK_KV_SOURCE_TLS, "no chain matching all constraints", CERT_GONE},
};

/* Whoever should have told whether the certificate is revoked could not be asked, perhaps. */
#define OTHER_ERRORS "additionally got errors"

static bool is_transient(uint16_t http_status)
{
    return http_status == 0 || http_status == STATUS_REDIRECT || http_status == STATUS_TIMEOUT ||
           http_status == STATUS_NOT_YET || http_status == STATUS_TOO_MANY ||
           (http_status >= STATUS_SERVER_FIRST && http_status <= STATUS_SERVER_LAST);
}

static bool says(const char *message, const char *words)
{
    return words == NULL ? message[0] == '\0' : strstr(message, words) != NULL;
}

static struct gk_kv_judgement unavailable(uint16_t http_status)
{
    return (struct gk_kv_judgement){.verdict = GK_VAULT_UNAVAILABLE,
                                    .retry = is_transient(http_status)};
}

struct gk_kv_judgement gk_transit_judge(enum gk_kv_operation operation, uint16_t http_status,
                                        bool explained, const char *message, const char **code)
{
    for (size_t i = 0; explained && i < sizeof rows / sizeof rows[0]; i++) {
        if (rows[i].http_status == http_status && (rows[i].operations & 1u << operation) != 0 &&
            says(message, rows[i].words)) {
            *code = rows[i].code;
            return (struct gk_kv_judgement){.verdict = rows[i].verdict,
                                            .retry = rows[i].verdict == GK_VAULT_UNAVAILABLE,
                                            .of_token = http_status == STATUS_FORBIDDEN};
        }
    }
    *code = explained ? "VaultError" : "AnswerInvalid";
    return unavailable(http_status);
}

struct gk_kv_judgement gk_transit_judge_login(enum gk_kv_identity_source source,
                                              uint16_t http_status, bool explained,
                                              const char *message, const char **code,
                                              const char **reason)
{
    const size_t count = sizeof login_refusals / sizeof login_refusals[0];
    for (size_t i = 0; explained && i < count; i++) {
        if (login_refusals[i].source == source && http_status == STATUS_BAD_REQUEST &&
            says(message, login_refusals[i].words) && !says(message, OTHER_ERRORS)) {
            *code = login_refusals[i].code;
            *reason = login_refusals[i].reason;
            return (struct gk_kv_judgement){.verdict = GK_VAULT_IDENTITY_GONE};
        }
    }
    *code = "LoginFailed";
    *reason = "the vault did not let the identity log in, and gave no reason that is a refusal";
    return unavailable(http_status);
}
