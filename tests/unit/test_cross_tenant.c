/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An application that a managed identity vouches for, against a server that is the identity's host, the
 * authority of all tenants and the vault in one: which steps a call takes, what of them is kept, and
 * what comes of a vault that moves to another tenant, of a token that is no longer good enough to vouch,
 * and of refusals.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gatekey/provider.h"
#include "unit/cmocka_all.h"
#include "unit/scripted_server.h"

#define VERSION       "78deebed173b48e48f55abf87ed4cf71"
#define IDENTITY      "/subscriptions/s/identity"
#define APPLICATION   "3109d1c4-a5de-4d84-8832-feabb916a4b6"
#define DEADLINE_MS   20000u
#define PATIENCE_S    20
#define HOUR_MS       (3600 * INT64_C(1000))
#define EXCHANGE      "resource=api%3A%2F%2FAzureADTokenExchange&"
#define VAULT_GET     "GET /keys/mykey/" VERSION "?api-version=7.4 HTTP/1.1"
#define STEPS_MAX     16u
#define STEP_PROBE    'p' /* a get without a token */
#define STEP_VOUCH    'v' /* the identity's token */
#define STEP_EXCHANGE 'x' /* the application's */
#define STEP_UNWRAP   'u'
#define STEP_OTHER    '?'

struct world {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char directory[64];
    struct scripted_server *server;
    struct gk_provider *provider;
    const struct gk_provider_ops *ops;

    /* Guarded. */
    const char *tenant;    /* the vault's */
    const char *installed; /* the one tenant that has the application; "": none */
    const char *authority; /* that the vault names, in place of the server's own; NULL: that */
    bool open;             /* the vault asks for no token */
    unsigned identity_tokens;
    unsigned identity_tokens_bad; /* so many of the first do not vouch any more */
    char steps[STEPS_MAX + 1];
    int64_t wall_ms;
    size_t done;
    struct gk_vault_answer answer;
};

static struct world world;

static void lock(void)
{
    pthread_mutex_lock(&world.mutex);
}

static void unlock(void)
{
    pthread_cond_broadcast(&world.changed);
    pthread_mutex_unlock(&world.mutex);
}

/* --- the server --------------------------------------------------------------------------------- */

static size_t put(char *answer, size_t max, unsigned status, const char *headers, const char *body)
{
    return (size_t)snprintf(answer, max,
                            "HTTP/1.1 %u X\r\nContent-Type: application/json\r\n%s"
                            "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                            status, headers, strlen(body), body);
}

static void locked_step(char step)
{
    const size_t len = strlen(world.steps);
    assert_true(len < STEPS_MAX);
    world.steps[len] = step;
}

static size_t locked_vouch(const struct scripted_request *request, char *answer, size_t max)
{
    char body[256];
    locked_step(strstr(request->line, EXCHANGE) != NULL ? STEP_VOUCH : STEP_OTHER);
    world.identity_tokens++;
    snprintf(
        body, sizeof body,
        "{\"access_token\":\"identity-%u\",\"expires_in\":\"86400\",\"token_type\":\"Bearer\"}",
        world.identity_tokens);
    return put(answer, max, 200, "", body);
}

static size_t locked_exchange(const struct scripted_request *request, char *answer, size_t max)
{
    char start[128];
    char body[256];
    unsigned vouching = 0;
    locked_step(STEP_EXCHANGE);
    const char *assertion = strstr(request->body, "&client_assertion=identity-");
    snprintf(start, sizeof start, "POST /%s/oauth2/v2.0/token HTTP", world.installed);
    if (assertion == NULL || sscanf(assertion, "&client_assertion=identity-%u", &vouching) != 1 ||
        strstr(request->body, "&client_id=" APPLICATION "&") == NULL ||
        vouching <= world.identity_tokens_bad ||
        strncmp(request->line, start, strlen(start)) != 0) {
        return put(answer, max, 401, "",
                   "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS700213: no\"}");
    }
    snprintf(body, sizeof body,
             "{\"token_type\":\"Bearer\",\"expires_in\":3600,\"access_token\":\"of-%s\"}",
             world.installed);
    return put(answer, max, 200, "", body);
}

static size_t locked_challenge(char *answer, size_t max)
{
    char own[64];
    char header[256];
    snprintf(own, sizeof own, "https://localhost:%u", scripted_server_port(world.server));
    snprintf(header, sizeof header,
             "WWW-Authenticate: Bearer authorization=\"%s/%s\", "
             "resource=\"https://vault.azure.net\"\r\n",
             world.authority == NULL ? own : world.authority, world.tenant);
    return put(answer, max, 401, header,
               "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"no\"}}");
}

static size_t locked_vault(const struct scripted_request *request, char *answer, size_t max)
{
    char bearer[64];
    char body[256];
    const bool probe = request->authorization[0] == '\0';
    locked_step(!probe                                                              ? STEP_UNWRAP
                : strcmp(request->line, VAULT_GET) == 0 && request->body[0] == '\0' ? STEP_PROBE
                                                                                    : STEP_OTHER);
    snprintf(bearer, sizeof bearer, "Bearer of-%s", world.tenant);
    if (strcmp(request->authorization, bearer) != 0 && !world.open) {
        return locked_challenge(answer, max);
    }
    snprintf(body, sizeof body,
             "{\"kid\":\"https://localhost:%u/keys/mykey/" VERSION "\","
             "\"value\":\"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\"}",
             scripted_server_port(world.server));
    return put(answer, max, 200, "", body);
}

static size_t on_request(void *ctx, const struct scripted_request *request, char *answer,
                         size_t max)
{
    (void)ctx;
    lock();
    const size_t len = strncmp(request->line, "GET /metadata/", 14) == 0
                           ? locked_vouch(request, answer, max)
                       : strstr(request->line, "/oauth2/v2.0/token") != NULL
                           ? locked_exchange(request, answer, max)
                           : locked_vault(request, answer, max);
    unlock();
    return len;
}

/* --- the host ----------------------------------------------------------------------------------- */

static void host_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    (void)ctx, (void)level, (void)component, (void)message;
}

