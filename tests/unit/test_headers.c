/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: headers become what records hold, or are refused with the documented code. Method: tables. */
#include "gateway/blob/headers.h"

#include <stdio.h>
#include <stdlib.h>

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

/* --- ranges ------------------------------------------------------------------------------------- */

static void test_headers__ranges(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t size;
        uint64_t from;
        uint64_t length;
    } rows[] = {
        {"bytes=0-0", 1, 0, 1},
        {"bytes=0-9", 100, 0, 10},
        {"BYTES=5-", 100, 5, 95},
        {"bytes=99-", 100, 99, 1},
        {"bytes=99-99", 100, 99, 1},
        {"bytes=90-1000", 100, 90, 10},
        {"bytes=0-9223372036854775807", 100, 0, 100},
        {"bytes=-1", 100, 99, 1},
        {"bytes=-100", 100, 0, 100},
        {"bytes=-9223372036854775807", 100, 0, 100},
        {"bytes=4294967296-4294967297", UINT64_C(1) << 40, UINT64_C(1) << 32, 2},
    };
    static const char *const names[] = {"Range", "x-ms-range", "RANGE"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
            struct headed headed;
            struct gk_range range;
            headed_init(&headed, (struct gk_pair[]){{names[k], rows[i].value}, {NULL, NULL}});
            assert_int_equal(gk_range_read(&headed.request, rows[i].size, &range, NULL), GK_OK);
            assert_true(range.partial);
            assert_true(range.from == rows[i].from && range.length == rows[i].length);
        }
    }
}

static void test_headers__ranges_past_the_end(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        uint64_t size;
    } rows[] = {{"bytes=100-", 100},
                {"bytes=100-200", 100},
                {"bytes=0-", 0},
                {"bytes=0-0", 0},
                {"bytes=-5", 0},
                {"bytes=-0", 100},
                {"bytes=9223372036854775807-", 100}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct headed headed;
        struct gk_range range;
        struct gk_error error = {0};
        headed_init(&headed, (struct gk_pair[]){{"Range", rows[i].value}, {NULL, NULL}});
        assert_answer(gk_range_read(&headed.request, rows[i].size, &range, &error), &error, 416,
                      "InvalidRange");
    }
}

static void test_headers__ranges_that_are_none(void **state)
{
    (void)state;
    static const char *const values[] = {"",
                                         "bytes",
                                         "bytes=",
                                         "bytes=-",
                                         "bytes=a-b",
                                         "bytes=1",
                                         "bytes=5-4",
                                         "bytes=0-1,3-4",
                                         "bytes= 0-1",
                                         "bytes=+0-1",
                                         "bytes=0--1",
                                         "bytes=0-9223372036854775808",
                                         "bytes=99999999999999999999-",
                                         "items=0-1"};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        struct headed headed;
        struct gk_range range;
        struct gk_error error = {0};
        headed_init(&headed, (struct gk_pair[]){{"Range", values[i]}, {NULL, NULL}});
        assert_int_equal(gk_range_read(&headed.request, 100, &range, NULL), GK_OK);
        assert_true(!range.partial && range.from == 0 && range.length == 100);
        headed_init(&headed, (struct gk_pair[]){{"x-ms-range", values[i]}, {NULL, NULL}});
        assert_answer(gk_range_read(&headed.request, 100, &range, &error), &error, 400,
                      "InvalidHeaderValue");
    }
}

static void test_headers__the_services_own_range_goes_first(void **state)
{
    (void)state;
    struct headed headed;
    struct gk_range range;
    headed_init(&headed, (struct gk_pair[]){
                             {"Range", "bytes=0-1"}, {"x-ms-range", "bytes=2-5"}, {NULL, NULL}});
    assert_int_equal(gk_range_read(&headed.request, 100, &range, NULL), GK_OK);
    assert_true(range.from == 2 && range.length == 4);
    headed_init(&headed, (struct gk_pair[]){{NULL, NULL}});
    assert_int_equal(gk_range_read(&headed.request, 0, &range, NULL), GK_OK);
    assert_true(!range.partial && range.length == 0);
}

