/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/certificate_pair.h"

#include <openssl/pem.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"

/* Nobody is there to be asked. */
static int no_password(char *out, int max, int writing, void *ctx)
{
    (void)out, (void)max, (void)writing, (void)ctx;
    return -1;
}

void gk_kv_certificate_pair_cleanup(struct gk_kv_certificate_pair *pair)
{
    EVP_PKEY_free(pair->key);
    X509_free(pair->certificate);
    *pair = (struct gk_kv_certificate_pair){0};
}

/* Either may be missing. */
static struct gk_kv_certificate_pair parse_pair(const char *pem, size_t len)
{
    struct gk_kv_certificate_pair pair = {0};
    BIO *bio = BIO_new_mem_buf(pem, (int)len);
    if (bio != NULL) {
        pair.key = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
        (void)BIO_reset(bio);
        pair.certificate = PEM_read_bio_X509(bio, NULL, no_password, NULL);
    }
    BIO_free(bio);
    return pair;
}

static const char *complaint(const struct gk_kv_certificate_pair *pair, int64_t now_s)
{
    time_t now = (time_t)now_s;
    if (pair->key == NULL) {
        return "holds no private key without a password";
    }
    if (pair->certificate == NULL || X509_check_private_key(pair->certificate, pair->key) != 1) {
        return "holds no certificate of its private key";
    }
    if (X509_cmp_time(X509_get0_notBefore(pair->certificate), &now) >= 0 ||
        X509_cmp_time(X509_get0_notAfter(pair->certificate), &now) <= 0) {
        return "holds a certificate that is not valid now; renew it";
    }
    return NULL;
}

enum gk_status gk_kv_certificate_pair_read(const char *path, int64_t now_s,
                                           struct gk_kv_certificate_pair *out,
                                           struct gk_error *error)
{
    char *pem = NULL;
    size_t len = 0;
    *out = (struct gk_kv_certificate_pair){0};
    const enum gk_status status = gk_secret_pem_read(path, &pem, &len, error);
    if (status != GK_OK) {
        return status;
    }
    *out = parse_pair(pem, len);
    gk_secret_free(&pem);
    const char *wrong = complaint(out, now_s);
    if (wrong == NULL) {
        return GK_OK;
    }
    gk_kv_certificate_pair_cleanup(out);
    return gk_fail(error, GK_E_INVALID, "%s: %s", path, wrong);
}
