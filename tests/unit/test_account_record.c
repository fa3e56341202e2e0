/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: an account record comes back as written or not at all; nothing that only looks like one is
 * taken, even when its MAC is right. Method: flip every bit; then edit the JSON and make the MAC
 * anew, as a defective or a later writer would. */
#include "plugin/account_record.h"
#include "plugin/kdf.h"

#include "unit/crypto_fixture.h"

#define DIGITS_AT 26u /* behind "gatekey-account-record v1 " */
#define JSON_AT   91u /* behind the 64 digits and the line feed */

static const struct gk_account_record_key record_key = {{0x71}};

static void fill_wrap(struct gk_root_wrap *wrap, const char *key_id, const char *algorithm,
                      size_t len)
{
    strcpy(wrap->key_id, key_id);
    strcpy(wrap->algorithm, algorithm);
    memset(wrap->value, 0xc3, len);
    wrap->value_len = len;
    wrap->created_wall_ms = 1790000000123;
}

/* A record that uses all there is: two generations, two wraps. */
static struct gk_account_record *full_record(void)
{
    struct gk_account_record *record = calloc(1, sizeof *record);
    assert_non_null(record);
    strcpy(record->account, "contoso1");
    record->id = (struct gk_id){{0x10, 0x20, 0x30}};
    record->sequence = 42;
    record->created_wall_ms = 1780000000000;
    record->settings.source = GK_KEY_SOURCE_CUSTOMER;
    strcpy(record->settings.key.vault_uri, "https://contoso.vault.azure.net");
    strcpy(record->settings.key.name, "storage");
    record->settings.identity.kind = GK_IDENTITY_USER_ASSIGNED;
    strcpy(record->settings.identity.resource_id,
           "/subscriptions/1/userAssignedIdentities/\xc3\xa9");
    strcpy(record->settings.identity.federated_client_id, "6f1cf1ab-0000-4000-8000-000000000001");
    record->settings.table_account_key = 1;
    record->generations_count = 2;
    struct gk_root_generation *first = &record->generations[0];
    first->generation = 1;
    first->state = GK_GENERATION_DECRYPT_ONLY;
    first->created_wall_ms = 1780000000000;
    memset(first->commitment, 1, sizeof first->commitment);
    first->wraps_count = 1;
    fill_wrap(&first->wraps[0], "service-key/0123456789abcdef", GK_WRAP_ALGORITHM_SERVICE, 72);
    struct gk_root_generation *second = &record->generations[1];
    second->generation = 7;
    second->state = GK_GENERATION_ACTIVE;
    second->created_wall_ms = 1790000000000;
    memset(second->commitment, 2, sizeof second->commitment);
    second->wraps_count = 2;
    fill_wrap(&second->wraps[0], "https://contoso.vault.azure.net/keys/storage/2",
              GK_WRAP_ALGORITHM_RSA_OAEP_256, 512);
    fill_wrap(&second->wraps[1], "https://contoso.vault.azure.net/keys/storage/1",
              GK_WRAP_ALGORITHM_RSA_OAEP_256, 256);
    record->last_rotation_wall_ms = 1790000000001;
    record->previous_wrap_until_wall_ms = 1790000000002;
    record->last_version_check_wall_ms = 1790000000003;
    record->key_expires_wall_ms = 1790000000004;
    record->key_created_wall_ms = 1790000000009;
    record->key_rotation_due_wall_ms = 1790000000010;
    record->key_warnings = 1u << GK_KEY_EXPIRES_SOON | 1u << GK_KEY_OLD;
    struct gk_key_told *told = &record->key_told;
    strcpy(told->key_id, "https://contoso.vault.azure.net/keys/storage/3");
    strcpy(told->info.key_type, "RSA-HSM");
    strcpy(told->info.recovery_level, "Recoverable");
    told->info.modulus_bits = 4096;
    told->info.enabled = 1;
    told->info.may_unwrap = 1;
    told->info.purge_protected = 1;
    told->info.not_before_wall_ms = 1790000000005;
    told->info.rotation_due_wall_ms = 1790000000011;
    told->info.expires_wall_ms = 1790000000006;
    told->info.created_wall_ms = 1790000000007;
    told->told_wall_ms = 1790000000008;
    return record;
}

