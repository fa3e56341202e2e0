/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who may use the management API, each by a bearer token or a TLS certificate of their own: the settings
 * management.token_file, whose holder is called GK_CALLER_OPERATOR, and management.callers. The name is what the audit
 * says of them.
 *
 * Immutable once read, and counted: a request keeps those that it began with over a reload. Tokens are in secret
 * memory. Any thread.
 */
#ifndef GATEWAY_MANAGE_CALLERS_H
#define GATEWAY_MANAGE_CALLERS_H

#include <stdatomic.h>

#include "gateway/config.h"
#include "gateway/manage/certificate_name.h"

#define GK_CALLER_NAME_BYTES 65u

struct gk_callers {
    atomic_uint references;
    size_t count;
    struct gk_caller {
        char name[GK_CALLER_NAME_BYTES];
        enum gk_manage_role role;
        char *token; /* NULL: none */
        size_t token_len;
        struct gk_certificate_name certificate;
    } callers[GK_CALLERS_MAX + 1];
};

/* The caller owns a reference. GK_E_INVALID, with the place of the setting: a file is not as common/secret_file.h
 * wants it, or two callers have the same token. */
enum gk_status gk_callers_new(const struct gk_config *config, struct gk_callers **out,
                              struct gk_error *error) GK_MUST_USE;
struct gk_callers *gk_callers_retain(struct gk_callers *callers);
/* The last one wipes the tokens. NULL is fine. */
void gk_callers_release(struct gk_callers *callers);

/* Whose "Bearer TOKEN" that is; NULL: nobody's, or authorization is NULL. Takes as long whoever it is. */
const struct gk_caller *gk_callers_find(const struct gk_callers *callers,
                                        const char *authorization);
/*
 * Whose that client's certificate (DER) is, which has been found good: the first that it fits. NULL: nobody's, and sha256
 * has what an entry in management.callers would name it by ("" for what is no certificate).
 */
const struct gk_caller *gk_callers_find_certificate(const struct gk_callers *callers,
                                                    struct gk_span certificate,
                                                    char sha256[GK_SHA256_HEX_BYTES]);

#endif
