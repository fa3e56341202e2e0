/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a caller's certificate is recognised by each kind of name, and by nothing that only looks like it.
 * Method: one certificate is made with names of several kinds, among them one with a NUL inside and one that is longer
 * than any that can be configured; a table of names says which fit.
 */
#include "cmocka_all.h"

#include <gnutls/abstract.h>
#include <stdio.h>
#include <string.h>

#include "gateway/manage/certificate_name.h"

#define DAY_S    86400
#define WITH_NUL "bank.example!.attacker.example" /* the mark becomes one */
#define LONG_A                                                                                     \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
    "aaaa"                                                                                         \
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define LONG_NAME LONG_A LONG_A LONG_A LONG_A LONG_A

static gnutls_x509_crt_t certificate;

static void add_name(gnutls_x509_subject_alt_name_t kind, const char *name, size_t len)
{
    assert_int_equal(gnutls_x509_crt_set_subject_alt_name(certificate, kind, name, (unsigned)len,
                                                          GNUTLS_FSAN_APPEND),
                     0);
}

/* One that was only made does not tell its names; and the library makes none with a NUL in it. */
static void read_again(void)
{
    gnutls_datum_t der = {0};
    assert_int_equal(gnutls_x509_crt_export2(certificate, GNUTLS_X509_FMT_DER, &der), 0);
    char *name = memmem(der.data, der.size, WITH_NUL, strlen(WITH_NUL));
    assert_non_null(name);
    *strchr(name, '!') = '\0';
    gnutls_x509_crt_deinit(certificate);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_import(certificate, &der, GNUTLS_X509_FMT_DER), 0);
    gnutls_free(der.data);
}

static int make_certificate(void **state)
{
    (void)state;
    gnutls_x509_privkey_t key;
    const char *wrong = NULL;
    assert_int_equal(gnutls_x509_privkey_init(&key), 0);
    assert_int_equal(gnutls_x509_privkey_generate(
                         key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
                     0);
    assert_int_equal(gnutls_x509_crt_init(&certificate), 0);
    assert_int_equal(gnutls_x509_crt_set_version(certificate, 3), 0);
    assert_int_equal(gnutls_x509_crt_set_serial(certificate, "\1", 1), 0);
    assert_int_equal(gnutls_x509_crt_set_activation_time(certificate, 0), 0);
    assert_int_equal(gnutls_x509_crt_set_expiration_time(certificate, DAY_S), 0);
    assert_int_equal(
        gnutls_x509_crt_set_dn(certificate, "CN=alice,OU=Keys\\, and more,O=Example", &wrong), 0);
    add_name(GNUTLS_SAN_DNSNAME, WITH_NUL, strlen(WITH_NUL));
    add_name(GNUTLS_SAN_DNSNAME, LONG_NAME, strlen(LONG_NAME));
    add_name(GNUTLS_SAN_DNSNAME, "Prometheus.example", strlen("Prometheus.example"));
    add_name(GNUTLS_SAN_URI, "spiffe://a.example/Backup", strlen("spiffe://a.example/Backup"));
    assert_int_equal(gnutls_x509_crt_set_key(certificate, key), 0);
    assert_int_equal(gnutls_x509_crt_sign2(certificate, certificate, key, GNUTLS_DIG_SHA256, 0), 0);
    gnutls_x509_privkey_deinit(key);
    read_again();
    return 0;
}

static int free_certificate(void **state)
{
    (void)state;
    gnutls_x509_crt_deinit(certificate);
    return 0;
}

static void test_name__fits_what_it_says_and_nothing_else(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool fits;
    } rows[] = {
        {"uri:spiffe://a.example/Backup", true},
        {"uri:spiffe://a.example/backup", false},
        {"uri:spiffe://a.example", false},
        {"uri:Prometheus.example", false},
        {"dns:prometheus.EXAMPLE", true},
        {"dns:bank.example", false},
        {"dns:*.example", false},
        {"dns:spiffe://a.example/Backup", false},
        {"subject:CN=alice,OU=Keys\\, and more,O=Example", true},
        {"subject:cn=alice, ou=Keys\\, and more, o=Example", true},
        {"subject:O=Example,OU=Keys\\, and more,CN=alice", false},
        {"subject:CN=alice", false},
        {"subject:CN=Alice,OU=Keys\\, and more,O=Example", false},
        {"sha256:0000000000000000000000000000000000000000000000000000000000000000", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_certificate_name name;
        assert_true(gk_certificate_name_init(&name, rows[i].text));
        if (gk_certificate_name_fits(&name, certificate) != rows[i].fits) {
            fail_msg("%s", rows[i].text);
        }
        gk_certificate_name_cleanup(&name);
    }
}

static void test_name__fits_by_the_digest_that_is_told(void **state)
{
    (void)state;
    char sha256[GK_SHA256_HEX_BYTES];
    char text[GK_SHA256_HEX_BYTES + sizeof "sha256:"];
    struct gk_certificate_name name;
    gk_certificate_sha256(certificate, sha256);
    assert_int_equal(strlen(sha256), GK_SHA256_HEX_BYTES - 1);
    snprintf(text, sizeof text, "sha256:%s", sha256);
    assert_true(gk_certificate_name_init(&name, text));
    assert_true(gk_certificate_name_fits(&name, certificate));
    gk_certificate_name_cleanup(&name);
    assert_false(gk_certificate_name_fits(&name, certificate));
}

static void test_name__refuses_what_is_none(void **state)
{
    (void)state;
    static const char *const rows[] = {"",          "alice",   "uri:",     "URI:x",
                                       "subject:a", "email:a", "sha256:0", "dns:" LONG_NAME};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_certificate_name name;
        if (gk_certificate_name_init(&name, rows[i])) {
            fail_msg("%s", rows[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_name__fits_what_it_says_and_nothing_else),
        cmocka_unit_test(test_name__fits_by_the_digest_that_is_told),
        cmocka_unit_test(test_name__refuses_what_is_none),
    };
    return cmocka_run_group_tests(tests, make_certificate, free_certificate);
}
