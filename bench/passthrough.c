/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A plugin that encrypts nothing, for one purpose: to measure what encryption costs the gateway.
 * It has the real one's sizes and call pattern, with a copy where that has a cipher.
 *
 * It cannot be loaded by anything that is installed: its ABI version has a bit that only the
 * gatekey-gateway-bench executable accepts, and neither of the two has an install rule.
 */
#include <stdlib.h>

#include "common/error.h"
#include "common/span.h"
#include "common/text.h"
#include "gatekey/plugin.h"

#define RECORD_HEADER_BYTES 8u

struct gk_instance {
    struct gk_host host;
};

struct gk_account {
    char unused;
};

struct gk_data_key {
    char unused;
};

struct gk_segment {
    char unused;
};

struct gk_pages {
    char unused;
};

static struct gk_account the_account;
static struct gk_data_key the_data_key;
static struct gk_segment the_segment;
static struct gk_pages the_pages;

__attribute__((visibility("default"))) const uint32_t gatekey_plugin_abi_version =
    GK_PLUGIN_ABI_VERSION | 0x80000000u;

static enum gk_status create(const struct gk_host *host, struct gk_instance **out,
                             struct gk_error *error)
{
    *out = calloc(1, sizeof **out);
    if (*out == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    (*out)->host = *host;
    return GK_OK;
}

static enum gk_status config(struct gk_instance *instance, const char *key, const char *value,
                             struct gk_error *error)
{
    (void)instance, (void)key, (void)value, (void)error;
    return GK_OK;
}

static enum gk_status config_check(struct gk_instance *instance, struct gk_error *error)
{
    (void)instance, (void)error;
    return GK_OK;
}

static enum gk_status start(struct gk_instance *instance, struct gk_error *error)
{
    (void)error;
    instance->host.log(instance->host.ctx, GK_LOG_WARNING, "passthrough",
                       "this module stores everything in the clear; it is for benchmarks alone");
    return GK_OK;
}

static void stop(struct gk_instance *instance)
{
    (void)instance;
}

static void destroy(struct gk_instance *instance)
{
    free(instance);
}

static enum gk_status account_create(struct gk_instance *instance, const char *account,
                                     const struct gk_encryption_settings *settings,
                                     const struct gk_call *call, struct gk_error *error)
{
    (void)settings, (void)call;
    const struct gk_attr change = {.name = "gatekey.account",
                                   .value = gk_span_str("passthrough: not encrypted")};
    uint64_t version;
    return instance->host.account_attrs_set_if(instance->host.ctx, account, 0, &change, 1, &version,
                                               error);
}

static enum gk_status account_set_encryption(struct gk_instance *instance, const char *account,
                                             const struct gk_encryption_settings *settings,
                                             const struct gk_call *call, struct gk_error *error)
{
    (void)instance, (void)account, (void)settings, (void)call;
    return gk_fail(error, GK_E_UNSUPPORTED, "the pass-through module has no keys");
}

static void ignore_attr(void *ctx, const struct gk_attr *attr)
{
    (void)ctx, (void)attr;
}

static enum gk_status account_status(struct gk_instance *instance, const char *account,
                                     struct gk_account_status *out, struct gk_error *error)
{
    uint64_t version;
    *out = (struct gk_account_status){.state = GK_ACCOUNT_SERVICE_MANAGED, .generation = 1};
    return instance->host.account_attrs_get(instance->host.ctx, account, ignore_attr, NULL,
                                            &version, error);
}

static enum gk_status account_check_now(struct gk_instance *instance, const char *account,
                                        const struct gk_call *call, struct gk_error *error)
{
    (void)instance, (void)account, (void)call, (void)error;
    return GK_OK;
}

static void account_forget(struct gk_instance *instance, const char *account)
{
    (void)instance, (void)account;
}

static void account_changed(struct gk_instance *instance, const char *account)
{
    (void)instance, (void)account;
}

static enum gk_status account_open(struct gk_instance *instance, const char *account,
                                   struct gk_account **out, struct gk_error *error)
{
    uint64_t version;
    *out = &the_account;
    return instance->host.account_attrs_get(instance->host.ctx, account, ignore_attr, NULL,
                                            &version, error);
}

static void account_release(struct gk_account *account)
{
    (void)account;
}

static enum gk_status authorize(struct gk_account *account, enum gk_operation operation,
                                uint32_t flags, struct gk_error *error)
{
    (void)account, (void)operation, (void)flags, (void)error;
    return GK_OK;
}

static enum gk_status account_warm(struct gk_account *account, uint32_t deadline_ms,
                                   struct gk_error *error)
{
    (void)account, (void)deadline_ms, (void)error;
    return GK_OK;
}

static enum gk_status data_key_create(struct gk_account *account,
                                      const struct gk_object_scope *scope,
                                      uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                      struct gk_data_key **out, struct gk_error *error)
{
    (void)account, (void)scope, (void)error;
    memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
    *out = &the_data_key;
    return GK_OK;
}

static enum gk_status data_key_open(struct gk_account *account, const struct gk_object_scope *scope,
                                    struct gk_span sealed, struct gk_data_key **out,
                                    struct gk_error *error)
{
    (void)account, (void)scope, (void)sealed, (void)error;
    *out = &the_data_key;
    return GK_OK;
}

static enum gk_status data_key_create_with(struct gk_account *account,
                                           const struct gk_object_scope *scope,
                                           struct gk_span client_key,
                                           uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                           struct gk_data_key **out, struct gk_error *error)
{
    (void)client_key;
    return data_key_create(account, scope, sealed, out, error);
}

static enum gk_status data_key_open_with(struct gk_account *account,
                                         const struct gk_object_scope *scope,
                                         struct gk_span client_key, struct gk_span sealed,
                                         struct gk_data_key **out, struct gk_error *error)
{
    (void)client_key;
    return data_key_open(account, scope, sealed, out, error);
}

static enum gk_status data_key_reseal(struct gk_account *account,
                                      const struct gk_object_scope *from, struct gk_span sealed,
                                      const struct gk_object_scope *to,
                                      uint8_t resealed[GK_SEALED_DATA_KEY_BYTES],
                                      struct gk_error *error)
{
    (void)account, (void)from, (void)sealed, (void)to, (void)error;
    memset(resealed, 0, GK_SEALED_DATA_KEY_BYTES);
    return GK_OK;
}

static enum gk_status account_new_root_key(struct gk_instance *instance, const char *account,
                                           const struct gk_call *call, struct gk_error *error)
{
    (void)instance, (void)account, (void)call;
    return gk_fail(error, GK_E_UNSUPPORTED, "there is no root key");
}

static enum gk_status data_key_generation(struct gk_span sealed, uint32_t *generation,
                                          struct gk_error *error)
{
    (void)sealed, (void)error;
    *generation = 1;
    return GK_OK;
}

static enum gk_status data_key_renew(struct gk_data_key *data_key,
                                     const struct gk_object_scope *scope, struct gk_span client_key,
                                     uint32_t at_least, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                     struct gk_error *error)
{
    (void)data_key, (void)scope, (void)client_key, (void)at_least, (void)error;
    memset(sealed, 0, GK_SEALED_DATA_KEY_BYTES);
    return GK_OK;
}

static enum gk_status account_retire_root_keys(struct gk_account *account,
                                               const struct gk_retirement *retirement,
                                               uint32_t *retired, const struct gk_call *call,
                                               struct gk_error *error)
{
    (void)account, (void)retirement, (void)call, (void)error;
    *retired = 0;
    return GK_OK;
}

static void data_key_free(struct gk_data_key *data_key)
{
    (void)data_key;
}

static enum gk_status segment_new(struct gk_data_key *data_key, struct gk_id *id,
                                  struct gk_segment **out, struct gk_error *error)
{
    (void)data_key;
    if (!gk_id_random(id)) {
        return gk_fail(error, GK_E_RESOURCE, "no randomness");
    }
    *out = &the_segment;
    return GK_OK;
}

static enum gk_status segment_load(struct gk_data_key *data_key, const struct gk_id *id,
                                   struct gk_segment **out, struct gk_error *error)
{
    (void)data_key, (void)id, (void)error;
    *out = &the_segment;
    return GK_OK;
}

static void segment_free(struct gk_segment *segment)
{
    (void)segment;
}

static enum gk_status segment_seal(struct gk_segment *segment, uint64_t index, uint8_t last,
                                   struct gk_span plain, uint8_t *sealed, struct gk_error *error)
{
    (void)segment, (void)index, (void)last, (void)error;
    if (plain.len > 0) {
        memmove(sealed, plain.data, plain.len);
    }
    memset(sealed + plain.len, 0, GK_TAG_BYTES);
    return GK_OK;
}

static enum gk_status segment_open(struct gk_segment *segment, uint64_t index, uint8_t last,
                                   struct gk_span sealed, uint8_t *plain, struct gk_error *error)
{
    (void)segment, (void)index, (void)last;
    if (sealed.len < GK_TAG_BYTES) {
        return gk_fail(error, GK_E_INTEGRITY, "a chunk is shorter than its tag");
    }
    memmove(plain, sealed.data, sealed.len - GK_TAG_BYTES);
    return GK_OK;
}

static enum gk_status pages_load(struct gk_data_key *data_key, const struct gk_id *object,
                                 struct gk_pages **out, struct gk_error *error)
{
    (void)data_key, (void)object, (void)error;
    *out = &the_pages;
    return GK_OK;
}

static void pages_free(struct gk_pages *pages)
{
    (void)pages;
}

static enum gk_status page_seal(struct gk_pages *pages, uint64_t index, const uint8_t *plain,
                                uint8_t *sealed, uint8_t seal[GK_PAGE_SEAL_BYTES],
                                struct gk_error *error)
{
    (void)pages, (void)index, (void)error;
    memmove(sealed, plain, GK_PAGE_BLOCK_BYTES);
    memset(seal, 0, GK_PAGE_SEAL_BYTES);
    return GK_OK;
}

static enum gk_status page_open(struct gk_pages *pages, uint64_t index, const uint8_t *sealed,
                                const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                                struct gk_error *error)
{
    (void)pages, (void)index, (void)seal, (void)error;
    memmove(plain, sealed, GK_PAGE_BLOCK_BYTES);
    return GK_OK;
}

/* A record here: length of the sealed part, sealed part, open part. */
static enum gk_status record_join(struct gk_span open_part, struct gk_span sealed_part,
                                  uint8_t *out, size_t out_max, size_t *out_len,
                                  struct gk_error *error)
{
    *out_len = RECORD_HEADER_BYTES + sealed_part.len + open_part.len;
    if (*out_len > out_max) {
        return gk_fail(error, GK_E_LIMIT, "the record does not fit");
    }
    const uint64_t sealed_len = sealed_part.len;
    memcpy(out, &sealed_len, RECORD_HEADER_BYTES);
    if (sealed_part.len > 0) {
        memcpy(out + RECORD_HEADER_BYTES, sealed_part.data, sealed_part.len);
    }
    if (open_part.len > 0) {
        memcpy(out + RECORD_HEADER_BYTES + sealed_part.len, open_part.data, open_part.len);
    }
    return GK_OK;
}

static bool record_split(struct gk_span record, struct gk_span *sealed_part,
                         struct gk_span *open_part)
{
    uint64_t sealed_len;
    if (record.len < RECORD_HEADER_BYTES) {
        return false;
    }
    memcpy(&sealed_len, record.data, RECORD_HEADER_BYTES);
    if (sealed_len > record.len - RECORD_HEADER_BYTES) {
        return false;
    }
    *sealed_part = gk_span_of(record.data + RECORD_HEADER_BYTES, sealed_len);
    *open_part = gk_span_of(record.data + RECORD_HEADER_BYTES + sealed_len,
                            record.len - RECORD_HEADER_BYTES - sealed_len);
    return true;
}

static enum gk_status copy_out(struct gk_span part, uint8_t *out, size_t out_max, size_t *out_len,
                               struct gk_error *error)
{
    if (part.len > out_max) {
        return gk_fail(error, GK_E_LIMIT, "the record does not fit");
    }
    if (part.len > 0) {
        memcpy(out, part.data, part.len);
    }
    *out_len = part.len;
    return GK_OK;
}

static enum gk_status record_seal(struct gk_account *account, struct gk_data_key *data_key,
                                  struct gk_span binding, struct gk_span open_part,
                                  struct gk_span sealed_part, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)account, (void)data_key, (void)binding;
    return record_join(open_part, sealed_part, out, out_max, out_len, error);
}

