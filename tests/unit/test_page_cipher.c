/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a block opens with its own seal alone, at its own place in its own object, and not one wrong byte
 * comes out. Method: every bit of the seal and a stride of bits of the block, every pair of places and of
 * writes, other objects, other keys. */
#include "plugin/page_cipher.h"

#include "unit/crypto_fixture.h"

static const struct gk_data_key_bytes data_key = {{0x31}};
static const struct gk_id object_id = {{0x51, 2, 3}};

struct block {
    uint8_t bytes[GK_PAGE_BLOCK_BYTES];
    uint8_t seal[GK_PAGE_SEAL_BYTES];
};

static struct gk_page_cipher *cipher_new(const struct gk_crypto *crypto,
                                         const struct gk_data_key_bytes *key,
                                         const struct gk_id *id)
{
    struct gk_page_cipher *cipher = NULL;
    assert_int_equal(gk_page_cipher_new(crypto, key, id, &cipher, NULL), GK_OK);
    return cipher;
}

static void fill(uint8_t bytes[GK_PAGE_BLOCK_BYTES], unsigned seed)
{
    for (size_t i = 0; i < GK_PAGE_BLOCK_BYTES; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void assert_refused(struct gk_page_cipher *cipher, uint64_t index,
                           const struct block *sealed)
{
    static uint8_t plain[GK_PAGE_BLOCK_BYTES];
    memset(plain, 0xaa, sizeof plain);
    assert_int_equal(gk_page_cipher_open(cipher, index, sealed->bytes, sealed->seal, plain, NULL),
                     GK_E_INTEGRITY);
    assert_zero(plain, sizeof plain);
}

static void test_page_cipher__blocks_come_back(void **state)
{
    static const uint64_t indexes[] = {0, 1, 1023, UINT32_MAX, UINT64_MAX};
    static uint8_t plain[GK_PAGE_BLOCK_BYTES];
    static struct block apart;
    static struct block in_place;
    struct gk_page_cipher *sealer = cipher_new(*state, &data_key, &object_id);
    struct gk_page_cipher *opener = cipher_new(*state, &data_key, &object_id);
    for (size_t i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        fill(plain, (unsigned)i);
        memcpy(in_place.bytes, plain, sizeof plain);
        assert_int_equal(
            gk_page_cipher_seal(sealer, indexes[i], plain, apart.bytes, apart.seal, NULL), GK_OK);
        assert_int_equal(gk_page_cipher_seal(sealer, indexes[i], in_place.bytes, in_place.bytes,
                                             in_place.seal, NULL),
                         GK_OK);
        assert_memory_not_equal(apart.seal, in_place.seal, GK_PAGE_SEAL_BYTES);
        assert_memory_not_equal(apart.bytes, in_place.bytes, GK_PAGE_BLOCK_BYTES);
        static uint8_t opened[GK_PAGE_BLOCK_BYTES];
        assert_int_equal(
            gk_page_cipher_open(opener, indexes[i], apart.bytes, apart.seal, opened, NULL), GK_OK);
        assert_memory_equal(opened, plain, sizeof plain);
        assert_int_equal(gk_page_cipher_open(opener, indexes[i], in_place.bytes, in_place.seal,
                                             in_place.bytes, NULL),
                         GK_OK);
        assert_memory_equal(in_place.bytes, plain, sizeof plain);
    }
    gk_page_cipher_free(&sealer);
    gk_page_cipher_free(&opener);
    assert_null(opener);
}

static void test_page_cipher__each_bit_counts(void **state)
{
    static uint8_t plain[GK_PAGE_BLOCK_BYTES];
    static struct block sealed;
    struct gk_page_cipher *cipher = cipher_new(*state, &data_key, &object_id);
    fill(plain, 7);
    assert_int_equal(gk_page_cipher_seal(cipher, 3, plain, sealed.bytes, sealed.seal, NULL), GK_OK);
    for (size_t bit = 0; bit < 8u * GK_PAGE_SEAL_BYTES; bit++) {
        sealed.seal[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(cipher, 3, &sealed);
        sealed.seal[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t bit = 0; bit < 8u * GK_PAGE_BLOCK_BYTES; bit += 61) {
        sealed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_refused(cipher, 3, &sealed);
        sealed.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    gk_page_cipher_free(&cipher);
}

/* What was written before, at another place, or in another object does not fit. */
static void test_page_cipher__its_own_place_and_write(void **state)
{
    static const struct gk_data_key_bytes other_key = {{0x32}};
    static const struct gk_id other_id = {{0x51, 2, 4}};
    static uint8_t plain[GK_PAGE_BLOCK_BYTES];
    static struct block first;
    static struct block second;
    static struct block mixed;
    struct gk_page_cipher *cipher = cipher_new(*state, &data_key, &object_id);
    fill(plain, 9);
    assert_int_equal(gk_page_cipher_seal(cipher, 0, plain, first.bytes, first.seal, NULL), GK_OK);
    assert_int_equal(gk_page_cipher_seal(cipher, 0, plain, second.bytes, second.seal, NULL), GK_OK);
    mixed = first;
    memcpy(mixed.seal, second.seal, sizeof mixed.seal);
    assert_refused(cipher, 0, &mixed);
    for (uint64_t index = 1; index < 9; index++) {
        assert_refused(cipher, index, &first);
    }
    assert_refused(cipher, UINT64_C(1) << 32, &first);
    struct gk_page_cipher *of_other_key = cipher_new(*state, &other_key, &object_id);
    struct gk_page_cipher *of_other_id = cipher_new(*state, &data_key, &other_id);
    assert_refused(of_other_key, 0, &first);
    assert_refused(of_other_id, 0, &first);
    gk_page_cipher_free(&of_other_key);
    gk_page_cipher_free(&of_other_id);
    gk_page_cipher_free(&cipher);
    gk_page_cipher_free(&cipher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_cipher__blocks_come_back),
        cmocka_unit_test(test_page_cipher__each_bit_counts),
        cmocka_unit_test(test_page_cipher__its_own_place_and_write),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
