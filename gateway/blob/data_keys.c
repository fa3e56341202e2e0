/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/data_keys.h"

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/encryption_headers.h"
#include "gateway/blob/scopes.h"

static const struct gk_plugin *plugin_of(const struct gk_request *request)
{
    return request->gateway->host->plugin;
}

enum gk_status gk_blob_use_scope(const struct gk_request *request, struct gk_blob_target *target,
                                 struct gk_error *error)
{
    const struct gk_encryption *encryption = &target->record.encryption;
    struct gk_target_scope *scope = &target->scope;
    if (encryption->kind != GK_ENCRYPTION_SCOPE ||
        (scope->handle != NULL && strcmp(scope->name, encryption->scope) == 0)) {
        return GK_OK;
    }
    scope->plugin = plugin_of(request);
    scope->plugin->account_release(scope->handle);
    memcpy(scope->name, encryption->scope, sizeof scope->name);
    return gk_scope_use(request, scope->name, false, &scope->handle, error);
}

static enum gk_status open_with_client_key(const struct gk_request *request,
                                           const struct gk_object_scope *scope,
                                           struct gk_span sealed, struct gk_data_key **out,
                                           struct gk_error *error)
{
    struct gk_client_key *key = NULL;
    enum gk_status status = gk_client_key_read(request, &key, error);
    if (status == GK_OK) {
        status = plugin_of(request)->data_key_open_with(request->account->handle, scope,
                                                        gk_span_of(key->bytes, sizeof key->bytes),
                                                        sealed, out, error);
    }
    gk_secret_free(&key);
    return status;
}

/* Whose root key the data key is under; NULL: the scope's, which nobody has looked for. */
static struct gk_account *key_owner(const struct gk_request *request,
                                    const struct gk_blob_target *target)
{
    return target->record.encryption.kind == GK_ENCRYPTION_SCOPE ? target->scope.handle
                                                                 : request->account->handle;
}

static enum gk_status open_data_key(const struct gk_request *request,
                                    const struct gk_blob_target *target, struct gk_data_key **out,
                                    struct gk_error *error)
{
    const struct gk_blob_record *record = &target->record;
    const struct gk_object_scope scope = {.container = target->container, .object = record->object};
    const struct gk_span sealed =
        gk_span_of(record->sealed_data_key, sizeof record->sealed_data_key);
    struct gk_account *owner = key_owner(request, target);
    const enum gk_status status = gk_encryption_match(request, &record->encryption, error);
    if (status != GK_OK) {
        return status;
    }
    if (record->encryption.kind == GK_ENCRYPTION_CLIENT_KEY) {
        return open_with_client_key(request, &scope, sealed, out, error);
    }
    return owner == NULL ? gk_fail(error, GK_E_INTERNAL, "a blob's scope was not looked for")
                         : plugin_of(request)->data_key_open(owner, &scope, sealed, out, error);
}

/* A data key under a root key that was retired is sealed anew by now, in the record that is stored. When that is
 * still the one that was read, somebody has put it back. */
static enum gk_status explain_retired(const struct gk_request *request,
                                      const struct gk_blob_target *target, struct gk_error *error)
{
    struct gk_buf now;
    gk_buf_init(&now, GK_MAP_VALUE_BYTES_MAX);
    struct gk_error why = {0};
    const enum gk_status status =
        gk_value_get(request->gateway->store, target->index, gk_buf_span(&target->key), &now, &why);
    const bool same =
        status == GK_OK && gk_span_equal(gk_buf_span(&now), gk_buf_span(&target->stored));
    gk_buf_cleanup(&now);
    if (status != GK_OK && status != GK_E_NOT_FOUND) {
        return gk_fail(error, status, "%s", why.message);
    }
    return same ? gk_fail(error, GK_E_INTEGRITY, "its data key is under a root key that is retired")
                : gk_fail(error, GK_E_CONFLICT, "its data key was sealed anew meanwhile");
}

enum gk_status gk_blob_open_data_key(const struct gk_request *request,
                                     const struct gk_blob_target *target, struct gk_data_key **out,
                                     struct gk_error *error)
{
    const enum gk_status status = open_data_key(request, target, out, error);
    return status == GK_E_CONFLICT ? explain_retired(request, target, error) : status;
}

