/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a segment costs over the cipher alone: seals and opens 64 KiB chunks through the segment
 * cipher, and the same bytes through libcrypto's AES-256-GCM with nothing around it (a context that
 * is keyed once, a nonce and 26 bytes of additional data per chunk). Both in one run, round by round
 * in turn, so that a busy machine slows both alike; the median of the rounds counts.
 *
 *   crypto_bench [--rounds N] [--json]
 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/span.h"
#include "plugin/segment_cipher.h"

#define ROUNDS_DEFAULT   31u
#define ROUNDS_MAX       1001u
#define CHUNKS_PER_ROUND 2048u
#define AAD_BYTES        26u

enum subject { PLAIN_SEAL, SEGMENT_SEAL, PLAIN_OPEN, SEGMENT_OPEN, SUBJECTS };

struct bench {
    struct gk_crypto *crypto;
    struct gk_segment_cipher *segment;
    EVP_CIPHER_CTX *sealer;
    EVP_CIPHER_CTX *opener;
    uint8_t *plain;
    uint8_t *sealed;       /* by the segment cipher, chunk 0 */
    uint8_t *plain_sealed; /* by the cipher alone, with nonce and additional data of zeros */
    uint8_t *scratch;
    double seconds[SUBJECTS][ROUNDS_MAX];
};

static double now_s(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static bool plain_seal(EVP_CIPHER_CTX *ctx, const uint8_t *in, uint8_t *out, const uint8_t *nonce)
{
    static const uint8_t aad[AAD_BYTES];
    int len = 0;
    return EVP_EncryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
           EVP_EncryptUpdate(ctx, NULL, &len, aad, AAD_BYTES) == 1 &&
           EVP_EncryptUpdate(ctx, out, &len, in, GK_CHUNK_PLAIN_BYTES) == 1 &&
           EVP_EncryptFinal_ex(ctx, out + GK_CHUNK_PLAIN_BYTES, &len) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, GK_TAG_BYTES,
                               out + GK_CHUNK_PLAIN_BYTES) == 1;
}

static bool plain_open(EVP_CIPHER_CTX *ctx, uint8_t *in, uint8_t *out, const uint8_t *nonce)
{
    static const uint8_t aad[AAD_BYTES];
    uint8_t nothing[GK_TAG_BYTES];
    int len = 0;
    return EVP_DecryptInit_ex2(ctx, NULL, NULL, nonce, NULL) == 1 &&
           EVP_DecryptUpdate(ctx, NULL, &len, aad, AAD_BYTES) == 1 &&
           EVP_DecryptUpdate(ctx, out, &len, in, GK_CHUNK_PLAIN_BYTES) == 1 &&
           EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, GK_TAG_BYTES,
                               in + GK_CHUNK_PLAIN_BYTES) == 1 &&
           EVP_DecryptFinal_ex(ctx, nothing, &len) == 1;
}

/* One chunk of one subject. */
static bool step(struct bench *bench, enum subject subject, uint32_t i)
{
    const struct gk_span plain = gk_span_of(bench->plain, GK_CHUNK_PLAIN_BYTES);
    const struct gk_span sealed = gk_span_of(bench->sealed, GK_CHUNK_SEALED_BYTES);
    uint8_t nonce[GK_GCM_NONCE_BYTES] = {0};
    switch (subject) {
    case PLAIN_SEAL:
        memcpy(nonce, &i, sizeof i);
        return plain_seal(bench->sealer, bench->plain, bench->scratch, nonce);
    case SEGMENT_SEAL:
        return gk_segment_cipher_seal(bench->segment, i, 0, plain, bench->scratch, NULL) == GK_OK;
    case PLAIN_OPEN:
        return plain_open(bench->opener, bench->plain_sealed, bench->scratch, nonce);
    case SEGMENT_OPEN:
        return gk_segment_cipher_open(bench->segment, 0, 0, sealed, bench->scratch, NULL) == GK_OK;
    case SUBJECTS:
        break;
    }
    return false;
}

static bool run_round(struct bench *bench, unsigned round)
{
    for (unsigned turn = 0; turn < SUBJECTS; turn++) {
        /* Pairs stand next to each other; who goes first alternates. */
        const unsigned subject = round % 2 == 0 ? turn : turn ^ 1u;
        const double start = now_s();
        for (uint32_t i = 0; i < CHUNKS_PER_ROUND; i++) {
            if (!step(bench, (enum subject)subject, i)) {
                return false;
            }
        }
        bench->seconds[subject][round] = now_s() - start;
    }
    return true;
}

