/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request is signed as the service has it signed, and any other signature is refused.
 * Method: known answers, made by an implementation of its own from the documentation and taken by the
 * vendor's emulator (but the Lite one, which it does not serve); then tables of what they leave out.
 */
#include "gateway/auth/shared_key.h"

#include <stdio.h>

#include "unit/auth_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- known answers ------------------------------------------------------------------------------ */

#define DATE_LINE    "x-ms-date:" AUTH_DATE "\n"
#define VERSION_LINE "x-ms-version:2024-08-04\n"
#define HEADERS                                                                                    \
    {"x-ms-date", AUTH_DATE},                                                                      \
    {                                                                                              \
        "x-ms-version", "2024-08-04"                                                               \
    }
#define PATH      "/devstoreaccount1/vec"
#define BLOB_PATH PATH "/dir/h%20%C3%A4.txt"

static const struct {
    const char *method;
    const char *path;
    const char *query;
    bool host_style;
    struct gk_pair headers[10];
    const char *string;
    const char *authorization;
} answers[] = {
    {"PUT",
     PATH,
     "restype=container",
     false,
     {HEADERS, {"Content-Length", "0"}},
     "PUT\n\n\n\n\n\n\n\n\n\n\n\n" DATE_LINE VERSION_LINE
     "/devstoreaccount1/devstoreaccount1/vec\nrestype:container",
     "SharedKey devstoreaccount1:wPB5+Xa2l2U3GQMQqS600CfUX6Q6iSpw53yO38wp800="},
    {"PUT",
     BLOB_PATH,
     "timeout=30",
     false,
     {HEADERS,
      {"x-ms-blob-type", "BlockBlob"},
      {"x-ms-meta-Owner", "a b"},
      {"x-ms-client-request-id", "00000000-0000-0000-0000-000000000001"},
      {"Content-Length", "10"},
      {"Content-Type", "text/plain; charset=UTF-8"},
      {"Content-MD5", "kubrBLM4wlu6RlyKs0WZQg=="},
      {"If-None-Match", "*"}},
     "PUT\n\n\n10\nkubrBLM4wlu6RlyKs0WZQg==\ntext/plain; charset=UTF-8\n\n\n\n*\n\n\n"
     "x-ms-blob-type:BlockBlob\n"
     "x-ms-client-request-id:00000000-0000-0000-0000-000000000001\n" DATE_LINE
     "x-ms-meta-owner:a b\n" VERSION_LINE
     "/devstoreaccount1/devstoreaccount1/vec/dir/h%20%C3%A4.txt\ntimeout:30",
     "SharedKey devstoreaccount1:y9rfmparUV4id3Apj8Rn1TDNLZf9xc0ledSfvGoknY8="},
    {"GET",
     BLOB_PATH,
     "",
     false,
     {HEADERS, {"Range", "bytes=0-4"}},
     "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-4\n" DATE_LINE VERSION_LINE
     "/devstoreaccount1/devstoreaccount1/vec/dir/h%20%C3%A4.txt",
     "SharedKey devstoreaccount1:fW4TUvBNnoWE882nSRL17w0z2yKxOxDerEUrhYR46HM="},
    {"GET",
     "/vec/dir/h%20%C3%A4.txt",
     "",
     true,
     {HEADERS, {"Range", "bytes=0-4"}},
     "GET\n\n\n\n\n\n\n\n\n\n\nbytes=0-4\n" DATE_LINE VERSION_LINE
     "/devstoreaccount1/vec/dir/h%20%C3%A4.txt",
     "SharedKey devstoreaccount1:7gPnDsYyubVWQK17tOnCsjJ4/+liwOfbXdssG1UTLEI="},
    {"GET",
     PATH,
     "restype=container&comp=list&prefix=dir%2F&include=metadata%2Csnapshots&maxresults=5",
     false,
     {HEADERS},
     "GET\n\n\n\n\n\n\n\n\n\n\n\n" DATE_LINE VERSION_LINE
     "/devstoreaccount1/devstoreaccount1/vec\ncomp:list\ninclude:metadata,snapshots\n"
     "maxresults:5\nprefix:dir/\nrestype:container",
     "SharedKey devstoreaccount1:pxEFuC+zij0H4s9rElu9BGADkN4vguSetl9Jxk1tXJ4="},
    {"GET",
     "/devstoreaccount1/",
     "comp=list",
     false,
     {{"Date", AUTH_DATE}, {"x-ms-version", "2024-08-04"}},
     "GET\n\n\n\n\n\n" AUTH_DATE "\n\n\n\n\n\n" VERSION_LINE
     "/devstoreaccount1/devstoreaccount1/\ncomp:list",
     "SharedKey devstoreaccount1:4QvMOERknFKSd/lcUqFV/7duy9IUTEo0/mtM7T48dcw="},
    {"GET",
     PATH,
     "restype=container&comp=metadata",
     false,
     {HEADERS},
     "GET\n\n\n\n" DATE_LINE VERSION_LINE "/devstoreaccount1/devstoreaccount1/vec?comp=metadata",
     "SharedKeyLite devstoreaccount1:wSySAS83e1S3xdT2PyCQBYiCsy276NuKSQi40rheVB0="},
};

