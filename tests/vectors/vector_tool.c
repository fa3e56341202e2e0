/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plugin's side of the golden vectors: writes one of everything that docs/format.md describes,
 * and opens what another implementation wrote.
 *
 *   vector_tool emit          writes a file of vectors to standard output
 *   vector_tool verify FILE   opens everything in FILE and compares it with what FILE says
 *
 * A file names its secrets; they are made for this purpose and protect nothing. README.md tells how
 * the file is built.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/text.h"
#include "plugin/account_record.h"
#include "plugin/kdf.h"
#include "plugin/record_cipher.h"
#include "plugin/segment_cipher.h"

#define ACCOUNT        "vectors1"
#define CREATED_MS     1790000000000
#define PART_BYTES_MAX 4096u

static const struct gk_id account_id = {{0xac, 1, 2, 3, 4, 5, 0x46, 7, 0x88, 9}};

static void check(bool ok, const char *what)
{
    if (!ok) {
        fprintf(stderr, "vector_tool: %s\n", what);
        exit(1);
    }
}

static void check_status(enum gk_status status, const char *what)
{
    if (status != GK_OK) {
        fprintf(stderr, "vector_tool: %s: status %d\n", what, (int)status);
        exit(1);
    }
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *hex_of(struct gk_span bytes)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * bytes.len + 1);
    gk_hex_encode(&text, bytes);
    json_t *json = json_string(gk_buf_str(&text));
    gk_buf_cleanup(&text);
    return json;
}

static json_t *uuid_of(const struct gk_id *id)
{
    char text[GK_UUID_TEXT_BYTES];
    gk_id_format(id, text);
    return json_string(text);
}

static const char *text_at(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    check(text != NULL, name);
    return text;
}

/* The bytes of a member; the caller frees with gk_buf_cleanup(). */
static struct gk_buf bytes_at(const json_t *object, const char *name)
{
    const char *text = text_at(object, name);
    const size_t len = strlen(text) / 2;
    struct gk_buf bytes;
    gk_buf_init(&bytes, len);
    check(len == 0 || gk_hex_decode(gk_span_str(text), gk_buf_extend(&bytes, len), len), name);
    return bytes;
}

static void key_at(const json_t *object, const char *name, uint8_t key[GK_KEY_BYTES])
{
    check(gk_hex_decode(gk_span_str(text_at(object, name)), key, GK_KEY_BYTES), name);
}

static struct gk_id id_at(const json_t *object, const char *name)
{
    struct gk_id id;
    check(gk_id_parse(text_at(object, name), &id), name);
    return id;
}

static uint32_t number_at(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    check(json_is_integer(value), name);
    return (uint32_t)json_integer_value(value);
}

/* --- what both modes need --------------------------------------------------------------------- */

/* The keys that follow from a service key. */
struct service {
    struct gk_root_wrap_key root_wrap;
    struct gk_account_record_key account_record;
    struct gk_record_service_key record;
    char id[17];
};

static void derive(const struct gk_crypto *crypto, struct gk_span service_key, const char *label,
                   uint8_t *out, size_t out_len)
{
    check_status(
        gk_hkdf_sha256(crypto, service_key, gk_span_of(NULL, 0), gk_span_str(label), out, out_len),
        label);
}

static struct service service_of(const struct gk_crypto *crypto, struct gk_span key)
{
    struct service service;
    uint8_t id[8];
    derive(crypto, key, GK_ROOT_WRAP_LABEL, service.root_wrap.bytes, GK_KEY_BYTES);
    derive(crypto, key, GK_ACCOUNT_RECORD_LABEL, service.account_record.bytes, GK_KEY_BYTES);
    derive(crypto, key, GK_RECORD_OPEN_LABEL, service.record.bytes, GK_KEY_BYTES);
    derive(crypto, key, "gatekey/v1/service-key-id", id, sizeof id);
    for (size_t i = 0; i < sizeof id; i++) {
        snprintf(service.id + 2 * i, 3, "%02x", id[i]);
    }
    return service;
}

/* Plaintext that a file need not hold. */
static void fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)(31 * i + 7 * (i >> 8) + seed);
    }
}

