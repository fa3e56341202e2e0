/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/record_cipher.h"

#include "common/buf.h"
#include "common/error.h"
#include "common/secret.h"
#include "plugin/bytes.h"
#include "plugin/kdf.h"
#include "plugin/xaes.h"

#define SEALED_LABEL    "gatekey/v1/record-sealed"
#define OPEN_LABEL      GK_RECORD_OPEN_LABEL
#define MAGIC_BYTES     4u
#define FLAG_HAS_SEALED 0x01u
#define SEALED_AAD      2u
#define OPEN_AAD        4u

_Static_assert(GK_RECORD_HEADER_BYTES + 2 * GK_XAES_OVERHEAD_BYTES <= GK_RECORD_OVERHEAD_BYTES,
               "plugin.h promises the overhead");

static const uint8_t magic[MAGIC_BYTES] = {'G', 'K', 'R', 0x01};

/* A record taken apart; views into it. */
struct record_view {
    struct gk_span
        head; /* header and sealed part: what the open part's tag covers besides itself */
    struct gk_span sealed_part; /* as stored; empty without one */
    struct gk_span open_part;
};

static const char not_a_record[] = "this is not a record, or it was cut";
static const char not_authentic[] = "the record is not what was written here";

enum gk_status gk_record_open_key_derive(const struct gk_crypto *crypto,
                                         const struct gk_record_service_key *service_key,
                                         const struct gk_id *account,
                                         struct gk_record_open_key *key, struct gk_error *error)
{
    const struct gk_span part = gk_span_of(account->bytes, sizeof account->bytes);
    enum gk_status status = gk_hkdf_expand_sha256(crypto, service_key->bytes, OPEN_LABEL, &part, 1,
                                                  key->bytes, sizeof key->bytes);
    return status == GK_OK ? GK_OK : gk_fail(error, status, "cannot derive a record key");
}

static bool view_record(struct gk_span record, struct record_view *view)
{
    struct gk_reader reader = gk_reader_of(record);
    bool has_magic =
        gk_span_equal(gk_read_span(&reader, MAGIC_BYTES), gk_span_of(magic, MAGIC_BYTES));
    uint8_t flags = gk_read_u8(&reader);
    size_t sealed_len = gk_read_u32(&reader);
    bool has_sealed = flags == FLAG_HAS_SEALED;
    view->sealed_part = gk_read_span(&reader, sealed_len);
    view->open_part = reader.rest;
    if (reader.failed || !has_magic || record.len > GK_RECORD_BYTES_MAX ||
        flags > FLAG_HAS_SEALED || has_sealed != (sealed_len >= GK_XAES_OVERHEAD_BYTES) ||
        (!has_sealed && sealed_len != 0) || view->open_part.len < GK_XAES_OVERHEAD_BYTES) {
        return false;
    }
    view->head = gk_span_of(record.data, GK_RECORD_HEADER_BYTES + sealed_len);
    return true;
}

static void sealed_aad_init(struct gk_span aad[SEALED_AAD], struct gk_span binding)
{
    aad[0] = gk_span_of(SEALED_LABEL, sizeof SEALED_LABEL);
    aad[1] = binding;
}

static void open_aad_init(struct gk_span aad[OPEN_AAD], uint8_t binding_len[4],
                          struct gk_span binding, struct gk_span head)
{
    gk_put_u32(binding_len, (uint32_t)binding.len);
    aad[0] = gk_span_of(OPEN_LABEL, sizeof OPEN_LABEL);
    aad[1] = gk_span_of(binding_len, 4);
    aad[2] = binding;
    aad[3] = head;
}

static enum gk_status sealed_part_key(const struct gk_crypto *crypto,
                                      const struct gk_data_key_bytes *data_key,
                                      uint8_t key[GK_KEY_BYTES])
{
    return gk_hkdf_expand_sha256(crypto, data_key->bytes, SEALED_LABEL, NULL, 0, key, GK_KEY_BYTES);
}

/* Refuses lengths that a record cannot have or out has no room for; *len is 0 until success. */
static enum gk_status check_room(const struct gk_record_out *out, size_t need,
                                 struct gk_error *error)
{
    if (need > GK_RECORD_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a record is at most %u bytes", GK_RECORD_BYTES_MAX);
    }
    if (need > out->max) {
        return gk_fail(error, GK_E_LIMIT, "the record needs %zu bytes, there is room for %zu", need,
                       out->max);
    }
    return GK_OK;
}

