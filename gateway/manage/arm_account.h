/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A storage account as the Storage resource provider's JSON describes it (stable API, 2023-05-01),
 * and the gateway's additions under properties.gatekey.
 *
 * What is stored of it beside the plugin's settings is struct gk_arm_account, as a JSON text in the
 * account's own record. A request changes it member by member: gk_arm_apply() starts from what is
 * there (PATCH, repeated PUT) or from the defaults (first PUT), so that absent members keep what
 * they were.
 *
 * Known properties that this gateway does not have are accepted only with the value that is true of
 * it: a security setting that is stored and echoed but not enforced would be a lie.
 *
 * Pure functions, any thread.
 */
#ifndef GATEWAY_MANAGE_ARM_ACCOUNT_H
#define GATEWAY_MANAGE_ARM_ACCOUNT_H

#include <jansson.h>

#include "common/buf.h"
#include "gatekey/plugin.h"

#define GK_ARM_TAGS_MAX 50u

struct gk_arm_account {
    char subscription[65];
    char resource_group[91];
    char location[64]; /* stored beside, not in the JSON */
    char sku[32];
    bool system_identity;
    char user_identity[GK_RESOURCE_ID_BYTES_MAX]; /* "" for none */
    json_t *tags;                                 /* object of texts, owned */
    bool https_only;
    bool public_access;
    char access_tier[16];
};

enum gk_arm_verb { GK_ARM_CREATE, GK_ARM_UPDATE };

/* What the address of a request says. */
struct gk_arm_place {
    const char *subscription;
    const char *resource_group;
    const char *account;
};

/* GK_E_RESOURCE. */
enum gk_status gk_arm_account_init(struct gk_arm_account *arm, const struct gk_arm_place *place,
                                   struct gk_error *error) GK_MUST_USE;
void gk_arm_account_cleanup(struct gk_arm_account *arm);

/*
 * Applies a request body. settings holds the present ones (all zero: service-managed, before the
 * first PUT) and receives the wanted ones; *encryption_named tells whether the body spoke of
 * encryption at all. On failure neither arm nor settings may be used. Refusals: 400 with the
 * documented codes.
 */
enum gk_status gk_arm_apply(enum gk_arm_verb verb, const json_t *body, struct gk_arm_account *arm,
                            struct gk_encryption_settings *settings, bool *encryption_named,
                            struct gk_error *error) GK_MUST_USE;

/* To and from the text that gk_accounts stores. store appends to out. A text that does not parse is
 * GK_E_INTEGRITY: it came out of an authenticated record. */
enum gk_status gk_arm_store(const struct gk_arm_account *arm, struct gk_buf *out,
                            struct gk_error *error) GK_MUST_USE;
enum gk_status gk_arm_load(const char *text, const char *location, struct gk_arm_account *out,
                           struct gk_error *error) GK_MUST_USE;

/* Everything an answer shows. */
struct gk_arm_view {
    const char *name;
    const struct gk_arm_account *arm;
    const struct gk_account_status *status;
    int64_t created_wall_ms;
    int64_t key_created_wall_ms[2];
    const char *blob_endpoint; /* with a slash at its end */
};

/* NULL when memory is out. The caller owns it. */
json_t *gk_arm_view_json(const struct gk_arm_view *view);
/* properties.gatekey: the state of a key, of an account or of a scope. As above. */
json_t *gk_arm_key_state_json(const struct gk_account_status *status);
/* "service-managed", "active", "revoked", "unreachable", "degraded", "cold". */
const char *gk_arm_state_name(enum gk_account_state state);

#endif
