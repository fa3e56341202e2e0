/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fleet of accounts over days: the plugin as it is, and the provider's pace and breaker, by a clock that is moved and
 * over vaults in memory. Most accounts are idle, some are in use, and others take their place. Keys are rotated, and
 * the version before is disabled a day and some hours later; every tenth key is disabled and enabled instead; vaults
 * fall silent. Ends with 1 when anything was missed:
 *
 *   a version that an account did not take up within a version-check interval and MARGIN_MS, silences aside
 *   a request that was let through longer than MARGIN_MS after its key was disabled, or refused after it was enabled
 *   an answer that nothing of that explains
 *
 * With restart the gateway ends in the middle of it and is started again, and looks at all accounts as it does then; wrong
 * is then, too, an hour with half as many calls again as the one before, beside one for each account in use, which has
 * to be opened.
 *
 * usage: fleet [accounts [keys [vaults [days [restart]]]]]
 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench/fleet_store.h"
#include "bench/fleet_vaults.h"
#include "common/clock.h"
#include "common/error.h"
#include "plugin/account.h"
#include "plugin/account_change.h"

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)
#define STEP_MS   (5 * MINUTE_MS)

#define CHECK_INTERVAL_MS (10 * MINUTE_MS)
#define MARGIN_MS         (CHECK_INTERVAL_MS + 3 * STEP_MS)
#define OLD_VERSION_MS    (DAY_MS + 6 * HOUR_MS) /* how long the version before opens */
#define ROTATION_EVERY_MS (10 * DAY_MS)          /* of a key */
#define DISABLED_MS       (3 * HOUR_MS)
#define SILENCE_MS        (2 * HOUR_MS) /* of a vault, at most; shorter than the grace */
#define SILENCE_EVERY_MS  (7 * DAY_MS)
#define ACCOUNTS_IN_USE   100u /* one of so many accounts */
#define CREATED_AT_ONCE   500u /* in each vault */
#define LOOKED_AT_AT_ONCE 10000u
#define KEYS_REVOKED      10u /* one of so many keys is disabled and enabled, and never rotated */

struct seen {
    unsigned version; /* that wraps the account's root key */
};

struct world {
    unsigned accounts_count;
    unsigned created;
    unsigned looked_at;
    struct gk_instance *instance;
    struct seen *seen;
    struct gk_account **in_use; /* handles */
    unsigned in_use_count;
    uint64_t random;
    uint64_t rotations, taken_up, uses, denied, unavailable, wrong;
    int64_t busiest_ms; /* that the calls of one step had to wait for the pace */
    int64_t slowest_ms; /* from a new version to an account that took it up; silences aside */
    struct gk_worker user;
};

static struct world world;

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (memory == NULL) {
        fprintf(stderr, "fleet: out of memory\n");
        exit(2);
    }
    return memory;
}

/* The same in each run (SplitMix64). */
static uint64_t draw(uint64_t below)
{
    uint64_t z = world.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return (z ^ z >> 31) % below;
}

static int64_t now_ms(void)
{
    return atomic_load(&fleet.now_ms);
}

static unsigned key_of(unsigned account)
{
    return account % fleet.keys_count;
}

static const struct fleet_vault *vault_of(unsigned account)
{
    return &fleet.vaults[key_of(account) % fleet.vaults_count];
}

/* What the account is like now that it is reported, and what the request that found it so had for an answer. */
static void tell_status(unsigned account, enum gk_status status, int64_t took_real_ms)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    struct gk_account_status now = {0};
    snprintf(name, sizeof name, FLEET_ACCOUNT_FORM, account);
    const bool known = gk_account_get_status(world.instance, name, &now, NULL) == GK_OK;
    fprintf(stderr,
            "  after %lld ms of real time: %s; state %d, reason \"%s\"; the vault answers from "
            "minute %lld\n",
            (long long)took_real_ms, gk_status_name(status), known ? (int)now.state : -1,
            known ? now.reason_code : "",
            (long long)(vault_of(account)->answers_from_ms / MINUTE_MS));
}

static void report(unsigned account, const char *what)
{
    if (world.wrong++ < 10) {
        const struct fleet_key *key = &fleet.keys[key_of(account)];
        fprintf(stderr,
                "minute %lld: account %u: %s (key at version %u for %lld minutes, %s for %lld)\n",
                (long long)(now_ms() / MINUTE_MS), account, what, key->version,
                (long long)((now_ms() - key->rotated_ms) / MINUTE_MS),
                key->disabled ? "disabled" : "enabled",
                (long long)((now_ms() - key->changed_ms) / MINUTE_MS));
    }
}

