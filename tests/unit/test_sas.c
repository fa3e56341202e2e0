/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a shared access signature opens what it says and nothing else.
 * Method: known answers that the vendor's emulator took; then tables in which each request comes with
 * its string to sign, spelled out, and the test signs that. The one container that there is has stored
 * access policies.
 */
#include "gateway/auth/sas.h"

#include <stdio.h>

#include "gateway/blob/target.h"
#include "unit/auth_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct gk_pair no_headers[] = {{NULL, NULL}};

/* --- the container "c" --------------------------------------------------------------------------- */

#define STORED_END INT64_C(2093472000000) /* 2036-05-04 */

static const struct gk_acl stored = {
    .policies_count = 3,
    .policies = {
        {.id = "whole", .start_wall_ms = 0, .expiry_wall_ms = STORED_END, .permissions = "rl"},
        {.id = "open", .start_wall_ms = GK_ACL_NO_TIME, .expiry_wall_ms = GK_ACL_NO_TIME},
        {.id = "over", .start_wall_ms = 0, .expiry_wall_ms = 1, .permissions = "r"}}};

enum gk_status __wrap_gk_container_target_load(struct gk_request *request,
                                               struct gk_container_target *target,
                                               struct gk_error *error);

enum gk_status __wrap_gk_container_target_load(struct gk_request *request,
                                               struct gk_container_target *target,
                                               struct gk_error *error)
{
    memset(target, 0, sizeof *target);
    if (strcmp(request->container, "c") != 0) {
        return gk_refuse(error, 404, "ContainerNotFound");
    }
    target->container.acl = stored;
    return GK_OK;
}

/* --- known answers ------------------------------------------------------------------------------ */

static const struct {
    const char *path;
    const char *query;
    uint32_t permissions;
} answers[] = {
    {"/devstoreaccount1/vec/dir/h%20%C3%A4.txt",
     "sv=2024-08-04&st=2026-11-01T00%3A00%3A00Z&se=2036-11-01T00%3A00%3A00Z&sr=b&sp=r"
     "&spr=https%2Chttp&sig=QSpX0%2FjJJbC0WvxLKO4QjFZINkCV2IQifBiYeFxnFuA%3D",
     GK_PERMIT_READ},
    {"/devstoreaccount1/vec",
     "restype=container&comp=list&sv=2024-08-04&st=2026-11-01T00%3A00%3A00Z"
     "&se=2036-11-01T00%3A00%3A00Z&sr=c&sp=rl&sig=ZSaOVtlwNxcMySBbylNf4S7lZ7%2FIhxJzyOo71wRxzcQ%3D",
     GK_PERMIT_LIST},
    {"/devstoreaccount1/",
     "comp=list&sv=2024-08-04&ss=b&srt=sco&sp=rl&st=2026-11-01T00%3A00%3A00Z"
     "&se=2036-11-01T00%3A00%3A00Z&spr=https%2Chttp"
     "&sig=bD6Z22qhwcpNlVPdKRQ%2FoTuZLOC24WlqpAfO90z7WMU%3D",
     GK_PERMIT_READ | GK_PERMIT_LIST},
};

static void test_sas__known_answers(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct auth_case test;
        auth_case_init(&test, "GET", answers[i].path, answers[i].query, no_headers, false);
        assert_int_equal(gk_sas_check(test.request, NULL), GK_OK);
        assert_int_equal(test.request->permissions, answers[i].permissions);
        auth_case_cleanup(&test);
    }
}

/* --- strings to sign ---------------------------------------------------------------------------- */

struct row {
    const char *path; /* after the account */
    const char *query;
    const char *string;
    unsigned http_status;
    const char *code;
};

