/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gateway <-> plugin: the ABI of gatekey.so. docs/abi.md tells the same as a story.
 *
 * Loading. The gateway dlopen()s the module, reads the symbol GK_PLUGIN_ABI_SYMBOL (a uint32_t) and
 * refuses a version other than its own before it calls anything; then it calls
 * gatekey_plugin_entry(). Both structs begin with abi_version and struct_size. New members are only
 * appended, so an older partner's struct is a prefix; a member is there when struct_size covers it.
 *
 * Life of an instance, single-threaded:   create -> config* -> start -> ... -> stop -> destroy
 *                             or, to check a configuration:   create -> config* -> config_check -> destroy
 *   start reads the service key and starts the provider's thread, so fork() comes before it.
 *   stop ends calls under way, joins the thread and is idempotent; handles stay valid until freed,
 *   and all must be freed before destroy.
 *
 * Threads. Between start and stop every call may be made from any thread, several at once; a
 * segment or data key handle belongs to one thread at a time. Calls marked BLOCKS may wait for the
 * vault, for deadline_ms at most; no other call ever does.
 *
 * Ownership. The caller owns what it passes and what out-pointers of bytes point to; a handle that
 * an out-pointer received is given back with its free or release function, NULL being fine there.
 *
 * Errors. Statuses as in types.h. GK_E_DENIED and GK_E_UNAVAILABLE come with http_status, code and
 * retry_after_s as the gateway should answer them:
 *   GK_E_DENIED       403  KeyVaultEncryptionKeyNotFound | KeyVaultVaultNotFound |
 *                          KeyVaultAccessTokenCannotBeAcquired (the vendor's documented codes)
 *   GK_E_UNAVAILABLE  503  ServerBusy, with Retry-After
 *   GK_E_INTEGRITY    500  what was stored is not what was written
 */
#ifndef GATEKEY_PLUGIN_H
#define GATEKEY_PLUGIN_H

#include "gatekey/provider.h"
#include "gatekey/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GK_PLUGIN_ABI_VERSION  1u
#define GK_PLUGIN_ABI_SYMBOL   "gatekey_plugin_abi_version"
#define GK_PLUGIN_ENTRY_SYMBOL "gatekey_plugin_entry"

/* --- sizes, see docs/format.md ---------------------------------------------------------------- */

#define GK_ACCOUNT_NAME_BYTES_MAX 25u /* 3..24 lower-case letters and digits, and NUL */
#define GK_SCOPE_NAME_BYTES_MAX   64u /* 3..63 lower-case letters, digits and dashes, and NUL */
/* Of an encryption scope, "account/scope"; see accounts. */
#define GK_ACCOUNT_PATH_BYTES_MAX (GK_ACCOUNT_NAME_BYTES_MAX + GK_SCOPE_NAME_BYTES_MAX)
#define GK_TAG_BYTES              16u
#define GK_CHUNK_PLAIN_BYTES      65536u
#define GK_CHUNK_SEALED_BYTES     (GK_CHUNK_PLAIN_BYTES + GK_TAG_BYTES)
/* A segment has at least one chunk; all are full but the last, which may be short or empty. */
#define GK_SEGMENT_CHUNKS_MAX    65536u
#define GK_SEALED_DATA_KEY_BYTES 112u
#define GK_CLIENT_KEY_BYTES      32u
/* A block of a page object, and what belongs to it elsewhere in the object: nonce and tag. */
#define GK_PAGE_BLOCK_BYTES 4096u
#define GK_PAGE_SEAL_BYTES  40u
/* A sealed record is at most this much longer than its two plain parts together. */
#define GK_RECORD_OVERHEAD_BYTES 128u
#define GK_RECORD_BYTES_MAX      (16u << 20)
/* An account's own record, as account_record_export gives it. */
#define GK_ACCOUNT_RECORD_BYTES_MAX 65536u
#define GK_ACCOUNT_GENERATIONS_MAX  8u /* root keys in use at a time */

/* --- operations ------------------------------------------------------------------------------ */

enum gk_operation {
#define GK_OPERATION(id, service, name, method, level, restype, comp, selector, access, revoked,   \
                     key, success, uri, query)                                                     \
    GK_OP_##id,
#include "gatekey/operations.def"
#undef GK_OPERATION
    GK_OPERATIONS_COUNT
};

