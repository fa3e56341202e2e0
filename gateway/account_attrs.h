/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account store of plugin.h over gateway/store: an account is the object "account/<name>" in
 * GK_POOL_META, an encryption scope of it "scope/<account>/<scope>"; its named attributes are the
 * object's, its version is the object's; its lease is that of the object "lease/<account>" or
 * "lease/<account>/<scope>". Where a name is asked for, a scope's is "<account>/<scope>". Whoever changes an account tells the other gateways (notices.h).
 * Any thread.
 */
#ifndef GATEWAY_ACCOUNT_ATTRS_H
#define GATEWAY_ACCOUNT_ATTRS_H

#include "gatekey/plugin.h"
#include "gateway/store/store.h"

#define GK_ACCOUNT_OBJECT_PREFIX    "account/"
#define GK_ACCOUNT_LEASE_PREFIX     "lease/"
#define GK_SCOPE_OBJECT_PREFIX      "scope/"
#define GK_ACCOUNT_OBJECT_BYTES_MAX 112u
#define GK_ACCOUNT_ATTRS_CHANGE_MAX 16u

/* Whether name has 3 to 24 lower-case letters and digits. */
bool gk_account_name_valid(const char *name);
/* Whether name has 3 to 63 lower-case letters, digits and single dashes between them. */
bool gk_scope_name_valid(const char *name);
/* The object's name; GK_E_INVALID for a name that is not valid. */
enum gk_status gk_account_object(const char *name, char object[GK_ACCOUNT_OBJECT_BYTES_MAX],
                                 struct gk_error *error) GK_MUST_USE;

/* As struct gk_host describes them. */
enum gk_status gk_account_attrs_get(struct gk_store *store, const char *account,
                                    gk_attr_visit_fn *visit, void *visit_ctx, uint64_t *version,
                                    struct gk_error *error) GK_MUST_USE;
/* For a guard of what is read afterwards. GK_E_NOT_FOUND. */
enum gk_status gk_account_attrs_version(struct gk_store *store, const char *account,
                                        uint64_t *version, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_attrs_set_if(struct gk_store *store, const char *account,
                                       uint64_t expected_version, const struct gk_attr *changes,
                                       size_t changes_count, uint64_t *new_version,
                                       struct gk_error *error) GK_MUST_USE;
/* Removes the object when it has that version, else GK_E_CONFLICT; gk_account_attrs_gone is to follow. */
enum gk_status gk_account_attrs_remove_if(struct gk_store *store, const char *account,
                                          uint64_t expected_version,
                                          struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_lease_take(struct gk_store *store, const char *account,
                                     uint32_t duration_ms, struct gk_error *error) GK_MUST_USE;
void gk_account_lease_release(struct gk_store *store, const char *account);

/*
 * Whether the object of an account without a record shows that there was one: the gateway's record is written last, and
 * containers after it. False of one that is half made, and where there is none. A name that is not valid is GK_E_INVALID.
 */
enum gk_status gk_account_has_remains(struct gk_store *store, const char *account, bool *remains,
                                      struct gk_error *error) GK_MUST_USE;

/* The account's object was removed: its lease goes too, and other gateways are told. */
void gk_account_attrs_gone(struct gk_store *store, const char *account);

#endif
