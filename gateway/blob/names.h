/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where everything of the Blob service lives in the store.
 *
 *   GK_POOL_META  account/<name>             map  c/<container>                 container record
 *                                                 e/<scope>                     encryption scope (scopes.h)
 *                                                 k/<container> 0 <version>     one that was deleted and is kept
 *                                                 y, y/<scope> ...              barred root keys (key_floor.h)
 *                                                 g/<freed><16 bytes>           container to remove
 *                 scope/<account>/<scope>  what the plugin stores of an encryption scope
 *                 index/<container id>/<shard>
 *                                            map  b/<blob>                      blob record
 *                                                 v/<blob> 0 <time>             state of a blob (history.h)
 *                                                 d/<blob>, d/<blob> 0 <time>   a small blob's sealed chunk
 *                                                 s/<object><epoch>/<block>     staged block
 *                                                 s/<object><epoch>/            staging mark (block_id.h)
 *                                                 m/<manifest><page>            manifest page
 *                                                 p/<space><index><era>         page object (page_map.h)
 *                                                 q/<space><group><era>         which page objects there are
 *                                                 l/<loan>                      loan (loan.h)
 *                                                 g/<freed><16 bytes>           data to remove
 *                                                 x                             its door (index.h)
 *                                                 w                             protected (protection.h)
 *                                                 y/<scope> ...                 barred root keys (key_floor.h)
 *                 deleted/<account id>       map  <container id>                of a deleted account,
 *                                                                               with its shards, 4 bytes
 *                 registry                   gateway/registry.h
 *                 copies                     copy_list.h
 *                 shredded                   gateway/shredded.h
 *   GK_POOL_DATA  <container id>/<segment id>/<n>                               64 sealed chunks
 *                 <container id>/<page object id>/0                             1,024 sealed blocks
 *
 * Identifiers are 32 lower-case hexadecimal digits in object names and 16 bytes in map keys; epoch,
 * page, index, group and era (none for era 0) are 4 bytes, a state's time, a kept container's version and freed (a time in milliseconds, so that what was
 * freed first stands first) are 8, big endian. Every value in a map is a record of the plugin's, bound to the
 * container and its key; but for "x", "w" and "y", which say nothing that has to be hidden, and "d/", which is
 * as it would stand in a data object.
 *
 * A container's index has a fixed number of shards, 0 to GK_INDEX_SHARDS_MAX - 1 in decimal. All of one
 * blob stands in one of them, so that what changes together is in one object.
 */
#ifndef GATEWAY_BLOB_NAMES_H
#define GATEWAY_BLOB_NAMES_H

#include "common/buf.h"

#define GK_CONTAINER_NAME_BYTES_MAX 63u
#define GK_ROOT_CONTAINER           "$root" /* whose blobs may be addressed without it */
#define GK_WEB_CONTAINER            "$web"  /* with an account's static website */
#define GK_BLOB_NAME_CHARACTERS_MAX 1024u
#define GK_BLOB_NAME_BYTES_MAX      2040u /* of UTF-8; the map key must fit */
#define GK_INDEX_NAME_BYTES         56u
#define GK_INDEX_SHARDS_MAX         1024u
#define GK_BESIDE_BYTES_MAX         65520u /* of a blob whose sealed chunk is a map's value */
#define GK_STATE_KIND               "v/"
#define GK_KEPT_CONTAINER_KIND      "k/"
#define GK_LOAN_KIND                "l/"
#define GK_DOOR_KEY                 "x"
#define GK_FLOORS_KEY               "y"
#define GK_FLOOR_KIND               "y/"
#define GK_PROTECTED_KEY            "w"
#define GK_DATA_NAME_BYTES          96u
#define GK_PAGE_KEY_BYTES_MAX       26u /* of a page object's or a group's row */
#define GK_DELETED_NAME_PREFIX      "deleted/"
#define GK_DELETED_NAME_ATTR        "gateway.name" /* of such an object: the account's name */

/* "index/<id>/<shard>" */
void gk_index_name(const struct gk_id *container, uint32_t shard, char out[GK_INDEX_NAME_BYTES]);
/* Which of so many shards a blob of that name is in: FNV-1a of 64 bits, modulo shards. */
uint32_t gk_index_shard(struct gk_span blob, uint32_t shards);
/* "<container>/<segment>/<number>" */
void gk_data_name(const struct gk_id *container, const struct gk_id *segment, uint64_t number,
                  char out[GK_DATA_NAME_BYTES]);
/* "<container>/": what all data objects of a container begin with. */
void gk_data_prefix(const struct gk_id *container, char out[GK_DATA_NAME_BYTES]);
/* "deleted/<account id>" */
void gk_deleted_name(const struct gk_id *account, char out[GK_INDEX_NAME_BYTES]);

/* Map keys, appended to out. */
void gk_container_key(struct gk_buf *out, const char *container);
/* Of the container of that name that was deleted under this version. */
void gk_kept_container_key(struct gk_buf *out, const char *container, uint64_t version);
/* What such a key says. */
struct gk_span gk_kept_container_key_name(struct gk_span key);
uint64_t gk_kept_container_key_version(struct gk_span key);
void gk_blob_key(struct gk_buf *out, const char *blob);
/* All states of the blob whose base has this key begin with state_prefix. */
void gk_state_prefix(struct gk_buf *out, struct gk_span base_key);
void gk_state_key(struct gk_buf *out, struct gk_span base_key, uint64_t time);
bool gk_is_state_key(struct gk_span key);
/* What a state's key says: name and time. */
struct gk_span gk_state_key_name(struct gk_span state_key);
uint64_t gk_state_key_time(struct gk_span state_key);
/* The key of its base. */
void gk_base_key(struct gk_buf *out, struct gk_span state_key);
/* Of the data that stands beside the record with this key, a base's or a state's. */
void gk_blob_data_key(struct gk_buf *out, struct gk_span record_key);
/* All staged blocks of an epoch begin with staged_prefix. */
void gk_staged_prefix(struct gk_buf *out, const struct gk_id *object, uint32_t epoch);
void gk_manifest_prefix(struct gk_buf *out, const struct gk_id *manifest);
void gk_manifest_key(struct gk_buf *out, const struct gk_id *manifest, uint32_t page);
void gk_page_prefix(struct gk_buf *out, const struct gk_id *space);
void gk_page_key(struct gk_buf *out, const struct gk_id *space, uint32_t index, uint32_t era);
void gk_page_group_prefix(struct gk_buf *out, const struct gk_id *space);
void gk_page_group_key(struct gk_buf *out, const struct gk_id *space, uint32_t group, uint32_t era);
/* What such a key says. */
bool gk_page_key_parse(struct gk_span key, uint32_t *index, uint32_t *era) GK_MUST_USE;
void gk_loan_key(struct gk_buf *out, const struct gk_id *loan);
void gk_garbage_key(struct gk_buf *out, int64_t freed_wall_ms, const struct gk_id *id);

/* What a value in a map is bound to: "gateway/v1/" | kind | 0x00 | container id | key. */
void gk_binding(struct gk_buf *out, const char *kind, const struct gk_id *container,
                struct gk_span key);

/* Documented rules of names (Storage REST reference, "Naming and referencing containers, blobs, and
 * metadata"). */
bool gk_container_name_valid(const char *name);
bool gk_container_name_length_valid(const char *name);
/* Containers that the service itself would make, for logs: here there are none, and clients make none. */
bool gk_container_name_is_of_logs(const char *name);
bool gk_blob_name_valid(const char *name);

#endif
