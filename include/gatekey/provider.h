/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plugin <-> key provider: who can wrap and unwrap, and what its answers mean.
 *
 * A provider owns one thread. Vault calls are asynchronous: a call is started from any thread, its
 * completion runs on the provider's thread. Completions and timers must not block; they may start
 * further calls. Nothing here knows what an account is.
 *
 *   plugin thread                     provider's thread
 *   -------------                     -----------------
 *   unwrap(key, wrapped, done) -----> token (cached or fetched) -> HTTPS -> retry with back-off
 *                              <----- done(answer)               <- verdict
 *   call_at(time, fn)          -----> fn() at that time of the injected clock
 *
 * What a verdict means is fixed here (sources: the Key Vault REST reference, "Authentication,
 * requests and responses", "REST API error codes"; Entra's token endpoint errors; of the transit
 * engines of OpenBao and HashiCorp Vault their API documentation and sources; docs/decisions):
 *
 *   GK_VAULT_OK
 *       the vault did it
 *   GK_VAULT_KEY_REFUSED
 *       403 or 404 of the vault in its own error format: key or version disabled, deleted, purged,
 *       permission or role missing, firewall; also 400 to an unwrap of bytes that do not belong to
 *       that key version (BadParameter). Transit: "permission denied" to a fresh token, and the
 *       sentences that name a key, version, engine or namespace that is gone or disabled
 *   GK_VAULT_GONE
 *       the vault's name exists no more, as documented for a deleted Key Vault (NXDOMAIN); a resolver
 *       that does not answer, and the name of a transit engine's host, are GK_VAULT_UNAVAILABLE
 *   GK_VAULT_IDENTITY_GONE
 *       the token endpoint refused for good (4xx with an OAuth error other than 408 and 429; of a
 *       token service of the host, other than 401, 404 and 410 too), or the vault answers 401 to a
 *       fresh token. Transit: the login's role, secret id or certificate is refused
 *   GK_VAULT_UNAVAILABLE
 *       everything else: no answer in time, connection refused or dropped, TLS failure, 429, 5xx (a
 *       transit engine that is sealed says 503),
 *       an answer that is not what was asked (nonsense, too large, wrong key id, wrong length, a
 *       challenge for another domain)
 *
 * Only an explicit refusal may revoke; silence never does.
 */
#ifndef GATEKEY_PROVIDER_H
#define GATEKEY_PROVIDER_H

#include "gatekey/types.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GK_PROVIDER_API_VERSION 1u

#define GK_VAULT_URI_BYTES_MAX   256u /* with NUL */
#define GK_KEY_NAME_BYTES_MAX    128u /* 1..127 of [0-9A-Za-z-], with NUL */
#define GK_KEY_VERSION_BYTES_MAX 33u  /* 32 hexadecimal digits, a number, or "": the current one */
#define GK_KEY_ID_BYTES_MAX      512u /* https://host/keys/name/version */
#define GK_RESOURCE_ID_BYTES_MAX 512u
#define GK_CLIENT_ID_BYTES_MAX   64u
#define GK_WRAPPED_BYTES_MAX     512u /* RSA 4096; transit's text is shorter */
#define GK_ROOT_KEY_BYTES        32u

/* The key type of transit engines that wraps root keys; those of Key Vault are RSA and RSA-HSM. */
#define GK_KEY_TYPE_AES256_GCM96 "aes256-gcm96"

/* Which key. All strings NUL-terminated; a vault URI has no path and no trailing slash. */
struct gk_key_reference {
    char vault_uri[GK_VAULT_URI_BYTES_MAX];
    char name[GK_KEY_NAME_BYTES_MAX];
    char version[GK_KEY_VERSION_BYTES_MAX];
};

enum gk_identity_kind { GK_IDENTITY_SYSTEM_ASSIGNED = 0, GK_IDENTITY_USER_ASSIGNED = 1 };

/* As whom to ask. The provider's configuration says how that identity gets its tokens. */
struct gk_identity_reference {
    enum gk_identity_kind kind;
    char resource_id[GK_RESOURCE_ID_BYTES_MAX]; /* of a user-assigned one; compared without case */
    char federated_client_id[GK_CLIENT_ID_BYTES_MAX]; /* cross-tenant application; "" for none */
};