/* What authorize must know of a request beside its operation. */
#define GK_REQUEST_HAS_METADATA 0x1u /* carries x-ms-meta- headers */

struct gk_encryption_settings; /* below */

/* --- host ------------------------------------------------------------------------------------- */

struct gk_attr {
    const char *name;     /* NUL-terminated */
    struct gk_span value; /* data NULL in a change: remove the attribute */
};

typedef void gk_attr_visit_fn(void *visit_ctx, const struct gk_attr *attr);

enum gk_audit_event_id {
#define GK_AUDIT_EVENT(id, name, meaning) GK_AUDIT_##id,
#include "gatekey/audit_events.def"
#undef GK_AUDIT_EVENT
    GK_AUDIT_EVENTS_COUNT
};

/* The actor of what the product does of its own accord. */
#define GK_AUDIT_ACTOR_SELF   "gatekey"
#define GK_AUDIT_ACTOR_SIGNAL "signal" /* whoever may send one to the process */

/* Something the security officer wants to know. All strings NUL-terminated, "" when not known. */
struct gk_audit_event {
    int64_t wall_ms;
    enum gk_audit_event_id event;
    const char *account;
    const char *key_id;     /* full versioned identifier */
    const char *outcome;    /* ok, refused, unavailable, failed */
    const char *reason;     /* the vault's own code */
    const char *detail;     /* one line for people */
    const char *request_id; /* the vault's; of several calls, the last one's */
    const char *actor;      /* on whose behalf, as in struct gk_call; GK_AUDIT_ACTOR_SELF */
    uint64_t count;         /* how often; 0 for once */
    int64_t since_wall_ms;  /* with count: since when; wall_ms is until when */
};

/*
 * What the gateway provides; it outlives every instance made with it. All members are required. All
 * are called from any thread, several at once, and must not call back into the plugin.
 */
struct gk_host {
    uint32_t abi_version; /* GK_PLUGIN_ABI_VERSION */
    uint32_t struct_size;
    void *ctx;

    void (*log)(void *ctx, enum gk_log_level level, const char *component, const char *message);
    int64_t (*clock_mono_ms)(void *ctx);
    int64_t (*clock_wall_ms)(void *ctx);
    /* Adds to a counter. labels are in Prometheus form without braces, or "". */
    void (*count)(void *ctx, const char *name, const char *labels, double add);
    /* On the thread of the call that caused it, where one did: the host knows whose request that is. */
    void (*audit)(void *ctx, const struct gk_audit_event *event);

    /*
     * The account store: named attributes of the account's object, with a version that changes with
     * every write. On RADOS: xattrs and the object's version, one atomic write op.
     * get visits every attribute, in no order, all of one state, and stores its version.
     * Both may block on storage. GK_E_NOT_FOUND: no such account. GK_E_UNAVAILABLE: try later.
     */
    enum gk_status (*account_attrs_get)(void *ctx, const char *account, gk_attr_visit_fn *visit,
                                        void *visit_ctx, uint64_t *version, struct gk_error *error);
    /*
     * Makes all changes or none. expected_version 0: the account must not exist and is created
     * (GK_E_EXISTS otherwise). Else GK_E_CONFLICT when its version is another by now. Returns only
     * when the change is durable.
     */
    enum gk_status (*account_attrs_set_if)(void *ctx, const char *account,
                                           uint64_t expected_version, const struct gk_attr *changes,
                                           size_t changes_count, uint64_t *new_version,
                                           struct gk_error *error);

    /*
     * Who of several gateways does an account's version check and re-wrap. It saves work; what keeps
     * the record right is the guard of account_attrs_set_if. Both may block on storage.
     * take: GK_OK: held by this process from now on, for duration_ms or until it is given back;
     * taken again by its holder, the time begins anew. GK_E_CONFLICT: another process holds it; what
     * a process held that ended comes free when its time is over. GK_E_UNAVAILABLE: try later.
     * release: of what is not held any more, nothing. Failures are the host's to log: the time ends
     * it anyway.
     */
    enum gk_status (*account_lease_take)(void *ctx, const char *account, uint32_t duration_ms,
                                         struct gk_error *error);
    void (*account_lease_release)(void *ctx, const char *account);

