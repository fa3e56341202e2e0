/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/http/tls.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/secret_file.h"
#include "common/text.h"
#include "gateway/pem_file.h"

#define KEY_ID_BYTES 20u
#define MS_PER_S     1000

struct gk_tls {
    gnutls_certificate_credentials_t credentials;
    bool asks_clients;
    int64_t certificate_ends_s;
    int64_t client_ca_ends_s;
    atomic_uint references;
};

/* While it is read; the credentials have copies of it all. */
struct reading {
    gnutls_x509_crt_t *certificates; /* the server's own, then its issuers' */
    unsigned count;
    gnutls_x509_privkey_t key;
    gnutls_x509_crt_t *authorities; /* of clients */
    unsigned authorities_count;
    int64_t now_s;
};

static gnutls_datum_t datum_of(const char *pem)
{
    gnutls_datum_t datum = {.size = (unsigned)strlen(pem)};
    memcpy(&datum.data, &pem, sizeof datum.data); /* the library only reads it */
    return datum;
}

/* --- certificates -------------------------------------------------------------------------------*/

/* what: what the file is to hold. */
static enum gk_status read_certificates(const char *path, const char *what,
                                        gnutls_x509_crt_t **certificates, unsigned *count,
                                        struct gk_error *error)
{
    char *pem = NULL;
    const enum gk_status status = gk_pem_file_read(path, &pem, error);
    if (status != GK_OK) {
        return status;
    }
    const gnutls_datum_t datum = datum_of(pem);
    const int code =
        gnutls_x509_crt_list_import2(certificates, count, &datum, GNUTLS_X509_FMT_PEM, 0);
    gk_pem_file_free(&pem);
    return code >= 0 && *count > 0
               ? GK_OK
               : gk_fail(error, GK_E_INVALID,
                         "%s: holds no certificate that can be read (%s); name a PEM file that %s",
                         path, gnutls_strerror(code), what);
}

static enum gk_status check_dates(const gnutls_x509_crt_t *certificates, unsigned count,
                                  int64_t now_s, const char *path, struct gk_error *error)
{
    for (unsigned i = 0; i < count; i++) {
        const gnutls_x509_crt_t certificate = certificates[i];
        const int64_t begin_s = gnutls_x509_crt_get_activation_time(certificate);
        const int64_t end_s = gnutls_x509_crt_get_expiration_time(certificate);
        char when[GK_TIME_TEXT_BYTES];
        if (now_s < begin_s) {
            gk_time_iso(begin_s * MS_PER_S, when);
            return gk_fail(error, GK_E_INVALID,
                           "%s: certificate %u in it is not valid before %s; set the clock right, "
                           "or get another one",
                           path, i + 1, when);
        }
        if (now_s > end_s) {
            gk_time_iso(end_s * MS_PER_S, when);
            return gk_fail(error, GK_E_INVALID, "%s: certificate %u in it ended at %s; renew it",
                           path, i + 1, when);
        }
    }
    return GK_OK;
}