static bool is_lite(const char *authorization)
{
    return strncmp(authorization, "SharedKeyLite ", 14) == 0;
}

static void test_shared_key__known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct auth_case test;
        struct gk_buf text;
        auth_case_init(&test, answers[i].method, answers[i].path, answers[i].query,
                       answers[i].headers, answers[i].host_style);
        gk_buf_init(&text, 4096);
        gk_shared_key_string(test.request, is_lite(answers[i].authorization), true, &text);
        assert_string_equal(gk_buf_str(&text), answers[i].string);
        gk_buf_cleanup(&text);
        assert_int_equal(gk_shared_key_check(test.request, answers[i].authorization, NULL), GK_OK);
        auth_case_cleanup(&test);
    }
}

/* --- the string --------------------------------------------------------------------------------- */

static const struct {
    const char *query;
    struct gk_pair headers[6];
    const char *end; /* of the string */
} strings[] = {
    /* Names are lower case, values trimmed and folded; what is sent twice stands in one line. */
    {"",
     {{"X-MS-Meta-A", "  b \t c\r\n\td  "}},
     "\n\nx-ms-meta-a:b c d\n"
     "/" AUTH_ACCOUNT PATH},
    {"",
     {{"x-ms-meta-a", "1"}, {"x-ms-meta-b", "2"}, {"X-Ms-Meta-A", "3"}},
     "\nx-ms-meta-a:1,3\nx-ms-meta-b:2\n/" AUTH_ACCOUNT PATH},
    {"", {{"x-msx", "1"}, {"x-m", "2"}, {"meta-a", "3"}}, "\n\n/" AUTH_ACCOUNT PATH},
    /* Empty values are signed from 2016-05-31 on. */
    {"",
     {{"x-ms-meta-a", ""}, {"x-ms-version", "2016-05-31"}},
     "\nx-ms-meta-a:\nx-ms-version:2016-05-31\n/" AUTH_ACCOUNT PATH},
    {"",
     {{"x-ms-meta-a", ""}, {"x-ms-version", "2015-12-11"}},
     "\n\nx-ms-version:2015-12-11\n/" AUTH_ACCOUNT PATH},
    /* A length of zero is signed as such before 2015-02-21. */
    {"",
     {{"Content-Length", "0"}, {"x-ms-version", "2014-02-14"}},
     "GET\n\n\n0\n\n\n\n\n\n\n\n\nx-ms-version:2014-02-14\n/" AUTH_ACCOUNT PATH},
    {"",
     {{"Content-Length", "0"}, {"x-ms-version", "2015-02-21"}},
     "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-version:2015-02-21\n/" AUTH_ACCOUNT PATH},
    {"", {{"Content-Length", "0"}}, "GET\n\n\n0\n\n\n\n\n\n\n\n\n/" AUTH_ACCOUNT PATH},
    /* Two dates: the x-ms- one counts. Two ranges: one has a line, one is a header like others. */
    {"",
     {{"Date", "x"}, {"x-ms-date", "y"}},
     "GET\n\n\n\n\n\n\n\n\n\n\n\nx-ms-date:y\n/" AUTH_ACCOUNT PATH},
    {"",
     {{"Range", "bytes=1-"}, {"x-ms-range", "bytes=2-"}},
     "\nbytes=1-\nx-ms-range:bytes=2-\n/" AUTH_ACCOUNT PATH},
    {"", {{"If-Match", "\"0x1\""}}, "GET\n\n\n\n\n\n\n\n\"0x1\"\n\n\n\n/" AUTH_ACCOUNT PATH},
    /* Parameters by lower-case name, several of one name sorted and in one line. */
    {"b=2&A=1", {{0}}, "\n/" AUTH_ACCOUNT PATH "\na:1\nb:2"},
    {"a=2&A=1&a=%2C", {{0}}, "\n/" AUTH_ACCOUNT PATH "\na:,,1,2"},
    {"Comp=%6Cist&Prefix=A%20b", {{0}}, "\n/" AUTH_ACCOUNT PATH "\ncomp:list\nprefix:A b"},
    {"comp", {{0}}, "\n/" AUTH_ACCOUNT PATH "\ncomp:"},
};