    /*
     * Whether the operator lets the account have these settings, which actor asks for (struct gk_call);
     * no network. Called before a vault is
     * asked, with key NULL, and with a customer's key once more with what its vault told of it (zeros:
     * nothing), before anything is changed or a newer version is taken. GK_E_INVALID, with http_status,
     * code and message: it may not.
     */
    enum gk_status (*key_permitted)(void *ctx, const char *actor, const char *account,
                                    const struct gk_encryption_settings *settings,
                                    const struct gk_key_info *key, struct gk_error *error);
};

/* --- accounts -------------------------------------------------------------------------------- */

/*
 * An encryption scope is an account of its own within an account: with a record, a root key, settings and
 * a state of its own, under the name "account/scope", which stands wherever a call or a callback takes
 * an account's name. Its record has its account's id: once the account is another, the scope is none. Data
 * keys of a scope's handle seal the sealed parts of records of its account (record_seal,
 * record_open_sealed), whose open parts are the account's.
 */

enum gk_key_source {
    GK_KEY_SOURCE_SERVICE = 0, /* root key wrapped by the operator's service key */
    GK_KEY_SOURCE_CUSTOMER = 1 /* by an RSA key in a vault */
};

struct gk_encryption_settings {
    enum gk_key_source source;
    /* With GK_KEY_SOURCE_CUSTOMER. version "" follows the key's current version (daily check). */
    struct gk_key_reference key;
    struct gk_identity_reference identity;
    /* Whether queues and tables are under the account's key; only at creation. */
    uint8_t queue_account_key;
    uint8_t table_account_key;
};

enum gk_account_state {
    GK_ACCOUNT_SERVICE_MANAGED = 0,
    GK_ACCOUNT_ACTIVE = 1,
    GK_ACCOUNT_REVOKED = 2,     /* the vault refuses: documented operations fail with 403 */
    GK_ACCOUNT_UNREACHABLE = 3, /* no answer; still serving from the cached root key */
    GK_ACCOUNT_DEGRADED = 4,    /* no answer for longer than the grace: 503 */
    GK_ACCOUNT_COLD = 5         /* nobody has asked for its key since start, or of late */
};

/* What there is to say of the version of a customer's key that is in use. */
enum gk_key_warning {
    GK_KEY_EXPIRES_SOON = 0, /* within key_expiry_warning_days */
    GK_KEY_EXPIRED = 1,      /* it still unwraps, and takes no new wrap */
    GK_KEY_OLD = 2,          /* made more than key_age_warning_days ago, or its rotation policy
                                would have had it followed by a newer one */
    GK_KEY_WARNINGS_COUNT
};
/* The words for them, everywhere: an array's initialiser. */
#define GK_KEY_WARNING_NAMES                                                                       \
    {                                                                                              \
        "key-expires-soon", "key-expired", "key-old"                                               \
    }

