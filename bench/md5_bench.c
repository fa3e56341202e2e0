/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What MD5 costs: libcrypto's, our own for one stream, and our own for several streams side by side, in turn,
 * round by round; the median counts. Seconds a GB (10^9 bytes) of one core.
 *
 *   md5_bench
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load.h"
#include "gateway/blob/md5_lanes.h"

#define ROUNDS       15u
#define STREAM_BYTES (1u << 20)
#define BLOCKS       (STREAM_BYTES / GK_MD5_BLOCK_BYTES)

static uint8_t streams[GK_MD5_LANES][STREAM_BYTES];

static void libcrypto(void)
{
    uint8_t sum[EVP_MAX_MD_SIZE];
    for (unsigned i = 0; i < GK_MD5_LANES; i++) {
        EVP_Digest(streams[i], STREAM_BYTES, sum, NULL, EVP_md5(), NULL);
    }
}

static void one_by_one(void)
{
    for (unsigned i = 0; i < GK_MD5_LANES; i++) {
        struct gk_md5_state state = gk_md5_begin;
        gk_md5_blocks(&state, streams[i], BLOCKS);
    }
}

static void side_by_side(void)
{
    struct gk_md5_state states[GK_MD5_LANES];
    struct gk_md5_state *of[GK_MD5_LANES];
    const uint8_t *at[GK_MD5_LANES];
    for (unsigned i = 0; i < GK_MD5_LANES; i++) {
        states[i] = gk_md5_begin;
        of[i] = &states[i];
        at[i] = streams[i];
    }
    gk_md5_blocks_in_lanes(of, at, BLOCKS);
}

static const struct {
    const char *name;
    void (*run)(void);
} subjects[] = {
    {"libcrypto", libcrypto}, {"one stream", one_by_one}, {"side by side", side_by_side}};
#define SUBJECTS (sizeof subjects / sizeof *subjects)

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(void)
{
    double seconds[SUBJECTS][ROUNDS];
    for (size_t i = 0; i < sizeof streams; i++) {
        streams[i / STREAM_BYTES][i % STREAM_BYTES] = (uint8_t)(i * 7);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SUBJECTS; i++) {
            const double start = load_now();
            subjects[i].run();
            seconds[i][round] = load_now() - start;
        }
    }
    for (size_t i = 0; i < SUBJECTS; i++) {
        qsort(seconds[i], ROUNDS, sizeof *seconds[i], compare);
        printf("%-14s %.2f s/GB\n", subjects[i].name,
               seconds[i][ROUNDS / 2] / sizeof streams * 1e9);
    }
    return 0;
}
