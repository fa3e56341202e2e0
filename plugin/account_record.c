/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/account_record.h"

#include <stddef.h>
#include <stdlib.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"
#include "plugin/account_name.h"
#include "plugin/account_record_json.h"
#include "plugin/kdf.h"

#define MAGIC        "gatekey-account-record v1 "
#define MAGIC_BYTES  (sizeof MAGIC - 1)
#define DIGITS_BYTES (2 * (size_t)GK_SHA256_BYTES)
#define HEAD_BYTES   (MAGIC_BYTES + DIGITS_BYTES + 1)

#define SERVICE_KEY_ID_DIGITS 16u
#define TRANSIT_PREFIX        "vault:v"
#define TRANSIT_TEXT_LEN_MAX  128u

/* --- copies ----------------------------------------------------------------------------------- */

static size_t used_bytes(const struct gk_account_record *record)
{
    return offsetof(struct gk_account_record, generations) +
           record->generations_count * sizeof record->generations[0];
}

struct gk_account_record *gk_account_record_keep(const struct gk_account_record *record)
{
    const size_t used = used_bytes(record);
    struct gk_account_record *kept = malloc(used);
    if (kept != NULL) {
        memcpy(kept, record, used);
    }
    return kept;
}

void gk_account_record_copy(struct gk_account_record *to, const struct gk_account_record *from)
{
    const size_t used = used_bytes(from);
    memcpy(to, from, used);
    memset((uint8_t *)to + used, 0, sizeof *to - used);
}

/* --- generations ------------------------------------------------------------------------------ */

/* generations_count when none is active, which no record that parse gave has. */
static uint32_t active_index(const struct gk_account_record *record)
{
    uint32_t i = 0;
    while (i < record->generations_count && record->generations[i].state != GK_GENERATION_ACTIVE) {
        i++;
    }
    return i;
}

const struct gk_root_generation *gk_account_record_active(const struct gk_account_record *record)
{
    const uint32_t i = active_index(record);
    return i < record->generations_count ? &record->generations[i] : NULL;
}

struct gk_root_generation *gk_account_record_active_to_change(struct gk_account_record *record)
{
    const uint32_t i = active_index(record);
    return i < record->generations_count ? &record->generations[i] : NULL;
}

const struct gk_root_generation *gk_account_record_oldest(const struct gk_account_record *record)
{
    uint32_t i = 0;
    while (i < record->generations_count && record->generations[i].state == GK_GENERATION_RETIRED) {
        i++;
    }
    return i < record->generations_count ? &record->generations[i] : NULL;
}

const struct gk_root_generation *
gk_account_record_generation(const struct gk_account_record *record, uint32_t generation)
{
    for (uint32_t i = 0; i < record->generations_count; i++) {
        if (record->generations[i].generation == generation) {
            return &record->generations[i];
        }
    }
    return NULL;
}

bool gk_account_record_has_old_wrap(const struct gk_account_record *record, int64_t wall_ms)
{
    return gk_account_record_active(record)->wraps_count > 1 &&
           wall_ms >= record->previous_wrap_until_wall_ms;
}

bool gk_account_record_drop_old_wrap(struct gk_account_record *record, int64_t wall_ms)
{
    if (!gk_account_record_has_old_wrap(record, wall_ms)) {
        return false;
    }
    struct gk_root_generation *active = gk_account_record_active_to_change(record);
    active->wraps_count = 1;
    memset(&active->wraps[1], 0, sizeof active->wraps[1]);
    record->previous_wrap_until_wall_ms = 0;
    return true;
}

/* --- what the fields may say ------------------------------------------------------------------ */

