/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: tags are taken as they are documented or refused with the documented code, they come back, and
 * expressions over them mean what they say; what is no expression is none.
 * Method: tables, and tags and expressions at their limits.
 */
#include "gateway/blob/tags.h"

#include <stdio.h>

#include "gateway/blob/tag_query.h"
#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define COUNT(array)  (sizeof(array) / sizeof *(array))
#define TAG(key, val) "<Tag><Key>" key "</Key><Value>" val "</Value></Tag>"
#define BODY(inside)  "<?xml version=\"1.0\"?><Tags><TagSet>" inside "</TagSet></Tags>"

/* --- tags ---------------------------------------------------------------------------------------*/

/* name=value; of each. */
static void assert_tags(const struct gk_metadata *tags, const char *expected)
{
    char shown[8192] = "";
    size_t len = 0;
    size_t at = 0;
    struct gk_span name;
    struct gk_span value;
    while (gk_metadata_next(tags, &at, &name, &value)) {
        len += (size_t)snprintf(shown + len, sizeof shown - len, "%.*s=%.*s;", (int)name.len,
                                (const char *)name.data, (int)value.len, (const char *)value.data);
    }
    assert_string_equal(shown, expected);
}

static void check_header(const char *header, uint32_t permissions, unsigned http_status,
                         const char *code, const char *expected)
{
    const struct gk_pair headers[] = {{"x-ms-tags", header}, {NULL, NULL}};
    struct headed headed;
    struct gk_metadata tags;
    struct gk_error error = {0};
    gk_metadata_init(&tags);
    headed_init(&headed, headers);
    headed.request.permissions = permissions;
    assert_answer(gk_tags_from_header(&headed.request, &tags, &error), &error, http_status, code);
    if (http_status == 0) {
        assert_tags(&tags, expected);
    }
    gk_metadata_cleanup(&tags);
}

static void test_tags__header(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *code; /* "" when it is good */
        const char *tags;
    } rows[] = {
        {"", "", ""},
        {"a=1", "", "a=1;"},
        {"a=1&b=2&", "", "a=1;b=2;"},
        {"a=&b", "", "a=;b=;"},
        {"a%20b=c+d%2Be", "", "a b=c d+e;"},
        {"%2E-_%3A/=x%3Dy", "", ".-_:/=x=y;"},
        {"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10", "",
         "a=1;b=2;c=3;d=4;e=5;f=6;g=7;h=8;i=9;j=10;"},
        {"a=1&b=2&c=3&d=4&e=5&f=6&g=7&h=8&i=9&j=10&k=11", "TagsTooLarge", NULL},
        {"=1", "EmptyTagName", NULL},
        {"a=1&&b=2", "EmptyTagName", NULL},
        {"a=1&a=2", "DuplicateTagNames", NULL},
        {"a=%zz", "InvalidTag", NULL},
        {"a=%C3%A4", "InvalidTag", NULL},
        {"a%26=1", "InvalidTag", NULL},
        {"a='1'", "InvalidTag", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        check_header(rows[i].header, GK_PERMIT_ALL, rows[i].code[0] == '\0' ? 0 : 400, rows[i].code,
                     rows[i].tags);
    }
    check_header("a=1", GK_PERMIT_ALL & ~(uint32_t)GK_PERMIT_TAGS, 403,
                 "AuthorizationPermissionMismatch", NULL);
}

static void test_tags__lengths(void **state)
{
    (void)state;
    static const struct {
        int name;
        int value;
        const char *code;
    } rows[] = {{128, 256, ""},
                {129, 1, "TagsTooLarge"},
                {1, 257, "TagsTooLarge"},
                {3000, 1, "TagsTooLarge"},
                {1, 3000, "TagsTooLarge"}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        char header[4096];
        char expected[sizeof header + 1];
        snprintf(header, sizeof header, "%0*d=%0*d", rows[i].name, 0, rows[i].value, 0);
        snprintf(expected, sizeof expected, "%s;", header);
        check_header(header, GK_PERMIT_ALL, rows[i].code[0] == '\0' ? 0 : 400, rows[i].code,
                     expected);
    }
}

