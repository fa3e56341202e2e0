/* SPDX-License-Identifier: Apache-2.0 */
/* The transit engine of OpenBao and HashiCorp Vault. */
#include "keyprovider/dialect.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "keyprovider/transit/request.h"
#include "keyprovider/transit/response.h"
#include "keyprovider/transit/verdict.h"

static enum gk_status check_key(const struct gk_key_reference *key, struct gk_error *error)
{
    if (!gk_transit_key_name_is_good(key->name)) {
        return gk_fail(error, GK_E_INVALID,
                       "a transit key's name is 1 to %u lower-case letters, digits and hyphens",
                       GK_KEY_NAME_BYTES_MAX - 1);
    }
    if (key->version[0] != '\0' && !gk_transit_key_version_is_good(key->version)) {
        return gk_fail(error, GK_E_INVALID,
                       "a transit key's version is a number from 1, or none for the latest one");
    }
    return GK_OK;
}

static bool algorithm_is_known(const char *algorithm)
{
    return strcmp(algorithm, GK_TRANSIT_ALGORITHM) == 0;
}

static void header(struct gk_buf *out, const struct gk_kv_question *question)
{
    gk_transit_request_namespace(out, question->vault->name_space);
}

static bool body(struct gk_buf *out, const struct gk_kv_question *question, const char *algorithm,
                 struct gk_span value)
{
    (void)algorithm;
    return gk_transit_request_body(out, question, value);
}

static struct gk_kv_judgement judge(const struct gk_kv_question *question,
                                    const struct gk_kv_http_answer *http,
                                    struct gk_vault_answer *answer)
{
    const char *code = "";
    const bool explained =
        gk_transit_response_error(http->body, answer->message, sizeof answer->message);
    const struct gk_kv_judgement judgement =
        gk_transit_judge(question->operation, http->http_status, explained, answer->message, &code);
    snprintf(answer->code, sizeof answer->code, "%s", code);
    if (answer->message[0] == '\0') {
        snprintf(answer->message, sizeof answer->message, "the vault answered %u without a reason",
                 http->http_status);
    }
    return judgement;
}

const struct gk_kv_dialect *gk_kv_dialect_transit(void)
{
    static const struct gk_kv_dialect dialect = {
        .wrap_algorithm = GK_TRANSIT_ALGORITHM,
        .name_ends_with_vault = false,
        .check_key = check_key,
        .algorithm_is_known = algorithm_is_known,
        .url = gk_transit_request_url,
        .header = header,
        .body = body,
        .read_key = gk_transit_response_key,
        .read_value = gk_transit_response_value,
        .judge = judge,
    };
    return &dialect;
}