static bool setup(struct bench *bench)
{
    static const struct gk_data_key_bytes data_key = {{0x5a}};
    static const struct gk_id segment = {{0xa5}};
    static const uint8_t nonce[GK_GCM_NONCE_BYTES];
    bench->plain = calloc(1, GK_CHUNK_PLAIN_BYTES);
    bench->sealed = calloc(1, GK_CHUNK_SEALED_BYTES);
    bench->plain_sealed = calloc(1, GK_CHUNK_SEALED_BYTES);
    bench->scratch = calloc(1, GK_CHUNK_SEALED_BYTES);
    bench->sealer = EVP_CIPHER_CTX_new();
    bench->opener = EVP_CIPHER_CTX_new();
    if (bench->plain == NULL || bench->sealed == NULL || bench->plain_sealed == NULL ||
        bench->scratch == NULL || bench->sealer == NULL || bench->opener == NULL ||
        gk_crypto_new(&bench->crypto, NULL) != GK_OK ||
        gk_segment_cipher_new(bench->crypto, &data_key, &segment, &bench->segment, NULL) != GK_OK) {
        return false;
    }
    const EVP_CIPHER *cipher = bench->crypto->aes_256_gcm;
    const struct gk_span plain = gk_span_of(bench->plain, GK_CHUNK_PLAIN_BYTES);
    return EVP_EncryptInit_ex2(bench->sealer, cipher, data_key.bytes, NULL, NULL) == 1 &&
           EVP_DecryptInit_ex2(bench->opener, cipher, data_key.bytes, NULL, NULL) == 1 &&
           plain_seal(bench->sealer, bench->plain, bench->plain_sealed, nonce) &&
           gk_segment_cipher_seal(bench->segment, 0, 0, plain, bench->sealed, NULL) == GK_OK;
}

static void teardown(struct bench *bench)
{
    gk_segment_cipher_free(&bench->segment);
    EVP_CIPHER_CTX_free(bench->sealer);
    EVP_CIPHER_CTX_free(bench->opener);
    gk_crypto_free(&bench->crypto);
    free(bench->plain);
    free(bench->sealed);
    free(bench->plain_sealed);
    free(bench->scratch);
    free(bench);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a;
    const double y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median_mb_per_s(double *seconds, unsigned rounds)
{
    qsort(seconds, rounds, sizeof *seconds, compare);
    return (double)CHUNKS_PER_ROUND * GK_CHUNK_PLAIN_BYTES / seconds[rounds / 2] / 1e6;
}

static void report(struct bench *bench, unsigned rounds, bool json)
{
    static const char *const names[] = {"seal", "open"};
    for (unsigned i = 0; i < 2; i++) {
        const double plain = median_mb_per_s(bench->seconds[2 * i], rounds);
        const double segment = median_mb_per_s(bench->seconds[2 * i + 1], rounds);
        printf(json ? "{\"what\":\"%s\",\"chunk_bytes\":%u,\"segment_mb_s\":%.0f,"
                      "\"cipher_mb_s\":%.0f,\"ratio\":%.3f}\n"
                    : "%s of %u-byte chunks: segment %.0f MB/s, AES-256-GCM alone %.0f MB/s, "
                      "ratio %.3f\n",
               names[i], GK_CHUNK_PLAIN_BYTES, segment, plain, segment / plain);
    }
}

int main(int argc, char **argv)
{
    unsigned rounds = ROUNDS_DEFAULT;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc) {
            rounds = (unsigned)strtoul(argv[++i], NULL, 10);
        } else {
            rounds = 0;
        }
    }
    if (rounds < 1 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: crypto_bench [--rounds 1..%u] [--json]\n", ROUNDS_MAX);
        return 2;
    }
    struct bench *bench = calloc(1, sizeof *bench);
    bool ok = bench != NULL && setup(bench);
    for (unsigned round = 0; ok && round < rounds; round++) {
        ok = run_round(bench, round);
    }
    if (ok) {
        report(bench, rounds, json);
    } else {
        fprintf(stderr, "crypto_bench: libcrypto or memory failed\n");
    }
    if (bench != NULL) {
        teardown(bench);
    }
    return ok ? 0 : 1;
}
