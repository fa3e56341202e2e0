/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/service_key.h"

#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"

#define FILE_LABEL     "gatekey-service-key-v1 "
#define FILE_BYTES_MAX 128u
#define ID_LABEL       "gatekey/v1/service-key-id"
#define ID_BYTES       8u

struct gk_kv_service_key {
    uint8_t bytes[GK_ROOT_KEY_BYTES];
};

static int open_private(const char *path, struct gk_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    struct stat info;
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
        (info.st_mode & (S_IRWXO | S_IRWXG)) == 0) {
        return fd;
    }
    if (fd >= 0) {
        close(fd);
    }
    (void)gk_fail(error, GK_E_INVALID,
                  "service_key_file: %s cannot be read, is no regular file, or is open to others "
                  "than its owner; make one with gatekeyctl service-key create, and chmod 0600 it",
                  path);
    return -1;
}

/* One byte more than the longest line is asked for, so that a longer file is noticed. */
static size_t read_whole(int fd, char *text, size_t max)
{
    size_t len = 0;
    while (len < max) {
        const ssize_t got = read(fd, text + len, max - len);
        if (got <= 0) {
            break;
        }
        len += (size_t)got;
    }
    return len;
}

static bool decode(struct gk_span text, struct gk_kv_service_key *key)
{
    const size_t label_len = sizeof FILE_LABEL - 1;
    while (text.len > 0 && strchr("\r\n", text.data[text.len - 1]) != NULL) {
        text.len--;
    }
    uint8_t *bytes = gk_secret_alloc(GK_ROOT_KEY_BYTES + 1);
    struct gk_buf out;
    bool good = false;
    if (bytes != NULL && text.len > label_len && memcmp(text.data, FILE_LABEL, label_len) == 0) {
        gk_buf_init_over(&out, bytes, GK_ROOT_KEY_BYTES + 1);
        good = gk_base64_decode(&out, gk_span_of(text.data + label_len, text.len - label_len)) &&
               out.len == GK_ROOT_KEY_BYTES;
    }
    if (good) {
        memcpy(key->bytes, bytes, GK_ROOT_KEY_BYTES);
    }
    gk_secret_free(&bytes);
    return good;
}

enum gk_status gk_kv_service_key_read(const char *path, struct gk_kv_service_key **out,
                                      struct gk_error *error)
{
    *out = NULL;
    const int fd = open_private(path, error);
    if (fd < 0) {
        return GK_E_INVALID;
    }
    char *text = gk_secret_alloc(FILE_BYTES_MAX);
    struct gk_kv_service_key *key = gk_secret_alloc(sizeof *key);
    enum gk_status status = GK_OK;
    if (text == NULL || key == NULL) {
        status = gk_fail(error, GK_E_RESOURCE, "no memory that can be locked");
    } else if (!decode(gk_span_of(text, read_whole(fd, text, FILE_BYTES_MAX)), key)) {
        status = gk_fail(error, GK_E_INVALID,
                         "service_key_file: %s does not hold a service key; put back the file that "
                         "gatekeyctl service-key create wrote",
                         path);
    }
    close(fd);
    gk_secret_free(&text);
    if (status != GK_OK) {
        gk_secret_free(&key);
    }
    *out = key;
    return status;
}

static bool hkdf(const struct gk_kv_service_key *key, const char *label, uint8_t *out,
                 size_t out_len)
{
    /* OpenSSL takes parameters that are not const; it writes to none of them. */
    char digest[] = "SHA256";
    uint8_t *secret = gk_secret_alloc(sizeof key->bytes);
    char info[64];
    const size_t label_len = strlen(label);
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool good = secret != NULL && ctx != NULL && label_len > 0 && label_len < sizeof info;
    if (good) {
        memcpy(secret, key->bytes, sizeof key->bytes);
        memcpy(info, label, label_len + 1);
        const OSSL_PARAM params[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret, sizeof key->bytes),
            OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, label_len),
            OSSL_PARAM_construct_end(),
        };
        good = EVP_KDF_derive(ctx, out, out_len, params) == 1;
    }
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    gk_secret_free(&secret);
    if (!good) {
        gk_wipe(out, out_len);
    }
    return good;
}

enum gk_status gk_kv_service_key_derive(const struct gk_kv_service_key *key, const char *label,
                                        uint8_t out[GK_ROOT_KEY_BYTES], struct gk_error *error)
{
    return hkdf(key, label, out, GK_ROOT_KEY_BYTES)
               ? GK_OK
               : gk_fail(error, GK_E_RESOURCE, "a key cannot be derived from the service key");
}

enum gk_status gk_kv_service_key_id(const struct gk_kv_service_key *key, char id[17],
                                    struct gk_error *error)
{
    uint8_t bytes[ID_BYTES];
    struct gk_buf text;
    memset(id, 0, 17);
    if (!hkdf(key, ID_LABEL, bytes, sizeof bytes)) {
        return gk_fail(error, GK_E_RESOURCE, "the service key's name cannot be derived");
    }
    gk_buf_init_over(&text, id, 17);
    gk_hex_encode(&text, gk_span_of(bytes, sizeof bytes));
    return GK_OK;
}

void gk_kv_service_key_free(struct gk_kv_service_key *key)
{
    gk_secret_free(&key);
}
