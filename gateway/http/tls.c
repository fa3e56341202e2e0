/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"
#include "gateway/pem_file.h"

#define KEY_ID_BYTES 20u
#define MS_PER_S     1000

struct gk_tls {
    gnutls_certificate_credentials_t credentials;
    atomic_uint references;
};

/* While it is read; the credentials have copies of it all. */
struct reading {
    gnutls_x509_crt_t *certificates; /* the server's own, then its issuers' */
    unsigned count;
    gnutls_x509_privkey_t key;
    int64_t now_s;
};

static gnutls_datum_t datum_of(const char *pem)
{
    gnutls_datum_t datum = {.size = (unsigned)strlen(pem)};
    memcpy(&datum.data, &pem, sizeof datum.data); /* the library only reads it */
    return datum;
}

/* --- certificates -------------------------------------------------------------------------------*/

static enum gk_status read_certificates(struct reading *reading, const char *path,
                                        struct gk_error *error)
{
    char *pem = NULL;
    const enum gk_status status = gk_pem_file_read(path, &pem, error);
    if (status != GK_OK) {
        return status;
    }
    const gnutls_datum_t datum = datum_of(pem);
    const int code = gnutls_x509_crt_list_import2(&reading->certificates, &reading->count, &datum,
                                                  GNUTLS_X509_FMT_PEM, 0);
    gk_pem_file_free(&pem);
    return code >= 0 && reading->count > 0
               ? GK_OK
               : gk_fail(error, GK_E_INVALID,
                         "%s: holds no certificate that can be read (%s); name a PEM file that "
                         "begins with the server's",
                         path, gnutls_strerror(code));
}

static enum gk_status check_dates(const struct reading *reading, const char *path,
                                  struct gk_error *error)
{
    for (unsigned i = 0; i < reading->count; i++) {
        const gnutls_x509_crt_t certificate = reading->certificates[i];
        const int64_t begin_s = gnutls_x509_crt_get_activation_time(certificate);
        const int64_t end_s = gnutls_x509_crt_get_expiration_time(certificate);
        char when[GK_TIME_TEXT_BYTES];
        if (reading->now_s < begin_s) {
            gk_time_iso(begin_s * MS_PER_S, when);
            return gk_fail(error, GK_E_INVALID,
                           "%s: certificate %u in it is not valid before %s; set the clock right, "
                           "or get another one",
                           path, i + 1, when);
        }
        if (reading->now_s > end_s) {
            gk_time_iso(end_s * MS_PER_S, when);
            return gk_fail(error, GK_E_INVALID, "%s: certificate %u in it ended at %s; renew it",
                           path, i + 1, when);
        }
    }
    return GK_OK;
}

/* Clients follow the issuers from the server's own certificate on. */
static enum gk_status check_order(const struct reading *reading, const char *path,
                                  struct gk_error *error)
{
    for (unsigned i = 1; i < reading->count; i++) {
        if (gnutls_x509_crt_check_issuer(reading->certificates[i - 1], reading->certificates[i]) ==
            0) {
            return gk_fail(error, GK_E_INVALID,
                           "%s: certificate %u in it did not issue certificate %u; put the "
                           "server's own first, and after each one its issuer's",
                           path, i + 1, i);
        }
    }
    return GK_OK;
}

static enum gk_status check_strength(const struct reading *reading, const char *path,
                                     struct gk_error *error)
{
    unsigned bits = 0;
    const int algorithm = gnutls_x509_crt_get_pk_algorithm(reading->certificates[0], &bits);
    const bool good =
        algorithm >= 0 && gnutls_pk_bits_to_sec_param((gnutls_pk_algorithm_t)algorithm, bits) >=
                              GNUTLS_SEC_PARAM_MEDIUM;
    return good ? GK_OK
                : gk_fail(error, GK_E_INVALID,
                          "%s: is for a key of %u bits, which clients refuse; make one of RSA with "
                          "2048 at least, or of ECDSA",
                          path, bits);
}

/* --- the private key ----------------------------------------------------------------------------*/

static enum gk_status read_key(struct reading *reading, const char *path, struct gk_error *error)
{
    char *pem = NULL;
    size_t len = 0;
    const enum gk_status status = gk_secret_pem_read(path, &pem, &len, error);
    if (status != GK_OK) {
        return status;
    }
    const gnutls_datum_t datum = datum_of(pem);
    int code = gnutls_x509_privkey_init(&reading->key);
    if (code >= 0) {
        code = gnutls_x509_privkey_import2(reading->key, &datum, GNUTLS_X509_FMT_PEM, NULL, 0);
    }
    gk_secret_free(&pem);
    return code >= 0 ? GK_OK
                     : gk_fail(error, GK_E_INVALID,
                               "%s: holds no private key that can be read without a password (%s); "
                               "name a PEM file with one",
                               path, gnutls_strerror(code));
}