/* All times wall clock, 0 for never or unknown. */
struct gk_account_status {
    struct gk_id id;
    struct gk_encryption_settings settings;
    enum gk_account_state state;
    uint32_t generation;
    uint64_t record_sequence;
    char current_key_id[GK_KEY_ID_BYTES_MAX];  /* version that wraps the root key now */
    char previous_key_id[GK_KEY_ID_BYTES_MAX]; /* second wrap while a rotation settles, or "" */
    int64_t created_wall_ms;
    int64_t last_rotation_wall_ms; /* last time the root key was wrapped by another key version */
    int64_t previous_wrap_until_wall_ms; /* the old version may be disabled after */
    int64_t last_check_wall_ms;          /* last answer of the vault to an unwrap */
    int64_t last_version_check_wall_ms;
    int64_t next_version_check_wall_ms;
    int64_t key_expires_wall_ms; /* of the version that wraps */
    /* While the vault is silent. Of a cold account, with the reason, as calls for others on that vault have found. */
    int64_t unreachable_since_wall_ms;
    int64_t grace_until_wall_ms;
    uint32_t check_interval_ms; /* also how long a revoked key may still be used */
    uint8_t rotation_pending;   /* a newer version is known and not yet taken */
    uint8_t key_outside_dates;  /* expired or not yet valid: unwraps, but rotation is stuck */
    char reason_code[96];       /* of the state, the vault's own; "" while all is well */
    char reason[256];
    char reason_request_id[64];
    struct gk_key_info key_info; /* what the vault told last of the version that the settings name;
                                      zeros, but for modulus_bits, before it has told */
    int64_t key_info_told_wall_ms; /* when last; 0: never */
    uint32_t
        oldest_generation; /* of those that data may be under still; generation is the newest */
    uint32_t key_warnings; /* bits 1 << enum gk_key_warning */
    int64_t key_created_wall_ms;      /* of the version that wraps */
    int64_t key_rotation_due_wall_ms; /* likewise: by when its rotation policy has it rotated */
    int64_t revoked_since_wall_ms;    /* while it is revoked: since this process first heard so */
};

/* A call that somebody has asked for, and waits for. */
struct gk_call {
    uint32_t deadline_ms; /* how long, at most */
    const char *actor;    /* who, for audit events; NUL-terminated; NULL: the product itself */
};

struct gk_instance;
struct gk_account;
struct gk_data_key;
struct gk_segment;
struct gk_pages;

/* Where a data key belongs. Both ids are part of what authenticates it. */
struct gk_object_scope {
    struct gk_id container;
    struct gk_id object; /* one incarnation of a blob or file; never used again */
};

/* What an account's record says of itself, for people. */
struct gk_account_record_info {
    struct gk_id id;
    uint64_t sequence;
    uint32_t generation;
    char current_key_id[GK_KEY_ID_BYTES_MAX];  /* version that wraps the root key */
    char previous_key_id[GK_KEY_ID_BYTES_MAX]; /* of a second wrap, or "" */
};

/* What account_record_restore is asked for. */
struct gk_account_restore {
    struct gk_span record;    /* what account_record_export gave */
    uint8_t replace_settings; /* the record's settings, though the present ones are others */
    /*
     * The host's own say, before anything is written: whether what it has stored is of the account
     * that would come back, whose id is id. candidate is for record_open alone, and until check
     * returns. It may fill *beside, whose name is NULL, with one attribute of the host's own that
     * is written in the same step; its value must live until the restore ends. Called once for each
     * attempt to write, after the attributes were read; what it refuses is the restore's answer. It
     * may ask the plugin what it knows of accounts, this one too.
     */
    enum gk_status (*check)(void *check_ctx, struct gk_account *candidate, const struct gk_id *id,
                            struct gk_attr *beside, struct gk_error *error);
    void *check_ctx;
};

/* A wrap of a root key, but for its bytes. Strings live during the visit. */
struct gk_wrap_info {
    struct gk_id account_id;
    uint32_t generation;
    const char *key_id; /* what wrapped: a key version, the service key, or a newer root key */
    const char *algorithm;
    uint8_t by_vault;   /* key_id is a key version of the customer's */
    uint8_t sha256[32]; /* of the wrap; tells it from any other, and nothing of what is in it */
};
typedef void gk_wrap_visit_fn(void *visit_ctx, const struct gk_wrap_info *wrap);

/* The generations below that number, but for those that are kept and the active one. */
struct gk_retirement {
    uint32_t below;
    const uint32_t *kept;
    size_t kept_count;
};

/* --- plugin
 * --------------------------------------------------------------------------------------- */

struct gk_plugin {
    uint32_t abi_version; /* GK_PLUGIN_ABI_VERSION */
    uint32_t struct_size;
    const char *name;        /* "gatekey" */
    const char *version;     /* of the build */
    const char *config_help; /* every setting, a line each, for people */