enum gk_status gk_blob_metadata(const struct gk_request *request,
                                const struct gk_blob_target *target, struct gk_data_key *data_key,
                                struct gk_metadata *metadata, struct gk_error *error)
{
    struct gk_place place = gk_blob_place(request, target);
    struct gk_buf base_key;
    struct gk_buf sealed_part;
    gk_buf_init(&base_key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&sealed_part, GK_BLOB_RECORD_BYTES_MAX);
    if (gk_is_state_key(place.key)) { /* where the sealed part came from unopened */
        gk_base_key(&base_key, place.key);
        place.key = gk_buf_span(&base_key);
    }
    enum gk_status status =
        gk_value_open_sealed(&place, data_key, gk_buf_span(&target->stored), &sealed_part, error);
    if (status == GK_OK) {
        struct gk_reader in = gk_reader_of(gk_buf_span(&sealed_part));
        status = gk_metadata_decode(&in, metadata, error);
    } else if (status == GK_E_NOT_FOUND) {
        gk_error_clear(error);
        status = GK_OK;
    }
    gk_buf_cleanup(&base_key);
    gk_buf_cleanup_wipe(&sealed_part);
    return status;
}

static enum gk_status new_with_client_key(const struct gk_request *request,
                                          const struct gk_object_scope *scope,
                                          uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                          struct gk_data_key **out, struct gk_error *error)
{
    struct gk_client_key *key = NULL;
    enum gk_status status = gk_client_key_read(request, &key, error);
    if (status == GK_OK) {
        status = plugin_of(request)->data_key_create_with(request->account->handle, scope,
                                                          gk_span_of(key->bytes, sizeof key->bytes),
                                                          sealed, out, error);
    }
    gk_secret_free(&key);
    return status;
}

static enum gk_status new_in_scope(const struct gk_request *request,
                                   const struct gk_object_scope *scope,
                                   struct gk_blob_record *record, struct gk_data_key **out,
                                   struct gk_error *error)
{
    const struct gk_plugin *plugin = plugin_of(request);
    struct gk_account *handle = NULL;
    enum gk_status status = gk_scope_use(request, record->encryption.scope, true, &handle, error);
    if (status == GK_OK) {
        status = plugin->data_key_create(handle, scope, record->sealed_data_key, out, error);
    }
    plugin->account_release(handle);
    return status;
}

enum gk_status gk_blob_new_data_key(const struct gk_request *request,
                                    const struct gk_blob_target *target,
                                    struct gk_blob_record *record, struct gk_data_key **out,
                                    struct gk_error *error)
{
    struct gk_object_scope scope = {.container = target->container};
    if (!gk_id_random(&scope.object)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new object");
    }
    record->object = scope.object;
    record->keyed_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    const enum gk_status status =
        gk_encryption_of_new(request, &target->for_new, &record->encryption, error);
    if (status != GK_OK) {
        return status;
    }
    switch (record->encryption.kind) {
    case GK_ENCRYPTION_CLIENT_KEY:
        return new_with_client_key(request, &scope, record->sealed_data_key, out, error);
    case GK_ENCRYPTION_SCOPE:
        return new_in_scope(request, &scope, record, out, error);
    default:
        return plugin_of(request)->data_key_create(request->account->handle, &scope,
                                                   record->sealed_data_key, out, error);
    }
}

enum gk_status gk_blob_another_data_key(const struct gk_request *request,
                                        const struct gk_blob_target *target,
                                        struct gk_blob_record *record, struct gk_data_key **out,
                                        struct gk_error *error)
{
    struct gk_object_scope scope = {.container = target->container};
    struct gk_account *owner = key_owner(request, target);
    if (!gk_id_random(&scope.object)) {
        return gk_fail(error, GK_E_RESOURCE, "no entropy for a new object");
    }
    record->object = scope.object;
    record->keyed_wall_ms = gk_clock_wall_ms(&request->gateway->clock);
    return owner == NULL ? gk_fail(error, GK_E_INTERNAL, "a blob's scope was not looked for")
                         : plugin_of(request)->data_key_create(owner, &scope,
                                                               record->sealed_data_key, out, error);
}
