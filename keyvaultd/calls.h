/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of calls: each one is a line of the process's log, and the newest ones are kept in memory
 * for the control API. No key material, no token, no body.
 */
#ifndef KEYVAULTD_CALLS_H
#define KEYVAULTD_CALLS_H

#include <jansson.h>

#include "common/text.h"
#include "keyvaultd/key.h"

#define KV_CALLS_KEPT    8192u
#define KV_CALLS_AT_ONCE 1000u

struct kv_call {
    uint64_t seq; /* from 1, without gaps */
    int64_t time_ms;
    char operation[24];
    char key[KV_KEY_NAME_BYTES];    /* "" where there is none */
    char version[KV_VERSION_BYTES]; /* the version that was used or asked for */
    char identity[64];
    char request_id[GK_UUID_TEXT_BYTES]; /* as the answer had it */
    unsigned status;                     /* 0: the connection was dropped */
    char code[64];                       /* the error's, or what a fault did */
};

struct kv_calls;

struct kv_calls *kv_calls_new(void) GK_MUST_USE;
void kv_calls_free(struct kv_calls *calls);
/* Thread-safe; numbers the call. */
void kv_calls_add(struct kv_calls *calls, const struct kv_call *call);
/* {"calls": [...], "next": seq}: those after seq, at most KV_CALLS_AT_ONCE. NULL: out of memory. */
json_t *kv_calls_after(struct kv_calls *calls, uint64_t seq) GK_MUST_USE;

#endif
