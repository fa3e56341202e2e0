/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: a chunk opens only at its own place in its own segment, and not one wrong byte comes out.
 * Method: every length around the edges, every bit of short chunks and a stride of bits of full
 * ones, every pair of places, other segments, other keys. */
#include "plugin/segment_cipher.h"

#include "unit/crypto_fixture.h"

#define CHUNKS 5u

static const struct gk_data_key_bytes data_key = {{0x31}};
static const struct gk_id segment_id = {{0x51, 2, 3}};
static unsigned long tampered_reads;

static struct gk_segment_cipher *cipher_new(const struct gk_crypto *crypto,
                                            const struct gk_data_key_bytes *key,
                                            const struct gk_id *id)
{
    struct gk_segment_cipher *cipher = NULL;
    assert_int_equal(gk_segment_cipher_new(crypto, key, id, &cipher, NULL), GK_OK);
    return cipher;
}

static uint8_t *some_bytes(size_t len, unsigned seed)
{
    uint8_t *bytes = malloc(len + 1); /* never NULL for length 0 */
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++) {
        seed = seed * 1664525u + 1013904223u;
        bytes[i] = (uint8_t)(seed >> 24);
    }
    return bytes;
}

static void assert_refused(struct gk_segment_cipher *cipher, uint64_t index, uint8_t last,
                           struct gk_span sealed, uint8_t *plain)
{
    const size_t len = sealed.len > GK_TAG_BYTES ? sealed.len - GK_TAG_BYTES : 0;
    if (plain != sealed.data) {
        memset(plain, 0xaa, len);
    }
    assert_int_equal(gk_segment_cipher_open(cipher, index, last, sealed, plain, NULL),
                     GK_E_INTEGRITY);
    assert_zero(plain, len);
    tampered_reads++;
}

static void assert_round_trip(struct gk_segment_cipher *sealer, struct gk_segment_cipher *opener,
                              uint64_t index, size_t len)
{
    uint8_t *plain = some_bytes(GK_CHUNK_PLAIN_BYTES, (unsigned)index);
    static uint8_t apart[GK_CHUNK_SEALED_BYTES];
    static uint8_t in_place[GK_CHUNK_SEALED_BYTES];
    static uint8_t opened[GK_CHUNK_PLAIN_BYTES];
    memcpy(in_place, plain, GK_CHUNK_PLAIN_BYTES);
    const struct gk_span from_apart = gk_span_of(plain, len);
    const struct gk_span from_place = gk_span_of(in_place, len);
    const struct gk_span sealed = gk_span_of(apart, len + GK_TAG_BYTES);
    assert_int_equal(gk_segment_cipher_seal(sealer, index, 1, from_apart, apart, NULL), GK_OK);
    assert_int_equal(gk_segment_cipher_seal(sealer, index, 1, from_place, in_place, NULL), GK_OK);
    assert_memory_equal(apart, in_place, len + GK_TAG_BYTES);
    if (len >= 16) {
        assert_memory_not_equal(apart, plain, len);
    }
    assert_int_equal(gk_segment_cipher_open(opener, index, 1, sealed, opened, NULL), GK_OK);
    assert_memory_equal(opened, plain, len);
    assert_int_equal(gk_segment_cipher_open(opener, index, 1, sealed, apart, NULL), GK_OK);
    assert_memory_equal(apart, plain, len);
    free(plain);
}

static void test_segment_cipher__opens_what_it_sealed_at_every_length(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const size_t lengths[] = {0,    1,    15,    16,    17,    31,   255,
                                     4095, 4096, 65519, 65520, 65535, 65536};
    struct gk_segment_cipher *sealer = cipher_new(crypto, &data_key, &segment_id);
    struct gk_segment_cipher *opener = cipher_new(crypto, &data_key, &segment_id);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        assert_round_trip(sealer, opener, i, lengths[i]);
    }
    gk_segment_cipher_free(&sealer);
    gk_segment_cipher_free(&opener);
    assert_null(sealer);
}