static void serialise(const struct gk_crypto *crypto, const struct gk_account_record *record,
                      struct gk_buf *out)
{
    gk_buf_init(out, GK_ACCOUNT_RECORD_BYTES_MAX);
    assert_int_equal(gk_account_record_serialise(crypto, &record_key, record, out, NULL), GK_OK);
}

/* Parses and expects status; on failure the record must be zeroed. */
static void expect(const struct gk_crypto *crypto, const char *account, struct gk_span bytes,
                   enum gk_status status)
{
    static struct gk_account_record parsed;
    memset(&parsed, 0xaa, sizeof parsed);
    assert_int_equal(gk_account_record_parse(crypto, &record_key, account, bytes, &parsed, NULL),
                     status);
    if (status != GK_OK) {
        assert_zero((const uint8_t *)&parsed, sizeof parsed);
    }
}

/* Gives the JSON in out, from JSON_AT, the MAC that belongs to it. */
static void make_mac(const struct gk_crypto *crypto, const char *account, struct gk_buf *out)
{
    static const char label[] = "gatekey/v1/account-record";
    const struct gk_span parts[] = {
        gk_span_of(label, sizeof label),
        gk_span_of(account, strlen(account) + 1),
        gk_span_of(out->data + JSON_AT, out->len - JSON_AT),
    };
    uint8_t mac[GK_SHA256_BYTES];
    const struct gk_span key = gk_span_of(record_key.bytes, sizeof record_key.bytes);
    assert_int_equal(gk_hmac_sha256(crypto, key, parts, 3, mac), GK_OK);
    struct gk_buf digits;
    gk_buf_init(&digits, 65);
    gk_hex_encode(&digits, gk_span_of(mac, sizeof mac));
    memcpy(out->data + DIGITS_AT, digits.data, 64);
    gk_buf_cleanup(&digits);
}

/* A record with an authentic MAC around json. */
static void authentic(const struct gk_crypto *crypto, const char *json, struct gk_buf *out)
{
    gk_buf_init(out, GK_ACCOUNT_RECORD_BYTES_MAX + 1);
    gk_buf_append_str(out, "gatekey-account-record v1 ");
    gk_buf_append_str(out, "0000000000000000000000000000000000000000000000000000000000000000\n");
    gk_buf_append_str(out, json);
    assert_int_equal(gk_buf_status(out), GK_OK);
    make_mac(crypto, "contoso1", out);
}

/* json with the first occurrence of from replaced by to; the test fails when there is none. */
static char *edited(const char *json, const char *from, const char *to)
{
    const char *at = strstr(json, from);
    assert_non_null(at);
    char *text = calloc(1, strlen(json) + strlen(to) + 1);
    assert_non_null(text);
    memcpy(text, json, (size_t)(at - json));
    strcat(text, to);
    strcat(text, at + strlen(from));
    return text;
}

static void test_account_record__gives_back_every_field(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_account_record *parsed = calloc(1, sizeof *parsed);
    struct gk_buf bytes;
    serialise(crypto, record, &bytes);
    assert_int_equal(
        gk_account_record_parse(crypto, &record_key, "contoso1", gk_buf_span(&bytes), parsed, NULL),
        GK_OK);
    assert_memory_equal(parsed, record, sizeof *record);
    assert_ptr_equal(gk_account_record_active(parsed), &parsed->generations[1]);
    assert_ptr_equal(gk_account_record_generation(parsed, 1), &parsed->generations[0]);
    assert_null(gk_account_record_generation(parsed, 2));
    gk_buf_cleanup(&bytes);
    free(parsed);
    free(record);
}