static const char *settings_fault(const struct gk_encryption_settings *settings)
{
    const struct gk_key_reference *key = &settings->key;
    const struct gk_identity_reference *identity = &settings->identity;
    if (!gk_text_is_plain(key->vault_uri, sizeof key->vault_uri) ||
        !gk_text_is_plain(key->name, sizeof key->name) ||
        !gk_text_is_plain(key->version, sizeof key->version) ||
        !gk_text_is_plain(identity->resource_id, sizeof identity->resource_id) ||
        !gk_text_is_plain(identity->federated_client_id, sizeof identity->federated_client_id)) {
        return "a setting has no end or holds a control character";
    }
    if (settings->source > GK_KEY_SOURCE_CUSTOMER || identity->kind > GK_IDENTITY_USER_ASSIGNED ||
        settings->queue_account_key > 1 || settings->table_account_key > 1) {
        return "a setting is out of range";
    }
    if (settings->source == GK_KEY_SOURCE_CUSTOMER &&
        (key->vault_uri[0] == '\0' || key->name[0] == '\0')) {
        return "a customer's key needs a vault and a name";
    }
    return NULL;
}

static bool is_service_key_id(const char *key_id)
{
    const size_t prefix_len = sizeof GK_WRAP_SERVICE_KEY_ID_PREFIX - 1;
    return strncmp(key_id, GK_WRAP_SERVICE_KEY_ID_PREFIX, prefix_len) == 0 &&
           strspn(key_id + prefix_len, "0123456789abcdef") == SERVICE_KEY_ID_DIGITS &&
           strlen(key_id) == prefix_len + SERVICE_KEY_ID_DIGITS;
}

static bool is_root_key_id(const char *key_id)
{
    const size_t prefix_len = sizeof GK_WRAP_ROOT_KEY_ID_PREFIX - 1;
    uint64_t generation = 0;
    return strncmp(key_id, GK_WRAP_ROOT_KEY_ID_PREFIX, prefix_len) == 0 &&
           gk_parse_u64(gk_span_str(key_id + prefix_len), UINT32_MAX, &generation) &&
           generation != 0;
}

/* "vault:v<version>:" and base64, as the transit engine has it; it judges the rest itself. */
static bool is_transit_text(struct gk_span value)
{
    const size_t prefix_len = sizeof TRANSIT_PREFIX - 1;
    return value.len > prefix_len && value.len <= TRANSIT_TEXT_LEN_MAX &&
           memcmp(value.data, TRANSIT_PREFIX, prefix_len) == 0 &&
           memchr(value.data, '\0', value.len) == NULL;
}

bool gk_wrap_is_by_rsa(const char *algorithm)
{
    return strcmp(algorithm, GK_WRAP_ALGORITHM_RSA_OAEP_256) == 0 ||
           strcmp(algorithm, GK_WRAP_ALGORITHM_RSA_OAEP) == 0;
}

bool gk_vault_wrap_is_shaped(const char *algorithm, struct gk_span value)
{
    if (gk_wrap_is_by_rsa(algorithm)) {
        return value.len == 256 || value.len == 384 || value.len == 512;
    }
    return strcmp(algorithm, GK_WRAP_ALGORITHM_TRANSIT) == 0 && is_transit_text(value);
}

static const char *wrap_fault(const struct gk_root_wrap *wrap)
{
    if (!gk_text_is_plain(wrap->key_id, sizeof wrap->key_id) ||
        !gk_text_is_plain(wrap->algorithm, sizeof wrap->algorithm) || wrap->key_id[0] == '\0' ||
        wrap->created_wall_ms < 0) {
        return "a wrap's key id or time is not valid";
    }
    if (strcmp(wrap->algorithm, GK_WRAP_ALGORITHM_SERVICE) == 0) {
        bool fits = (is_service_key_id(wrap->key_id) || is_root_key_id(wrap->key_id)) &&
                    wrap->value_len == GK_SERVICE_WRAPPED_ROOT_BYTES;
        return fits ? NULL : "a wrap by the service key or a root key has another form";
    }
    return gk_vault_wrap_is_shaped(wrap->algorithm, gk_span_of(wrap->value, wrap->value_len))
               ? NULL
               : "a wrap has an unknown algorithm, or another form than it makes";
}

static bool is_under_root_key(const struct gk_root_generation *generation)
{
    for (uint32_t i = 0; i < generation->wraps_count; i++) {
        if (is_root_key_id(generation->wraps[i].key_id)) {
            return true;
        }
    }
    return false;
}

