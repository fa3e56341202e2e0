/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is written into a map comes back as it was, and anything else is refused, whatever it
 * is. Method: records of every shape, every truncation of them, and damage by a fixed seed.
 */
#include "common/text.h"
#include "gateway/blob/names.h"
#include "gateway/blob/record.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define DAMAGED_RUNS 20000

typedef enum gk_status decode_fn(struct gk_span in, struct gk_error *error);

/* xorshift: the same numbers in every run. */
static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* Less than count. */
static size_t pick(uint32_t *state, size_t count)
{
    return (size_t)((uint64_t)next_random(state) * count >> 32);
}

static struct gk_id id_of(uint8_t byte)
{
    struct gk_id id;
    memset(id.bytes, byte, sizeof id.bytes);
    return id;
}

static void assert_id(const struct gk_id *id, uint8_t byte)
{
    const struct gk_id wanted = id_of(byte);
    assert_memory_equal(id, &wanted, sizeof wanted);
}

/* No part of it passes for the whole, nor does the whole with something after it; what is damaged may
 * pass, for that is what seals are for, but never does harm. */
static void assert_strict(const struct gk_buf *encoded, decode_fn *decode)
{
    struct gk_error error = {0};
    assert_true(gk_buf_status(encoded) == GK_OK && encoded->len > 0);
    assert_int_equal(decode(gk_buf_span(encoded), &error), GK_OK);
    for (size_t len = 0; len < encoded->len; len++) {
        /* In memory of just that size, where a sanitizer sees the first byte too many. */
        uint8_t *part = malloc(len == 0 ? 1 : len);
        assert_non_null(part);
        memcpy(part, encoded->data, len);
        assert_int_equal(decode(gk_span_of(part, len), &error), GK_E_INTEGRITY);
        free(part);
    }
    uint8_t *more = malloc(encoded->len + 1);
    assert_non_null(more);
    memcpy(more, encoded->data, encoded->len);
    more[encoded->len] = 0;
    assert_int_equal(decode(gk_span_of(more, encoded->len + 1), &error), GK_E_INTEGRITY);
    uint32_t random = 0x6761746b;
    for (int i = 0; i < DAMAGED_RUNS; i++) {
        memcpy(more, encoded->data, encoded->len);
        for (size_t k = pick(&random, 4); k < 4; k++) {
            more[pick(&random, encoded->len)] = (uint8_t)next_random(&random);
        }
        const enum gk_status status = decode(gk_span_of(more, encoded->len), &error);
        assert_true(status == GK_OK || status == GK_E_INTEGRITY);
    }
    free(more);
}

/* --- blobs -------------------------------------------------------------------------------------- */

static enum gk_status decode_blob(struct gk_span in, struct gk_error *error)
{
    struct gk_blob_record record;
    const enum gk_status status = gk_blob_record_decode(in, &record, error);
    gk_blob_record_cleanup(&record);
    return status;
}

static struct gk_lease some_lease(void)
{
    return (struct gk_lease){.id = id_of(9),
                             .duration_s = GK_LEASE_INFINITE_S,
                             .until_wall_ms = INT64_MAX,
                             .broken_at_wall_ms = 1};
}

static void assert_same_lease(const struct gk_lease *a, const struct gk_lease *b)
{
    assert_memory_equal(&a->id, &b->id, sizeof a->id);
    assert_int_equal(a->duration_s, b->duration_s);
    assert_true(a->until_wall_ms == b->until_wall_ms);
    assert_true(a->broken_at_wall_ms == b->broken_at_wall_ms);
}

static void assert_same_history(const struct gk_history *a, const struct gk_history *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->newest == b->newest);
    assert_true(a->version == b->version);
    assert_true(a->deleted_wall_ms == b->deleted_wall_ms);
    assert_true(a->kept_until_wall_ms == b->kept_until_wall_ms);
}

static struct gk_acl some_acl(void)
{
    return (struct gk_acl){.level = GK_PUBLIC_CONTAINER,
                           .policies_count = 2,
                           .policies = {{.id = "one",
                                         .start_wall_ms = GK_ACL_NO_TIME,
                                         .expiry_wall_ms = INT64_MAX,
                                         .permissions = "racwdxyltmeopif"},
                                        {.id = "two", .start_wall_ms = -1}}};
}