/* --- emit ------------------------------------------------------------------------------------- */

static void emit_generation(const struct gk_crypto *crypto, const struct service *service,
                            uint32_t number, struct gk_root_key *key,
                            struct gk_root_generation *generation)
{
    const struct gk_root_scope scope = {account_id, number};
    check_status(gk_root_key_random(key, NULL), "root key");
    generation->generation = number;
    generation->state = number == 2 ? GK_GENERATION_ACTIVE : GK_GENERATION_DECRYPT_ONLY;
    generation->created_wall_ms = CREATED_MS + number;
    check_status(gk_root_key_commitment(crypto, key, &scope, generation->commitment, NULL),
                 "commitment");
    generation->wraps_count = 1;
    struct gk_root_wrap *wrap = &generation->wraps[0];
    snprintf(wrap->key_id, sizeof wrap->key_id, "%s%s", GK_WRAP_SERVICE_KEY_ID_PREFIX, service->id);
    snprintf(wrap->algorithm, sizeof wrap->algorithm, "%s", GK_WRAP_ALGORITHM_SERVICE);
    check_status(gk_root_key_wrap(crypto, &service->root_wrap, &scope, key, wrap->value, NULL),
                 "wrap");
    wrap->value_len = GK_SERVICE_WRAPPED_ROOT_BYTES;
    wrap->created_wall_ms = CREATED_MS + number;
}

static void emit_account(const struct gk_crypto *crypto, const struct service *service,
                         struct gk_root_key keys[2], json_t *file)
{
    struct gk_account_record *record = calloc(1, sizeof *record);
    check(record != NULL, "memory");
    snprintf(record->account, sizeof record->account, "%s", ACCOUNT);
    record->id = account_id;
    record->sequence = 3;
    record->created_wall_ms = CREATED_MS;
    record->generations_count = 2;
    json_t *root_keys = json_array();
    for (uint32_t i = 0; i < 2; i++) {
        emit_generation(crypto, service, i + 1, &keys[i], &record->generations[i]);
        const struct gk_span key = gk_span_of(keys[i].bytes, GK_KEY_BYTES);
        json_array_append_new(
            root_keys, json_pack("{s:i, s:o}", "generation", (int)i + 1, "key", hex_of(key)));
    }
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    check_status(
        gk_account_record_serialise(crypto, &service->account_record, record, &bytes, NULL),
        "account record");
    json_object_set_new(file, "account", json_string(ACCOUNT));
    json_object_set_new(file, "accountId", uuid_of(&account_id));
    json_object_set_new(file, "accountRecord", json_string(gk_buf_str(&bytes)));
    json_object_set_new(file, "rootKeys", root_keys);
    gk_buf_cleanup(&bytes);
    free(record);
}

/* client_key empty: under the root key alone. */
static json_t *emit_data_key(const struct gk_crypto *crypto, const struct gk_root_key *root,
                             uint32_t generation, struct gk_span client_key,
                             struct gk_data_key_bytes *key)
{
    const struct gk_sealing_keys keys = {root, {account_id, generation}, client_key};
    struct gk_object_scope scope;
    uint8_t sealed[GK_SEALED_DATA_KEY_BYTES];
    check(gk_id_random(&scope.container) && gk_id_random(&scope.object), "randomness");
    check_status(gk_data_key_random(key, NULL), "data key");
    check_status(gk_data_key_seal(crypto, &keys, &scope, key, sealed, NULL), "sealed data key");
    json_t *row = json_pack("{s:i, s:o, s:o, s:o, s:o}", "generation", (int)generation, "container",
                            uuid_of(&scope.container), "object", uuid_of(&scope.object), "key",
                            hex_of(gk_span_of(key->bytes, GK_KEY_BYTES)), "sealed",
                            hex_of(gk_span_of(sealed, sizeof sealed)));
    if (client_key.len > 0) {
        json_object_set_new(row, "clientKey", hex_of(client_key));
    }
    return row;
}

