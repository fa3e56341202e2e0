/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/callers.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"

static const struct gk_caller *find(const struct gk_callers *callers, struct gk_span token)
{
    const struct gk_caller *found = NULL;
    for (size_t i = 0; i < callers->count; i++) {
        const struct gk_caller *caller = &callers->callers[i];
        if (gk_secret_equal(token, gk_span_of(caller->token, caller->token_len))) {
            found = caller;
        }
    }
    return found;
}

static enum gk_status add(struct gk_callers *callers, const struct gk_config_caller *given,
                          struct gk_error *error)
{
    struct gk_caller *caller = &callers->callers[callers->count];
    snprintf(caller->name, sizeof caller->name, "%s", given->name);
    caller->role = given->role;
    const enum gk_status status =
        gk_secret_file_read(given->token_file, &caller->token, &caller->token_len, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_caller *same = find(callers, gk_span_of(caller->token, caller->token_len));
    callers->count++;
    return same == NULL ? GK_OK
                        : gk_fail(error, GK_E_INVALID,
                                  "%s: is the token of %s, too; give each caller one of their own",
                                  given->token_file, same->name);
}

enum gk_status gk_callers_new(const struct gk_config *config, struct gk_callers **out,
                              struct gk_error *error)
{
    const struct gk_config_caller operator_ = {.name = GK_CALLER_OPERATOR,
                                               .token_file = config->management.token_file,
                                               .role = GK_MANAGE_OWNER};
    *out = NULL;
    struct gk_callers *callers = calloc(1, sizeof *callers);
    if (callers == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    atomic_init(&callers->references, 1);
    const char *setting = "management.token_file";
    enum gk_status status = add(callers, &operator_, error);
    for (size_t i = 0; status == GK_OK && i < config->management.callers_count; i++) {
        setting = "management.callers";
        status = add(callers, &config->management.callers[i], error);
    }
    if (status != GK_OK) {
        gk_callers_release(callers);
        return gk_config_blame(config, setting, error);
    }
    *out = callers;
    return GK_OK;
}

struct gk_callers *gk_callers_retain(struct gk_callers *callers)
{
    atomic_fetch_add_explicit(&callers->references, 1, memory_order_relaxed);
    return callers;
}

void gk_callers_release(struct gk_callers *callers)
{
    if (callers == NULL ||
        atomic_fetch_sub_explicit(&callers->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < callers->count; i++) {
        gk_secret_free(&callers->callers[i].token);
    }
    free(callers);
}

const struct gk_caller *gk_callers_find(const struct gk_callers *callers, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    return find(callers, gk_span_str(authorization + sizeof scheme - 1));
}
