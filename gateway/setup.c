/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/setup.h"

#include <stdlib.h>

#include "common/error.h"

/* What is wrong with one of the files is told at the setting that names it. */
static enum gk_status read_tls(const struct gk_setup *setup, const struct gk_tls_files *files,
                               const char *const *settings, int64_t now_s, struct gk_tls **out,
                               struct gk_error *error)
{
    enum gk_tls_part part = GK_TLS_CERTIFICATE;
    const enum gk_status status = gk_tls_read(files, now_s, out, &part, error);
    return status == GK_OK ? GK_OK : gk_config_blame(setup->config, settings[part], error);
}

static enum gk_status read_certificates(struct gk_setup *setup, int64_t now_s,
                                        struct gk_error *error)
{
    static const char *const blob_settings[] = {
        [GK_TLS_CERTIFICATE] = "blob.tls_certificate", [GK_TLS_KEY] = "blob.tls_key"};
    static const char *const settings[] = {[GK_TLS_CERTIFICATE] = "management.tls_certificate",
                                           [GK_TLS_KEY] = "management.tls_key",
                                           [GK_TLS_CLIENT_CA] = "management.client_ca"};
    const struct gk_config *config = setup->config;
    const struct gk_tls_files blob_files = {.certificate = config->blob.tls_certificate,
                                            .key = config->blob.tls_key};
    const struct gk_tls_files files = {.certificate = config->management.tls_certificate,
                                       .key = config->management.tls_key,
                                       .client_ca = config->management.client_ca};
    enum gk_status status = GK_OK;
    if (config->blob.tls_listen.given) {
        status = read_tls(setup, &blob_files, blob_settings, now_s, &setup->blob_tls, error);
    }
    return status == GK_OK ? read_tls(setup, &files, settings, now_s, &setup->management_tls, error)
                           : status;
}

static enum gk_status read_files(struct gk_setup *setup, int64_t now_s, struct gk_error *error)
{
    const enum gk_status status = read_certificates(setup, now_s, error);
    return status == GK_OK ? gk_callers_new(setup->config, &setup->callers, error) : status;
}

enum gk_status gk_setup_new(struct gk_config *config, int64_t now_s, struct gk_setup **out,
                            struct gk_error *error)
{
    *out = NULL;
    struct gk_setup *setup = calloc(1, sizeof *setup);
    if (setup == NULL) {
        gk_config_free(config);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = gk_terms_new(config, &setup->terms, error);
    if (status == GK_OK) {
        setup->config = setup->terms->config;
        status = read_files(setup, now_s, error);
    }
    if (status != GK_OK) {
        gk_setup_free(setup);
        return status;
    }
    *out = setup;
    return GK_OK;
}

void gk_setup_hand_over(struct gk_setup *setup)
{
    gk_callers_release(setup->callers);
    setup->callers = NULL;
    gk_tls_release(setup->management_tls);
    setup->management_tls = NULL;
    gk_tls_release(setup->blob_tls);
    setup->blob_tls = NULL;
}

void gk_setup_free(struct gk_setup *setup)
{
    if (setup == NULL) {
        return;
    }
    gk_setup_hand_over(setup);
    gk_terms_release(setup->terms);
    free(setup);
}
