/* SPDX-License-Identifier: Apache-2.0 */
/* JSON is taken only whole and well-formed, is never read past its end, and is bounded in depth. */
#include "keyprovider/json_view.h"

#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

/* In a block of its own exact size, so that the sanitizer sees a read past the end. */
static bool parses(const char *text, size_t len)
{
    struct gk_kv_json root;
    uint8_t *copy = malloc(len == 0 ? 1 : len);
    assert_non_null(copy);
    memcpy(copy, text, len);
    const bool good = gk_kv_json_parse(gk_span_of(copy, len), &root);
    (void)gk_kv_json_get(root, "a");
    free(copy);
    return good;
}

static const char *const good_texts[] = {
    "{}",
    "[]",
    " { \"a\" : [ 1 , 2 , { } , [ ] ] , \"b\" : null } \r\n\t",
    "\"\"",
    "\"\\u00e4\\n\\\\\\/\\\"\"",
    "0",
    "-0.5e+10",
    "1E5",
    "true",
    "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
};

static const char *const bad_texts[] = {
    "",        " ",           "{",          "}",
    "{\"a\"}", "{\"a\":}",    "{\"a\":1,}", "{,}",
    "{1:2}",   "[1,]",        "[,1]",       "[1 2]",
    "[1}",     "{\"a\":1]",   "01",         "1.",
    ".5",      "-",           "+1",         "1e",
    "nul",     "truely",      "\"",         "\"\\\"",
    "\"\\x\"", "\"\\u12g4\"", "\"\\u12",    "\"\n\"",
    "{} {}",   "1 2",         "[1][2]",     "{\"a\":1}x",
    "'a'",     "{a:1}",       "\xff",       "[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]",
};

static void test_json_view__takes_json(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good_texts / sizeof good_texts[0]; i++) {
        if (!parses(good_texts[i], strlen(good_texts[i]))) {
            fail_msg("not taken: %s", good_texts[i]);
        }
    }
}

static void test_json_view__takes_nothing_else(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_texts / sizeof bad_texts[0]; i++) {
        if (parses(bad_texts[i], strlen(bad_texts[i]))) {
            fail_msg("taken: %s", bad_texts[i]);
        }
    }
}

static void test_json_view__no_part_of_an_object_is_one(void **state)
{
    static const char text[] = "{\"a\":{\"b\":[1,true,null,\"x\\u0041\"]},\"c\":\"\\\\\"}";
    (void)state;
    for (size_t len = 0; len < sizeof text - 1; len++) {
        assert_false(parses(text, len));
    }
    assert_true(parses(text, sizeof text - 1));
}

/* Whatever byte stands in for another, the parser stays within the text. */
static void test_json_view__survives_any_byte_anywhere(void **state)
{
    static const char text[] = "{\"a\":{\"b\":[1,\"\\u0041\"]},\"a\":-1.5e3}";
    (void)state;
    for (size_t at = 0; at < sizeof text - 1; at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            char changed[sizeof text];
            memcpy(changed, text, sizeof text);
            changed[at] = (char)byte;
            (void)parses(changed, sizeof text - 1);
        }
    }
}

static struct gk_kv_json root_of(const char *text)
{
    struct gk_kv_json root;
    assert_true(gk_kv_json_parse(gk_span_str(text), &root));
    return root;
}

static void test_json_view__members(void **state)
{
    (void)state;
    const struct gk_kv_json root =
        root_of("{\"a\":{\"x\":1},\"s\":\"q\\/w\",\"twice\":1,\"twice\":2,\"n\":\"12\",\"m\":34}");
    char text[8];
    uint64_t number = 0;
    assert_int_equal(gk_kv_json_get(root, "a").kind, GK_KV_JSON_OBJECT);
    assert_true(gk_kv_json_u64(gk_kv_json_get(gk_kv_json_get(root, "a"), "x"), 9, &number));
    assert_int_equal(number, 1);
    assert_int_equal(gk_kv_json_get(root, "x").kind, GK_KV_JSON_MISSING);
    assert_int_equal(gk_kv_json_get(root, "twice").kind, GK_KV_JSON_MISSING);
    assert_int_equal(gk_kv_json_get(gk_kv_json_get(root, "s"), "a").kind, GK_KV_JSON_MISSING);
    assert_true(gk_kv_json_copy(gk_kv_json_get(root, "s"), text, sizeof text));
    assert_string_equal(text, "q/w");
    assert_true(gk_kv_json_u64(gk_kv_json_get(root, "n"), 12, &number));
    assert_false(gk_kv_json_u64(gk_kv_json_get(root, "m"), 33, &number));
    assert_false(gk_kv_json_u64(gk_kv_json_get(root, "a"), 33, &number));
}

static void test_json_view__strings_that_do_not_fit(void **state)
{
    (void)state;
    char text[4];
    assert_true(gk_kv_json_copy(root_of("\"abc\""), text, sizeof text));
    assert_false(gk_kv_json_copy(root_of("\"abcd\""), text, sizeof text));
    assert_string_equal(text, "");
    assert_false(gk_kv_json_copy(root_of("\"a\\u0000\""), text, sizeof text));
    assert_false(gk_kv_json_copy(root_of("\"a\\n\""), text, sizeof text));
    assert_false(gk_kv_json_copy(root_of("\"\xc3\xa4\""), text, sizeof text));
    assert_false(gk_kv_json_copy(root_of("12"), text, sizeof text));
    gk_kv_json_show(root_of("\"a\\nbcd\""), text, sizeof text);
    assert_string_equal(text, "a b");
    gk_kv_json_show(root_of("12"), text, sizeof text);
    assert_string_equal(text, "");
}

static void test_json_view__items(void **state)
{
    (void)state;
    const struct gk_kv_json root = root_of("[ 1, [2, 3] ,{\"a\":[4]}, \"five\" ]");
    static const enum gk_kv_json_kind kinds[] = {GK_KV_JSON_NUMBER, GK_KV_JSON_ARRAY,
                                                 GK_KV_JSON_OBJECT, GK_KV_JSON_STRING};
    struct gk_span rest = root.text;
    struct gk_kv_json item;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        assert_true(gk_kv_json_next(&rest, &item));
        assert_int_equal(item.kind, kinds[i]);
    }
    assert_false(gk_kv_json_next(&rest, &item));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_view__takes_json),
        cmocka_unit_test(test_json_view__takes_nothing_else),
        cmocka_unit_test(test_json_view__no_part_of_an_object_is_one),
        cmocka_unit_test(test_json_view__survives_any_byte_anywhere),
        cmocka_unit_test(test_json_view__members),
        cmocka_unit_test(test_json_view__strings_that_do_not_fit),
        cmocka_unit_test(test_json_view__items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
