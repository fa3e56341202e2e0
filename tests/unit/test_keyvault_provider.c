/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The provider against a server that answers as each test says, which is vault and authority in one:
 * what is asked, how often, with which token, and what comes of each kind of answer.
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

#include <openssl/pem.h>
#include <openssl/x509.h>

#include "common/text.h"
#include "gatekey/provider.h"
#include "unit/cmocka_all.h"
#include "unit/scripted_server.h"

#define VERSION     "78deebed173b48e48f55abf87ed4cf71"
#define DEADLINE_MS 20000u
#define PATIENCE_S  20
#define OTHER_PIN   "sha256//AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_TEXT    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8" /* 00 01 .. 1f */

/* --- the world ------------------------------------------------------------------------------------ */

/* What the vault answers next; the last one stays. */
enum reply {
    REPLY_KEY,
    REPLY_SHORT,
    REPLY_LONG,
    REPLY_OTHER_KEY,
    REPLY_DISABLED,
    REPLY_HTML_403,
    REPLY_401,
    REPLY_401_FOREIGN,
    REPLY_401_BARE,
    REPLY_401_HSM,
    REPLY_401_HSM_FOREIGN,
    REPLY_401_HTML,
    REPLY_HSM_DISABLED,
    REPLY_503,
    REPLY_429_LATER,
    REPLY_302,
    REPLY_HUGE,
    REPLY_SILENCE,
    REPLY_GARBAGE
};

enum token_reply { TOKEN_GOOD, TOKEN_REFUSED, TOKEN_HTML_400, TOKEN_503, TOKEN_NONE };

struct world {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    char directory[64];
    struct scripted_server *server;
    struct gk_provider *provider;
    const struct gk_provider_ops *ops;

    /* Guarded. */
    enum reply replies[8];
    size_t replies_count;
    size_t vault_requests;
    size_t token_requests;
    enum token_reply token_reply;
    unsigned token_life_s;
    int64_t date_ms; /* of the server's answers; 0: it does not tell */
    bool workload;   /* the identity is one with a federated token */
    char last_line[512];
    char last_authorization[256];
    char last_body[2048];
    char last_form[2048];
    bool secret_in_log;
    int64_t mono_ms;
    int64_t wall_ms;
    size_t done;
    bool gate_shut;    /* the server answers when it is opened */
    unsigned stall_ms; /* of the provider's thread, when its next call has ended */
    unsigned breaks;
    double late_s;
    struct gk_vault_answer answer;
    uint8_t value[GK_WRAPPED_BYTES_MAX];
    char fired[8];
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

static void locked_wait(void)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    assert_int_equal(pthread_cond_timedwait(&world.changed, &world.mutex, &until), 0);
}

static size_t put(char *answer, size_t max, unsigned status, const char *headers, const char *body)
{
    char date[GK_TIME_TEXT_BYTES] = "";
    if (world.date_ms != 0) {
        gk_time_http(world.date_ms, date);
    }
    return (size_t)snprintf(answer, max,
                            "HTTP/1.1 %u X\r\nContent-Type: application/json\r\n"
                            "x-ms-request-id: request-7\r\nDate: %s\r\n%sContent-Length: %zu\r\n"
                            "Connection: close\r\n\r\n%s",
                            status, date, headers, strlen(body), body);
}

static size_t put_value(char *answer, size_t max, const char *name, const char *value)
{
    char body[512];
    snprintf(body, sizeof body,
             "{\"kid\":\"https://localhost:%u/keys/%s/" VERSION "\",\"value\":\"%s\"}",
             scripted_server_port(world.server), name, value);
    return put(answer, max, 200, "", body);
}

#define UNAUTHORIZED "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"no\"}}"

static size_t put_challenge(char *answer, size_t max, const char *host, const char *body)
{
    char header[256];
    snprintf(header, sizeof header,
             "WWW-Authenticate: Bearer authorization=\"https://%s:%u/tenant\", "
             "resource=\"https://vault.azure.net\"\r\n",
             host, scripted_server_port(world.server));
    return put(answer, max, 401, header, body);
}