static const char *generation_fault(const struct gk_root_generation *generation)
{
    if (generation->generation == 0 || generation->state > GK_GENERATION_RETIRED ||
        generation->created_wall_ms < 0 || generation->wraps_count > GK_ROOT_WRAPS_MAX ||
        (generation->wraps_count == 0 && generation->state != GK_GENERATION_RETIRED)) {
        return "a generation's number, state, time or number of wraps is out of range";
    }
    const char *fault = NULL;
    for (uint32_t i = 0; fault == NULL && i < generation->wraps_count; i++) {
        fault = wrap_fault(&generation->wraps[i]);
    }
    if (fault == NULL && generation->state == GK_GENERATION_ACTIVE &&
        is_under_root_key(generation)) {
        fault = "the active generation is wrapped by a root key";
    }
    return fault;
}

static const char *generations_fault(const struct gk_account_record *record)
{
    if (record->generations_count == 0 || record->generations_count > GK_ACCOUNT_GENERATIONS_MAX) {
        return "the number of generations is out of range";
    }
    const char *fault = NULL;
    unsigned active = 0;
    uint32_t before = 0;
    for (uint32_t i = 0; fault == NULL && i < record->generations_count; i++) {
        const struct gk_root_generation *generation = &record->generations[i];
        fault = generation_fault(generation);
        if (fault == NULL && generation->generation <= before) {
            fault = "generations do not ascend";
        }
        before = generation->generation;
        active += generation->state == GK_GENERATION_ACTIVE ? 1 : 0;
    }
    return fault == NULL && active != 1 ? "not exactly one generation is active" : fault;
}

/* What is wrong with a record, or NULL. The same rules for what is read and what is written. */
static const char *record_fault(const struct gk_account_record *record)
{
    if (!gk_text_is_plain(record->account, sizeof record->account) ||
        !gk_account_name_is_valid(record->account)) {
        return "the account's name is not valid";
    }
    if (record->sequence == 0 || record->sequence > INT64_MAX || record->created_wall_ms < 0 ||
        record->last_rotation_wall_ms < 0 || record->previous_wrap_until_wall_ms < 0 ||
        record->last_version_check_wall_ms < 0 || record->key_expires_wall_ms < 0 ||
        record->key_created_wall_ms < 0 || record->key_rotation_due_wall_ms < 0 ||
        record->key_warnings >> GK_KEY_WARNINGS_COUNT != 0) {
        return "the sequence, a time or a warning is out of range";
    }
    const char *fault = settings_fault(&record->settings);
    if (fault == NULL && gk_key_told_is_known(&record->key_told)) {
        fault = record->settings.source == GK_KEY_SOURCE_CUSTOMER
                    ? gk_key_told_fault(&record->key_told)
                    : "a vault told of a key that is not the customer's";
    }
    return fault != NULL ? fault : generations_fault(record);
}

/* --- authenticity ----------------------------------------------------------------------------- */

static enum gk_status mac_digits(const struct gk_crypto *crypto,
                                 const struct gk_account_record_key *key, const char *account,
                                 struct gk_span json, char digits[DIGITS_BYTES + 1])
{
    const struct gk_span parts[] = {
        gk_span_of(GK_ACCOUNT_RECORD_LABEL, sizeof GK_ACCOUNT_RECORD_LABEL),
        gk_span_of(account, strlen(account) + 1),
        json,
    };
    uint8_t mac[GK_SHA256_BYTES];
    enum gk_status status =
        gk_hmac_sha256(crypto, gk_span_of(key->bytes, sizeof key->bytes), parts, 3, mac);
    static const char hex[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof mac; i++) {
        digits[2 * i] = hex[mac[i] >> 4];
        digits[2 * i + 1] = hex[mac[i] & 0x0f];
    }
    digits[DIGITS_BYTES] = '\0';
    return status;
}

