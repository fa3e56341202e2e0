/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a block list in the body is taken as it stands or refused with the documented code, and the
 * answer names blocks as the client did. Method: tables, and lists at the limits.
 */
#include "gateway/blob/block_list_xml.h"

#include <stdlib.h>
#include <string.h>

#include "common/text.h"

#include "unit/cmocka_all.h"

#define DECLARATION "<?xml version=\"1.0\" encoding=\"utf-8\"?>"

static void assert_refused(struct gk_span body, const char *code)
{
    struct gk_block_ref *refs = (struct gk_block_ref *)&refs;
    uint32_t count = 1;
    struct gk_error error = {0};
    assert_int_equal(gk_block_list_parse(body, &refs, &count, &error), GK_E_INVALID);
    assert_int_equal(error.http_status, 400);
    assert_string_equal(error.code, code);
    assert_null(refs);
    assert_int_equal(count, 0);
}

static void test_block_list__keeps_order_and_lists(void **state)
{
    (void)state;
    static const char body[] = DECLARATION "\n<BlockList>\n  <Latest>AAAA</Latest>\n"
                                           "  <Committed>\n    AQ== </Committed>\n"
                                           "  <Uncommitted>&#65;g==</Uncommitted>\n"
                                           "  <Latest><![CDATA[AAAA]]></Latest></BlockList>\n";
    static const struct {
        const char *name;
        enum gk_block_source list;
        uint16_t len;
    } wanted[] = {{"\0\0\0", GK_BLOCK_LATEST, 3},
                  {"\1", GK_BLOCK_COMMITTED, 1},
                  {"\2", GK_BLOCK_UNCOMMITTED, 1},
                  {"\0\0\0", GK_BLOCK_LATEST, 3}};
    struct gk_block_ref *refs;
    uint32_t count;
    assert_int_equal(gk_block_list_parse(gk_span_str(body), &refs, &count, NULL), GK_OK);
    assert_int_equal(count, 4);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(refs[i].list, wanted[i].list);
        assert_int_equal(refs[i].name_len, wanted[i].len);
        assert_memory_equal(refs[i].name, wanted[i].name, wanted[i].len);
    }
    free(refs);
}

static void test_block_list__may_be_empty(void **state)
{
    (void)state;
    static const char *const bodies[] = {DECLARATION "<BlockList/>",
                                         "<BlockList> \r\n</BlockList>"};
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        struct gk_block_ref *refs;
        uint32_t count;
        assert_int_equal(gk_block_list_parse(gk_span_str(bodies[i]), &refs, &count, NULL), GK_OK);
        assert_int_equal(count, 0);
        assert_null(refs);
    }
}

static void test_block_list__refuses_other_documents(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "",
        "AAAA",
        "<BlockList>",
        "<BlockList><Latest>AAAA</BlockList>",
        "<Blocks/>",
        "<blocklist/>",
        "<BlockList><Block>AAAA</Block></BlockList>",
        "<BlockList><latest>AAAA</latest></BlockList>",
        "<BlockList>AAAA</BlockList>",
        "<BlockList><Latest>AAAA</Latest>,<Latest>AAAA</Latest></BlockList>",
        "<BlockList><Latest><Latest>AAAA</Latest></Latest></BlockList>",
        "<BlockList><Latest>AA<Name/>AA</Latest></BlockList>",
        "<BlockList><BlockList/></BlockList>",
        "<!DOCTYPE BlockList [<!ENTITY a 'AAAA'>]><BlockList><Latest>&a;</Latest></BlockList>",
        "<BlockList><Latest>&a;</Latest></BlockList>",
    };
    for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
        assert_refused(gk_span_str(bodies[i]), "InvalidXmlDocument");
    }
}

static void list_one(struct gk_buf *body, const char *text)
{
    gk_buf_init(body, 1u << 20);
    gk_buf_printf(body, "<BlockList><Latest>%s</Latest></BlockList>", text);
}

static void test_block_list__refuses_names_that_are_none(void **state)
{
    (void)state;
    static const char *const texts[] = {"",     " ",    "A",    "AAA",   "AA=A",
                                        "AB==", "A AA", "AA-_", "block!"};
    struct gk_buf body;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        list_one(&body, texts[i]);
        assert_refused(gk_buf_span(&body), "InvalidBlockId");
        gk_buf_cleanup(&body);
    }
}

static void test_block_list__names_of_1_to_64_bytes(void **state)
{
    (void)state;
    uint8_t name[GK_BLOCK_NAME_BYTES_MAX + 1];
    memset(name, 0xa5, sizeof name);
    for (size_t len = 1; len <= sizeof name; len++) {
        struct gk_buf text;
        struct gk_buf body;
        gk_buf_init(&text, 200);
        gk_base64_encode(&text, gk_span_of(name, len));
        list_one(&body, gk_buf_str(&text));
        if (len > GK_BLOCK_NAME_BYTES_MAX) {
            assert_refused(gk_buf_span(&body), "InvalidBlockId");
        } else {
            struct gk_block_ref *refs;
            uint32_t count;
            assert_int_equal(gk_block_list_parse(gk_buf_span(&body), &refs, &count, NULL), GK_OK);
            assert_int_equal(count, 1);
            assert_int_equal(refs[0].name_len, len);
            assert_memory_equal(refs[0].name, name, len);
            free(refs);
        }
        gk_buf_cleanup(&text);
        gk_buf_cleanup(&body);
    }
}