/* Under the address sanitizer, this tells too that a kept one is not read beyond its generations. */
static void test_account_record__what_is_kept_is_copied_whole(void **state)
{
    (void)state;
    struct gk_account_record *record = full_record();
    struct gk_account_record *kept = gk_account_record_keep(record);
    struct gk_account_record *copy = malloc(sizeof *copy);
    assert_true(kept != NULL && copy != NULL);
    memset(copy, 0xaa, sizeof *copy);
    gk_account_record_copy(copy, kept);
    assert_memory_equal(copy, record, sizeof *record);
    free(copy);
    free(kept);
    free(record);
}

/* As records were before what is known of keys was kept in them, and as those of a service key are. */
static void test_account_record__needs_no_word_of_the_vault(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_buf bytes;
    memset(&record->key_told, 0, sizeof record->key_told);
    record->key_created_wall_ms = 0;
    record->key_rotation_due_wall_ms = 0;
    record->key_warnings = 0;
    serialise(crypto, record, &bytes);
    assert_null(strstr(gk_buf_str(&bytes), "keyTold"));
    assert_null(strstr(gk_buf_str(&bytes), "keyCreatedMs"));
    assert_null(strstr(gk_buf_str(&bytes), "otationDueMs"));
    assert_null(strstr(gk_buf_str(&bytes), "keyWarnings"));
    expect(crypto, "contoso1", gk_buf_span(&bytes), GK_OK);
    gk_buf_cleanup(&bytes);
    free(record);
}

static void test_account_record__full_of_the_longest_fields_fits(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_root_generation *longest = &record->generations[1];
    memset(longest->wraps[0].key_id, 'k', sizeof longest->wraps[0].key_id - 1);
    memset(record->settings.identity.resource_id, 'i',
           sizeof record->settings.identity.resource_id - 1);
    memset(record->settings.key.vault_uri, 'v', sizeof record->settings.key.vault_uri - 1);
    longest->wraps[1] = longest->wraps[0];
    record->generations_count = GK_ACCOUNT_GENERATIONS_MAX;
    for (uint32_t i = 0; i < GK_ACCOUNT_GENERATIONS_MAX; i++) {
        record->generations[i] = *longest;
        record->generations[i].generation = UINT32_MAX - GK_ACCOUNT_GENERATIONS_MAX + 1 + i;
        record->generations[i].state = i == 3 ? GK_GENERATION_ACTIVE : GK_GENERATION_RETIRED;
    }
    struct gk_buf bytes;
    serialise(crypto, record, &bytes);
    expect(crypto, "contoso1", gk_buf_span(&bytes), GK_OK);
    gk_buf_cleanup(&bytes);
    free(record);
}

