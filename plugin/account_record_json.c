/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_record_json.h"

#include <jansson.h>

#include "common/text.h"
#include "plugin/account_name.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define KEY_BITS_MAX    65536

static const char *const source_names[] = {"service", "customer"};
static const char *const identity_names[] = {"system-assigned", "user-assigned"};
static const char *const state_names[] = {"active", "decrypt-only", "retired"};
static const char *const warning_names[] = GK_KEY_WARNING_NAMES;
static const char *const service_key_names[] = {"service", "account"};

/* --- writing ---------------------------------------------------------------------------------- */

/* NULL when any value is NULL: json_object_set_new() refuses those, and the sum is checked. */
struct writer {
    json_t *object;
    bool failed;
};

static struct writer writer_new(void)
{
    json_t *object = json_object();
    return (struct writer){.object = object, .failed = object == NULL};
}

static void put(struct writer *writer, const char *name, json_t *value)
{
    if (json_object_set_new(writer->object, name, value) != 0) {
        writer->failed = true;
    }
}

static void put_text(struct writer *writer, const char *name, const char *text)
{
    put(writer, name, json_string(text));
}

static void put_int(struct writer *writer, const char *name, int64_t value)
{
    put(writer, name, json_integer((json_int_t)value));
}

static void put_bytes(struct writer *writer, const char *name, struct gk_span bytes)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * (size_t)GK_WRAPPED_BYTES_MAX);
    gk_base64url_encode(&text, bytes);
    put(writer, name, gk_buf_status(&text) == GK_OK ? json_string(gk_buf_str(&text)) : NULL);
    gk_buf_cleanup(&text);
}

/* Ends an object: itself, or NULL when anything in it could not be had. */
static json_t *finish(struct writer *writer)
{
    if (writer->failed) {
        json_decref(writer->object);
        return NULL;
    }
    return writer->object;
}

static json_t *write_settings(const struct gk_encryption_settings *settings)
{
    struct writer identity = writer_new();
    put_text(&identity, "kind", identity_names[settings->identity.kind]);
    put_text(&identity, "resourceId", settings->identity.resource_id);
    put_text(&identity, "federatedClientId", settings->identity.federated_client_id);

    struct writer services = writer_new();
    put_text(&services, "queue", service_key_names[settings->queue_account_key]);
    put_text(&services, "table", service_key_names[settings->table_account_key]);

    struct writer writer = writer_new();
    put_text(&writer, "source", source_names[settings->source]);
    put_text(&writer, "vault", settings->key.vault_uri);
    put_text(&writer, "key", settings->key.name);
    put_text(&writer, "keyVersion", settings->key.version);
    put(&writer, "identity", finish(&identity));
    put(&writer, "services", finish(&services));
    return finish(&writer);
}

static json_t *write_wrap(const struct gk_root_wrap *wrap)
{
    struct writer writer = writer_new();
    put_text(&writer, "keyId", wrap->key_id);
    put_text(&writer, "algorithm", wrap->algorithm);
    put_bytes(&writer, "value", gk_span_of(wrap->value, wrap->value_len));
    put_int(&writer, "createdMs", wrap->created_wall_ms);
    return finish(&writer);
}

static json_t *write_generation(const struct gk_root_generation *generation)
{
    json_t *wraps = json_array();
    bool failed = wraps == NULL;
    for (uint32_t i = 0; i < generation->wraps_count; i++) {
        failed = json_array_append_new(wraps, write_wrap(&generation->wraps[i])) != 0 || failed;
    }
    struct writer writer = writer_new();
    put_int(&writer, "generation", generation->generation);
    put_text(&writer, "state", state_names[generation->state]);
    put_int(&writer, "createdMs", generation->created_wall_ms);
    put_bytes(&writer, "commitment",
              gk_span_of(generation->commitment, sizeof generation->commitment));
    put(&writer, "wraps", wraps);
    writer.failed = writer.failed || failed;
    return finish(&writer);
}

