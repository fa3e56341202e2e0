/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What gateways on one store tell each other: the name of an account that one of them has changed,
 * made or deleted. Who hears it looks at the store before it uses what it knows of the account. A
 * notice may be lost; then the same happens a check interval later.
 */
#ifndef GATEWAY_NOTICES_H
#define GATEWAY_NOTICES_H

#include "gateway/accounts.h"

/* In GK_POOL_META; watched, and holds nothing. */
#define GK_NOTICES_OBJECT "notices"

struct gk_notices;

/* Listens; accounts and host must outlive it. */
enum gk_status gk_notices_start(struct gk_store *store, struct gk_accounts *accounts,
                                struct gk_plugin_host *host, struct gk_notices **out,
                                struct gk_error *error) GK_MUST_USE;
/* No notice is obeyed after it. NULL is fine. */
void gk_notices_stop(struct gk_notices *notices);

/* Tells all gateways, this one too. Does not wait for them. */
void gk_notices_tell(struct gk_store *store, const char *account);
/* What is done about one; without bytes: about any that may have been missed. Not from within one of
 * the plugin's calls to its host. */
void gk_notices_obey(struct gk_accounts *accounts, struct gk_plugin_host *host,
                     struct gk_span notice);

#endif
