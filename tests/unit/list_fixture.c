/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/list_fixture.h"

#include <stdlib.h>

#include "common/error.h"
#include "gateway/blob/container_cache.h"
#include "gateway/blob/index.h"
#include "gateway/blob/list.h"
#include "gateway/blob/target.h"
#include "gateway/blob/xml.h"

#include "unit/cmocka_all.h"

/* The instance is the fixture, and so is the account. */
struct gk_data_key {
    struct list_fixture *fixture;
};

/* --- the plugin --------------------------------------------------------------------------------- */

static struct list_fixture *fixture_of(struct gk_account *account)
{
    return (struct list_fixture *)(void *)account;
}

static void append_part(struct gk_buf *out, struct gk_span part)
{
    gk_buf_append_u32(out, (uint32_t)part.len);
    gk_buf_append(out, part.data, part.len);
}

static struct gk_span read_part(struct gk_reader *in)
{
    return gk_read_span(in, gk_read_u32(in));
}

static enum gk_status record_seal(struct gk_account *account, struct gk_data_key *data_key,
                                  struct gk_span binding, struct gk_span open_part,
                                  struct gk_span sealed_part, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)account, (void)data_key;
    struct gk_buf record;
    gk_buf_init(&record, 1u << 20);
    append_part(&record, binding);
    append_part(&record, open_part);
    append_part(&record, sealed_part);
    if (record.len > out_max) {
        gk_buf_cleanup(&record);
        return gk_fail(error, GK_E_LIMIT, "no room");
    }
    memcpy(out, record.data, record.len);
    *out_len = record.len;
    gk_buf_cleanup(&record);
    return GK_OK;
}

static enum gk_status give_part(struct gk_span binding, struct gk_span record, unsigned index,
                                uint8_t *out, size_t *out_len, struct gk_error *error)
{
    struct gk_reader in = gk_reader_of(record);
    const bool bound = gk_span_equal(read_part(&in), binding);
    const struct gk_span parts[] = {read_part(&in), read_part(&in)};
    if (!bound || !gk_read_done(&in)) {
        return gk_fail(error, GK_E_INTEGRITY, "a record does not belong there");
    }
    memcpy(out, parts[index].data, parts[index].len);
    *out_len = parts[index].len;
    return GK_OK;
}

static enum gk_status record_open(struct gk_account *account, struct gk_span binding,
                                  struct gk_span record, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error)
{
    (void)out_max;
    fixture_of(account)->records_opened++;
    return give_part(binding, record, 0, out, out_len, error);
}

static enum gk_status record_open_sealed(struct gk_data_key *data_key, struct gk_span binding,
                                         struct gk_span record, uint8_t *out, size_t out_max,
                                         size_t *out_len, struct gk_error *error)
{
    (void)data_key, (void)out_max;
    const enum gk_status status = give_part(binding, record, 1, out, out_len, error);
    return status == GK_OK && *out_len == 0 ? gk_fail(error, GK_E_NOT_FOUND, "none") : status;
}

static enum gk_status data_key_open(struct gk_account *account, const struct gk_object_scope *scope,
                                    struct gk_span sealed, struct gk_data_key **out,
                                    struct gk_error *error)
{
    (void)scope, (void)sealed;
    struct list_fixture *fixture = fixture_of(account);
    if (fixture->key_refused) {
        return gk_fail_http(error, GK_E_DENIED, 403, "KeyVaultEncryptionKeyNotFound", "revoked");
    }
    *out = calloc(1, sizeof **out);
    assert_non_null(*out);
    (*out)->fixture = fixture;
    fixture->keys_opened++;
    fixture->keys_held++;
    return GK_OK;
}

static void data_key_free(struct gk_data_key *data_key)
{
    if (data_key != NULL) {
        data_key->fixture->keys_held--;
        free(data_key);
    }
}

/* --- the answer --------------------------------------------------------------------------------- */

static struct list_fixture *asking; /* the handlers answer to an exchange of the server's */

void __wrap_gk_http_answer_header(struct gk_http_exchange *exchange, const char *name,
                                  const char *value);
void __wrap_gk_http_answer_header(struct gk_http_exchange *exchange, const char *name,
                                  const char *value)
{
    (void)exchange;
    assert_string_equal(name, "Content-Type");
    assert_string_equal(value, "application/xml");
}