static void test_tags__xml(void **state)
{
    (void)state;
    static const struct {
        const char *body;
        const char *code;
        const char *tags;
    } rows[] = {
        {BODY(""), "", ""},
        {"<Tags> <TagSet/> </Tags>", "", ""},
        {BODY(TAG("a", "1") "\n" TAG("b", "")), "", "a=1;b=;"},
        {BODY("<Tag><Value>1</Value><Key>a &#x3d; b</Key></Tag>"), "", "a = b=1;"},
        {"", "InvalidXmlDocument", NULL},
        {"<Tags/>", "InvalidXmlDocument", NULL},
        {"<Tags><TagSet/><TagSet/></Tags>", "InvalidXmlDocument", NULL},
        {BODY("<Tag/>"), "InvalidXmlDocument", NULL},
        {BODY("<Tag><Key>a</Key></Tag>"), "InvalidXmlDocument", NULL},
        {BODY("<Tag><Key>a</Key><Key>b</Key><Value/></Tag>"), "InvalidXmlDocument", NULL},
        {BODY("<Tag><Key><a/></Key><Value/></Tag>"), "InvalidXmlDocument", NULL},
        {BODY("text"), "InvalidXmlDocument", NULL},
        {BODY("<Other/>"), "InvalidXmlDocument", NULL},
        {BODY(TAG("", "1")), "EmptyTagName", NULL},
        {BODY(TAG("a", "1") TAG("a", "2")), "DuplicateTagNames", NULL},
        {BODY(TAG("a", "&lt;")), "InvalidTag", NULL},
        {BODY(TAG("a", "1") TAG("b", "1") TAG("c", "1") TAG("d", "1") TAG("e", "1") TAG("f", "1")
                  TAG("g", "1") TAG("h", "1") TAG("i", "1") TAG("j", "1") TAG("k", "1")),
         "TagsTooLarge", NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_metadata tags;
        struct gk_error error = {0};
        gk_metadata_init(&tags);
        const enum gk_status status = gk_tags_from_xml(gk_span_str(rows[i].body), &tags, &error);
        assert_answer(status, &error, rows[i].code[0] == '\0' ? 0 : 400, rows[i].code);
        if (status == GK_OK) {
            assert_tags(&tags, rows[i].tags);
        }
        gk_metadata_cleanup(&tags);
    }
}

static void test_tags__are_part_of_the_record(void **state)
{
    (void)state;
    struct gk_blob_record record = {.state = GK_BLOB_COMMITTED};
    struct gk_blob_record decoded;
    struct gk_buf stored;
    gk_metadata_init(&record.tags);
    gk_metadata_add(&record.tags, gk_span_str("name"), gk_span_str("value"));
    gk_metadata_add(&record.tags, gk_span_str("another"), gk_span_str(""));
    gk_buf_init(&stored, GK_BLOB_RECORD_BYTES_MAX);
    gk_blob_record_encode(&record, &stored);
    assert_int_equal(gk_blob_record_decode(gk_buf_span(&stored), &decoded, NULL), GK_OK);
    assert_tags(&decoded.tags, "name=value;another=;");
    gk_blob_record_cleanup(&decoded);
    gk_buf_cleanup(&stored);
    gk_blob_record_cleanup(&record);
}

/* --- expressions --------------------------------------------------------------------------------*/

/* a=1 b=2 "c d"=x */
static void some_tags(struct gk_metadata *tags)
{
    gk_metadata_init(tags);
    gk_metadata_add(tags, gk_span_str("a"), gk_span_str("1"));
    gk_metadata_add(tags, gk_span_str("b"), gk_span_str("2"));
    gk_metadata_add(tags, gk_span_str("c d"), gk_span_str("x"));
}

static void test_tag_query__matches(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool matches;
    } rows[] = {
        {"\"a\" = '1'", true},
        {"a='1'", true},
        {" a = '1' ", true},
        {"a='2'", false},
        {"A='1'", false},
        {"a=''", false},
        {"\"c d\"='x'", true},
        {"a<>'1'", false},
        {"a<>'2'", true},
        {"none<>'1'", false},
        {"none='1'", false},
        {"none>'0'", false},
        {"a>'0' and a<'2' AND a>='1' AND a<='1'", true},
        {"a>'1'", false},
        {"a>='1 '", false},
        {"a<'1 '", true},
        {"a<'10' AND a>''", true},
        /* AND binds stronger than OR. */
        {"a='1' OR a='2' AND a='3'", true},
        {"a='2' AND a='3' OR a='1'", true},
        {"(a='1' OR a='2') AND a='3'", false},
        {"((a='2')) OR ((b='2') AND (a='1' OR a='9'))", true},
        {"(a='2' OR b='2') AND (a='2' OR b='3')", false},
    };
    struct gk_metadata tags;
    some_tags(&tags);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_tag_query query;
        struct gk_tag_fault fault;
        assert_true(gk_tag_query_parse(rows[i].text, GK_TAG_CONDITION, &query, &fault));
        if (gk_tag_query_matches(&query, "", &tags) != rows[i].matches) {
            fail_msg("%s", rows[i].text);
        }
        gk_tag_query_cleanup(&query);
    }
    gk_metadata_cleanup(&tags);
}

static void test_tag_query__of_a_search(void **state)
{
    (void)state;
    struct gk_tag_query query;
    struct gk_tag_fault fault;
    struct gk_metadata tags;
    some_tags(&tags);
    assert_true(
        gk_tag_query_parse("@container='box' AND \"a\">='1'", GK_TAG_SEARCH, &query, &fault));
    assert_true(gk_tag_query_matches(&query, "box", &tags));
    assert_false(gk_tag_query_matches(&query, "other", &tags));
    assert_true(gk_tag_query_names(&query, gk_span_str("a")));
    assert_false(gk_tag_query_names(&query, gk_span_str("b")));
    assert_false(gk_tag_query_names(&query, gk_span_str("")));
    gk_tag_query_cleanup(&query);
    gk_metadata_cleanup(&tags);
}

