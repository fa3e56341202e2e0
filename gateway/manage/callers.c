/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/callers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/secret_file.h"

static const struct gk_caller *find(const struct gk_callers *callers, struct gk_span token)
{
    const struct gk_caller *found = NULL;
    for (size_t i = 0; i < callers->count; i++) {
        const struct gk_caller *caller = &callers->callers[i];
        if (caller->token != NULL &&
            gk_secret_equal(token, gk_span_of(caller->token, caller->token_len))) {
            found = caller;
        }
    }
    return found;
}

static enum gk_status add_token(const struct gk_callers *callers, struct gk_caller *caller,
                                const char *token_file, struct gk_error *error)
{
    char *token = NULL;
    const enum gk_status status =
        gk_secret_file_read(token_file, &token, &caller->token_len, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_caller *same = find(callers, gk_span_of(token, caller->token_len));
    caller->token = token;
    return same == NULL ? GK_OK
                        : gk_fail(error, GK_E_INVALID,
                                  "%s: is the token of %s, too; give each caller one of their own",
                                  token_file, same->name);
}

static enum gk_status add(struct gk_callers *callers, const struct gk_config_caller *given,
                          struct gk_error *error)
{
    struct gk_caller *caller = &callers->callers[callers->count++];
    snprintf(caller->name, sizeof caller->name, "%s", given->name);
    caller->role = given->role;
    if (given->certificate != NULL &&
        !gk_certificate_name_init(&caller->certificate, given->certificate)) {
        return gk_fail(error, GK_E_INVALID, "%s: names no certificate", given->certificate);
    }
    return given->token_file == NULL ? GK_OK : add_token(callers, caller, given->token_file, error);
}

enum gk_status gk_callers_new(const struct gk_config *config, struct gk_callers **out,
                              struct gk_error *error)
{
    const struct gk_config_caller operator_ = {.name = GK_CALLER_OPERATOR,
                                               .token_file = config->management.token_file,
                                               .role = GK_MANAGE_OWNER};
    *out = NULL;
    struct gk_callers *callers = calloc(1, sizeof *callers);
    if (callers == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    atomic_init(&callers->references, 1);
    const char *setting = "management.token_file";
    enum gk_status status = add(callers, &operator_, error);
    for (size_t i = 0; status == GK_OK && i < config->management.callers_count; i++) {
        setting = "management.callers";
        status = add(callers, &config->management.callers[i], error);
    }
    if (status != GK_OK) {
        gk_callers_release(callers);
        return gk_config_blame(config, setting, error);
    }
    *out = callers;
    return GK_OK;
}

struct gk_callers *gk_callers_retain(struct gk_callers *callers)
{
    atomic_fetch_add_explicit(&callers->references, 1, memory_order_relaxed);
    return callers;
}

void gk_callers_release(struct gk_callers *callers)
{
    if (callers == NULL ||
        atomic_fetch_sub_explicit(&callers->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    for (size_t i = 0; i < callers->count; i++) {
        gk_secret_free(&callers->callers[i].token);
        gk_certificate_name_cleanup(&callers->callers[i].certificate);
    }
    free(callers);
}

const struct gk_caller *gk_callers_find(const struct gk_callers *callers, const char *authorization)
{
    static const char scheme[] = "Bearer ";
    if (authorization == NULL || strncasecmp(authorization, scheme, sizeof scheme - 1) != 0) {
        return NULL;
    }
    return find(callers, gk_span_str(authorization + sizeof scheme - 1));
}

const struct gk_caller *gk_callers_find_certificate(const struct gk_callers *callers,
                                                    struct gk_span certificate,
                                                    char sha256[GK_SHA256_HEX_BYTES])
{
    const struct gk_caller *found = NULL;
    gnutls_x509_crt_t parsed = NULL;
    gnutls_datum_t der = {.size = (unsigned)certificate.len};
    memcpy(&der.data, &certificate.data, sizeof der.data); /* the library only reads it */
    sha256[0] = '\0';
    if (gnutls_x509_crt_init(&parsed) < 0) {
        return NULL;
    }
    if (gnutls_x509_crt_import(parsed, &der, GNUTLS_X509_FMT_DER) >= 0) {
        gk_certificate_sha256(parsed, sha256);
        for (size_t i = 0; i < callers->count && found == NULL; i++) {
            const struct gk_caller *caller = &callers->callers[i];
            found = gk_certificate_name_fits(&caller->certificate, parsed) ? caller : NULL;
        }
    }
    gnutls_x509_crt_deinit(parsed);
    return found;
}
