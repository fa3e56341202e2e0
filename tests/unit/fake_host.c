/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/fake_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "gatekey/audit.h"

#include "unit/cmocka_all.h"

static struct fake_account *locked_find(struct fake_host *host, const char *name, bool create)
{
    struct fake_account *free_slot = NULL;
    for (size_t i = 0; i < FAKE_ACCOUNTS; i++) {
        struct fake_account *at = &host->accounts[i];
        if (at->version != 0 && strcmp(at->name, name) == 0) {
            return at;
        }
        free_slot = at->version == 0 && free_slot == NULL ? at : free_slot;
    }
    if (!create || free_slot == NULL) {
        return NULL;
    }
    snprintf(free_slot->name, sizeof free_slot->name, "%s", name);
    return free_slot;
}

static struct fake_attr *find_attr(struct fake_account *account, const char *name, bool create)
{
    struct fake_attr *free_slot = NULL;
    for (size_t i = 0; i < FAKE_ATTRS; i++) {
        struct fake_attr *at = &account->attrs[i];
        if (at->value != NULL && strcmp(at->name, name) == 0) {
            return at;
        }
        free_slot = at->value == NULL && free_slot == NULL ? at : free_slot;
    }
    if (!create || free_slot == NULL) {
        return NULL;
    }
    snprintf(free_slot->name, sizeof free_slot->name, "%s", name);
    free_slot->value = malloc(FAKE_VALUE_MAX);
    return free_slot;
}

static void remove_attr(struct fake_account *account, const char *name)
{
    struct fake_attr *attr = find_attr(account, name, false);
    if (attr != NULL) {
        free(attr->value);
        attr->value = NULL;
    }
}

static void put_attr(struct fake_account *account, const char *name, const uint8_t *value,
                     size_t len)
{
    struct fake_attr *attr = find_attr(account, name, true);
    if (attr == NULL || attr->value == NULL || len > FAKE_VALUE_MAX) {
        abort();
    }
    memcpy(attr->value, value, len);
    attr->len = len;
}

/* --- callbacks -------------------------------------------------------------------------------- */

static struct fake_host *host_of(void *ctx)
{
    return ((struct fake_side *)ctx)->host;
}

static void on_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    struct fake_host *host = host_of(ctx);
    (void)component, (void)message;
    pthread_mutex_lock(&host->mutex);
    host->errors_logged += level == GK_LOG_ERROR ? 1 : 0;
    host->warnings_logged += level == GK_LOG_WARNING ? 1 : 0;
    pthread_mutex_unlock(&host->mutex);
}

static int64_t mono_ms(void *ctx)
{
    return atomic_load(&host_of(ctx)->mono_ms);
}

static int64_t wall_ms(void *ctx)
{
    return atomic_load(&host_of(ctx)->wall_ms);
}

static void on_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx, (void)name, (void)labels, (void)add;
}

static void run_hook(struct fake_host *host, fake_hook_fn **hook)
{
    pthread_mutex_lock(&host->mutex);
    fake_hook_fn *fn = *hook;
    void *ctx = host->hook_ctx;
    *hook = NULL;
    pthread_mutex_unlock(&host->mutex);
    if (fn != NULL) {
        fn(ctx);
    }
}

static void on_audit(void *ctx, const struct gk_audit_event *event)
{
    struct fake_host *host = host_of(ctx);
    pthread_mutex_lock(&host->mutex);
    if (host->events_count < FAKE_EVENTS_MAX) {
        struct fake_event *kept = &host->events[host->events_count++];
        snprintf(kept->event, sizeof kept->event, "%s", gk_audit_event_name(event->event));
        snprintf(kept->account, sizeof kept->account, "%s", event->account);
        snprintf(kept->outcome, sizeof kept->outcome, "%s", event->outcome);
        snprintf(kept->reason, sizeof kept->reason, "%s", event->reason);
        snprintf(kept->actor, sizeof kept->actor, "%s", event->actor);
        kept->count = event->count;
    }
    pthread_mutex_unlock(&host->mutex);
    run_hook(host, &host->on_event);
}

