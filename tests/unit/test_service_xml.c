/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: settings of the Blob service are taken as they are documented or refused with the documented
 * code, what was not sent stays, and they come back from XML and from the stored form as they were.
 * Method: tables, and settings at their limits.
 */
#include "gateway/blob/service_xml.h"

#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define BODY(inside)                                                                               \
    "<?xml version=\"1.0\" encoding=\"utf-8\"?><StorageServiceProperties>" inside                  \
    "</StorageServiceProperties>"
#define RULE(origins, methods, headers)                                                            \
    "<CorsRule><AllowedOrigins>" origins "</AllowedOrigins><AllowedMethods>" methods               \
    "</AllowedMethods><AllowedHeaders>" headers "</AllowedHeaders><ExposedHeaders/>"               \
    "<MaxAgeInSeconds>200</MaxAgeInSeconds></CorsRule>"
#define RETENTION(days)                                                                            \
    "<RetentionPolicy><Enabled>true</Enabled><Days>" days "</Days></RetentionPolicy>"
#define NO_RETENTION "<RetentionPolicy><Enabled>false</Enabled></RetentionPolicy>"
#define LOGGING                                                                                    \
    "<Logging><Version>1.0</Version><Delete>true</Delete><Read>false</Read><Write>true</"          \
    "Write>" RETENTION("10") "</Logging>"
#define HOURS                                                                                      \
    "<HourMetrics><Version>1.0</Version><Enabled>true</Enabled><IncludeAPIs>false</"               \
    "IncludeAPIs>" RETENTION("7") "</HourMetrics>"
#define MINUTES                                                                                    \
    "<MinuteMetrics><Version>1.0</Version><Enabled>false</Enabled>" NO_RETENTION "</"              \
    "MinuteMetrics>"
#define TWO_RULES                                                                                  \
    "<Cors>" RULE("http://a.example,http://b.example", "GET,PUT", "x-ms-meta-*,x-ms-blob-type")    \
        RULE("*", "OPTIONS", "*") "</Cors>"
#define DEFAULT_VERSION "<DefaultServiceVersion>2021-12-02</DefaultServiceVersion>"
#define DELETE_RETENTION                                                                           \
    "<DeleteRetentionPolicy><Enabled>true</Enabled><Days>365</Days>"                               \
    "<AllowPermanentDelete>true</AllowPermanentDelete></DeleteRetentionPolicy>"
#define WEBSITE                                                                                    \
    "<StaticWebsite><Enabled>true</Enabled><IndexDocument>index.html</IndexDocument>"              \
    "<ErrorDocument404Path>errors/404 &amp; more.html</ErrorDocument404Path></StaticWebsite>"
#define EVERYTHING BODY(LOGGING HOURS MINUTES TWO_RULES DEFAULT_VERSION DELETE_RETENTION WEBSITE)

static uint32_t parse(const char *body, struct gk_blob_service *settings)
{
    uint32_t parts = 0;
    struct gk_error error = {0};
    if (gk_service_xml_parse(gk_span_str(body), settings, &parts, &error) != GK_OK) {
        fail_msg("%s: %s", error.code, error.message);
    }
    return parts;
}

static void assert_refused(const char *body, const char *code)
{
    struct gk_blob_service settings;
    uint32_t parts = 0;
    struct gk_error error = {0};
    assert_int_equal(gk_service_xml_parse(gk_span_str(body), &settings, &parts, &error),
                     GK_E_INVALID);
    assert_int_equal(error.http_status, 400);
    if (strcmp(error.code, code) != 0) {
        fail_msg("%s and not %s: %s", error.code, code, body);
    }
}

static void assert_written(const struct gk_blob_service *settings, const char *expected)
{
    struct gk_buf out;
    gk_buf_init(&out, 65536);
    assert_int_equal(gk_service_xml_write(settings, &out, NULL), GK_OK);
    assert_int_equal(out.data[out.len - 1], '\n');
    out.data[--out.len] = '\0';
    assert_string_equal(gk_buf_str(&out), expected);
    gk_buf_cleanup(&out);
}

static void test_service_xml__comes_back(void **state)
{
    (void)state;
    struct gk_blob_service settings;
    assert_int_equal(parse(EVERYTHING, &settings), 0x7f);
    assert_true(settings.logging.deletes && !settings.logging.reads && settings.logging.writes);
    assert_int_equal(settings.logging.retention.days, 10);
    assert_int_equal(settings.delete_retention.days, 365);
    assert_true(settings.delete_retention.permanent_deletes);
    assert_int_equal(settings.cors.count, 2);
    assert_string_equal(settings.cors.text + settings.cors.rules[0].methods, "GET,PUT");
    assert_string_equal(settings.cors.text + settings.cors.rules[1].exposed_headers, "");
    assert_string_equal(settings.website.error_document, "errors/404 & more.html");
    assert_written(&settings, EVERYTHING);
}