static void assert_ends(const char *text, const char *end)
{
    const size_t len = strlen(text);
    const size_t end_len = strlen(end);
    assert_true(len >= end_len);
    assert_string_equal(text + len - end_len, end);
}

static void test_shared_key__string(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        struct auth_case test;
        struct gk_buf text;
        auth_case_init(&test, "GET", PATH, strings[i].query, strings[i].headers, false);
        gk_buf_init(&text, 4096);
        gk_shared_key_string(test.request, false, true, &text);
        assert_ends(gk_buf_str(&text), strings[i].end);
        gk_buf_cleanup(&text);
        auth_case_cleanup(&test);
    }
}

/* --- order -------------------------------------------------------------------------------------- */

static void test_shared_key__order_of_names(void **state)
{
    (void)state;
    /* As the vendor's SDK sorts them, each before the next. */
    static const char *const sorted[] = {
        "x-ms-blob-type", "x-ms-date",     "x-ms-meta-_",   "x-ms-meta-a",
        "x-ms-meta-a_b",  "x-ms-meta-a1",  "x-ms-meta-ab",  "x-ms-meta-ab-",
        "x-ms-meta-a'b",  "x-ms-meta-a-b", "x-ms-meta-abc", "x-ms-metab",
        "x-ms-meta-b",    "x-ms-meta-c",   "x-ms-version",  "x-ms-write",
    };
    for (size_t i = 0; i < COUNT(sorted); i++) {
        for (size_t k = 0; k < COUNT(sorted); k++) {
            const int order = gk_shared_key_compare(sorted[i], sorted[k]);
            if ((order > 0) - (order < 0) != (i > k) - (i < k)) {
                fail_msg("%s against %s: %d", sorted[i], sorted[k], order);
            }
        }
    }
    assert_int_equal(gk_shared_key_compare("X-MS-Meta-A_B", "x-ms-meta-a_b"), 0);
}

/* Some clients sort by their language's order, some by ASCII; the service takes the former. */
static void test_shared_key__either_order_is_taken(void **state)
{
    (void)state;
    static const struct gk_pair headers[] = {
        HEADERS, {"x-ms-meta-a1", "1"}, {"x-ms-meta-a_b", "2"}, {NULL, NULL}};
    struct gk_buf texts[2];
    struct auth_case test;
    auth_case_init(&test, "GET", PATH, "", headers, false);
    for (unsigned order = 0; order < 2; order++) {
        struct gk_buf authorization;
        gk_buf_init(&texts[order], 4096);
        gk_buf_init(&authorization, 256);
        gk_shared_key_string(test.request, false, order == 0, &texts[order]);
        gk_buf_append_str(&authorization, "SharedKey " AUTH_ACCOUNT ":");
        auth_sign(&test, 0, gk_buf_span(&texts[order]), &authorization);
        assert_int_equal(gk_shared_key_check(test.request, gk_buf_str(&authorization), NULL),
                         GK_OK);
        gk_buf_cleanup(&authorization);
    }
    assert_non_null(strstr(gk_buf_str(&texts[0]), "x-ms-meta-a_b:2\nx-ms-meta-a1:1\n"));
    assert_non_null(strstr(gk_buf_str(&texts[1]), "x-ms-meta-a1:1\nx-ms-meta-a_b:2\n"));
    gk_buf_cleanup(&texts[0]);
    gk_buf_cleanup(&texts[1]);
    auth_case_cleanup(&test);
}