/* Signs row's string with key number index, and asks. */
static enum gk_status check_signed(const struct row *row, unsigned index, struct auth_case *test,
                                   const char *client_address, bool tls, struct gk_error *error)
{
    char path[128];
    struct auth_case plain;
    struct gk_buf signature;
    struct gk_buf query;
    gk_buf_init(&signature, 64);
    gk_buf_init(&query, 4096);
    snprintf(path, sizeof path, "/" AUTH_ACCOUNT "%s", row->path);
    auth_case_init(&plain, "GET", path, "", no_headers, false);
    auth_sign(&plain, index, gk_span_str(row->string), &signature);
    auth_case_cleanup(&plain);
    gk_buf_printf(&query, "%s&sig=", row->query);
    gk_percent_encode(&query, gk_buf_span(&signature), "");
    auth_case_init(test, "GET", path, gk_buf_str(&query), no_headers, false);
    test->request->tls = tls;
    snprintf(test->request->client_address, sizeof test->request->client_address, "%s",
             client_address);
    gk_buf_cleanup(&query);
    gk_buf_cleanup(&signature);
    return gk_sas_check(test->request, error);
}

static void check_row(const struct row *row, const char *client_address, bool tls)
{
    for (unsigned index = 0; index < GK_ACCESS_KEYS; index++) {
        struct auth_case test;
        struct gk_error error = {0};
        const enum gk_status status = check_signed(row, index, &test, client_address, tls, &error);
        if (error.http_status != row->http_status || strcmp(error.code, row->code) != 0) {
            fail_msg("%s?%s: %u %s", row->path, row->query, error.http_status, error.code);
        }
        assert_answer(status, &error, row->http_status, row->code);
        auth_case_cleanup(&test);
    }
}

#define SE     "2036-11-01T00:00:00Z"
#define TO_END "&se=" SE
#define CANON  "/blob/devstoreaccount1/c"

