/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a client's key is taken whole, right and over TLS or not at all, and opens only what it is told
 * to have sealed; nothing of it stays behind. Method: a row for each way to send it wrong.
 */
#include "gateway/blob/encryption_headers.h"

#include "common/error.h"
#include "common/secret.h"

#include "unit/request_fixture.h"

/* 32 bytes of 0x41 and of 0x42, and their hashes. */
#define KEY_A  "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define HASH_A "IqSAUVlMGUne7XBAhQwfD4dkU39Rkb5Wcy0WpUwdgVM="
#define KEY_B  "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="
#define HASH_B "Ql7U5KNrMOohuQ4hxxLGSeghTCm36vaAidEDnG5VOEw="

#define KEY(value)                                                                                 \
    {                                                                                              \
        "x-ms-encryption-key", value                                                               \
    }
#define HASH(value)                                                                                \
    {                                                                                              \
        "X-MS-Encryption-Key-SHA256", value                                                        \
    }
#define ALGORITHM(value)                                                                           \
    {                                                                                              \
        "x-ms-encryption-algorithm", value                                                         \
    }

#define SCOPE(value)                                                                               \
    {                                                                                              \
        "x-ms-encryption-scope", value                                                             \
    }

static const struct gk_container_encryption of_account = {.scope = ""};

static struct gk_request *request_of(struct headed *headed, const struct gk_pair *headers,
                                     enum gk_operation operation, bool tls)
{
    headed_init(headed, headers);
    headed->request.operation = operation;
    headed->request.tls = tls;
    return &headed->request;
}

static void test_encryption_headers__are_whole_and_right(void **state)
{
    (void)state;
    static const struct {
        struct gk_pair headers[4];
        enum gk_operation operation;
        bool plain;
        unsigned status;
        const char *code;
    } rows[] = {
        {{{NULL, NULL}}, GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, true, 0, ""},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_PUT_BLOB_BLOCKBLOB,
         .code = ""},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")}, GK_OP_BLOB_GET_BLOB, .code = ""},
        {{KEY(KEY_A), HASH(HASH_A)}, GK_OP_BLOB_GET_BLOB, .code = ""},
        {{KEY(KEY_A), HASH(HASH_A)}, GK_OP_BLOB_PUT_BLOCK, false, 400, "MissingRequiredHeader"},
        {{KEY(KEY_A), ALGORITHM("AES256")},
         GK_OP_BLOB_PUT_BLOCK,
         false,
         400,
         "MissingRequiredHeader"},
        {{HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "MissingRequiredHeader"},
        {{ALGORITHM("AES256")}, GK_OP_BLOB_GET_BLOB, false, 400, "MissingRequiredHeader"},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES128")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY(KEY_A), HASH(HASH_B), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY("QUFB"), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY(""), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY(KEY_A "QUFB"), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY("not base64!"), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY(KEY_A), HASH("QUFB"), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         false,
         400,
         "InvalidHeaderValue"},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_GET_BLOB,
         true,
         400,
         "InvalidHeaderValue"},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_COPY_BLOB,
         false,
         400,
         "UnsupportedHeader"},
        {{KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_DELETE_BLOB,
         false,
         400,
         "UnsupportedHeader"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct headed headed;
        struct gk_error error = {0};
        const struct gk_request *request =
            request_of(&headed, rows[i].headers, rows[i].operation, !rows[i].plain);
        const enum gk_status status = gk_encryption_headers_check(request, &error);
        assert_answer(status, &error, rows[i].status, rows[i].code);
        assert_null(strstr(error.message, "QUFB"));
    }
}