static enum gk_status attrs_get(void *ctx, const char *name, gk_attr_visit_fn *visit,
                                void *visit_ctx, uint64_t *version, struct gk_error *error)
{
    struct fake_host *host = host_of(ctx);
    enum gk_status status = GK_OK;
    *version = 0;
    pthread_mutex_lock(&host->mutex);
    host->reads++;
    struct fake_account *account = locked_find(host, name, false);
    if (host->silent || host->silent_once > 0) {
        host->silent_once -= host->silent_once > 0 ? 1 : 0;
        status = gk_fail(error, GK_E_UNAVAILABLE, "the store does not answer");
    } else if (account == NULL) {
        status = gk_fail(error, GK_E_NOT_FOUND, "no such account");
    } else {
        *version = account->version;
        for (size_t i = 0; i < FAKE_ATTRS; i++) {
            const struct fake_attr *at = &account->attrs[i];
            if (at->value != NULL) {
                const struct gk_attr attr = {.name = at->name, .value = {at->value, at->len}};
                visit(visit_ctx, &attr);
            }
        }
    }
    pthread_mutex_unlock(&host->mutex);
    run_hook(host, &host->on_read);
    return status;
}

static enum gk_status locked_set(struct fake_host *host, const char *name, uint64_t expected,
                                 const struct gk_attr *changes, size_t changes_count,
                                 uint64_t *version, struct gk_error *error)
{
    struct fake_account *account = locked_find(host, name, expected == 0);
    if (account == NULL) {
        return gk_fail(error, GK_E_NOT_FOUND, "no such account");
    }
    if (host->conflicts > 0 && account->version != 0) {
        host->conflicts--;
        account->version++;
        put_attr(account, "somebody.else", (const uint8_t *)"x", 1);
    }
    if (account->version != expected) {
        return gk_fail(error, expected == 0 ? GK_E_EXISTS : GK_E_CONFLICT, "another version");
    }
    for (size_t i = 0; i < changes_count; i++) {
        if (changes[i].value.data == NULL) {
            remove_attr(account, changes[i].name);
        } else {
            put_attr(account, changes[i].name, changes[i].value.data, changes[i].value.len);
        }
    }
    host->writes++;
    *version = ++account->version;
    return GK_OK;
}

static enum gk_status attrs_set_if(void *ctx, const char *name, uint64_t expected,
                                   const struct gk_attr *changes, size_t changes_count,
                                   uint64_t *version, struct gk_error *error)
{
    struct fake_host *host = host_of(ctx);
    run_hook(host, &host->on_write);
    pthread_mutex_lock(&host->mutex);
    const enum gk_status status =
        host->silent ? gk_fail(error, GK_E_UNAVAILABLE, "the store does not answer")
                     : locked_set(host, name, expected, changes, changes_count, version, error);
    pthread_mutex_unlock(&host->mutex);
    run_hook(host, &host->on_written);
    return status;
}

static enum gk_status locked_lease(struct fake_host *host, const void *holder, const char *account,
                                   int64_t ms, struct gk_error *error)
{
    struct fake_lease *lease = &host->lease;
    const int64_t now_ms = atomic_load(&host->mono_ms);
    if (host->silent) {
        return gk_fail(error, GK_E_UNAVAILABLE, "the store does not answer");
    }
    if (lease->holder != NULL && lease->holder != holder && lease->until_mono_ms > now_ms &&
        strcmp(lease->account, account) == 0) {
        return gk_fail(error, GK_E_CONFLICT, "another process holds it");
    }
    snprintf(lease->account, sizeof lease->account, "%s", account);
    lease->holder = holder;
    lease->until_mono_ms = now_ms + ms;
    host->leases++;
    return GK_OK;
}

