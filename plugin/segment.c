/* SPDX-License-Identifier: Apache-2.0 */
/* Segments as handles: what segment_cipher.c leaves to its caller, and the pass before each chunk. */
#include <stdlib.h>

#include "common/error.h"
#include "common/text.h"
#include "plugin/handles.h"
#include "plugin/segment_cipher.h"

struct gk_segment {
    struct gk_pass pass;
    struct gk_segment_cipher *cipher;
    bool seals;          /* made by segment_new */
    bool ended;          /* its last chunk is sealed, or a seal failed */
    uint64_t next_index; /* to seal */
};

static enum gk_status new_segment(struct gk_data_key *data_key, const struct gk_id *id, bool seals,
                                  struct gk_segment **out, struct gk_error *error)
{
    *out = NULL;
    enum gk_status status = gk_pass_still(&data_key->pass, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_segment *segment = calloc(1, sizeof *segment);
    if (segment == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    status = gk_segment_cipher_new(data_key->pass.account->instance->crypto, data_key->bytes, id,
                                   &segment->cipher, error);
    if (status != GK_OK) {
        free(segment);
        return status;
    }
    segment->pass = gk_pass_copy(&data_key->pass);
    segment->seals = seals;
    *out = segment;
    return GK_OK;
}

enum gk_status gk_segment_new(struct gk_data_key *data_key, struct gk_id *id,
                              struct gk_segment **out, struct gk_error *error)
{
    *out = NULL;
    memset(id, 0, sizeof *id);
    struct gk_id fresh;
    if (!gk_id_random(&fresh)) {
        return gk_fail(error, GK_E_RESOURCE, "there is no randomness");
    }
    const enum gk_status status = new_segment(data_key, &fresh, true, out, error);
    if (status == GK_OK) {
        *id = fresh;
    }
    return status;
}

enum gk_status gk_segment_load(struct gk_data_key *data_key, const struct gk_id *id,
                               struct gk_segment **out, struct gk_error *error)
{
    return new_segment(data_key, id, false, out, error);
}

void gk_segment_free(struct gk_segment *segment)
{
    if (segment != NULL) {
        gk_segment_cipher_free(&segment->cipher);
        gk_pass_release(&segment->pass);
        free(segment);
    }
}

enum gk_status gk_segment_seal(struct gk_segment *segment, uint64_t index, uint8_t last,
                               struct gk_span plain, uint8_t *sealed, struct gk_error *error)
{
    enum gk_status status = gk_pass_still(&segment->pass, error);
    if (status != GK_OK) {
        return status;
    }
    /* Each index once, so that no nonce is used twice under the segment's key. */
    if (!segment->seals || segment->ended || index != segment->next_index) {
        return gk_fail(error, GK_E_INVALID, "a segment's chunks are sealed once each, in order");
    }
    status = gk_segment_cipher_seal(segment->cipher, index, last, plain, sealed, error);
    if (status == GK_OK) {
        segment->next_index++;
        segment->ended = last != 0;
    } else if (status != GK_E_INVALID) {
        segment->ended = true; /* the nonce may have been used */
    }
    return status;
}

enum gk_status gk_segment_open(struct gk_segment *segment, uint64_t index, uint8_t last,
                               struct gk_span sealed, uint8_t *plain, struct gk_error *error)
{
    const enum gk_status status = gk_pass_still(&segment->pass, error);
    if (status != GK_OK) {
        if (sealed.len > GK_TAG_BYTES) {
            memset(plain, 0, sealed.len - GK_TAG_BYTES);
        }
        return status;
    }
    return gk_segment_cipher_open(segment->cipher, index, last, sealed, plain, error);
}
