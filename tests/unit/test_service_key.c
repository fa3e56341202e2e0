/* SPDX-License-Identifier: Apache-2.0 */
/* The service key's file is read strictly, and what is derived from it never changes. */
#include "keyprovider/service_key.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "unit/cmocka_all.h"

/* 00 01 .. 1f */
#define GOOD "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static char path[64];

static int make_directory(void **state)
{
    (void)state;
    char directory[] = "/tmp/gatekey-test-XXXXXX";
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    snprintf(path, sizeof path, "%s/key", directory);
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static void write_key(const char *text, mode_t mode)
{
    unlink(path);
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(close(fd), 0);
}

/* The expected bytes come from another implementation of RFC 5869. */
static void test_service_key__derives_as_published(void **state)
{
    static const uint8_t record[GK_ROOT_KEY_BYTES] = {
        0x50, 0x81, 0x9a, 0x33, 0x3e, 0xef, 0x20, 0x13, 0x53, 0x8f, 0x7f,
        0x86, 0x8f, 0xd6, 0xeb, 0x77, 0x97, 0xae, 0x18, 0x35, 0x38, 0x93,
        0x7f, 0x5a, 0x7c, 0x08, 0xe9, 0x98, 0x95, 0x1d, 0x75, 0x65};
    (void)state;
    struct gk_kv_service_key *key = NULL;
    uint8_t out[GK_ROOT_KEY_BYTES];
    char id[17];
    write_key(GOOD "\n", 0600);
    assert_int_equal(gk_kv_service_key_read(path, &key, NULL), GK_OK);
    assert_int_equal(gk_kv_service_key_derive(key, "gatekey/v1/account-record", out, NULL), GK_OK);
    assert_memory_equal(out, record, sizeof out);
    assert_int_equal(gk_kv_service_key_id(key, id, NULL), GK_OK);
    assert_string_equal(id, "6410f7d6fb72e432");
    assert_int_equal(gk_kv_service_key_derive(key, "", out, NULL), GK_E_RESOURCE);
    gk_kv_service_key_free(key);
}

static void test_service_key__files_that_are_none(void **state)
{
    static const char *const texts[] = {
        "",
        "gatekey-service-key-v1 ",
        "gatekey-service-key-v2 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n",
        "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n",
        "gatekey-service-key-v1 AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
        "gatekey-service-key-v1  AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        GOOD " \n",
        GOOD "\nmore\n",
        GOOD GOOD GOOD "\n",
    };
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct gk_kv_service_key *key = NULL;
        struct gk_error error;
        write_key(texts[i], 0600);
        assert_int_equal(gk_kv_service_key_read(path, &key, &error), GK_E_INVALID);
        assert_null(key);
        assert_non_null(strstr(error.message, path));
        assert_null(strstr(error.message, "AAEC"));
    }
}

static void test_service_key__files_that_others_may_open(void **state)
{
    static const mode_t modes[] = {0604, 0640, 0620, 0610, 0601};
    (void)state;
    struct gk_kv_service_key *key = NULL;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        write_key(GOOD "\n", modes[i]);
        assert_int_equal(gk_kv_service_key_read(path, &key, NULL), GK_E_INVALID);
        assert_null(key);
    }
    unlink(path);
    assert_int_equal(gk_kv_service_key_read(path, &key, NULL), GK_E_INVALID);
    assert_int_equal(gk_kv_service_key_read("/tmp", &key, NULL), GK_E_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_key__derives_as_published),
        cmocka_unit_test(test_service_key__files_that_are_none),
        cmocka_unit_test(test_service_key__files_that_others_may_open),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
