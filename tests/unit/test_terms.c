/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what is taken from a slot is whole, stays as it was over every renewal until it is released, and is what the last
 * renewal gave to whoever takes it then; a file that cannot be used makes none.
 * Method: threads take, read and release while one loads configurations and renews. Under ThreadSanitizer, too.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/terms.h"

#include "unit/cmocka_all.h"

#define READERS  3u
#define RENEWALS 100u

static char directory[] = "/tmp/gatekey-test-terms.XXXXXX";

static void write_file(const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", directory, name);
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static struct gk_config *load(const char *more)
{
    char path[128];
    char text[2048];
    struct gk_config *config = NULL;
    struct gk_error error = {0};
    const char *in = directory;
    snprintf(text, sizeof text,
             "state_dir = \"%s/state\"; plugin = \"%s/file\";\n"
             "blob = { tls_listen = \"127.0.0.1:0\"; tls_certificate = \"%s/file\"; tls_key = "
             "\"%s/file\"; };\n"
             "management = { listen = \"127.0.0.1:0\"; tls_certificate = \"%s/file\"; tls_key = "
             "\"%s/file\";\n"
             "  token_file = \"%s/file\"; };\n"
             "provider = { service_key_file = \"%s/service.key\"; };\n%s",
             in, in, in, in, in, in, in, in, more);
    write_file("gatekey.conf", text);
    snprintf(path, sizeof path, "%s/gatekey.conf", directory);
    if (gk_config_load(path, &config, &error) != GK_OK) {
        fail_msg("%s", error.message);
    }
    return config;
}

/* Number and vault say the same. */
static struct gk_terms *make(uint32_t number)
{
    char more[256];
    struct gk_terms *terms = NULL;
    snprintf(more, sizeof more,
             "policy = { key_age = \"audit\"; maximum_key_age_days = %u; vaults = \"deny\";\n"
             "  allowed_vaults = [ \"https://v%u.example\" ]; };\n",
             number, number);
    assert_int_equal(gk_terms_new(load(more), &terms, NULL), GK_OK);
    return terms;
}

static uint32_t number_of(const struct gk_terms *terms)
{
    const struct gk_site_policy *policy = &terms->config->policy;
    char vault[64];
    snprintf(vault, sizeof vault, "https://v%u.example", policy->maximum_key_age_days);
    assert_string_equal(policy->vaults[0], vault);
    return policy->maximum_key_age_days;
}

static void *take_until_the_last(void *slot)
{
    uint32_t seen = 0;
    while (seen != RENEWALS) {
        struct gk_terms *terms = gk_terms_now(slot);
        const uint32_t number = number_of(terms);
        assert_true(number >= seen);
        assert_int_equal(number_of(terms), number);
        seen = number;
        gk_terms_release(terms);
    }
    return NULL;
}

static void test_terms__are_renewed_while_they_are_used(void **state)
{
    (void)state;
    struct gk_terms_slot slot;
    struct gk_terms *first = make(1);
    gk_terms_slot_init(&slot, first);
    pthread_t readers[READERS];
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_create(&readers[i], NULL, take_until_the_last, &slot), 0);
    }
    for (uint32_t number = 2; number <= RENEWALS; number++) {
        struct gk_terms *fresh = make(number);
        gk_terms_renew(&slot, fresh);
        gk_terms_release(fresh);
    }
    for (unsigned i = 0; i < READERS; i++) {
        assert_int_equal(pthread_join(readers[i], NULL), 0);
    }
    gk_terms_slot_cleanup(&slot);
    assert_int_equal(number_of(first), 1);
    gk_terms_release(first);
}

static void test_terms__need_the_identity_providers_keys(void **state)
{
    (void)state;
    struct gk_terms *terms = NULL;
    struct gk_error error = {0};
    char more[256];
    snprintf(more, sizeof more,
             "bearer = { issuer = \"i\"; jwks_file = \"%s/file\"; principals = ( ); };", directory);
    assert_int_equal(gk_terms_new(load(more), &terms, &error), GK_E_INVALID);
    assert_null(terms);
    if (strstr(error.message, "gatekey.conf:6: jwks_file: ") == NULL) {
        fail_msg("%s", error.message);
    }
}

static int make_directory(void **state)
{
    (void)state;
    if (mkdtemp(directory) == NULL) {
        return -1;
    }
    write_file("file", "x\n");
    write_file("service.key", "x\n");
    return 0;
}

static int remove_directory(void **state)
{
    (void)state;
    static const char *const names[] = {"file", "service.key", "gatekey.conf"};
    char path[128];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/state", directory);
    rmdir(path);
    return rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms__are_renewed_while_they_are_used),
        cmocka_unit_test(test_terms__need_the_identity_providers_keys),
    };
    return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
