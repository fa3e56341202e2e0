/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/callers.h"

#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"

static const char *find(const struct gk_callers *callers, struct gk_span token)
{
    const char *name = NULL;
    for (size_t i = 0; i < callers->count; i++) {
        const struct gk_caller *caller = &callers->callers[i];
        if (gk_secret_equal(token, gk_span_of(caller->token, caller->token_len))) {
            name = caller->name;
        }
    }
    return name;
}

static enum gk_status add(struct gk_callers *callers, const char *name, const char *token_file,
                          struct gk_error *error)
{
    struct gk_caller *caller = &callers->callers[callers->count];
    caller->name = name;
    const enum gk_status status =
        gk_secret_file_read(token_file, &caller->token, &caller->token_len, error);
    if (status != GK_OK) {
        return status;
    }
    const char *same = find(callers, gk_span_of(caller->token, caller->token_len));
    callers->count++;
    return same == NULL ? GK_OK
                        : gk_fail(error, GK_E_INVALID,
                                  "%s: is the token of %s, too; give each caller one of their own",
                                  token_file, same);
}

enum gk_status gk_callers_read(const struct gk_config *config, struct gk_callers *callers,
                               struct gk_error *error)
{
    enum gk_status status = add(callers, GK_CALLER_OPERATOR, config->management.token_file, error);
    for (size_t i = 0; status == GK_OK && i < config->management.callers_count; i++) {
        const struct gk_config_caller *caller = &config->management.callers[i];
        status = add(callers, caller->name, caller->token_file, error);
    }
    return status;
}

void gk_callers_cleanup(struct gk_callers *callers)
{
    for (size_t i = 0; i < callers->count; i++) {
        gk_secret_free(&callers->callers[i].token);
    }
    callers->count = 0;
}

const char *gk_callers_find(const struct gk_callers *callers, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    return find(callers, gk_span_str(authorization + sizeof scheme - 1));
}