    /* Life; see the head of this file. config refuses with GK_E_INVALID and a message that names
     * the setting, what is wrong and what would be right. */
    enum gk_status (*create)(const struct gk_host *host, struct gk_instance **out,
                             struct gk_error *error);
    enum gk_status (*config)(struct gk_instance *instance, const char *key, const char *value,
                             struct gk_error *error);
    enum gk_status (*start)(struct gk_instance *instance, struct gk_error *error);
    void (*stop)(struct gk_instance *instance);
    void (*destroy)(struct gk_instance *instance);

    /*
     * Creates the account's record: a new id and a new root key, wrapped as settings say and proved
     * by an unwrap before anything is stored. BLOCKS. GK_E_EXISTS: it has a record already.
     * GK_E_NOT_FOUND: there is no account that the scope would be in.
     * GK_E_CONFLICT (409 AccountRecordLost): its object is there, and the record is not.
     * GK_E_INVALID: the key was not accepted; the message names what is wrong and how to mend it
     * (code KeyVaultPolicyError, KeyVaultAuthenticationFailure, ...; http_status 400).
     */
    enum gk_status (*account_create)(struct gk_instance *instance, const char *account,
                                     const struct gk_encryption_settings *settings,
                                     const struct gk_call *call, struct gk_error *error);
    /*
     * Changes key, version, vault, identity or source by wrapping the root key anew; touches no
     * data, and requests go on meanwhile. BLOCKS. Fails, changing nothing, when the new key is not
     * accepted, or when the root key cannot be opened with the present one (GK_E_DENIED: the
     * present key is revoked).
     */
    enum gk_status (*account_set_encryption)(struct gk_instance *instance, const char *account,
                                             const struct gk_encryption_settings *settings,
                                             const struct gk_call *call, struct gk_error *error);
    /* From memory and the account store; never asks the vault. */
    enum gk_status (*account_status)(struct gk_instance *instance, const char *account,
                                     struct gk_account_status *out, struct gk_error *error);
    /* Re-checks the key and looks for a new version now, rotating when there is one. BLOCKS. The
     * status afterwards tells the result; an error here means the check could not be made. */
    enum gk_status (*account_check_now)(struct gk_instance *instance, const char *account,
                                        const struct gk_call *call, struct gk_error *error);
    /* Drops all that memory holds of the account: its root key is wiped, handles on it answer
     * GK_E_DENIED or GK_E_NOT_FOUND from now on. Its stored record is the host's to delete. */
    void (*account_forget)(struct gk_instance *instance, const char *account);

    /* A handle for the calls below; reads the record from the account store when it is not cached,
     * never asks the vault. GK_E_NOT_FOUND; GK_E_INTEGRITY: the record is not authentic. */
    enum gk_status (*account_open)(struct gk_instance *instance, const char *account,
                                   struct gk_account **out, struct gk_error *error);
    void (*account_release)(struct gk_account *account);

    /*
     * Once per request, before anything is read or written. GK_OK, GK_E_DENIED, GK_E_UNAVAILABLE,
     * or GK_E_COLD for an operation that needs the key of an account whose state is not known yet:
     * the host then calls account_warm and asks again. Operations that go on after revocation are
     * GK_OK whatever the state of the key. Any operation of an account that was forgotten since it
     * was opened is GK_E_NOT_FOUND. flags: GK_REQUEST_*.
     */
    enum gk_status (*authorize)(struct gk_account *account, enum gk_operation operation,
                                uint32_t flags, struct gk_error *error);
    /* Fetches the root key if it is not there; one fetch is shared by all waiters. BLOCKS. */
    enum gk_status (*account_warm)(struct gk_account *account, uint32_t deadline_ms,
                                   struct gk_error *error);