void __wrap_gk_http_answer_buf(struct gk_http_exchange *exchange, unsigned status,
                               struct gk_buf *buf);
void __wrap_gk_http_answer_buf(struct gk_http_exchange *exchange, unsigned status,
                               struct gk_buf *buf)
{
    (void)exchange;
    asking->status = status;
    gk_buf_append(&asking->body, buf->data, buf->len);
    gk_buf_cleanup(buf);
}

struct reading {
    struct list_fixture *fixture;
    const char *kind;
    bool in_name;
    bool in_marker;
};

static bool on_open(void *ctx, const char *element, unsigned depth)
{
    struct reading *reading = ctx;
    if (depth == 2) {
        reading->kind = strcmp(element, "Blob") == 0         ? "b"
                        : strcmp(element, "BlobPrefix") == 0 ? "p"
                        : strcmp(element, "Container") == 0  ? "c"
                                                             : "?";
        reading->fixture->results++;
    }
    reading->in_name = depth == 3 && strcmp(element, "Name") == 0;
    reading->in_marker = depth == 1 && strcmp(element, "NextMarker") == 0;
    if (reading->in_name) {
        gk_buf_printf(&reading->fixture->names, "%s ", reading->kind);
    }
    return true;
}

static bool on_text(void *ctx, struct gk_span text)
{
    struct reading *reading = ctx;
    if (reading->in_name || reading->in_marker) {
        gk_buf_append(reading->in_name ? &reading->fixture->names : &reading->fixture->marker,
                      text.data, text.len);
    }
    return true;
}

static bool on_close(void *ctx, unsigned depth)
{
    struct reading *reading = ctx;
    (void)depth;
    if (reading->in_name) {
        gk_buf_append_str(&reading->fixture->names, "\n");
    }
    reading->in_name = false;
    reading->in_marker = false;
    return true;
}

static void forget_answer(struct list_fixture *fixture)
{
    fixture->status = 0;
    fixture->results = 0;
    fixture->error = (struct gk_error){0};
    gk_buf_reset(&fixture->body);
    gk_buf_reset(&fixture->names);
    gk_buf_reset(&fixture->marker);
}

enum gk_status list_ask(struct list_fixture *fixture, enum gk_operation operation,
                        const char *container, const struct gk_pair *query)
{
    struct gk_http_exchange exchange = {.method = "GET", .headers_count = 1};
    exchange.headers[0] = (struct gk_pair){"Host", "127.0.0.1:10000"};
    struct gk_request request = {.gateway = &fixture->gateway,
                                 .method = "GET",
                                 .account_name = fixture->account.name,
                                 .path_style = true,
                                 .container = container == NULL ? "" : container,
                                 .blob = "",
                                 .operation = operation,
                                 .headers = exchange.headers,
                                 .headers_count = exchange.headers_count,
                                 .query = query,
                                 .account = &fixture->account,
                                 .permissions = GK_PERMIT_ALL,
                                 .exchange = &exchange};
    while (query != NULL && query[request.query_count].name != NULL) {
        request.query_count++;
    }
    forget_answer(fixture);
    asking = fixture;
    const struct gk_handler *handler =
        container == NULL ? &gk_list_containers_handler : &gk_list_blobs_handler;
    const enum gk_status status = handler->finish(&request, &fixture->error);
    assert_int_equal(fixture->status, status == GK_OK ? 200 : 0);
    assert_int_equal(fixture->keys_held, 0);
    if (status == GK_OK) {
        struct reading reading = {.fixture = fixture};
        const struct gk_xml_visitor visitor = {
            .ctx = &reading, .open = on_open, .text = on_text, .close = on_close};
        assert_int_equal(gk_xml_read(gk_buf_span(&fixture->body), &visitor, NULL), GK_OK);
    }
    return status;
}

