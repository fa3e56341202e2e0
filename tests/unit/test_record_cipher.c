/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: both parts of a record come back as written or not at all, parts of two records do not fit
 * together, and replacing the open part launders nothing. */
#include "plugin/record_cipher.h"

#include "unit/crypto_fixture.h"

#define ROOM 512u

static const struct gk_record_open_key open_key = {{0x61}};
static const struct gk_data_key_bytes data_key = {{0x62}};

/* Memory of a record's or a part's size. */
struct bytes {
    uint8_t data[ROOM];
    size_t len;
};

static struct gk_span span_of(const struct bytes *bytes)
{
    return gk_span_of(bytes->data, bytes->len);
}

static struct gk_record_out out_of(struct bytes *bytes)
{
    memset(bytes->data, 0xaa, sizeof bytes->data);
    return (struct gk_record_out){bytes->data, sizeof bytes->data, &bytes->len};
}

static struct bytes sealed_record(const struct gk_crypto *crypto, const char *binding,
                                  const char *open_part, const char *sealed_part)
{
    struct bytes record;
    const struct gk_record_out out = out_of(&record);
    assert_int_equal(gk_record_seal(crypto, &open_key, sealed_part == NULL ? NULL : &data_key,
                                    gk_span_str(binding), gk_span_str(open_part),
                                    gk_span_str(sealed_part == NULL ? "" : sealed_part), &out,
                                    NULL),
                     GK_OK);
    return record;
}

static void assert_part(const struct bytes *part, const char *expected)
{
    assert_int_equal(part->len, strlen(expected));
    assert_memory_equal(part->data, expected, part->len);
}

static void assert_record(const struct gk_crypto *crypto, const char *binding,
                          const struct bytes *record, const char *open_part,
                          const char *sealed_part)
{
    struct bytes part;
    struct gk_record_out out = out_of(&part);
    assert_int_equal(
        gk_record_open(crypto, &open_key, gk_span_str(binding), span_of(record), &out, NULL),
        GK_OK);
    assert_part(&part, open_part);
    out = out_of(&part);
    enum gk_status status =
        gk_record_open_sealed(crypto, &data_key, gk_span_str(binding), span_of(record), &out, NULL);
    assert_int_equal(status, sealed_part == NULL ? GK_E_NOT_FOUND : GK_OK);
    assert_part(&part, sealed_part == NULL ? "" : sealed_part);
}