static void test_account_record__refuses_every_changed_bit_and_cut(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_buf bytes;
    serialise(crypto, record, &bytes);
    for (size_t bit = 0; bit < 8 * bytes.len; bit++) {
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
        expect(crypto, "contoso1", gk_buf_span(&bytes), GK_E_INTEGRITY);
        bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    for (size_t len = 0; len < bytes.len; len++) {
        expect(crypto, "contoso1", gk_span_of(bytes.data, len), GK_E_INTEGRITY);
    }
    gk_buf_append_str(&bytes, " ");
    expect(crypto, "contoso1", gk_buf_span(&bytes), GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
    free(record);
}

static void test_account_record__refuses_another_account_or_service_key(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_buf bytes;
    serialise(crypto, record, &bytes);
    expect(crypto, "contoso2", gk_buf_span(&bytes), GK_E_INTEGRITY);
    expect(crypto, "contoso", gk_buf_span(&bytes), GK_E_INTEGRITY);
    make_mac(crypto, "contoso2", &bytes);
    expect(crypto, "contoso1", gk_buf_span(&bytes), GK_E_INTEGRITY);
    expect(crypto, "contoso2", gk_buf_span(&bytes), GK_E_INTEGRITY);
    make_mac(crypto, "contoso1", &bytes);
    expect(crypto, "contoso1", gk_buf_span(&bytes), GK_OK);
    const struct gk_account_record_key other_key = {{0x72}};
    assert_int_equal(
        gk_account_record_parse(crypto, &other_key, "contoso1", gk_buf_span(&bytes), record, NULL),
        GK_E_INTEGRITY);
    gk_buf_cleanup(&bytes);
    free(record);
}

/* Who knows nothing of root keys that wrap others, or are gone, must not build on such a record. */
static void test_account_record__what_is_newer_has_a_later_version(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    struct gk_account_record *parsed = calloc(1, sizeof *parsed);
    struct gk_root_generation *first = &record->generations[0];
    for (unsigned i = 0; i < 3; i++) {
        if (i == 1) {
            memset(&first->wraps[0], 0, sizeof first->wraps[0]);
            fill_wrap(&first->wraps[0], "root-key/7", GK_WRAP_ALGORITHM_SERVICE, 72);
        } else if (i == 2) {
            first->state = GK_GENERATION_RETIRED;
            first->wraps_count = 0;
            memset(first->wraps, 0, sizeof first->wraps);
        }
        struct gk_buf bytes;
        serialise(crypto, record, &bytes);
        const char *version = i == 0 ? "{\"version\":1," : "{\"version\":2,";
        assert_memory_equal(bytes.data + JSON_AT, version, strlen(version));
        assert_int_equal(gk_account_record_parse(crypto, &record_key, "contoso1",
                                                 gk_buf_span(&bytes), parsed, NULL),
                         GK_OK);
        assert_memory_equal(parsed, record, sizeof *record);
        assert_int_equal(gk_account_record_oldest(parsed)->generation, i == 2 ? 7 : 1);
        gk_buf_cleanup(&bytes);
    }
    /* One in use has a wrap, and the active one's is no root key's. */
    struct gk_buf bytes;
    gk_buf_init(&bytes, GK_ACCOUNT_RECORD_BYTES_MAX);
    first->state = GK_GENERATION_DECRYPT_ONLY;
    assert_int_equal(gk_account_record_serialise(crypto, &record_key, record, &bytes, NULL),
                     GK_E_INVALID);
    fill_wrap(&first->wraps[0], "root-key/7", GK_WRAP_ALGORITHM_SERVICE, 72);
    first->wraps_count = 1;
    fill_wrap(&record->generations[1].wraps[1], "root-key/1", GK_WRAP_ALGORITHM_SERVICE, 72);
    assert_int_equal(gk_account_record_serialise(crypto, &record_key, record, &bytes, NULL),
                     GK_E_INVALID);
    gk_buf_cleanup(&bytes);
    free(parsed);
    free(record);
}

/* Each row is an edit of an authentic record whose MAC is then made anew. */
static void test_account_record__refuses_authentic_nonsense(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const struct {
        const char *from;
        const char *to;
        enum gk_status status;
    } rows[] = {
        {"\"sequence\":42", "\"sequence\":42", GK_OK},
        {"\"sequence\":42", "\"sequence\":43", GK_OK},
        {"\"version\":1", "\"version\":2", GK_OK},
        {"\"version\":1", "\"version\":3", GK_E_UNSUPPORTED},
        {"\"version\":1", "\"version\":0", GK_E_UNSUPPORTED},
        {"\"version\":1", "\"version\":\"1\"", GK_E_INTEGRITY},
        {"\"version\":1,", "", GK_E_INTEGRITY},
        {"\"version\":1", "\"version\":1,\"version\":1", GK_E_INTEGRITY},
        {"\"version\":1", "\"version\":1,\"more\":1", GK_E_INTEGRITY},
        {"\"sequence\":42", "\"sequence\":0", GK_E_INTEGRITY},
        {"\"sequence\":42", "\"sequence\":-1", GK_E_INTEGRITY},
        {"\"sequence\":42", "\"sequence\":42.0", GK_E_INTEGRITY},
        {"\"sequence\":42", "\"sequence\":9223372036854775808", GK_E_INTEGRITY},
        {"\"sequence\":42", "\"sequence\":null", GK_E_INTEGRITY},
        {"\"account\":\"contoso1\"", "\"account\":\"contoso2\"", GK_E_INTEGRITY},
        {"\"account\":\"contoso1\"", "\"account\":\"\"", GK_E_INTEGRITY},
        {"\"account\":\"contoso1\"", "\"account\":[]", GK_E_INTEGRITY},
        {"\"id\":\"1", "\"id\":\"x", GK_E_INTEGRITY},
        {"\"id\":\"1", "\"id\":\"", GK_E_INTEGRITY},
        {"\"source\":\"customer\"", "\"source\":\"Customer\"", GK_E_INTEGRITY},
        {"\"source\":\"customer\"", "\"source\":1", GK_E_INTEGRITY},
        {"\"vault\":\"https", "\"vault\":\"\\u0007https", GK_E_INTEGRITY},
        {"\"vault\":\"https://contoso.vault.azure.net\"", "\"vault\":\"\"", GK_E_INTEGRITY},
        {"\"key\":\"storage\"", "\"key\":\"a\\u0000b\"", GK_E_INTEGRITY},
        {"\"keyVersion\":\"\"", "\"keyVersion\":\"0123456789abcdef0123456789abcdef0\"",
         GK_E_INTEGRITY},
        {"\"kind\":\"user-assigned\"", "\"kind\":\"nobody\"", GK_E_INTEGRITY},
        {"\"kind\":\"user-assigned\"", "\"kind\":\"user-assigned\",\"more\":1", GK_E_INTEGRITY},
        {"\"queue\":\"service\"", "\"queue\":\"both\"", GK_E_INTEGRITY},
        {"\"queue\":\"service\",", "", GK_E_INTEGRITY},
        {"\"generation\":7", "\"generation\":1", GK_E_INTEGRITY},
        {"\"generation\":1", "\"generation\":8", GK_E_INTEGRITY},
        {"\"generation\":7", "\"generation\":4294967296", GK_E_INTEGRITY},
        {"\"generation\":1", "\"generation\":0", GK_E_INTEGRITY},
        {"\"state\":\"active\"", "\"state\":\"retired\"", GK_E_INTEGRITY},
        {"\"state\":\"decrypt-only\"", "\"state\":\"active\"", GK_E_INTEGRITY},
        {"\"commitment\":\"A", "\"commitment\":\"", GK_E_INTEGRITY},
        {"\"commitment\":\"A", "\"commitment\":\"AA", GK_E_INTEGRITY},
        {"\"commitment\":\"A", "\"commitment\":\"AAAAA", GK_E_INTEGRITY},
        {"\"commitment\":\"A", "\"commitment\":\"=", GK_E_INTEGRITY},
        {"\"algorithm\":\"XAES-256-GCM\"", "\"algorithm\":\"RSA-OAEP\"", GK_E_INTEGRITY},
        {"\"algorithm\":\"XAES-256-GCM\"", "\"algorithm\":\"RSA-OAEP-256\"", GK_E_INTEGRITY},
        {"\"algorithm\":\"RSA-OAEP-256\"", "\"algorithm\":\"XAES-256-GCM\"", GK_E_INTEGRITY},
        {"\"algorithm\":\"RSA-OAEP-256\"", "\"algorithm\":\"transit\"", GK_E_INTEGRITY},
        {"service-key/", "service-kez/", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "service-key/0123456789abcde", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "service-key/0123456789abcdeff", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "root-key/7", GK_OK},
        {"service-key/0123456789abcdef", "root-key/0", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "root-key/", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "root-key/7x", GK_E_INTEGRITY},
        {"service-key/0123456789abcdef", "root-key/4294967296", GK_E_INTEGRITY},
        {"\"value\":\"w", "\"value\":\"", GK_E_INTEGRITY},
        {"\"wraps\":[{", "\"wraps\":[null,{", GK_E_INTEGRITY},
        {"\"wraps\":[{", "\"wraps\":[7],\"w\":[{", GK_E_INTEGRITY},
        {"\"generations\":[{", "\"generations\":[],\"g\":[{", GK_E_INTEGRITY},
        {"\"generations\":[{", "\"generations\":{},\"g\":[{", GK_E_INTEGRITY},
        {"\"createdMs\":1780000000000", "\"createdMs\":-1", GK_E_INTEGRITY},
        {"\"keyExpiresMs\":1790000000004", "\"keyExpiresMs\":1e3", GK_E_INTEGRITY},
        {"\"keyCreatedMs\":1790000000009", "\"keyCreatedMs\":0", GK_E_INTEGRITY},
        {"\"keyCreatedMs\":1790000000009,", "", GK_OK},
        {"[\"key-expires-soon\",\"key-old\"]", "[]", GK_E_INTEGRITY},
        {"[\"key-expires-soon\",\"key-old\"]", "[\"key-old\"]", GK_OK},
        {"[\"key-expires-soon\",\"key-old\"]", "[\"key-old\",\"key-old\"]", GK_E_INTEGRITY},
        {"[\"key-expires-soon\",\"key-old\"]", "[\"key-old\",\"key-expired\"]", GK_E_INTEGRITY},
        {"[\"key-expires-soon\",\"key-old\"]", "[\"key-new\"]", GK_E_INTEGRITY},
        {"[\"key-expires-soon\",\"key-old\"]", "null", GK_E_INTEGRITY},
        {"\"keyTold\":{", "\"keyTold\":null,\"k\":{", GK_E_INTEGRITY},
        {"\"keyTold\":{", "\"keyTold\":{\"more\":1,", GK_E_INTEGRITY},
        {"\"type\":\"RSA-HSM\"", "\"type\":\"\"", GK_E_INTEGRITY},
        {"\"type\":\"RSA-HSM\"", "\"type\":\"RSA-0123456789AB\"", GK_E_INTEGRITY},
        {"\"type\":\"RSA-HSM\",", "", GK_E_INTEGRITY},
        {"storage/3\"", "storage/\\u001b\"", GK_E_INTEGRITY},
        {"\"bits\":4096", "\"bits\":65537", GK_E_INTEGRITY},
        {"\"enabled\":true", "\"enabled\":1", GK_E_INTEGRITY},
        {"\"enabled\":true", "\"enabled\":false", GK_OK},
        {"\"toldMs\":1790000000008", "\"toldMs\":-8", GK_E_INTEGRITY},
        {"{\"version\"", "[{\"version\"", GK_E_INTEGRITY},
        {"{\"version\"", "{}{\"version\"", GK_E_INTEGRITY},
    };
    struct gk_account_record *record = full_record();
    struct gk_buf bytes;
    serialise(crypto, record, &bytes);
    const char *json = gk_buf_str(&bytes) + JSON_AT;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *text = edited(json, rows[i].from, rows[i].to);
        struct gk_buf changed;
        authentic(crypto, text, &changed);
        expect(crypto, "contoso1", gk_buf_span(&changed), rows[i].status);
        gk_buf_cleanup(&changed);
        free(text);
    }
    gk_buf_cleanup(&bytes);
    free(record);
}

static void test_account_record__wraps_of_vaults_have_a_form(void **state)
{
    static const struct {
        const char *algorithm;
        const char *value;
        bool fits;
    } rows[] = {
        {GK_WRAP_ALGORITHM_TRANSIT, "vault:v1:AAAA", true},
        {GK_WRAP_ALGORITHM_TRANSIT, "vault:v", false},
        {GK_WRAP_ALGORITHM_TRANSIT, "Vault:v1:AAAA", false},
        {GK_WRAP_ALGORITHM_TRANSIT, "", false},
        {GK_WRAP_ALGORITHM_RSA_OAEP_256, "vault:v1:AAAA", false},
        {GK_WRAP_ALGORITHM_RSA_OAEP, "vault:v1:AAAA", false},
        {GK_WRAP_ALGORITHM_SERVICE, "vault:v1:AAAA", false},
        {"", "vault:v1:AAAA", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(gk_vault_wrap_is_shaped(rows[i].algorithm, gk_span_str(rows[i].value)),
                         rows[i].fits);
    }
    assert_false(
        gk_vault_wrap_is_shaped(GK_WRAP_ALGORITHM_TRANSIT, gk_span_of("vault:v1:AA\0A", 13)));
}

static void test_account_record__refuses_what_is_no_object_or_too_large(void **state)
{
    const struct gk_crypto *crypto = *state;
    static const char *const texts[] = {"",     "x", "null", "[]", "{}", "{\"version\":1}",
                                        "\"\"", "1"};
    struct gk_buf bytes;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        authentic(crypto, texts[i], &bytes);
        expect(crypto, "contoso1", gk_buf_span(&bytes), GK_E_INTEGRITY);
        gk_buf_cleanup(&bytes);
    }
    struct gk_account_record *record = full_record();
    serialise(crypto, record, &bytes);
    struct gk_buf large;
    authentic(crypto, gk_buf_str(&bytes) + JSON_AT, &large);
    const size_t blanks = GK_ACCOUNT_RECORD_BYTES_MAX - large.len;
    memset(gk_buf_extend(&large, blanks), ' ', blanks);
    make_mac(crypto, "contoso1", &large);
    expect(crypto, "contoso1", gk_buf_span(&large), GK_OK);
    gk_buf_append_str(&large, " ");
    make_mac(crypto, "contoso1", &large);
    expect(crypto, "contoso1", gk_buf_span(&large), GK_E_INTEGRITY);
    gk_buf_cleanup(&large);
    gk_buf_cleanup(&bytes);
    free(record);
}

static void expect_unwritable(const struct gk_crypto *crypto, struct gk_account_record *record)
{
    struct gk_buf out;
    gk_buf_init(&out, GK_ACCOUNT_RECORD_BYTES_MAX);
    assert_int_equal(gk_account_record_serialise(crypto, &record_key, record, &out, NULL),
                     GK_E_INVALID);
    assert_int_equal(out.len, 0);
    gk_buf_cleanup(&out);
    free(record);
}

static void test_account_record__does_not_write_what_it_would_not_read(void **state)
{
    const struct gk_crypto *crypto = *state;
    struct gk_account_record *record = full_record();
    strcpy(record->account, "Contoso1");
    expect_unwritable(crypto, record);
    record = full_record();
    memset(record->account, 'a', sizeof record->account);
    expect_unwritable(crypto, record);
    record = full_record();
    record->sequence = 0;
    expect_unwritable(crypto, record);
    record = full_record();
    record->generations[0].state = GK_GENERATION_ACTIVE;
    expect_unwritable(crypto, record);
    record = full_record();
    record->generations_count = GK_ACCOUNT_GENERATIONS_MAX + 1;
    expect_unwritable(crypto, record);
    record = full_record();
    record->generations[1].wraps_count = 3;
    expect_unwritable(crypto, record);
    record = full_record();
    record->generations[1].wraps[1].value_len = 257;
    expect_unwritable(crypto, record);
    record = full_record();
    record->settings.key.name[0] = '\0';
    expect_unwritable(crypto, record);
    record = full_record();
    record->settings.identity.resource_id[0] = '\xff'; /* not UTF-8 */
    expect_unwritable(crypto, record);
    record = full_record();
    record->key_expires_wall_ms = -1;
    expect_unwritable(crypto, record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_account_record__gives_back_every_field),
        cmocka_unit_test(test_account_record__what_is_kept_is_copied_whole),
        cmocka_unit_test(test_account_record__needs_no_word_of_the_vault),
        cmocka_unit_test(test_account_record__full_of_the_longest_fields_fits),
        cmocka_unit_test(test_account_record__refuses_every_changed_bit_and_cut),
        cmocka_unit_test(test_account_record__refuses_another_account_or_service_key),
        cmocka_unit_test(test_account_record__what_is_newer_has_a_later_version),
        cmocka_unit_test(test_account_record__refuses_authentic_nonsense),
        cmocka_unit_test(test_account_record__wraps_of_vaults_have_a_form),
        cmocka_unit_test(test_account_record__refuses_what_is_no_object_or_too_large),
        cmocka_unit_test(test_account_record__does_not_write_what_it_would_not_read),
    };
    return cmocka_run_group_tests(tests, crypto_setup, crypto_teardown);
}