static void test_segment_cipher__goes_on_after_a_refusal_and_in_any_order(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    uint8_t *plain = some_bytes(GK_CHUNK_PLAIN_BYTES, 1);
    static uint8_t sealed[CHUNKS][GK_CHUNK_SEALED_BYTES];
    static uint8_t opened[GK_CHUNK_PLAIN_BYTES];
    for (uint64_t i = 0; i < CHUNKS; i++) {
        assert_int_equal(gk_segment_cipher_seal(cipher, i, i == CHUNKS - 1,
                                                gk_span_of(plain, GK_CHUNK_PLAIN_BYTES), sealed[i],
                                                NULL),
                         GK_OK);
    }
    for (uint64_t at = CHUNKS; at-- > 0;) {
        sealed[at][at * 7]++;
        const struct gk_span span = gk_span_of(sealed[at], GK_CHUNK_SEALED_BYTES);
        assert_refused(cipher, at, at == CHUNKS - 1, span, opened);
        sealed[at][at * 7]--;
        for (int again = 0; again < 2; again++) {
            assert_int_equal(
                gk_segment_cipher_open(cipher, at, at == CHUNKS - 1, span, opened, NULL), GK_OK);
            assert_memory_equal(opened, plain, GK_CHUNK_PLAIN_BYTES);
        }
    }
    free(plain);
    gk_segment_cipher_free(&cipher);
}

static void test_segment_cipher__refuses_every_changed_bit(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        size_t len;
        size_t bit_stride;
    } rows[] = {{0, 1}, {1, 1}, {100, 1}, {1000, 1}, {GK_CHUNK_PLAIN_BYTES, 1021}};
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    static uint8_t sealed[GK_CHUNK_SEALED_BYTES];
    static uint8_t opened[GK_CHUNK_PLAIN_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t *plain = some_bytes(rows[i].len, 5);
        const struct gk_span span = gk_span_of(sealed, rows[i].len + GK_TAG_BYTES);
        assert_int_equal(
            gk_segment_cipher_seal(cipher, i, 1, gk_span_of(plain, rows[i].len), sealed, NULL),
            GK_OK);
        for (size_t bit = 0; bit < 8 * span.len; bit += rows[i].bit_stride) {
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
            assert_refused(cipher, i, 1, span, opened);
            sealed[bit / 8] ^= (uint8_t)(1u << bit % 8);
        }
        free(plain);
    }
    gk_segment_cipher_free(&cipher);
}

static void test_segment_cipher__refuses_another_place(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        uint64_t index;
        uint8_t last;
    } places[] = {{0, 0}, {0, 1}, {1, 0}, {1, 1}, {255, 0}, {256, 0}, {65535, 0}, {65535, 1}};
    const size_t count = sizeof places / sizeof places[0];
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    uint8_t *plain = some_bytes(GK_CHUNK_PLAIN_BYTES, 6);
    static uint8_t sealed[GK_CHUNK_SEALED_BYTES];
    static uint8_t opened[GK_CHUNK_PLAIN_BYTES];
    const struct gk_span span = gk_span_of(sealed, sizeof sealed);
    for (size_t from = 0; from < count; from++) {
        assert_int_equal(gk_segment_cipher_seal(cipher, places[from].index, places[from].last,
                                                gk_span_of(plain, GK_CHUNK_PLAIN_BYTES), sealed,
                                                NULL),
                         GK_OK);
        for (size_t to = 0; to < count; to++) {
            if (to != from) {
                assert_refused(cipher, places[to].index, places[to].last, span, opened);
            }
        }
    }
    free(plain);
    gk_segment_cipher_free(&cipher);
}

static void test_segment_cipher__refuses_another_segment_or_data_key(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    uint8_t sealed[20 + GK_TAG_BYTES];
    uint8_t opened[20];
    const struct gk_span span = gk_span_of(sealed, sizeof sealed);
    assert_int_equal(
        gk_segment_cipher_seal(cipher, 0, 1, gk_span_str("twenty bytes of text"), sealed, NULL),
        GK_OK);
    for (unsigned bit = 0; bit < 128; bit++) {
        struct gk_id id = segment_id;
        id.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct gk_segment_cipher *other = cipher_new(crypto, &data_key, &id);
        assert_refused(other, 0, 1, span, opened);
        gk_segment_cipher_free(&other);
    }
    for (unsigned bit = 0; bit < 256; bit++) {
        struct gk_data_key_bytes key = data_key;
        key.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        struct gk_segment_cipher *other = cipher_new(crypto, &key, &segment_id);
        assert_refused(other, 0, 1, span, opened);
        gk_segment_cipher_free(&other);
    }
    gk_segment_cipher_free(&cipher);
}