static size_t put_huge(char *answer, size_t max)
{
    const size_t body_len = 100 * 1024;
    const size_t len = (size_t)snprintf(answer, max,
                                        "HTTP/1.1 200 X\r\nContent-Length: %zu\r\n"
                                        "Connection: close\r\n\r\n",
                                        body_len);
    memset(answer + len, 'A', body_len);
    return len + body_len;
}

static size_t locked_vault_answer(char *answer, size_t max)
{
    const size_t at =
        world.vault_requests < world.replies_count ? world.vault_requests : world.replies_count - 1;
    world.vault_requests++;
    switch (world.replies[at]) {
    case REPLY_KEY:
        return put_value(answer, max, "mykey", KEY_TEXT);
    case REPLY_SHORT:
        return put_value(answer, max, "mykey", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg");
    case REPLY_LONG:
        return put_value(answer, max, "mykey", KEY_TEXT "A");
    case REPLY_OTHER_KEY:
        return put_value(answer, max, "another", KEY_TEXT);
    case REPLY_DISABLED:
        return put(answer, max, 403, "",
                   "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no\","
                   "\"innererror\":{\"code\":\"KeyDisabled\"}}}");
    case REPLY_HTML_403:
        return put(answer, max, 403, "", "<html>Forbidden</html>");
    case REPLY_401:
        return put_challenge(answer, max, "localhost", UNAUTHORIZED);
    case REPLY_401_FOREIGN:
        return put_challenge(answer, max, "evil.example", UNAUTHORIZED);
    /* A Managed HSM's, as they were recorded by the vendor's SDKs. */
    case REPLY_401_HSM:
        return put_challenge(answer, max, "localhost", "");
    case REPLY_401_HSM_FOREIGN:
        return put_challenge(answer, max, "evil.example", "");
    case REPLY_HSM_DISABLED:
        return put(answer, max, 403, "",
                   "{\"error\":{\"code\":\"Forbidden\",\"message\":\"no (Activity ID: "
                   "85fa92fa-e669-11eb-a44d-000d3ae28186)\",\"innererror\":null}}");
    case REPLY_401_HTML:
        return put_challenge(answer, max, "localhost", "<html>Unauthorized</html>");
    case REPLY_401_BARE:
        return put(answer, max, 401, "",
                   "{\"error\":{\"code\":\"Unauthorized\",\"message\":\"\"}}");
    case REPLY_503:
        return put(answer, max, 503, "", "{\"error\":{\"code\":\"X\",\"message\":\"busy\"}}");
    case REPLY_429_LATER:
        return put(answer, max, 429, "Retry-After: 1800\r\n",
                   "{\"error\":{\"code\":\"Throttled\",\"message\":\"\"}}");
    case REPLY_302:
        return put(answer, max, 302, "Location: https://evil.example/\r\n", "");
    case REPLY_HUGE:
        return put_huge(answer, max);
    case REPLY_GARBAGE:
        return put(answer, max, 200, "", "<\x01\xfe]} {[\xff");
    case REPLY_SILENCE:
        break;
    }
    return 0;
}

static size_t locked_token_answer(char *answer, size_t max)
{
    char body[256];
    world.token_requests++;
    switch (world.token_reply) {
    case TOKEN_GOOD:
        snprintf(body, sizeof body,
                 "{\"token_type\":\"Bearer\",\"expires_in\":%u,\"access_token\":\"token-%zu\"}",
                 world.token_life_s, world.token_requests);
        return put(answer, max, 200, "", body);
    case TOKEN_REFUSED:
        return put(answer, max, 401, "",
                   "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215: no\"}");
    case TOKEN_HTML_400:
        return put(answer, max, 400, "", "<html>");
    case TOKEN_503:
        return put(answer, max, 503, "", "{\"error\":\"invalid_client\"}");
    case TOKEN_NONE:
        break;
    }
    return put(answer, max, 200, "", "{\"token_type\":\"Bearer\"}");
}

static size_t on_request(void *ctx, const struct scripted_request *request, char *answer,
                         size_t max)
{
    (void)ctx;
    size_t len = 0;
    lock();
    if (strncmp(request->line, "POST /tenant/oauth2/v2.0/token HTTP", 35) == 0) {
        memcpy(world.last_form, request->body, sizeof world.last_form);
        len = locked_token_answer(answer, max);
    } else {
        while (world.gate_shut) {
            locked_wait();
        }
        memcpy(world.last_line, request->line, sizeof world.last_line);
        memcpy(world.last_authorization, request->authorization, sizeof world.last_authorization);
        memcpy(world.last_body, request->body, sizeof world.last_body);
        len = locked_vault_answer(answer, max);
    }
    unlock();
    return len;
}

/* --- the host ------------------------------------------------------------------------------------- */

static void host_log(void *ctx, enum gk_log_level level, const char *component, const char *message)
{
    (void)ctx, (void)level, (void)component;
    lock();
    if (strstr(message, "token-") != NULL || strstr(message, "AAECAw") != NULL ||
        strstr(message, "correct-horse") != NULL) {
        world.secret_in_log = true;
    }
    unlock();
}

static int64_t host_mono_ms(void *ctx)
{
    (void)ctx;
    lock();
    const int64_t now_ms = world.mono_ms;
    unlock();
    return now_ms;
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
    (void)ctx, (void)labels;
    lock();
    world.breaks += strcmp(name, "gatekey_vault_breaks_total") == 0 ? 1 : 0;
    world.late_s += strcmp(name, "gatekey_provider_late_seconds_total") == 0 ? add : 0;
    unlock();
}

static const char *path_of(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", world.directory, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    const int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void config(const char *key, const char *value)
{
    struct gk_error error = {0};
    if (world.ops->config(world.provider, key, value, &error) != GK_OK) {
        fail_msg("%s: %s", key, error.message);
    }
}

static void start_provider(bool trusting, const char *pins)
{
    const struct gk_provider_host host = {.log = host_log,
                                          .clock_mono_ms = host_mono_ms,
                                          .clock_wall_ms = host_wall_ms,
                                          .count = host_count};
    char uri[64];
    struct gk_error error = {0};
    snprintf(uri, sizeof uri, "https://localhost:%u", scripted_server_port(world.server));
    world.ops = gk_vault_provider();
    assert_int_equal(world.ops->create(&host, &world.provider, NULL), GK_OK);
    config("service_key_file", path_of("service.key"));
    if (trusting) {
        config("ca_file", path_of("ca.pem"));
    }
    config("identity.0.kind", world.workload ? "workload" : "client-secret");
    config("identity.0.client_id", "client");
    config("identity.0.tenant_id", "tenant");
    config(world.workload ? "identity.0.federated_token_file" : "identity.0.client_secret_file",
           path_of(world.workload ? "federated.token" : "client.secret"));
    config("identity.0.authority", uri);
    config("vault.0.uri", uri);
    if (pins != NULL) {
        config("vault.0.public_key_pins", pins);
    }
    if (world.ops->start(world.provider, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
}

static int set_up_world(void **state)
{
    (void)state;
    memset(&world, 0, sizeof world);
    pthread_mutex_init(&world.mutex, NULL);
    pthread_cond_init(&world.changed, NULL);
    snprintf(world.directory, sizeof world.directory, "/tmp/gatekey-test-XXXXXX");
    assert_non_null(mkdtemp(world.directory));
    write_file("service.key",
               "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n");
    write_file("client.secret", "correct-horse&battery=staple\n");
    write_file("federated.token", "e30.eyJleHAiOjQwMDAwMDAwMDB9.c2ln\n"); /* until 2096 */
    world.replies[0] = REPLY_KEY;
    world.replies_count = 1;
    world.token_life_s = 3600;
    world.wall_ms = 1800000000000;
    world.server = scripted_server_start(path_of("ca.pem"), on_request, NULL);
    return 0;
}

static int set_up(void **state)
{
    set_up_world(state);
    start_provider(true, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const names[] = {"service.key", "client.secret", "federated.token",
                                        "ca.pem"};
    world.ops->stop(world.provider);
    world.ops->destroy(world.provider);
    scripted_server_stop(world.server);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    assert_int_equal(rmdir(world.directory), 0);
    assert_false(world.secret_in_log);
    pthread_cond_destroy(&world.changed);
    pthread_mutex_destroy(&world.mutex);
    return 0;
}

/* --- asking --------------------------------------------------------------------------------------- */

static void on_done(void *ctx, const struct gk_vault_answer *answer)
{
    (void)ctx;
    lock();
    world.answer = *answer;
    memset(world.value, 0, sizeof world.value);
    if (answer->value.len > 0) {
        memcpy(world.value, answer->value.data, answer->value.len);
    }
    world.done++;
    const struct timespec stall = {.tv_sec = world.stall_ms / 1000,
                                   .tv_nsec = world.stall_ms % 1000 * 1000000L};
    world.stall_ms = 0;
    unlock();
    nanosleep(&stall, NULL);
}

static struct gk_key_reference key_reference(const char *version)
{
    struct gk_key_reference key = {.name = "mykey"};
    snprintf(key.vault_uri, sizeof key.vault_uri, "https://localhost:%u",
             scripted_server_port(world.server));
    snprintf(key.version, sizeof key.version, "%s", version);
    return key;
}

static void start_unwrap(uint32_t deadline_ms)
{
    const struct gk_identity_reference identity = {.kind = GK_IDENTITY_SYSTEM_ASSIGNED};
    const struct gk_key_reference key = key_reference(VERSION);
    static const uint8_t wrapped[256] = {1, 2, 3};
    world.ops->unwrap(world.provider, &identity, &key, "RSA-OAEP-256",
                      (struct gk_span){wrapped, sizeof wrapped}, deadline_ms, on_done, NULL);
}

static void wait_for(size_t done)
{
    lock();
    while (world.done < done) {
        locked_wait();
    }
    unlock();
}

static enum gk_vault_verdict unwrap_once(uint32_t deadline_ms)
{
    const size_t before = world.done;
    start_unwrap(deadline_ms);
    wait_for(before + 1);
    return world.answer.verdict;
}

static void reply_with(size_t count, enum reply first, enum reply second, enum reply third)
{
    lock();
    world.replies[0] = first;
    world.replies[1] = second;
    world.replies[2] = third;
    world.replies_count = count;
    unlock();
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void test_keyvault_provider__unwraps(void **state)
{
    (void)state;
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_int_equal(world.answer.value.len, GK_ROOT_KEY_BYTES);
    for (size_t i = 0; i < GK_ROOT_KEY_BYTES; i++) {
        assert_int_equal(world.value[i], i);
    }
    assert_string_equal(world.answer.request_id, "request-7");
    assert_non_null(strstr(world.answer.key_id, "/keys/mykey/" VERSION));
    assert_string_equal(world.last_line,
                        "POST /keys/mykey/" VERSION "/unwrapkey?api-version=7.4 HTTP/1.1");
    assert_string_equal(world.last_authorization, "Bearer token-1");
    assert_ptr_equal(strstr(world.last_body, "{\"alg\":\"RSA-OAEP-256\",\"value\":\"AQID"),
                     world.last_body);
    assert_string_equal(world.last_form, "grant_type=client_credentials&client_id=client"
                                         "&scope=https%3A%2F%2Fvault.azure.net%2F.default"
                                         "&client_secret=correct-horse%26battery%3Dstaple");
}

static void test_keyvault_provider__wraps_with_the_version_that_the_vault_chooses(void **state)
{
    (void)state;
    const struct gk_identity_reference identity = {.kind = GK_IDENTITY_SYSTEM_ASSIGNED};
    const struct gk_key_reference key = key_reference("");
    const uint8_t plain[GK_ROOT_KEY_BYTES] = {7};
    world.ops->wrap(world.provider, &identity, &key, plain, DEADLINE_MS, on_done, NULL);
    wait_for(1);
    assert_int_equal(world.answer.verdict, GK_VAULT_OK);
    assert_string_equal(world.answer.algorithm, "RSA-OAEP-256");
    assert_non_null(strstr(world.answer.key_id, "/keys/mykey/" VERSION));
    assert_string_equal(world.last_line, "POST /keys/mykey/wrapkey?api-version=7.4 HTTP/1.1");
}

/* One answer for ever: what it means, and that nothing is asked again that would not help. */
static void test_keyvault_provider__answers(void **state)
{
    static const struct {
        enum reply reply;
        enum gk_vault_verdict verdict;
        size_t vault_requests;
        size_t token_requests;
    } rows[] = {
        {REPLY_SHORT, GK_VAULT_UNAVAILABLE, 1, 1},
        {REPLY_LONG, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_OTHER_KEY, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_GARBAGE, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_DISABLED, GK_VAULT_KEY_REFUSED, 1, 0},
        {REPLY_HTML_403, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_302, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_429_LATER, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_401_FOREIGN, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_401_BARE, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_401_HSM_FOREIGN, GK_VAULT_UNAVAILABLE, 1, 0},
        {REPLY_401_HTML, GK_VAULT_UNAVAILABLE, 2, 1},
        {REPLY_401, GK_VAULT_IDENTITY_GONE, 2, 1},
        {REPLY_401_HSM, GK_VAULT_IDENTITY_GONE, 2, 1},
        {REPLY_HSM_DISABLED, GK_VAULT_KEY_REFUSED, 1, 0},
        {REPLY_KEY, GK_VAULT_OK, 1, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        reply_with(1, rows[i].reply, REPLY_KEY, REPLY_KEY);
        world.vault_requests = 0;
        world.token_requests = 0;
        const enum gk_vault_verdict verdict = unwrap_once(DEADLINE_MS);
        if (verdict != rows[i].verdict || world.vault_requests != rows[i].vault_requests ||
            world.token_requests != rows[i].token_requests) {
            fail_msg("row %zu: verdict %d (%s), %zu requests, %zu tokens", i, verdict,
                     world.answer.code, world.vault_requests, world.token_requests);
        }
        if (verdict != GK_VAULT_OK) {
            assert_int_equal(world.answer.value.len, 0);
            assert_string_equal(world.answer.key_id, "");
            assert_true(world.answer.code[0] != '\0');
        }
    }
    reply_with(1, REPLY_429_LATER, REPLY_KEY, REPLY_KEY);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_UNAVAILABLE);
    assert_int_equal(world.answer.retry_after_ms, 1800000);
}

static void test_keyvault_provider__tries_again(void **state)
{
    (void)state;
    reply_with(3, REPLY_503, REPLY_503, REPLY_KEY);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_int_equal(world.vault_requests, 3);
}

static void test_keyvault_provider__renews_a_token_that_is_not_taken(void **state)
{
    (void)state;
    reply_with(2, REPLY_401, REPLY_KEY, REPLY_KEY);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_int_equal(world.token_requests, 2);
    assert_string_equal(world.last_authorization, "Bearer token-2");
}

static void test_keyvault_provider__keeps_to_the_deadline(void **state)
{
    (void)state;
    static const enum reply replies[] = {REPLY_SILENCE, REPLY_503, REPLY_HUGE};
    for (size_t i = 0; i < sizeof replies / sizeof replies[0]; i++) {
        reply_with(1, replies[i], REPLY_KEY, REPLY_KEY);
        assert_int_equal(unwrap_once(400), GK_VAULT_UNAVAILABLE);
        assert_true(world.answer.code[0] != '\0');
    }
}

/* However many want a vault that is away, and whatever they make of it, one asks at a time; and when it is back, they
 * find it so. */
static void test_keyvault_provider__a_silent_vault_is_asked_by_one(void **state)
{
    (void)state;
    enum { CALLS = 40 };
    reply_with(1, REPLY_503, REPLY_KEY, REPLY_KEY);
    for (size_t round = 0; round < 2; round++) {
        lock();
        const size_t before = world.vault_requests;
        unlock();
        for (size_t i = 0; i < CALLS; i++) {
            start_unwrap(1500);
        }
        wait_for((round + 1) * CALLS);
        assert_int_equal(world.answer.verdict, GK_VAULT_UNAVAILABLE);
        assert_int_equal(world.answer.retry_after_ms, 0);
        assert_true(world.answer.code[0] != '\0');
        assert_true(round == 0 || world.vault_requests - before < CALLS / 2);
    }
    reply_with(1, REPLY_KEY, REPLY_KEY, REPLY_KEY);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
}

/* Deadlines that pass while the provider's own thread stands still say nothing of the vault. */
static void test_keyvault_provider__its_own_stall_is_no_silence_of_the_vault(void **state)
{
    (void)state;
    enum { CALLS = 20, STALL_MS = 1600, SHORTER_MS = 1500 };
    lock();
    world.gate_shut = true;
    world.stall_ms = STALL_MS;
    unlock();
    for (size_t i = 0; i < CALLS; i++) {
        start_unwrap(SHORTER_MS);
    }
    lock();
    world.gate_shut = false;
    unlock();
    wait_for(CALLS);
    assert_int_equal(world.breaks, 0);
    assert_true(world.late_s >= STALL_MS / 1000.0);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
}

static void test_keyvault_provider__one_token_for_all_who_wait(void **state)
{
    (void)state;
    for (size_t i = 0; i < 10; i++) {
        start_unwrap(DEADLINE_MS);
    }
    wait_for(10);
    assert_int_equal(world.token_requests, 1);
    assert_int_equal(world.vault_requests, 10);
}

static void test_keyvault_provider__token_answers(void **state)
{
    static const struct {
        enum token_reply reply;
        uint32_t deadline_ms; /* short where it is tried until then */
        enum gk_vault_verdict verdict;
        const char *code;
    } rows[] = {
        {TOKEN_REFUSED, DEADLINE_MS, GK_VAULT_IDENTITY_GONE, "invalid_client"},
        {TOKEN_HTML_400, DEADLINE_MS, GK_VAULT_UNAVAILABLE, "TokenRequestFailed"},
        {TOKEN_NONE, DEADLINE_MS, GK_VAULT_UNAVAILABLE, "TokenAnswerInvalid"},
        {TOKEN_503, 400, GK_VAULT_UNAVAILABLE, "invalid_client"},
        {TOKEN_GOOD, DEADLINE_MS, GK_VAULT_OK, ""},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        lock();
        world.token_reply = rows[i].reply;
        unlock();
        assert_int_equal(unwrap_once(rows[i].deadline_ms), rows[i].verdict);
        assert_string_equal(world.answer.code, rows[i].code);
    }
    assert_int_equal(world.vault_requests, 1);
}

static void move_wall(int64_t add_ms)
{
    lock();
    world.wall_ms += add_ms;
    unlock();
}

/* What is dated, and refused by somebody with another time, says nothing of the identity; nor is a clock an excuse for
 * what has no date. */
static void expect_of_refusal(int64_t ahead_ms, enum gk_vault_verdict verdict, const char *code)
{
    lock();
    world.token_reply = TOKEN_REFUSED;
    world.date_ms = ahead_ms == INT64_MAX ? 0 : world.wall_ms - ahead_ms;
    unlock();
    assert_int_equal(unwrap_once(DEADLINE_MS), verdict);
    assert_string_equal(world.answer.code, code);
}

static int set_up_workload(void **state)
{
    set_up_world(state);
    world.workload = true;
    start_provider(true, NULL);
    return 0;
}

static void test_keyvault_provider__a_wrong_clock_is_no_refusal(void **state)
{
    (void)state;
    expect_of_refusal(INT64_MAX, GK_VAULT_IDENTITY_GONE, "invalid_client");
    expect_of_refusal(170000, GK_VAULT_IDENTITY_GONE, "invalid_client");
    expect_of_refusal(-170000, GK_VAULT_IDENTITY_GONE, "invalid_client");
    expect_of_refusal(200000, GK_VAULT_UNAVAILABLE, "ClockWrong");
    assert_non_null(strstr(world.answer.message, "clock is 200 seconds ahead of"));
    expect_of_refusal(-200000, GK_VAULT_UNAVAILABLE, "ClockWrong");
    assert_non_null(strstr(world.answer.message, "clock is 200 seconds behind"));
}

static void test_keyvault_provider__a_clock_is_no_excuse_for_a_secret(void **state)
{
    (void)state;
    expect_of_refusal(200000, GK_VAULT_IDENTITY_GONE, "invalid_client");
}

static void wait_for_tokens(size_t count)
{
    lock();
    while (world.token_requests < count) {
        locked_wait();
    }
    unlock();
}

static void test_keyvault_provider__token_is_renewed_ahead_of_its_end(void **state)
{
    (void)state;
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    move_wall(3200 * 1000); /* not yet */
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_int_equal(world.token_requests, 1);
    move_wall(200 * 1000); /* the last five minutes */
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_string_equal(world.last_authorization, "Bearer token-1");
    do { /* until the new one has come */
        assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    } while (strcmp(world.last_authorization, "Bearer token-2") != 0);
    move_wall(86400 * 1000);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    assert_int_equal(world.token_requests, 3);
    assert_string_equal(world.last_authorization, "Bearer token-3");
}

static void test_keyvault_provider__an_old_token_outlives_a_failed_renewal(void **state)
{
    (void)state;
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    world.token_reply = TOKEN_REFUSED;
    move_wall(3400 * 1000);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    wait_for_tokens(2);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
    move_wall(200 * 1000);
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_IDENTITY_GONE);
}

/* The server is not the one that is trusted; nothing is sent to it. */
static void test_keyvault_provider__a_certificate_that_is_not_trusted(void **state)
{
    (void)state;
    /* One attempt has to come to its end. How long it takes is the machine's, and what would be left
     * of a longer deadline goes into further ones. */
    uint32_t deadline_ms = 400;
    do {
        assert_int_equal(unwrap_once(deadline_ms), GK_VAULT_UNAVAILABLE);
        deadline_ms *= 2;
    } while (strcmp(world.answer.code, "Timeout") == 0 && deadline_ms < DEADLINE_MS);
    assert_string_equal(world.answer.code, "TokenEndpointUnreachable");
    assert_int_equal(world.token_requests + world.vault_requests, 0);
}

/* "sha256//" and the base64 of the SHA-256 of the server's public key. */
static void pin_of_server(char pin[64])
{
    uint8_t *der = NULL;
    uint8_t digest[EVP_MAX_MD_SIZE];
    struct gk_buf text;
    FILE *file = fopen(path_of("ca.pem"), "re");
    X509 *certificate = file == NULL ? NULL : PEM_read_X509(file, NULL, NULL, NULL);
    assert_non_null(certificate);
    assert_int_equal(fclose(file), 0);
    const int len = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
    assert_true(len > 0);
    assert_int_equal(EVP_Digest(der, (size_t)len, digest, NULL, EVP_sha256(), NULL), 1);
    gk_buf_init(&text, 64);
    gk_base64_encode(&text, gk_span_of(digest, 32));
    snprintf(pin, 64, "sha256//%s", gk_buf_str(&text));
    gk_buf_cleanup(&text);
    OPENSSL_free(der);
    X509_free(certificate);
}

static int set_up_pinned(void **state)
{
    char pins[192];
    char pin[64];
    set_up_world(state);
    pin_of_server(pin);
    snprintf(pins, sizeof pins, OTHER_PIN ";%s", pin);
    start_provider(true, pins);
    return 0;
}

static int set_up_pinned_to_another(void **state)
{
    set_up_world(state);
    start_provider(true, OTHER_PIN);
    return 0;
}

static void test_keyvault_provider__a_server_with_a_pinned_key(void **state)
{
    (void)state;
    assert_int_equal(unwrap_once(DEADLINE_MS), GK_VAULT_OK);
}

static void test_keyvault_provider__stop_ends_what_is_under_way(void **state)
{
    (void)state;
    reply_with(1, REPLY_SILENCE, REPLY_KEY, REPLY_KEY);
    start_unwrap(DEADLINE_MS);
    start_unwrap(DEADLINE_MS);
    world.ops->stop(world.provider);
    assert_int_equal(world.done, 2);
    assert_int_equal(world.answer.verdict, GK_VAULT_UNAVAILABLE);
    start_unwrap(DEADLINE_MS);
    assert_int_equal(world.done, 3);
    assert_int_equal(world.answer.verdict, GK_VAULT_UNAVAILABLE);
    world.ops->stop(world.provider);
}

static void fire(void *ctx)
{
    lock();
    const size_t len = strlen(world.fired);
    world.fired[len] = *(const char *)ctx;
    unlock();
}

static void wait_for_fired(const char *expected)
{
    lock();
    while (strlen(world.fired) < strlen(expected)) {
        locked_wait();
    }
    unlock();
    assert_string_equal(world.fired, expected);
}

static void test_keyvault_provider__timers_go_by_the_hosts_clock(void **state)
{
    (void)state;
    static const char a[] = "a";
    static const char b[] = "b";
    static const char c[] = "c";
    static const char d[] = "d";
    union {
        const char *text;
        void *ctx;
    } at[] = {{a}, {b}, {c}, {d}};
    const int64_t day_ms = 86400000;
    assert_non_null(world.ops->call_at(world.provider, 2 * day_ms, fire, at[1].ctx));
    assert_non_null(world.ops->call_at(world.provider, day_ms, fire, at[0].ctx));
    struct gk_provider_timer *timer =
        world.ops->call_at(world.provider, day_ms + 1, fire, at[2].ctx);
    assert_non_null(timer);
    world.ops->cancel(world.provider, timer);
    assert_non_null(world.ops->call_at(world.provider, 0, fire, at[3].ctx));
    wait_for_fired("d");
    lock();
    world.mono_ms = 3 * day_ms;
    unlock();
    wait_for_fired("dab");
    assert_non_null(world.ops->call_at(world.provider, INT64_MAX, fire, at[2].ctx));
}

static int set_up_without_trust(void **state)
{
    set_up_world(state);
    start_provider(false, NULL);
    return 0;
}

#define TEST(name)                                                                                 \
    cmocka_unit_test_setup_teardown(test_keyvault_provider__##name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(unwraps),
        TEST(wraps_with_the_version_that_the_vault_chooses),
        TEST(answers),
        TEST(tries_again),
        TEST(renews_a_token_that_is_not_taken),
        TEST(keeps_to_the_deadline),
        TEST(a_silent_vault_is_asked_by_one),
        TEST(its_own_stall_is_no_silence_of_the_vault),
        TEST(one_token_for_all_who_wait),
        TEST(token_answers),
        TEST(token_is_renewed_ahead_of_its_end),
        TEST(an_old_token_outlives_a_failed_renewal),
        cmocka_unit_test_setup_teardown(test_keyvault_provider__a_wrong_clock_is_no_refusal,
                                        set_up_workload, tear_down),
        TEST(a_clock_is_no_excuse_for_a_secret),
        cmocka_unit_test_setup_teardown(test_keyvault_provider__a_certificate_that_is_not_trusted,
                                        set_up_without_trust, tear_down),
        cmocka_unit_test_setup_teardown(test_keyvault_provider__a_server_with_a_pinned_key,
                                        set_up_pinned, tear_down),
        /* Its certificate is good, its key is another. */
        cmocka_unit_test_setup_teardown(test_keyvault_provider__a_certificate_that_is_not_trusted,
                                        set_up_pinned_to_another, tear_down),
        TEST(stop_ends_what_is_under_way),
        TEST(timers_go_by_the_hosts_clock),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* for the server; the provider sees to its own thread */
    /* A proxy that nobody should use. */
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