/* --- metadata ----------------------------------------------------------------------------------- */

static void test_headers__metadata(void **state)
{
    (void)state;
    struct headed headed;
    struct gk_metadata metadata;
    headed_init(&headed, (struct gk_pair[]){{"X-MS-Meta-Color", "red"},
                                            {"x-ms-meta-_9", ""},
                                            {"x-ms-metadata", "no"},
                                            {"Content-Type", "no"},
                                            {NULL, NULL}});
    gk_metadata_init(&metadata);
    assert_int_equal(gk_metadata_from_headers(&headed.request, &metadata, NULL), GK_OK);
    assert_int_equal(metadata.count, 2);
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    assert_true(gk_metadata_next(&metadata, &at, &name, &value));
    assert_true(gk_span_equal(name, gk_span_str("Color"))); /* in its own case */
    assert_true(gk_span_equal(value, gk_span_str("red")));
    assert_true(gk_metadata_next(&metadata, &at, &name, &value));
    assert_true(gk_span_equal(name, gk_span_str("_9")) && value.len == 0);
    gk_metadata_cleanup(&metadata);
}

static void refuse_metadata(const struct gk_pair *headers, const char *code)
{
    struct headed headed;
    struct gk_metadata metadata;
    struct gk_error error = {0};
    headed_init(&headed, headers);
    gk_metadata_init(&metadata);
    assert_answer(gk_metadata_from_headers(&headed.request, &metadata, &error), &error, 400, code);
    gk_metadata_cleanup(&metadata);
}

static void test_headers__metadata_refused(void **state)
{
    (void)state;
    refuse_metadata((struct gk_pair[]){{"x-ms-meta-", "v"}, {NULL, NULL}}, "EmptyMetadataKey");
    static const char *const names[] = {"x-ms-meta-1", "x-ms-meta-a-b", "x-ms-meta-a.b",
                                        "x-ms-meta-caf\xc3\xa9", "x-ms-meta- a"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        refuse_metadata((struct gk_pair[]){{names[i], "v"}, {NULL, NULL}}, "InvalidMetadata");
    }
    refuse_metadata((struct gk_pair[]){{"x-ms-meta-a", "1"}, {"x-ms-meta-A", "2"}, {NULL, NULL}},
                    "InvalidMetadata");
}

static void test_headers__metadata_of_8_kilobytes(void **state)
{
    (void)state;
    char value[GK_METADATA_BYTES_MAX + 1];
    memset(value, 'v', sizeof value);
    value[GK_METADATA_BYTES_MAX - 1] = '\0'; /* and a name of one character */
    const struct gk_pair headers[] = {{"x-ms-meta-a", value}, {NULL, NULL}};
    struct headed headed;
    struct gk_metadata metadata;
    headed_init(&headed, headers);
    gk_metadata_init(&metadata);
    assert_int_equal(gk_metadata_from_headers(&headed.request, &metadata, NULL), GK_OK);
    gk_metadata_cleanup(&metadata);
    value[GK_METADATA_BYTES_MAX - 1] = 'v';
    value[GK_METADATA_BYTES_MAX] = '\0';
    refuse_metadata(headers, "MetadataTooLarge");
}

/* --- content headers ---------------------------------------------------------------------------- */

static enum gk_status read_content(const struct gk_pair *headers, bool fallback,
                                   struct gk_blob_record *record, struct gk_error *error)
{
    struct headed headed;
    headed_init(&headed, headers);
    *record = (struct gk_blob_record){0};
    return gk_content_headers_read(&headed.request, fallback, record, error);
}

