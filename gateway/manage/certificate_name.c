/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/certificate_name.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buf.h"
#include "common/text.h"

#define SHA256_BYTES          32u
#define NAME_BYTES_MAX        512u
#define ALTERNATIVE_NAMES_MAX 256u

/* --- what is configured -------------------------------------------------------------------------*/

/* NULL: it is not a subject. The library's own way of writing it makes spaces and cases of types equal. */
static char *normal_subject(const char *text)
{
    gnutls_x509_dn_t dn = NULL;
    gnutls_datum_t written = {0};
    const char *wrong = NULL;
    if (gnutls_x509_dn_init(&dn) < 0) {
        return NULL;
    }
    char *out = NULL;
    if (gnutls_x509_dn_set_str(dn, text, &wrong) >= 0 &&
        gnutls_x509_dn_get_str2(dn, &written, 0) >= 0) {
        out = strdup((const char *)written.data);
        gnutls_free(written.data);
    }
    gnutls_x509_dn_deinit(dn);
    return out;
}

static char *normal_sha256(const char *text)
{
    uint8_t digest[SHA256_BYTES];
    if (!gk_hex_decode(gk_span_str(text), digest, sizeof digest)) {
        return NULL;
    }
    char *out = strdup(text);
    for (char *at = out; at != NULL && *at != '\0'; at++) {
        *at = (char)tolower((unsigned char)*at);
    }
    return out;
}

static char *plain(const char *text)
{
    return strdup(text);
}

bool gk_certificate_name_init(struct gk_certificate_name *name, const char *text)
{
    static const struct {
        const char *prefix;
        enum gk_certificate_field field;
        char *(*normal)(const char *text);
    } fields[] = {{"uri:", GK_CERTIFICATE_URI, plain},
                  {"dns:", GK_CERTIFICATE_DNS, plain},
                  {"subject:", GK_CERTIFICATE_SUBJECT, normal_subject},
                  {"sha256:", GK_CERTIFICATE_SHA256, normal_sha256}};
    *name = (struct gk_certificate_name){0};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const size_t len = strlen(fields[i].prefix);
        if (strncmp(text, fields[i].prefix, len) == 0 && text[len] != '\0' &&
            strlen(text) <= NAME_BYTES_MAX) {
            name->text = fields[i].normal(text + len);
            name->field = name->text == NULL ? GK_CERTIFICATE_NONE : fields[i].field;
        }
    }
    return name->text != NULL;
}

void gk_certificate_name_cleanup(struct gk_certificate_name *name)
{
    free(name->text);
    *name = (struct gk_certificate_name){0};
}

static bool same_text(enum gk_certificate_field field, const char *a, const char *b)
{
    return field == GK_CERTIFICATE_DNS ? strcasecmp(a, b) == 0 : strcmp(a, b) == 0;
}

bool gk_certificate_name_equal(const struct gk_certificate_name *a,
                               const struct gk_certificate_name *b)
{
    return a->field != GK_CERTIFICATE_NONE && a->field == b->field &&
           same_text(a->field, a->text, b->text);
}

/* --- what a certificate has ---------------------------------------------------------------------*/

/* Each alternative name is asked for by its place; the list ends with an error. A name with a NUL in it, which would
 * pass for a shorter one, and one that is longer than any that can be configured are nobody's. */
static bool has_alternative(const struct gk_certificate_name *name, gnutls_x509_crt_t certificate)
{
    const int kind = name->field == GK_CERTIFICATE_URI ? GNUTLS_SAN_URI : GNUTLS_SAN_DNSNAME;
    for (unsigned i = 0; i < ALTERNATIVE_NAMES_MAX; i++) {
        char text[NAME_BYTES_MAX + 1] = "";
        size_t len = sizeof text - 1;
        const int found = gnutls_x509_crt_get_subject_alt_name(certificate, i, text, &len, NULL);
        if (found == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return false;
        }
        if (found == kind && strlen(text) == len && same_text(name->field, name->text, text)) {
            return true;
        }
    }
    return false;
}

static bool has_subject(const struct gk_certificate_name *name, gnutls_x509_crt_t certificate)
{
    gnutls_datum_t subject = {0};
    if (gnutls_x509_crt_get_dn3(certificate, &subject, 0) < 0) {
        return false;
    }
    const bool same = strlen((const char *)subject.data) == subject.size &&
                      same_text(name->field, name->text, (const char *)subject.data);
    gnutls_free(subject.data);
    return same;
}

void gk_certificate_sha256(gnutls_x509_crt_t certificate, char out[GK_SHA256_HEX_BYTES])
{
    uint8_t digest[SHA256_BYTES];
    size_t len = sizeof digest;
    struct gk_buf text;
    gk_buf_init_over(&text, out, GK_SHA256_HEX_BYTES);
    out[0] = '\0';
    if (gnutls_x509_crt_get_fingerprint(certificate, GNUTLS_DIG_SHA256, digest, &len) >= 0) {
        gk_hex_encode(&text, gk_span_of(digest, len));
    }
}

bool gk_certificate_name_fits(const struct gk_certificate_name *name, gnutls_x509_crt_t certificate)
{
    char sha256[GK_SHA256_HEX_BYTES];
    switch (name->field) {
    case GK_CERTIFICATE_URI:
    case GK_CERTIFICATE_DNS:
        return has_alternative(name, certificate);
    case GK_CERTIFICATE_SUBJECT:
        return has_subject(name, certificate);
    case GK_CERTIFICATE_SHA256:
        gk_certificate_sha256(certificate, sha256);
        return same_text(name->field, name->text, sha256);
    case GK_CERTIFICATE_NONE:
        break;
    }
    return false;
}