    /*
     * Data keys. create makes a random one and writes GK_SEALED_DATA_KEY_BYTES; open takes those
     * back and refuses (GK_E_INTEGRITY) any that were sealed for another account, scope or root
     * key, and (GK_E_CONFLICT) any under a root key that was retired, where a record that was read
     * before that may have one; reseal moves one to another scope of the same account under the active generation
     * without showing it. GK_E_COLD when the root key is not in memory: the vault is not asked for
     * that. open and reseal BLOCK, for as long as a check may take, when a data key is under a root
     * key that another gateway has made just now, and that this one has not got yet.
     */
    enum gk_status (*data_key_create)(struct gk_account *account,
                                      const struct gk_object_scope *scope,
                                      uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                      struct gk_data_key **out, struct gk_error *error);
    enum gk_status (*data_key_open)(struct gk_account *account, const struct gk_object_scope *scope,
                                    struct gk_span sealed, struct gk_data_key **out,
                                    struct gk_error *error);
    enum gk_status (*data_key_reseal)(struct gk_account *account,
                                      const struct gk_object_scope *from, struct gk_span sealed,
                                      const struct gk_object_scope *to,
                                      uint8_t resealed[GK_SEALED_DATA_KEY_BYTES],
                                      struct gk_error *error);
    void (*data_key_free)(struct gk_data_key *data_key);

    /*
     * Segments: an immutable run of chunks under a key derived from the data key and the segment's
     * id. segment_new draws a fresh id, which is never used again, and allows sealing each index
     * once, in order; segment_load takes a stored id and only opens.
     * The handle does not keep data_key. A handle of an account whose key has been dropped since
     * answers GK_E_DENIED or GK_E_UNAVAILABLE from the next chunk on.
     */
    enum gk_status (*segment_new)(struct gk_data_key *data_key, struct gk_id *id,
                                  struct gk_segment **out, struct gk_error *error);
    enum gk_status (*segment_load)(struct gk_data_key *data_key, const struct gk_id *id,
                                   struct gk_segment **out, struct gk_error *error);
    void (*segment_free)(struct gk_segment *segment);
    /*
     * Seals one chunk: plain.len bytes (GK_CHUNK_PLAIN_BYTES unless last) to plain.len +
     * GK_TAG_BYTES bytes at sealed, which may be plain's own memory. GK_E_INVALID: out of order, a
     * short chunk that is not last, or anything after the last.
     */
    enum gk_status (*segment_seal)(struct gk_segment *segment, uint64_t index, uint8_t last,
                                   struct gk_span plain, uint8_t *sealed, struct gk_error *error);
    /*
     * Opens one chunk into sealed.len - GK_TAG_BYTES bytes at plain, which may be sealed's own
     * memory; any index, any number of times. On any failure those bytes are zeroed. The caller
     * takes the number of chunks and which is the last from an authenticated record.
     */
    enum gk_status (*segment_open)(struct gk_segment *segment, uint64_t index, uint8_t last,
                                   struct gk_span sealed, uint8_t *plain, struct gk_error *error);

    /*
     * Records: two parts in one value. The sealed part is under the data key (goes dark on
     * revocation), the open part under the service key (still readable by this gateway then). Both
     * are authenticated together with binding, the caller's description of where the record belongs
     * (say, container id and blob name); a part from another record does not fit.
     *   record_seal         writes a whole record; data_key NULL makes one without a sealed part
     *   record_reseal_open  replaces the open part, keeps the sealed part as it stands; no key
     *   record_open         checks all that the service key can check, gives the open part
     *   record_open_sealed  gives the sealed part; GK_E_NOT_FOUND: it was made without one
     * out has room for out_max bytes (plain lengths + GK_RECORD_OVERHEAD_BYTES is always enough;
     * for the opens the record's own length is); *out_len is set. GK_E_LIMIT when it is not.
     */
    enum gk_status (*record_seal)(struct gk_account *account, struct gk_data_key *data_key,
                                  struct gk_span binding, struct gk_span open_part,
                                  struct gk_span sealed_part, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error);
    enum gk_status (*record_reseal_open)(struct gk_account *account, struct gk_span binding,
                                         struct gk_span record, struct gk_span open_part,
                                         uint8_t *out, size_t out_max, size_t *out_len,
                                         struct gk_error *error);
    enum gk_status (*record_open)(struct gk_account *account, struct gk_span binding,
                                  struct gk_span record, uint8_t *out, size_t out_max,
                                  size_t *out_len, struct gk_error *error);
    enum gk_status (*record_open_sealed)(struct gk_data_key *data_key, struct gk_span binding,
                                         struct gk_span record, uint8_t *out, size_t out_max,
                                         size_t *out_len, struct gk_error *error);

