/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The JSON inside an account record. The seam between account_record.c, which answers for
 * authenticity and for what the fields may say, and the JSON library. docs/format.md lists the
 * members.
 */
#ifndef PLUGIN_ACCOUNT_RECORD_JSON_H
#define PLUGIN_ACCOUNT_RECORD_JSON_H

#include "plugin/account_record.h"

/* 2 when a root key is wrapped by a newer one, or was retired: who knows none of that must not build on
 * the record. */
#define GK_ACCOUNT_RECORD_VERSION     1
#define GK_ACCOUNT_RECORD_VERSION_MAX 2

/* Appends the JSON of a record whose strings are terminated and counts in bounds. GK_E_INVALID: a
 * string is not UTF-8. GK_E_LIMIT, GK_E_RESOURCE as the buffer says. */
enum gk_status gk_account_record_json_write(const struct gk_account_record *record,
                                            struct gk_buf *out) GK_MUST_USE;
/*
 * Reads exactly the members that versions 1 and 2 have, each once, each of its type and within its bounds;
 * those about the key may be absent.
 * GK_E_INTEGRITY otherwise; GK_E_UNSUPPORTED: another version. *record may be half filled then.
 */
enum gk_status gk_account_record_json_read(struct gk_span json,
                                           struct gk_account_record *record) GK_MUST_USE;

#endif
