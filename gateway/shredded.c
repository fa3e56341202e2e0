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
#define NOTES_AT_ONCE 64u

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

/* --- taking one away ----------------------------------------------------------------------------*/

static bool add_removal(void *ctx, struct gk_span key, struct gk_span value)
{
    (void)value;
    struct gk_change_list *changes = ctx;
    struct gk_buf copy;
    gk_buf_init(&copy, KEY_BYTES_MAX);
    gk_buf_append(&copy, key.data, key.len);
    gk_changes_remove(changes, &copy);
    return gk_changes_status(changes) == GK_OK;
}

/* All rows that begin with the account's id, while the one about it is as it was read. */
static enum gk_status remove_rows(struct gk_store *store, struct gk_span id, struct gk_span about,
                                  struct gk_error *error)
{
    struct gk_change_list changes;
    const struct gk_map_range range = {.prefix = id};
    const struct gk_guard same = {.kind = GK_GUARD_MAP_EQUAL, .key = id, .value = about};
    gk_changes_init(&changes);
    enum gk_status status = gk_store_map_walk(store, GK_POOL_META, GK_SHREDDED_OBJECT, &range,
                                              add_removal, &changes, error);
    if (status == GK_OK && gk_changes_status(&changes) != GK_OK) {
        status = gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    if (status == GK_OK) {
        const struct gk_write_op op = {.pool = GK_POOL_META,
                                       .object = GK_SHREDDED_OBJECT,
                                       .guards = &same,
                                       .guards_count = 1,
                                       .changes = changes.items,
                                       .changes_count = changes.count};
        status = gk_store_write(store, &op, NULL, error);
    }
    gk_changes_cleanup(&changes);
    return status;
}

static bool is_unproved(struct gk_span value, int64_t before_wall_ms)
{
    json_t *about = json_loadb((const char *)value.data, value.len, JSON_REJECT_DUPLICATES, NULL);
    const char *began = json_string_value(json_object_get(about, "began"));
    int64_t began_wall_ms = 0;
    const bool unproved = began != NULL && json_object_get(about, "verified") == NULL &&
                          gk_time_iso_parse(began, &began_wall_ms) &&
                          began_wall_ms < before_wall_ms;
    json_decref(about);
    return unproved;
}

enum gk_status gk_shredded_withdraw(struct gk_store *store, const struct gk_id *id,
                                    int64_t before_wall_ms, struct gk_error *error)
{
    struct gk_buf key;
    struct gk_buf about;
    gk_buf_init(&key, KEY_BYTES_MAX);
    gk_buf_init(&about, ROW_BYTES_MAX);
    append_id(&key, id);
    enum gk_status status =
        gk_store_map_get(store, GK_POOL_META, GK_SHREDDED_OBJECT, gk_buf_span(&key), &about, error);
    if (status == GK_OK && is_unproved(gk_buf_span(&about), before_wall_ms)) {
        status = remove_rows(store, gk_buf_span(&key), gk_buf_span(&about), error);
    }
    gk_buf_cleanup(&about);
    gk_buf_cleanup(&key);
    if (status == GK_E_NOT_FOUND || status == GK_E_LIMIT) { /* none, or none that can be read */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* --- all of them --------------------------------------------------------------------------------*/

/* Some notes, for the visitor may write. */
struct page {
    struct gk_shredded notes[NOTES_AT_ONCE];
    size_t count;
    uint32_t rows;
    struct gk_buf last; /* the last row's key */
};

static bool collect_note(void *ctx, struct gk_span key, struct gk_span value)
{
    struct page *page = ctx;
    struct gk_shredded *note = &page->notes[page->count];
    page->rows++;
    gk_buf_reset(&page->last);
    gk_buf_append(&page->last, key.data, key.len);
    if (key.len == ID_DIGITS && gk_hex_decode(key, note->id.bytes, sizeof note->id.bytes)) {
        note->about = json_loadb((const char *)value.data, value.len, JSON_REJECT_DUPLICATES, NULL);
        page->count += note->about == NULL ? 0 : 1;
    }
    return page->count < NOTES_AT_ONCE && gk_buf_status(&page->last) == GK_OK;
}

static enum gk_status read_page(struct gk_store *store, struct page *page, struct gk_error *error)
{
    struct gk_buf after;
    gk_buf_init(&after, GK_MAP_KEY_BYTES_MAX);
    gk_buf_append(&after, page->last.data, page->last.len);
    page->count = 0;
    page->rows = 0;
    const struct gk_map_range range = {.after = gk_buf_span(&after), .limit = GK_MAP_WALK_ENTRIES};
    const enum gk_status status = gk_store_map_walk(store, GK_POOL_META, GK_SHREDDED_OBJECT, &range,
                                                    collect_note, page, error);
    const bool whole = gk_buf_status(&after) == GK_OK && gk_buf_status(&page->last) == GK_OK;
    gk_buf_cleanup(&after);
    return status == GK_OK && !whole ? gk_fail(error, GK_E_RESOURCE, "out of memory") : status;
}

enum gk_status gk_shredded_list(struct gk_store *store, gk_shredded_visit_fn *visit, void *ctx,
                                struct gk_error *error)
{
    struct page page = {.count = 0};
    gk_buf_init(&page.last, GK_MAP_KEY_BYTES_MAX);
    enum gk_status status = GK_OK;
    bool last = false;
    bool wanted = true;
    while (status == GK_OK && wanted && !last) {
        status = read_page(store, &page, error);
        last = page.rows < GK_MAP_WALK_ENTRIES && page.count < NOTES_AT_ONCE;
        for (size_t i = 0; i < page.count; i++) {
            wanted = status == GK_OK && wanted && visit(ctx, &page.notes[i]);
            gk_shredded_cleanup(&page.notes[i]);
        }
    }
    gk_buf_cleanup(&page.last);
    if (status == GK_E_NOT_FOUND) { /* none was ever shredded */
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
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