static const struct row strings[] = {
    /* Service SAS, by version: sr and snapshot time from 2018-11-09 on, scope from 2020-12-06 on. */
    {"/c/b", "sv=2015-04-05&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2015-04-05\n\n\n\n\n", 0, ""},
    {"/c/b", "sv=2018-03-28&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2018-03-28\n\n\n\n\n", 0, ""},
    {"/c/b", "sv=2018-11-09&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2018-11-09\nb\n\n\n\n\n\n", 0, ""},
    {"/c/b", "sv=2020-10-02&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-10-02\nb\n\n\n\n\n\n", 0, ""},
    {"/c/b", "sv=2020-12-06&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 0, ""},
    {"/c/b", "sv=2020-12-06&sr=b&sp=r&ses=scope" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\nscope\n\n\n\n\n", 0, ""},
    /* The blob's name as it is; a container's SAS names the container alone. */
    {"/c/d/h%20%C3%A4", "sv=2020-12-06&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/d/h \xc3\xa4\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 0, ""},
    {"/c/d/e", "sv=2020-12-06&sr=c&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "\n\n\n\n2020-12-06\nc\n\n\n\n\n\n\n", 0, ""},
    {"/c/b", "snapshot=2026-01-01T00:00:00.0000000Z&sv=2020-12-06&sr=c&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "\n\n\n\n2020-12-06\nc\n\n\n\n\n\n\n", 0, ""},
    {"/c/b", "snapshot=2026-01-01T00:00:00.0000000Z&sv=2020-12-06&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 0, ""},
    /* A snapshot's own names its time, and is good for no other and not for the blob. */
    {"/c/b", "snapshot=2026-01-01T00:00:00.0000000Z&sv=2020-12-06&sr=bs&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbs\n2026-01-01T00:00:00.0000000Z\n\n\n\n\n\n", 0,
     ""},
    {"/c/b", "snapshot=2026-01-01T00:00:00.0000001Z&sv=2020-12-06&sr=bs&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbs\n2026-01-01T00:00:00.0000000Z\n\n\n\n\n\n",
     403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=bs&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbs\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    /* A version's likewise. */
    {"/c/b", "versionid=2026-01-01T00:00:00.0000000Z&sv=2020-12-06&sr=bv&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbv\n2026-01-01T00:00:00.0000000Z\n\n\n\n\n\n", 0,
     ""},
    {"/c/b", "versionid=2026-01-01T00:00:00.0000001Z&sv=2020-12-06&sr=bv&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbv\n2026-01-01T00:00:00.0000000Z\n\n\n\n\n\n",
     403, "AuthenticationFailed"},
    {"/c/b", "snapshot=2026-01-01T00:00:00.0000000Z&sv=2020-12-06&sr=bv&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbv\n2026-01-01T00:00:00.0000000Z\n\n\n\n\n\n",
     403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=bv&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbv\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    /* Of a directory there is none: that takes a hierarchical namespace. */
    {"/c/b", "sdd=1&sv=2020-12-06&sr=d&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nd\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    /* All fields. */
    {"/c/b",
     "sv=2020-12-06&sr=b&sp=racwd&st=2026-01-01&sip=192.0.2.7&spr=https,http"
     "&rscc=no-cache&rscd=inline&rsce=gzip&rscl=de&rsct=text%2Fplain" TO_END,
     "racwd\n2026-01-01\n" SE "\n" CANON "/b\n\n192.0.2.7\nhttps,http\n2020-12-06\nb\n\n\n"
     "no-cache\ninline\ngzip\nde\ntext/plain",
     0, ""},
    /* Account SAS, by version. */
    {"/c/b", "sv=2015-04-05&ss=b&srt=o&sp=r" TO_END,
     "devstoreaccount1\nr\nb\no\n\n" SE "\n\n\n2015-04-05\n", 0, ""},
    {"/c/b", "sv=2020-10-02&ss=bfqt&srt=sco&sp=r" TO_END,
     "devstoreaccount1\nr\nbfqt\nsco\n\n" SE "\n\n\n2020-10-02\n", 0, ""},
    {"/c/b", "sv=2020-12-06&ss=b&srt=o&sp=r&ses=s" TO_END,
     "devstoreaccount1\nr\nb\no\n\n" SE "\n\n\n2020-12-06\ns\n", 0, ""},
    /* What is signed otherwise is refused. */
    {"/c/b", "sv=2020-12-06&sr=b&sp=rw" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b2", "sv=2020-12-06&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=c&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=b&sp=r&se=2037-11-01T00:00:00Z",
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=b&sp=r&rsct=text/html" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&ss=b&srt=sco&sp=r" TO_END,
     "devstoreaccount1\nr\nb\no\n\n" SE "\n\n\n2020-12-06\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&ss=b&srt=o&sp=r" TO_END,
     "otheraccount\nr\nb\no\n\n" SE "\n\n\n2020-12-06\n\n", 403, "AuthenticationFailed"},
    /* Of a parameter that comes twice the first is signed and the first counts. */
    {"/c/b", "sv=2020-12-06&sr=b&sp=r&sp=rwd" TO_END,
     "rwd\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    /* Kinds that are not served. */
    {"/c/b", "sv=2015-02-21&sr=b&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2015-02-21\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sr=b&sp=r" TO_END, "r\n\n" SE "\n" CANON "/b\n\n\n\n\n\n\n\n\n", 403,
     "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=bs&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nbs\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\n\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=b&si=policy&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\npolicy\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403,
     "AuthenticationFailed"},
    {"/c/b", "sv=2020-12-06&sr=b&skoid=x&sp=r" TO_END,
     "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
};

static void test_sas__string(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(strings); i++) {
        check_row(&strings[i], "192.0.2.7", false);
    }
}

static void test_sas__without_a_signature(void **state)
{
    (void)state;
    static const char *const queries[] = {
        "sv=2020-12-06&sr=b&sp=r" TO_END,
        "sv=2020-12-06&sr=b&sp=r&sig=" TO_END,
        "sv=2020-12-06&sr=b&sp=r&sig=AAAA" TO_END,
        "sv=2020-12-06&sr=b&sp=r&sig=%3D%3D%3D" TO_END,
    };
    for (size_t i = 0; i < COUNT(queries); i++) {
        struct auth_case test;
        struct gk_error error = {0};
        auth_case_init(&test, "GET", "/" AUTH_ACCOUNT "/c/b", queries[i], no_headers, false);
        assert_answer(gk_sas_check(test.request, &error), &error, 403, "AuthenticationFailed");
        assert_int_equal(test.request->permissions, 0);
        auth_case_cleanup(&test);
    }
}

/* --- limits ------------------------------------------------------------------------------------- */

/* An account SAS with given fields; every request is received on 2026-11-23 at 12:00:00. */
static const struct {
    const char *start;
    const char *end;
    const char *addresses;
    const char *protocols;
    const char *client;
    bool tls;
    const char *code;
} limits[] = {
    {"", "2026-11-23T12:00:01Z", "", "", "192.0.2.7", false, ""},
    {"", "2026-11-23T12:00:00Z", "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"", "2026-11-24", "", "", "192.0.2.7", false, ""},
    {"", "2026-11-23", "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"", "", "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"", "tomorrow", "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"2026-11-23T12:00:00Z", SE, "", "", "192.0.2.7", false, ""},
    {"2026-11-23T12:00:01Z", SE, "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"now", SE, "", "", "192.0.2.7", false, "AuthenticationFailed"},
    {"", SE, "192.0.2.7", "", "192.0.2.7", false, ""},
    {"", SE, "192.0.2.8", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "192.0.2.7-192.0.2.7", "", "192.0.2.7", false, ""},
    {"", SE, "192.0.0.0-192.0.2.6", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "192.0.2.8-192.0.3.0", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "9.0.0.0-10.0.0.0", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "192.0.2.0-", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "192.0.2.0/24", "", "192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "192.0.2.7", "", "::ffff:192.0.2.7", false, "AuthorizationSourceIPMismatch"},
    {"", SE, "", "https", "192.0.2.7", false, "AuthorizationProtocolMismatch"},
    {"", SE, "", "https", "192.0.2.7", true, ""},
    {"", SE, "", "https,http", "192.0.2.7", false, ""},
};

static void test_sas__limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(limits); i++) {
        char query[256];
        char string[256];
        snprintf(query, sizeof query, "sv=2020-12-06&ss=b&srt=o&sp=r%s%s%s%s%s%s%s%s",
                 limits[i].start[0] == '\0' ? "" : "&st=", limits[i].start,
                 limits[i].end[0] == '\0' ? "" : "&se=", limits[i].end,
                 limits[i].addresses[0] == '\0' ? "" : "&sip=", limits[i].addresses,
                 limits[i].protocols[0] == '\0' ? "" : "&spr=", limits[i].protocols);
        snprintf(string, sizeof string, AUTH_ACCOUNT "\nr\nb\no\n%s\n%s\n%s\n%s\n2020-12-06\n\n",
                 limits[i].start, limits[i].end, limits[i].addresses, limits[i].protocols);
        const struct row row = {"/c/b", query, string, limits[i].code[0] == '\0' ? 0 : 403,
                                limits[i].code};
        check_row(&row, limits[i].client, limits[i].tls);
    }
}

/* --- what it opens ------------------------------------------------------------------------------ */

static const struct {
    const char *path;
    const char *services;
    const char *types;
    const char *code;
} account_rows[] = {
    {"", "b", "s", ""},
    {"", "b", "co", "AuthorizationResourceTypeMismatch"},
    {"/c/", "b", "c", ""},
    {"/c/", "b", "so", "AuthorizationResourceTypeMismatch"},
    {"/c/b", "b", "o", ""},
    {"/c/b", "b", "sc", "AuthorizationResourceTypeMismatch"},
    {"/c/b", "bqtf", "sco", ""},
    {"/c/b", "qtf", "sco", "AuthorizationServiceMismatch"},
    {"/c/b", "", "sco", "AuthorizationServiceMismatch"},
    {"/c/b", "b", "", "AuthorizationResourceTypeMismatch"},
};

static void test_sas__services_and_types_of_an_account(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(account_rows); i++) {
        char query[256];
        char string[256];
        snprintf(query, sizeof query, "sv=2020-12-06&ss=%s&srt=%s&sp=r" TO_END,
                 account_rows[i].services, account_rows[i].types);
        snprintf(string, sizeof string, AUTH_ACCOUNT "\nr\n%s\n%s\n\n" SE "\n\n\n2020-12-06\n\n",
                 account_rows[i].services, account_rows[i].types);
        const struct row row = {account_rows[i].path, query, string,
                                account_rows[i].code[0] == '\0' ? 0 : 403, account_rows[i].code};
        check_row(&row, "192.0.2.7", false);
    }
}

/* A service SAS is never for more than its container. */
static void test_sas__level_of_a_service(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"", "sv=2020-12-06&sr=c&sp=rl" TO_END,
         "rl\n\n" SE "\n/blob/devstoreaccount1/\n\n\n\n2020-12-06\nc\n\n\n\n\n\n\n", 403,
         "AuthorizationResourceTypeMismatch"},
        {"/c/", "sv=2020-12-06&sr=b&sp=rl" TO_END,
         "rl\n\n" SE "\n" CANON "/\n\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403,
         "AuthorizationResourceTypeMismatch"},
        {"/c/", "sv=2020-12-06&sr=c&sp=rl" TO_END,
         "rl\n\n" SE "\n" CANON "\n\n\n\n2020-12-06\nc\n\n\n\n\n\n\n", 0, ""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(&rows[i], "192.0.2.7", false);
    }
}

static const struct {
    const char *path;
    const char *letters;
    uint32_t permissions;
} permission_rows[] = {
    {"/c/b", "r", GK_PERMIT_READ},
    {"/c/b", "racwdltf",
     GK_PERMIT_READ | GK_PERMIT_ADD | GK_PERMIT_CREATE | GK_PERMIT_WRITE | GK_PERMIT_DELETE |
         GK_PERMIT_LIST | GK_PERMIT_TAGS | GK_PERMIT_FILTER},
    {"/c/b", "x", GK_PERMIT_DELETE_VERSION},
    {"/c/b", "zmeop", 0},
    {"/c/b", "i", GK_PERMIT_IMMUTABILITY},
    {"/c/b", "y", GK_PERMIT_PERMANENT_DELETE},
    {"/c/b", "R", 0},
    {"/c/b", "", 0},
    /* Of the container itself: listing and finding. */
    {"/c/", "racwdltf", GK_PERMIT_LIST | GK_PERMIT_FILTER | GK_PERMIT_TAGS},
    {"/c/", "racwd", 0},
};

static void test_sas__permissions(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(permission_rows); i++) {
        char query[256];
        char string[256];
        struct auth_case test;
        snprintf(query, sizeof query, "sv=2020-12-06&sr=c&sp=%s" TO_END,
                 permission_rows[i].letters);
        snprintf(string, sizeof string,
                 "%s\n\n" SE "\n" CANON "\n\n\n\n2020-12-06\nc\n\n\n\n\n\n\n",
                 permission_rows[i].letters);
        const struct row row = {permission_rows[i].path, query, string, 0, ""};
        assert_int_equal(check_signed(&row, 0, &test, "192.0.2.7", false, NULL), GK_OK);
        assert_int_equal(test.request->permissions, permission_rows[i].permissions);
        assert_false(test.request->credential_is_account_key);
        assert_null(test.request->override_content_type);
        auth_case_cleanup(&test);
    }
}

static void test_sas__overrides(void **state)
{
    (void)state;
    static const struct row row = {
        "/c/b", "sv=2020-12-06&sr=b&sp=r&rscc=a&rscd=b%20b&rsce=c&rscl=d&rsct=e%2Fe" TO_END,
        "r\n\n" SE "\n" CANON "/b\n\n\n\n2020-12-06\nb\n\n\na\nb b\nc\nd\ne/e", 0, ""};
    struct auth_case test;
    assert_int_equal(check_signed(&row, 0, &test, "192.0.2.7", false, NULL), GK_OK);
    assert_string_equal(test.request->override_cache_control, "a");
    assert_string_equal(test.request->override_content_disposition, "b b");
    assert_string_equal(test.request->override_content_encoding, "c");
    assert_string_equal(test.request->override_content_language, "d");
    assert_string_equal(test.request->override_content_type, "e/e");
    auth_case_cleanup(&test);
}

/* A stored access policy and a signature together say each thing once. */
static void test_sas__stored_access_policies(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"/c/b", "sv=2020-12-06&sr=b&si=whole",
         "\n\n\n" CANON "/b\nwhole\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 0, ""},
        {"/c/b", "sv=2020-12-06&sr=c&si=whole",
         "\n\n\n" CANON "\nwhole\n\n\n2020-12-06\nc\n\n\n\n\n\n\n", 0, ""},
        {"/c/b", "sv=2020-12-06&sr=b&si=open&sp=r" TO_END,
         "r\n\n" SE "\n" CANON "/b\nopen\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 0, ""},
        {"/c/b", "sv=2020-12-06&sr=b&si=open&sp=r",
         "r\n\n\n" CANON "/b\nopen\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
        {"/c/b", "sv=2020-12-06&sr=b&si=whole&sp=r",
         "r\n\n\n" CANON "/b\nwhole\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
        {"/c/b", "sv=2020-12-06&sr=b&si=whole" TO_END,
         "\n\n" SE "\n" CANON "/b\nwhole\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403,
         "AuthenticationFailed"},
        {"/c/b", "sv=2020-12-06&sr=b&si=whole&st=2026-01-01",
         "\n2026-01-01\n\n" CANON "/b\nwhole\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403,
         "AuthenticationFailed"},
        {"/c/b", "sv=2020-12-06&sr=b&si=over",
         "\n\n\n" CANON "/b\nover\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
        {"/d/b", "sv=2020-12-06&sr=b&si=whole",
         "\n\n\n/blob/devstoreaccount1/d/b\nwhole\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403,
         "AuthenticationFailed"},
        /* The policy's name is signed. */
        {"/c/b", "sv=2020-12-06&sr=b&si=whole",
         "\n\n\n" CANON "/b\nopen\n\n\n2020-12-06\nb\n\n\n\n\n\n\n", 403, "AuthenticationFailed"},
        {"/c/b", "sv=2020-12-06&ss=b&srt=o&sp=r&si=whole" TO_END,
         "devstoreaccount1\nr\nb\no\n\n" SE "\n\n\n2020-12-06\n\n", 403, "AuthenticationFailed"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_row(&rows[i], "192.0.2.7", false);
    }
    struct auth_case test;
    assert_int_equal(check_signed(&rows[0], 0, &test, "192.0.2.7", false, NULL), GK_OK);
    assert_int_equal(test.request->permissions, GK_PERMIT_READ | GK_PERMIT_LIST);
    auth_case_cleanup(&test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sas__known_answers),
        cmocka_unit_test(test_sas__string),
        cmocka_unit_test(test_sas__without_a_signature),
        cmocka_unit_test(test_sas__limits),
        cmocka_unit_test(test_sas__services_and_types_of_an_account),
        cmocka_unit_test(test_sas__level_of_a_service),
        cmocka_unit_test(test_sas__permissions),
        cmocka_unit_test(test_sas__overrides),
        cmocka_unit_test(test_sas__stored_access_policies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