enum gk_vault_verdict {
    GK_VAULT_OK = 0,
    GK_VAULT_KEY_REFUSED = 1,
    GK_VAULT_GONE = 2,
    GK_VAULT_IDENTITY_GONE = 3,
    GK_VAULT_UNAVAILABLE = 4
};

/* What `get` tells of a key version. */
struct gk_key_info {
    char key_type[16];          /* "RSA", "RSA-HSM", ...; cut to fit */
    uint32_t modulus_bits;      /* of an RSA key, from its public part; of others 0 */
    uint8_t enabled;            /* attributes.enabled */
    uint8_t may_wrap;           /* key_ops holds wrapKey; transit: it encrypts, underived */
    uint8_t may_unwrap;         /* key_ops holds unwrapKey; transit: it decrypts, underived */
    uint8_t soft_delete;        /* from recoveryLevel; transit: deletion_allowed is false */
    uint8_t purge_protected;    /* from recoveryLevel: does not contain "Purgeable"; as before */
    int64_t not_before_wall_ms; /* 0: none */
    int64_t expires_wall_ms;    /* 0: none */
    char recovery_level[64];
    int64_t created_wall_ms;      /* when the version was made; 0: not told */
    int64_t rotation_due_wall_ms; /* by when its rotation policy has it followed by a newer one; 0:
                                     never, or not known */
    uint8_t rotation_told; /* the vault tells that with the key: rotation_due has no more to say */
};

/* Valid only during the completion that gets it. */
struct gk_vault_answer {
    enum gk_vault_verdict verdict;
    uint16_t http_status; /* 0 when there was no answer */
    uint8_t ours;         /* of GK_VAULT_UNAVAILABLE: it tells nothing of the vault, which was not
                                asked (pace, memory, end), or not heard by a process that stood still */
    uint32_t retry_after_ms; /* what the vault asked for, or its pace leaves; 0 for nothing */
    char code[96];           /* the vault's or authority's own reason, "Forbidden/KeyDisabled" */
    char message[256];       /* one line for people; no secret */
    char request_id[64];     /* x-ms-request-id, for the vault owner's log */
    char key_id[GK_KEY_ID_BYTES_MAX]; /* full versioned identifier that the vault answered */
    char algorithm[24];               /* of a wrap: "RSA-OAEP-256", "transit" */
    struct gk_span value;             /* wrapped bytes, or 32 bytes of key in locked memory */
    struct gk_key_info info;          /* of a get; of rotation_due rotation_due_wall_ms alone */
};

/* Runs on the provider's thread; owns nothing in answer. */
typedef void gk_vault_done_fn(void *ctx, const struct gk_vault_answer *answer);
typedef void gk_timer_fn(void *ctx);

struct gk_provider;
struct gk_provider_timer;

/* What the provider needs of whoever loads it. Copied at create. All callbacks are thread-safe. */
struct gk_provider_host {
    void *ctx;
    void (*log)(void *ctx, enum gk_log_level level, const char *component, const char *message);
    int64_t (*clock_mono_ms)(void *ctx);
    int64_t (*clock_wall_ms)(void *ctx);
    /* Adds to a counter, e.g. ("gatekey_vault_calls_total", "operation=\"unwrap\",result=\"ok\""), or one
     * observation to a histogram, e.g. so many seconds ("gatekey_vault_call_duration_seconds"). */
    void (*count)(void *ctx, const char *name, const char *labels, double add);
};

struct gk_provider_ops {
    uint32_t api_version; /* GK_PROVIDER_API_VERSION */
    uint32_t struct_size;
    const char *name; /* "vault" */

    /*
     * Life: create, config for each setting, start (reads files, starts the thread), stop (ends
     * calls under way with GK_VAULT_UNAVAILABLE, joins; idempotent), destroy. Not thread-safe among
     * themselves. config answers GK_E_INVALID with a message that names the setting, and
     * GK_E_NOT_FOUND for a key that it does not know.
     */
    enum gk_status (*create)(const struct gk_provider_host *host, struct gk_provider **out,
                             struct gk_error *error);
    enum gk_status (*config)(struct gk_provider *provider, const char *key, const char *value,
                             struct gk_error *error);
    enum gk_status (*start)(struct gk_provider *provider, struct gk_error *error);
    void (*stop)(struct gk_provider *provider);
    void (*destroy)(struct gk_provider *provider);

