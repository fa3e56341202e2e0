/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "common/error.h"
#include "gateway/store/rados.h"

#define ESCAPE 0x01u

/* 0x00 and 0x01 take two bytes: ESCAPE and one more than they are. */
static bool takes_two(uint8_t byte)
{
    return byte <= ESCAPE;
}

size_t gk_rados_key_stored_len(struct gk_span key)
{
    size_t len = key.len;
    for (size_t i = 0; i < key.len; i++) {
        len += takes_two(key.data[i]);
    }
    return len;
}

void gk_rados_key_store(struct gk_span key, char *out)
{
    for (size_t i = 0; i < key.len; i++) {
        if (takes_two(key.data[i])) {
            *out++ = ESCAPE;
            *out++ = (char)(key.data[i] + 1u);
        } else {
            *out++ = (char)key.data[i];
        }
    }
    *out = '\0';
}

bool gk_rados_key_load(struct gk_span stored, uint8_t space[GK_MAP_KEY_BYTES_MAX],
                       struct gk_span *key)
{
    *key = stored;
    if (stored.len == 0 || memchr(stored.data, ESCAPE, stored.len) == NULL) {
        return stored.len <= GK_MAP_KEY_BYTES_MAX;
    }
    size_t len = 0;
    for (size_t i = 0; i < stored.len; i++) {
        uint8_t byte = stored.data[i];
        if (byte == ESCAPE) {
            i++;
            if (i == stored.len || !takes_two((uint8_t)(stored.data[i] - 1u))) {
                return false;
            }
            byte = (uint8_t)(stored.data[i] - 1u);
        }
        if (len == GK_MAP_KEY_BYTES_MAX) {
            return false;
        }
        space[len++] = byte;
    }
    *key = gk_span_of(space, len);
    return true;
}

enum gk_status gk_rados_keys_init(struct gk_rados_keys *keys, size_t count, size_t stored_bytes,
                                  struct gk_error *error)
{
    *keys = (struct gk_rados_keys){0};
    uint8_t *memory = malloc(count * (sizeof *keys->each + sizeof *keys->lens) + stored_bytes + 1);
    if (memory == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    keys->each = (const char **)(void *)memory;
    keys->lens = (size_t *)(void *)(memory + count * sizeof *keys->each);
    keys->next = (char *)memory + count * (sizeof *keys->each + sizeof *keys->lens);
    return GK_OK;
}

void gk_rados_keys_add(struct gk_rados_keys *keys, struct gk_span key)
{
    gk_rados_key_store(key, keys->next);
    keys->each[keys->count] = keys->next;
    keys->lens[keys->count] = gk_rados_key_stored_len(key);
    keys->next += keys->lens[keys->count] + 1;
    keys->count++;
}

void gk_rados_keys_cleanup(struct gk_rados_keys *keys)
{
    free(keys->each);
    *keys = (struct gk_rados_keys){0};
}
