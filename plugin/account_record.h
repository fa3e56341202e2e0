/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The account record: settings, generations of the root key and their wraps, in one authenticated
 * value. Stored as the attribute GK_ACCOUNT_ATTR; while a rotation settles, the one before it as
 * GK_ACCOUNT_ATTR_PREVIOUS.
 *
 *   "gatekey-account-record v1 " <64 lower-case hex digits> "\n" <JSON>
 *
 *   digits = HMAC-SHA256(K, "gatekey/v1/account-record" 0x00 | account name | 0x00 | JSON), K
 *   derived from the service key for "gatekey/v1/account-record".
 *
 * Nothing of the JSON is looked at before the MAC has been checked, in constant time. Pure: no
 * vault, no clock, no host. Any thread.
 */
#ifndef PLUGIN_ACCOUNT_RECORD_H
#define PLUGIN_ACCOUNT_RECORD_H

#include "common/buf.h"
#include "gatekey/plugin.h"
#include "plugin/kdf.h"
#include "plugin/key_told.h"
#include "plugin/root_key.h"

#define GK_ACCOUNT_ATTR          "gatekey.account"
#define GK_ACCOUNT_ATTR_PREVIOUS "gatekey.account.previous"
/* What gk_provider_ops.service_key_derive is asked for to get a struct gk_account_record_key. */
#define GK_ACCOUNT_RECORD_LABEL "gatekey/v1/account-record"

#define GK_ROOT_WRAPS_MAX              2u
#define GK_WRAP_ALGORITHM_BYTES_MAX    24u
#define GK_WRAP_ALGORITHM_RSA_OAEP_256 "RSA-OAEP-256"
#define GK_WRAP_ALGORITHM_RSA_OAEP     "RSA-OAEP" /* where that is configured for a vault */
#define GK_WRAP_ALGORITHM_TRANSIT      "transit"
#define GK_WRAP_ALGORITHM_SERVICE      "XAES-256-GCM" /* gk_root_key_wrap() */
/* key_id of a wrap by the service key: this and the 16 digits of service_key_id. */
#define GK_WRAP_SERVICE_KEY_ID_PREFIX "service-key/"
/* Of one by a newer root key of the same account: this and the number of its generation (older_key.h). */
#define GK_WRAP_ROOT_KEY_ID_PREFIX "root-key/"

/* Derived from the operator's service key. */
struct gk_account_record_key {
    uint8_t bytes[GK_KEY_BYTES];
};

/* A record's MAC as it is stored: of authentic records, it tells one from another. */
struct gk_account_record_mac {
    char digits[2 * GK_SHA256_BYTES];
};

enum gk_generation_state {
    GK_GENERATION_ACTIVE = 0,       /* seals and opens; exactly one */
    GK_GENERATION_DECRYPT_ONLY = 1, /* opens what was sealed before */
    GK_GENERATION_RETIRED = 2       /* nothing is left under it; its wraps are destroyed */
};

struct gk_root_wrap {
    char key_id[GK_KEY_ID_BYTES_MAX]; /* full versioned identifier as the vault answered it */
    char algorithm[GK_WRAP_ALGORITHM_BYTES_MAX];
    uint8_t value[GK_WRAPPED_BYTES_MAX];
    size_t value_len;
    int64_t created_wall_ms;
};

/* Whether it is one of RSA: a wrap is as long as the key's modulus. */
bool gk_wrap_is_by_rsa(const char *algorithm);
/* Whether value can be a root key that a vault has wrapped with that algorithm. */
bool gk_vault_wrap_is_shaped(const char *algorithm, struct gk_span value);

struct gk_root_generation {
    uint32_t generation; /* from 1 */
    enum gk_generation_state state;
    int64_t created_wall_ms;
    uint8_t commitment[GK_ROOT_COMMITMENT_BYTES];
    uint32_t wraps_count; /* 1, or 2 while a rotation settles, or 0 of a retired one */
    struct gk_root_wrap wraps[GK_ROOT_WRAPS_MAX]; /* current first */
};

