/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is not a module of this gateway's release is refused, before any of its code runs where
 * that can be told, and with words that say what to do; what is one is begun and ended in order.
 * Method: a module in several kinds (module_fixture.c), which counts its calls.
 */
#include "gateway/plugin_host.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/hash_chain.h"
#include "gateway/metrics.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *module_path(const char *kind)
{
    static char path[512];
    snprintf(path, sizeof path, MODULES_DIRECTORY "/module_%s.so", kind);
    return path;
}

/* How often the modules' function was called since the process began. */
static unsigned calls(const char *call)
{
    char line[64];
    struct gk_buf text;
    gk_buf_init(&text, 1 << 20);
    gk_metrics_render(&text);
    snprintf(line, sizeof line, "module_calls_total{call=\"%s\"} ", call);
    const char *found = strstr(gk_buf_str(&text), line);
    const unsigned number = found == NULL ? 0 : (unsigned)strtoul(found + strlen(line), NULL, 10);
    gk_buf_cleanup(&text);
    return number;
}

struct calls {
    unsigned create, config, start, stop, destroy;
};

static struct calls calls_so_far(void)
{
    return (struct calls){.create = calls("create"),
                          .config = calls("config"),
                          .start = calls("start"),
                          .stop = calls("stop"),
                          .destroy = calls("destroy")};
}

static void assert_calls(const struct calls *before, struct calls since)
{
    const struct calls now = calls_so_far();
    assert_int_equal(now.create - before->create, since.create);
    assert_int_equal(now.config - before->config, since.config);
    assert_int_equal(now.start - before->start, since.start);
    assert_int_equal(now.stop - before->stop, since.stop);
    assert_int_equal(now.destroy - before->destroy, since.destroy);
}

static enum gk_status open_module(const char *path, const struct gk_plugin_setting *settings,
                                  size_t settings_count, struct gk_plugin_host **out,
                                  struct gk_error *error)
{
    const struct gk_clock clock = gk_clock_system();
    *error = (struct gk_error){0};
    return gk_plugin_host_open(path, settings, settings_count, NULL, &clock, NULL, out, error);
}

static void assert_words(const char *message, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strstr(message, *words) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", message, *words);
        }
    }
}

/* --- refusals ----------------------------------------------------------------------------------- */

static void test_plugin_host__refuses_other_modules(void **state)
{
    (void)state;
    static const struct {
        const char *kind;
        enum gk_status status;
        const char *words[5];
    } rows[] = {
        {"newer",
         GK_E_UNSUPPORTED,
         {"module_newer.so", "has ABI version 2", "needs version 1", "same release"}},
        {"older",
         GK_E_UNSUPPORTED,
         {"module_older.so", "has ABI version 0", "needs version 1", "same release"}},
        /* It stores data in the clear, for measurements alone. */
        {"bench", GK_E_UNSUPPORTED, {"module_bench.so", "ABI version", "needs version 1"}},
        {"without_version",
         GK_E_INVALID,
         {"module_without_version.so", "not a Gatekey module", "gatekey_plugin_abi_version",
          "gatekey.so"}},
        {"without_entry",
         GK_E_INVALID,
         {"module_without_entry.so", "gatekey_plugin_entry", "damaged"}},
        {"without_table", GK_E_UNSUPPORTED, {"module_without_table.so", "table", "same release"}},
        {"small", GK_E_UNSUPPORTED, {"module_small.so", "table", "same release"}},
        {"two_versions", GK_E_UNSUPPORTED, {"module_two_versions.so", "table", "same release"}},
        {"with_a_hole", GK_E_UNSUPPORTED, {"module_with_a_hole.so", "holes", "same release"}},
        {"without_last", GK_E_UNSUPPORTED, {"module_without_last.so", "holes", "same release"}},
        {"nameless", GK_E_UNSUPPORTED, {"module_nameless.so", "holes", "same release"}},
        {"missing", GK_E_INVALID, {"module_missing.so", "cannot be loaded"}},
    };
    const struct calls before = calls_so_far();
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_plugin_host *host = NULL;
        struct gk_error error;
        assert_int_equal(open_module(module_path(rows[i].kind), NULL, 0, &host, &error),
                         rows[i].status);
        assert_null(host);
        assert_words(error.message, rows[i].words);
        const struct gk_clock clock = gk_clock_system();
        error = (struct gk_error){0};
        assert_int_equal(
            gk_plugin_host_check(module_path(rows[i].kind), "/c:2", NULL, 0, &clock, &error),
            rows[i].status);
        assert_words(error.message, rows[i].words);
    }
    assert_calls(&before, (struct calls){0});
}

