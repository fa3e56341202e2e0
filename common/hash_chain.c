/* SPDX-License-Identifier: Apache-2.0 */
#include "common/hash_chain.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "common/text.h"

#define HEAD_BEGIN      "{\"" GK_CHAIN_SEQUENCE "\":"
#define HEAD_MIDDLE     ",\"hash\":\""
#define HEAD_END        "\"}\n"
#define SEQUENCE_DIGITS 20u

bool gk_chain_hash(struct gk_span line, uint8_t hash[GK_CHAIN_HASH_BYTES])
{
    return EVP_Digest(line.data, line.len, hash, NULL, EVP_sha256(), NULL) == 1;
}

void gk_chain_hash_text(const uint8_t hash[GK_CHAIN_HASH_BYTES],
                        char text[GK_CHAIN_HASH_TEXT_BYTES])
{
    for (size_t i = 0; i < GK_CHAIN_HASH_BYTES; i++) {
        snprintf(text + 2 * i, 3, "%02x", hash[i]);
    }
}

void gk_chain_head_encode(const struct gk_chain_head *head, char text[GK_CHAIN_HEAD_BYTES + 1])
{
    char hash[GK_CHAIN_HASH_TEXT_BYTES];
    gk_chain_hash_text(head->hash, hash);
    const int len = snprintf(text, GK_CHAIN_HEAD_BYTES + 1, HEAD_BEGIN "%*" PRIu64 HEAD_MIDDLE "%s",
                             (int)SEQUENCE_DIGITS, head->sequence, hash);
    snprintf(text + len, GK_CHAIN_HEAD_BYTES + 1 - (size_t)len, HEAD_END);
}

static bool take(struct gk_reader *in, const char *literal)
{
    return gk_span_equal(gk_read_span(in, strlen(literal)), gk_span_str(literal));
}

bool gk_chain_head_decode(struct gk_span text, struct gk_chain_head *head)
{
    struct gk_reader in = gk_reader_of(text);
    if (!take(&in, HEAD_BEGIN)) {
        return false;
    }
    struct gk_span digits = gk_read_span(&in, SEQUENCE_DIGITS);
    while (digits.len > 0 && digits.data[0] == ' ') {
        digits.data++;
        digits.len--;
    }
    if (!take(&in, HEAD_MIDDLE)) {
        return false;
    }
    const struct gk_span hash = gk_read_span(&in, GK_CHAIN_HASH_TEXT_BYTES - 1);
    return take(&in, HEAD_END) && gk_read_done(&in) &&
           gk_parse_u64(digits, UINT64_MAX, &head->sequence) &&
           gk_hex_decode(hash, head->hash, sizeof head->hash);
}