static int64_t host_mono_ms(void *ctx)
{
    (void)ctx;
    return 0;
}

static int64_t host_wall_ms(void *ctx)
{
    (void)ctx;
    lock();
    const int64_t now_ms = world.wall_ms;
    unlock();
    return now_ms;
}

static void host_count(void *ctx, const char *name, const char *labels, double add)
{
    (void)ctx, (void)name, (void)labels, (void)add;
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", world.directory, name);
    return path;
}

static void config(const char *key, const char *value)
{
    struct gk_error error = {0};
    if (world.ops->config(world.provider, key, value, &error) != GK_OK) {
        fail_msg("%s: %s", key, error.message);
    }
}

static int set_up(void **state)
{
    static const char key[] =
        "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
    const struct gk_provider_host host = {.log = host_log,
                                          .clock_mono_ms = host_mono_ms,
                                          .clock_wall_ms = host_wall_ms,
                                          .count = host_count};
    char uri[64];
    (void)state;
    memset(&world, 0, sizeof world);
    pthread_mutex_init(&world.mutex, NULL);
    pthread_cond_init(&world.changed, NULL);
    snprintf(world.directory, sizeof world.directory, "/tmp/gatekey-test-XXXXXX");
    assert_non_null(mkdtemp(world.directory));
    const int fd = open(path_of("service.key"), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_int_equal(write(fd, key, sizeof key - 1), sizeof key - 1);
    assert_int_equal(close(fd), 0);
    world.tenant = "first";
    world.installed = "first";
    world.wall_ms = 1800000000000;
    world.server = scripted_server_start(path_of("ca.pem"), on_request, NULL);
    snprintf(uri, sizeof uri, "https://localhost:%u", scripted_server_port(world.server));
    world.ops = gk_vault_provider();
    assert_int_equal(world.ops->create(&host, &world.provider, NULL), GK_OK);
    config("service_key_file", path_of("service.key"));
    config("ca_file", path_of("ca.pem"));
    config("identity.0.kind", "managed");
    config("identity.0.resource_id", IDENTITY);
    config("identity.0.endpoint", uri);
    config("vault.0.uri", uri);
    config("vault.0.authority", uri);
    assert_int_equal(world.ops->start(world.provider, NULL), GK_OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world.ops->stop(world.provider);
    world.ops->destroy(world.provider);
    scripted_server_stop(world.server);
    unlink(path_of("service.key"));
    unlink(path_of("ca.pem"));
    assert_int_equal(rmdir(world.directory), 0);
    pthread_cond_destroy(&world.changed);
    pthread_mutex_destroy(&world.mutex);
    return 0;
}

/* --- asking ------------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct gk_vault_answer *answer)
{
    (void)ctx;
    lock();
    world.answer = *answer;
    world.done++;
    unlock();
}

/* One unwrap, from its first step to its verdict. */
static void expect(const char *steps, enum gk_vault_verdict verdict)
{
    struct gk_identity_reference identity = {.kind = GK_IDENTITY_USER_ASSIGNED,
                                             .resource_id = IDENTITY,
                                             .federated_client_id = APPLICATION};
    struct gk_key_reference key = {.name = "mykey", .version = VERSION};
    static const uint8_t wrapped[256] = {1, 2, 3};
    struct timespec until;
    snprintf(key.vault_uri, sizeof key.vault_uri, "https://localhost:%u",
             scripted_server_port(world.server));
    lock();
    memset(world.steps, 0, sizeof world.steps);
    const size_t before = world.done;
    unlock();
    world.ops->unwrap(world.provider, &identity, &key, "RSA-OAEP-256",
                      (struct gk_span){wrapped, sizeof wrapped}, DEADLINE_MS, on_done, NULL);
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    lock();
    while (world.done == before) {
        assert_int_equal(pthread_cond_timedwait(&world.changed, &world.mutex, &until), 0);
    }
    unlock();
    if (strcmp(world.steps, steps) != 0 || world.answer.verdict != verdict) {
        fail_msg("%s in place of %s: verdict %d (%s: %s)", world.steps, steps, world.answer.verdict,
                 world.answer.code, world.answer.message);
    }
}

static void move_clock(int64_t ms)
{
    lock();
    world.wall_ms += ms;
    unlock();
}

/* --- tests -------------------------------------------------------------------------------------- */

static void test_cross_tenant__learns_once_and_keeps(void **state)
{
    (void)state;
    expect("pvxu", GK_VAULT_OK);
    expect("u", GK_VAULT_OK);
    move_clock(HOUR_MS);
    expect("xu", GK_VAULT_OK); /* the identity's token is good for a day */
}

static void test_cross_tenant__the_vault_moves(void **state)
{
    (void)state;
    expect("pvxu", GK_VAULT_OK);
    lock();
    world.tenant = "second";
    world.installed = "second";
    unlock();
    expect("uxu", GK_VAULT_OK); /* the vault does not take the token, and says whose it takes */
    lock();
    world.tenant = "third";
    world.installed = "third";
    unlock();
    move_clock(HOUR_MS);
    /* The second tenant refuses, also a new identity's token: the vault is asked before that counts. */
    expect("xvxpxu", GK_VAULT_OK);
    expect("u", GK_VAULT_OK);
}

static void test_cross_tenant__a_token_that_vouches_no_more(void **state)
{
    (void)state;
    expect("pvxu", GK_VAULT_OK);
    lock();
    world.identity_tokens_bad = 1;
    unlock();
    move_clock(HOUR_MS);
    expect("xvxu", GK_VAULT_OK);
}

static void test_cross_tenant__refused_and_back(void **state)
{
    (void)state;
    lock();
    world.installed = "";
    unlock();
    expect("pvx", GK_VAULT_IDENTITY_GONE); /* all of it was had for this call */
    assert_string_equal(world.answer.code, "invalid_client");
    expect("pxvx", GK_VAULT_IDENTITY_GONE);
    lock();
    world.installed = "first";
    unlock();
    expect("pxu", GK_VAULT_OK);
}

static void test_cross_tenant__whom_the_vault_may_name(void **state)
{
    (void)state;
    lock();
    world.authority = "https://login.evil.example";
    unlock();
    expect("p", GK_VAULT_UNAVAILABLE);
    assert_string_equal(world.answer.code, "ChallengeInvalid");
    lock();
    world.authority = NULL;
    world.tenant = "..";
    unlock();
    expect("p", GK_VAULT_UNAVAILABLE);
    assert_string_equal(world.answer.code, "ChallengeInvalid");
    lock();
    world.open = true;
    unlock();
    expect("p", GK_VAULT_UNAVAILABLE);
    assert_string_equal(world.answer.code, "ChallengeInvalid");
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_cross_tenant__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(learns_once_and_keeps),        TEST(the_vault_moves),
        TEST(a_token_that_vouches_no_more), TEST(refused_and_back),
        TEST(whom_the_vault_may_name),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* for the server; the provider sees to its own thread */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
