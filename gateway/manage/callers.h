/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the management API, each by a bearer token of their own: the settings management.token_file, whose
 * holder is called GK_CALLER_OPERATOR, and management.callers. The name is what the audit says of them.
 *
 * Immutable once read; tokens are in secret memory.
 */
#ifndef GATEWAY_MANAGE_CALLERS_H
#define GATEWAY_MANAGE_CALLERS_H

#include "gateway/config.h"

struct gk_callers {
    size_t count;
    struct gk_caller {
        const char *name; /* the configuration's */
        enum gk_manage_role role;
        char *token;
        size_t token_len;
    } callers[GK_CALLERS_MAX + 1];
};

/* callers starts zeroed; gk_callers_cleanup() is needed after a failure, too. GK_E_INVALID: a file is not
 * as common/secret_file.h wants it, or two callers have the same token. */
enum gk_status gk_callers_read(const struct gk_config *config, struct gk_callers *callers,
                               struct gk_error *error) GK_MUST_USE;
void gk_callers_cleanup(struct gk_callers *callers);

/* Whose "Bearer TOKEN" that is; NULL: nobody's, or authorization is NULL. Takes as long whoever it is. */
const struct gk_caller *gk_callers_find(const struct gk_callers *callers,
                                        const char *authorization);

#endif
