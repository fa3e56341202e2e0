/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a record says of a copy that is no success, and a row of the list of pending ones, are read as they were
 * written, and nothing else is; and every size is cut into parts that a manifest has room for. Method: round trips;
 * every length cut short; every member that says what no writer does.
 */
#include "common/text.h"
#include "gateway/blob/copy_list.h"
#include "gateway/blob/copy_work.h"
#include "gateway/blob/writer.h"

#include "unit/cmocka_all.h"

#define MIB (UINT64_C(1) << 20)
#define TIB (UINT64_C(1) << 40)

static struct gk_id id_of(uint8_t last)
{
    struct gk_id id = {{0}};
    id.bytes[15] = last;
    return id;
}

/* --- in a record --------------------------------------------------------------------------------*/

static char container_name[] = "container";
static char blob_name[] = "a/blob";

static struct gk_copy_unfinished pending(void)
{
    return (struct gk_copy_unfinished){.status = GK_COPY_PENDING,
                                       .done_bytes = 5,
                                       .asked_wall_ms = 1700000000000,
                                       .description = "403 X \"Y\"",
                                       .origin = {.account = "sources",
                                                  .account_id = id_of(1),
                                                  .container = container_name,
                                                  .blob = blob_name,
                                                  .kind = GK_STATE_SNAPSHOT,
                                                  .time = 77,
                                                  .object = id_of(2),
                                                  .etag = 9}};
}

static enum gk_status decode(struct gk_span in, struct gk_copy_unfinished *out)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    return gk_copy_unfinished_field.decode(&reader, out, NULL);
}

static enum gk_status decode_changed(const struct gk_copy_unfinished *from)
{
    struct gk_copy_unfinished back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 1024);
    gk_copy_unfinished_field.encode(from, &bytes);
    const enum gk_status status = decode(gk_buf_span(&bytes), &back);
    gk_copy_unfinished_field.cleanup(&back);
    gk_buf_cleanup(&bytes);
    return status;
}

static void test_copy__pending_in_a_record(void **state)
{
    (void)state;
    const struct gk_copy_unfinished from = pending();
    struct gk_copy_unfinished back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 1024);
    gk_copy_unfinished_field.encode(&from, &bytes);
    assert_int_equal(decode(gk_buf_span(&bytes), &back), GK_OK);
    assert_int_equal(back.status, GK_COPY_PENDING);
    assert_int_equal(back.done_bytes, 5);
    assert_int_equal(back.asked_wall_ms, from.asked_wall_ms);
    assert_string_equal(back.description, from.description);
    assert_string_equal(back.origin.account, "sources");
    assert_string_equal(back.origin.container, container_name);
    assert_string_equal(back.origin.blob, blob_name);
    assert_int_equal(back.origin.kind, GK_STATE_SNAPSHOT);
    assert_int_equal(back.origin.time, 77);
    assert_int_equal(back.origin.etag, 9);
    assert_true(gk_id_equal(&back.origin.account_id, &from.origin.account_id));
    assert_true(gk_id_equal(&back.origin.object, &from.origin.object));
    gk_copy_unfinished_field.cleanup(&back);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(decode(gk_span_of(bytes.data, len), &back), GK_E_INTEGRITY);
        gk_copy_unfinished_field.cleanup(&back);
    }
    gk_buf_cleanup(&bytes);
}

static void test_copy__what_no_writer_writes(void **state)
{
    (void)state;
    struct gk_copy_unfinished from = pending();
    from.status = GK_COPY_SUCCESS;
    assert_int_equal(decode_changed(&from), GK_E_INTEGRITY);
    from = pending();
    from.status = (enum gk_copy_status)(GK_COPY_FAILED + 1);
    assert_int_equal(decode_changed(&from), GK_E_INTEGRITY);
    from = pending();
    from.origin.kind = GK_STATE_LENT;
    assert_int_equal(decode_changed(&from), GK_E_INTEGRITY);
    from = pending();
    from.origin.kind = GK_STATE_BASE; /* of a time */
    assert_int_equal(decode_changed(&from), GK_E_INTEGRITY);
    from = pending();
    from.origin.time = 0; /* a snapshot of none */
    assert_int_equal(decode_changed(&from), GK_E_INTEGRITY);
}