static bool parses(const char *text, enum gk_tag_grammar grammar)
{
    struct gk_tag_query query;
    struct gk_tag_fault fault;
    const bool good = gk_tag_query_parse(text, grammar, &query, &fault);
    gk_tag_query_cleanup(&query);
    return good;
}

static void test_tag_query__says_where_and_why(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t at;
        const char *why;
    } rows[] = {
        {"a='1' and @other='x'", 11, "unsupported parameter '@other'"},
        {"'a'='1'", 1, "unexpected ''a''"},
        {"a='1 @'", 6, "'@' not permitted in tag name or value"},
        {"a='1' or b='2'", 7, "unexpected 'or'"},
        {"a<>'1'", 2, "unexpected <>"},
        {"a=1", 3, "expecting tag value"},
        {"a0='' and a1='' and a2='' and a3='' and a4='' and a5='' and a6='' and a7='' and a8='' "
         "and a9='' and a9>'' and a10=''",
         0, "there can be at most 10 unique tags in a query"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct gk_tag_query query;
        struct gk_tag_fault fault;
        assert_false(gk_tag_query_parse(rows[i].text, GK_TAG_SEARCH, &query, &fault));
        assert_string_equal(fault.why, rows[i].why);
        assert_int_equal(fault.at, rows[i].at);
        gk_tag_query_cleanup(&query);
    }
}

static void test_tag_query__is_none(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool good_condition;
    } rows[] = {
        /* Good for the one and not for the other. */
        {"a<>'1'", true},
        {"a='1' OR b='1'", true},
        {"(a='1')", true},
        /* Good for neither. */
        {"", false},
        {" ", false},
        {"a", false},
        {"a=", false},
        {"a=1", false},
        {"a='1", false},
        {"a=\"1\"", false},
        {"'a'='1'", false},
        {"\"a='1'", false},
        {"\"\"='1'", false},
        {"a=='1'", false},
        {"a!='1'", false},
        {"a='1' b='2'", false},
        {"a='1' AND", false},
        {"AND a='1'", false},
        {"a='1' ANDb='2'", false},
        {"a='1' AND AND b='2'", false},
        {"(a='1'", false},
        {"a='1')", false},
        {"()", false},
        {"a='1') AND (b='2'", false},
        {"@container<>'x'", false},
        {"@container>'x'", false},
        {"@other='x'", false},
        {"a='1' -- x", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (parses(rows[i].text, GK_TAG_SEARCH) ||
            parses(rows[i].text, GK_TAG_CONDITION) != rows[i].good_condition) {
            fail_msg("%s", rows[i].text);
        }
    }
    assert_false(parses("@container='x'", GK_TAG_CONDITION));
    assert_true(parses("@container='$web'", GK_TAG_SEARCH));
}

/* An expression of terms comparisons, each in as many parentheses. */
static bool parse_long(size_t terms, size_t parentheses)
{
    struct gk_buf text;
    gk_buf_init(&text, 1u << 20);
    for (size_t i = 0; i < terms; i++) {
        gk_buf_append_str(&text, i == 0 ? "" : " AND ");
        for (size_t k = 0; k < parentheses; k++) {
            gk_buf_append_str(&text, "(");
        }
        gk_buf_append_str(&text, "a='1'");
        for (size_t k = 0; k < parentheses; k++) {
            gk_buf_append_str(&text, ")");
        }
    }
    const bool good = parses(gk_buf_str(&text), GK_TAG_CONDITION);
    gk_buf_cleanup(&text);
    return good;
}

static void test_tag_query__has_bounds(void **state)
{
    (void)state;
    assert_true(parse_long(GK_TAG_TERMS_MAX, 0));
    assert_true(parse_long(GK_TAG_TERMS_MAX, 30));
    assert_false(parse_long(GK_TAG_TERMS_MAX + 1, 0));
    assert_false(parse_long(1, 1000));
    char text[400];
    snprintf(text, sizeof text, "\"%0129d\"='1'", 0);
    assert_false(parses(text, GK_TAG_SEARCH));
    assert_true(parses(text, GK_TAG_CONDITION));
    snprintf(text, sizeof text, "a='%0257d'", 0);
    assert_false(parses(text, GK_TAG_SEARCH));
    assert_true(parses(text, GK_TAG_CONDITION));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tags__header),
        cmocka_unit_test(test_tags__lengths),
        cmocka_unit_test(test_tags__xml),
        cmocka_unit_test(test_tags__are_part_of_the_record),
        cmocka_unit_test(test_tag_query__matches),
        cmocka_unit_test(test_tag_query__of_a_search),
        cmocka_unit_test(test_tag_query__says_where_and_why),
        cmocka_unit_test(test_tag_query__is_none),
        cmocka_unit_test(test_tag_query__has_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
