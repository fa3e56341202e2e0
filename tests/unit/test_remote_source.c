/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: which other hosts may be asked is what the list says, and an answer of theirs is taken only when it is
 * what was asked for.
 * Method: tables of authorities, and of answers to a whole or a part.
 */
#include "gateway/blob/copy_hosts.h"
#include "gateway/blob/remote_answer.h"

#include "unit/request_fixture.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* --- hosts --------------------------------------------------------------------------------------*/

static void test_copy_hosts__find(void **state)
{
    (void)state;
    static const struct gk_copy_host hosts[] = {
        {.name = "files.example", .port = 443},
        {.name = "*.blob.example", .port = 443},
        {.name = "*.blob.example", .port = 8443},
        {.name = "10.1.2.3", .port = 443},
    };
    static const struct {
        const char *authority;
        int found; /* -1: none */
    } rows[] = {
        {"files.example", 0},
        {"FILES.Example", 0},
        {"files.example:443", 0},
        {"files.example:8443", -1},
        {"files.example:", -1},
        {"files.example:443:443", -1},
        {"files.example:0443x", -1},
        {"files.example:99999", -1},
        {"files.example.", -1},
        {"files.example.evil", -1},
        {"xfiles.example", -1},
        {"a.files.example", -1},
        {"a.blob.example", 1},
        {"a.b.blob.example", 1},
        {"a.blob.example:8443", 2},
        {"blob.example", -1},
        {".blob.example", -1},
        {"ablob.example", -1},
        {"10.1.2.3", 3},
        {"[::1]", -1},
        {"", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct gk_copy_host *found =
            gk_copy_host_find(hosts, COUNT(hosts), rows[i].authority);
        if (found != (rows[i].found < 0 ? NULL : &hosts[rows[i].found])) {
            fail_msg("%s", rows[i].authority);
        }
    }
    assert_null(gk_copy_host_find(NULL, 0, "files.example"));
}

/* --- answers ------------------------------------------------------------------------------------*/

#define HEADERS_MAX 12u

struct answered {
    struct gk_pair asked[HEADERS_MAX]; /* of the source: conditions, a range */
    unsigned answer;
    struct gk_pair headers[HEADERS_MAX];
    unsigned status; /* 0: it is taken */
    const char *code;
};

static const struct answered answers[] = {
    {{{0}}, 200, {{"Content-Length", "10"}}, 0, ""},
    {{{0}}, 200, {{"content-length", "0"}}, 0, ""},
    {{{0}}, 200, {{0}}, 500, "CannotVerifyCopySource"},
    {{{0}}, 200, {{"Content-Length", "+10"}}, 500, "CannotVerifyCopySource"},
    {{{0}},
     200,
     {{"Content-Length", "10"}, {"Transfer-Encoding", "chunked"}},
     500,
     "CannotVerifyCopySource"},
    {{{0}}, 206, {{"Content-Length", "10"}}, 500, "CannotVerifyCopySource"},
    {{{0}}, 204, {{"Content-Length", "0"}}, 500, "CannotVerifyCopySource"},
    {{{0}}, 301, {{"Location", "https://a.example/"}}, 403, "CannotVerifyCopySource"},
    {{{0}}, 304, {{0}}, 412, "SourceConditionNotMet"},
    {{{0}}, 401, {{0}}, 403, "CannotVerifyCopySource"},
    {{{0}}, 403, {{0}}, 403, "CannotVerifyCopySource"},
    {{{0}}, 404, {{0}}, 404, "CannotVerifyCopySource"},
    {{{0}}, 409, {{0}}, 409, "CannotVerifyCopySource"},
    {{{0}}, 412, {{0}}, 412, "SourceConditionNotMet"},
    {{{0}}, 416, {{0}}, 416, "InvalidRange"},
    {{{0}}, 500, {{0}}, 500, "CannotVerifyCopySource"},
    {{{0}}, 503, {{0}}, 500, "CannotVerifyCopySource"},
    /* A part is the one that was asked for. */
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "4"}, {"Content-Range", "bytes 2-5/10"}},
     0,
     ""},
    {{{"x-ms-range", "bytes=2-50"}},
     206,
     {{"Content-Length", "8"}, {"Content-Range", "bytes 2-9/10"}},
     0,
     ""},
    {{{"x-ms-range", "bytes=2-"}},
     206,
     {{"Content-Length", "8"}, {"Content-Range", "bytes 2-9/10"}},
     0,
     ""},
    {{{"x-ms-range", "bytes=2-5"}}, 200, {{"Content-Length", "4"}}, 500, "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}}, 206, {{"Content-Length", "4"}}, 500, "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "4"}, {"Content-Range", "bytes 3-6/10"}},
     500,
     "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "3"}, {"Content-Range", "bytes 2-4/10"}},
     500,
     "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "5"}, {"Content-Range", "bytes 2-5/10"}},
     500,
     "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "4"}, {"Content-Range", "bytes 2-5/*"}},
     500,
     "CannotVerifyCopySource"},
    {{{"x-ms-range", "bytes=2-5"}},
     206,
     {{"Content-Length", "4"}, {"Content-Range", "bytes 2-5/5"}},
     500,
     "CannotVerifyCopySource"},
    /* Conditions are met, whoever looked at them. */
    {{{"If-Match", "\"a\""}}, 200, {{"Content-Length", "1"}, {"ETag", "\"a\""}}, 0, ""},
    {{{"If-Match", "*"}}, 200, {{"Content-Length", "1"}, {"ETag", "\"a\""}}, 0, ""},
    {{{"If-Match", "\"b\""}},
     200,
     {{"Content-Length", "1"}, {"ETag", "\"a\""}},
     412,
     "SourceConditionNotMet"},
    {{{"If-Match", "\"a\""}},
     200,
     {{"Content-Length", "1"}, {"ETag", "W/\"a\""}},
     412,
     "SourceConditionNotMet"},
    {{{"If-Match", "\"a\""}}, 200, {{"Content-Length", "1"}}, 412, "SourceConditionNotMet"},
    {{{"If-None-Match", "\"a\""}},
     200,
     {{"Content-Length", "1"}, {"ETag", "\"a\""}},
     412,
     "SourceConditionNotMet"},
    {{{"If-None-Match", "\"b\""}}, 200, {{"Content-Length", "1"}, {"ETag", "\"a\""}}, 0, ""},
    {{{"If-Unmodified-Since", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     200,
     {{"Content-Length", "1"}, {"Last-Modified", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     0,
     ""},
    {{{"If-Unmodified-Since", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     200,
     {{"Content-Length", "1"}, {"Last-Modified", "Mon, 23 Nov 2026 12:00:01 GMT"}},
     412,
     "SourceConditionNotMet"},
    {{{"If-Unmodified-Since", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     200,
     {{"Content-Length", "1"}},
     412,
     "SourceConditionNotMet"},
    {{{"If-Modified-Since", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     200,
     {{"Content-Length", "1"}, {"Last-Modified", "Mon, 23 Nov 2026 12:00:00 GMT"}},
     412,
     "SourceConditionNotMet"},
    {{{"x-ms-if-tags", "a='b'"}},
     200,
     {{"Content-Length", "1"}, {"x-ms-blob-type", "BlockBlob"}},
     0,
     ""},
    {{{"x-ms-if-tags", "a='b'"}}, 200, {{"Content-Length", "1"}}, 412, "SourceConditionNotMet"},
    /* An append blob tells of its blocks. */
    {{{0}},
     200,
     {{"Content-Length", "1"}, {"x-ms-blob-type", "AppendBlob"}},
     500,
     "CannotVerifyCopySource"},
    {{{0}},
     200,
     {{"Content-Length", "1"},
      {"x-ms-blob-type", "AppendBlob"},
      {"x-ms-blob-committed-block-count", "50001"}},
     500,
     "CannotVerifyCopySource"},
};

static enum gk_status read_answer(const struct answered *row, struct gk_blob_record *record,
                                  struct gk_range *range, struct gk_error *error)
{
    struct headed own;
    struct gk_remote_answer answer = {.status = 0};
    size_t count = 0;
    while (row->headers[count].name != NULL) {
        count++;
    }
    headed_init(&own, row->asked);
    own.request.operation = GK_OP_BLOB_GET_BLOB;
    assert_int_equal(
        gk_remote_answer_init(&answer, &own.request, row->answer, row->headers, count, error),
        GK_OK);
    const enum gk_status status =
        gk_remote_answer_read(&answer, &own.request, record, range, error);
    gk_remote_answer_cleanup(&answer);
    return status;
}

static void test_remote_answer__read(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(answers); i++) {
        struct gk_blob_record record = {.size = 0};
        struct gk_range range;
        struct gk_error error = {0};
        const enum gk_status status = read_answer(&answers[i], &record, &range, &error);
        if (error.http_status != answers[i].status) {
            fail_msg("row %zu: %u %s", i, error.http_status, error.message);
        }
        assert_answer(status, &error, answers[i].status, answers[i].code);
        gk_blob_record_cleanup(&record);
    }
}

static void test_remote_answer__tells_of_the_blob(void **state)
{
    (void)state;
    static const struct answered row = {{{"x-ms-range", "bytes=0-3"}},
                                        206,
                                        {{"Content-Length", "4"},
                                         {"Content-Range", "bytes 0-3/10"},
                                         {"Content-Type", "text/x"},
                                         {"Content-Disposition", "inline"},
                                         {"Content-MD5", "bm90IG9mIGl0cyBwYXJ0IQ=="},
                                         {"x-ms-blob-type", "AppendBlob"},
                                         {"x-ms-blob-committed-block-count", "7"},
                                         {"x-ms-blob-sealed", "true"}},
                                        0,
                                        ""};
    struct gk_blob_record record = {.size = 0};
    struct gk_range range;
    struct gk_error error = {0};
    assert_int_equal(read_answer(&row, &record, &range, &error), GK_OK);
    assert_int_equal(record.size, 10);
    assert_int_equal(range.from, 0);
    assert_int_equal(range.length, 4);
    assert_string_equal(record.headers[GK_CONTENT_TYPE], "text/x");
    assert_string_equal(record.headers[GK_CONTENT_DISPOSITION], "inline");
    assert_false(record.has_md5);
    assert_int_equal(record.kind.type, GK_BLOB_APPEND);
    assert_int_equal(record.kind.blocks_count, 7);
    assert_true(record.kind.sealed);
    gk_blob_record_cleanup(&record);
}

static void test_remote_answer__code(void **state)
{
    (void)state;
    static const struct gk_pair rows[] = {
        {"BlobNotFound", "BlobNotFound"}, {"", ""}, {"no word", ""}, {"<x>", ""}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct headed own;
        struct gk_remote_answer answer = {.status = 0};
        const struct gk_pair none = {.name = NULL};
        const struct gk_pair header = {"x-ms-error-code", rows[i].name};
        headed_init(&own, &none);
        assert_int_equal(gk_remote_answer_init(&answer, &own.request, 404, &header, 1, NULL),
                         GK_OK);
        assert_string_equal(gk_remote_answer_code(&answer), rows[i].value);
        gk_remote_answer_cleanup(&answer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copy_hosts__find),
        cmocka_unit_test(test_remote_answer__read),
        cmocka_unit_test(test_remote_answer__tells_of_the_blob),
        cmocka_unit_test(test_remote_answer__code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