/* Of one that failed nothing is kept but why. */
static void test_copy__failed_in_a_record(void **state)
{
    (void)state;
    struct gk_copy_unfinished from = pending();
    from.status = GK_COPY_FAILED;
    struct gk_copy_unfinished back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 1024);
    gk_copy_unfinished_field.encode(&from, &bytes);
    assert_int_equal(decode(gk_buf_span(&bytes), &back), GK_OK);
    assert_int_equal(back.status, GK_COPY_FAILED);
    assert_string_equal(back.description, from.description);
    assert_null(back.origin.blob);
    gk_buf_cleanup(&bytes);
}

static void test_copy__what_is_told(void **state)
{
    (void)state;
    struct gk_copy copy = {.bytes = 10, .unfinished = {.done_bytes = 4}};
    static const char *const texts[] = {"success", "pending", "aborted", "failed"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        copy.unfinished.status = (enum gk_copy_status)i;
        assert_string_equal(gk_copy_status_text(&copy), texts[i]);
        assert_int_equal(gk_copy_done_bytes(&copy), i == 0 ? 10 : 4);
    }
}

/* --- in the list --------------------------------------------------------------------------------*/

static void test_copy__in_the_list(void **state)
{
    (void)state;
    const struct gk_copy_row from = {.id = id_of(3),
                                     .written_wall_ms = 1700000000000,
                                     .account = "copies",
                                     .account_id = id_of(4),
                                     .container = id_of(5),
                                     .shard = GK_INDEX_SHARDS_MAX - 1,
                                     .blob = "a/copy",
                                     .blob_len = 6};
    const struct gk_span key = gk_span_of(from.id.bytes, sizeof from.id.bytes);
    struct gk_copy_row back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 2048);
    gk_copy_row_encode(&from, &bytes);
    assert_int_equal(gk_copy_row_decode(key, gk_buf_span(&bytes), &back, NULL), GK_OK);
    assert_memory_equal(&back.id, &from.id, sizeof from.id);
    assert_int_equal(back.written_wall_ms, from.written_wall_ms);
    assert_string_equal(back.account, from.account);
    assert_memory_equal(&back.account_id, &from.account_id, sizeof from.account_id);
    assert_memory_equal(&back.container, &from.container, sizeof from.container);
    assert_int_equal(back.shard, from.shard);
    assert_int_equal(back.blob_len, from.blob_len);
    assert_memory_equal(back.blob, from.blob, from.blob_len);
    assert_int_equal(
        gk_copy_row_decode(gk_span_of(key.data, key.len - 1), gk_buf_span(&bytes), &back, NULL),
        GK_E_INTEGRITY);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(gk_copy_row_decode(key, gk_span_of(bytes.data, len), &back, NULL),
                         GK_E_INTEGRITY);
    }
    bytes.data[0]++; /* a version that is not known */
    assert_int_equal(gk_copy_row_decode(key, gk_buf_span(&bytes), &back, NULL), GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
}

/* --- parts --------------------------------------------------------------------------------------*/

static void test_copy__parts(void **state)
{
    (void)state;
    static const struct {
        enum gk_blob_type type;
        uint64_t size;
        uint64_t parts_max;
    } rows[] = {{GK_BLOB_BLOCK, 1, 1},
                {GK_BLOB_BLOCK, 64 * MIB, 1},
                {GK_BLOB_BLOCK, 64 * MIB + 1, 2},
                {GK_BLOB_BLOCK, 190 * TIB, 50000},
                {GK_BLOB_APPEND, 64 * MIB + 1, 2},
                {GK_BLOB_APPEND, 50000 * 100 * MIB, 1600}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct gk_blob_record source = {.kind = {.type = rows[i].type}, .size = rows[i].size};
        uint64_t done = 0;
        uint64_t parts = 0;
        while (done < source.size) {
            const uint64_t part = gk_copy_part_bytes(&source, done);
            assert_true(part > 0 && part <= GK_SEGMENT_BYTES_MAX && part <= source.size - done);
            done += part;
            parts++;
        }
        assert_true(parts <= rows[i].parts_max);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy__pending_in_a_record),
        cmocka_unit_test(test_copy__what_no_writer_writes),
        cmocka_unit_test(test_copy__failed_in_a_record),
        cmocka_unit_test(test_copy__what_is_told),
        cmocka_unit_test(test_copy__in_the_list),
        cmocka_unit_test(test_copy__parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