static void test_encryption_headers__fit_the_blob_s_key_alone(void **state)
{
    (void)state;
    static const struct gk_pair none[] = {{NULL, NULL}};
    static const struct gk_pair with_a[] = {KEY(KEY_A), HASH(HASH_A), {NULL, NULL}};
    static const struct gk_pair with_b[] = {KEY(KEY_B), HASH(HASH_B), {NULL, NULL}};
    static const struct gk_pair *const made_with[] = {none, with_a, with_b};
    static const char *const codes[3][3] = {
        {"", "BlobDoesNotUseCustomerSpecifiedEncryption",
         "BlobDoesNotUseCustomerSpecifiedEncryption"},
        {"BlobUsesCustomerSpecifiedEncryption", "", "BlobCustomerSpecifiedEncryptionMismatch"},
        {"BlobUsesCustomerSpecifiedEncryption", "BlobCustomerSpecifiedEncryptionMismatch", ""}};
    for (size_t made = 0; made < 3; made++) {
        struct headed headed;
        struct gk_encryption encryption;
        struct gk_error error = {0};
        const struct gk_request *request =
            request_of(&headed, made_with[made], GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, true);
        assert_int_equal(gk_encryption_of_new(request, &of_account, &encryption, &error), GK_OK);
        for (size_t read = 0; read < 3; read++) {
            memset(&error, 0, sizeof error);
            request = request_of(&headed, made_with[read], GK_OP_BLOB_GET_BLOB, true);
            const enum gk_status status = gk_encryption_match(request, &encryption, &error);
            const char *code = codes[made][read];
            assert_answer(status, &error, code[0] == '\0' ? 0 : 409, code);
        }
    }
}

/* --- scopes -------------------------------------------------------------------------------------*/

