/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Types that plugin.h and provider.h share. Plain C17, clean in C++, no library's types.
 *
 * Conventions in every public header:
 *  - a status is returned and must be used; detail goes to a caller-owned struct gk_error, which
 *    may be NULL where nobody reads it. On failure every output is zeroed unless its comment says
 *    otherwise.
 *  - lengths are bytes, times are milliseconds since the epoch (wall) or since an arbitrary start
 *    (mono), and the unit stands at the end of the name.
 *  - a span is a view: it owns nothing and must not outlive what it points to.
 */
#ifndef GATEKEY_TYPES_H
#define GATEKEY_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define GK_MUST_USE __attribute__((warn_unused_result))

/*
 * What happened, grouped by what the caller can do about it. Numbers are frozen by the ABI: new
 * ones are appended.
 */
enum gk_status {
    GK_OK = 0,
    GK_E_INVALID = 1,   /* the call or its input is wrong; repeating it cannot help */
    GK_E_NOT_FOUND = 2, /* no such account, object, attribute, key */
    GK_E_EXISTS = 3,    /* exclusive creation found something there */
    GK_E_CONFLICT = 4,  /* a guard did not hold: read again and retry */
    GK_E_DENIED = 5,    /* the customer's key, vault or identity refuses: documented 403 */
    GK_E_UNAVAILABLE =
        6,              /* no answer for now: retry after retry_after_s; never treated as DENIED */
    GK_E_INTEGRITY = 7, /* stored bytes are not what was written, or the key is not the right one */
    GK_E_LIMIT = 8,     /* too long, too many, too large for the given buffer */
    GK_E_RESOURCE = 9,  /* memory, disk, lockable memory or entropy ran out */
    GK_E_UNSUPPORTED = 10, /* known, but not served by this build or version */
    GK_E_INTERNAL = 11,    /* a defect of ours */
    GK_E_COLD = 12         /* authorize only: state unknown yet; call account_warm and ask again */
};

/* Why something failed. Text is for people, in one line; it never holds a key, token or secret. */
struct gk_error {
    enum gk_status status;
    uint16_t http_status;   /* what a gateway should answer, 0 when it has no opinion */
    uint32_t retry_after_s; /* with GK_E_UNAVAILABLE; 0 is unknown */
    char code[64];          /* the documented error code, e.g. KeyVaultEncryptionKeyNotFound */
    char message[512];
};

/* A view of len bytes at data; data may be NULL when len is 0. */
struct gk_span {
    const uint8_t *data;
    size_t len;
};

/* A 128-bit identifier: account id, container id, object id, segment id. */
struct gk_id {
    uint8_t bytes[16];
};

enum gk_log_level { GK_LOG_ERROR = 0, GK_LOG_WARNING = 1, GK_LOG_INFO = 2, GK_LOG_DEBUG = 3 };

#ifdef __cplusplus
}
#endif
#endif
