/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/names.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/hash.h"

#define HEX_ID_BYTES 33u

static void hex_id(const struct gk_id *id, char out[HEX_ID_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        out[2 * i] = digits[id->bytes[i] >> 4];
        out[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    out[HEX_ID_BYTES - 1] = '\0';
}

void gk_index_name(const struct gk_id *container, uint32_t shard, char out[GK_INDEX_NAME_BYTES])
{
    char hex[HEX_ID_BYTES];
    hex_id(container, hex);
    snprintf(out, GK_INDEX_NAME_BYTES, "index/%s/%u", hex, shard);
}

uint32_t gk_index_shard(struct gk_span blob, uint32_t shards)
{
    return (uint32_t)(gk_hash(GK_HASH_START, blob) % shards);
}

void gk_deleted_name(const struct gk_id *account, char out[GK_INDEX_NAME_BYTES])
{
    char hex[HEX_ID_BYTES];
    hex_id(account, hex);
    snprintf(out, GK_INDEX_NAME_BYTES, GK_DELETED_NAME_PREFIX "%s", hex);
}

void gk_data_prefix(const struct gk_id *container, char out[GK_DATA_NAME_BYTES])
{
    char hex[HEX_ID_BYTES];
    hex_id(container, hex);
    snprintf(out, GK_DATA_NAME_BYTES, "%s/", hex);
}

void gk_data_name(const struct gk_id *container, const struct gk_id *segment, uint64_t number,
                  char out[GK_DATA_NAME_BYTES])
{
    char container_hex[HEX_ID_BYTES];
    char segment_hex[HEX_ID_BYTES];
    hex_id(container, container_hex);
    hex_id(segment, segment_hex);
    snprintf(out, GK_DATA_NAME_BYTES, "%s/%s/%llu", container_hex, segment_hex,
             (unsigned long long)number);
}

void gk_container_key(struct gk_buf *out, const char *container)
{
    gk_buf_append_str(out, "c/");
    gk_buf_append_str(out, container);
}

void gk_kept_container_key(struct gk_buf *out, const char *container, uint64_t version)
{
    gk_buf_append_str(out, GK_KEPT_CONTAINER_KIND);
    gk_buf_append_str(out, container);
    gk_buf_append_u8(out, 0);
    gk_buf_append_u64(out, version);
}

void gk_blob_key(struct gk_buf *out, const char *blob)
{
    gk_buf_append_str(out, "b/");
    gk_buf_append_str(out, blob);
}

void gk_state_prefix(struct gk_buf *out, struct gk_span base_key)
{
    gk_buf_append_str(out, GK_STATE_KIND);
    gk_buf_append(out, base_key.data + 2, base_key.len - 2);
    gk_buf_append_u8(out, 0);
}

void gk_state_key(struct gk_buf *out, struct gk_span base_key, uint64_t time)
{
    gk_state_prefix(out, base_key);
    gk_buf_append_u64(out, time);
}

/* "v/" or "k/" before a name, and 0x00 and a number behind it. */
#define STATE_KEY_REST (2u + 1u + sizeof(uint64_t))

bool gk_is_state_key(struct gk_span key)
{
    return key.len > STATE_KEY_REST && memcmp(key.data, GK_STATE_KIND, 2) == 0;
}

struct gk_span gk_state_key_name(struct gk_span state_key)
{
    return gk_span_of(state_key.data + 2, state_key.len - STATE_KEY_REST);
}

uint64_t gk_state_key_time(struct gk_span state_key)
{
    struct gk_reader in = gk_reader_of(
        gk_span_of(state_key.data + state_key.len - sizeof(uint64_t), sizeof(uint64_t)));
    return gk_read_u64(&in);
}

struct gk_span gk_kept_container_key_name(struct gk_span key)
{
    return gk_state_key_name(key);
}

uint64_t gk_kept_container_key_version(struct gk_span key)
{
    return gk_state_key_time(key);
}

void gk_base_key(struct gk_buf *out, struct gk_span state_key)
{
    const struct gk_span name = gk_state_key_name(state_key);
    gk_buf_append_str(out, "b/");
    gk_buf_append(out, name.data, name.len);
}

void gk_blob_data_key(struct gk_buf *out, struct gk_span record_key)
{
    gk_buf_append_str(out, "d/");
    gk_buf_append(out, record_key.data + 2, record_key.len - 2);
}

void gk_staged_prefix(struct gk_buf *out, const struct gk_id *object, uint32_t epoch)
{
    gk_buf_append_str(out, "s/");
    gk_buf_append(out, object->bytes, sizeof object->bytes);
    gk_buf_append_u32(out, epoch);
    gk_buf_append_str(out, "/");
}

void gk_manifest_prefix(struct gk_buf *out, const struct gk_id *manifest)
{
    gk_buf_append_str(out, "m/");
    gk_buf_append(out, manifest->bytes, sizeof manifest->bytes);
}

void gk_manifest_key(struct gk_buf *out, const struct gk_id *manifest, uint32_t page)
{
    gk_manifest_prefix(out, manifest);
    gk_buf_append_u32(out, page);
}

void gk_page_prefix(struct gk_buf *out, const struct gk_id *space)
{
    gk_buf_append_str(out, "p/");
    gk_buf_append(out, space->bytes, sizeof space->bytes);
}

/* Rows of the first era have none in their keys. */
static void append_numbers(struct gk_buf *out, uint32_t number, uint32_t era)
{
    gk_buf_append_u32(out, number);
    if (era > 0) {
        gk_buf_append_u32(out, era);
    }
}

void gk_page_key(struct gk_buf *out, const struct gk_id *space, uint32_t index, uint32_t era)
{
    gk_page_prefix(out, space);
    append_numbers(out, index, era);
}

void gk_page_group_prefix(struct gk_buf *out, const struct gk_id *space)
{
    gk_buf_append_str(out, "q/");
    gk_buf_append(out, space->bytes, sizeof space->bytes);
}

void gk_page_group_key(struct gk_buf *out, const struct gk_id *space, uint32_t group, uint32_t era)
{
    gk_page_group_prefix(out, space);
    append_numbers(out, group, era);
}

bool gk_page_key_parse(struct gk_span key, uint32_t *index, uint32_t *era)
{
    struct gk_reader in = gk_reader_of(key);
    (void)gk_read_span(&in, 2 + sizeof(struct gk_id));
    *index = gk_read_u32(&in);
    *era = in.rest.len > 0 ? gk_read_u32(&in) : 0;
    return gk_read_done(&in);
}

void gk_loan_key(struct gk_buf *out, const struct gk_id *loan)
{
    gk_buf_append_str(out, GK_LOAN_KIND);
    gk_buf_append(out, loan->bytes, sizeof loan->bytes);
}

void gk_garbage_key(struct gk_buf *out, int64_t freed_wall_ms, const struct gk_id *id)
{
    gk_buf_append_str(out, "g/");
    gk_buf_append_u64(out, (uint64_t)freed_wall_ms);
    gk_buf_append(out, id->bytes, sizeof id->bytes);
}

void gk_binding(struct gk_buf *out, const char *kind, const struct gk_id *container,
                struct gk_span key)
{
    gk_buf_append_str(out, "gateway/v1/");
    gk_buf_append(out, kind, strlen(kind) + 1);
    gk_buf_append(out, container->bytes, sizeof container->bytes);
    gk_buf_append(out, key.data, key.len);
}

bool gk_container_name_length_valid(const char *name)
{
    const size_t len = strlen(name);
    return len >= 3 && len <= GK_CONTAINER_NAME_BYTES_MAX;
}

bool gk_container_name_is_of_logs(const char *name)
{
    return strcmp(name, "$logs") == 0 || strcmp(name, "$blobchangefeed") == 0;
}

bool gk_container_name_valid(const char *name)
{
    const size_t len = strlen(name);
    if (strcmp(name, GK_ROOT_CONTAINER) == 0 || strcmp(name, GK_WEB_CONTAINER) == 0) {
        return true;
    }
    if (!gk_container_name_length_valid(name) || name[0] == '-' || name[len - 1] == '-') {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)name[i];
        if (!(islower(c) || isdigit(c) || (c == '-' && name[i + 1] != '-'))) {
            return false;
        }
    }
    return true;
}

/* Length in characters, not bytes; that it is UTF-8 without control characters, the route has seen
 * to. */
bool gk_blob_name_valid(const char *name)
{
    size_t characters = 0;
    size_t slashes = 0;
    for (const char *at = name; *at != '\0'; at++) {
        characters += ((unsigned char)*at & 0xc0) != 0x80;
        slashes += *at == '/';
    }
    return characters >= 1 && characters <= GK_BLOB_NAME_CHARACTERS_MAX && slashes < 254 &&
           strlen(name) <= GK_BLOB_NAME_BYTES_MAX;
}
