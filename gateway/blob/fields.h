/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fields that most records do not have: each stands in the stored form only when it says something, with
 * a tag that says which it is and its length. A record that has none pays one byte.
 *   count 1 | tag 1 | length 2 | bytes ...       tags ascending, each once
 * A tag that is not known is refused: what cannot be understood may be what forbids the request.
 */
#ifndef GATEWAY_BLOB_FIELDS_H
#define GATEWAY_BLOB_FIELDS_H

#include "common/buf.h"

#define GK_FIELD_BYTES_MAX 65535u

/* Which field it is; the numbers are part of the format. */
enum gk_field_tag {
    GK_FIELD_LEASE = 1,
    GK_FIELD_ACL = 2,
    GK_FIELD_TIER_TIMES = 3,
    GK_FIELD_IMMUTABILITY = 4,
    GK_FIELD_CONTAINER_LIFE = 5,
    GK_FIELD_LIFETIME = 6,
    GK_FIELD_BLOB_KIND = 8,
    GK_FIELD_COPY = 9,
    GK_FIELD_ENCRYPTION = 10,
    GK_FIELD_CONTAINER_ENCRYPTION = 11,
    GK_FIELD_PAGE_ERAS = 12,
    GK_FIELD_INCREMENTAL = 13,
    GK_FIELD_LOAN = 14,
    GK_FIELD_COPY_UNFINISHED = 15,
    GK_FIELD_TAGS = 16,
    GK_FIELD_CONTENT_MD5 = 17,
    GK_FIELD_HISTORY = 20,
    GK_FIELD_KEYED = 21,
    GK_FIELD_PAGE_LINEAGE = 22,
};

/* What a field holds. Empty is all zero. */
struct gk_field_kind {
    bool (*given)(const void *value);
    void (*encode)(const void *value, struct gk_buf *out);
    /* value is all zero before. Reads exactly the field's bytes: what it leaves over, or would read
     * beyond, is damage. What it took is freed by cleanup, also when it fails. */
    enum gk_status (*decode)(struct gk_reader *in, void *value, struct gk_error *error);
    void (*cleanup)(void *value); /* NULL: it owns nothing */
};

/* One that a record can have: at offset in its struct stands the value. */
struct gk_field {
    enum gk_field_tag tag;
    size_t offset;
    const struct gk_field_kind *kind;
};

/* fields: all that a record of this kind can have, by ascending tag. */
void gk_fields_encode(const struct gk_field *fields, size_t count, const void *record,
                      struct gk_buf *out);
/* GK_E_INTEGRITY. */
enum gk_status gk_fields_decode(const struct gk_field *fields, size_t count, struct gk_reader *in,
                                void *record, struct gk_error *error) GK_MUST_USE;
void gk_fields_cleanup(const struct gk_field *fields, size_t count, void *record);

/* Texts and ids, as in all stored forms. */
void gk_append_text(struct gk_buf *out, struct gk_span text);
struct gk_span gk_read_text(struct gk_reader *in);
void gk_append_id(struct gk_buf *out, const struct gk_id *id);
void gk_read_id(struct gk_reader *in, struct gk_id *id);

#endif