static void test_service_xml__nothing_was_set(void **state)
{
    (void)state;
    const struct gk_blob_service settings = {0};
    assert_written(&settings,
                   BODY("<Logging><Version>1.0</Version><Delete>false</Delete><Read>false</Read>"
                        "<Write>false</Write>" NO_RETENTION "</Logging>"
                        "<HourMetrics><Version>1.0</Version><Enabled>false</Enabled>" NO_RETENTION
                        "</HourMetrics>" MINUTES "<Cors/>"
                        "<DeleteRetentionPolicy><Enabled>false</Enabled></DeleteRetentionPolicy>"
                        "<StaticWebsite><Enabled>false</Enabled></StaticWebsite>"));
}

static void test_service_xml__parts(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        uint32_t parts;
    } rows[] = {
        {BODY(""), 0},
        {BODY(LOGGING), GK_SERVICE_LOGGING},
        {BODY(MINUTES HOURS), GK_SERVICE_MINUTE_METRICS | GK_SERVICE_HOUR_METRICS},
        {BODY("<Cors/>"), GK_SERVICE_CORS},
        {BODY(DEFAULT_VERSION), GK_SERVICE_DEFAULT_VERSION},
        {BODY(DELETE_RETENTION), GK_SERVICE_DELETE_RETENTION},
        {BODY(" \n" WEBSITE "\t"), GK_SERVICE_WEBSITE},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_blob_service settings;
        struct gk_blob_service whole;
        assert_int_equal(parse(rows[i].body, &settings), rows[i].parts);
        /* Taken into other settings, all that was not sent stays as it is. */
        parse(EVERYTHING, &whole);
        const struct gk_blob_service none = {0};
        gk_blob_service_take(&whole, &none, rows[i].parts);
        gk_blob_service_take(&whole, &settings, rows[i].parts);
        if (rows[i].parts != GK_SERVICE_CORS) {
            assert_written(&whole, EVERYTHING);
        } else {
            assert_int_equal(whole.cors.count, 0);
        }
    }
}

static void test_service_xml__what_is_not_enabled_says_nothing(void **state)
{
    (void)state;
    struct gk_blob_service settings;
    parse(BODY("<DeleteRetentionPolicy><Enabled>false</Enabled><Days>7</Days>"
               "</DeleteRetentionPolicy>"
               "<StaticWebsite><Enabled>false</Enabled><IndexDocument>a</IndexDocument>"
               "</StaticWebsite>"),
          &settings);
    assert_int_equal(settings.delete_retention.days, 0);
    assert_string_equal(settings.website.index_document, "");
}