/* About 20 KB and no pointers: copy it as a whole, keep it off small stacks; but for one that is kept
 * (gk_account_record_keep). Times are 0 for never or unknown. */
struct gk_account_record {
    char account[GK_ACCOUNT_PATH_BYTES_MAX];
    struct gk_id id;
    struct gk_id parent; /* of a scope: its account's id; else zeros, and not stored */
    uint64_t sequence;   /* from 1, one more with every write */
    int64_t created_wall_ms;
    struct gk_encryption_settings settings;
    int64_t last_rotation_wall_ms;
    int64_t previous_wrap_until_wall_ms;
    int64_t last_version_check_wall_ms;
    int64_t key_expires_wall_ms; /* of the version that wraps, as are the next two */
    int64_t key_created_wall_ms;
    int64_t key_rotation_due_wall_ms;
    uint32_t key_warnings;       /* bits 1 << enum gk_key_warning, when it was written */
    struct gk_key_told key_told; /* with a customer's key */
    uint32_t generations_count;
    struct gk_root_generation
        generations[GK_ACCOUNT_GENERATIONS_MAX]; /* ascending; the last member */
};

/*
 * A copy on the heap with room for the generations that there are and no more, a fifth of the whole as a rule: for who
 * keeps many. It is read where it is, and copied by gk_account_record_copy() alone. NULL when memory is out.
 */
struct gk_account_record *
gk_account_record_keep(const struct gk_account_record *record) GK_MUST_USE;
/* *to, which has room for all, becomes what from is, kept or not. */
void gk_account_record_copy(struct gk_account_record *to, const struct gk_account_record *from);

/* The active generation. A record that parse gave, or that serialise takes, has one. */
const struct gk_root_generation *gk_account_record_active(const struct gk_account_record *record);
struct gk_root_generation *gk_account_record_active_to_change(struct gk_account_record *record);
/* The first that is not retired: the active one, unless older ones are in use still. */
const struct gk_root_generation *gk_account_record_oldest(const struct gk_account_record *record);
/* NULL when the record does not have it. */
const struct gk_root_generation *
gk_account_record_generation(const struct gk_account_record *record, uint32_t generation);

/* Whether there is a second wrap whose time is over. It is not to be used any more. */
bool gk_account_record_has_old_wrap(const struct gk_account_record *record, int64_t wall_ms);
/* Drops it; false when there was none. */
bool gk_account_record_drop_old_wrap(struct gk_account_record *record, int64_t wall_ms);

/*
 * Checks MAC, form and bounds of bytes, and that it is the record of account. On failure *record is
 * zeroed: GK_E_INTEGRITY when it is not what was written for this account under this service key,
 * GK_E_UNSUPPORTED for an authentic record of a later version.
 */
enum gk_status gk_account_record_parse(const struct gk_crypto *crypto,
                                       const struct gk_account_record_key *key, const char *account,
                                       struct gk_span bytes, struct gk_account_record *record,
                                       struct gk_error *error) GK_MUST_USE;
/* Whether bytes are authentic, and word for word what known is the MAC of: then the record that they hold need not be
 * read again. */
bool gk_account_record_is(const struct gk_crypto *crypto, const struct gk_account_record_key *key,
                          const char *account, struct gk_span bytes,
                          const struct gk_account_record_mac *known);
/* Appends the record to out. GK_E_INVALID: parse would refuse it, so it is not written. */
enum gk_status gk_account_record_serialise(const struct gk_crypto *crypto,
                                           const struct gk_account_record_key *key,
                                           const struct gk_account_record *record,
                                           struct gk_buf *out, struct gk_error *error) GK_MUST_USE;
/* bytes are what parse took or serialise gave. */
struct gk_account_record_mac gk_account_record_mac_of(struct gk_span bytes);

#endif
