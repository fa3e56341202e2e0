/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/shredded.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/error.h"
#include "common/text.h"
#include "gateway/blob/changes.h"

#define ID_DIGITS     (2 * sizeof(struct gk_id))
#define KEY_BYTES_MAX 128u
#define ROW_BYTES_MAX 4096u

void gk_shredded_cleanup(struct gk_shredded *shredded)
{
    json_decref(shredded->about);
    json_decref(shredded->wraps);
    *shredded = (struct gk_shredded){0};
}

/* --- rows ---------------------------------------------------------------------------------------*/

static void append_id(struct gk_buf *key, const struct gk_id *id)
{
    gk_hex_encode(key, gk_span_of(id->bytes, sizeof id->bytes));
}

/* digest NULL: the row about the account itself. */
static void add_row(struct gk_change_list *changes, const struct gk_id *id, const char *digest,
                    const json_t *json)
{
    struct gk_buf key;
    struct gk_buf value;
    gk_buf_init(&key, KEY_BYTES_MAX);
    gk_buf_init(&value, ROW_BYTES_MAX);
    append_id(&key, id);
    if (digest != NULL) {
        gk_buf_append_str(&key, "/");
        gk_buf_append_str(&key, digest);
    }
    char *text = json_dumps(json, JSON_COMPACT);
    gk_buf_append_str(&value, text == NULL ? "" : text);
    if (text == NULL) {
        changes->status = GK_E_RESOURCE;
    }
    free(text);
    gk_changes_set(changes, &key, &value);
}

enum gk_status gk_shredded_write(struct gk_store *store, const struct gk_shredded *shredded,
                                 struct gk_error *error)
{
    struct gk_change_list changes;
    gk_changes_init(&changes);
    add_row(&changes, &shredded->id, NULL, shredded->about);
    const char *digest = NULL;
    json_t *wrap = NULL;
    json_object_foreach(shredded->wraps, digest, wrap)
    {
        add_row(&changes, &shredded->id, digest, wrap);
    }
    enum gk_status status = gk_changes_status(&changes);
    const struct gk_write_op op = {.pool = GK_POOL_META,
                                   .object = GK_SHREDDED_OBJECT,
                                   .changes = changes.items,
                                   .changes_count = changes.count};
    status = status == GK_OK ? gk_store_write(store, &op, NULL, error)
                             : gk_fail(error, status, "no memory for what is shredded");
    gk_changes_cleanup(&changes);
    return status;
}

/* --- looking for one ----------------------------------------------------------------------------*/

struct search {
    const char *account;
    struct gk_shredded *found; /* the last one so far, if it has an about */
    bool failed;               /* no memory */
};

static bool is_later(const json_t *about, const json_t *than)
{
    const char *began = json_string_value(json_object_get(about, "began"));
    const char *other = json_string_value(json_object_get(than, "began"));
    return other == NULL || (began != NULL && strcmp(began, other) > 0);
}

static bool take_about(void *ctx, struct gk_span key, struct gk_span value)
{
    struct search *search = ctx;
    struct gk_id id = {{0}};
    if (key.len != ID_DIGITS || !gk_hex_decode(key, id.bytes, sizeof id.bytes)) {
        return true;
    }
    json_t *about = json_loadb((const char *)value.data, value.len, JSON_REJECT_DUPLICATES, NULL);
    const char *account = json_string_value(json_object_get(about, "account"));
    if (account != NULL && strcmp(account, search->account) == 0 &&
        is_later(about, search->found->about)) {
        json_decref(search->found->about);
        search->found->about = json_incref(about);
        search->found->id = id;
    }
    json_decref(about);
    return true;
}

static bool take_wrap(void *ctx, struct gk_span key, struct gk_span value)
{
    struct search *search = ctx;
    char digest[KEY_BYTES_MAX];
    const size_t len = key.len - ID_DIGITS - 1; /* the walk's prefix is before it */
    json_t *wrap = json_loadb((const char *)value.data, value.len, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(wrap) && len < sizeof digest) {
        memcpy(digest, key.data + ID_DIGITS + 1, len);
        digest[len] = '\0';
        search->failed = json_object_set(search->found->wraps, digest, wrap) != 0;
    }
    json_decref(wrap);
    return !search->failed;
}