/* The open part, and a new one beside the old sealed part, must both be refused. */
static void assert_refused(const struct gk_crypto *crypto, const char *binding,
                           struct gk_span record)
{
    struct bytes part;
    struct gk_record_out out = out_of(&part);
    assert_int_equal(gk_record_open(crypto, &open_key, gk_span_str(binding), record, &out, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(part.len, 0);
    out = out_of(&part);
    assert_int_equal(gk_record_reseal_open(crypto, &open_key, gk_span_str(binding), record,
                                           gk_span_str("new"), &out, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(part.len, 0);
}

static void test_record__gives_both_parts_back(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        const char *open_part;
        const char *sealed_part;
    } rows[] = {{"size 5", "x-ms-meta-a: b"},
                {"", ""},
                {"only open", NULL},
                {"", NULL},
                {"", "only sealed"}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes record =
            sealed_record(crypto, "container/blob", rows[i].open_part, rows[i].sealed_part);
        const char *sealed = rows[i].sealed_part == NULL ? "" : rows[i].sealed_part;
        assert_true(record.len <=
                    strlen(rows[i].open_part) + strlen(sealed) + GK_RECORD_OVERHEAD_BYTES);
        assert_record(crypto, "container/blob", &record, rows[i].open_part, rows[i].sealed_part);
    }
}

static void test_record__a_new_open_part_keeps_the_sealed_bytes(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "b", "old", "metadata");
    struct bytes next;
    const struct gk_record_out out = out_of(&next);
    assert_int_equal(gk_record_reseal_open(crypto, &open_key, gk_span_str("b"), span_of(&record),
                                           gk_span_str("a longer one"), &out, NULL),
                     GK_OK);
    assert_record(crypto, "b", &next, "a longer one", "metadata");
    const size_t head = GK_RECORD_HEADER_BYTES + 24 + strlen("metadata") + 16;
    assert_memory_equal(next.data, record.data, head);
}

/* What was beside the record: its place is another, its sealed part still opens where it was sealed. */
static void test_record__moves_with_its_sealed_bytes(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "here", "old", "metadata");
    struct bytes moved;
    struct gk_record_out out = out_of(&moved);
    assert_int_equal(gk_record_rebind(crypto, &open_key, gk_span_str("here"), gk_span_str("there"),
                                      span_of(&record), gk_span_str("new"), &out, NULL),
                     GK_OK);
    const size_t head = GK_RECORD_HEADER_BYTES + 24 + strlen("metadata") + 16;
    assert_memory_equal(moved.data, record.data, head);
    assert_refused(crypto, "here", span_of(&moved));
    struct bytes part;
    out = out_of(&part);
    assert_int_equal(
        gk_record_open(crypto, &open_key, gk_span_str("there"), span_of(&moved), &out, NULL),
        GK_OK);
    assert_part(&part, "new");
    out = out_of(&part);
    assert_int_equal(
        gk_record_open_sealed(crypto, &data_key, gk_span_str("here"), span_of(&moved), &out, NULL),
        GK_OK);
    assert_part(&part, "metadata");
    out = out_of(&part);
    assert_int_equal(
        gk_record_open_sealed(crypto, &data_key, gk_span_str("there"), span_of(&moved), &out, NULL),
        GK_E_INTEGRITY);
    /* It is not moved from where it does not stand. */
    out = out_of(&part);
    assert_int_equal(gk_record_rebind(crypto, &open_key, gk_span_str("there"), gk_span_str("here"),
                                      span_of(&record), gk_span_str("new"), &out, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(part.len, 0);
}

static void test_record__refuses_every_changed_bit(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes records[] = {sealed_record(crypto, "b", "open part", "sealed part"),
                              sealed_record(crypto, "b", "open part", NULL)};
    for (size_t i = 0; i < 2; i++) {
        struct bytes *record = &records[i];
        for (size_t bit = 0; bit < 8 * record->len; bit++) {
            record->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_refused(crypto, "b", span_of(record));
            record->data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
    }
}

static void test_record__the_sealed_part_alone_is_authenticated_too(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "b", "open part", "sealed part");
    const size_t end = GK_RECORD_HEADER_BYTES + 24 + strlen("sealed part") + 16;
    for (size_t bit = 8 * GK_RECORD_HEADER_BYTES; bit < 8 * end; bit++) {
        struct bytes part;
        const struct gk_record_out out = out_of(&part);
        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(gk_record_open_sealed(crypto, &data_key, gk_span_str("b"),
                                               span_of(&record), &out, NULL),
                         GK_E_INTEGRITY);
        assert_zero(part.data, strlen("sealed part"));
        assert_int_equal(part.len, 0);
        record.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    const struct gk_data_key_bytes other = {{0x63}};
    struct bytes part;
    const struct gk_record_out out = out_of(&part);
    assert_int_equal(
        gk_record_open_sealed(crypto, &other, gk_span_str("b"), span_of(&record), &out, NULL),
        GK_E_INTEGRITY);
    assert_int_equal(
        gk_record_open_sealed(crypto, &data_key, gk_span_str("c"), span_of(&record), &out, NULL),
        GK_E_INTEGRITY);
}

static void test_record__refuses_every_cut_and_surplus(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "b", "open part", "sealed part");
    for (size_t len = 0; len <= record.len + 20; len++) {
        if (len != record.len) {
            assert_refused(crypto, "b", gk_span_of(record.data, len));
        }
    }
}

static void test_record__refuses_parts_of_another(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes a = sealed_record(crypto, "b", "open A", "sealed A");
    struct bytes b = sealed_record(crypto, "b", "open B", "sealed B");
    const size_t head = GK_RECORD_HEADER_BYTES + 24 + strlen("sealed A") + 16;
    struct bytes mixed = a;
    memcpy(mixed.data + head, b.data + head, b.len - head);
    assert_refused(crypto, "b", span_of(&mixed));
    /* Without a sealed part, under the other's open part. */
    struct bytes bare = sealed_record(crypto, "b", "open A", NULL);
    memcpy(mixed.data, bare.data, GK_RECORD_HEADER_BYTES);
    memcpy(mixed.data + GK_RECORD_HEADER_BYTES, a.data + head, a.len - head);
    assert_refused(crypto, "b", gk_span_of(mixed.data, GK_RECORD_HEADER_BYTES + a.len - head));
}

static void test_record__refuses_another_binding_or_account(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "container/blob", "open", "sealed");
    static const char *const bindings[] = {"", "container/blo", "container/blobb", "container/bloc",
                                           "ontainer/blob"};
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        assert_refused(crypto, bindings[i], span_of(&record));
    }
    const struct gk_record_service_key service_key = {{1}};
    struct gk_id account = {{1}};
    struct gk_record_open_key a;
    struct gk_record_open_key b;
    assert_int_equal(gk_record_open_key_derive(crypto, &service_key, &account, &a, NULL), GK_OK);
    account.bytes[15] = 1;
    assert_int_equal(gk_record_open_key_derive(crypto, &service_key, &account, &b, NULL), GK_OK);
    assert_memory_not_equal(&a, &b, sizeof a);
    struct bytes part;
    const struct gk_record_out out = out_of(&part);
    assert_int_equal(
        gk_record_open(crypto, &a, gk_span_str("container/blob"), span_of(&record), &out, NULL),
        GK_E_INTEGRITY);
}

static void test_record__needs_room(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes record = sealed_record(crypto, "b", "open", "sealed");
    struct bytes part;
    struct gk_record_out out = out_of(&part);
    out.max = record.len - 1;
    assert_int_equal(gk_record_seal(crypto, &open_key, &data_key, gk_span_str("b"),
                                    gk_span_str("open"), gk_span_str("sealed"), &out, NULL),
                     GK_E_LIMIT);
    assert_int_equal(gk_record_reseal_open(crypto, &open_key, gk_span_str("b"), span_of(&record),
                                           gk_span_str("open"), &out, NULL),
                     GK_E_LIMIT);
    out.max = strlen("open") - 1;
    assert_int_equal(
        gk_record_open(crypto, &open_key, gk_span_str("b"), span_of(&record), &out, NULL),
        GK_E_LIMIT);
    out.max = strlen("sealed") - 1;
    assert_int_equal(
        gk_record_open_sealed(crypto, &data_key, gk_span_str("b"), span_of(&record), &out, NULL),
        GK_E_LIMIT);
    assert_int_equal(part.len, 0);
    assert_int_equal(part.data[0], 0xaa);
}

static void test_record__refuses_what_no_record_can_be(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct bytes part;
    const struct gk_record_out out = out_of(&part);
    const struct gk_span none = gk_span_of(NULL, 0);
    assert_int_equal(
        gk_record_seal(crypto, &open_key, NULL, none, none, gk_span_str("x"), &out, NULL),
        GK_E_INVALID);
    uint8_t *large = calloc(1, GK_RECORD_BYTES_MAX + 1);
    assert_non_null(large);
    const struct gk_span too_large = gk_span_of(large, GK_RECORD_BYTES_MAX + 1);
    const struct gk_span barely_too_large = gk_span_of(large, GK_RECORD_BYTES_MAX - 40);
    assert_int_equal(gk_record_seal(crypto, &open_key, NULL, none, too_large, none, &out, NULL),
                     GK_E_LIMIT);
    assert_int_equal(
        gk_record_seal(crypto, &open_key, NULL, none, barely_too_large, none, &out, NULL),
        GK_E_LIMIT);
    assert_int_equal(gk_record_seal(crypto, &open_key, NULL,
                                    gk_span_of(large, GK_RECORD_BINDING_BYTES_MAX + 1), none, none,
                                    &out, NULL),
                     GK_E_LIMIT);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record__gives_both_parts_back),
        cmocka_unit_test(test_record__a_new_open_part_keeps_the_sealed_bytes),
        cmocka_unit_test(test_record__moves_with_its_sealed_bytes),
        cmocka_unit_test(test_record__refuses_every_changed_bit),
        cmocka_unit_test(test_record__the_sealed_part_alone_is_authenticated_too),
        cmocka_unit_test(test_record__refuses_every_cut_and_surplus),
        cmocka_unit_test(test_record__refuses_parts_of_another),
        cmocka_unit_test(test_record__refuses_another_binding_or_account),
        cmocka_unit_test(test_record__needs_room),
        cmocka_unit_test(test_record__refuses_what_no_record_can_be),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