static struct gk_blob_record some_blob(void)
{
    struct gk_blob_record record = {.state = GK_BLOB_COMMITTED,
                                    .object = id_of(1),
                                    .etag = UINT64_MAX,
                                    .created_wall_ms = -1,
                                    .modified_wall_ms = INT64_MAX,
                                    .size = UINT64_C(190) << 40,
                                    .epoch = UINT32_MAX,
                                    .tier = GK_TIER_COLD,
                                    .has_md5 = true};
    memset(record.sealed_data_key, 2, sizeof record.sealed_data_key);
    memset(record.md5, 3, sizeof record.md5);
    record.lease = some_lease();
    record.tier_times = (struct gk_tier_times){.changed_wall_ms = 5,
                                               .rehydrates_to = GK_TIER_COLD,
                                               .high_priority = true,
                                               .ready_wall_ms = INT64_MAX};
    record.immutability = (struct gk_immutability){
        .mode = GK_POLICY_LOCKED, .until_wall_ms = INT64_MIN, .legal_hold = true};
    record.lifetime.ends_wall_ms = GK_LIFETIME_MAX_WALL_MS;
    record.encryption.kind = GK_ENCRYPTION_CLIENT_KEY;
    memset(record.encryption.client_key_hash, 4, sizeof record.encryption.client_key_hash);
    record.incremental =
        (struct gk_incremental){.source = id_of(5), .era = UINT32_MAX, .snapshot = UINT64_MAX};
    record.keyed_wall_ms = 1795000000123;
    record.history = (struct gk_history){.kind = GK_STATE_VERSION,
                                         .newest = UINT64_MAX,
                                         .version = 1,
                                         .deleted_wall_ms = INT64_MAX,
                                         .kept_until_wall_ms = 2};
    return record;
}

static void assert_same_blob(const struct gk_blob_record *a, const struct gk_blob_record *b)
{
    assert_int_equal(a->state, b->state);
    assert_memory_equal(&a->object, &b->object, sizeof a->object);
    assert_memory_equal(a->sealed_data_key, b->sealed_data_key, sizeof a->sealed_data_key);
    assert_true(a->etag == b->etag);
    assert_true(a->created_wall_ms == b->created_wall_ms);
    assert_true(a->modified_wall_ms == b->modified_wall_ms);
    assert_true(a->size == b->size);
    assert_int_equal(a->epoch, b->epoch);
    assert_int_equal(a->tier, b->tier);
    assert_int_equal(a->has_md5, b->has_md5);
    assert_memory_equal(a->md5, b->md5, sizeof a->md5);
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        assert_string_equal(a->headers[i] == NULL ? "" : a->headers[i],
                            b->headers[i] == NULL ? "" : b->headers[i]);
    }
    assert_same_lease(&a->lease, &b->lease);
    assert_true(a->tier_times.changed_wall_ms == b->tier_times.changed_wall_ms);
    assert_int_equal(a->tier_times.rehydrates_to, b->tier_times.rehydrates_to);
    assert_int_equal(a->tier_times.high_priority, b->tier_times.high_priority);
    assert_true(a->tier_times.ready_wall_ms == b->tier_times.ready_wall_ms);
    assert_int_equal(a->immutability.mode, b->immutability.mode);
    assert_true(a->immutability.until_wall_ms == b->immutability.until_wall_ms);
    assert_int_equal(a->immutability.legal_hold, b->immutability.legal_hold);
    assert_int_equal(a->kind.type, b->kind.type);
    assert_int_equal(a->kind.blocks_count, b->kind.blocks_count);
    assert_int_equal(a->kind.sealed, b->kind.sealed);
    assert_true(a->kind.sequence == b->kind.sequence);
    assert_memory_equal(&a->kind.space, &b->kind.space, sizeof a->kind.space);
    assert_memory_equal(a->kind.groups, b->kind.groups, sizeof a->kind.groups);
    assert_true(gk_id_equal(&a->kind.lineage, &b->kind.lineage));
    assert_true(gk_id_equal(gk_page_lineage(&a->kind), gk_page_lineage(&b->kind)));
    assert_int_equal(a->encryption.kind, b->encryption.kind);
    assert_memory_equal(a->encryption.client_key_hash, b->encryption.client_key_hash,
                        sizeof a->encryption.client_key_hash);
    assert_true(a->lifetime.ends_wall_ms == b->lifetime.ends_wall_ms);
    assert_int_equal(a->eras.era, b->eras.era);
    assert_int_equal(a->eras.shared, b->eras.shared);
    assert_int_equal(a->eras.writers_count, b->eras.writers_count);
    assert_memory_equal(a->eras.groups, b->eras.groups, sizeof a->eras.groups);
    for (uint32_t i = 0; i < a->eras.writers_count; i++) {
        assert_true(a->eras.writers[i].id == b->eras.writers[i].id);
        assert_true(gk_id_equal(&a->eras.writers[i].object, &b->eras.writers[i].object));
    }
    assert_true(gk_id_equal(&a->incremental.source, &b->incremental.source));
    assert_int_equal(a->incremental.era, b->incremental.era);
    assert_true(a->incremental.snapshot == b->incremental.snapshot);
    assert_int_equal(a->keyed_wall_ms, b->keyed_wall_ms);
    assert_same_history(&a->history, &b->history);
    assert_int_equal(a->manifest.paged, b->manifest.paged);
    assert_int_equal(a->manifest.beside, b->manifest.beside);
    assert_int_equal(a->manifest.entries_count, b->manifest.entries_count);
    assert_int_equal(a->manifest.pages_count, b->manifest.pages_count);
    for (uint32_t i = 0; i < a->manifest.entries_count; i++) {
        const struct gk_manifest_entry *x = &a->manifest.entries[i];
        const struct gk_manifest_entry *y = &b->manifest.entries[i];
        assert_memory_equal(&x->segment, &y->segment, sizeof x->segment);
        assert_true(x->length == y->length);
        assert_int_equal(x->name_len, y->name_len);
        assert_int_equal(x->lent, y->lent);
        assert_memory_equal(x->name, y->name, x->name_len);
    }
    assert_memory_equal(&a->manifest.id, &b->manifest.id, sizeof a->manifest.id);
    for (uint32_t i = 0; i < a->manifest.pages_count; i++) {
        assert_int_equal(a->manifest.pages[i].number, b->manifest.pages[i].number);
        assert_true(a->manifest.pages[i].bytes == b->manifest.pages[i].bytes);
    }
}