static void test_segment_cipher__refuses_every_cut(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    uint8_t *plain = some_bytes(GK_CHUNK_PLAIN_BYTES, 7);
    static uint8_t sealed[GK_CHUNK_SEALED_BYTES + 1];
    static uint8_t opened[GK_CHUNK_SEALED_BYTES];
    const struct gk_span full = gk_span_of(plain, GK_CHUNK_PLAIN_BYTES);
    assert_int_equal(gk_segment_cipher_seal(cipher, 0, 0, full, sealed, NULL), GK_OK);
    for (size_t len = 0; len <= sizeof sealed; len += len < 2000 || len > 65000 ? 1 : 997) {
        if (len != GK_CHUNK_SEALED_BYTES) {
            assert_refused(cipher, 0, 0, gk_span_of(sealed, len), opened);
            assert_refused(cipher, 0, 1, gk_span_of(sealed, len), opened);
        }
    }
    free(plain);
    gk_segment_cipher_free(&cipher);
}

static void test_segment_cipher__refuses_wrong_calls(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    static uint8_t plain[GK_CHUNK_PLAIN_BYTES + 1];
    static uint8_t sealed[GK_CHUNK_SEALED_BYTES + 1];
    static const struct {
        uint64_t index;
        uint8_t last;
        size_t len;
    } rows[] = {
        {0, 0, GK_CHUNK_PLAIN_BYTES - 1},
        {0, 0, 0},
        {0, 0, GK_CHUNK_PLAIN_BYTES + 1},
        {0, 1, GK_CHUNK_PLAIN_BYTES + 1},
        {GK_SEGMENT_CHUNKS_MAX, 0, GK_CHUNK_PLAIN_BYTES},
        {UINT64_MAX, 0, GK_CHUNK_PLAIN_BYTES},
        {(uint64_t)1 << 63, 0, GK_CHUNK_PLAIN_BYTES},
        {0, 2, GK_CHUNK_PLAIN_BYTES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gk_segment_cipher_seal(cipher, rows[i].index, rows[i].last,
                                                gk_span_of(plain, rows[i].len), sealed, NULL),
                         GK_E_INVALID);
    }
    memset(plain, 0xaa, sizeof plain);
    const struct gk_span span = gk_span_of(sealed, GK_CHUNK_SEALED_BYTES);
    assert_int_equal(gk_segment_cipher_open(cipher, GK_SEGMENT_CHUNKS_MAX, 0, span, plain, NULL),
                     GK_E_INVALID);
    assert_zero(plain, GK_CHUNK_PLAIN_BYTES);
    gk_segment_cipher_free(&cipher);
}

/* A nonce never repeats within a segment: equal plaintext gives other ciphertext at each place. */
static void test_segment_cipher__every_place_has_its_own_keystream(void **state)
{
    const struct gk_crypto *crypto = *state;
    enum { PLACES = 2048 };
    struct gk_segment_cipher *cipher = cipher_new(crypto, &data_key, &segment_id);
    static const uint8_t zeros[GK_CHUNK_PLAIN_BYTES];
    static uint8_t sealed[GK_CHUNK_SEALED_BYTES];
    static uint64_t starts[2 * PLACES];
    size_t count = 0;
    for (uint64_t index = 0; index < PLACES; index++) {
        for (uint8_t last = 0; last < 2; last++) {
            const size_t len = last ? 16 : GK_CHUNK_PLAIN_BYTES;
            assert_int_equal(
                gk_segment_cipher_seal(cipher, index, last, gk_span_of(zeros, len), sealed, NULL),
                GK_OK);
            memcpy(&starts[count++], sealed, sizeof starts[0]);
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_true(starts[i] != starts[j]);
        }
    }
    gk_segment_cipher_free(&cipher);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segment_cipher__opens_what_it_sealed_at_every_length),
        cmocka_unit_test(test_segment_cipher__goes_on_after_a_refusal_and_in_any_order),
        cmocka_unit_test(test_segment_cipher__refuses_every_changed_bit),
        cmocka_unit_test(test_segment_cipher__refuses_another_place),
        cmocka_unit_test(test_segment_cipher__refuses_another_segment_or_data_key),
        cmocka_unit_test(test_segment_cipher__refuses_every_cut),
        cmocka_unit_test(test_segment_cipher__refuses_wrong_calls),
        cmocka_unit_test(test_segment_cipher__every_place_has_its_own_keystream),
    };
    int failed = cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
    print_message("tampered chunks refused: %lu\n", tampered_reads);
    return failed;
}
