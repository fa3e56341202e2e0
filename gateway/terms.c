/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/terms.h"

#include <stdlib.h>

#include "common/error.h"

enum gk_status gk_terms_new(struct gk_config *config, struct gk_terms **out, struct gk_error *error)
{
    *out = NULL;
    struct gk_terms *terms = calloc(1, sizeof *terms);
    if (terms == NULL) {
        gk_config_free(config);
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    terms->config = config;
    atomic_init(&terms->references, 1);
    if (config->bearer.given && gk_bearer_new(&config->bearer, &terms->bearer, error) != GK_OK) {
        const enum gk_status status = gk_config_blame(config, "bearer.jwks_file", error);
        gk_terms_release(terms);
        return status;
    }
    *out = terms;
    return GK_OK;
}

struct gk_terms *gk_terms_retain(struct gk_terms *terms)
{
    atomic_fetch_add_explicit(&terms->references, 1, memory_order_relaxed);
    return terms;
}

void gk_terms_release(struct gk_terms *terms)
{
    if (terms != NULL &&
        atomic_fetch_sub_explicit(&terms->references, 1, memory_order_acq_rel) == 1) {
        gk_bearer_free(terms->bearer);
        gk_config_free(terms->config);
        free(terms);
    }
}

void gk_terms_slot_init(struct gk_terms_slot *slot, struct gk_terms *terms)
{
    pthread_mutex_init(&slot->mutex, NULL);
    slot->now = gk_terms_retain(terms);
}

void gk_terms_slot_cleanup(struct gk_terms_slot *slot)
{
    gk_terms_release(slot->now);
    pthread_mutex_destroy(&slot->mutex);
}

struct gk_terms *gk_terms_now(struct gk_terms_slot *slot)
{
    pthread_mutex_lock(&slot->mutex);
    struct gk_terms *terms = gk_terms_retain(slot->now);
    pthread_mutex_unlock(&slot->mutex);
    return terms;
}

void gk_terms_renew(struct gk_terms_slot *slot, struct gk_terms *fresh)
{
    pthread_mutex_lock(&slot->mutex);
    struct gk_terms *former = slot->now;
    slot->now = gk_terms_retain(fresh);
    pthread_mutex_unlock(&slot->mutex);
    gk_terms_release(former);
}
