/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/md5_lanes.h"

#include <string.h>

typedef uint32_t lanes __attribute__((vector_size(4 * GK_MD5_LANES)));

const struct gk_md5_state gk_md5_begin = {{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476}};

/* The four functions of RFC 1321 and its step, in operators that numbers and vectors have alike. */
#define F(x, y, z) ((z) ^ ((x) & ((y) ^ (z))))
#define G(x, y, z) ((y) ^ ((z) & ((x) ^ (y))))
#define H(x, y, z) ((x) ^ (y) ^ (z))
#define I(x, y, z) ((y) ^ ((x) | ~(z)))
#define STEP(f, a, b, c, d, k, s, t)                                                               \
    (a) += f(b, c, d) + word[k] + (uint32_t)(t);                                                   \
    (a) = ((a) << (s) | (a) >> (32 - (s))) + (b)

#define FOUR(f, k0, k1, k2, k3, s0, s1, s2, s3, t0, t1, t2, t3)                                    \
    STEP(f, a, b, c, d, k0, s0, t0);                                                               \
    STEP(f, d, a, b, c, k1, s1, t1);                                                               \
    STEP(f, c, d, a, b, k2, s2, t2);                                                               \
    STEP(f, b, c, d, a, k3, s3, t3)

/* clang-format off */
#define ROUNDS                                                                                     \
    FOUR(F,  0,  1,  2,  3, 7, 12, 17, 22, 0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee);        \
    FOUR(F,  4,  5,  6,  7, 7, 12, 17, 22, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501);        \
    FOUR(F,  8,  9, 10, 11, 7, 12, 17, 22, 0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be);        \
    FOUR(F, 12, 13, 14, 15, 7, 12, 17, 22, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821);        \
    FOUR(G,  1,  6, 11,  0, 5,  9, 14, 20, 0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa);        \
    FOUR(G,  5, 10, 15,  4, 5,  9, 14, 20, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8);        \
    FOUR(G,  9, 14,  3,  8, 5,  9, 14, 20, 0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed);        \
    FOUR(G, 13,  2,  7, 12, 5,  9, 14, 20, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a);        \
    FOUR(H,  5,  8, 11, 14, 4, 11, 16, 23, 0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c);        \
    FOUR(H,  1,  4,  7, 10, 4, 11, 16, 23, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70);        \
    FOUR(H, 13,  0,  3,  6, 4, 11, 16, 23, 0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05);        \
    FOUR(H,  9, 12, 15,  2, 4, 11, 16, 23, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665);        \
    FOUR(I,  0,  7, 14,  5, 6, 10, 15, 21, 0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039);        \
    FOUR(I, 12,  3, 10,  1, 6, 10, 15, 21, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1);        \
    FOUR(I,  8, 15,  6, 13, 6, 10, 15, 21, 0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1);        \
    FOUR(I,  4, 11,  2,  9, 6, 10, 15, 21, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391)
/* clang-format on */

static inline uint32_t word_at(const uint8_t *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? word : __builtin_bswap32(word);
}

void gk_md5_blocks(struct gk_md5_state *state, const uint8_t *at, size_t count)
{
    uint32_t a = state->words[0];
    uint32_t b = state->words[1];
    uint32_t c = state->words[2];
    uint32_t d = state->words[3];
    for (; count > 0; count--, at += GK_MD5_BLOCK_BYTES) {
        const uint32_t before[] = {a, b, c, d};
        uint32_t word[16];
        for (unsigned i = 0; i < 16; i++) {
            word[i] = word_at(at + 4 * i);
        }
        ROUNDS;
        a += before[0];
        b += before[1];
        c += before[2];
        d += before[3];
    }
    *state = (struct gk_md5_state){{a, b, c, d}};
}

/* A macro: a vector of this size may not be a function's result where the processor has none. */
#define GATHER(n)                                                                                  \
    {                                                                                              \
        states[0]->words[n], states[1]->words[n], states[2]->words[n], states[3]->words[n],        \
            states[4]->words[n], states[5]->words[n], states[6]->words[n], states[7]->words[n]     \
    }

static inline __attribute__((always_inline)) void
blocks_in_lanes(struct gk_md5_state *const states[GK_MD5_LANES],
                const uint8_t *const at[GK_MD5_LANES], size_t count)
{
    lanes a = GATHER(0);
    lanes b = GATHER(1);
    lanes c = GATHER(2);
    lanes d = GATHER(3);
    for (size_t block = 0; block < count; block++) {
        const lanes before[] = {a, b, c, d};
        lanes word[16];
        for (unsigned i = 0; i < 16; i++) {
            const size_t offset = block * GK_MD5_BLOCK_BYTES + 4 * i;
            word[i] =
                (lanes){word_at(at[0] + offset), word_at(at[1] + offset), word_at(at[2] + offset),
                        word_at(at[3] + offset), word_at(at[4] + offset), word_at(at[5] + offset),
                        word_at(at[6] + offset), word_at(at[7] + offset)};
        }
        ROUNDS;
        a += before[0];
        b += before[1];
        c += before[2];
        d += before[3];
    }
    for (unsigned lane = 0; lane < GK_MD5_LANES; lane++) {
        *states[lane] = (struct gk_md5_state){{a[lane], b[lane], c[lane], d[lane]}};
    }
}

/* The same lines once more for processors that have vectors of this size; elsewhere, two of half of it. Not
 * by the compiler's own clones: those are chosen before ThreadSanitizer is ready for it. */
#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
blocks_in_lanes_avx2(struct gk_md5_state *const states[GK_MD5_LANES],
                     const uint8_t *const at[GK_MD5_LANES], size_t count)
{
    blocks_in_lanes(states, at, count);
}
#endif

void gk_md5_blocks_in_lanes(struct gk_md5_state *const states[GK_MD5_LANES],
                            const uint8_t *const at[GK_MD5_LANES], size_t count)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        blocks_in_lanes_avx2(states, at, count);
        return;
    }
#endif
    blocks_in_lanes(states, at, count);
}