/* --- the check ---------------------------------------------------------------------------------- */

static void test_shared_key__either_key_signs(void **state)
{
    (void)state;
    for (unsigned index = 0; index < GK_ACCESS_KEYS; index++) {
        struct auth_case test;
        struct gk_buf text;
        struct gk_buf authorization;
        auth_case_init(&test, "GET", PATH, "", (const struct gk_pair[]){HEADERS, {0}}, false);
        gk_buf_init(&text, 4096);
        gk_buf_init(&authorization, 256);
        gk_shared_key_string(test.request, false, true, &text);
        gk_buf_append_str(&authorization, "SharedKey " AUTH_ACCOUNT ":");
        auth_sign(&test, index, gk_buf_span(&text), &authorization);
        assert_int_equal(gk_shared_key_check(test.request, gk_buf_str(&authorization), NULL),
                         GK_OK);
        /* Regenerated, it does not any more. */
        test.keys.key[index][63] ^= 1;
        assert_int_not_equal(gk_shared_key_check(test.request, gk_buf_str(&authorization), NULL),
                             GK_OK);
        gk_buf_cleanup(&authorization);
        gk_buf_cleanup(&text);
        auth_case_cleanup(&test);
    }
}

#define GOOD "wPB5+Xa2l2U3GQMQqS600CfUX6Q6iSpw53yO38wp800="

static void test_shared_key__other_credentials_are_refused(void **state)
{
    (void)state;
    static const char *const credentials[] = {
        "SharedKey ",
        "SharedKey " AUTH_ACCOUNT,
        "SharedKey " AUTH_ACCOUNT ":",
        "SharedKey :" GOOD,
        "SharedKey other:" GOOD,
        "SharedKey devstoreaccount:" GOOD,
        "SharedKey devstoreaccount12:" GOOD,
        "SharedKey  " AUTH_ACCOUNT ":" GOOD,
        "SharedKey " AUTH_ACCOUNT ": " GOOD,
        "SharedKey " AUTH_ACCOUNT ":" GOOD " ",
        "SharedKey " AUTH_ACCOUNT ":" GOOD "=",
        "SharedKey " AUTH_ACCOUNT ":xPB5+Xa2l2U3GQMQqS600CfUX6Q6iSpw53yO38wp800=",
        "SharedKey " AUTH_ACCOUNT ":wPB5-Xa2l2U3GQMQqS600CfUX6Q6iSpw53yO38wp800=",
        "SharedKey " AUTH_ACCOUNT ":wPB5+Xa2l2U3GQMQqS600CfUX6Q6iSpw53yO38wp8w==",
        "SharedKey " AUTH_ACCOUNT ":" GOOD GOOD,
        /* A signature of the other scheme. */
        "SharedKeyLite " AUTH_ACCOUNT ":" GOOD,
    };
    struct auth_case test;
    struct gk_error error = {0};
    auth_case_init(&test, answers[0].method, answers[0].path, answers[0].query, answers[0].headers,
                   false);
    assert_int_equal(gk_shared_key_check(test.request, "SharedKey " AUTH_ACCOUNT ":" GOOD, NULL),
                     GK_OK);
    for (size_t i = 0; i < COUNT(credentials); i++) {
        assert_answer(gk_shared_key_check(test.request, credentials[i], &error), &error, 403,
                      "AuthenticationFailed");
        assert_null(strstr(error.message, "PB5"));
    }
    auth_case_cleanup(&test);
}

