/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_profile.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"

#define VERSION_FIRST     1u /* without settings of the Blob service */
#define VERSION_SERVICE   2u /* without a secret of user delegation keys */
#define VERSION_SECRET    3u /* without a retention of deleted containers */
#define VERSION           4u
#define BINDING_BYTES_MAX 64u

static struct gk_span binding_of(const char *name, char text[BINDING_BYTES_MAX])
{
    snprintf(text, BINDING_BYTES_MAX, "account keys/%s", name);
    return gk_span_str(text);
}

void gk_account_profile_cleanup(struct gk_account_profile *record)
{
    gk_secret_free(&record->keys);
    free(record->arm_json);
    *record = (struct gk_account_profile){0};
}

static enum gk_status fill(struct gk_account_profile *record, const char *location,
                           const char *arm_json, struct gk_error *error)
{
    if (strlen(location) >= sizeof record->location) {
        return gk_fail_http(error, GK_E_LIMIT, 400, "InvalidRequestPropertyValue",
                            "location is longer than %zu characters", sizeof record->location - 1);
    }
    snprintf(record->location, sizeof record->location, "%s", location);
    return gk_account_profile_set_arm(record, arm_json, error);
}

enum gk_status gk_account_profile_new(int64_t wall_ms, const char *location, const char *arm_json,
                                      struct gk_account_profile *out, struct gk_error *error)
{
    *out = (struct gk_account_profile){.created_wall_ms = wall_ms};
    enum gk_status status = fill(out, location, arm_json, error);
    if (status == GK_OK) {
        out->keys = gk_secret_alloc(sizeof *out->keys);
        status = out->keys == NULL ? gk_fail(error, GK_E_RESOURCE, "no lockable memory") : GK_OK;
    }
    for (unsigned i = 0; status == GK_OK && i < GK_ACCESS_KEYS; i++) {
        status = gk_account_profile_regenerate(out, i, wall_ms, error);
    }
    if (status != GK_OK) {
        gk_account_profile_cleanup(out);
    }
    return status;
}

enum gk_status gk_account_profile_set_arm(struct gk_account_profile *record, const char *arm_json,
                                          struct gk_error *error)
{
    if (strlen(arm_json) > GK_ACCOUNT_ARM_JSON_BYTES_MAX) {
        return gk_fail_http(error, GK_E_LIMIT, 400, "InvalidRequestPropertyValue",
                            "tags, identity and sku together are longer than %u bytes",
                            GK_ACCOUNT_ARM_JSON_BYTES_MAX);
    }
    char *copy = strdup(arm_json);
    if (copy == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    free(record->arm_json);
    record->arm_json = copy;
    return GK_OK;
}

enum gk_status gk_account_profile_regenerate(struct gk_account_profile *record, unsigned index,
                                             int64_t wall_ms, struct gk_error *error)
{
    if (index >= GK_ACCESS_KEYS) {
        return gk_fail(error, GK_E_INVALID, "there is no access key %u", index);
    }
    if (!gk_random(record->keys->key[index], GK_ACCESS_KEY_BYTES)) {
        return gk_fail(error, GK_E_RESOURCE, "the kernel gave no randomness");
    }
    record->keys->created_wall_ms[index] = wall_ms;
    return GK_OK;
}

enum gk_status gk_account_profile_renew_delegation(struct gk_account_profile *record, bool missing,
                                                   struct gk_error *error)
{
    static const uint8_t none[GK_DELEGATION_BYTES];
    uint8_t *secret = record->keys->delegation;
    if (missing && memcmp(secret, none, sizeof none) != 0) {
        return GK_OK;
    }
    return gk_random(secret, GK_DELEGATION_BYTES)
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "the kernel gave no randomness");
}

static void encode(const struct gk_account_profile *record, struct gk_buf *out)
{
    gk_buf_append_u8(out, VERSION);
    gk_buf_append_u64(out, (uint64_t)record->created_wall_ms);
    for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
        gk_buf_append_u64(out, (uint64_t)record->keys->created_wall_ms[i]);
        gk_buf_append(out, record->keys->key[i], GK_ACCESS_KEY_BYTES);
    }
    gk_buf_append_u16(out, (uint16_t)strlen(record->location));
    gk_buf_append_str(out, record->location);
    gk_buf_append_u32(out, (uint32_t)strlen(record->arm_json));
    gk_buf_append_str(out, record->arm_json);
    gk_blob_service_encode(&record->blob_service, out);
    gk_buf_append(out, record->keys->delegation, GK_DELEGATION_BYTES);
    gk_container_retention_encode(&record->blob_service, out);
}

