/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: conditional headers let a request go on or end it with the documented answer. Method: a table
 * of headers and of what is there, for reading and for writing.
 */
#include "gateway/blob/conditions.h"

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define ETAG    "\"0x00000000000000AB\""
#define BARE    "0x00000000000000AB"
#define OTHER   "\"0x00000000000000AC\""
#define BEFORE  "Wed, 31 Dec 2025 23:59:59 GMT"
#define AT      "Thu, 01 Jan 2026 00:00:00 GMT"
#define AFTER   "Thu, 01 Jan 2026 00:00:01 GMT"
#define HALF_MS 500

/* Modified half a second after AT: in headers, at AT. */
static const struct gk_current there = {
    .exists = true, .etag = 0xab, .modified_wall_ms = INT64_C(1767225600000) + HALF_MS};
static const struct gk_current absent = {.exists = false};

/* 0: goes on. */
struct row {
    struct gk_pair headers[3];
    unsigned read;
    unsigned write;
    unsigned read_absent;
    unsigned write_absent;
};

static const struct row rows[] = {
    {{{NULL, NULL}}, 0, 0, 0, 0},
    {{{"If-Match", ETAG}}, 0, 0, 412, 412},
    {{{"If-Match", BARE}}, 0, 0, 412, 412},
    {{{"If-Match", OTHER}}, 412, 412, 412, 412},
    {{{"If-Match", "*"}}, 0, 0, 412, 412},
    {{{"If-Match", OTHER ", " ETAG}}, 0, 0, 412, 412},
    {{{"If-Match", ""}}, 412, 412, 412, 412},
    {{{"If-Match", "\"0x00000000000000ab\""}}, 412, 412, 412, 412},
    {{{"If-None-Match", ETAG}}, 304, 412, 0, 0},
    {{{"If-None-Match", BARE}}, 304, 412, 0, 0},
    {{{"If-None-Match", OTHER}}, 0, 0, 0, 0},
    {{{"If-None-Match", OTHER "," ETAG}}, 304, 412, 0, 0},
    {{{"If-Modified-Since", BEFORE}}, 0, 0, 0, 0},
    {{{"If-Modified-Since", AT}}, 304, 412, 0, 0},
    {{{"If-Modified-Since", AFTER}}, 304, 412, 0, 0},
    {{{"If-Unmodified-Since", BEFORE}}, 412, 412, 0, 0},
    {{{"If-Unmodified-Since", AT}}, 0, 0, 0, 0},
    {{{"If-Unmodified-Since", AFTER}}, 0, 0, 0, 0},
    {{{"If-Modified-Since", "yesterday"}}, 400, 400, 400, 400},
    {{{"If-Unmodified-Since", "2026-01-01"}}, 400, 400, 400, 400},
    /* An entity tag goes before a date. */
    {{{"If-Match", ETAG}, {"If-Unmodified-Since", BEFORE}}, 0, 0, 412, 412},
    {{{"If-None-Match", OTHER}, {"If-Modified-Since", AFTER}}, 0, 0, 0, 0},
    /* Both must hold. */
    {{{"If-Match", ETAG}, {"If-None-Match", ETAG}}, 304, 412, 412, 412},
    {{{"If-Match", OTHER}, {"If-None-Match", ETAG}}, 412, 412, 412, 412},
    {{{"if-match", ETAG}, {"IF-MODIFIED-SINCE", AT}}, 304, 412, 412, 412},
};

static const char *code_of(unsigned http_status)
{
    return http_status == 0     ? ""
           : http_status == 400 ? "InvalidHeaderValue"
           : http_status == 409 ? "BlobAlreadyExists"
                                : "ConditionNotMet";
}

static void check(const struct row *row, enum gk_access access, const struct gk_current *current,
                  unsigned wanted)
{
    struct headed headed;
    struct gk_error error = {0};
    headed_init(&headed, row->headers);
    headed.request.operation = GK_OP_BLOB_PUT_BLOCK_LIST;
    assert_answer(gk_conditions_check(&headed.request, access, current, &error), &error, wanted,
                  code_of(wanted));
}

static void test_conditions__read(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(&rows[i], GK_ACCESS_READ, &there, rows[i].read);
        check(&rows[i], GK_ACCESS_READ, &absent, rows[i].read_absent);
    }
}

static void test_conditions__write(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        check(&rows[i], GK_ACCESS_WRITE, &there, rows[i].write);
        check(&rows[i], GK_ACCESS_WRITE, &absent, rows[i].write_absent);
    }
}

/* There may be none yet: only what makes one can ask for that. */
static void test_conditions__none_of_any(void **state)
{
    (void)state;
    static const struct {
        enum gk_operation operation;
        enum gk_access access;
        const struct gk_current *current;
        unsigned wanted;
        const char *code;
    } cases[] = {
        {GK_OP_BLOB_GET_BLOB, GK_ACCESS_READ, &there, 400, "UnsatisfiableCondition"},
        {GK_OP_BLOB_GET_BLOB, GK_ACCESS_READ, &absent, 400, "UnsatisfiableCondition"},
        {GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, GK_ACCESS_WRITE, &there, 409, "BlobAlreadyExists"},
        {GK_OP_BLOB_COPY_BLOB, GK_ACCESS_WRITE, &there, 409, "BlobAlreadyExists"},
        {GK_OP_BLOB_PUT_BLOB_BLOCKBLOB, GK_ACCESS_WRITE, &absent, 0, ""},
        {GK_OP_BLOB_DELETE_BLOB, GK_ACCESS_WRITE, &there, 0, ""},
        {GK_OP_BLOB_SET_BLOB_PROPERTIES, GK_ACCESS_WRITE, &there, 0, ""},
    };
    static const struct gk_pair headers[] = {{"If-None-Match", "*"}, {NULL, NULL}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct headed headed;
        struct gk_error error = {0};
        headed_init(&headed, headers);
        headed.request.operation = cases[i].operation;
        assert_answer(
            gk_conditions_check(&headed.request, cases[i].access, cases[i].current, &error), &error,
            cases[i].wanted, cases[i].code);
    }
}

static void test_conditions__etag_text(void **state)
{
    (void)state;
    char text[GK_ETAG_TEXT_BYTES];
    gk_etag_format(0xab, text);
    assert_string_equal(text, ETAG);
    gk_etag_format(UINT64_MAX, text);
    assert_string_equal(text, "\"0xFFFFFFFFFFFFFFFF\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_conditions__read),
        cmocka_unit_test(test_conditions__write),
        cmocka_unit_test(test_conditions__none_of_any),
        cmocka_unit_test(test_conditions__etag_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