static void emit_data_keys(const struct gk_crypto *crypto, const struct gk_root_key roots[2],
                           struct gk_data_key_bytes keys[2], json_t *file)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < 2; i++) {
        json_array_append_new(
            list, emit_data_key(crypto, &roots[i], i + 1, (struct gk_span){0}, &keys[i]));
    }
    struct gk_data_key_bytes clients;
    uint8_t client_key[GK_CLIENT_KEY_BYTES];
    check(gk_random(client_key, sizeof client_key), "randomness");
    json_array_append_new(list, emit_data_key(crypto, &roots[1], 2,
                                              gk_span_of(client_key, sizeof client_key), &clients));
    json_object_set_new(file, "dataKeys", list);
}

static json_t *emit_segment(const struct gk_crypto *crypto, const struct gk_data_key_bytes *key,
                            int key_index, size_t len)
{
    static uint8_t chunk[GK_CHUNK_SEALED_BYTES];
    struct gk_segment_cipher *cipher = NULL;
    struct gk_id id;
    check(gk_id_random(&id), "randomness");
    check_status(gk_segment_cipher_new(crypto, key, &id, &cipher, NULL), "segment");
    json_t *chunks = json_array();
    uint32_t index = 0;
    bool last = false;
    for (size_t at = 0; !last; at += GK_CHUNK_PLAIN_BYTES, index++) {
        last = len - at <= GK_CHUNK_PLAIN_BYTES;
        const size_t chunk_len = last ? len - at : GK_CHUNK_PLAIN_BYTES;
        fill(chunk, chunk_len, index);
        check_status(
            gk_segment_cipher_seal(cipher, index, last, gk_span_of(chunk, chunk_len), chunk, NULL),
            "chunk");
        json_array_append_new(chunks,
                              json_pack("{s:i, s:o}", "seed", (int)index, "sealed",
                                        hex_of(gk_span_of(chunk, chunk_len + GK_TAG_BYTES))));
    }
    gk_segment_cipher_free(&cipher);
    return json_pack("{s:i, s:o, s:o}", "dataKey", key_index, "id", uuid_of(&id), "chunks", chunks);
}

static json_t *emit_record(const struct gk_crypto *crypto,
                           const struct gk_record_open_key *open_key,
                           const struct gk_data_key_bytes *key, int key_index, const char *binding,
                           const char *open_part, const char *sealed_part)
{
    uint8_t bytes[PART_BYTES_MAX];
    size_t len = 0;
    const struct gk_record_out out = {bytes, sizeof bytes, &len};
    const struct gk_span sealed = gk_span_str(key == NULL ? "" : sealed_part);
    check_status(gk_record_seal(crypto, open_key, key, gk_span_str(binding), gk_span_str(open_part),
                                sealed, &out, NULL),
                 "record");
    return json_pack(
        "{s:o, s:o, s:o, s:o, s:o}", "dataKey", key == NULL ? json_null() : json_integer(key_index),
        "binding", hex_of(gk_span_str(binding)), "open", hex_of(gk_span_str(open_part)), "sealed",
        key == NULL ? json_null() : hex_of(sealed), "record", hex_of(gk_span_of(bytes, len)));
}

static int emit(const struct gk_crypto *crypto)
{
    static const size_t lengths[] = {0, 1, 4096, GK_CHUNK_PLAIN_BYTES + 100};
    uint8_t service_key[GK_KEY_BYTES];
    fill(service_key, sizeof service_key, 5);
    const struct service service = service_of(crypto, gk_span_of(service_key, sizeof service_key));
    json_t *file = json_object();
    struct gk_root_key roots[2];
    struct gk_data_key_bytes keys[2];
    json_object_set_new(file, "serviceKey", hex_of(gk_span_of(service_key, sizeof service_key)));
    json_object_set_new(file, "serviceKeyId", json_string(service.id));
    emit_account(crypto, &service, roots, file);
    emit_data_keys(crypto, roots, keys, file);

    json_t *segments = json_array();
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        json_array_append_new(segments,
                              emit_segment(crypto, &keys[i % 2], (int)(i % 2), lengths[i]));
    }
    json_object_set_new(file, "segments", segments);

    struct gk_record_open_key open_key;
    check_status(gk_record_open_key_derive(crypto, &service.record, &account_id, &open_key, NULL),
                 "record key");
    json_object_set_new(
        file, "records",
        json_pack("[o, o, o]",
                  emit_record(crypto, &open_key, &keys[1], 1, "where it belongs", "open", "sealed"),
                  emit_record(crypto, &open_key, NULL, 0, "elsewhere", "open alone", ""),
                  emit_record(crypto, &open_key, &keys[0], 0, "", "", "")));
    int failed = json_dumpf(file, stdout, JSON_INDENT(1));
    putchar('\n');
    json_decref(file);
    return failed == 0 ? 0 : 1;
}

