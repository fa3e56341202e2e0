/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/identity_certificates.h"

#include <gnutls/x509.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/secret.h"
#include "common/secret_file.h"
#include "gateway/metrics.h"

/* NaN: it holds no certificate, or cannot be read. The private key is in the same file. */
static double end_of(const char *path)
{
    char *pem = NULL;
    size_t len = 0;
    gnutls_x509_crt_t certificate = NULL;
    double end = NAN;
    if (gk_secret_pem_read(path, &pem, &len, NULL) != GK_OK) {
        return NAN;
    }
    const gnutls_datum_t datum = {.data = (unsigned char *)pem, .size = (unsigned)len};
    if (gnutls_x509_crt_init(&certificate) == GNUTLS_E_SUCCESS &&
        gnutls_x509_crt_import(certificate, &datum, GNUTLS_X509_FMT_PEM) == GNUTLS_E_SUCCESS) {
        end = (double)gnutls_x509_crt_get_expiration_time(certificate);
    }
    gnutls_x509_crt_deinit(certificate);
    gk_secret_free(&pem);
    return end;
}

/* 0: the setting is another one. */
static unsigned long place_of(const char *key)
{
    static const char list[] = "identity.";
    char *rest = NULL;
    if (strncmp(key, list, sizeof list - 1) != 0) {
        return 0;
    }
    const unsigned long index = strtoul(key + sizeof list - 1, &rest, 10);
    return strcmp(rest, ".client_certificate_file") == 0 ? index + 1 : 0;
}

void gk_identity_certificates_tell(const struct gk_config *config)
{
    for (size_t i = 0; i < config->settings_count; i++) {
        const struct gk_plugin_setting *setting = &config->settings[i];
        const unsigned long place = place_of(setting->key);
        if (place > 0) {
            char labels[48];
            snprintf(labels, sizeof labels, "certificate=\"identity-%lu\"", place);
            gk_metrics_set("gatekey_certificate_expires_timestamp_seconds", labels,
                           end_of(setting->value));
        }
    }
}
