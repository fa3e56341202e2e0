/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text that a shared access signature signs, of the fields of one that a request came with (sas.h) or of one that is
 * being made (manage/sas_handlers.c). Source: "Create an account SAS", "Create a service SAS", "Create a user delegation
 * SAS", by the version that sv names. Pure.
 */
#ifndef GATEWAY_AUTH_SAS_TEXT_H
#define GATEWAY_AUTH_SAS_TEXT_H

#include "gateway/http/request.h"

#define GK_SAS_TEXT_BYTES_MAX (32u * 1024u)

enum gk_sas_kind { GK_SAS_OF_ACCOUNT, GK_SAS_OF_SERVICE, GK_SAS_DELEGATED };

/* Of request there is account_name, for the two last kinds container and blob, and query has the fields. version:
 * gk_service_version() of sv. The caller looks whether text has overflowed. */
void gk_sas_text(const struct gk_request *request, enum gk_sas_kind kind, int64_t version,
                 struct gk_buf *text);
/* The value of a field, "" when absent. */
const char *gk_sas_field(const struct gk_request *request, const char *name);
/* The parameter of a request that names the state of a blob which a signature is for, by its sr; NULL when it is for
 * something else. */
const char *gk_sas_state_parameter(const char *resource);

#endif