enum gk_status gk_account_profile_seal(const struct gk_plugin *plugin, struct gk_account *account,
                                       const char *name, const struct gk_account_profile *record,
                                       struct gk_buf *out, struct gk_error *error)
{
    struct gk_buf plain;
    gk_buf_init(&plain, GK_ACCOUNT_PROFILE_BYTES_MAX);
    encode(record, &plain);
    enum gk_status status = gk_buf_status(&plain);
    const size_t start = out->len;
    const size_t room = plain.len + GK_RECORD_OVERHEAD_BYTES;
    uint8_t *sealed = status == GK_OK ? gk_buf_extend(out, room) : NULL;
    if (sealed == NULL) {
        status = gk_fail(error, GK_E_RESOURCE, "the account's record does not fit into memory");
    } else {
        char binding[BINDING_BYTES_MAX];
        size_t len = 0;
        status = plugin->record_seal(account, NULL, binding_of(name, binding), gk_buf_span(&plain),
                                     (struct gk_span){0}, sealed, room, &len, error);
        out->len = start + (status == GK_OK ? len : 0);
    }
    gk_buf_cleanup_wipe(&plain);
    return status;
}

static bool decode_text(struct gk_reader *reader, size_t len, char *out, size_t max)
{
    const struct gk_span text = gk_read_span(reader, len);
    return !reader->failed && gk_span_to_str(text, out, max);
}

static bool decode_delegation(struct gk_reader *reader, struct gk_access_keys *keys)
{
    const struct gk_span secret = gk_read_span(reader, GK_DELEGATION_BYTES);
    if (secret.len == GK_DELEGATION_BYTES) {
        memcpy(keys->delegation, secret.data, GK_DELEGATION_BYTES);
    }
    return !reader->failed;
}

static bool decode(struct gk_span plain, struct gk_account_profile *out)
{
    struct gk_reader reader = gk_reader_of(plain);
    const uint8_t version = gk_read_u8(&reader);
    out->created_wall_ms = (int64_t)gk_read_u64(&reader);
    for (unsigned i = 0; i < GK_ACCESS_KEYS; i++) {
        out->keys->created_wall_ms[i] = (int64_t)gk_read_u64(&reader);
        const struct gk_span key = gk_read_span(&reader, GK_ACCESS_KEY_BYTES);
        if (key.len == GK_ACCESS_KEY_BYTES) {
            memcpy(out->keys->key[i], key.data, GK_ACCESS_KEY_BYTES);
        }
    }
    if (version < VERSION_FIRST || version > VERSION ||
        !decode_text(&reader, gk_read_u16(&reader), out->location, sizeof out->location)) {
        return false;
    }
    const size_t arm_len = gk_read_u32(&reader);
    if (reader.failed || arm_len > GK_ACCOUNT_ARM_JSON_BYTES_MAX) {
        return false;
    }
    out->arm_json = malloc(arm_len + 1);
    return out->arm_json != NULL && decode_text(&reader, arm_len, out->arm_json, arm_len + 1) &&
           (version == VERSION_FIRST || gk_blob_service_decode(&reader, &out->blob_service)) &&
           (version <= VERSION_SERVICE || decode_delegation(&reader, out->keys)) &&
           (version <= VERSION_SECRET ||
            gk_container_retention_decode(&reader, &out->blob_service)) &&
           gk_read_done(&reader);
}

enum gk_status gk_account_profile_open(const struct gk_plugin *plugin, struct gk_account *account,
                                       const char *name, struct gk_span sealed,
                                       struct gk_account_profile *out, struct gk_error *error)
{
    *out = (struct gk_account_profile){.keys = gk_secret_alloc(sizeof *out->keys)};
    struct gk_buf plain;
    gk_buf_init(&plain, GK_ACCOUNT_PROFILE_BYTES_MAX);
    uint8_t *room = gk_buf_extend(&plain, sealed.len);
    if (out->keys == NULL || room == NULL) {
        gk_buf_cleanup_wipe(&plain);
        gk_account_profile_cleanup(out);
        return gk_fail(error, GK_E_RESOURCE, "no memory for the record of account %s", name);
    }
    char binding[BINDING_BYTES_MAX];
    size_t len = 0;
    enum gk_status status = plugin->record_open(account, binding_of(name, binding), sealed, room,
                                                sealed.len, &len, error);
    if (status == GK_OK && !decode(gk_span_of(room, len), out)) {
        status = gk_fail_http(error, GK_E_INTEGRITY, 500, "InternalError",
                              "the record of account %s is not well-formed", name);
    }
    gk_buf_cleanup_wipe(&plain);
    if (status != GK_OK) {
        gk_account_profile_cleanup(out);
    }
    return status;
}
