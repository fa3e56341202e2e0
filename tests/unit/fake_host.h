/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host for unit tests: clocks that stand until moved, attributes in memory, events kept. All
 * gateways of a test share it; each set of callbacks is another process to the leases.
 */
#ifndef TESTS_UNIT_FAKE_HOST_H
#define TESTS_UNIT_FAKE_HOST_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "gatekey/plugin.h"

#define FAKE_ACCOUNTS   12u
#define FAKE_ATTRS      6u
#define FAKE_VALUE_MAX  65536u
#define FAKE_EVENTS_MAX 256u
#define FAKE_SIDES      8u

struct fake_attr {
    char name[64];
    size_t len;
    uint8_t *value; /* FAKE_VALUE_MAX bytes */
};

struct fake_account {
    char name[GK_ACCOUNT_PATH_BYTES_MAX];
    uint64_t version; /* 0: not there */
    struct fake_attr attrs[FAKE_ATTRS];
};

struct fake_host;

/* A process's view of the host. */
struct fake_side {
    struct fake_host *host;
};

struct fake_lease {
    char account[GK_ACCOUNT_PATH_BYTES_MAX];
    const void *holder; /* a side, or whoever the test says; NULL: free */
    int64_t until_mono_ms;
};

struct fake_event {
    char event[32];
    char account[GK_ACCOUNT_PATH_BYTES_MAX];
    char outcome[16];
    char reason[96];
    char actor[32];
    uint64_t count;
};

/* Called as the store has been read, is about to be written or has been written, without a lock; may
 * use the plugin. */
typedef void fake_hook_fn(void *ctx);

struct fake_host {
    atomic_int_fast64_t mono_ms;
    atomic_int_fast64_t wall_ms;
    atomic_uint permitted_bits; /* a smaller key is not permitted */
    pthread_mutex_t mutex;      /* of what follows */
    struct fake_account accounts[FAKE_ACCOUNTS];
    struct fake_event events[FAKE_EVENTS_MAX];
    size_t events_count;
    unsigned writes;
    /* The next so many guarded writes find that somebody else has written something else. */
    unsigned conflicts;
    bool silent;          /* reads, writes and leases find the store away */
    unsigned silent_once; /* so many reads do */
    unsigned reads;
    unsigned warnings_logged;
    unsigned errors_logged;
    struct fake_side sides[FAKE_SIDES];
    unsigned sides_made;
    struct fake_lease lease; /* the last one that was taken */
    unsigned leases;         /* how often one was given */
    fake_hook_fn *on_read;   /* once each */
    fake_hook_fn *on_write;
    fake_hook_fn *on_written;
    fake_hook_fn *on_event;
    void *hook_ctx;
};

void fake_host_init(struct fake_host *host);
void fake_host_cleanup(struct fake_host *host);
/* Those of a new process. */
struct gk_host fake_host_callbacks(struct fake_host *host);
void fake_host_advance(struct fake_host *host, int64_t ms);

/* A copy of an attribute's value; the test fails when it is not there. */
size_t fake_host_read(struct fake_host *host, const char *account, const char *attr, uint8_t *value,
                      size_t max);
bool fake_host_has(struct fake_host *host, const char *account, const char *attr);
/* Whether any attribute of the account has text in its value. */
bool fake_host_holds(struct fake_host *host, const char *account, const char *text);
/* Behind everybody's back, as one who writes to the store would. */
void fake_host_write(struct fake_host *host, const char *account, const char *attr,
                     const uint8_t *value, size_t len);
void fake_host_remove(struct fake_host *host, const char *account, const char *attr);
void fake_host_delete(struct fake_host *host, const char *account);
unsigned fake_host_events(struct fake_host *host, const char *event, const char *outcome);
unsigned fake_host_writes(struct fake_host *host);
unsigned fake_host_reads(struct fake_host *host);
unsigned fake_host_warnings(struct fake_host *host);
unsigned fake_host_errors(struct fake_host *host);
void fake_host_set_silent(struct fake_host *host, bool silent);
/* Another process takes the account's lease for so long, and does nothing with it. */
void fake_host_hold_lease(struct fake_host *host, const char *account, int64_t ms);
unsigned fake_host_leases(struct fake_host *host);
void fake_host_hook(struct fake_host *host, fake_hook_fn *on_read, fake_hook_fn *on_write,
                    void *ctx);

#endif