/* Whether the vault has answered all the time in the last so many milliseconds. */
static bool has_answered(unsigned account, int64_t ms)
{
    const struct fleet_vault *vault = vault_of(account);
    return !fleet_vault_is_silent(key_of(account) % fleet.vaults_count) &&
           now_ms() - vault->answers_from_ms >= ms;
}

/* --- the host -------------------------------------------------------------------------------------- */

static void host_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    (void)ctx, (void)component;
    if (level == GK_LOG_ERROR) {
        fprintf(stderr, "%s\n", message);
        world.wrong++;
    }
}

static int64_t host_clock(void *ctx)
{
    (void)ctx;
    return now_ms();
}

static void host_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx, (void)name, (void)labels, (void)add;
}

static void take_up(unsigned account, unsigned version)
{
    const struct fleet_key *key = &fleet.keys[key_of(account)];
    const int64_t took_ms = now_ms() - key->rotated_ms;
    world.taken_up++;
    world.seen[account].version = version;
    if (version == key->version && took_ms > world.slowest_ms && has_answered(account, took_ms)) {
        world.slowest_ms = took_ms;
    }
}

static void host_audit(void *ctx, const struct gk_audit_event *event)
{
    (void)ctx;
    if (event->event == GK_AUDIT_KEY_ROTATE && strcmp(event->outcome, "ok") == 0) {
        take_up(fleet_store_number(event->account),
                (unsigned)strtoul(strrchr(event->key_id, '/') + 1, NULL, 16));
    }
}

static enum gk_status host_lease_take(void *ctx, const char *account, uint32_t duration_ms,
                                      struct gk_error *error)
{
    (void)ctx, (void)account, (void)duration_ms, (void)error;
    return GK_OK;
}

static void host_lease_release(void *ctx, const char *account)
{
    (void)ctx, (void)account;
}

static enum gk_status host_permits(void *ctx, const char *actor, const char *account,
                                   const struct gk_encryption_settings *settings,
                                   const struct gk_key_info *key, struct gk_error *error)
{
    (void)ctx, (void)actor, (void)account, (void)settings, (void)key, (void)error;
    return GK_OK;
}

static const struct gk_host host = {
    .abi_version = GK_PLUGIN_ABI_VERSION,
    .struct_size = sizeof host,
    .log = host_log,
    .clock_mono_ms = host_clock,
    .clock_wall_ms = host_clock,
    .count = host_count,
    .audit = host_audit,
    .account_attrs_get = fleet_store_get,
    .account_attrs_set_if = fleet_store_set_if,
    .account_lease_take = host_lease_take,
    .account_lease_release = host_lease_release,
    .key_permitted = host_permits,
};

/* --- accounts ---------------------------------------------------------------------------------------- */

static void create_one(unsigned account)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    struct gk_error error = {0};
    struct gk_encryption_settings settings = {.source = GK_KEY_SOURCE_CUSTOMER,
                                              .identity.kind = GK_IDENTITY_USER_ASSIGNED};
    const struct gk_call call = {.deadline_ms = UINT32_MAX};
    snprintf(name, sizeof name, FLEET_ACCOUNT_FORM, account);
    snprintf(settings.key.vault_uri, sizeof settings.key.vault_uri, FLEET_VAULT_FORM,
             key_of(account) % fleet.vaults_count);
    snprintf(settings.key.name, sizeof settings.key.name, FLEET_KEY_FORM, key_of(account));
    snprintf(settings.identity.resource_id, sizeof settings.identity.resource_id, "/identities/%u",
             key_of(account));
    if (gk_account_create(world.instance, name, &settings, &call, &error) != GK_OK) {
        fprintf(stderr, "fleet: %s: %s\n", name, error.message);
        exit(2);
    }
    world.seen[account].version = 1;
}

