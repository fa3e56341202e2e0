/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Places for tests of the RADOS engine, on the cluster of scripts/ceph whose directory the environment's
 * GATEKEY_TEST_CEPH names. Each is a namespace of its own. Everything here asserts that it worked.
 */
#ifndef TESTS_UNIT_RADOS_PLACE_H
#define TESTS_UNIT_RADOS_PLACE_H

#include "unit/store_suite.h"

/* ctest's code for a test that was not run. */
#define RADOS_TEST_SKIPPED 77
/* How long to wait for what must come; no test takes so long. */
#define RADOS_WAIT_S 60

/* Connects as the cluster's administrator; false, with a line that says so, without a cluster. */
bool rados_places_begin(void);
void rados_places_end(void);

struct rados_place {
    char namespace_[40];
    char user[40];
    char meta_pool[64];
    char data_pool[64];
    uint32_t op_timeout_s;
};

/* In the gateway's own pools, as the gateway's own user. */
struct rados_place *rados_place_new(void);
struct gk_store *rados_place_open(const struct rados_place *place);
struct gk_store_rados_options rados_place_options(const struct rados_place *place);
/* Removes what is there, and frees place. */
void rados_place_free(struct rados_place *place);

/* For struct store_engine. */
void *rados_engine_place_new(void);
enum gk_status rados_engine_open(void *place, struct gk_store **out, struct gk_error *error);
void rados_engine_place_free(void *place);

/* A replicated pool or an erasure-coded one (k = 2, m = 1), which needs three OSDs; made when it is
 * missing, and kept for the next test. */
void rados_pool_make(const char *pool, bool erasure);
void rados_pool_remove(const char *pool);
bool rados_pool_is_erasure(const char *pool);
/* Takes a replicated pool's OSDs away, as if the cluster were gone for it, and gives them back. */
void rados_pool_switch(const char *pool, bool on);

#endif