static enum gk_status lease_take(void *ctx, const char *account, uint32_t duration_ms,
                                 struct gk_error *error)
{
    struct fake_host *host = host_of(ctx);
    pthread_mutex_lock(&host->mutex);
    const enum gk_status status = locked_lease(host, ctx, account, duration_ms, error);
    pthread_mutex_unlock(&host->mutex);
    return status;
}

static void lease_release(void *ctx, const char *account)
{
    struct fake_host *host = host_of(ctx);
    pthread_mutex_lock(&host->mutex);
    if (host->lease.holder == ctx && strcmp(host->lease.account, account) == 0) {
        host->lease.holder = NULL;
    }
    pthread_mutex_unlock(&host->mutex);
}

/* --- for tests -------------------------------------------------------------------------------- */

void fake_host_init(struct fake_host *host)
{
    memset(host, 0, sizeof *host);
    atomic_init(&host->mono_ms, 5000);
    atomic_init(&host->wall_ms, 1764000000000);
    pthread_mutex_init(&host->mutex, NULL);
}

void fake_host_cleanup(struct fake_host *host)
{
    for (size_t i = 0; i < FAKE_ACCOUNTS; i++) {
        for (size_t j = 0; j < FAKE_ATTRS; j++) {
            free(host->accounts[i].attrs[j].value);
        }
    }
    pthread_mutex_destroy(&host->mutex);
}

static enum gk_status key_permitted(void *ctx, const char *actor, const char *account,
                                    const struct gk_encryption_settings *settings,
                                    const struct gk_key_info *key, struct gk_error *error)
{
    (void)actor, (void)account, (void)settings;
    struct fake_host *host = ((struct fake_side *)ctx)->host;
    if (key == NULL || key->modulus_bits >= atomic_load(&host->permitted_bits)) {
        return GK_OK;
    }
    if (error != NULL) {
        *error =
            (struct gk_error){.status = GK_E_INVALID, .http_status = 403, .code = "NotPermitted"};
    }
    return GK_E_INVALID;
}

struct gk_host fake_host_callbacks(struct fake_host *host)
{
    struct fake_side *side = &host->sides[host->sides_made++ % FAKE_SIDES];
    side->host = host;
    return (struct gk_host){
        .abi_version = GK_PLUGIN_ABI_VERSION,
        .struct_size = sizeof(struct gk_host),
        .ctx = side,
        .log = on_log,
        .clock_mono_ms = mono_ms,
        .clock_wall_ms = wall_ms,
        .count = on_count,
        .audit = on_audit,
        .account_attrs_get = attrs_get,
        .account_attrs_set_if = attrs_set_if,
        .account_lease_take = lease_take,
        .account_lease_release = lease_release,
        .key_permitted = key_permitted,
    };
}

void fake_host_advance(struct fake_host *host, int64_t ms)
{
    atomic_fetch_add(&host->wall_ms, ms);
    atomic_fetch_add(&host->mono_ms, ms);
}

size_t fake_host_read(struct fake_host *host, const char *account, const char *attr, uint8_t *value,
                      size_t max)
{
    pthread_mutex_lock(&host->mutex);
    struct fake_account *found = locked_find(host, account, false);
    const struct fake_attr *at = found == NULL ? NULL : find_attr(found, attr, false);
    size_t len = 0;
    if (at != NULL && at->len <= max) {
        len = at->len;
        memcpy(value, at->value, len);
    }
    pthread_mutex_unlock(&host->mutex);
    assert_true(len > 0);
    return len;
}

bool fake_host_has(struct fake_host *host, const char *account, const char *attr)
{
    pthread_mutex_lock(&host->mutex);
    struct fake_account *found = locked_find(host, account, false);
    const bool has = found != NULL && find_attr(found, attr, false) != NULL;
    pthread_mutex_unlock(&host->mutex);
    return has;
}