/* What the key is like has to be what a client sees, once MARGIN_MS have passed. */
static void use(struct gk_account *account)
{
    const unsigned number = fleet_store_number(account->name);
    const struct fleet_key *key = &fleet.keys[key_of(number)];
    const struct gk_clock clock = gk_clock_system();
    const int64_t begun_real_ms = gk_clock_mono_ms(&clock);
    enum gk_status status = gk_account_authorize(account, GK_OP_BLOB_GET_BLOB, 0, NULL);
    if (status == GK_E_COLD) {
        status = gk_account_warm(account, UINT32_MAX, NULL); /* real time decides nothing */
    }
    const bool settled = now_ms() - key->changed_ms > MARGIN_MS;
    world.uses++;
    world.denied += status == GK_E_DENIED ? 1 : 0;
    world.unavailable += status == GK_E_UNAVAILABLE ? 1 : 0;
    if (status != GK_OK && status != GK_E_DENIED && status != GK_E_UNAVAILABLE) {
        report(number, "is answered what it should not be");
    } else if (has_answered(number, MARGIN_MS) && settled &&
               status != (key->disabled ? GK_E_DENIED : GK_OK)) {
        report(number, key->disabled ? "is served" : "is not served");
        tell_status(number, status, gk_clock_mono_ms(&clock) - begun_real_ms);
    }
}

static void open_one(struct gk_account **account)
{
    char name[GK_ACCOUNT_NAME_BYTES_MAX];
    snprintf(name, sizeof name, FLEET_ACCOUNT_FORM, (unsigned)draw(world.accounts_count));
    if (gk_account_open(world.instance, name, account, NULL) != GK_OK) {
        report(fleet_store_number(name), "cannot be opened");
        *account = NULL;
    }
}

/* One in ten of those in use is used, and one in two hundred is another from now on. */
static void use_some(void)
{
    for (unsigned i = 0; i < world.in_use_count; i++) {
        struct gk_account **account = &world.in_use[i];
        if (*account == NULL || draw(200) == 0) {
            gk_account_release(*account);
            open_one(account);
        }
        if (*account != NULL && draw(10) == 0) {
            use(*account);
        }
    }
}

/* As the gateway's search through all accounts does, which finds those whose version check is due. */
static void look_at_some(void)
{
    const unsigned end = world.looked_at + LOOKED_AT_AT_ONCE;
    for (; world.looked_at < end && world.looked_at < world.accounts_count; world.looked_at++) {
        char name[GK_ACCOUNT_NAME_BYTES_MAX];
        struct gk_account *account = NULL;
        snprintf(name, sizeof name, FLEET_ACCOUNT_FORM, world.looked_at);
        if (gk_account_open(world.instance, name, &account, NULL) != GK_OK) {
            report(world.looked_at, "cannot be opened after the restart");
        }
        gk_account_release(account);
    }
}

static void release_all(void)
{
    for (unsigned i = 0; i < world.in_use_count; i++) {
        gk_account_release(world.in_use[i]);
        world.in_use[i] = NULL;
    }
}

/* As many as a vault's pace takes while the clock stands. */
static void create_some(void)
{
    const unsigned end = world.created + CREATED_AT_ONCE * fleet.vaults_count;
    while (world.created < end && world.created < world.accounts_count) {
        create_one(world.created++);
    }
}

/* --- keys and vaults ----------------------------------------------------------------------------------- */

static void change_key(unsigned number)
{
    struct fleet_key *key = &fleet.keys[number];
    const int64_t now = now_ms();
    if (number % KEYS_REVOKED == 0) {
        const int64_t lasts_ms = key->disabled ? DISABLED_MS : ROTATION_EVERY_MS;
        if (now - key->changed_ms > MINUTE_MS && draw((uint64_t)(lasts_ms / STEP_MS)) == 0) {
            key->disabled = !key->disabled;
            key->changed_ms = now;
        }
    } else if (now - key->rotated_ms > 2 * DAY_MS &&
               draw((uint64_t)(ROTATION_EVERY_MS / STEP_MS)) == 0) {
        key->version++;
        key->rotated_ms = now;
        key->old_until_ms = now + OLD_VERSION_MS;
        world.rotations++;
    }
}

static void change_vault(unsigned number)
{
    struct fleet_vault *vault = &fleet.vaults[number];
    if (fleet_vault_is_silent(number)) {
        vault->answers_from_ms = vault->silent_until_ms;
    } else if (draw((uint64_t)(SILENCE_EVERY_MS / STEP_MS)) == 0) {
        vault->silent_from_ms = now_ms();
        vault->silent_until_ms = now_ms() + (int64_t)draw((uint64_t)SILENCE_MS);
        vault->answers_from_ms = vault->silent_until_ms;
    }
}

static void change_some(void)
{
    for (unsigned i = 0; i < fleet.keys_count; i++) {
        change_key(i);
    }
    for (unsigned i = 0; i < fleet.vaults_count; i++) {
        change_vault(i);
    }
}

/* --- time ------------------------------------------------------------------------------------------------ */

struct errand {
    struct gk_job job;
    void (*run)(void);
    atomic_bool done;
};

