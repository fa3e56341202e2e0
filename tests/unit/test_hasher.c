/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the MD5 of every stream is libcrypto's, whatever its length, however it was cut into pieces, and
 * however many streams are hashed at the same time. Method: both, over pieces by a fixed seed.
 */
#include "gateway/blob/hasher.h"

#include <openssl/evp.h>
#include <pthread.h>
#include <stdlib.h>

#include "unit/cmocka_all.h"

#define STREAM_BYTES (1u << 20)
#define STREAMS      20u
#define ROUNDS       12u

static uint8_t bytes[STREAM_BYTES];

static int setup(void **state)
{
    uint32_t random = 1;
    for (size_t i = 0; i < sizeof bytes; i++) {
        random = random * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(random >> 24);
    }
    return gk_hasher_new((struct gk_hasher **)state, NULL) == GK_OK ? 0 : -1;
}

static int teardown(void **state)
{
    gk_hasher_free(*state);
    return 0;
}

static void expected_md5(size_t from, size_t len, uint8_t out[GK_MD5_BYTES])
{
    assert_int_equal(EVP_Digest(bytes + from, len, out, NULL, EVP_md5(), NULL), 1);
}

/* In pieces of at most piece_max bytes. */
static void hash(struct gk_hasher *hasher, size_t from, size_t len, size_t piece_max,
                 uint8_t out[GK_MD5_BYTES])
{
    struct gk_md5 *md5 = gk_md5_new(hasher);
    uint32_t random = (uint32_t)(from + len);
    assert_non_null(md5);
    while (len > 0) {
        random = random * 1664525 + 1013904223;
        size_t piece = 1 + (random >> 8) % piece_max;
        piece = piece < len ? piece : len;
        gk_md5_update(md5, gk_span_of(bytes + from, piece));
        from += piece;
        len -= piece;
    }
    gk_md5_final(md5, out);
    gk_md5_free(md5);
}

static void test_hasher__every_length(void **state)
{
    for (size_t len = 0; len < 300; len++) {
        for (size_t piece_max = 1; piece_max < 200; piece_max += 63) {
            uint8_t wanted[GK_MD5_BYTES];
            uint8_t got[GK_MD5_BYTES];
            expected_md5(len, len, wanted);
            hash(len % 2 == 0 ? NULL : *state, len, len, piece_max, got);
            assert_memory_equal(got, wanted, sizeof wanted);
        }
    }
}

struct stream {
    struct gk_hasher *hasher;
    unsigned number;
    bool same;
};

/* Of many lengths, so that streams come and go while others are hashed. */
static void *hash_streams(void *ctx)
{
    struct stream *stream = ctx;
    stream->same = true;
    for (unsigned round = 0; round < ROUNDS; round++) {
        const size_t from = 97 * stream->number + 13 * round;
        const size_t len = (STREAM_BYTES - from) / (1 + (stream->number + round) % 7);
        uint8_t wanted[GK_MD5_BYTES];
        uint8_t got[GK_MD5_BYTES];
        expected_md5(from, len, wanted);
        hash(stream->hasher, from, len, 200000, got);
        stream->same = stream->same && memcmp(got, wanted, sizeof wanted) == 0;
    }
    return NULL;
}

static void test_hasher__many_streams_at_once(void **state)
{
    struct stream streams[STREAMS];
    pthread_t threads[STREAMS];
    for (unsigned i = 0; i < STREAMS; i++) {
        streams[i] = (struct stream){.hasher = *state, .number = i};
        assert_int_equal(pthread_create(&threads[i], NULL, hash_streams, &streams[i]), 0);
    }
    for (unsigned i = 0; i < STREAMS; i++) {
        pthread_join(threads[i], NULL);
        assert_true(streams[i].same);
    }
}

/* A request that ends early: the bytes are free once this returns. */
static void test_hasher__a_stream_may_end_at_any_time(void **state)
{
    for (unsigned i = 0; i < 50; i++) {
        uint8_t *own = malloc(STREAM_BYTES);
        struct gk_md5 *md5 = gk_md5_new(*state);
        assert_true(own != NULL && md5 != NULL);
        memcpy(own, bytes, STREAM_BYTES);
        gk_md5_update(md5, gk_span_of(own, STREAM_BYTES));
        gk_md5_free(md5);
        free(own);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hasher__every_length),
        cmocka_unit_test(test_hasher__many_streams_at_once),
        cmocka_unit_test(test_hasher__a_stream_may_end_at_any_time),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
