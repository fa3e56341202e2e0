/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a data key opens only where it was sealed for, and every other answer is the same one; one that
 * was sealed under a client's key too opens with both keys alone.
 * Method: flip every bit, cut and lengthen, swap fields of two, change each part of the scope and each
 * key. */
#include "plugin/data_key_seal.h"

#include "unit/crypto_fixture.h"

static const struct gk_root_key root = {{0x11, 0x22}};
static const struct gk_root_scope root_scope = {.account = {{1}}, .generation = 3};
static const struct gk_object_scope object_scope = {.container = {{2}}, .object = {{3}}};

static const uint8_t client[GK_CLIENT_KEY_BYTES] = {0x33, 0x44};

static void seal_with(const struct gk_crypto *crypto, struct gk_span client_key,
                      const struct gk_data_key_bytes *key, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    const struct gk_sealing_keys keys = {&root, root_scope, client_key};
    assert_int_equal(gk_data_key_seal(crypto, &keys, &object_scope, key, sealed, NULL), GK_OK);
}

static void seal(const struct gk_crypto *crypto, const struct gk_data_key_bytes *key,
                 uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    seal_with(crypto, (struct gk_span){0}, key, sealed);
}

struct attempt {
    struct gk_root_key root;
    struct gk_root_scope root_scope;
    struct gk_object_scope object_scope;
    struct gk_span sealed;
    struct gk_span client;
};

static struct attempt right_attempt(const uint8_t sealed[GK_SEALED_DATA_KEY_BYTES])
{
    return (struct attempt){.root = root,
                            .root_scope = root_scope,
                            .object_scope = object_scope,
                            .sealed = gk_span_of(sealed, GK_SEALED_DATA_KEY_BYTES)};
}

static enum gk_status unseal(const struct gk_crypto *crypto, const struct attempt *attempt,
                             struct gk_data_key_bytes *opened, struct gk_error *error)
{
    const struct gk_sealing_keys keys = {&attempt->root, attempt->root_scope, attempt->client};
    return gk_data_key_unseal(crypto, &keys, &attempt->object_scope, attempt->sealed, opened,
                              error);
}

static void assert_refused(const struct gk_crypto *crypto, const struct attempt *attempt)
{
    static char first_message[sizeof((struct gk_error *)NULL)->message];
    struct gk_data_key_bytes opened;
    struct gk_error error;
    memset(&opened, 0xaa, sizeof opened);
    assert_int_equal(unseal(crypto, attempt, &opened, &error), GK_E_INTEGRITY);
    assert_zero(opened.bytes, sizeof opened.bytes);
    /* Whatever was wrong, an attacker learns no more than that something was. */
    if (first_message[0] == '\0') {
        memcpy(first_message, error.message, sizeof first_message);
    }
    assert_string_equal(error.message, first_message);
}

static void test_data_key__opens_where_it_was_sealed_for(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_data_key_bytes key;
    struct gk_data_key_bytes opened;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    uint32_t generation = 0;
    assert_int_equal(gk_data_key_random(&key, NULL), GK_OK);
    seal(crypto, &key, sealed);
    assert_memory_equal(sealed, "GKD\x01\0\0\0\x03", 8);
    const struct gk_span span = gk_span_of(sealed, sizeof sealed);
    assert_int_equal(gk_data_key_generation(span, &generation, NULL), GK_OK);
    assert_int_equal(generation, 3);
    const struct attempt right = right_attempt(sealed);
    assert_int_equal(unseal(crypto, &right, &opened, NULL), GK_OK);
    assert_memory_equal(&opened, &key, sizeof key);
}

static void test_data_key__sealing_twice_gives_other_bytes(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    uint8_t a[GK_SEALED_DATA_KEY_BYTES];
    uint8_t b[GK_SEALED_DATA_KEY_BYTES];
    seal(crypto, &key, a);
    seal(crypto, &key, b);
    assert_memory_not_equal(a + 8, b + 8, 24 + 32);
}

static void test_data_key__refuses_every_changed_bit_and_length(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES + 1] = {0};
    seal(crypto, &key, sealed);
    struct attempt attempt = right_attempt(sealed);
    for (size_t bit = 0; bit < 8 * GK_SEALED_DATA_KEY_BYTES; bit++) {
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(crypto, &attempt);
        sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len <= sizeof sealed; len++) {
        if (len != GK_SEALED_DATA_KEY_BYTES) {
            attempt.sealed = gk_span_of(sealed, len);
            assert_refused(crypto, &attempt);
        }
    }
}

