/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Listings without a server: an account in an embedded store, a plugin that hides nothing but checks
 * where a record belongs and counts, and the answer as it was given. *state is a struct list_fixture.
 */
#ifndef TESTS_UNIT_LIST_FIXTURE_H
#define TESTS_UNIT_LIST_FIXTURE_H

#include "gateway/blob/changes.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"
#include "gateway/gateway.h"
#include "gateway/http/request.h"

#include "unit/store_place.h"

#define LIST_SHARDS_MAX 64u
#define LIST_TIME_MS    INT64_C(1767225600000) /* Thu, 01 Jan 2026 00:00:00 GMT */

struct list_fixture {
    char place[STORE_PLACE_BYTES];
    struct gk_plugin plugin;
    struct gk_plugin_host host;
    struct gk_gateway gateway;
    struct gk_gateway_account account;
    uint32_t shards; /* of every container */
    unsigned records_opened;
    unsigned keys_opened;
    unsigned keys_held;
    bool key_refused; /* the customer's key is revoked */
    unsigned status;  /* of the last answer; 0: none */
    struct gk_buf body;
    struct gk_buf names; /* what it lists: "b NAME\n", "p PREFIX\n" or "c CONTAINER\n" each */
    struct gk_buf marker;
    unsigned results;
    struct gk_error error;
};

/* Containers in one shard, or in so many. */
int list_fixture_setup(void **state);
int list_fixture_setup_3(void **state);
int list_fixture_setup_64(void **state);
int list_fixture_teardown(void **state);

/* metadata: name, value, ..., NULL; or NULL. A container's id is its name's first bytes. */
void list_add_container(struct list_fixture *fixture, const char *name,
                        const char *const *metadata);
/* With the id that a container of another name has by the above. Blobs are added under that. */
void list_add_container_as(struct list_fixture *fixture, const char *name, const char *id);
struct gk_id list_container_id(const char *container);

/* Blobs come in bulk: they stand in the store after list_add_end. */
struct list_bulk {
    struct list_fixture *fixture;
    struct gk_id container;
    struct gk_change_list changes[LIST_SHARDS_MAX]; /* of each shard */
};
void list_add_begin(struct list_bulk *bulk, struct list_fixture *fixture, const char *container);
void list_add_blob(struct list_bulk *bulk, const char *name, const struct gk_blob_record *record,
                   const char *const *metadata);
void list_add_end(struct list_bulk *bulk);
/* Committed, of 3 bytes; headers may be set, and are the caller's. */
struct gk_blob_record list_record(void);
/* Some committed blobs, ending with NULL. */
void list_add_blobs(struct list_fixture *fixture, const char *container, const char *const *names);

/* Asks; the answer is in fixture. query ends with a NULL name; container NULL lists containers. */
enum gk_status list_ask(struct list_fixture *fixture, enum gk_operation operation,
                        const char *container, const struct gk_pair *query);
/* All pages of max results each, one after the other, into names; the last answer's body stays. */
void list_all(struct list_fixture *fixture, const char *container, const char *max,
              const char *prefix, const char *delimiter, struct gk_buf *names);

#endif