/* The least that a reader must know. */
static int version_of(const struct gk_account_record *record)
{
    const size_t prefix_len = sizeof GK_WRAP_ROOT_KEY_ID_PREFIX - 1;
    for (uint32_t i = 0; i < record->generations_count; i++) {
        const struct gk_root_generation *generation = &record->generations[i];
        if (generation->wraps_count == 0 ||
            strncmp(generation->wraps[0].key_id, GK_WRAP_ROOT_KEY_ID_PREFIX, prefix_len) == 0) {
            return GK_ACCOUNT_RECORD_VERSION_MAX;
        }
    }
    return GK_ACCOUNT_RECORD_VERSION;
}

static json_t *write_warnings(uint32_t warnings)
{
    json_t *names = json_array();
    bool failed = names == NULL;
    for (size_t i = 0; i < COUNT_OF(warning_names); i++) {
        if ((warnings & (1u << i)) != 0) {
            failed = json_array_append_new(names, json_string(warning_names[i])) != 0 || failed;
        }
    }
    if (failed) {
        json_decref(names);
        return NULL;
    }
    return names;
}

static void put_bool(struct writer *writer, const char *name, bool value)
{
    put(writer, name, json_boolean(value));
}

static json_t *write_key_told(const struct gk_key_told *told)
{
    const struct gk_key_info *info = &told->info;
    struct writer writer = writer_new();
    put_text(&writer, "keyId", told->key_id);
    put_text(&writer, "type", info->key_type);
    put_int(&writer, "bits", info->modulus_bits);
    put_bool(&writer, "enabled", info->enabled != 0);
    put_bool(&writer, "mayWrap", info->may_wrap != 0);
    put_bool(&writer, "mayUnwrap", info->may_unwrap != 0);
    put_bool(&writer, "softDelete", info->soft_delete != 0);
    put_bool(&writer, "purgeProtected", info->purge_protected != 0);
    put_text(&writer, "recoveryLevel", info->recovery_level);
    put_int(&writer, "notBeforeMs", info->not_before_wall_ms);
    put_int(&writer, "expiresMs", info->expires_wall_ms);
    put_int(&writer, "createdMs", info->created_wall_ms);
    if (info->rotation_due_wall_ms != 0) {
        put_int(&writer, "rotationDueMs", info->rotation_due_wall_ms);
    }
    put_int(&writer, "toldMs", told->told_wall_ms);
    return finish(&writer);
}

static json_t *write_record(const struct gk_account_record *record)
{
    json_t *generations = json_array();
    bool failed = generations == NULL;
    for (uint32_t i = 0; i < record->generations_count; i++) {
        json_t *generation = write_generation(&record->generations[i]);
        failed = json_array_append_new(generations, generation) != 0 || failed;
    }
    char id[GK_UUID_TEXT_BYTES];
    gk_id_format(&record->id, id);
    struct writer writer = writer_new();
    put_int(&writer, "version", version_of(record));
    put_text(&writer, "account", record->account);
    put_text(&writer, "id", id);
    if (gk_account_name_is_scope(record->account)) {
        gk_id_format(&record->parent, id);
        put_text(&writer, "parent", id);
    }
    put_int(&writer, "sequence", (int64_t)record->sequence);
    put_int(&writer, "createdMs", record->created_wall_ms);
    put(&writer, "settings", write_settings(&record->settings));
    put(&writer, "generations", generations);
    put_int(&writer, "lastRotationMs", record->last_rotation_wall_ms);
    put_int(&writer, "previousWrapUntilMs", record->previous_wrap_until_wall_ms);
    put_int(&writer, "lastVersionCheckMs", record->last_version_check_wall_ms);
    put_int(&writer, "keyExpiresMs", record->key_expires_wall_ms);
    if (record->key_created_wall_ms != 0) {
        put_int(&writer, "keyCreatedMs", record->key_created_wall_ms);
    }
    if (record->key_rotation_due_wall_ms != 0) {
        put_int(&writer, "keyRotationDueMs", record->key_rotation_due_wall_ms);
    }
    if (record->key_warnings != 0) {
        put(&writer, "keyWarnings", write_warnings(record->key_warnings));
    }
    if (gk_key_told_is_known(&record->key_told)) {
        put(&writer, "keyTold", write_key_told(&record->key_told));
    }
    writer.failed = writer.failed || failed;
    return finish(&writer);
}