static bool is_key_of(const struct reading *reading, unsigned i)
{
    unsigned char ids[2][KEY_ID_BYTES];
    size_t sizes[2] = {sizeof ids[0], sizeof ids[1]};
    return gnutls_x509_crt_get_key_id(reading->certificates[i], GNUTLS_KEYID_USE_SHA1, ids[0],
                                      &sizes[0]) >= 0 &&
           gnutls_x509_privkey_get_key_id(reading->key, GNUTLS_KEYID_USE_SHA1, ids[1], &sizes[1]) >=
               0 &&
           sizes[0] == sizes[1] && memcmp(ids[0], ids[1], sizes[0]) == 0;
}

static enum gk_status check_pair(const struct reading *reading, const char *certificate_file,
                                 const char *key_file, enum gk_tls_part *part,
                                 struct gk_error *error)
{
    if (is_key_of(reading, 0)) {
        return GK_OK;
    }
    for (unsigned i = 1; i < reading->count; i++) {
        if (is_key_of(reading, i)) {
            *part = GK_TLS_CERTIFICATE;
            return gk_fail(error, GK_E_INVALID,
                           "%s: the certificate of the key is number %u in it; put it first",
                           certificate_file, i + 1);
        }
    }
    *part = GK_TLS_KEY;
    const int kind = gnutls_x509_privkey_get_pk_algorithm(reading->key);
    const int wanted = gnutls_x509_crt_get_pk_algorithm(reading->certificates[0], NULL);
    return gk_fail(error, GK_E_INVALID,
                   "%s: its key, of %s, is not that of the certificate, of %s; name the two that "
                   "belong together",
                   key_file, gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)kind),
                   gnutls_pk_algorithm_get_name((gnutls_pk_algorithm_t)wanted));
}

/* --- both ---------------------------------------------------------------------------------------*/

static enum gk_status make(const struct reading *reading, const char *path, struct gk_tls **out,
                           struct gk_error *error)
{
    struct gk_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL || gnutls_certificate_allocate_credentials(&tls->credentials) < 0) {
        free(tls);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    atomic_init(&tls->references, 1);
    const int code = gnutls_certificate_set_x509_key(tls->credentials, reading->certificates,
                                                     (int)reading->count, reading->key);
    if (code < 0) {
        gk_tls_release(tls);
        return gk_fail(error, GK_E_INVALID, "%s: cannot be used: %s", path, gnutls_strerror(code));
    }
    *out = tls;
    return GK_OK;
}

static enum gk_status read_both(struct reading *reading, const char *certificate_file,
                                const char *key_file, enum gk_tls_part *part,
                                struct gk_error *error)
{
    *part = GK_TLS_CERTIFICATE;
    enum gk_status status = read_certificates(reading, certificate_file, error);
    if (status == GK_OK) {
        status = check_dates(reading, certificate_file, error);
    }
    if (status == GK_OK) {
        status = check_strength(reading, certificate_file, error);
    }
    if (status == GK_OK) {
        *part = GK_TLS_KEY;
        status = read_key(reading, key_file, error);
    }
    if (status == GK_OK) {
        status = check_pair(reading, certificate_file, key_file, part, error);
    }
    if (status == GK_OK) {
        *part = GK_TLS_CERTIFICATE;
        status = check_order(reading, certificate_file, error);
    }
    return status;
}

enum gk_status gk_tls_read(const char *certificate_file, const char *key_file, int64_t now_s,
                           struct gk_tls **out, enum gk_tls_part *part, struct gk_error *error)
{
    struct reading reading = {.now_s = now_s};
    *out = NULL;
    enum gk_status status = read_both(&reading, certificate_file, key_file, part, error);
    if (status == GK_OK) {
        status = make(&reading, certificate_file, out, error);
    }
    for (unsigned i = 0; i < reading.count; i++) {
        gnutls_x509_crt_deinit(reading.certificates[i]);
    }
    gnutls_free(reading.certificates);
    if (reading.key != NULL) {
        gnutls_x509_privkey_deinit(reading.key);
    }
    return status;
}

struct gk_tls *gk_tls_retain(struct gk_tls *tls)
{
    atomic_fetch_add_explicit(&tls->references, 1, memory_order_relaxed);
    return tls;
}

/* The last one must see what the others did with it. */
void gk_tls_release(struct gk_tls *tls)
{
    if (tls != NULL && atomic_fetch_sub_explicit(&tls->references, 1, memory_order_acq_rel) == 1) {
        gnutls_certificate_free_credentials(tls->credentials);
        free(tls);
    }
}

void *gk_tls_credentials(struct gk_tls *tls)
{
    return tls->credentials;
}