static void run_errand(void *ctx)
{
    struct errand *errand = ctx;
    if (errand->run != NULL) {
        errand->run();
    }
    atomic_store(&errand->done, true);
    fleet_wake();
}

/* Has a worker run it after all that is in its queue, and serves whoever asks a vault meanwhile. */
static void await(struct gk_worker *worker, void (*run)(void))
{
    struct errand errand = {.run = run};
    errand.job = (struct gk_job){.run = run_errand, .ctx = &errand};
    if (!gk_worker_submit(worker, &errand.job)) {
        abort();
    }
    fleet_serve_until(world.instance->provider, &errand.done);
}

/* What a tick brings about: accounts that are read, of which another tick finds what is due. */
static void tick(void)
{
    fleet_run_timers(world.instance->provider);
    await(&world.instance->reader, NULL);
    await(&world.instance->rotator, NULL);
    for (unsigned i = 0; i < GK_REFRESHERS; i++) {
        await(&world.instance->refreshers[i], NULL);
    }
}

static void advance(int64_t ms)
{
    atomic_fetch_add(&fleet.now_ms, ms);
    tick();
    atomic_fetch_add(&fleet.now_ms, world.instance->tick_ms);
    tick();
}

static size_t plugin_bytes(void)
{
    return mallinfo2().uordblks + mallinfo2().hblkhd - fleet_store_bytes();
}

/* --- all of it -------------------------------------------------------------------------------------------- */

static void start_gateway(void)
{
    struct gk_error error = {0};
    if (gk_instance_create_with(&fleet_provider_ops, &host, &world.instance, &error) != GK_OK ||
        gk_instance_config(world.instance, "check_interval_ms", "600000", &error) != GK_OK ||
        gk_instance_config(world.instance, "vault_deadline_ms", "600000", &error) != GK_OK ||
        gk_instance_start(world.instance, &error) != GK_OK) {
        fprintf(stderr, "fleet: %s\n", error.message);
        exit(2);
    }
}

static void begin(unsigned accounts, unsigned keys, unsigned vaults)
{
    struct gk_error error = {0};
    world.random = 1;
    world.accounts_count = accounts;
    world.in_use_count = (accounts + ACCOUNTS_IN_USE - 1) / ACCOUNTS_IN_USE;
    world.seen = allocate(accounts, sizeof *world.seen);
    world.in_use = allocate(world.in_use_count, sizeof(struct gk_account *));
    fleet.vaults_count = vaults;
    fleet.keys_count = keys;
    fleet.vaults = allocate(vaults, sizeof *fleet.vaults);
    fleet.keys = allocate(keys, sizeof *fleet.keys);
    atomic_store(&fleet.now_ms, DAY_MS);
    for (unsigned i = 0; i < keys; i++) {
        fleet.keys[i].version = 1;
    }
    fleet_store_init(accounts);
    gk_worker_init(&world.user);
    start_gateway();
    if (gk_worker_start(&world.user, &error) != GK_OK) {
        fprintf(stderr, "fleet: %s\n", error.message);
        exit(2);
    }
}

/* Accounts of which the newest version is old enough. */
static void look_for_missed(void)
{
    for (unsigned i = 0; i < world.accounts_count; i++) {
        const struct fleet_key *key = &fleet.keys[key_of(i)];
        const int64_t answers_ms = vault_of(i)->answers_from_ms;
        const int64_t since_ms =
            now_ms() - (key->rotated_ms > answers_ms ? key->rotated_ms : answers_ms);
        if (world.seen[i].version != key->version && since_ms > DAY_MS + MARGIN_MS &&
            has_answered(i, since_ms)) {
            report(i, "has not taken up the newest version");
        }
    }
}

static void tell_calls(const char *when, const struct fleet_calls *calls, int64_t days)
{
    printf("vault calls %s: %.0f gets, %.0f wraps, %.0f unwraps; %llu refused, %llu met silence\n",
           when, (double)calls->gets / (double)days, (double)calls->wraps / (double)days,
           (double)calls->unwraps / (double)days, (unsigned long long)calls->refused,
           (unsigned long long)calls->silent);
}

static void create_all(void)
{
    const size_t before = plugin_bytes();
    await(&world.user, create_some);
    const size_t open_bytes = (plugin_bytes() - before) / world.created;
    while (world.created < world.accounts_count) {
        advance(HOUR_MS + STEP_MS); /* those before are closed */
        await(&world.user, create_some);
    }
    advance(HOUR_MS + STEP_MS);
    tell_calls("to make them", &fleet.calls, 1);
    printf("memory of an account: %zu bytes just made, %zu idle\n", open_bytes,
           (plugin_bytes() - before) / world.accounts_count);
    fleet.calls = (struct fleet_calls){0};
}

