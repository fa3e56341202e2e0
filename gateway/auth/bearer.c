/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/auth/bearer.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "common/error.h"
#include "common/log.h"
#include "gateway/auth/jwt.h"
#include "gateway/gateway.h"
#include "gateway/terms.h"

#define CHALLENGE_BYTES 1024u

struct gk_bearer {
    const struct gk_config_bearer *settings;
    char challenge[CHALLENGE_BYTES];
    pthread_rwlock_t lock; /* of what follows */
    struct gk_jwks *jwks;
    struct timespec read; /* when the file that jwks is of was changed */
};

/* --- the provider's keys ------------------------------------------------------------------------*/

static struct timespec changed_at(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 ? info.st_mtim : (struct timespec){0};
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

/* A file that cannot be used leaves the keys as they are: its writer may not be done. */
static void renew_keys(struct gk_bearer *bearer, struct timespec changed)
{
    struct gk_jwks *jwks = NULL;
    struct gk_error error = {0};
    if (gk_jwks_read(bearer->settings->jwks_file, &jwks, &error) != GK_OK) {
        gk_log(GK_LOG_WARNING, "bearer", "the former keys stay: %s", error.message);
        return;
    }
    pthread_rwlock_wrlock(&bearer->lock);
    struct gk_jwks *former = bearer->jwks;
    bearer->jwks = jwks;
    bearer->read = changed;
    pthread_rwlock_unlock(&bearer->lock);
    gk_jwks_free(former);
}

static void look_at_keys(struct gk_bearer *bearer)
{
    const struct timespec changed = changed_at(bearer->settings->jwks_file);
    pthread_rwlock_rdlock(&bearer->lock);
    const bool same = same_time(changed, bearer->read);
    pthread_rwlock_unlock(&bearer->lock);
    if (!same) {
        renew_keys(bearer, changed);
    }
}

enum gk_status gk_bearer_new(const struct gk_config_bearer *settings, struct gk_bearer **out,
                             struct gk_error *error)
{
    struct gk_bearer *bearer = calloc(1, sizeof *bearer);
    if (bearer == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    bearer->settings = settings;
    bearer->read = changed_at(settings->jwks_file);
    pthread_rwlock_init(&bearer->lock, NULL);
    snprintf(bearer->challenge, sizeof bearer->challenge,
             "Bearer authorization_uri=%s resource_id=%s", settings->issuer, settings->audience);
    const enum gk_status status = gk_jwks_read(settings->jwks_file, &bearer->jwks, error);
    if (status != GK_OK) {
        gk_bearer_free(bearer);
        bearer = NULL;
    }
    *out = bearer;
    return status;
}

void gk_bearer_free(struct gk_bearer *bearer)
{
    if (bearer != NULL) {
        pthread_rwlock_destroy(&bearer->lock);
        gk_jwks_free(bearer->jwks);
        free(bearer);
    }
}

const char *gk_bearer_challenge(const struct gk_bearer *bearer)
{
    return bearer->challenge;
}

/* --- principals ---------------------------------------------------------------------------------*/

static uint32_t permissions_of(enum gk_config_role role)
{
    static const uint32_t read = GK_PERMIT_DELEGATE | GK_PERMIT_READ | GK_PERMIT_LIST;
    static const uint32_t write =
        GK_PERMIT_ADD | GK_PERMIT_CREATE | GK_PERMIT_WRITE | GK_PERMIT_DELETE;
    switch (role) {
    case GK_ROLE_DELEGATOR:
        return GK_PERMIT_DELEGATE;
    case GK_ROLE_READER:
        return read;
    case GK_ROLE_CONTRIBUTOR:
        return read | write;
    default:
        return read | write | GK_PERMIT_TAGS | GK_PERMIT_FILTER | GK_PERMIT_IMMUTABILITY;
    }
}

uint32_t gk_bearer_permissions(const struct gk_bearer *bearer, const struct gk_id *principal,
                               const char *account)
{
    uint32_t permissions = 0;
    for (size_t i = 0; bearer != NULL && i < bearer->settings->principals_count; i++) {
        const struct gk_config_principal *each = &bearer->settings->principals[i];
        if (gk_id_equal(&each->object, principal) &&
            (each->account == NULL || strcmp(each->account, account) == 0)) {
            permissions |= permissions_of(each->role);
        }
    }
    return permissions;
}

/* --- requests -----------------------------------------------------------------------------------*/

enum gk_status gk_bearer_check(struct gk_request *request, const char *token,
                               struct gk_error *error)
{
    struct gk_bearer *bearer = request->terms->bearer;
    const struct gk_jwt_wanted wanted = {.issuer = bearer->settings->issuer,
                                         .audience = bearer->settings->audience,
                                         .now_s = request->received_wall_ms / 1000};
    struct gk_jwt_claims claims;
    struct gk_error why = {0};
    if (!request->tls) {
        return gk_refuse_because(error, 403, "AuthenticationFailed",
                                 "Bearer tokens are taken over HTTPS alone.");
    }
    look_at_keys(bearer);
    pthread_rwlock_rdlock(&bearer->lock);
    const enum gk_status status = gk_jwt_verify(bearer->jwks, token, &wanted, &claims, &why);
    pthread_rwlock_unlock(&bearer->lock);
    if (status != GK_OK) {
        return gk_refuse_because(error, 401, "InvalidAuthenticationInfo", "The token: %s.",
                                 why.message);
    }
    request->credential_is_bearer = true;
    request->principal = claims.object;
    request->tenant = claims.tenant;
    request->permissions = gk_bearer_permissions(bearer, &claims.object, request->account_name);
    return GK_OK;
}