static void test_plugin_host__refuses_other_paths(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        const char *word;
    } rows[] = {
        {"gatekey.so", "path from the root"}, {"./gatekey.so", "path from the root"},
        {"", "path from the root"},           {"/", "cannot be loaded"},
        {"/etc/passwd", "cannot be loaded"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_plugin_host *host = NULL;
        struct gk_error error;
        assert_int_equal(open_module(rows[i].path, NULL, 0, &host, &error), GK_E_INVALID);
        assert_null(host);
        assert_non_null(strstr(error.message, rows[i].word));
    }
}

static void test_plugin_host__create_fails(void **state)
{
    (void)state;
    struct gk_plugin_host *host = NULL;
    struct gk_error error;
    const struct calls before = calls_so_far();
    assert_int_equal(open_module(module_path("failing_create"), NULL, 0, &host, &error),
                     GK_E_RESOURCE);
    assert_null(host);
    assert_string_equal(error.message, "no more instances");
    assert_calls(&before, (struct calls){.create = 1});
}

static void test_plugin_host__settings(void **state)
{
    (void)state;
    static const struct {
        struct gk_plugin_setting setting;
        const char *message;
    } rows[] = {
        {{"bad", "x", "/etc/gatekey.conf:7"}, "/etc/gatekey.conf:7: provider: bad: should be good"},
        {{"bad", "x", NULL}, "provider: bad: should be good"},
        {{"unknown", "x", "/etc/gatekey.conf:8"},
         "/etc/gatekey.conf:8: provider: unknown: there is no such setting"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct gk_plugin_setting settings[] = {
            {"known", "x", NULL}, rows[i].setting, {"known", "y", NULL}};
        struct gk_plugin_host *host = NULL;
        struct gk_error error;
        const struct calls before = calls_so_far();
        assert_int_equal(open_module(module_path("good"), settings, 3, &host, &error),
                         GK_E_INVALID);
        assert_null(host);
        assert_string_equal(error.message, rows[i].message);
        assert_calls(&before, (struct calls){.create = 1, .config = 2, .destroy = 1});
    }
}

static void test_plugin_host__start_fails(void **state)
{
    (void)state;
    const struct gk_plugin_setting settings[] = {{"start", "fails", NULL}};
    struct gk_plugin_host *host = NULL;
    struct gk_error error;
    const struct calls before = calls_so_far();
    assert_int_equal(open_module(module_path("good"), settings, 1, &host, &error), GK_E_INVALID);
    assert_null(host);
    assert_string_equal(error.message, "it does not start");
    assert_calls(&before, (struct calls){.create = 1, .config = 1, .start = 1, .destroy = 1});
}

/* --- life --------------------------------------------------------------------------------------- */

static void test_plugin_host__from_begin_to_end(void **state)
{
    (void)state;
    const struct gk_plugin_setting settings[] = {{"known", "x", NULL}};
    struct gk_plugin_host *host = NULL;
    struct gk_error error;
    const struct calls before = calls_so_far();
    assert_int_equal(open_module(module_path("good"), settings, 1, &host, &error), GK_OK);
    assert_string_equal(host->plugin->name, "fixture");
    assert_non_null(host->instance);
    assert_calls(&before, (struct calls){.create = 1, .config = 1, .start = 1});
    gk_plugin_host_close(host);
    assert_calls(&before,
                 (struct calls){.create = 1, .config = 1, .start = 1, .stop = 1, .destroy = 1});
    gk_plugin_host_close(NULL);
}

static void test_plugin_host__a_check_starts_nothing(void **state)
{
    (void)state;
    const struct gk_plugin_setting settings[] = {{"start", "fails", NULL}};
    const struct gk_clock clock = gk_clock_system();
    const struct calls before = calls_so_far();
    assert_int_equal(gk_plugin_host_check(module_path("good"), NULL, settings, 1, &clock, NULL),
                     GK_OK);
    assert_calls(&before, (struct calls){.create = 1, .config = 1, .destroy = 1});
}

/* --- the audit file ----------------------------------------------------------------------------- */

static int64_t new_year(void *ctx)
{
    (void)ctx;
    return INT64_C(1767225600000);
}

static const struct gk_audit_event event = {
    .event = GK_AUDIT_ACCOUNT_CREATE,
    .account = "acct",
    .key_id = "",
    .outcome = "ok",
    .reason = "\"\n\xff",
    .detail = "a\nb \"c\"",
    .request_id = "",
    .actor = "alice",
};

/* Events are dated and appended, each a line of its own, whatever is in them, with its place in the chain. */
static void test_plugin_host__audit_file(void **state)
{
    (void)state;
    static const char format[] = "{\"time\":\"2026-01-01T00:00:00.0000000Z\",\"gateway\":"
                                 "\"one\",\"event\":\"account.create\",\"actor\":\"alice\","
                                 "\"account\":\"acct\",\"outcome\":\"ok\","
                                 "\"reason\":\"(not UTF-8)\",\"detail\":\"a\\nb \\\"c\\\"\","
                                 "\"sequence\":%d,\"previous\":\"%s\"}\n";
    char line[512];
    char wanted[2 * sizeof line];
    uint8_t hash[GK_CHAIN_HASH_BYTES] = {0};
    char previous[GK_CHAIN_HASH_TEXT_BYTES];
    const struct gk_clock clock = {.mono_ms = new_year, .wall_ms = new_year};
    char directory[STORE_PLACE_BYTES];
    char path[STORE_PLACE_BYTES + 16];
    assert_true(store_place_make(directory));
    snprintf(path, sizeof path, "%s/audit.log", directory);
    const struct gk_audit_options audit = {.file = path, .gateway = "one"};
    for (unsigned round = 0; round < 2; round++) {
        struct gk_plugin_host *host = NULL;
        assert_int_equal(
            gk_plugin_host_open(module_path("good"), NULL, 0, NULL, &clock, &audit, &host, NULL),
            GK_OK);
        gk_plugin_host_audit(host, &event);
        gk_plugin_host_close(host);
    }
    gk_chain_hash_text(hash, previous);
    const int first = snprintf(line, sizeof line, format, 1, previous);
    snprintf(wanted, sizeof wanted, "%s", line);
    assert_true(gk_chain_hash(gk_span_of(line, (size_t)first - 1), hash));
    gk_chain_hash_text(hash, previous);
    snprintf(wanted + first, sizeof wanted - (size_t)first, format, 2, previous);
    char text[sizeof wanted + 1] = "";
    struct stat info;
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    assert_int_equal(read(fd, text, sizeof text - 1), (int)strlen(wanted));
    assert_int_equal(fstat(fd, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    close(fd);
    assert_string_equal(text, wanted);
    store_place_remove(directory);
}

static void test_plugin_host__no_audit_file_no_module(void **state)
{
    (void)state;
    const struct gk_audit_options nowhere = {.file = "/nowhere/audit.log"};
    const struct gk_clock clock = gk_clock_system();
    struct gk_plugin_host *host = NULL;
    struct gk_error error = {0};
    const struct calls before = calls_so_far();
    assert_int_equal(
        gk_plugin_host_open(module_path("good"), NULL, 0, NULL, &clock, &nowhere, &host, &error),
        GK_E_INVALID);
    assert_null(host);
    assert_non_null(strstr(error.message, "/nowhere/audit.log"));
    assert_calls(&before, (struct calls){0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plugin_host__refuses_other_modules),
        cmocka_unit_test(test_plugin_host__refuses_other_paths),
        cmocka_unit_test(test_plugin_host__create_fails),
        cmocka_unit_test(test_plugin_host__settings),
        cmocka_unit_test(test_plugin_host__start_fails),
        cmocka_unit_test(test_plugin_host__from_begin_to_end),
        cmocka_unit_test(test_plugin_host__a_check_starts_nothing),
        cmocka_unit_test(test_plugin_host__audit_file),
        cmocka_unit_test(test_plugin_host__no_audit_file_no_module),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