static void restart(void)
{
    await(&world.user, release_all);
    gk_instance_destroy(world.instance);
    start_gateway();
    for (world.looked_at = 0; world.looked_at < world.accounts_count;) {
        await(&world.user, look_at_some);
        atomic_fetch_add(&fleet.now_ms, world.instance->tick_ms);
        tick();
    }
}

static void step(void)
{
    const int64_t before_ms = fleet.waited_ms;
    change_some();
    await(&world.user, use_some);
    advance(STEP_MS);
    if (fleet.waited_ms - before_ms > world.busiest_ms) {
        world.busiest_ms = fleet.waited_ms - before_ms;
    }
}

static uint64_t calls_so_far(void)
{
    return fleet.calls.gets + fleet.calls.wraps + fleet.calls.unwraps;
}

static uint64_t calls_of_an_hour(void)
{
    const uint64_t before = calls_so_far();
    for (unsigned i = 0; i < HOUR_MS / STEP_MS; i++) {
        step();
    }
    return calls_so_far() - before;
}

/* Two hours. */
static void live_through_restart(void)
{
    const uint64_t before = calls_of_an_hour();
    restart();
    const uint64_t after = calls_of_an_hour();
    printf("a restart: %llu vault calls in the hour before, %llu in the hour after\n",
           (unsigned long long)before, (unsigned long long)after);
    if (after > before + before / 2 + world.in_use_count) {
        fprintf(stderr, "fleet: that is a storm\n");
        world.wrong++;
    }
}

static void live(int64_t days, bool restarts)
{
    for (int64_t hour = 0; hour < days * DAY_MS / HOUR_MS; hour++) {
        if (restarts && hour == days * DAY_MS / HOUR_MS / 2) {
            live_through_restart();
            hour++;
        } else {
            (void)calls_of_an_hour();
        }
        look_for_missed();
        if ((hour + 1) % (DAY_MS / HOUR_MS) == 0) {
            fprintf(stderr, "day %lld of %lld is over\n",
                    (long long)((hour + 1) / (DAY_MS / HOUR_MS)), (long long)days);
        }
    }
}

static unsigned argument(int argc, char **argv, int at, unsigned otherwise)
{
    return at < argc ? (unsigned)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    const unsigned accounts = argument(argc, argv, 1, 2000);
    const unsigned keys = argument(argc, argv, 2, 50);
    const unsigned vaults = argument(argc, argv, 3, 5);
    const int64_t days = argument(argc, argv, 4, 3);
    const bool restarts = argc > 5 && strcmp(argv[5], "restart") == 0;
    const time_t begun = time(NULL);
    begin(accounts, keys, vaults);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("%u accounts, one of %u in use, on %u keys in %u vaults, %lld days; keys checked every "
           "%lld minutes\n",
           accounts, ACCOUNTS_IN_USE, keys, vaults, (long long)days,
           (long long)(CHECK_INTERVAL_MS / MINUTE_MS));
    create_all();
    live(days, restarts);
    tell_calls("a day", &fleet.calls, days);
    printf("longest that the calls of %lld minutes waited for the vaults' pace: %.1f s; given up "
           "for it: %llu\n",
           (long long)(STEP_MS / MINUTE_MS), (double)world.busiest_ms / 1000,
           (unsigned long long)fleet.calls.paced_out);
    printf("%llu key rotations, taken up %llu times, the slowest after %.1f hours\n",
           (unsigned long long)world.rotations, (unsigned long long)world.taken_up,
           (double)world.slowest_ms / HOUR_MS);
    printf("%llu requests, %llu denied, %llu while a vault was silent and the key not in memory\n",
           (unsigned long long)world.uses, (unsigned long long)world.denied,
           (unsigned long long)world.unavailable);
    await(&world.user, release_all);
    gk_worker_stop(&world.user);
    gk_worker_cleanup(&world.user);
    gk_instance_destroy(world.instance);
    fleet_store_cleanup();
    free(world.seen);
    free(world.in_use);
    free(fleet.vaults);
    free(fleet.keys);
    printf("%llu missed or wrong, in %lld seconds\n", (unsigned long long)world.wrong,
           (long long)(time(NULL) - begun));
    return world.wrong == 0 ? 0 : 1;
}