static void test_encryption_headers__a_scope_is_a_name_and_no_key(void **state)
{
    (void)state;
    static const struct {
        struct gk_pair headers[4];
        enum gk_operation operation;
        unsigned status;
        const char *code;
    } rows[] = {
        {{SCOPE("abc")}, GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, 0, ""},
        {{SCOPE("$account-encryption-key")}, GK_OP_BLOB_APPEND_BLOCK, 0, ""},
        {{SCOPE("abc")}, GK_OP_BLOB_COPY_BLOB_FROM_URL, 0, ""},
        {{SCOPE("abc")}, GK_OP_BLOB_GET_BLOB, 400, "UnsupportedHeader"},
        {{SCOPE("abc")}, GK_OP_BLOB_DELETE_BLOB, 400, "UnsupportedHeader"},
        {{SCOPE("ab")}, GK_OP_BLOB_PUT_BLOCK, 400, "InvalidHeaderValue"},
        {{SCOPE("ABC")}, GK_OP_BLOB_PUT_BLOCK, 400, "InvalidHeaderValue"},
        {{SCOPE("a/../b")}, GK_OP_BLOB_PUT_BLOCK, 400, "InvalidHeaderValue"},
        {{SCOPE("a--b")}, GK_OP_BLOB_PUT_BLOCK, 400, "InvalidHeaderValue"},
        {{SCOPE("abc"), KEY(KEY_A), HASH(HASH_A), ALGORITHM("AES256")},
         GK_OP_BLOB_PUT_BLOCK,
         400,
         "InvalidHeaderValue"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_pair headers[5] = {{NULL, NULL}};
        struct headed headed;
        struct gk_error error = {0};
        memcpy(headers, rows[i].headers, sizeof rows[i].headers);
        const struct gk_request *request = request_of(&headed, headers, rows[i].operation, true);
        assert_answer(gk_encryption_headers_check(request, &error), &error, rows[i].status,
                      rows[i].code);
    }
}

static void test_encryption_headers__a_signature_settles_the_scope(void **state)
{
    (void)state;
    static const struct gk_pair none[] = {{NULL, NULL}};
    static const struct gk_pair other[] = {SCOPE("other"), {NULL, NULL}};
    static const struct gk_pair query[] = {{"sig", "x"}, {"ses", "abc"}};
    struct headed headed;
    struct gk_encryption encryption;
    struct gk_error error = {0};
    struct gk_request *request = request_of(&headed, none, GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, true);
    request->query = query;
    request->query_count = 2;
    assert_int_equal(gk_encryption_headers_check(request, &error), GK_OK);
    assert_int_equal(gk_encryption_of_new(request, &of_account, &encryption, &error), GK_OK);
    assert_int_equal(encryption.kind, GK_ENCRYPTION_SCOPE);
    assert_string_equal(encryption.scope, "abc");
    request->operation = GK_OP_BLOB_GET_BLOB; /* which is as if it were not there */
    assert_int_equal(gk_encryption_headers_check(request, &error), GK_OK);
    assert_false(gk_encryption_given(request));
    request = request_of(&headed, other, GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, true);
    request->query = query;
    request->query_count = 2;
    assert_answer(gk_encryption_headers_check(request, &error), &error, 400, "InvalidHeaderValue");
}

static void test_encryption_headers__the_container_has_the_last_word(void **state)
{
    (void)state;
    static const struct gk_pair none[] = {{NULL, NULL}};
    static const struct gk_pair same[] = {SCOPE("abc"), {NULL, NULL}};
    static const struct gk_pair other[] = {SCOPE("other"), {NULL, NULL}};
    static const struct gk_pair account[] = {SCOPE("$account-encryption-key"), {NULL, NULL}};
    static const struct gk_pair key[] = {KEY(KEY_A), HASH(HASH_A), {NULL, NULL}};
    static const struct {
        const struct gk_pair *headers;
        bool denied; /* where nothing else than abc may be */
        enum gk_encryption_kind kind;
        const char *scope;
    } rows[] = {{none, false, GK_ENCRYPTION_SCOPE, "abc"},
                {same, false, GK_ENCRYPTION_SCOPE, "abc"},
                {other, true, GK_ENCRYPTION_SCOPE, "other"},
                {account, true, GK_ENCRYPTION_ACCOUNT, ""},
                {key, true, GK_ENCRYPTION_CLIENT_KEY, ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int deny = 0; deny < 2; deny++) {
            const struct gk_container_encryption container = {.scope = "abc",
                                                              .deny_override = deny == 1};
            struct headed headed;
            struct gk_encryption encryption;
            struct gk_error error = {0};
            const bool refused = deny == 1 && rows[i].denied;
            const struct gk_request *request =
                request_of(&headed, rows[i].headers, GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, true);
            assert_answer(gk_encryption_of_new(request, &container, &encryption, &error), &error,
                          refused ? 403 : 0,
                          refused ? "RequestForbiddenByContainerEncryptionPolicy" : "");
            assert_true(refused || encryption.kind == rows[i].kind);
            assert_true(refused || strcmp(encryption.scope, rows[i].scope) == 0);
        }
    }
}

static void test_encryption_headers__a_key_is_read_and_wiped(void **state)
{
    (void)state;
    char text[] = KEY_A;
    const struct gk_pair headers[] = {KEY(text), HASH(HASH_A), {NULL, NULL}};
    struct headed headed;
    struct gk_client_key *key = NULL;
    struct gk_request *request = request_of(&headed, headers, GK_OP_BLOB_GET_BLOB, true);
    assert_int_equal(gk_client_key_read(request, &key, NULL), GK_OK);
    for (size_t i = 0; i < sizeof key->bytes; i++) {
        assert_int_equal(key->bytes[i], 'A');
    }
    gk_secret_free(&key);
    gk_http_header_wipe(&headed.exchange, "X-Ms-Encryption-Key");
    for (size_t i = 0; i < sizeof text; i++) {
        assert_int_equal(text[i], 0);
    }
    assert_string_equal(gk_request_header(request, "x-ms-encryption-key-sha256"), HASH_A);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encryption_headers__are_whole_and_right),
        cmocka_unit_test(test_encryption_headers__fit_the_blob_s_key_alone),
        cmocka_unit_test(test_encryption_headers__a_key_is_read_and_wiped),
        cmocka_unit_test(test_encryption_headers__a_scope_is_a_name_and_no_key),
        cmocka_unit_test(test_encryption_headers__a_signature_settles_the_scope),
        cmocka_unit_test(test_encryption_headers__the_container_has_the_last_word),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