static int append_text(const char *text, size_t len, void *buf)
{
    gk_buf_append(buf, text, len);
    return 0;
}

enum gk_status gk_account_record_json_write(const struct gk_account_record *record,
                                            struct gk_buf *out)
{
    json_t *json = write_record(record);
    if (json == NULL) {
        return GK_E_INVALID;
    }
    int failed = json_dump_callback(json, append_text, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    json_decref(json);
    return failed != 0 ? GK_E_RESOURCE : gk_buf_status(out);
}

/* --- reading ---------------------------------------------------------------------------------- */

/*
 * Takes members out of one object. Whatever is missing, of another type or out of bounds sets
 * failed and yields nothing. An object that has as many members as were taken has no others.
 */
struct members {
    const json_t *object; /* NULL when it is not an object */
    size_t taken;
    bool failed;
};

static struct members members_of(const json_t *json)
{
    return (struct members){.object = json_is_object(json) ? json : NULL,
                            .failed = !json_is_object(json)};
}

static const json_t *take(struct members *members, const char *name)
{
    const json_t *value = json_object_get(members->object, name);
    members->taken++;
    members->failed = members->failed || value == NULL;
    return value;
}

static bool all_taken(const struct members *members)
{
    return !members->failed && json_object_size(members->object) == members->taken;
}

static int64_t take_int(struct members *members, const char *name, int64_t min, int64_t max)
{
    const json_t *value = take(members, name);
    int64_t number = json_is_integer(value) ? (int64_t)json_integer_value(value) : min;
    if (!json_is_integer(value) || number < min || number > max) {
        members->failed = true;
        return min;
    }
    return number;
}

static int64_t take_time(struct members *members, const char *name)
{
    return take_int(members, name, 0, INT64_MAX);
}

static uint8_t take_bool(struct members *members, const char *name)
{
    const json_t *value = take(members, name);
    members->failed = members->failed || !json_is_boolean(value);
    return json_is_true(value) ? 1 : 0;
}

static bool has(const struct members *members, const char *name)
{
    return json_object_get(members->object, name) != NULL;
}

/* Copies with NUL into text[0, max). */
static void take_text(struct members *members, const char *name, char *text, size_t max)
{
    const json_t *value = take(members, name);
    size_t len = json_string_length(value);
    if (!json_is_string(value) || len >= max) {
        members->failed = true;
        return;
    }
    memcpy(text, json_string_value(value), len + 1);
}

/* The index of the member's value among names. */
static unsigned take_name(struct members *members, const char *name, const char *const *names,
                          size_t names_count)
{
    const json_t *value = take(members, name);
    for (unsigned i = 0; json_is_string(value) && i < names_count; i++) {
        if (strcmp(json_string_value(value), names[i]) == 0) {
            return i;
        }
    }
    members->failed = true;
    return 0;
}

/* Decodes into bytes[0, max) and returns how many there were. */
static size_t take_bytes(struct members *members, const char *name, uint8_t *bytes, size_t max)
{
    const json_t *value = take(members, name);
    struct gk_buf decoded;
    gk_buf_init(&decoded, max);
    size_t len = 0;
    if (json_is_string(value) &&
        gk_base64url_decode(&decoded,
                            gk_span_of(json_string_value(value), json_string_length(value))) &&
        gk_buf_status(&decoded) == GK_OK && decoded.len > 0) {
        len = decoded.len;
        memcpy(bytes, decoded.data, len);
    } else {
        members->failed = true;
    }
    gk_buf_cleanup(&decoded);
    return len;
}

static bool read_settings(const json_t *json, struct gk_encryption_settings *settings)
{
    struct members members = members_of(json);
    settings->source = take_name(&members, "source", source_names, COUNT_OF(source_names));
    take_text(&members, "vault", settings->key.vault_uri, sizeof settings->key.vault_uri);
    take_text(&members, "key", settings->key.name, sizeof settings->key.name);
    take_text(&members, "keyVersion", settings->key.version, sizeof settings->key.version);

    struct gk_identity_reference *out = &settings->identity;
    struct members identity = members_of(take(&members, "identity"));
    out->kind = take_name(&identity, "kind", identity_names, COUNT_OF(identity_names));
    take_text(&identity, "resourceId", out->resource_id, sizeof out->resource_id);
    take_text(&identity, "federatedClientId", out->federated_client_id,
              sizeof out->federated_client_id);

    struct members services = members_of(take(&members, "services"));
    settings->queue_account_key =
        (uint8_t)take_name(&services, "queue", service_key_names, COUNT_OF(service_key_names));
    settings->table_account_key =
        (uint8_t)take_name(&services, "table", service_key_names, COUNT_OF(service_key_names));
    return all_taken(&members) && all_taken(&identity) && all_taken(&services);
}

static bool read_wrap(const json_t *json, struct gk_root_wrap *wrap)
{
    struct members members = members_of(json);
    take_text(&members, "keyId", wrap->key_id, sizeof wrap->key_id);
    take_text(&members, "algorithm", wrap->algorithm, sizeof wrap->algorithm);
    wrap->value_len = take_bytes(&members, "value", wrap->value, sizeof wrap->value);
    wrap->created_wall_ms = take_time(&members, "createdMs");
    return all_taken(&members);
}

/* How many elements an array has; 0 for more than max, for none and for what is no array. */
static uint32_t array_count(const json_t *json, size_t max)
{
    size_t count = json_array_size(json);
    return json_is_array(json) && count <= max ? (uint32_t)count : 0;
}

static bool read_generation(const json_t *json, struct gk_root_generation *generation)
{
    struct members members = members_of(json);
    generation->generation = (uint32_t)take_int(&members, "generation", 1, UINT32_MAX);
    generation->state = take_name(&members, "state", state_names, COUNT_OF(state_names));
    generation->created_wall_ms = take_time(&members, "createdMs");
    bool ok = take_bytes(&members, "commitment", generation->commitment,
                         sizeof generation->commitment) == sizeof generation->commitment;
    const json_t *wraps = take(&members, "wraps");
    generation->wraps_count = array_count(wraps, GK_ROOT_WRAPS_MAX);
    ok = ok && generation->wraps_count == json_array_size(wraps) && json_is_array(wraps);
    for (uint32_t i = 0; ok && i < generation->wraps_count; i++) {
        ok = read_wrap(json_array_get(wraps, i), &generation->wraps[i]);
    }
    return ok && all_taken(&members);
}

/* Each once, in their order, and at least one. */
static bool read_warnings(const json_t *json, uint32_t *warnings)
{
    size_t next = 0;
    for (size_t i = 0; i < COUNT_OF(warning_names); i++) {
        const char *name = json_string_value(json_array_get(json, next));
        if (name != NULL && strcmp(name, warning_names[i]) == 0) {
            *warnings |= 1u << i;
            next++;
        }
    }
    return next > 0 && json_array_size(json) == next;
}

static bool read_key_told(const json_t *json, struct gk_key_told *told)
{
    struct gk_key_info *info = &told->info;
    struct members members = members_of(json);
    take_text(&members, "keyId", told->key_id, sizeof told->key_id);
    take_text(&members, "type", info->key_type, sizeof info->key_type);
    info->modulus_bits = (uint32_t)take_int(&members, "bits", 0, KEY_BITS_MAX);
    info->enabled = take_bool(&members, "enabled");
    info->may_wrap = take_bool(&members, "mayWrap");
    info->may_unwrap = take_bool(&members, "mayUnwrap");
    info->soft_delete = take_bool(&members, "softDelete");
    info->purge_protected = take_bool(&members, "purgeProtected");
    take_text(&members, "recoveryLevel", info->recovery_level, sizeof info->recovery_level);
    info->not_before_wall_ms = take_time(&members, "notBeforeMs");
    info->expires_wall_ms = take_time(&members, "expiresMs");
    info->created_wall_ms = take_time(&members, "createdMs");
    if (has(&members, "rotationDueMs")) {
        info->rotation_due_wall_ms = take_int(&members, "rotationDueMs", 1, INT64_MAX);
    }
    told->told_wall_ms = take_time(&members, "toldMs");
    return all_taken(&members) && gk_key_told_is_known(told);
}

static bool read_record(const json_t *json, struct gk_account_record *record)
{
    struct members members = members_of(json);
    (void)take_int(&members, "version", GK_ACCOUNT_RECORD_VERSION, GK_ACCOUNT_RECORD_VERSION_MAX);
    take_text(&members, "account", record->account, sizeof record->account);
    char id[GK_UUID_TEXT_BYTES] = "";
    char parent[GK_UUID_TEXT_BYTES] = "";
    take_text(&members, "id", id, sizeof id);
    const bool is_scope = gk_account_name_is_scope(record->account);
    if (is_scope) {
        take_text(&members, "parent", parent, sizeof parent);
    }
    record->sequence = (uint64_t)take_int(&members, "sequence", 1, INT64_MAX);
    record->created_wall_ms = take_time(&members, "createdMs");
    bool ok = gk_id_parse(id, &record->id) && (!is_scope || gk_id_parse(parent, &record->parent)) &&
              read_settings(take(&members, "settings"), &record->settings);
    const json_t *generations = take(&members, "generations");
    record->generations_count = array_count(generations, GK_ACCOUNT_GENERATIONS_MAX);
    for (uint32_t i = 0; ok && i < record->generations_count; i++) {
        ok = read_generation(json_array_get(generations, i), &record->generations[i]);
    }
    record->last_rotation_wall_ms = take_time(&members, "lastRotationMs");
    record->previous_wrap_until_wall_ms = take_time(&members, "previousWrapUntilMs");
    record->last_version_check_wall_ms = take_time(&members, "lastVersionCheckMs");
    record->key_expires_wall_ms = take_time(&members, "keyExpiresMs");
    if (has(&members, "keyCreatedMs")) {
        record->key_created_wall_ms = take_int(&members, "keyCreatedMs", 1, INT64_MAX);
    }
    if (has(&members, "keyRotationDueMs")) {
        record->key_rotation_due_wall_ms = take_int(&members, "keyRotationDueMs", 1, INT64_MAX);
    }
    if (has(&members, "keyWarnings")) {
        ok = read_warnings(take(&members, "keyWarnings"), &record->key_warnings) && ok;
    }
    if (has(&members, "keyTold")) {
        ok = read_key_told(take(&members, "keyTold"), &record->key_told) && ok;
    }
    return ok && record->generations_count > 0 && all_taken(&members);
}

enum gk_status gk_account_record_json_read(struct gk_span json, struct gk_account_record *record)
{
    json_error_t ignored;
    json_t *root = json_loadb((const char *)json.data, json.len, JSON_REJECT_DUPLICATES, &ignored);
    if (root == NULL) {
        return GK_E_INTEGRITY;
    }
    const json_t *version = json_object_get(root, "version");
    enum gk_status status = GK_E_INTEGRITY;
    if (json_is_integer(version) && (json_integer_value(version) < GK_ACCOUNT_RECORD_VERSION ||
                                     json_integer_value(version) > GK_ACCOUNT_RECORD_VERSION_MAX)) {
        status = GK_E_UNSUPPORTED;
    } else if (read_record(root, record)) {
        status = GK_OK;
    }
    json_decref(root);
    return status;
}