    /*
     * A 32-byte key derived from the operator's service key for one purpose:
     * HKDF-SHA256(service key, salt "", info label). The service key itself never leaves the
     * provider. out should be locked memory. id gets 16 lower-case hex digits and a NUL that name
     * the service key (first 8 bytes of HKDF with info "gatekey/v1/service-key-id").
     * Any thread, after start.
     */
    enum gk_status (*service_key_derive)(struct gk_provider *provider, const char *label,
                                         uint8_t out[GK_ROOT_KEY_BYTES], struct gk_error *error);
    void (*service_key_id)(struct gk_provider *provider, char id[17]);

    /*
     * Refuses, with what to do about it, a vault URI that is not https, has a path, query, user or
     * fragment, or whose host is neither under a known vault domain nor configured; and an identity
     * that is not configured. Any thread, no network.
     */
    enum gk_status (*check_reference)(struct gk_provider *provider,
                                      const struct gk_identity_reference *identity,
                                      const struct gk_key_reference *key, struct gk_error *error);

    /*
     * The vault calls. Inputs are copied before return; done is called exactly once, on the
     * provider's thread, also when the call could not be started. deadline_ms is how long the whole
     * call with its retries may take. get with version "" asks for the current version. wrap with
     * version "" lets the vault choose; answer.key_id names what it used. unwrap needs the version,
     * and answers GK_VAULT_UNAVAILABLE when what comes back is not GK_ROOT_KEY_BYTES long (a
     * Managed HSM has been seen to append a NUL).
     */
    void (*key_get)(struct gk_provider *provider, const struct gk_identity_reference *identity,
                    const struct gk_key_reference *key, uint32_t deadline_ms,
                    gk_vault_done_fn *done, void *ctx);
    void (*wrap)(struct gk_provider *provider, const struct gk_identity_reference *identity,
                 const struct gk_key_reference *key, const uint8_t plain[GK_ROOT_KEY_BYTES],
                 uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx);
    void (*unwrap)(struct gk_provider *provider, const struct gk_identity_reference *identity,
                   const struct gk_key_reference *key, const char *algorithm,
                   struct gk_span wrapped, uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx);

    /*
     * Runs fn(ctx) once on the provider's thread when the host's monotonic clock reaches
     * mono_ms (at once if it has). Any thread. NULL only when memory is out. cancel before it ran
     * frees it; on the provider's thread cancel is exact, from another thread fn may be running.
     * A timer that ran is freed after fn returns.
     */
    struct gk_provider_timer *(*call_at)(struct gk_provider *provider, int64_t mono_ms,
                                         gk_timer_fn *fn, void *ctx);
    void (*cancel)(struct gk_provider *provider, struct gk_provider_timer *timer);

    /* After the last config: whether the settings fit together, and whether the files that they name hold what
     * they should. No network. GK_E_INVALID: the message begins with the setting. start asks the same. */
    enum gk_status (*config_check)(struct gk_provider *provider, struct gk_error *error);

    /*
     * A vault call as those above: reads the rotation policy of the key, whose version is not looked at, and answers by
     * when it has the version that is told of followed by a newer one. Takes a permission of its own; what it refuses
     * concerns nothing else. Of a vault that tells it with the key (rotation_told) GK_VAULT_UNAVAILABLE, unasked.
     */
    void (*rotation_due)(struct gk_provider *provider, const struct gk_identity_reference *identity,
                         const struct gk_key_reference *key, const struct gk_key_info *version,
                         uint32_t deadline_ms, gk_vault_done_fn *done, void *ctx);
};

/* The provider that is built into gatekey.so: Key Vault, Managed HSM and the transit engine of OpenBao
 * and HashiCorp Vault, side by side, and a service key file. */
const struct gk_provider_ops *gk_vault_provider(void);

#ifdef __cplusplus
}
#endif
#endif