static enum gk_status record_reseal_open(struct gk_account *account, struct gk_span binding,
                                         struct gk_span record, struct gk_span open_part,
                                         uint8_t *out, size_t out_max, size_t *out_len,
                                         struct gk_error *error)
{
    (void)account, (void)binding;
    struct gk_span sealed_part;
    struct gk_span old_open_part;
    if (!record_split(record, &sealed_part, &old_open_part)) {
        return gk_fail(error, GK_E_INTEGRITY, "not a record");
    }
    return record_join(open_part, sealed_part, out, out_max, out_len, error);
}

static enum gk_status record_rebind(struct gk_account *account, struct gk_span binding,
                                    struct gk_span new_binding, struct gk_span record,
                                    struct gk_span open_part, uint8_t *out, size_t out_max,
                                    size_t *out_len, struct gk_error *error)
{
    (void)new_binding;
    return record_reseal_open(account, binding, record, open_part, out, out_max, out_len, error);
}

static enum gk_status record_open(struct gk_account *account, struct gk_span binding,
                                  struct gk_span record, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)account, (void)binding;
    struct gk_span sealed_part;
    struct gk_span open_part;
    if (!record_split(record, &sealed_part, &open_part)) {
        return gk_fail(error, GK_E_INTEGRITY, "not a record");
    }
    return copy_out(open_part, out, out_max, out_len, error);
}

