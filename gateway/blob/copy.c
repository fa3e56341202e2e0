/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/copy.h"

#include <stdlib.h>
#include <string.h>

#include "common/error.h"

static const char *const statuses[] = {[GK_COPY_SUCCESS] = "success",
                                       [GK_COPY_PENDING] = "pending",
                                       [GK_COPY_ABORTED] = "aborted",
                                       [GK_COPY_FAILED] = "failed"};

/* A text as a string of its own; NULL when it cannot be one, or there is no memory. */
static char *read_string(struct gk_reader *in)
{
    const struct gk_span text = gk_read_text(in);
    return in->failed || text.len == 0 || memchr(text.data, '\0', text.len) != NULL
               ? NULL
               : strndup((const char *)text.data, text.len);
}

/* --- what every copy has ------------------------------------------------------------------------*/

static bool given(const void *value)
{
    const struct gk_copy *copy = value;
    return copy->source != NULL;
}

static void encode(const void *value, struct gk_buf *out)
{
    const struct gk_copy *copy = value;
    gk_append_id(out, &copy->id);
    gk_buf_append_u64(out, copy->bytes);
    gk_buf_append_u64(out, (uint64_t)copy->completed_wall_ms);
    gk_append_text(out, gk_span_str(copy->source));
}

static enum gk_status not_well_formed(struct gk_error *error)
{
    return gk_fail(error, GK_E_INTEGRITY, "a record's copy is not well-formed");
}

static enum gk_status decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_copy *copy = value;
    gk_read_id(in, &copy->id);
    copy->bytes = gk_read_u64(in);
    copy->completed_wall_ms = (int64_t)gk_read_u64(in);
    copy->source = read_string(in);
    return copy->source == NULL ? not_well_formed(error) : GK_OK;
}

void gk_copy_clear(struct gk_copy *copy)
{
    free(copy->source);
    gk_copy_origin_clear(&copy->unfinished.origin);
    *copy = (struct gk_copy){0};
}

static void cleanup(void *value)
{
    gk_copy_clear(value);
}

const struct gk_field_kind gk_copy_field = {
    .given = given, .encode = encode, .decode = decode, .cleanup = cleanup};

/* --- what one has that is no success ------------------------------------------------------------*/

static bool unfinished_given(const void *value)
{
    const struct gk_copy_unfinished *unfinished = value;
    return unfinished->status != GK_COPY_SUCCESS;
}

static void encode_origin(const struct gk_copy_origin *origin, struct gk_buf *out)
{
    gk_append_text(out, gk_span_str(origin->account));
    gk_append_id(out, &origin->account_id);
    gk_append_text(out, gk_span_str(origin->container));
    gk_append_text(out, gk_span_str(origin->blob));
    gk_buf_append_u8(out, (uint8_t)origin->kind);
    gk_buf_append_u64(out, origin->time);
    gk_append_id(out, &origin->object);
    gk_buf_append_u64(out, origin->etag);
}

static void unfinished_encode(const void *value, struct gk_buf *out)
{
    const struct gk_copy_unfinished *unfinished = value;
    gk_buf_append_u8(out, (uint8_t)unfinished->status);
    gk_buf_append_u64(out, unfinished->done_bytes);
    gk_buf_append_u64(out, (uint64_t)unfinished->asked_wall_ms);
    gk_append_text(out, gk_span_str(unfinished->description));
    if (unfinished->status == GK_COPY_PENDING) {
        encode_origin(&unfinished->origin, out);
    }
}

static bool read_into(struct gk_reader *in, char *out, size_t room)
{
    const struct gk_span text = gk_read_text(in);
    return !in->failed && gk_span_to_str(text, out, room);
}

static bool read_origin(struct gk_reader *in, struct gk_copy_origin *origin)
{
    const bool named = read_into(in, origin->account, sizeof origin->account);
    gk_read_id(in, &origin->account_id);
    origin->container = read_string(in);
    origin->blob = read_string(in);
    const uint8_t kind = gk_read_u8(in);
    origin->kind = (enum gk_state_kind)kind;
    origin->time = gk_read_u64(in);
    gk_read_id(in, &origin->object);
    origin->etag = gk_read_u64(in);
    return named && origin->container != NULL && origin->blob != NULL && kind <= GK_STATE_VERSION &&
           (origin->time != 0) == (kind != GK_STATE_BASE) && !in->failed;
}

static enum gk_status unfinished_decode(struct gk_reader *in, void *value, struct gk_error *error)
{
    struct gk_copy_unfinished *unfinished = value;
    const uint8_t status = gk_read_u8(in);
    unfinished->status = (enum gk_copy_status)status;
    unfinished->done_bytes = gk_read_u64(in);
    unfinished->asked_wall_ms = (int64_t)gk_read_u64(in);
    const bool told = read_into(in, unfinished->description, sizeof unfinished->description);
    if (!told || in->failed || status < GK_COPY_PENDING || status > GK_COPY_FAILED) {
        return not_well_formed(error);
    }
    return status != GK_COPY_PENDING || read_origin(in, &unfinished->origin)
               ? GK_OK
               : not_well_formed(error);
}

void gk_copy_origin_clear(struct gk_copy_origin *origin)
{
    free(origin->container);
    free(origin->blob);
    *origin = (struct gk_copy_origin){.kind = GK_STATE_BASE};
}

static void unfinished_cleanup(void *value)
{
    struct gk_copy_unfinished *unfinished = value;
    gk_copy_origin_clear(&unfinished->origin);
    *unfinished = (struct gk_copy_unfinished){.status = GK_COPY_SUCCESS};
}

const struct gk_field_kind gk_copy_unfinished_field = {.given = unfinished_given,
                                                       .encode = unfinished_encode,
                                                       .decode = unfinished_decode,
                                                       .cleanup = unfinished_cleanup};

/* --- what is told -------------------------------------------------------------------------------*/

const char *gk_copy_status_text(const struct gk_copy *copy)
{
    return statuses[copy->unfinished.status];
}

uint64_t gk_copy_done_bytes(const struct gk_copy *copy)
{
    return copy->unfinished.status == GK_COPY_SUCCESS ? copy->bytes : copy->unfinished.done_bytes;
}
