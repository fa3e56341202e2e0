/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a record says of incremental copies is read as it was written, and nothing else is one; and what may
 * be done to such a blob is what the reference names. Method: a round trip, every length cut short, fields that no
 * writer makes; every operation there is.
 */
#include "gateway/blob/incremental.h"

#include "common/text.h"
#include "unit/cmocka_all.h"

static enum gk_status decode(struct gk_span in, struct gk_incremental *out)
{
    struct gk_reader reader = gk_reader_of(in);
    memset(out, 0, sizeof *out);
    const enum gk_status status = gk_incremental_field.decode(&reader, out, NULL);
    return status == GK_OK && !gk_read_done(&reader) ? GK_E_INTEGRITY : status;
}

static void test_incremental__of_a_record(void **state)
{
    (void)state;
    const struct gk_incremental incremental = {
        .source = {{[15] = 1}}, .era = UINT32_MAX, .snapshot = UINT64_MAX};
    struct gk_incremental back;
    struct gk_buf bytes;
    gk_buf_init(&bytes, 256);
    gk_incremental_field.encode(&incremental, &bytes);
    assert_int_equal(bytes.len, 28);
    assert_int_equal(decode(gk_buf_span(&bytes), &back), GK_OK);
    assert_true(gk_id_equal(&back.source, &incremental.source));
    assert_int_equal(back.era, incremental.era);
    assert_true(back.snapshot == incremental.snapshot);
    for (size_t len = 0; len < bytes.len; len++) {
        assert_int_equal(decode(gk_span_of(bytes.data, len), &back), GK_E_INTEGRITY);
    }
    bytes.data[15] = 0; /* of no blob */
    assert_int_equal(decode(gk_buf_span(&bytes), &back), GK_E_INTEGRITY);
    bytes.data[15] = 1;
    memset(bytes.data + 20, 0, 8); /* there is a snapshot from the first copy on */
    assert_int_equal(decode(gk_buf_span(&bytes), &back), GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
}

static bool is_for_the_base(enum gk_operation operation)
{
    switch (operation) {
    case GK_OP_BLOB_INCREMENTAL_COPY_BLOB:
    case GK_OP_BLOB_ABORT_COPY_BLOB:
    case GK_OP_BLOB_GET_BLOB_PROPERTIES:
    case GK_OP_BLOB_DELETE_BLOB:
    case GK_OP_BLOB_UNDELETE_BLOB:
    case GK_OP_BLOB_LEASE_BLOB_ACQUIRE:
    case GK_OP_BLOB_LEASE_BLOB_RENEW:
    case GK_OP_BLOB_LEASE_BLOB_CHANGE:
    case GK_OP_BLOB_LEASE_BLOB_RELEASE:
    case GK_OP_BLOB_LEASE_BLOB_BREAK:
        return true;
    default:
        return false;
    }
}

static void test_incremental__what_may_be_done(void **state)
{
    (void)state;
    const struct gk_incremental none = {.era = 0};
    const struct gk_incremental incremental = {.source = {{1}}, .snapshot = 1};
    static const enum gk_state_kind kinds[] = {GK_STATE_BASE, GK_STATE_SNAPSHOT, GK_STATE_VERSION};
    for (unsigned operation = 0; operation < GK_OPERATIONS_COUNT; operation++) {
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            const struct gk_history history = {.kind = kinds[i]};
            assert_true(gk_incremental_allows(&none, &history, operation));
            assert_int_equal(gk_incremental_allows(&incremental, &history, operation),
                             kinds[i] == GK_STATE_SNAPSHOT || is_for_the_base(operation));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_incremental__of_a_record),
        cmocka_unit_test(test_incremental__what_may_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