static enum gk_status read_wraps(struct gk_store *store, struct search *search,
                                 struct gk_error *error)
{
    struct gk_buf prefix;
    gk_buf_init(&prefix, KEY_BYTES_MAX);
    append_id(&prefix, &search->found->id);
    gk_buf_append_str(&prefix, "/");
    const struct gk_map_range range = {.prefix = gk_buf_span(&prefix)};
    search->found->wraps = json_object();
    const enum gk_status status = gk_store_map_walk(store, GK_POOL_META, GK_SHREDDED_OBJECT, &range,
                                                    take_wrap, search, error);
    gk_buf_cleanup(&prefix);
    return status == GK_OK && search->failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                             : status;
}

enum gk_status gk_shredded_find(struct gk_store *store, const char *account,
                                struct gk_shredded *out, struct gk_error *error)
{
    *out = (struct gk_shredded){0};
    struct search search = {.account = account, .found = out};
    const struct gk_map_range all = {.prefix = {0}};
    const enum gk_status status = gk_store_map_walk(store, GK_POOL_META, GK_SHREDDED_OBJECT, &all,
                                                    take_about, &search, error);
    if (status == GK_OK && out->about == NULL) {
        return gk_fail(error, GK_E_NOT_FOUND, "no account of that name was shredded");
    }
    return status == GK_OK ? read_wraps(store, &search, error) : status;
}

/* --- whether one was ----------------------------------------------------------------------------*/

static bool take_state(void *ctx, struct gk_span key, struct gk_span value)
{
    enum gk_shredded_state *state = ctx;
    (void)key;
    json_t *about = json_loadb((const char *)value.data, value.len, JSON_REJECT_DUPLICATES, NULL);
    const bool begun = json_is_object(about) && json_object_get(about, "verified") == NULL;
    *state = begun ? GK_SHREDDED_BEGUN : GK_SHREDDED_VERIFIED;
    json_decref(about);
    return true;
}

enum gk_status gk_shredded_look(struct gk_store *store, const struct gk_id *id,
                                enum gk_shredded_state *state, struct gk_error *error)
{
    struct gk_buf text;
    gk_buf_init(&text, KEY_BYTES_MAX);
    append_id(&text, id);
    const struct gk_span key = gk_buf_span(&text);
    *state = GK_SHREDDED_NOT;
    const enum gk_status status = gk_store_map_find(store, GK_POOL_META, GK_SHREDDED_OBJECT, &key,
                                                    1, take_state, state, error);
    gk_buf_cleanup(&text);
    if (status == GK_E_NOT_FOUND) { /* none was ever shredded */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* A shredding takes the account's object away whole, in one write: while that is there, it has destroyed nothing. Once
 * one is proved what stands there is no sign of life, for who writes to the store can put it there. */
enum gk_status gk_shredded_refuse(const struct gk_gateway *gateway, const char *account,
                                  const struct gk_id *id, bool made, struct gk_error *error)
{
    enum gk_shredded_state state = GK_SHREDDED_NOT;
    enum gk_account_presence presence = GK_PRESENCE_GONE;
    enum gk_status status = gk_shredded_look(gateway->store, id, &state, error);
    if (status == GK_OK && state == GK_SHREDDED_BEGUN && !made) {
        status = gk_accounts_presence(gateway->accounts, account, id, &presence, error);
    }
    const bool shredded = state == GK_SHREDDED_VERIFIED ||
                          (state == GK_SHREDDED_BEGUN && presence == GK_PRESENCE_GONE);
    return status == GK_OK && shredded
               ? gk_fail_http(error, GK_E_INVALID, 409, "AccountShredded",
                              "The account of this backup was shredded, which nothing undoes; "
                              "destroy the backup.")
               : status;
}