/* Gives the JSON of bytes once its MAC has been found right. */
static enum gk_status authentic_json(const struct gk_crypto *crypto,
                                     const struct gk_account_record_key *key, const char *account,
                                     struct gk_span bytes, struct gk_span *json)
{
    if (bytes.len <= HEAD_BYTES || bytes.len > GK_ACCOUNT_RECORD_BYTES_MAX ||
        memcmp(bytes.data, MAGIC, MAGIC_BYTES) != 0 || bytes.data[HEAD_BYTES - 1] != '\n') {
        return GK_E_INTEGRITY;
    }
    *json = gk_span_of(bytes.data + HEAD_BYTES, bytes.len - HEAD_BYTES);
    char expected[DIGITS_BYTES + 1];
    enum gk_status status = mac_digits(crypto, key, account, *json, expected);
    if (status == GK_OK && !gk_secret_equal(gk_span_of(expected, DIGITS_BYTES),
                                            gk_span_of(bytes.data + MAGIC_BYTES, DIGITS_BYTES))) {
        status = GK_E_INTEGRITY;
    }
    gk_wipe(expected, sizeof expected); /* it would authenticate what stands there */
    return status;
}

enum gk_status gk_account_record_parse(const struct gk_crypto *crypto,
                                       const struct gk_account_record_key *key, const char *account,
                                       struct gk_span bytes, struct gk_account_record *record,
                                       struct gk_error *error)
{
    memset(record, 0, sizeof *record);
    struct gk_span json;
    enum gk_status status = authentic_json(crypto, key, account, bytes, &json);
    if (status != GK_OK) {
        return gk_fail(error, status,
                       "the record of account %.88s was not written under this service key",
                       account);
    }
    status = gk_account_record_json_read(json, record);
    const char *fault = "its JSON is not that of a record";
    if (status == GK_E_UNSUPPORTED) {
        fault = "it is of a later version than this build reads";
    } else if (status == GK_OK) {
        fault = record_fault(record);
        if (fault == NULL && strcmp(record->account, account) != 0) {
            fault = "it is another account's";
        }
        status = fault == NULL ? GK_OK : GK_E_INTEGRITY;
    }
    if (status != GK_OK) {
        memset(record, 0, sizeof *record);
        return gk_fail(error, status, "the record of account %.88s cannot be used: %s", account,
                       fault);
    }
    return GK_OK;
}

bool gk_account_record_is(const struct gk_crypto *crypto, const struct gk_account_record_key *key,
                          const char *account, struct gk_span bytes,
                          const struct gk_account_record_mac *known)
{
    struct gk_span json;
    const struct gk_account_record_mac mac = gk_account_record_mac_of(bytes);
    return memcmp(mac.digits, known->digits, sizeof mac.digits) == 0 &&
           authentic_json(crypto, key, account, bytes, &json) == GK_OK;
}

static enum gk_status append_record(const struct gk_crypto *crypto,
                                    const struct gk_account_record_key *key,
                                    const struct gk_account_record *record, struct gk_buf *json,
                                    struct gk_buf *out)
{
    enum gk_status status = gk_account_record_json_write(record, json);
    if (status != GK_OK) {
        return status;
    }
    char digits[DIGITS_BYTES + 1];
    status = mac_digits(crypto, key, record->account, gk_buf_span(json), digits);
    if (status != GK_OK) {
        return status;
    }
    gk_buf_append_str(out, MAGIC);
    gk_buf_append_str(out, digits);
    gk_buf_append_str(out, "\n");
    gk_buf_append(out, json->data, json->len);
    return gk_buf_status(out);
}

enum gk_status gk_account_record_serialise(const struct gk_crypto *crypto,
                                           const struct gk_account_record_key *key,
                                           const struct gk_account_record *record,
                                           struct gk_buf *out, struct gk_error *error)
{
    const char *fault = record_fault(record);
    if (fault != NULL) {
        return gk_fail(error, GK_E_INVALID, "an account record cannot be written: %s", fault);
    }
    struct gk_buf json;
    gk_buf_init(&json, GK_ACCOUNT_RECORD_BYTES_MAX - HEAD_BYTES);
    enum gk_status status = append_record(crypto, key, record, &json, out);
    gk_buf_cleanup(&json);
    return status == GK_OK ? GK_OK
                           : gk_fail(error, status, "an account record cannot be written: %s",
                                     gk_status_name(status));
}

struct gk_account_record_mac gk_account_record_mac_of(struct gk_span bytes)
{
    struct gk_account_record_mac mac = {{0}};
    if (bytes.len > HEAD_BYTES) {
        memcpy(mac.digits, bytes.data + MAGIC_BYTES, sizeof mac.digits);
    }
    return mac;
}
