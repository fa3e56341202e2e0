/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/account_shred.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/text.h"
#include "gateway/account_attrs.h"
#include "gateway/blob/removal.h"
#include "gateway/blob/scopes.h"
#include "gateway/shredded.h"

#define DIGEST_DIGITS      64u
#define SCOPE_ATTEMPTS_MAX 4u
#define DETAIL_BYTES       256u

struct shredding {
    struct gk_gateway *gateway;
    const char *name;
    const char *actor;
    struct gk_shredded noted;
};

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static void set_time(json_t *object, const char *name, const struct gk_gateway *gateway)
{
    char text[GK_TIME_TEXT_BYTES];
    gk_time_iso(gk_clock_wall_ms(&gateway->clock), text);
    json_object_set_new(object, name, json_string(text));
}

/* --- what is to be destroyed --------------------------------------------------------------------*/

/* The wraps of one path, an account's or a scope's, on their way into wraps. */
struct listing {
    json_t *wraps;
    const char *path;
    bool failed; /* no memory */
};

static void format_digest(const struct gk_wrap_info *wrap, char text[DIGEST_DIGITS + 1])
{
    struct gk_buf digits;
    gk_buf_init_over(&digits, text, DIGEST_DIGITS + 1);
    gk_hex_encode(&digits, gk_span_of(wrap->sha256, sizeof wrap->sha256));
    text[DIGEST_DIGITS] = '\0';
}

static void list_wrap(void *ctx, const struct gk_wrap_info *wrap)
{
    struct listing *listing = ctx;
    char digest[DIGEST_DIGITS + 1];
    format_digest(wrap, digest);
    json_t *json = json_pack("{s:s, s:i, s:s, s:s, s:b}", "of", listing->path, "generation",
                             (int)wrap->generation, "keyId", wrap->key_id, "algorithm",
                             wrap->algorithm, "byVault", (int)wrap->by_vault);
    listing->failed = json_object_set_new(listing->wraps, digest, json) != 0 || listing->failed;
}

static enum gk_status list_wraps(const struct shredding *shredding, const char *path,
                                 struct gk_error *error)
{
    const struct gk_plugin_host *host = shredding->gateway->host;
    struct listing listing = {.wraps = shredding->noted.wraps, .path = path};
    const enum gk_status status =
        host->plugin->account_wraps(host->instance, path, list_wrap, &listing, error);
    return status == GK_OK && listing.failed ? gk_fail(error, GK_E_RESOURCE, "out of memory")
                                             : status;
}

static enum gk_status list_scopes(const struct shredding *shredding,
                                  const struct gk_gateway_account *account, struct gk_error *error)
{
    struct gk_buf names;
    gk_buf_init(&names, GK_SCOPES_STORED_BYTES_MAX);
    enum gk_status status = gk_scopes_list(shredding->gateway, account->name, &names, error);
    for (size_t at = 0; status == GK_OK && at < names.len;) {
        const char *name = (const char *)names.data + at;
        char path[GK_ACCOUNT_PATH_BYTES_MAX];
        at += strlen(name) + 1;
        gk_scope_path(account->name, name, path);
        status = list_wraps(shredding, path, error);
        if (status == GK_E_NOT_FOUND) { /* its object is gone, with its wraps */
            gk_error_clear(error);
            status = GK_OK;
        }
    }
    gk_buf_cleanup(&names);
    return status;
}

/* Before each attempt to remove the account. */
static enum gk_status note(void *ctx, const struct gk_gateway_account *account,
                           struct gk_error *error)
{
    struct shredding *shredding = ctx;
    struct gk_shredded *noted = &shredding->noted;
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&account->id, id);
    gk_shredded_cleanup(noted);
    *noted = (struct gk_shredded){.id = account->id,
                                  .about = json_pack("{s:s, s:s, s:s}", "account", account->name,
                                                     "accountId", id, "actor", shredding->actor),
                                  .wraps = json_object()};
    if (noted->about == NULL || noted->wraps == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    set_time(noted->about, "began", shredding->gateway);
    enum gk_status status = list_wraps(shredding, account->name, error);
    if (status == GK_OK) {
        status = list_scopes(shredding, account, error);
    }
    return status == GK_OK ? gk_shredded_write(shredding->gateway->store, noted, error) : status;
}

/* --- the second read ----------------------------------------------------------------------------*/

struct proof {
    const json_t *wraps; /* that were to be destroyed */
    bool found;          /* one of them is there */
};