/* Of the one that ends first; 0 of none. */
static int64_t first_end_s(const gnutls_x509_crt_t *certificates, unsigned count)
{
    int64_t first_s = 0;
    for (unsigned i = 0; i < count; i++) {
        const int64_t end_s = gnutls_x509_crt_get_expiration_time(certificates[i]);
        first_s = i == 0 || end_s < first_s ? end_s : first_s;
    }
    return first_s;
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

/* --- clients' certificates ----------------------------------------------------------------------*/

static enum gk_status read_authorities(struct reading *reading, const char *path,
                                       struct gk_error *error)
{
    const enum gk_status status =
        read_certificates(path, "holds those of the clients' authorities", &reading->authorities,
                          &reading->authorities_count, error);
    return status == GK_OK ? check_dates(reading->authorities, reading->authorities_count,
                                         reading->now_s, path, error)
                           : status;
}

static void log_refusal(unsigned problems)
{
    gnutls_datum_t reason = {0};
    if (gnutls_certificate_verification_status_print(problems, GNUTLS_CRT_X509, &reason, 0) >= 0) {
        gk_log(GK_LOG_WARNING, "http", "a client's certificate is refused: %s",
               (const char *)reason.data);
        gnutls_free(reason.data);
    }
}

/* Of the handshake: whether it may go on. A client that has shown none is what the requests are to judge. */
static int verify_client(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID};
    static const char client[] = GNUTLS_KP_TLS_WWW_CLIENT;
    const char *const text = client;
    memcpy(&purpose.data, &text, sizeof purpose.data); /* the library only reads it */
    unsigned problems = 0;
    if (gk_tls_client_certificate(session).len == 0) {
        return 0;
    }
    if (gnutls_certificate_verify_peers(session, &purpose, 1, &problems) < 0) {
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    if (problems != 0) {
        log_refusal(problems);
        return GNUTLS_E_CERTIFICATE_ERROR;
    }
    return 0;
}

/* --- all of it ----------------------------------------------------------------------------------*/

static int fill(const struct reading *reading, struct gk_tls *tls)
{
    int code = gnutls_certificate_set_x509_key(tls->credentials, reading->certificates,
                                               (int)reading->count, reading->key);
    if (code >= 0 && reading->authorities != NULL) {
        tls->asks_clients = true;
        gnutls_certificate_set_verify_function(tls->credentials, verify_client);
        code = gnutls_certificate_set_x509_trust(tls->credentials, reading->authorities,
                                                 (int)reading->authorities_count);
    }
    return code;
}

static enum gk_status make(const struct reading *reading, const char *path, struct gk_tls **out,
                           struct gk_error *error)
{
    struct gk_tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL || gnutls_certificate_allocate_credentials(&tls->credentials) < 0) {
        free(tls);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    atomic_init(&tls->references, 1);
    tls->certificate_ends_s = first_end_s(reading->certificates, reading->count);
    tls->client_ca_ends_s = first_end_s(reading->authorities, reading->authorities_count);
    const int code = fill(reading, tls);
    if (code < 0) {
        gk_tls_release(tls);
        return gk_fail(error, GK_E_INVALID, "%s: cannot be used: %s", path, gnutls_strerror(code));
    }
    *out = tls;
    return GK_OK;
}

static enum gk_status read_pair(struct reading *reading, const struct gk_tls_files *files,
                                enum gk_tls_part *part, struct gk_error *error)
{
    *part = GK_TLS_CERTIFICATE;
    enum gk_status status = read_certificates(files->certificate, "begins with the server's",
                                              &reading->certificates, &reading->count, error);
    if (status == GK_OK) {
        status = check_dates(reading->certificates, reading->count, reading->now_s,
                             files->certificate, error);
    }
    if (status == GK_OK) {
        status = check_strength(reading, files->certificate, error);
    }
    if (status == GK_OK) {
        *part = GK_TLS_KEY;
        status = read_key(reading, files->key, error);
    }
    if (status == GK_OK) {
        status = check_pair(reading, files->certificate, files->key, part, error);
    }
    if (status == GK_OK) {
        *part = GK_TLS_CERTIFICATE;
        status = check_order(reading, files->certificate, error);
    }
    return status;
}

static void free_list(gnutls_x509_crt_t *certificates, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        gnutls_x509_crt_deinit(certificates[i]);
    }
    gnutls_free(certificates);
}

enum gk_status gk_tls_read(const struct gk_tls_files *files, int64_t now_s, struct gk_tls **out,
                           enum gk_tls_part *part, struct gk_error *error)
{
    struct reading reading = {.now_s = now_s};
    *out = NULL;
    enum gk_status status = read_pair(&reading, files, part, error);
    if (status == GK_OK && files->client_ca != NULL) {
        *part = GK_TLS_CLIENT_CA;
        status = read_authorities(&reading, files->client_ca, error);
    }
    if (status == GK_OK) {
        status = make(&reading, files->certificate, out, error);
    }
    free_list(reading.certificates, reading.count);
    free_list(reading.authorities, reading.authorities_count);
    if (reading.key != NULL) {
        gnutls_x509_privkey_deinit(reading.key);
    }
    return status;
}

int64_t gk_tls_certificate_ends_s(const struct gk_tls *tls)
{
    return tls->certificate_ends_s;
}

int64_t gk_tls_client_ca_ends_s(const struct gk_tls *tls)
{
    return tls->client_ca_ends_s;
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

/* --- sessions -----------------------------------------------------------------------------------*/

void gk_tls_begin(struct gk_tls *tls, void *session)
{
    (void)gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
    gnutls_certificate_server_set_request(session, tls->asks_clients ? GNUTLS_CERT_REQUEST
                                                                     : GNUTLS_CERT_IGNORE);
}

struct gk_span gk_tls_client_certificate(void *session)
{
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (chain == NULL || count == 0) {
        return gk_span_of(NULL, 0);
    }
    return gk_span_of(chain[0].data, chain[0].size);
}