static void test_service_xml__is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *code;
    } rows[] = {
        {"", "InvalidXmlDocument"},
        {"<StorageServiceProperties>", "InvalidXmlDocument"},
        {"<ServiceProperties/>", "InvalidXmlDocument"},
        {BODY("text"), "InvalidXmlDocument"},
        {BODY("<Metrics/>"), "InvalidXmlDocument"},
        {BODY("<Cors/><Cors/>"), "InvalidXmlDocument"},
        {BODY("<Logging/>"), "InvalidXmlDocument"},
        {BODY("<Cors><CorsRule/></Cors>"), "InvalidXmlDocument"},
        {BODY("<Cors>" RULE("*", "GET", "") RULE("*", "GET", "") RULE("*", "GET", "")
                  RULE("*", "GET", "") RULE("*", "GET", "") RULE("*", "GET", "") "</Cors>"),
         "InvalidXmlDocument"},
        {BODY("<Cors>" RULE("", "GET", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("a,,b", "GET", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("a&#10;b", "GET", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("*", "", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("*", "GET,TRACE", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("*", "get", "") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<Cors>" RULE("*", "GET", "a,,b") "</Cors>"), "InvalidXmlNodeValue"},
        {BODY("<DefaultServiceVersion/>"), "InvalidXmlNodeValue"},
        {BODY("<DefaultServiceVersion>2008-10-26</DefaultServiceVersion>"), "InvalidXmlNodeValue"},
        {BODY("<DefaultServiceVersion>2021<a/></DefaultServiceVersion>"), "InvalidXmlDocument"},
        {BODY("<DeleteRetentionPolicy><Enabled>true</Enabled></DeleteRetentionPolicy>"),
         "InvalidXmlDocument"},
        {BODY("<DeleteRetentionPolicy><Enabled>true</Enabled><Days>0</Days>"
              "</DeleteRetentionPolicy>"),
         "InvalidXmlNodeValue"},
        {BODY("<DeleteRetentionPolicy><Enabled>true</Enabled><Days>366</Days>"
              "</DeleteRetentionPolicy>"),
         "InvalidXmlNodeValue"},
        {BODY("<DeleteRetentionPolicy><Enabled>yes</Enabled></DeleteRetentionPolicy>"),
         "InvalidXmlNodeValue"},
        {BODY("<DeleteRetentionPolicy><Days>7</Days></DeleteRetentionPolicy>"),
         "InvalidXmlDocument"},
        {BODY("<HourMetrics><Version>2.0</Version><Enabled>false</Enabled></HourMetrics>"),
         "InvalidXmlNodeValue"},
        {BODY("<StaticWebsite><Enabled>true</Enabled><IndexDocument>a/b</IndexDocument>"
              "</StaticWebsite>"),
         "InvalidXmlNodeValue"},
        {BODY("<StaticWebsite><Enabled>true</Enabled><IndexDocument>a</IndexDocument>"
              "<DefaultIndexDocumentPath>b</DefaultIndexDocumentPath></StaticWebsite>"),
         "InvalidXmlDocument"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_refused(rows[i].body, rows[i].code);
    }
}

/* A rule whose origins are count items, the first of them len bytes long. */
static char *rule_of(size_t count, size_t len)
{
    struct gk_buf out;
    gk_buf_init(&out, 65536);
    gk_buf_append_str(&out, "<StorageServiceProperties><Cors><CorsRule><AllowedOrigins>");
    for (size_t i = 0; i < count; i++) {
        gk_buf_append_str(&out, i == 0 ? "" : ",");
        for (size_t k = 0; k < (i == 0 ? len : 1); k++) {
            gk_buf_append_str(&out, "o");
        }
    }
    gk_buf_append_str(&out, "</AllowedOrigins><AllowedMethods>GET</AllowedMethods>"
                            "<MaxAgeInSeconds>0</MaxAgeInSeconds></CorsRule></Cors>"
                            "</StorageServiceProperties>");
    return (char *)out.data;
}

static void test_service_xml__limits_of_rules(void **state)
{
    (void)state;
    static const struct {
        size_t count;
        size_t len;
        bool good;
    } rows[] = {{1, 256, true}, {1, 257, false}, {66, 1, true}, {67, 1, false}, {1, 3000, false}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_blob_service settings;
        char *body = rule_of(rows[i].count, rows[i].len);
        if (rows[i].good) {
            assert_int_equal(parse(body, &settings), GK_SERVICE_CORS);
        } else {
            assert_refused(body, "InvalidXmlNodeValue");
        }
        free(body);
    }
}

/* --- the stored form ----------------------------------------------------------------------------*/

static void test_blob_service__comes_back(void **state)
{
    (void)state;
    struct gk_blob_service settings;
    struct gk_blob_service decoded;
    struct gk_buf stored;
    parse(EVERYTHING, &settings);
    settings.versioning = true;
    gk_buf_init(&stored, 65536);
    gk_blob_service_encode(&settings, &stored);
    struct gk_reader reader = gk_reader_of(gk_buf_span(&stored));
    assert_true(gk_blob_service_decode(&reader, &decoded));
    assert_true(gk_read_done(&reader));
    assert_written(&decoded, EVERYTHING);
    assert_true(decoded.versioning);
    for (size_t len = 0; len < stored.len; len++) {
        reader = gk_reader_of(gk_span_of(stored.data, len));
        assert_false(gk_blob_service_decode(&reader, &decoded));
    }
    gk_buf_cleanup(&stored);
}

static void test_blob_service__is_zeros_when_nothing_was_set(void **state)
{
    (void)state;
    static const uint8_t zeros[35];
    const struct gk_blob_service settings = {0};
    struct gk_buf stored;
    gk_buf_init(&stored, 65536);
    gk_blob_service_encode(&settings, &stored);
    assert_int_equal(stored.len, sizeof zeros);
    assert_memory_equal(stored.data, zeros, sizeof zeros);
    gk_buf_cleanup(&stored);
}

static void test_blob_service__not_well_formed(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint8_t value;
    } rows[] = {{0, 2}, {5, 2}, {7, 0x80}, {19, 6}, {20, 1}, {28, 0xff}, {34, 2}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t stored[35] = {0};
        struct gk_blob_service settings;
        stored[rows[i].at] = rows[i].value;
        struct gk_reader reader = gk_reader_of(gk_span_of(stored, sizeof stored));
        assert_false(gk_blob_service_decode(&reader, &settings));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_service_xml__comes_back),
        cmocka_unit_test(test_service_xml__nothing_was_set),
        cmocka_unit_test(test_service_xml__parts),
        cmocka_unit_test(test_service_xml__what_is_not_enabled_says_nothing),
        cmocka_unit_test(test_service_xml__is_refused),
        cmocka_unit_test(test_service_xml__limits_of_rules),
        cmocka_unit_test(test_blob_service__comes_back),
        cmocka_unit_test(test_blob_service__is_zeros_when_nothing_was_set),
        cmocka_unit_test(test_blob_service__not_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