/* --- verify ----------------------------------------------------------------------------------- */

static void verify_account(const struct gk_crypto *crypto, const struct service *service,
                           const json_t *file, struct gk_account_record *record)
{
    const char *account = text_at(file, "account");
    check_status(gk_account_record_parse(crypto, &service->account_record, account,
                                         gk_span_str(text_at(file, "accountRecord")), record, NULL),
                 "account record");
    const struct gk_id id = id_at(file, "accountId");
    check(gk_id_equal(&id, &record->id), "account id");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(file, "rootKeys"), i, row)
    {
        const struct gk_root_scope scope = {id, number_at(row, "generation")};
        const struct gk_root_generation *generation =
            gk_account_record_generation(record, scope.generation);
        check(generation != NULL, "generation");
        const struct gk_root_wrap *wrap = &generation->wraps[0];
        struct gk_root_key expected;
        struct gk_root_key key;
        key_at(row, "key", expected.bytes);
        check_status(gk_root_key_unwrap(crypto, &service->root_wrap, &scope,
                                        gk_span_of(wrap->value, wrap->value_len), &key, NULL),
                     "unwrap");
        check_status(gk_root_key_check(crypto, &key, &scope, generation->commitment, NULL),
                     "root commitment");
        check(memcmp(&key, &expected, sizeof key) == 0, "root key");
    }
}

static void verify_data_keys(const struct gk_crypto *crypto, const json_t *file)
{
    const struct gk_id account = id_at(file, "accountId");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(file, "dataKeys"), i, row)
    {
        const struct gk_root_scope root_scope = {account, number_at(row, "generation")};
        const struct gk_object_scope scope = {id_at(row, "container"), id_at(row, "object")};
        const bool with_client = json_object_get(row, "clientKey") != NULL;
        const json_t *root_row =
            json_array_get(json_object_get(file, "rootKeys"), root_scope.generation - 1);
        uint8_t client_key[GK_CLIENT_KEY_BYTES];
        struct gk_root_key root;
        struct gk_data_key_bytes expected;
        struct gk_data_key_bytes key;
        key_at(root_row, "key", root.bytes);
        key_at(row, "key", expected.bytes);
        if (with_client) {
            key_at(row, "clientKey", client_key);
        }
        struct gk_buf sealed = bytes_at(row, "sealed");
        const struct gk_sealing_keys keys = {
            &root, root_scope, gk_span_of(client_key, with_client ? sizeof client_key : 0)};
        check_status(gk_data_key_unseal(crypto, &keys, &scope, gk_buf_span(&sealed), &key, NULL),
                     "unseal");
        check(memcmp(&key, &expected, sizeof key) == 0, "data key");
        gk_buf_cleanup(&sealed);
    }
}

static struct gk_data_key_bytes data_key_of(const json_t *file, const json_t *row)
{
    struct gk_data_key_bytes key;
    const uint32_t index = number_at(row, "dataKey");
    key_at(json_array_get(json_object_get(file, "dataKeys"), index), "key", key.bytes);
    return key;
}