static void look_at_wrap(void *ctx, const struct gk_wrap_info *wrap)
{
    struct proof *proof = ctx;
    char digest[DIGEST_DIGITS + 1];
    format_digest(wrap, digest);
    proof->found = proof->found || json_object_get(proof->wraps, digest) != NULL;
}

/* *found: a wrap that was to be destroyed is there, in an object of that version. What stands there by now may
 * be another account's of that name. */
static enum gk_status look_at(const struct shredding *shredding, const char *path, bool *found,
                              uint64_t *version, struct gk_error *error)
{
    const struct gk_plugin_host *host = shredding->gateway->host;
    struct proof proof = {.wraps = shredding->noted.wraps};
    enum gk_status status =
        gk_account_attrs_version(shredding->gateway->store, path, version, error);
    if (status == GK_OK) {
        status = host->plugin->account_wraps(host->instance, path, look_at_wrap, &proof, error);
    }
    *found = proof.found;
    if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        return GK_OK;
    }
    return status;
}

/* A scope's object may have been left behind; an account's is what the removal began with. */
static enum gk_status prove_path(const struct shredding *shredding, const char *path,
                                 struct gk_error *error)
{
    bool found = false;
    uint64_t version = 0;
    enum gk_status status = look_at(shredding, path, &found, &version, error);
    const unsigned attempts = strcmp(path, shredding->name) == 0 ? 0 : SCOPE_ATTEMPTS_MAX;
    for (unsigned i = 0; status == GK_OK && found && i < attempts; i++) {
        gk_scope_remove(shredding->gateway, path, version);
        status = look_at(shredding, path, &found, &version, error);
    }
    return status == GK_OK && found
               ? gk_fail_http(error, GK_E_UNAVAILABLE, 503, "AccountShredUnverified",
                              "%s still has a wrap of its root key in the store; try again.", path)
               : status;
}

static enum gk_status prove(const struct shredding *shredding, struct gk_error *error)
{
    json_t *seen = json_object();
    enum gk_status status = seen == NULL ? gk_fail(error, GK_E_RESOURCE, "out of memory") : GK_OK;
    const char *digest = NULL;
    json_t *wrap = NULL;
    json_object_foreach(shredding->noted.wraps, digest, wrap)
    {
        const char *path = text_of(wrap, "of");
        if (status == GK_OK && json_object_get(seen, path) == NULL) {
            json_object_set_new(seen, path, json_true());
            status = prove_path(shredding, path, error);
        }
    }
    json_decref(seen);
    return status;
}

/* --- the evidence -------------------------------------------------------------------------------*/

static void tell(const struct shredding *shredding, enum gk_audit_event_id event,
                 const char *account, const char *key_id, const char *detail)
{
    const struct gk_audit_event told = {.event = event,
                                        .account = account,
                                        .key_id = key_id,
                                        .outcome = "ok",
                                        .reason = "",
                                        .detail = detail,
                                        .request_id = "",
                                        .actor = shredding->actor};
    gk_plugin_host_audit(shredding->gateway->host, &told);
}

static void tell_done(const struct shredding *shredding)
{
    const struct gk_shredded *noted = &shredding->noted;
    char detail[DETAIL_BYTES];
    const char *digest = NULL;
    json_t *wrap = NULL;
    json_object_foreach(noted->wraps, digest, wrap)
    {
        snprintf(detail, sizeof detail, "account %s, generation %lld, SHA-256 %s",
                 text_of(noted->about, "accountId"),
                 (long long)json_integer_value(json_object_get(wrap, "generation")), digest);
        tell(shredding, GK_AUDIT_ACCOUNT_SHRED_WRAP, text_of(wrap, "of"), text_of(wrap, "keyId"),
             detail);
    }
    snprintf(detail, sizeof detail, "account %s: %zu wraps are destroyed; a second read found none",
             text_of(noted->about, "accountId"), json_object_size(noted->wraps));
    tell(shredding, GK_AUDIT_ACCOUNT_SHRED, shredding->name, "", detail);
}

static void tell_failed(const struct shredding *shredding, enum gk_status status,
                        const struct gk_error *why)
{
    const struct gk_audit_event told = {.event = GK_AUDIT_ACCOUNT_SHRED,
                                        .account = shredding->name,
                                        .key_id = "",
                                        .request_id = "",
                                        .actor = shredding->actor};
    gk_plugin_host_audit_failure(shredding->gateway->host, &told, status, why);
}

