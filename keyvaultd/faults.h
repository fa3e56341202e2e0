/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The fault switch for tests: what goes wrong, with which operation, how many times. Faults live in
 * memory alone and end with the process.
 */
#ifndef KEYVAULTD_FAULTS_H
#define KEYVAULTD_FAULTS_H

#include <jansson.h>
#include <stdbool.h>

#include "gatekey/types.h"
#include "keyvaultd/key.h"

#define KV_FAULTS_MAX          64u
#define KV_FAULT_BODY_MAX      4096u
#define KV_FAULT_CHALLENGE_MAX 512u
#define KV_FAULT_CLIENT_MAX    64u
#define KV_FAULT_DELAY_MAX     600000

enum kv_fault_action {
    KV_FAULT_NONE,
    KV_FAULT_DROP,      /* the connection is closed without an answer, nothing is done */
    KV_FAULT_GARBAGE,   /* 200 with bytes that are no JSON */
    KV_FAULT_TRUNCATE,  /* the real answer breaks off in its middle */
    KV_FAULT_HUGE,      /* 200 with KV_FAULT_HUGE_BYTES of JSON that never closes */
    KV_FAULT_WRONG_KID, /* the real answer, under another version's identifier */
    KV_FAULT_SHORT_KEY, /* the real answer's value is one byte short */
    KV_FAULT_LONG_KEY   /* the real answer's value is one byte long */
};

#define KV_FAULT_HUGE_BYTES (UINT64_C(64) << 20)

struct kv_fault {
    char operation[24];                  /* "*": every operation but the control API's */
    char key[KV_KEY_NAME_BYTES];         /* "": any */
    char client_id[KV_FAULT_CLIENT_MAX]; /* for whom a token is asked; "": any, and all else */
    int64_t count;                       /* how many calls more; -1: until it is ended */
    uint64_t taken;                      /* how many calls it has met */
    int64_t delay_ms;
    unsigned status; /* 0: none; otherwise the answer, nothing is done */
    int64_t retry_after_s;
    enum kv_fault_action action;
    char body[KV_FAULT_BODY_MAX];           /* with status; "": an error in the service's form */
    char challenge[KV_FAULT_CHALLENGE_MAX]; /* likewise: WWW-Authenticate; "": none */
};

/* What a call is about, as far as a fault looks. */
struct kv_fault_call {
    const char *operation;
    const char *key;       /* "": none */
    const char *client_id; /* "": it asks for no token with a form */
};

struct kv_faults;

struct kv_faults *kv_faults_new(void) GK_MUST_USE;
void kv_faults_free(struct kv_faults *faults);

/* Thread-safe, all of these. GK_E_INVALID: what is wrong stands in error. */
enum gk_status kv_faults_add(struct kv_faults *faults, const json_t *fault,
                             struct gk_error *error) GK_MUST_USE;
/* Ends those of that key and those of that client; NULL: none so, and both NULL: all there are. Returns how many calls
 * they have met. */
uint64_t kv_faults_clear(struct kv_faults *faults, const char *key, const char *client_id);
/* The oldest fault that applies, counted down; false when there is none. */
bool kv_faults_take(struct kv_faults *faults, const struct kv_fault_call *call,
                    struct kv_fault *out) GK_MUST_USE;
/* Waits, or until kv_faults_stop(). */
void kv_faults_delay(struct kv_faults *faults, int64_t delay_ms);
/* Ends all waiting, now and from then on. */
void kv_faults_stop(struct kv_faults *faults);

#endif
