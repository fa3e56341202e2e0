/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/crc64.h"

#include <pthread.h>

#define POLYNOMIAL_REFLECTED UINT64_C(0x9a6c9329ac4bc9b5)
#define SLICES               8u

/* slices[k][b]: what byte b does to the CRC, k bytes further on; eight bytes a step. */
static uint64_t slices[SLICES][256];
static pthread_once_t slices_made = PTHREAD_ONCE_INIT;

static void make_slices(void)
{
    for (unsigned byte = 0; byte < 256; byte++) {
        uint64_t crc = byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? POLYNOMIAL_REFLECTED : 0);
        }
        slices[0][byte] = crc;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        for (unsigned k = 1; k < SLICES; k++) {
            const uint64_t before = slices[k - 1][byte];
            slices[k][byte] = (before >> 8) ^ slices[0][before & 0xff];
        }
    }
}

uint64_t gk_crc64_update(uint64_t crc, struct gk_span bytes)
{
    pthread_once(&slices_made, make_slices);
    const uint8_t *at = bytes.data;
    size_t left = bytes.len;
    crc = ~crc;
    for (; left >= SLICES; left -= SLICES, at += SLICES) {
        uint64_t next = 0;
        for (unsigned k = 0; k < SLICES; k++) {
            next ^= slices[SLICES - 1 - k][(uint8_t)(crc >> (8 * k)) ^ at[k]];
        }
        crc = next;
    }
    for (; left > 0; left--, at++) {
        crc = (crc >> 8) ^ slices[0][(uint8_t)crc ^ *at];
    }
    return ~crc;
}

void gk_crc64_bytes(uint64_t crc, uint8_t out[GK_CRC64_BYTES])
{
    for (unsigned i = 0; i < GK_CRC64_BYTES; i++) {
        out[i] = (uint8_t)(crc >> (8 * i));
    }
}