static void assert_blob_comes_back(const struct gk_blob_record *record)
{
    struct gk_buf encoded;
    struct gk_blob_record decoded;
    gk_buf_init(&encoded, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(record, &encoded);
    assert_int_equal(gk_blob_record_decode(gk_buf_span(&encoded), &decoded, NULL), GK_OK);
    assert_same_blob(record, &decoded);
    gk_blob_record_cleanup(&decoded);
    assert_strict(&encoded, decode_blob);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__without_content(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    assert_blob_comes_back(&record);
    record.state = GK_BLOB_UNCOMMITTED;
    record.has_md5 = false;
    record.lease = (struct gk_lease){0};
    record.tier_times = (struct gk_tier_times){0};
    record.immutability = (struct gk_immutability){0};
    assert_blob_comes_back(&record);
    record.state = GK_BLOB_GONE;
    record.history = (struct gk_history){.newest = 1};
    assert_blob_comes_back(&record);
    record.history = (struct gk_history){0};
    assert_blob_comes_back(&record);
}

static void test_blob_record__with_headers_and_entries(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    struct gk_manifest_entry entries[3] = {
        {.segment = id_of(4), .length = 1, .name_len = 0},
        {.segment = id_of(5), .length = UINT64_MAX, .name_len = 1, .name = {0}},
        {.segment = id_of(6), .length = 0, .name_len = GK_BLOCK_NAME_BYTES_MAX}};
    char type[] = "text/plain";
    char cache[] = "no-store";
    record.headers[GK_CONTENT_TYPE] = type;
    record.headers[GK_CACHE_CONTROL] = cache;
    record.manifest.entries = entries;
    record.manifest.entries_count = 3;
    assert_blob_comes_back(&record);
}

/* What is lent is lent by a loan. */
static void test_blob_record__that_borrows(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    struct gk_manifest_entry entries[2] = {
        {.segment = id_of(4), .length = 1, .lent = true, .name_len = 2, .name = {'a', 'b'}},
        {.segment = id_of(5), .length = 2}};
    struct gk_buf encoded;
    record.loan = (struct gk_loan){.id = id_of(6), .container = id_of(7), .shard = 8};
    record.manifest.entries = entries;
    record.manifest.entries_count = 2;
    assert_blob_comes_back(&record);
    record.loan = (struct gk_loan){.shard = 0};
    gk_buf_init(&encoded, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(&record, &encoded);
    assert_int_equal(decode_blob(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__with_pages(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    struct gk_manifest_page pages[GK_MANIFEST_PAGES_MAX];
    struct gk_manifest_entry tail[2] = {{.segment = id_of(4), .length = 1},
                                        {.segment = id_of(5), .length = 2}};
    for (uint32_t i = 0; i < GK_MANIFEST_PAGES_MAX; i++) {
        pages[i] =
            (struct gk_manifest_page){.number = UINT32_MAX - i, .bytes = UINT64_C(1) << (i % 64)};
    }
    record.manifest.paged = true;
    record.manifest.id = id_of(7);
    record.manifest.pages = pages;
    record.manifest.pages_count = GK_MANIFEST_PAGES_MAX;
    assert_blob_comes_back(&record);
    record.manifest.pages_count = 1;
    record.manifest.entries = tail;
    record.manifest.entries_count = 2;
    assert_blob_comes_back(&record);
}

/* What Put Block List wrote before pages had numbers: kind 1, pages in order. */
static void test_blob_record__with_pages_in_order(void **state)
{
    (void)state;
    const struct gk_blob_record record = some_blob();
    struct gk_buf encoded;
    struct gk_blob_record decoded;
    gk_buf_init(&encoded, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(&record, &encoded);
    encoded.len -= 5; /* the manifest: its kind, and how many entries */
    gk_buf_append_u8(&encoded, 1);
    gk_buf_append(&encoded, record.object.bytes, sizeof record.object.bytes);
    gk_buf_append_u32(&encoded, 2);
    gk_buf_append_u64(&encoded, 30);
    gk_buf_append_u64(&encoded, 40);
    assert_int_equal(gk_blob_record_decode(gk_buf_span(&encoded), &decoded, NULL), GK_OK);
    assert_true(decoded.manifest.paged && decoded.manifest.entries_count == 0);
    assert_int_equal(decoded.manifest.pages_count, 2);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(decoded.manifest.pages[i].number, i);
        assert_true(decoded.manifest.pages[i].bytes == 30 + 10 * i);
    }
    gk_blob_record_cleanup(&decoded);
    assert_strict(&encoded, decode_blob);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__of_an_append_blob(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    record.kind = (struct gk_blob_kind){.type = GK_BLOB_APPEND};
    assert_blob_comes_back(&record);
    record.kind.blocks_count = 50000;
    record.kind.sealed = true;
    assert_blob_comes_back(&record);
}

static void test_blob_record__of_a_page_blob(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    record.kind = (struct gk_blob_kind){
        .type = GK_BLOB_PAGE, .sequence = INT64_MAX, .space = id_of(9), .groups = {1, 2, 3}};
    assert_true(gk_id_equal(gk_page_lineage(&record.kind), &record.kind.space));
    assert_blob_comes_back(&record);
    record.kind.lineage = id_of(8);
    assert_false(gk_id_equal(gk_page_lineage(&record.kind), &record.kind.space));
    assert_blob_comes_back(&record);
}

/* Nine processes: the one that spoke first gives way, and one that speaks again takes its own place. */
static void test_blob_record__of_a_page_blob_in_a_later_era(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    struct gk_page_eras *eras = &record.eras;
    struct gk_id displaced = id_of(0);
    record.kind = (struct gk_blob_kind){.type = GK_BLOB_PAGE, .space = id_of(9), .groups = {3}};
    for (uint8_t i = 0; i < GK_PAGE_WRITERS_MAX; i++) {
        const struct gk_id object = id_of(i);
        assert_false(gk_page_eras_note_writer(eras, 100u + i, &object, &displaced));
    }
    assert_blob_comes_back(&record);
    const struct gk_id other = id_of(77);
    assert_false(gk_page_eras_note_writer(eras, 100, &other, &displaced));
    assert_true(gk_page_eras_note_writer(eras, 200, &other, &displaced));
    assert_int_equal(displaced.bytes[0], id_of(1).bytes[0]);
    assert_int_equal(eras->writers_count, GK_PAGE_WRITERS_MAX);
    assert_true(eras->writers[GK_PAGE_WRITERS_MAX - 2].id == 100);
    gk_page_eras_end(eras);
    assert_int_equal(eras->era, 1);
    assert_int_equal(eras->shared, 1);
    assert_int_equal(eras->writers_count, 0);
    eras->era = UINT32_MAX;
    eras->groups[0] = 1;
    eras->groups[255] = UINT32_MAX;
    assert_blob_comes_back(&record);
}

/* --- rows of page blobs ------------------------------------------------------------------------- */

static enum gk_status decode_page_map(struct gk_span in, struct gk_error *error)
{
    struct gk_page_map map;
    return gk_page_map_decode(in, &map, NULL, error);
}

static enum gk_status decode_page_group(struct gk_span in, struct gk_error *error)
{
    struct gk_page_group group;
    return gk_page_group_decode(in, &group, error);
}

static void test_blob_record__rows_of_page_blobs(void **state)
{
    (void)state;
    struct gk_page_map map = {.object = id_of(3)};
    struct gk_page_map decoded;
    struct gk_page_group group = {.present = {7}};
    struct gk_page_group decoded_group;
    struct gk_buf encoded;
    memset(map.written, 0xa5, sizeof map.written);
    gk_buf_init(&encoded, GK_PAGE_ROW_BYTES_MAX);
    gk_page_map_encode(&map, NULL, &encoded);
    assert_int_equal(gk_page_map_decode(gk_buf_span(&encoded), &decoded, NULL, NULL), GK_OK);
    assert_memory_equal(&decoded, &map, sizeof map);
    assert_strict(&encoded, decode_page_map);
    gk_buf_reset(&encoded);
    gk_page_group_encode(&group, &encoded);
    assert_int_equal(gk_page_group_decode(gk_buf_span(&encoded), &decoded_group, NULL), GK_OK);
    assert_memory_equal(&decoded_group, &group, sizeof group);
    assert_strict(&encoded, decode_page_group);
    gk_buf_cleanup(&encoded);
}

static enum gk_status decode_aged_page_map(struct gk_span in, struct gk_error *error)
{
    struct gk_page_map map;
    struct gk_page_ages ages;
    return gk_page_map_decode(in, &map, &ages, error);
}

/* Runs of one page, of many, and over pages that were not written. */
static void test_blob_record__rows_of_page_blobs_in_later_eras(void **state)
{
    (void)state;
    static struct gk_page_ages ages;
    static struct gk_page_ages decoded_ages;
    static struct gk_page_group group;
    static struct gk_page_group decoded_group;
    struct gk_page_map map = {.object = id_of(3), .made = 7};
    struct gk_page_map decoded;
    struct gk_buf encoded;
    gk_bits_set(map.written, 5, 100, true);
    gk_bits_set(map.written, 200, 300, true);
    gk_bits_set(map.written, GK_PAGE_OBJECT_PAGES - 1, GK_PAGE_OBJECT_PAGES, true);
    for (uint32_t page = 50; page < 100; page++) {
        ages.eras[page] = page % 4 == 0 ? 9 : 8;
    }
    ages.eras[GK_PAGE_OBJECT_PAGES - 1] = UINT32_MAX;
    gk_buf_init(&encoded, GK_PAGE_ROW_BYTES_MAX);
    gk_page_map_encode(&map, &ages, &encoded);
    assert_int_equal(gk_page_map_decode(gk_buf_span(&encoded), &decoded, &decoded_ages, NULL),
                     GK_OK);
    assert_memory_equal(&decoded, &map, sizeof map);
    assert_memory_equal(&decoded_ages, &ages, sizeof ages);
    assert_strict(&encoded, decode_aged_page_map);
    assert_strict(&encoded, decode_page_map);
    gk_buf_reset(&encoded);
    group.present[0] = 7;
    group.present[1023] = 128;
    group.eras[1] = 4;
    group.eras[8191] = UINT32_MAX;
    gk_page_group_encode(&group, &encoded);
    assert_int_equal(gk_page_group_decode(gk_buf_span(&encoded), &decoded_group, NULL), GK_OK);
    assert_memory_equal(&decoded_group, &group, sizeof group);
    assert_strict(&encoded, decode_page_group);
    gk_buf_cleanup(&encoded);
}

/* Each page of another era than the one before: no row is longer. */
static void test_blob_record__longest_rows_of_page_blobs(void **state)
{
    (void)state;
    static struct gk_page_ages ages;
    static struct gk_page_group group;
    struct gk_page_map map = {.object = id_of(3)};
    struct gk_buf encoded;
    memset(map.written, 0xff, sizeof map.written);
    memset(group.present, 0xff, sizeof group.present);
    for (uint32_t at = 0; at < GK_PAGE_OBJECT_PAGES; at++) {
        ages.eras[at] = at;
        group.eras[at] = at;
    }
    gk_buf_init(&encoded, GK_PAGE_ROW_BYTES_MAX - GK_RECORD_OVERHEAD_BYTES);
    gk_page_map_encode(&map, &ages, &encoded);
    assert_int_equal(decode_aged_page_map(gk_buf_span(&encoded), NULL), GK_OK);
    gk_buf_reset(&encoded);
    gk_page_group_encode(&group, &encoded);
    assert_int_equal(decode_page_group(gk_buf_span(&encoded), NULL), GK_OK);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__keys_of_rows_of_page_blobs(void **state)
{
    (void)state;
    const struct gk_id space = id_of(5);
    struct gk_buf key;
    uint32_t piece = 0;
    uint32_t era = 1;
    gk_buf_init(&key, GK_PAGE_KEY_BYTES_MAX);
    gk_page_key(&key, &space, 77, 0);
    assert_int_equal(key.len, GK_PAGE_KEY_BYTES_MAX - 4);
    assert_true(gk_page_key_parse(gk_buf_span(&key), &piece, &era));
    assert_int_equal(piece, 77);
    assert_int_equal(era, 0);
    gk_buf_reset(&key);
    gk_page_key(&key, &space, 78, UINT32_MAX);
    assert_true(gk_page_key_parse(gk_buf_span(&key), &piece, &era));
    assert_int_equal(piece, 78);
    assert_true(era == UINT32_MAX);
    assert_false(gk_page_key_parse(gk_span_of(key.data, key.len - 1), &piece, &era));
    gk_buf_cleanup(&key);
}

/* Beside an array of bool: every range of 40 bits, and what is found from everywhere. */
static void test_blob_record__bits(void **state)
{
    (void)state;
    enum { BITS = 40 };
    for (uint32_t from = 0; from <= BITS; from++) {
        for (uint32_t to = from; to <= BITS; to++) {
            uint8_t bits[BITS / 8] = {0};
            gk_bits_set(bits, from, to, true);
            for (uint32_t at = 0; at < BITS; at++) {
                assert_int_equal(gk_bits_get(bits, at), at >= from && at < to);
                const uint32_t set = at >= to || from >= to ? BITS : at > from ? at : from;
                const uint32_t clear = at < from || at >= to ? at : to;
                assert_int_equal(gk_bits_find(bits, at, BITS, true), set);
                assert_int_equal(gk_bits_find(bits, at, BITS, false), clear);
            }
            gk_bits_set(bits, 0, to, false);
            assert_int_equal(gk_bits_find(bits, 0, BITS, true), BITS);
        }
    }
}

/* The largest record that can be made fits where records are kept. */
static void test_blob_record__at_its_largest(void **state)
{
    (void)state;
    struct gk_blob_record record = some_blob();
    struct gk_manifest_entry entries[GK_MANIFEST_INLINE_MAX];
    char header[GK_CONTENT_HEADER_BYTES];
    memset(entries, 0, sizeof entries);
    for (uint32_t i = 0; i < GK_MANIFEST_INLINE_MAX; i++) {
        entries[i].name_len = GK_BLOCK_NAME_BYTES_MAX;
    }
    memset(header, 'h', sizeof header - 1);
    header[sizeof header - 1] = '\0';
    for (size_t i = 0; i < GK_CONTENT_HEADERS; i++) {
        record.headers[i] = header;
    }
    record.manifest.entries = entries;
    record.manifest.entries_count = GK_MANIFEST_INLINE_MAX;
    struct gk_buf encoded;
    gk_buf_init(&encoded, GK_BLOB_RECORD_BYTES_MAX - GK_RECORD_OVERHEAD_BYTES -
                              GK_METADATA_BYTES_MAX - 4u * GK_METADATA_COUNT_MAX);
    gk_blob_record_encode(&record, &encoded);
    assert_int_equal(gk_buf_status(&encoded), GK_OK);
    assert_int_equal(decode_blob(gk_buf_span(&encoded), NULL), GK_OK);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__refuses_what_no_writer_makes(void **state)
{
    (void)state;
    enum { AT_VERSION = 0, AT_STATE = 1, AT_TIER = 1 + 1 + 16 + 112 + 4 * 8 + 4 };
    static const struct {
        size_t at;
        uint8_t byte;
    } rows[] = {{AT_VERSION, 0}, {AT_VERSION, 3},     {AT_STATE, 0},
                {AT_STATE, 4},   {AT_TIER, GK_TIERS}, {AT_TIER, 255}};
    const struct gk_blob_record record = some_blob();
    struct gk_buf encoded;
    gk_buf_init(&encoded, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(&record, &encoded);
    assert_int_equal(encoded.data[AT_TIER], GK_TIER_COLD);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const uint8_t kept = encoded.data[rows[i].at];
        encoded.data[rows[i].at] = rows[i].byte;
        assert_int_equal(decode_blob(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
        encoded.data[rows[i].at] = kept;
    }
    /* The manifest is at the end: its kind, and how many entries. */
    const size_t at_kind = encoded.len - 5;
    encoded.data[at_kind] = 2;
    assert_int_equal(decode_blob(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
    encoded.data[at_kind] = 0;
    memset(encoded.data + at_kind + 1, 0xff, 4);
    assert_int_equal(decode_blob(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
    gk_buf_cleanup(&encoded);
}

static void encode_beside(struct gk_buf *out, uint64_t length)
{
    struct gk_manifest_entry entry = {.segment = id_of(5), .length = length};
    const struct gk_blob_record record = {
        .state = GK_BLOB_COMMITTED,
        .size = length,
        .manifest = {.beside = true, .entries_count = 1, .entries = &entry}};
    gk_buf_init(out, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(&record, out);
}

/* One chunk is as much as can stand beside a record, and one byte as little. */
static void test_blob_record__data_beside_it(void **state)
{
    (void)state;
    static const struct {
        uint64_t length;
        enum gk_status status;
    } rows[] = {{1, GK_OK},
                {GK_CHUNK_PLAIN_BYTES, GK_OK},
                {0, GK_E_INTEGRITY},
                {GK_CHUNK_PLAIN_BYTES + 1, GK_E_INTEGRITY},
                {UINT64_MAX, GK_E_INTEGRITY}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_buf encoded;
        struct gk_blob_record decoded;
        encode_beside(&encoded, rows[i].length);
        assert_int_equal(gk_blob_record_decode(gk_buf_span(&encoded), &decoded, NULL),
                         rows[i].status);
        if (rows[i].status == GK_OK) {
            assert_true(decoded.manifest.beside && decoded.manifest.entries_count == 1);
            assert_id(&decoded.manifest.entries[0].segment, 5);
            assert_true(decoded.manifest.entries[0].length == rows[i].length);
            gk_blob_record_cleanup(&decoded);
        }
        gk_buf_cleanup(&encoded);
    }
}

/* --- manifest pages ----------------------------------------------------------------------------- */

static enum gk_status decode_page(struct gk_span in, struct gk_error *error)
{
    struct gk_manifest_entry *entries;
    uint32_t count;
    const enum gk_status status = gk_manifest_page_decode(in, &entries, &count, error);
    assert_true(status == GK_OK || (entries == NULL && count == 0));
    free(entries);
    return status;
}

static void test_blob_record__manifest_page(void **state)
{
    (void)state;
    struct gk_manifest_entry entries[2] = {
        {.segment = id_of(1), .length = 2, .name_len = 3, .name = {4, 5, 6}},
        {.segment = id_of(7), .length = 8}};
    struct gk_buf encoded;
    gk_buf_init(&encoded, GK_MANIFEST_PAGE_BYTES_MAX);
    gk_manifest_page_encode(entries, 2, &encoded);
    struct gk_manifest_entry *decoded;
    uint32_t count;
    assert_int_equal(gk_manifest_page_decode(gk_buf_span(&encoded), &decoded, &count, NULL), GK_OK);
    assert_int_equal(count, 2);
    assert_id(&decoded[0].segment, 1);
    assert_int_equal(decoded[0].name_len, 3);
    assert_memory_equal(decoded[0].name, entries[0].name, 3);
    assert_true(decoded[1].length == 8 && decoded[1].name_len == 0);
    free(decoded);
    assert_strict(&encoded, decode_page);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__manifest_page_is_bounded(void **state)
{
    (void)state;
    struct gk_manifest_entry *entries = calloc(GK_MANIFEST_PAGE_ENTRIES + 1, sizeof *entries);
    assert_non_null(entries);
    for (uint32_t i = 0; i <= GK_MANIFEST_PAGE_ENTRIES; i++) {
        entries[i].name_len = GK_BLOCK_NAME_BYTES_MAX;
    }
    struct gk_buf encoded;
    gk_buf_init(&encoded, GK_MANIFEST_PAGE_BYTES_MAX - GK_RECORD_OVERHEAD_BYTES);
    gk_manifest_page_encode(entries, GK_MANIFEST_PAGE_ENTRIES, &encoded);
    assert_int_equal(gk_buf_status(&encoded), GK_OK);
    assert_int_equal(decode_page(gk_buf_span(&encoded), NULL), GK_OK);
    gk_buf_reset(&encoded);
    gk_manifest_page_encode(entries, GK_MANIFEST_PAGE_ENTRIES + 1, &encoded);
    assert_int_equal(gk_buf_status(&encoded), GK_OK);
    assert_int_equal(decode_page(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
    gk_buf_cleanup(&encoded);
    free(entries);
}

/* --- staged blocks ------------------------------------------------------------------------------ */

static enum gk_status decode_staged(struct gk_span in, struct gk_error *error)
{
    struct gk_staged staged;
    return gk_staged_decode(in, &staged, error);
}

static void test_blob_record__staged_block(void **state)
{
    (void)state;
    const struct gk_staged staged = {.segment = id_of(9), .length = UINT64_MAX};
    struct gk_staged decoded;
    struct gk_buf encoded;
    gk_buf_init(&encoded, 64);
    gk_staged_encode(&staged, &encoded);
    assert_int_equal(gk_staged_decode(gk_buf_span(&encoded), &decoded, NULL), GK_OK);
    assert_id(&decoded.segment, 9);
    assert_true(decoded.length == UINT64_MAX);
    assert_strict(&encoded, decode_staged);
    gk_buf_cleanup(&encoded);
}

/* --- containers and metadata -------------------------------------------------------------------- */

static enum gk_status decode_container(struct gk_span in, struct gk_error *error)
{
    struct gk_container container;
    const enum gk_status status = gk_container_decode(in, &container, error);
    gk_container_cleanup(&container);
    return status;
}

static void test_blob_record__container(void **state)
{
    (void)state;
    struct gk_container container = {
        .id = id_of(1),
        .etag = 2,
        .created_wall_ms = 3,
        .modified_wall_ms = 4,
        .shards = 1024,
        .lease = some_lease(),
        .acl = some_acl(),
        .life = {.opening = UINT64_MAX, .deleted_wall_ms = 5, .kept_until_wall_ms = INT64_MAX},
        .encryption = {.scope = "a-scope", .deny_override = true}};
    gk_metadata_init(&container.metadata);
    gk_metadata_add(&container.metadata, gk_span_str("Name"), gk_span_str("value"));
    gk_metadata_add(&container.metadata, gk_span_str("empty"), gk_span_str(""));
    struct gk_buf encoded;
    struct gk_container decoded;
    gk_buf_init(&encoded, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_encode(&container, &encoded);
    assert_int_equal(gk_container_decode(gk_buf_span(&encoded), &decoded, NULL), GK_OK);
    assert_id(&decoded.id, 1);
    assert_true(decoded.etag == 2 && decoded.created_wall_ms == 3 && decoded.modified_wall_ms == 4);
    assert_int_equal(decoded.shards, 1024);
    assert_string_equal(decoded.encryption.scope, "a-scope");
    assert_true(decoded.encryption.deny_override);
    assert_same_lease(&decoded.lease, &container.lease);
    assert_memory_equal(&decoded.acl, &container.acl, sizeof container.acl);
    assert_memory_equal(&decoded.life, &container.life, sizeof container.life);
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    assert_int_equal(decoded.metadata.count, 2);
    assert_true(gk_metadata_next(&decoded.metadata, &at, &name, &value));
    assert_true(gk_span_equal(name, gk_span_str("Name")));
    assert_true(gk_span_equal(value, gk_span_str("value")));
    assert_true(gk_metadata_next(&decoded.metadata, &at, &name, &value));
    assert_true(gk_span_equal(name, gk_span_str("empty")) && value.len == 0);
    assert_false(gk_metadata_next(&decoded.metadata, &at, &name, &value));
    gk_container_cleanup(&decoded);
    assert_strict(&encoded, decode_container);
    gk_buf_cleanup(&encoded);
    gk_container_cleanup(&container);
}

/* Before there were shards. */
static void test_blob_record__container_of_one_shard(void **state)
{
    (void)state;
    struct gk_container container;
    struct gk_buf encoded;
    const uint8_t id_and_times[16 + 3 * 8] = {1};
    gk_buf_init(&encoded, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_buf_append_u8(&encoded, 1);
    gk_buf_append(&encoded, id_and_times, sizeof id_and_times);
    gk_buf_append_u16(&encoded, 0);
    assert_int_equal(gk_container_decode(gk_buf_span(&encoded), &container, NULL), GK_OK);
    assert_int_equal(container.shards, 1);
    gk_container_cleanup(&container);
    gk_buf_cleanup(&encoded);
}

static void test_blob_record__container_of_no_or_too_many_shards(void **state)
{
    (void)state;
    static const uint32_t shards[] = {0, 1025, UINT32_MAX};
    for (size_t i = 0; i < sizeof shards / sizeof *shards; i++) {
        struct gk_container container = {.id = id_of(1), .shards = shards[i]};
        struct gk_buf encoded;
        gk_metadata_init(&container.metadata);
        gk_buf_init(&encoded, GK_CONTAINER_RECORD_BYTES_MAX);
        gk_container_encode(&container, &encoded);
        assert_int_equal(decode_container(gk_buf_span(&encoded), NULL), GK_E_INTEGRITY);
        gk_buf_cleanup(&encoded);
        gk_container_cleanup(&container);
    }
}

/* As much metadata and as many policies as are ever accepted fit a container's record. */
static void test_blob_record__container_at_its_largest(void **state)
{
    (void)state;
    struct gk_container container = {.id = id_of(1), .shards = 1};
    gk_metadata_init(&container.metadata);
    uint8_t value[GK_METADATA_BYTES_MAX / GK_METADATA_COUNT_MAX - 4];
    memset(value, 'v', sizeof value);
    for (unsigned i = 0; i < GK_METADATA_COUNT_MAX; i++) {
        char name[8];
        snprintf(name, sizeof name, "m%03x", i);
        gk_metadata_add(&container.metadata, gk_span_str(name), gk_span_of(value, sizeof value));
    }
    assert_int_equal(gk_buf_status(&container.metadata.bytes), GK_OK);
    container.acl.policies_count = GK_ACL_POLICIES_MAX;
    for (unsigned i = 0; i < GK_ACL_POLICIES_MAX; i++) {
        memset(container.acl.policies[i].id, 'i', GK_ACL_ID_BYTES_MAX);
        memset(container.acl.policies[i].permissions, 'r', GK_ACL_PERMISSIONS_BYTES_MAX);
    }
    struct gk_buf encoded;
    gk_buf_init(&encoded, GK_CONTAINER_RECORD_BYTES_MAX - GK_RECORD_OVERHEAD_BYTES);
    gk_container_encode(&container, &encoded);
    assert_int_equal(gk_buf_status(&encoded), GK_OK);
    assert_int_equal(decode_container(gk_buf_span(&encoded), NULL), GK_OK);
    gk_buf_cleanup(&encoded);
    gk_container_cleanup(&container);
}

static void test_blob_record__random_bytes(void **state)
{
    (void)state;
    static decode_fn *const decoders[] = {decode_blob, decode_page, decode_staged,
                                          decode_container};
    uint32_t random = 0x626c6f62;
    for (int i = 0; i < DAMAGED_RUNS; i++) {
        uint8_t bytes[300];
        const size_t len = pick(&random, sizeof bytes);
        for (size_t k = 0; k < len; k++) {
            bytes[k] = (uint8_t)next_random(&random);
        }
        bytes[0] = 1; /* the version; further in than that */
        for (size_t k = 0; k < sizeof decoders / sizeof *decoders; k++) {
            const enum gk_status status = decoders[k](gk_span_of(bytes, len), NULL);
            assert_true(status == GK_OK || status == GK_E_INTEGRITY);
        }
    }
}

static void test_blob_record__etags_differ(void **state)
{
    (void)state;
    enum { COUNT = 64 };
    uint64_t etags[COUNT];
    size_t same = 0;
    for (size_t i = 0; i < COUNT; i++) {
        etags[i] = gk_etag_new(1767225600000);
        for (size_t k = 0; k < i; k++) {
            same += etags[i] == etags[k];
        }
    }
    assert_true(same <= 2); /* 20 random bits beside the time: one pair in 500 runs */
    assert_true(gk_etag_new(1767225600001) > etags[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blob_record__without_content),
        cmocka_unit_test(test_blob_record__with_headers_and_entries),
        cmocka_unit_test(test_blob_record__that_borrows),
        cmocka_unit_test(test_blob_record__with_pages),
        cmocka_unit_test(test_blob_record__with_pages_in_order),
        cmocka_unit_test(test_blob_record__of_an_append_blob),
        cmocka_unit_test(test_blob_record__of_a_page_blob),
        cmocka_unit_test(test_blob_record__of_a_page_blob_in_a_later_era),
        cmocka_unit_test(test_blob_record__rows_of_page_blobs),
        cmocka_unit_test(test_blob_record__rows_of_page_blobs_in_later_eras),
        cmocka_unit_test(test_blob_record__longest_rows_of_page_blobs),
        cmocka_unit_test(test_blob_record__keys_of_rows_of_page_blobs),
        cmocka_unit_test(test_blob_record__bits),
        cmocka_unit_test(test_blob_record__at_its_largest),
        cmocka_unit_test(test_blob_record__refuses_what_no_writer_makes),
        cmocka_unit_test(test_blob_record__data_beside_it),
        cmocka_unit_test(test_blob_record__manifest_page),
        cmocka_unit_test(test_blob_record__manifest_page_is_bounded),
        cmocka_unit_test(test_blob_record__staged_block),
        cmocka_unit_test(test_blob_record__container),
        cmocka_unit_test(test_blob_record__container_of_one_shard),
        cmocka_unit_test(test_blob_record__container_of_no_or_too_many_shards),
        cmocka_unit_test(test_blob_record__container_at_its_largest),
        cmocka_unit_test(test_blob_record__random_bytes),
        cmocka_unit_test(test_blob_record__etags_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