static enum gk_status record_open_sealed(struct gk_data_key *data_key, struct gk_span binding,
                                         struct gk_span record, uint8_t *out, size_t out_max,
                                         size_t *out_len, struct gk_error *error)
{
    (void)data_key, (void)binding;
    struct gk_span sealed_part;
    struct gk_span open_part;
    if (!record_split(record, &sealed_part, &open_part)) {
        return gk_fail(error, GK_E_INTEGRITY, "not a record");
    }
    if (sealed_part.len == 0) {
        return gk_fail(error, GK_E_NOT_FOUND, "no sealed part");
    }
    return copy_out(sealed_part, out, out_max, out_len, error);
}

static enum gk_status account_record_export(struct gk_instance *instance, const char *account,
                                            const char *actor, uint8_t *out, size_t out_max,
                                            size_t *out_len, struct gk_account_record_info *info,
                                            struct gk_error *error)
{
    (void)instance, (void)account, (void)actor, (void)out, (void)out_max;
    *out_len = 0;
    *info = (struct gk_account_record_info){0};
    return gk_fail(error, GK_E_UNSUPPORTED, "the pass-through module has no keys");
}

static enum gk_status account_record_restore(struct gk_instance *instance, const char *account,
                                             const struct gk_account_restore *restore,
                                             const struct gk_call *call,
                                             struct gk_account_record_info *info,
                                             struct gk_error *error)
{
    (void)instance, (void)account, (void)restore, (void)call;
    *info = (struct gk_account_record_info){0};
    return gk_fail(error, GK_E_UNSUPPORTED, "the pass-through module has no keys");
}