/* Proves and tells, unless that was done before. Told first: who ends in between tells it twice, not never. */
static enum gk_status finish(struct shredding *shredding, struct gk_error *error)
{
    struct gk_shredded *noted = &shredding->noted;
    if (json_object_get(noted->about, "verified") != NULL) {
        return GK_OK;
    }
    enum gk_status status = prove(shredding, error);
    if (status != GK_OK) {
        return status;
    }
    tell_done(shredding);
    set_time(noted->about, "verified", shredding->gateway);
    return gk_shredded_write(shredding->gateway->store, noted, error);
}

/* A wrap in the order that the evidence has, by path and generation, whenever it is given. */
struct row {
    const char *digest;
    json_t *wrap; /* not owned */
};

static int compare_rows(const void *a, const void *b)
{
    const struct row *left = a;
    const struct row *right = b;
    const json_int_t generation = json_integer_value(json_object_get(left->wrap, "generation"));
    const json_int_t other = json_integer_value(json_object_get(right->wrap, "generation"));
    const int order = strcmp(text_of(left->wrap, "of"), text_of(right->wrap, "of"));
    if (order != 0 || generation != other) {
        return order != 0 ? order : (generation > other) - (generation < other);
    }
    return strcmp(left->digest, right->digest);
}

/* NULL when memory is out. */
static json_t *sorted_wraps(json_t *noted)
{
    struct row *rows = calloc(json_object_size(noted) + 1, sizeof *rows);
    json_t *sorted = json_array();
    size_t count = 0;
    const char *digest = NULL;
    json_t *wrap = NULL;
    if (rows == NULL) {
        json_decref(sorted);
        return NULL;
    }
    json_object_foreach(noted, digest, wrap)
    {
        rows[count++] = (struct row){.digest = digest, .wrap = wrap};
    }
    qsort(rows, count, sizeof *rows, compare_rows);
    for (size_t i = 0; i < count; i++) {
        json_t *told = json_deep_copy(rows[i].wrap);
        json_object_set_new(told, "sha256", json_string(rows[i].digest));
        json_array_append_new(sorted, told);
    }
    free(rows);
    return sorted;
}

/* What who keeps copies of the store has to do on their own: these open the wraps. */
static json_t *key_versions(const json_t *wraps)
{
    json_t *seen = json_object();
    json_t *list = json_array();
    size_t index = 0;
    json_t *wrap = NULL;
    json_array_foreach(wraps, index, wrap)
    {
        const char *key_id = text_of(wrap, "keyId");
        if (json_is_true(json_object_get(wrap, "byVault")) &&
            json_object_get(seen, key_id) == NULL) {
            json_object_set_new(seen, key_id, json_true());
            json_array_append_new(list, json_string(key_id));
        }
    }
    json_decref(seen);
    return list;
}

static enum gk_status make_evidence(const struct gk_shredded *noted, json_t **out,
                                    struct gk_error *error)
{
    json_t *evidence = json_deep_copy(noted->about);
    json_t *wraps = sorted_wraps(noted->wraps);
    json_t *versions = key_versions(wraps);
    const bool whole = json_object_set_new(evidence, "wraps", wraps) == 0;
    if (json_object_set_new(evidence, "keyVersions", versions) != 0 || !whole) {
        json_decref(evidence);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    *out = evidence;
    return GK_OK;
}

/* --- the operation ------------------------------------------------------------------------------*/

static enum gk_status shred(struct shredding *shredding, struct gk_error *error)
{
    struct gk_gateway *gateway = shredding->gateway;
    enum gk_status status = gk_removal_noted(gateway, shredding->name, note, shredding, error);
    if (status == GK_E_NOT_FOUND) {
        gk_shredded_cleanup(&shredding->noted);
        gk_error_clear(error);
        status = gk_shredded_find(gateway->store, shredding->name, &shredding->noted, error);
    }
    return status == GK_OK ? finish(shredding, error) : status;
}

enum gk_status gk_account_shred(struct gk_gateway *gateway, const char *name, const char *actor,
                                json_t **evidence, struct gk_error *error)
{
    struct shredding shredding = {.gateway = gateway, .name = name, .actor = actor};
    struct gk_error why = {0};
    *evidence = NULL;
    enum gk_status status = shred(&shredding, &why);
    if (status == GK_OK) {
        status = make_evidence(&shredding.noted, evidence, &why);
    } else if (status != GK_E_NOT_FOUND) {
        tell_failed(&shredding, status, &why);
    }
    if (status != GK_OK && error != NULL) {
        *error = why;
    }
    gk_shredded_cleanup(&shredding.noted);
    return status;
}