static void test_data_key__refuses_fields_of_another(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        size_t offset;
        size_t len;
    } fields[] = {{8, 24}, {32, 32}, {64, 16}, {80, 32}, {32, 48}, {8, 72}, {32, 80}};
    const struct gk_data_key_bytes key_a = {{7}};
    const struct gk_data_key_bytes key_b = {{8}};
    uint8_t a[GK_SEALED_DATA_KEY_BYTES];
    uint8_t b[GK_SEALED_DATA_KEY_BYTES];
    seal(crypto, &key_a, a);
    seal(crypto, &key_b, b);
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        uint8_t mixed[GK_SEALED_DATA_KEY_BYTES];
        memcpy(mixed, a, sizeof mixed);
        memcpy(mixed + fields[i].offset, b + fields[i].offset, fields[i].len);
        const struct attempt attempt = right_attempt(mixed);
        assert_refused(crypto, &attempt);
    }
}

static void test_data_key__refuses_other_scopes_and_root_keys(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    seal(crypto, &key, sealed);
    for (int i = 0; i < 5; i++) {
        struct attempt attempt = right_attempt(sealed);
        attempt.root.bytes[0] ^= i == 0;
        attempt.root_scope.account.bytes[0] ^= i == 1;
        attempt.root_scope.generation += i == 2;
        attempt.object_scope.container.bytes[15] ^= i == 3;
        attempt.object_scope.object.bytes[15] ^= i == 4;
        assert_refused(crypto, &attempt);
    }
    /* Both ids changed so that their sum stays: containers and objects do not run together. */
    struct attempt swapped = right_attempt(sealed);
    swapped.object_scope.container = object_scope.object;
    swapped.object_scope.object = object_scope.container;
    assert_refused(crypto, &swapped);
}

static void test_data_key__generation_0_is_no_generation(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    seal(crypto, &key, sealed);
    memset(sealed + 4, 0, 4);
    uint32_t generation = 7;
    assert_int_equal(gk_data_key_generation(gk_span_of(sealed, sizeof sealed), &generation, NULL),
                     GK_E_INTEGRITY);
    assert_int_equal(generation, 0);
}

static void test_data_key__of_a_client_opens_with_both_keys_alone(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    const struct gk_span clients = gk_span_of(client, sizeof client);
    struct gk_data_key_bytes opened;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    seal_with(crypto, clients, &key, sealed);
    assert_memory_equal(sealed, "GKD\x02\0\0\0\x03", 8);
    struct attempt right = right_attempt(sealed);
    right.client = clients;
    assert_int_equal(unseal(crypto, &right, &opened, NULL), GK_OK);
    assert_memory_equal(&opened, &key, sizeof key);

    for (size_t bit = 0; bit < 8 * sizeof client; bit++) {
        uint8_t other[GK_CLIENT_KEY_BYTES];
        memcpy(other, client, sizeof other);
        other[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct attempt attempt = right;
        attempt.client = gk_span_of(other, sizeof other);
        assert_refused(crypto, &attempt);
    }
    for (int i = 0; i < 5; i++) {
        struct attempt attempt = right;
        attempt.root.bytes[0] ^= i == 0;
        attempt.root_scope.account.bytes[0] ^= i == 1;
        attempt.object_scope.object.bytes[0] ^= i == 2;
        attempt.client.len = i == 3 ? 0 : attempt.client.len;
        attempt.client.len -= i == 4;
        assert_refused(crypto, &attempt);
    }
    /* Nor does one kind pass for the other. */
    struct attempt as_plain = right_attempt(sealed);
    sealed[3] = 0x01;
    assert_refused(crypto, &as_plain);
    seal(crypto, &key, sealed);
    right.sealed = gk_span_of(sealed, sizeof sealed);
    assert_refused(crypto, &right);
    sealed[3] = 0x02;
    assert_refused(crypto, &right);
}

static void test_data_key__a_client_s_key_has_32_bytes(void **state)
{
    const struct gk_crypto *crypto = *state;
    const struct gk_data_key_bytes key = {{7}};
    const uint8_t longer[GK_CLIENT_KEY_BYTES + 1] = {0};
    for (size_t len = 1; len <= sizeof longer; len += sizeof longer / 3) {
        uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
        const struct gk_sealing_keys keys = {&root, root_scope, gk_span_of(longer, len)};
        memset(sealed, 0xaa, sizeof sealed);
        assert_int_equal(gk_data_key_seal(crypto, &keys, &object_scope, &key, sealed, NULL),
                         GK_E_INVALID);
        assert_zero(sealed, sizeof sealed);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_data_key__opens_where_it_was_sealed_for),
        cmocka_unit_test(test_data_key__sealing_twice_gives_other_bytes),
        cmocka_unit_test(test_data_key__refuses_every_changed_bit_and_length),
        cmocka_unit_test(test_data_key__refuses_fields_of_another),
        cmocka_unit_test(test_data_key__refuses_other_scopes_and_root_keys),
        cmocka_unit_test(test_data_key__generation_0_is_no_generation),
        cmocka_unit_test(test_data_key__of_a_client_opens_with_both_keys_alone),
        cmocka_unit_test(test_data_key__a_client_s_key_has_32_bytes),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
