/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/key_find.h"

#include <string.h>

static void refuse_missing(struct kv_request *request)
{
    kv_refuse(request, 404, "KeyNotFound", "",
              "A key with (name/id) %s%s%s was not found in this key vault. If you recently "
              "deleted this key you may be able to recover it using the correct recovery command.",
              request->name, request->version[0] == '\0' ? "" : "/", request->version);
}

struct kv_key *kv_find_key(struct kv_request *request)
{
    struct kv_key *key = kv_store_locked_find(request->server->store, request->name);
    if (key == NULL || key->deleted_s != 0) {
        refuse_missing(request);
        return NULL;
    }
    return key;
}

struct kv_version *kv_find_version(struct kv_request *request, const struct kv_key *key)
{
    struct kv_version *version = kv_key_version(key, request->version);
    if (version == NULL) {
        refuse_missing(request);
        return NULL;
    }
    memcpy(request->call.version, version->id, sizeof version->id);
    return version;
}

struct kv_key *kv_find_deleted(struct kv_request *request)
{
    struct kv_key *key = kv_store_locked_find(request->server->store, request->name);
    if (key == NULL || key->deleted_s == 0) {
        kv_refuse(request, 404, "KeyNotFound", "", "Deleted Key not found: %s", request->name);
        return NULL;
    }
    return key;
}

bool kv_put_key(struct kv_request *request, struct kv_key *key)
{
    struct gk_error error;
    const enum gk_status status = kv_store_locked_put(request->server->store, key, &error);
    if (status != GK_OK) {
        kv_refuse_status(request, status, &error);
    }
    return status == GK_OK;
}