    /*
     * The account's stored record may have been changed by another process; account NULL: any may
     * have been. It is read again soon, on a thread of the plugin's, and obeyed; a record that is
     * gone, or of another account of that name, makes handles answer as after account_forget. Of
     * accounts that memory does not hold, nothing. Never blocks. Without this call the record is
     * read again at every check of the key (check_interval_ms), and as often when the service key
     * opens the account.
     */
    void (*account_changed)(struct gk_instance *instance, const char *account);

    /*
     * Backup of what opens an account. export gives the record as it is stored, without a key in the
     * clear and authenticated under the service key, into out (GK_ACCOUNT_RECORD_BYTES_MAX is
     * always enough; GK_E_LIMIT). From the account store; never asks the vault. GK_E_NOT_FOUND;
     * GK_E_INTEGRITY: the stored record is not authentic, or an older one that was put back. actor is
     * who gets it, as in struct gk_call; "": nobody does, the host only looks whether it is whole, and
     * there is no audit event.
     */
    enum gk_status (*account_record_export)(struct gk_instance *instance, const char *account,
                                            const char *actor, uint8_t *out, size_t out_max,
                                            size_t *out_len, struct gk_account_record_info *info,
                                            struct gk_error *error);
    /*
     * Stores such a record again, under a number that is later than any that was seen, in one
     * guarded write. BLOCKS. *info is what is stored then. Changes nothing and refuses, with
     * http_status and code:
     *   GK_E_INVALID   400 AccountBackupInvalid          not this account's, or changed, or written
     *                                                    under another service key
     *                  409 AccountBackupOfAnotherAccount the name is another account's by now
     *                  409 AccountBackupLosesData        data was sealed under a root key that is
     *                                                    not in it
     *                  409 AccountBackupChangesSettings  and replace_settings was not set
     *                  409 AccountBackupKeyRefused       the vault does not open its root key
     *   GK_E_UNAVAILABLE, and what check refused
     */
    enum gk_status (*account_record_restore)(struct gk_instance *instance, const char *account,
                                             const struct gk_account_restore *restore,
                                             const struct gk_call *call,
                                             struct gk_account_record_info *info,
                                             struct gk_error *error);

    /*
     * Checks record under binding as record_open does, and writes one for another place: its sealed
     * part, byte for byte, and another open part under new_binding; needs no key. The sealed part
     * stays bound to what it was sealed with: record_open_sealed is given that, record_open
     * new_binding. So whoever has no key can keep what a record was beside what it becomes.
     */
    enum gk_status (*record_rebind)(struct gk_account *account, struct gk_span binding,
                                    struct gk_span new_binding, struct gk_span record,
                                    struct gk_span open_part, uint8_t *out, size_t out_max,
                                    size_t *out_len, struct gk_error *error);

    /*
     * Page objects: blocks of GK_PAGE_BLOCK_BYTES that are written in any order, each any number of
     * times, under a key derived from the data key and the object's id, which the caller draws at
     * random and uses for one object. Each write of a block has a seal of its own, which is stored
     * with it, in one atomic step: a block opens with the seal of the same write alone, at its own
     * index of its own object. Which blocks were written, and that one was not put back, is the
     * caller's to know. Handles as those of segments: they do not keep data_key, belong to one thread
     * at a time, and answer GK_E_DENIED or GK_E_UNAVAILABLE once the account's key has been dropped.
     * page_seal  plain and sealed have GK_PAGE_BLOCK_BYTES, and may be the same memory
     * page_open  the same back; on any failure plain is zeroed. GK_E_INTEGRITY
     */
    enum gk_status (*pages_load)(struct gk_data_key *data_key, const struct gk_id *object,
                                 struct gk_pages **out, struct gk_error *error);
    void (*pages_free)(struct gk_pages *pages);
    enum gk_status (*page_seal)(struct gk_pages *pages, uint64_t index, const uint8_t *plain,
                                uint8_t *sealed, uint8_t seal[GK_PAGE_SEAL_BYTES],
                                struct gk_error *error);
    enum gk_status (*page_open)(struct gk_pages *pages, uint64_t index, const uint8_t *sealed,
                                const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                                struct gk_error *error);