static void verify_segment(const struct gk_crypto *crypto, const json_t *file, const json_t *row)
{
    static uint8_t expected[GK_CHUNK_PLAIN_BYTES];
    const struct gk_data_key_bytes key = data_key_of(file, row);
    const struct gk_id id = id_at(row, "id");
    const json_t *chunks = json_object_get(row, "chunks");
    struct gk_segment_cipher *cipher = NULL;
    check_status(gk_segment_cipher_new(crypto, &key, &id, &cipher, NULL), "segment");
    size_t i;
    json_t *chunk;
    json_array_foreach(chunks, i, chunk)
    {
        struct gk_buf sealed = bytes_at(chunk, "sealed");
        const uint8_t last = i + 1 == json_array_size(chunks);
        check(sealed.len >= GK_TAG_BYTES && sealed.len <= GK_CHUNK_SEALED_BYTES, "chunk's length");
        const size_t len = sealed.len - GK_TAG_BYTES;
        check_status(
            gk_segment_cipher_open(cipher, i, last, gk_buf_span(&sealed), sealed.data, NULL),
            "chunk");
        fill(expected, len, number_at(chunk, "seed"));
        check(memcmp(sealed.data, expected, len) == 0, "chunk's plaintext");
        gk_buf_cleanup(&sealed);
    }
    gk_segment_cipher_free(&cipher);
}

static void check_part(const json_t *row, const char *name, const uint8_t *bytes, size_t len)
{
    struct gk_buf expected = bytes_at(row, name);
    check(gk_span_equal(gk_span_of(bytes, len), gk_buf_span(&expected)), name);
    gk_buf_cleanup(&expected);
}

static void verify_record(const struct gk_crypto *crypto, const struct gk_record_open_key *open_key,
                          const json_t *file, const json_t *row)
{
    struct gk_buf record = bytes_at(row, "record");
    struct gk_buf binding = bytes_at(row, "binding");
    uint8_t part[PART_BYTES_MAX];
    size_t len = 0;
    const struct gk_record_out out = {part, sizeof part, &len};
    check_status(
        gk_record_open(crypto, open_key, gk_buf_span(&binding), gk_buf_span(&record), &out, NULL),
        "record");
    check_part(row, "open", part, len);
    if (!json_is_null(json_object_get(row, "dataKey"))) {
        const struct gk_data_key_bytes key = data_key_of(file, row);
        check_status(gk_record_open_sealed(crypto, &key, gk_buf_span(&binding),
                                           gk_buf_span(&record), &out, NULL),
                     "sealed part");
        check_part(row, "sealed", part, len);
    }
    gk_buf_cleanup(&record);
    gk_buf_cleanup(&binding);
}

static int verify(const struct gk_crypto *crypto, const char *path)
{
    json_error_t error;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    check(file != NULL, error.text);
    struct gk_buf service_key = bytes_at(file, "serviceKey");
    const struct service service = service_of(crypto, gk_buf_span(&service_key));
    check(strcmp(service.id, text_at(file, "serviceKeyId")) == 0, "service key id");
    struct gk_account_record *record = calloc(1, sizeof *record);
    check(record != NULL, "memory");
    verify_account(crypto, &service, file, record);
    verify_data_keys(crypto, file);
    struct gk_record_open_key open_key;
    check_status(gk_record_open_key_derive(crypto, &service.record, &record->id, &open_key, NULL),
                 "record key");
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(file, "segments"), i, row)
    {
        verify_segment(crypto, file, row);
    }
    json_array_foreach(json_object_get(file, "records"), i, row)
    {
        verify_record(crypto, &open_key, file, row);
    }
    printf("%s: %zu root keys, %zu data keys, %zu segments, %zu records opened by the plugin\n",
           path, json_array_size(json_object_get(file, "rootKeys")),
           json_array_size(json_object_get(file, "dataKeys")),
           json_array_size(json_object_get(file, "segments")),
           json_array_size(json_object_get(file, "records")));
    free(record);
    gk_buf_cleanup(&service_key);
    json_decref(file);
    return 0;
}

int main(int argc, char **argv)
{
    struct gk_crypto *crypto = NULL;
    check_status(gk_crypto_new(&crypto, NULL), "libcrypto");
    int result = 2;
    if (argc == 2 && strcmp(argv[1], "emit") == 0) {
        result = emit(crypto);
    } else if (argc == 3 && strcmp(argv[1], "verify") == 0) {
        result = verify(crypto, argv[2]);
    } else {
        fprintf(stderr, "usage: vector_tool emit | verify FILE\n");
    }
    gk_crypto_free(&crypto);
    return result;
}