void list_all(struct list_fixture *fixture, const char *container, const char *max,
              const char *prefix, const char *delimiter, struct gk_buf *names)
{
    struct gk_buf marker;
    gk_buf_init(&marker, 16384);
    const enum gk_operation operation =
        container == NULL ? GK_OP_BLOB_LIST_CONTAINERS : GK_OP_BLOB_LIST_BLOBS;
    const unsigned most = (unsigned)strtoul(max, NULL, 10);
    do {
        const struct gk_pair query[] = {{"marker", gk_buf_str(&marker)},
                                        {"maxresults", max},
                                        {"prefix", prefix},
                                        {delimiter == NULL ? NULL : "delimiter", delimiter},
                                        {NULL, NULL}};
        assert_int_equal(list_ask(fixture, operation, container, query), GK_OK);
        assert_true(fixture->results <= most);
        gk_buf_append(names, fixture->names.data, fixture->names.len);
        gk_buf_reset(&marker);
        gk_buf_append(&marker, fixture->marker.data, fixture->marker.len);
    } while (marker.len > 0);
    gk_buf_cleanup(&marker);
}

/* --- what is listed ----------------------------------------------------------------------------- */

static void encode_metadata(const char *const *metadata, struct gk_metadata *out)
{
    gk_metadata_init(out);
    for (; metadata != NULL && *metadata != NULL; metadata += 2) {
        gk_metadata_add(out, gk_span_str(metadata[0]), gk_span_str(metadata[1]));
    }
}

static void write_changes(struct list_fixture *fixture, const char *object,
                          const struct gk_change *changes, size_t count)
{
    const struct gk_write_op op = {
        .pool = GK_POOL_META, .object = object, .changes = changes, .changes_count = count};
    assert_int_equal(gk_store_write(fixture->gateway.store, &op, NULL, NULL), GK_OK);
}

struct gk_id list_container_id(const char *container)
{
    struct gk_id id = {{0}};
    const size_t len = strlen(container);
    memcpy(id.bytes, container, len < sizeof id.bytes ? len : sizeof id.bytes);
    return id;
}

static struct gk_place place_of(struct list_fixture *fixture, const char *kind,
                                const struct gk_id *container, const struct gk_buf *key)
{
    return (struct gk_place){.plugin = &fixture->plugin,
                             .account = fixture->account.handle,
                             .kind = kind,
                             .container = *container,
                             .key = gk_buf_span(key)};
}

static void add_container(struct list_fixture *fixture, const char *name, const char *id,
                          const char *const *metadata)
{
    struct gk_container container = {.id = list_container_id(id),
                                     .etag = 0x123456789abcdef0,
                                     .created_wall_ms = LIST_TIME_MS,
                                     .modified_wall_ms = LIST_TIME_MS,
                                     .shards = fixture->shards};
    encode_metadata(metadata, &container.metadata);
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_buf_init(&value, GK_CONTAINER_RECORD_BYTES_MAX);
    gk_container_key(&key, name);
    gk_container_encode(&container, &open);
    const struct gk_place place = place_of(fixture, GK_VALUE_CONTAINER, &fixture->account.id, &key);
    assert_int_equal(
        gk_value_seal(&place, NULL, gk_buf_span(&open), (struct gk_span){0}, &value, NULL), GK_OK);
    const struct gk_change entry = {
        .kind = GK_CHANGE_MAP_SET, .key = gk_buf_span(&key), .value = gk_buf_span(&value)};
    write_changes(fixture, fixture->account.object, &entry, 1);
    assert_int_equal(gk_index_create(fixture->gateway.store, &container.id, container.shards, NULL),
                     GK_OK);
    gk_buf_cleanup(&key);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&value);
    gk_container_cleanup(&container);
}

void list_add_container(struct list_fixture *fixture, const char *name, const char *const *metadata)
{
    add_container(fixture, name, name, metadata);
}

void list_add_container_as(struct list_fixture *fixture, const char *name, const char *id)
{
    add_container(fixture, name, id, NULL);
}

void list_add_begin(struct list_bulk *bulk, struct list_fixture *fixture, const char *container)
{
    *bulk = (struct list_bulk){.fixture = fixture, .container = list_container_id(container)};
    for (uint32_t i = 0; i < fixture->shards; i++) {
        gk_changes_init(&bulk->changes[i]);
    }
}

struct gk_blob_record list_record(void)
{
    return (struct gk_blob_record){.state = GK_BLOB_COMMITTED,
                                   .etag = 0x123456789abcdef0,
                                   .created_wall_ms = LIST_TIME_MS,
                                   .modified_wall_ms = LIST_TIME_MS + 1000,
                                   .size = 3};
}