static const struct gk_plugin passthrough = {
    .abi_version = GK_PLUGIN_ABI_VERSION | 0x80000000u,
    .struct_size = sizeof passthrough,
    .name = "passthrough",
    .version = "bench",
    .config_help = "",
    .create = create,
    .config = config,
    .start = start,
    .stop = stop,
    .destroy = destroy,
    .account_create = account_create,
    .account_set_encryption = account_set_encryption,
    .account_status = account_status,
    .account_check_now = account_check_now,
    .account_forget = account_forget,
    .account_open = account_open,
    .account_release = account_release,
    .authorize = authorize,
    .account_warm = account_warm,
    .data_key_create = data_key_create,
    .data_key_open = data_key_open,
    .data_key_reseal = data_key_reseal,
    .data_key_free = data_key_free,
    .segment_new = segment_new,
    .segment_load = segment_load,
    .segment_free = segment_free,
    .segment_seal = segment_seal,
    .segment_open = segment_open,
    .record_seal = record_seal,
    .record_reseal_open = record_reseal_open,
    .record_open = record_open,
    .record_open_sealed = record_open_sealed,
    .account_changed = account_changed,
    .account_record_export = account_record_export,
    .account_record_restore = account_record_restore,
    .record_rebind = record_rebind,
    .pages_load = pages_load,
    .pages_free = pages_free,
    .page_seal = page_seal,
    .page_open = page_open,
    .data_key_create_with = data_key_create_with,
    .data_key_open_with = data_key_open_with,
    .account_new_root_key = account_new_root_key,
    .data_key_generation = data_key_generation,
    .data_key_renew = data_key_renew,
    .account_retire_root_keys = account_retire_root_keys,
    .config_check = config_check,
};

__attribute__((visibility("default"))) const struct gk_plugin *gatekey_plugin_entry(void)
{
    return &passthrough;
}