/* What is signed cannot be changed on the way. */
static void test_shared_key__other_requests_are_refused(void **state)
{
    (void)state;
    static const struct {
        const char *method;
        const char *path;
        const char *query;
        struct gk_pair headers[4];
    } requests[] = {
        {"DELETE", PATH, "restype=container", {HEADERS}},
        {"PUT", PATH "t", "restype=container", {HEADERS}},
        {"PUT", PATH "/", "restype=container", {HEADERS}},
        {"PUT", PATH, "restype=container&comp=acl", {HEADERS}},
        {"PUT", PATH, "", {HEADERS}},
        {"PUT", PATH, "restype=container", {HEADERS, {"x-ms-meta-a", "b"}}},
        {"PUT", PATH, "restype=container", {HEADERS, {"Content-Length", "1"}}},
        {"PUT", PATH, "restype=container", {{"x-ms-date", AUTH_DATE}}},
    };
    for (size_t i = 0; i < COUNT(requests); i++) {
        struct auth_case test;
        struct gk_error error = {0};
        auth_case_init(&test, requests[i].method, requests[i].path, requests[i].query,
                       requests[i].headers, false);
        assert_answer(gk_shared_key_check(test.request, "SharedKey " AUTH_ACCOUNT ":" GOOD, &error),
                      &error, 403, "AuthenticationFailed");
        auth_case_cleanup(&test);
    }
}

static const struct {
    struct gk_pair headers[3];
    bool accepted;
} dates[] = {
    {{{"x-ms-date", AUTH_DATE}}, true},
    {{{"Date", AUTH_DATE}}, true},
    {{{"x-ms-date", "Mon, 23 Nov 2026 11:45:00 GMT"}}, true},
    {{{"x-ms-date", "Mon, 23 Nov 2026 11:44:59 GMT"}}, false},
    {{{"x-ms-date", "Mon, 23 Nov 2026 12:15:00 GMT"}}, true},
    {{{"x-ms-date", "Mon, 23 Nov 2026 12:15:01 GMT"}}, false},
    {{{"Date", AUTH_DATE}, {"x-ms-date", "Mon, 23 Nov 2026 11:00:00 GMT"}}, false},
    {{{"Date", "Mon, 23 Nov 2026 11:00:00 GMT"}, {"x-ms-date", AUTH_DATE}}, true},
    {{{"x-ms-date", "2026-11-23T12:00:00Z"}}, false},
    {{{"x-ms-date", ""}}, false},
    {{{"x-ms-version", "2024-08-04"}}, false},
};

static void test_shared_key__a_date_within_a_quarter_of_an_hour(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(dates); i++) {
        struct auth_case test;
        struct gk_buf text;
        struct gk_buf authorization;
        struct gk_error error = {0};
        auth_case_init(&test, "GET", PATH, "", dates[i].headers, false);
        gk_buf_init(&text, 4096);
        gk_buf_init(&authorization, 256);
        gk_shared_key_string(test.request, false, true, &text);
        gk_buf_append_str(&authorization, "SharedKey " AUTH_ACCOUNT ":");
        auth_sign(&test, 0, gk_buf_span(&text), &authorization);
        assert_answer(gk_shared_key_check(test.request, gk_buf_str(&authorization), &error), &error,
                      dates[i].accepted ? 0 : 403, dates[i].accepted ? "" : "AuthenticationFailed");
        gk_buf_cleanup(&authorization);
        gk_buf_cleanup(&text);
        auth_case_cleanup(&test);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared_key__known_answers),
        cmocka_unit_test(test_shared_key__string),
        cmocka_unit_test(test_shared_key__order_of_names),
        cmocka_unit_test(test_shared_key__either_order_is_taken),
        cmocka_unit_test(test_shared_key__either_key_signs),
        cmocka_unit_test(test_shared_key__other_credentials_are_refused),
        cmocka_unit_test(test_shared_key__other_requests_are_refused),
        cmocka_unit_test(test_shared_key__a_date_within_a_quarter_of_an_hour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