static void test_headers__content(void **state)
{
    (void)state;
    static const struct gk_pair headers[] = {{"Content-Type", "plain/fallback"},
                                             {"Content-Language", "fallback"},
                                             {"x-ms-blob-content-type", "own/type"},
                                             {"x-ms-blob-content-encoding", "gzip"},
                                             {"x-ms-blob-content-disposition", "attachment"},
                                             {"x-ms-blob-cache-control", ""},
                                             {"x-ms-blob-content-md5", "AQIDBAUGBwgJCgsMDQ4PEA=="},
                                             {NULL, NULL}};
    struct gk_blob_record record;
    assert_int_equal(read_content(headers, true, &record, NULL), GK_OK);
    assert_string_equal(record.headers[GK_CONTENT_TYPE], "own/type");
    assert_string_equal(record.headers[GK_CONTENT_ENCODING], "gzip");
    assert_string_equal(record.headers[GK_CONTENT_LANGUAGE], "fallback");
    assert_string_equal(record.headers[GK_CONTENT_DISPOSITION], "attachment");
    assert_null(record.headers[GK_CACHE_CONTROL]);
    assert_true(record.has_md5 && record.md5[0] == 1 && record.md5[15] == 16);
    gk_blob_record_cleanup(&record);
    static const struct gk_pair odd[] = {{"x-ms-blob-content-md5", "AQIDBAU="}, {NULL, NULL}};
    assert_int_equal(read_content(odd, false, &record, NULL), GK_OK);
    assert_false(record.has_md5);
    assert_int_equal(gk_blob_md5(&record).len, 5);
    gk_blob_record_cleanup(&record);
    assert_int_equal(read_content(headers, false, &record, NULL), GK_OK);
    assert_null(record.headers[GK_CONTENT_LANGUAGE]);
    gk_blob_record_cleanup(&record);
}

static void test_headers__content_refused(void **state)
{
    (void)state;
    char value[GK_CONTENT_HEADER_BYTES + 1];
    memset(value, 'v', sizeof value);
    value[sizeof value - 1] = '\0';
    const struct {
        struct gk_pair header;
        const char *code;
    } rows[] = {
        {{"x-ms-blob-content-type", value}, "InvalidHeaderValue"},
        {{"Content-Encoding", value}, "InvalidHeaderValue"},
        {{"x-ms-blob-content-md5", "AQIDBAUGBwgJCgsMDQ4PEA"}, "InvalidMd5"},
        {{"x-ms-blob-content-md5", "no MD5"}, "InvalidMd5"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_blob_record record;
        struct gk_error error = {0};
        const struct gk_pair headers[] = {rows[i].header, {NULL, NULL}};
        assert_answer(read_content(headers, true, &record, &error), &error, 400, rows[i].code);
        gk_blob_record_cleanup(&record);
    }
}

static void test_headers__tier(void **state)
{
    (void)state;
    static const struct {
        const char *value;
        enum gk_tier tier;
    } rows[] = {{"Hot", GK_TIER_HOT},         {"cool", GK_TIER_COOL},  {"COLD", GK_TIER_COLD},
                {"Archive", GK_TIER_ARCHIVE}, {"", GK_TIER_INFERRED},  {"Warm", GK_TIER_INFERRED},
                {"Hot ", GK_TIER_INFERRED},   {NULL, GK_TIER_INFERRED}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const bool good = rows[i].value == NULL || rows[i].tier != GK_TIER_INFERRED;
        const struct gk_pair headers[] = {
            {rows[i].value == NULL ? NULL : "x-ms-access-tier", rows[i].value}, {NULL, NULL}};
        struct headed headed;
        struct gk_error error = {0};
        enum gk_tier tier = GK_TIER_COLD;
        headed_init(&headed, headers);
        assert_answer(gk_tier_header_read(&headed.request, &tier, &error), &error, good ? 0 : 400,
                      good ? "" : "InvalidHeaderValue");
        assert_int_equal(tier, rows[i].tier);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_headers__ranges),
        cmocka_unit_test(test_headers__ranges_past_the_end),
        cmocka_unit_test(test_headers__ranges_that_are_none),
        cmocka_unit_test(test_headers__the_services_own_range_goes_first),
        cmocka_unit_test(test_headers__metadata),
        cmocka_unit_test(test_headers__metadata_refused),
        cmocka_unit_test(test_headers__metadata_of_8_kilobytes),
        cmocka_unit_test(test_headers__content),
        cmocka_unit_test(test_headers__content_refused),
        cmocka_unit_test(test_headers__tier),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