bool fake_host_holds(struct fake_host *host, const char *account, const char *text)
{
    bool holds = false;
    const size_t text_len = strlen(text);
    pthread_mutex_lock(&host->mutex);
    const struct fake_account *found = locked_find(host, account, false);
    for (size_t i = 0; found != NULL && i < FAKE_ATTRS; i++) {
        const struct fake_attr *at = &found->attrs[i];
        for (size_t j = 0; at->value != NULL && j + text_len <= at->len; j++) {
            holds = holds || memcmp(at->value + j, text, text_len) == 0;
        }
    }
    pthread_mutex_unlock(&host->mutex);
    return holds;
}

void fake_host_write(struct fake_host *host, const char *account, const char *attr,
                     const uint8_t *value, size_t len)
{
    pthread_mutex_lock(&host->mutex);
    struct fake_account *found = locked_find(host, account, true);
    put_attr(found, attr, value, len);
    found->version++;
    pthread_mutex_unlock(&host->mutex);
}

void fake_host_remove(struct fake_host *host, const char *account, const char *attr)
{
    pthread_mutex_lock(&host->mutex);
    struct fake_account *found = locked_find(host, account, false);
    if (found != NULL) {
        remove_attr(found, attr);
        found->version++;
    }
    pthread_mutex_unlock(&host->mutex);
}

void fake_host_delete(struct fake_host *host, const char *account)
{
    pthread_mutex_lock(&host->mutex);
    struct fake_account *found = locked_find(host, account, false);
    for (size_t i = 0; found != NULL && i < FAKE_ATTRS; i++) {
        free(found->attrs[i].value);
        found->attrs[i].value = NULL;
    }
    if (found != NULL) {
        found->version = 0;
    }
    pthread_mutex_unlock(&host->mutex);
}

unsigned fake_host_events(struct fake_host *host, const char *event, const char *outcome)
{
    unsigned count = 0;
    pthread_mutex_lock(&host->mutex);
    for (size_t i = 0; i < host->events_count; i++) {
        count += strcmp(host->events[i].event, event) == 0 &&
                         (outcome == NULL || strcmp(host->events[i].outcome, outcome) == 0)
                     ? 1
                     : 0;
    }
    pthread_mutex_unlock(&host->mutex);
    return count;
}

static unsigned counted(struct fake_host *host, const unsigned *counter)
{
    pthread_mutex_lock(&host->mutex);
    const unsigned count = *counter;
    pthread_mutex_unlock(&host->mutex);
    return count;
}

unsigned fake_host_writes(struct fake_host *host)
{
    return counted(host, &host->writes);
}

unsigned fake_host_reads(struct fake_host *host)
{
    return counted(host, &host->reads);
}

unsigned fake_host_warnings(struct fake_host *host)
{
    return counted(host, &host->warnings_logged);
}

unsigned fake_host_errors(struct fake_host *host)
{
    return counted(host, &host->errors_logged);
}

unsigned fake_host_leases(struct fake_host *host)
{
    return counted(host, &host->leases);
}

void fake_host_set_silent(struct fake_host *host, bool silent)
{
    pthread_mutex_lock(&host->mutex);
    host->silent = silent;
    pthread_mutex_unlock(&host->mutex);
}

void fake_host_hold_lease(struct fake_host *host, const char *account, int64_t ms)
{
    pthread_mutex_lock(&host->mutex);
    const enum gk_status status = locked_lease(host, host, account, ms, NULL);
    pthread_mutex_unlock(&host->mutex);
    assert_int_equal(status, GK_OK);
}

void fake_host_hook(struct fake_host *host, fake_hook_fn *on_read, fake_hook_fn *on_write,
                    void *ctx)
{
    pthread_mutex_lock(&host->mutex);
    host->on_read = on_read;
    host->on_write = on_write;
    host->hook_ctx = ctx;
    pthread_mutex_unlock(&host->mutex);
}
