/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the stored access policies of a container are read from a client's XML as they stand there, told
 * as they were, and what is none is refused. Method: tables of documents, and a record there and back.
 */
#include "gateway/blob/acl.h"

#include <string.h>

#include "unit/cmocka_all.h"
#include "unit/request_fixture.h"

#define IDENTIFIERS(content) "<SignedIdentifiers>" content "</SignedIdentifiers>"
#define IDENTIFIER(content)  "<SignedIdentifier>" content "</SignedIdentifier>"
#define ID(id)               "<Id>" id "</Id>"
#define POLICY(content)      "<AccessPolicy>" content "</AccessPolicy>"
#define FULL                                                                                       \
    POLICY("<Start>2026-01-01T00:00:00.0000000Z</Start>"                                           \
           "<Expiry>2027-01-01T00:00:00.0000000Z</Expiry><Permission>rwd</Permission>")
#define CHARACTERS_64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static enum gk_status parse(const char *document, struct gk_acl *acl, struct gk_error *error)
{
    memset(acl, 0, sizeof *acl);
    return gk_acl_xml_read(gk_span_str(document), acl, error);
}

static void test_acl__a_document(void **state)
{
    (void)state;
    struct gk_acl acl;
    const char *document = "\xef\xbb\xbf<?xml version=\"1.0\" encoding=\"utf-8\"?>\n" IDENTIFIERS(
        "\n" IDENTIFIER(ID("one") FULL) "\n" IDENTIFIER(POLICY("<Permission/><Start/>") ID("two"))
            IDENTIFIER(ID("three")));
    assert_int_equal(parse(document, &acl, NULL), GK_OK);
    assert_int_equal(acl.policies_count, 3);
    assert_string_equal(acl.policies[0].id, "one");
    assert_true(acl.policies[0].start_wall_ms == INT64_C(1767225600000));
    assert_true(acl.policies[0].expiry_wall_ms == INT64_C(1798761600000));
    assert_string_equal(acl.policies[0].permissions, "rwd");
    assert_string_equal(acl.policies[1].id, "two");
    assert_true(acl.policies[1].start_wall_ms == GK_ACL_NO_TIME);
    assert_string_equal(acl.policies[1].permissions, "");
    assert_ptr_equal(gk_acl_find(&acl, "three"), &acl.policies[2]);
    assert_null(gk_acl_find(&acl, "four"));
    assert_null(gk_acl_find(&acl, ""));
}

static void test_acl__documents(void **state)
{
    (void)state;
    static const struct {
        const char *document;
        const char *code; /* "" for a good one */
    } rows[] = {
        {IDENTIFIERS(""), ""},
        {IDENTIFIERS(IDENTIFIER(ID(CHARACTERS_64))), ""},
        {IDENTIFIERS(IDENTIFIER(ID("a")) IDENTIFIER(ID("b")) IDENTIFIER(ID("c")) IDENTIFIER(ID("d"))
                         IDENTIFIER(ID("e"))),
         ""},
        {IDENTIFIERS(IDENTIFIER(ID("a")) IDENTIFIER(ID("b")) IDENTIFIER(ID("c")) IDENTIFIER(ID("d"))
                         IDENTIFIER(ID("e")) IDENTIFIER(ID("f"))),
         "InvalidXmlDocument"},
        {"", "InvalidXmlDocument"},
        {"<SignedIdentifiers>", "InvalidXmlDocument"},
        {"<Other/>", "InvalidXmlDocument"},
        {IDENTIFIERS("text"), "InvalidXmlDocument"},
        {IDENTIFIERS(ID("a")), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(FULL)), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("a") ID("b"))), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("<Start/>"))), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("a") "<Start/>")), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("a") POLICY("<Start/><Start/>"))), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("a") POLICY("<Banana/>"))), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID("a") FULL FULL)), "InvalidXmlDocument"},
        {IDENTIFIERS(IDENTIFIER(ID(""))), "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID(CHARACTERS_64 "x"))), "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID(
             CHARACTERS_64 CHARACTERS_64 CHARACTERS_64 CHARACTERS_64 CHARACTERS_64 CHARACTERS_64))),
         "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID("a")) IDENTIFIER(ID("a"))), "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID("a") POLICY("<Expiry>soon</Expiry>"))), "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID("a") POLICY("<Permission>rq</Permission>"))),
         "InvalidXmlNodeValue"},
        {IDENTIFIERS(IDENTIFIER(ID("a") POLICY("<Permission>rrrrrrrrrrrrrrrrr</Permission>"))),
         "InvalidXmlNodeValue"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct gk_acl acl;
        struct gk_error error = {0};
        const enum gk_status status = parse(rows[i].document, &acl, &error);
        assert_answer(status, &error, rows[i].code[0] == '\0' ? 0 : 400, rows[i].code);
    }
}

static void test_acl__is_told_as_it_was(void **state)
{
    (void)state;
    const char *content = IDENTIFIERS(IDENTIFIER(ID("one &amp; \xc3\xa9") FULL)
                                          IDENTIFIER(ID("two") "<AccessPolicy/>"));
    struct gk_acl acl;
    struct gk_buf out;
    gk_buf_init(&out, 4096);
    assert_int_equal(parse(content, &acl, NULL), GK_OK);
    assert_int_equal(gk_acl_xml_write(&acl, &out, NULL), GK_OK);
    assert_non_null(strstr(gk_buf_str(&out), content));
    gk_buf_cleanup(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_acl__a_document),
        cmocka_unit_test(test_acl__documents),
        cmocka_unit_test(test_acl__is_told_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
