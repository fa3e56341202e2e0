/* SPDX-License-Identifier: Apache-2.0 */
/* The account store of bench/fleet.c: the attributes of accounts "fleet0" to "fleet<count - 1>", in memory. */
#ifndef BENCH_FLEET_STORE_H
#define BENCH_FLEET_STORE_H

#include "gatekey/plugin.h"

#define FLEET_ACCOUNT_FORM "fleet%u"

void fleet_store_init(unsigned accounts);
void fleet_store_cleanup(void);
/* The number of an account of that name. */
unsigned fleet_store_number(const char *account);
/* What it takes in memory by itself. */
size_t fleet_store_bytes(void);

/* As in struct gk_host. */
enum gk_status fleet_store_get(void *ctx, const char *account, gk_attr_visit_fn *visit,
                               void *visit_ctx, uint64_t *version, struct gk_error *error);
enum gk_status fleet_store_set_if(void *ctx, const char *account, uint64_t expected_version,
                                  const struct gk_attr *changes, size_t changes_count,
                                  uint64_t *new_version, struct gk_error *error);

#endif
