/* SPDX-License-Identifier: Apache-2.0 */
/* Every kind of answer means what provider.h says, and nothing but an explicit refusal revokes. */
#include "keyprovider/verdict.h"

#include "unit/cmocka_all.h"

#define GET    1u
#define WRAP   2u
#define UNWRAP 4u
#define POLICY 8u
#define ALL    (GET | WRAP | UNWRAP | POLICY)

static const struct {
    uint16_t http_status;
    unsigned operations;
    const char *code;
    enum gk_vault_verdict verdict;
    bool retry;
} vault_rows[] = {
    {200, ALL, "", GK_VAULT_OK, false},
    {403, ALL, "Forbidden/KeyDisabled", GK_VAULT_KEY_REFUSED, false},
    {403, ALL, "Forbidden/ForbiddenByRbac", GK_VAULT_KEY_REFUSED, false},
    {403, ALL, "Forbidden/ForbiddenByFirewall", GK_VAULT_KEY_REFUSED, false},
    {403, ALL, "Forbidden", GK_VAULT_KEY_REFUSED, false},
    {404, ALL, "KeyNotFound", GK_VAULT_KEY_REFUSED, false},
    {401, ALL, "Unauthorized", GK_VAULT_IDENTITY_GONE, false},
    {400, UNWRAP, "BadParameter", GK_VAULT_KEY_REFUSED, false},
    {400, UNWRAP, "BadParameter/Decryption", GK_VAULT_KEY_REFUSED, false},
    {400, UNWRAP, "BadParameterOfAnotherKind", GK_VAULT_UNAVAILABLE, false},
    {400, UNWRAP, "BadArgument", GK_VAULT_UNAVAILABLE, false},
    {400, WRAP, "BadParameter", GK_VAULT_KEY_REFUSED, false},
    {400, GET, "BadParameter", GK_VAULT_UNAVAILABLE, false},
    /* The same statuses from who does not speak as a vault does. */
    {400, ALL, "", GK_VAULT_UNAVAILABLE, false},
    {401, ALL, "", GK_VAULT_UNAVAILABLE, false},
    {403, ALL, "", GK_VAULT_UNAVAILABLE, false},
    {404, ALL, "", GK_VAULT_UNAVAILABLE, false},
    /* No answer, and answers that say nothing of the key. */
    {0, ALL, "", GK_VAULT_UNAVAILABLE, true},
    {408, ALL, "Timeout", GK_VAULT_UNAVAILABLE, true},
    {429, ALL, "Throttled", GK_VAULT_UNAVAILABLE, true},
    {500, ALL, "InternalServerError", GK_VAULT_UNAVAILABLE, true},
    {503, ALL, "Forbidden/KeyDisabled", GK_VAULT_UNAVAILABLE, true},
    {599, ALL, "", GK_VAULT_UNAVAILABLE, true},
    {100, ALL, "Forbidden", GK_VAULT_UNAVAILABLE, false},
    {201, ALL, "", GK_VAULT_UNAVAILABLE, false},
    {204, ALL, "", GK_VAULT_UNAVAILABLE, false},
    {302, ALL, "Forbidden", GK_VAULT_UNAVAILABLE, false},
    {402, ALL, "Forbidden", GK_VAULT_UNAVAILABLE, false},
    {407, ALL, "Forbidden", GK_VAULT_UNAVAILABLE, false},
    {409, ALL, "Conflict/ObjectIsBeingDeleted", GK_VAULT_UNAVAILABLE, false},
    {410, ALL, "Gone", GK_VAULT_UNAVAILABLE, false},
    {600, ALL, "Forbidden", GK_VAULT_UNAVAILABLE, false},
};

static void test_verdict__vault_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof vault_rows / sizeof vault_rows[0]; i++) {
        for (unsigned operation = GK_KV_GET; operation <= GK_KV_GET_POLICY; operation++) {
            if ((vault_rows[i].operations & 1u << operation) == 0) {
                continue;
            }
            const struct gk_kv_judgement judgement = gk_kv_judge_vault(
                (enum gk_kv_operation)operation, vault_rows[i].http_status, vault_rows[i].code);
            if (judgement.verdict != vault_rows[i].verdict ||
                judgement.retry != vault_rows[i].retry) {
                fail_msg("operation %u, %u '%s': verdict %d, retry %d", operation,
                         vault_rows[i].http_status, vault_rows[i].code, judgement.verdict,
                         judgement.retry);
            }
        }
    }
}