void list_add_blob(struct list_bulk *bulk, const char *name, const struct gk_blob_record *record,
                   const char *const *metadata)
{
    struct gk_metadata encoded;
    encode_metadata(metadata, &encoded);
    struct gk_buf key;
    struct gk_buf open;
    struct gk_buf sealed;
    struct gk_buf value;
    gk_buf_init(&key, GK_MAP_KEY_BYTES_MAX);
    gk_buf_init(&open, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&sealed, GK_BLOB_RECORD_BYTES_MAX);
    gk_buf_init(&value, GK_BLOB_RECORD_BYTES_MAX + GK_MAP_KEY_BYTES_MAX);
    gk_blob_key(&key, name);
    gk_blob_record_encode(record, &open);
    if (metadata != NULL) {
        gk_metadata_encode(&encoded, &sealed);
    }
    const struct gk_place place = place_of(bulk->fixture, GK_VALUE_BLOB, &bulk->container, &key);
    assert_int_equal(
        gk_value_seal(&place, NULL, gk_buf_span(&open), gk_buf_span(&sealed), &value, NULL), GK_OK);
    gk_changes_set(&bulk->changes[gk_index_shard(gk_span_str(name), bulk->fixture->shards)], &key,
                   &value);
    gk_buf_cleanup(&open);
    gk_buf_cleanup(&sealed);
    gk_metadata_cleanup(&encoded);
}

void list_add_end(struct list_bulk *bulk)
{
    for (uint32_t i = 0; i < bulk->fixture->shards; i++) {
        struct gk_change_list *changes = &bulk->changes[i];
        char index[GK_INDEX_NAME_BYTES];
        gk_index_name(&bulk->container, i, index);
        assert_int_equal(gk_changes_status(changes), GK_OK);
        write_changes(bulk->fixture, index, changes->items, changes->count);
        gk_changes_cleanup(changes);
    }
}

void list_add_blobs(struct list_fixture *fixture, const char *container, const char *const *names)
{
    struct list_bulk bulk;
    const struct gk_blob_record record = list_record();
    list_add_begin(&bulk, fixture, container);
    for (; *names != NULL; names++) {
        list_add_blob(&bulk, *names, &record, NULL);
    }
    list_add_end(&bulk);
}

/* --- setup -------------------------------------------------------------------------------------- */

static int setup(void **state, uint32_t shards)
{
    struct list_fixture *fixture = calloc(1, sizeof *fixture);
    if (fixture == NULL || !store_place_make(fixture->place) ||
        gk_store_embedded_open(fixture->place, &fixture->gateway.store, NULL) != GK_OK) {
        return -1;
    }
    fixture->shards = shards;
    fixture->plugin = (struct gk_plugin){.record_seal = record_seal,
                                         .record_open = record_open,
                                         .record_open_sealed = record_open_sealed,
                                         .data_key_open = data_key_open,
                                         .data_key_free = data_key_free};
    fixture->host.plugin = &fixture->plugin;
    fixture->gateway.clock = gk_clock_system();
    fixture->gateway.host = &fixture->host;
    if (gk_container_cache_new(&fixture->gateway.containers, NULL) != GK_OK) {
        return -1;
    }
    fixture->account = (struct gk_gateway_account){.name = "acme",
                                                   .object = "account/acme",
                                                   .id = {{7}},
                                                   .handle = (struct gk_account *)(void *)fixture};
    const struct gk_change create = {.kind = GK_CHANGE_CREATE};
    write_changes(fixture, fixture->account.object, &create, 1);
    gk_buf_init(&fixture->body, 64u << 20);
    gk_buf_init(&fixture->names, 64u << 20);
    gk_buf_init(&fixture->marker, 16384);
    *state = fixture;
    return 0;
}

int list_fixture_setup(void **state)
{
    return setup(state, 1);
}

int list_fixture_setup_3(void **state)
{
    return setup(state, 3);
}

int list_fixture_setup_64(void **state)
{
    return setup(state, LIST_SHARDS_MAX);
}

int list_fixture_teardown(void **state)
{
    struct list_fixture *fixture = *state;
    gk_container_cache_free(fixture->gateway.containers);
    gk_store_close(fixture->gateway.store);
    store_place_remove(fixture->place);
    gk_buf_cleanup(&fixture->body);
    gk_buf_cleanup(&fixture->names);
    gk_buf_cleanup(&fixture->marker);
    free(fixture);
    return 0;
}