static void test_block_list__text_of_any_length_is_bounded(void **state)
{
    (void)state;
    struct gk_buf text;
    struct gk_buf body;
    gk_buf_init(&text, 1u << 20);
    for (int i = 0; i < 100000; i++) {
        gk_buf_append_str(&text, "AAAA");
    }
    list_one(&body, gk_buf_str(&text));
    assert_refused(gk_buf_span(&body), "InvalidBlockId");
    gk_buf_cleanup(&text);
    gk_buf_cleanup(&body);
}

static void list_many(struct gk_buf *body, uint32_t count)
{
    gk_buf_init(body, GK_BLOCK_LIST_BODY_BYTES_MAX);
    gk_buf_append_str(body, DECLARATION "<BlockList>\r\n");
    for (uint32_t i = 0; i < count; i++) {
        uint8_t name[GK_BLOCK_NAME_BYTES_MAX] = {0};
        memcpy(name, &i, sizeof i);
        gk_buf_append_str(body, "    <Uncommitted>");
        gk_base64_encode(body, gk_span_of(name, sizeof name));
        gk_buf_append_str(body, "</Uncommitted>\r\n");
    }
    gk_buf_append_str(body, "</BlockList>");
    assert_int_equal(gk_buf_status(body), GK_OK); /* the maximum is enough */
}

static void test_block_list__holds_50000(void **state)
{
    (void)state;
    struct gk_buf body;
    list_many(&body, GK_BLOCK_LIST_MAX);
    struct gk_block_ref *refs;
    uint32_t count;
    assert_int_equal(gk_block_list_parse(gk_buf_span(&body), &refs, &count, NULL), GK_OK);
    assert_int_equal(count, GK_BLOCK_LIST_MAX);
    const uint32_t last = GK_BLOCK_LIST_MAX - 1;
    assert_memory_equal(refs[last].name, &last, sizeof last);
    free(refs);
    gk_buf_cleanup(&body);
    list_many(&body, GK_BLOCK_LIST_MAX + 1);
    assert_refused(gk_buf_span(&body), "BlockListTooLong");
    gk_buf_cleanup(&body);
}

/* --- the answer --------------------------------------------------------------------------------- */

static void assert_written(const struct gk_block_sizes *committed,
                           const struct gk_block_sizes *uncommitted, const char *wanted)
{
    struct gk_buf out;
    gk_buf_init(&out, GK_BLOCK_LIST_ANSWER_BYTES_MAX);
    assert_int_equal(gk_block_list_write(committed, uncommitted, &out, NULL), GK_OK);
    assert_string_equal(gk_buf_str(&out), wanted);
    gk_buf_cleanup(&out);
}

static void test_block_list__is_written(void **state)
{
    (void)state;
    const struct gk_block_size items[] = {{.size = 1, .name_len = 1, .name = {0xfb}},
                                          {.size = UINT64_MAX, .name_len = 3, .name = "abc"}};
    const struct gk_block_sizes none = {0};
    const struct gk_block_sizes one = {.items = items + 1, .count = 1};
    const struct gk_block_sizes two = {.items = items, .count = 2};
#define FIRST  "<Block><Name>+w==</Name><Size>1</Size></Block>"
#define SECOND "<Block><Name>YWJj</Name><Size>18446744073709551615</Size></Block>"
    assert_written(&two, NULL,
                   DECLARATION "<BlockList><CommittedBlocks>" FIRST SECOND
                               "</CommittedBlocks></BlockList>\n");
    assert_written(&none, &one,
                   DECLARATION "<BlockList><CommittedBlocks/><UncommittedBlocks>" SECOND
                               "</UncommittedBlocks></BlockList>\n");
    assert_written(NULL, &none, DECLARATION "<BlockList><UncommittedBlocks/></BlockList>\n");
}

static void test_block_list__the_longest_answer_fits(void **state)
{
    (void)state;
    const uint32_t count = 100000;
    struct gk_block_size *items = calloc(count, sizeof *items);
    assert_non_null(items);
    for (uint32_t i = 0; i < count; i++) {
        items[i].size = UINT64_C(4000) << 20;
        items[i].name_len = GK_BLOCK_NAME_BYTES_MAX;
    }
    const struct gk_block_sizes committed = {.items = items, .count = GK_BLOCK_LIST_MAX};
    const struct gk_block_sizes uncommitted = {.items = items, .count = count};
    struct gk_buf out;
    gk_buf_init(&out, GK_BLOCK_LIST_ANSWER_BYTES_MAX);
    assert_int_equal(gk_block_list_write(&committed, &uncommitted, &out, NULL), GK_OK);
    gk_buf_cleanup(&out);
    free(items);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_block_list__keeps_order_and_lists),
        cmocka_unit_test(test_block_list__may_be_empty),
        cmocka_unit_test(test_block_list__refuses_other_documents),
        cmocka_unit_test(test_block_list__refuses_names_that_are_none),
        cmocka_unit_test(test_block_list__names_of_1_to_64_bytes),
        cmocka_unit_test(test_block_list__text_of_any_length_is_bounded),
        cmocka_unit_test(test_block_list__holds_50000),
        cmocka_unit_test(test_block_list__is_written),
        cmocka_unit_test(test_block_list__the_longest_answer_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
