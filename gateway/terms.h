/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a reload changes of what requests are served on: the rules for keys (config->policy), whose bearer tokens are
 * taken and for what (bearer), and which hosts are copied from (config->blob.copy_hosts).
 *
 * Terms are immutable and counted. A Blob request takes those of now when it begins and goes by them to its end, and
 * so does a report on policy; a key is judged by those of the moment in which its account or scope gets it. The last
 * reference frees them. A slot has those of now; it belongs to main.c, which alone renews it. Any thread.
 */
#ifndef GATEWAY_TERMS_H
#define GATEWAY_TERMS_H

#include <pthread.h>
#include <stdatomic.h>

#include "gateway/auth/bearer.h"
#include "gateway/config.h"

struct gk_terms {
    struct gk_config *config;
    struct gk_bearer *bearer; /* NULL: no bearer tokens are taken */
    atomic_uint references;
};

/* Takes config over, also when it fails; the caller owns a reference. GK_E_INVALID, with the setting's place: the file
 * of the identity provider's keys cannot be used. */
enum gk_status gk_terms_new(struct gk_config *config, struct gk_terms **out,
                            struct gk_error *error) GK_MUST_USE;
struct gk_terms *gk_terms_retain(struct gk_terms *terms);
/* NULL is fine. */
void gk_terms_release(struct gk_terms *terms);

struct gk_terms_slot {
    pthread_mutex_t mutex;
    struct gk_terms *now;
};

/* The slot has references of its own. */
void gk_terms_slot_init(struct gk_terms_slot *slot, struct gk_terms *terms);
void gk_terms_slot_cleanup(struct gk_terms_slot *slot);
/* Those of now; the caller owns a reference. */
struct gk_terms *gk_terms_now(struct gk_terms_slot *slot);
void gk_terms_renew(struct gk_terms_slot *slot, struct gk_terms *fresh);

#endif
