/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key: a name and its versions, oldest first; the last is the current one. A change is made on a
 * copy, which the store then takes in place of the old one, so a change that could not be stored
 * never happened.
 */
#ifndef KEYVAULTD_KEY_H
#define KEYVAULTD_KEY_H

#include <jansson.h>
#include <openssl/evp.h>

#include "gatekey/types.h"
#include "keyvaultd/hsm.h"
#include "keyvaultd/permissions.h"
#include "keyvaultd/rotation_policy.h"

#define KV_KEY_NAME_BYTES 128 /* 127 characters and a NUL */
#define KV_VERSION_BYTES  33  /* 32 hexadecimal digits and a NUL */
#define KV_VERSIONS_MAX   1000u

/* Times in seconds since the epoch, as the vault's JSON has them; 0: not set. */
struct kv_attributes {
    bool enabled;
    int64_t nbf_s;
    int64_t exp_s;
    int64_t created_s;
    int64_t updated_s;
};

struct kv_version {
    char id[KV_VERSION_BYTES];
    EVP_PKEY *rsa;                /* a reference of our own; the public half alone with hsm_id */
    char hsm_id[KV_HSM_ID_BYTES]; /* of the private half in the token; "": it is in rsa */
    bool hsm;                     /* says RSA-HSM; in a vault it is software all the same */
    uint32_t key_ops;             /* bits of enum kv_key_op */
    struct kv_attributes attributes;
    /* An object, never changed in place. Copies of a key share it by reference, which is safe under
     * the store's lock alone: outside of the store there are only deep copies. */
    json_t *tags;
};

struct kv_key {
    char name[KV_KEY_NAME_BYTES];
    struct kv_version *versions;
    size_t versions_count; /* at least 1 in the store */
    int64_t deleted_s;     /* 0: in use */
    int64_t purge_s;       /* when a deleted key goes for good */
    struct kv_rotation_policy rotation;
};

/* 1 to 127 of letters, digits and hyphens. */
bool kv_key_name_good(const char *name);

/* NULL when memory is out. Free with kv_key_free(), which takes NULL. */
struct kv_key *kv_key_new(const char *name) GK_MUST_USE;
struct kv_key *kv_key_copy(const struct kv_key *key) GK_MUST_USE;
void kv_key_free(struct kv_key *key);

/*
 * Appends a version with a fresh id, everything else as given, with a reference of rsa and a copy of
 * tags of its own. NULL when memory or entropy is out, or there are KV_VERSIONS_MAX.
 */
struct kv_version *kv_key_add_version(struct kv_key *key,
                                      const struct kv_version *version) GK_MUST_USE;
/* version NULL or "": the current one. NULL when there is none such. */
struct kv_version *kv_key_version(const struct kv_key *key, const char *version);

#endif