static void test_verdict__only_four_statuses_ever_revoke(void **state)
{
    (void)state;
    for (unsigned status = 0; status <= UINT16_MAX; status++) {
        const struct gk_kv_judgement judgement =
            gk_kv_judge_vault(GK_KV_UNWRAP, (uint16_t)status, "Forbidden");
        const bool may = status == 200 || status == 401 || status == 403 || status == 404;
        assert_int_equal(judgement.verdict != GK_VAULT_UNAVAILABLE, may);
    }
}

static const struct {
    const char *code;
    enum gk_vault_verdict verdict;
    uint16_t http_status;
    enum gk_kv_identity_source source;
    bool retry;
} token_rows[] = {
    {"", GK_VAULT_OK, 200, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"unauthorized_client", GK_VAULT_IDENTITY_GONE, 400, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"invalid_client", GK_VAULT_IDENTITY_GONE, 401, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"invalid_request", GK_VAULT_IDENTITY_GONE, 404, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"temporarily_unavailable", GK_VAULT_UNAVAILABLE, 400, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"server_error", GK_VAULT_UNAVAILABLE, 400, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"", GK_VAULT_UNAVAILABLE, 400, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"", GK_VAULT_UNAVAILABLE, 404, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"invalid_client", GK_VAULT_UNAVAILABLE, 302, GK_KV_SOURCE_CLIENT_SECRET, false},
    {"invalid_client", GK_VAULT_UNAVAILABLE, 408, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"invalid_client", GK_VAULT_UNAVAILABLE, 429, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"invalid_client", GK_VAULT_UNAVAILABLE, 500, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"", GK_VAULT_UNAVAILABLE, 0, GK_KV_SOURCE_CLIENT_SECRET, true},
    {"invalid_request", GK_VAULT_IDENTITY_GONE, 400, GK_KV_SOURCE_MANAGED, false},
    {"not_found", GK_VAULT_UNAVAILABLE, 404, GK_KV_SOURCE_MANAGED, true},
    {"gone", GK_VAULT_UNAVAILABLE, 410, GK_KV_SOURCE_MANAGED, true},
    {"", GK_VAULT_UNAVAILABLE, 429, GK_KV_SOURCE_MANAGED, true},
    {"invalid_request", GK_VAULT_IDENTITY_GONE, 400, GK_KV_SOURCE_ARC, false},
    {"unauthorized_client", GK_VAULT_UNAVAILABLE, 401, GK_KV_SOURCE_ARC, true},
    {"not_found", GK_VAULT_UNAVAILABLE, 404, GK_KV_SOURCE_ARC, true},
    {"", GK_VAULT_UNAVAILABLE, 400, GK_KV_SOURCE_ARC, false},
    {"", GK_VAULT_UNAVAILABLE, 503, GK_KV_SOURCE_ARC, true},
    {"invalid_request", GK_VAULT_IDENTITY_GONE, 400, GK_KV_SOURCE_APP_SERVICE, false},
    {"unauthorized_client", GK_VAULT_UNAVAILABLE, 401, GK_KV_SOURCE_APP_SERVICE, true},
    {"not_found", GK_VAULT_UNAVAILABLE, 404, GK_KV_SOURCE_APP_SERVICE, true},
    {"", GK_VAULT_UNAVAILABLE, 400, GK_KV_SOURCE_APP_SERVICE, false},
    {"", GK_VAULT_UNAVAILABLE, 503, GK_KV_SOURCE_APP_SERVICE, true},
};

static void test_verdict__token_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof token_rows / sizeof token_rows[0]; i++) {
        const struct gk_kv_judgement judgement =
            gk_kv_judge_token(gk_kv_source_is_host(token_rows[i].source), token_rows[i].http_status,
                              token_rows[i].code);
        if (judgement.verdict != token_rows[i].verdict || judgement.retry != token_rows[i].retry) {
            fail_msg("row %zu: verdict %d, retry %d", i, judgement.verdict, judgement.retry);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdict__vault_answers),
        cmocka_unit_test(test_verdict__only_four_statuses_ever_revoke),
        cmocka_unit_test(test_verdict__token_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