    /*
     * Data keys under a key of the client's as well, which comes with each request and of which
     * nothing is kept: sealed under the root key and client_key, GK_CLIENT_KEY_BYTES, together, so
     * that neither opens one alone. Else as data_key_create and data_key_open, which do not open
     * such a key, nor does open_with any other (GK_E_INTEGRITY).
     */
    enum gk_status (*data_key_create_with)(struct gk_account *account,
                                           const struct gk_object_scope *scope,
                                           struct gk_span client_key,
                                           uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                           struct gk_data_key **out, struct gk_error *error);
    enum gk_status (*data_key_open_with)(struct gk_account *account,
                                         const struct gk_object_scope *scope,
                                         struct gk_span client_key, struct gk_span sealed,
                                         struct gk_data_key **out, struct gk_error *error);

    /*
     * Gives the account, or a scope, a new root key: another generation, wrapped as its settings say
     * and proved by an unwrap before it is stored. All that is sealed from then on is under it; the
     * ones before go on opening what was sealed under them. Touches no data, and requests go on
     * meanwhile. BLOCKS. Fails, changing nothing, as account_set_encryption does, and with
     * GK_E_INVALID (409 RootKeyGenerationsInUse): the account has all generations that it may have.
     */
    enum gk_status (*account_new_root_key)(struct gk_instance *instance, const char *account,
                                           const struct gk_call *call, struct gk_error *error);
    /* Which generation a sealed data key is under, by what it says; opening it is the proof.
     * GK_E_INTEGRITY: it is none. */
    enum gk_status (*data_key_generation)(struct gk_span sealed, uint32_t *generation,
                                          struct gk_error *error);
    /*
     * Seals the data key anew, for scope and, unless it is empty, a client's key: under the active
     * generation, which is at_least or a later one. For who was given it under an older one, and
     * finds that none of those may be written any more. BLOCKS when this process has not got that
     * root key yet. Any thread; the handle stays as it is.
     */
    enum gk_status (*data_key_renew)(struct gk_data_key *data_key,
                                     const struct gk_object_scope *scope, struct gk_span client_key,
                                     uint32_t at_least, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                     struct gk_error *error);
    /*
     * Retires root keys: their wraps are destroyed, and what is sealed under them opens no more
     * (GK_E_CONFLICT). For who has made sure that nothing is, and that nothing will be. *retired is
     * how many; nothing to retire is fine, and brings the record as it is stored. Of the account that
     * was opened: GK_E_NOT_FOUND for one that was made under its name since. Never asks the vault.
     */
    enum gk_status (*account_retire_root_keys)(struct gk_account *account,
                                               const struct gk_retirement *retirement,
                                               uint32_t *retired, const struct gk_call *call,
                                               struct gk_error *error);

    /*
     * After the last config, also of an instance that is not started: whether the settings fit
     * together, and whether the files that they name hold what they should. Asks no vault. GK_E_INVALID:
     * the message begins with the setting, as config has it. start asks the same.
     */
    enum gk_status (*config_check)(struct gk_instance *instance, struct gk_error *error);

    /*
     * Visits every wrap that the store has of the root keys of the account, or of a scope: in its record
     * and, while a rotation settles, in the one before; so some may come twice. For who is about to
     * destroy them and is to tell what was destroyed, and for who proves that they are gone. Never asks
     * the vault, and goes by the store alone, whatever memory has. GK_E_NOT_FOUND; GK_E_INTEGRITY: a
     * record is not authentic. The visitor must not call back into the plugin.
     */
    enum gk_status (*account_wraps)(struct gk_instance *instance, const char *account,
                                    gk_wrap_visit_fn *visit, void *visit_ctx,
                                    struct gk_error *error);
};

/* The two symbols that a module exports. */
typedef const struct gk_plugin *gk_plugin_entry_fn(void);
extern const uint32_t gatekey_plugin_abi_version;
const struct gk_plugin *gatekey_plugin_entry(void);

#ifdef __cplusplus
}
#endif
#endif