static enum gk_status check_binding(struct gk_span binding, struct gk_error *error)
{
    if (binding.len > GK_RECORD_BINDING_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a record's binding is at most %u bytes",
                       GK_RECORD_BINDING_BYTES_MAX);
    }
    return GK_OK;
}

static void write_header(uint8_t *out, bool has_sealed, size_t sealed_len)
{
    memcpy(out, magic, MAGIC_BYTES);
    out[MAGIC_BYTES] = has_sealed ? FLAG_HAS_SEALED : 0;
    gk_put_u32(out + MAGIC_BYTES + 1, (uint32_t)sealed_len);
}

/* Writes the open part behind head, which stands in out already. */
static enum gk_status write_open_part(const struct gk_crypto *crypto,
                                      const struct gk_record_open_key *open_key,
                                      struct gk_span binding, size_t head_len,
                                      struct gk_span open_part, uint8_t *out)
{
    uint8_t binding_len[4];
    struct gk_span aad[OPEN_AAD];
    open_aad_init(aad, binding_len, binding, gk_span_of(out, head_len));
    return gk_xaes_seal(crypto, open_key->bytes, aad, OPEN_AAD, open_part, out + head_len);
}

static enum gk_status write_sealed_part(const struct gk_crypto *crypto,
                                        const struct gk_data_key_bytes *data_key,
                                        struct gk_span binding, struct gk_span sealed_part,
                                        uint8_t *out)
{
    uint8_t key[GK_KEY_BYTES];
    struct gk_span aad[SEALED_AAD];
    sealed_aad_init(aad, binding);
    enum gk_status status = sealed_part_key(crypto, data_key, key);
    if (status == GK_OK) {
        status = gk_xaes_seal(crypto, key, aad, SEALED_AAD, sealed_part, out);
    }
    gk_wipe(key, sizeof key);
    return status;
}

/* Ends a call that wrote len bytes: tells the length, or leaves nothing behind. */
static enum gk_status conclude(const struct gk_record_out *out, size_t len, enum gk_status status,
                               const char *what, struct gk_error *error)
{
    if (status == GK_OK) {
        *out->len = len;
        return GK_OK;
    }
    if (len > 0) {
        gk_wipe(out->data, len);
    }
    return gk_fail(error, status, "%s", what);
}

enum gk_status gk_record_seal(const struct gk_crypto *crypto,
                              const struct gk_record_open_key *open_key,
                              const struct gk_data_key_bytes *data_key, struct gk_span binding,
                              struct gk_span open_part, struct gk_span sealed_part,
                              const struct gk_record_out *out, struct gk_error *error)
{
    *out->len = 0;
    if (data_key == NULL && sealed_part.len > 0) {
        return gk_fail(error, GK_E_INVALID, "a sealed part needs a data key");
    }
    /* Before the sums, so that none of them can wrap. */
    if (open_part.len > GK_RECORD_BYTES_MAX || sealed_part.len > GK_RECORD_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a record is at most %u bytes", GK_RECORD_BYTES_MAX);
    }
    const size_t sealed_len = data_key == NULL ? 0 : sealed_part.len + GK_XAES_OVERHEAD_BYTES;
    const size_t head_len = GK_RECORD_HEADER_BYTES + sealed_len;
    const size_t need = head_len + open_part.len + GK_XAES_OVERHEAD_BYTES;
    enum gk_status status = check_binding(binding, error);
    if (status == GK_OK) {
        status = check_room(out, need, error);
    }
    if (status != GK_OK) {
        return status;
    }
    write_header(out->data, data_key != NULL, sealed_len);
    if (data_key != NULL) {
        status = write_sealed_part(crypto, data_key, binding, sealed_part,
                                   out->data + GK_RECORD_HEADER_BYTES);
    }
    if (status == GK_OK) {
        status = write_open_part(crypto, open_key, binding, head_len, open_part, out->data);
    }
    return conclude(out, need, status, "cannot seal a record", error);
}

enum gk_status gk_record_rebind(const struct gk_crypto *crypto,
                                const struct gk_record_open_key *open_key, struct gk_span binding,
                                struct gk_span new_binding, struct gk_span record,
                                struct gk_span open_part, const struct gk_record_out *out,
                                struct gk_error *error)
{
    *out->len = 0;
    enum gk_status status = check_binding(binding, error);
    if (status == GK_OK) {
        status = check_binding(new_binding, error);
    }
    if (status != GK_OK) {
        return status;
    }
    struct record_view view;
    if (!view_record(record, &view)) {
        return gk_fail(error, GK_E_INTEGRITY, not_a_record);
    }
    if (open_part.len > GK_RECORD_BYTES_MAX) {
        return gk_fail(error, GK_E_LIMIT, "a record is at most %u bytes", GK_RECORD_BYTES_MAX);
    }
    const size_t need = view.head.len + open_part.len + GK_XAES_OVERHEAD_BYTES;
    status = check_room(out, need, error);
    if (status != GK_OK) {
        return status;
    }
    /* Without this check a sealed part that was put into the store would become authentic. */
    uint8_t binding_len[4];
    struct gk_span aad[OPEN_AAD];
    open_aad_init(aad, binding_len, binding, view.head);
    status = gk_xaes_verify(crypto, open_key->bytes, aad, OPEN_AAD, view.open_part);
    if (status != GK_OK) {
        return gk_fail(error, status, not_authentic);
    }
    memcpy(out->data, view.head.data, view.head.len);
    status = write_open_part(crypto, open_key, new_binding, view.head.len, open_part, out->data);
    return conclude(out, need, status, "cannot seal a record", error);
}

enum gk_status gk_record_reseal_open(const struct gk_crypto *crypto,
                                     const struct gk_record_open_key *open_key,
                                     struct gk_span binding, struct gk_span record,
                                     struct gk_span open_part, const struct gk_record_out *out,
                                     struct gk_error *error)
{
    return gk_record_rebind(crypto, open_key, binding, binding, record, open_part, out, error);
}

enum gk_status gk_record_open(const struct gk_crypto *crypto,
                              const struct gk_record_open_key *open_key, struct gk_span binding,
                              struct gk_span record, const struct gk_record_out *out,
                              struct gk_error *error)
{
    *out->len = 0;
    struct record_view view;
    if (binding.len > GK_RECORD_BINDING_BYTES_MAX || !view_record(record, &view)) {
        return gk_fail(error, GK_E_INTEGRITY, not_a_record);
    }
    const size_t need = view.open_part.len - GK_XAES_OVERHEAD_BYTES;
    enum gk_status status = check_room(out, need, error);
    if (status != GK_OK) {
        return status;
    }
    uint8_t binding_len[4];
    struct gk_span aad[OPEN_AAD];
    open_aad_init(aad, binding_len, binding, view.head);
    status = gk_xaes_open(crypto, open_key->bytes, aad, OPEN_AAD, view.open_part, out->data);
    return conclude(out, need, status, not_authentic, error);
}

enum gk_status gk_record_open_sealed(const struct gk_crypto *crypto,
                                     const struct gk_data_key_bytes *data_key,
                                     struct gk_span binding, struct gk_span record,
                                     const struct gk_record_out *out, struct gk_error *error)
{
    *out->len = 0;
    struct record_view view;
    if (binding.len > GK_RECORD_BINDING_BYTES_MAX || !view_record(record, &view)) {
        return gk_fail(error, GK_E_INTEGRITY, not_a_record);
    }
    if (view.sealed_part.len == 0) {
        return gk_fail(error, GK_E_NOT_FOUND, "the record has no sealed part");
    }
    const size_t need = view.sealed_part.len - GK_XAES_OVERHEAD_BYTES;
    enum gk_status status = check_room(out, need, error);
    if (status != GK_OK) {
        return status;
    }
    uint8_t key[GK_KEY_BYTES];
    struct gk_span aad[SEALED_AAD];
    sealed_aad_init(aad, binding);
    status = sealed_part_key(crypto, data_key, key);
    if (status == GK_OK) {
        status = gk_xaes_open(crypto, key, aad, SEALED_AAD, view.sealed_part, out->data);
    }
    gk_wipe(key, sizeof key);
    return conclude(out, need, status, not_authentic, error);
}
