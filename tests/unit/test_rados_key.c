/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: map keys as RADOS stores them have no NUL, keep order and prefixes, and come back. */
#include <stdlib.h>

#include "gateway/store/rados.h"
#include "unit/store_suite.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define KEY(text)                                                                                  \
    {                                                                                              \
        .data = (const uint8_t *)(text), .len = sizeof(text) - 1                                   \
    }

/* In their order. */
static const struct gk_span keys[] = {
    KEY(""),     KEY("\0"),    KEY("\0\0"),   KEY("\0\1"),     KEY("\0a"),
    KEY("\1"),   KEY("\1\0"),  KEY("\1\1"),   KEY("\1\2"),     KEY("\2"),
    KEY("\2\1"), KEY("a"),     KEY("a\0"),    KEY("a\0b"),     KEY("a\1"),
    KEY("ab"),   KEY("b/\0x"), KEY("b/name"), KEY("\xff\0\1"), KEY("\xff\xff"),
};

static struct gk_span stored(struct gk_span key, char out[GK_RADOS_KEY_BYTES_MAX + 1])
{
    gk_rados_key_store(key, out);
    assert_int_equal(strlen(out), gk_rados_key_stored_len(key));
    return gk_span_str(out);
}

static bool begins(struct gk_span text, struct gk_span prefix)
{
    return text.len >= prefix.len && memcmp(text.data, prefix.data, prefix.len) == 0;
}

static void test_rados_key__keeps_order_and_prefixes(void **state)
{
    (void)state;
    char a[GK_RADOS_KEY_BYTES_MAX + 1];
    char b[GK_RADOS_KEY_BYTES_MAX + 1];
    for (size_t i = 0; i < COUNT(keys); i++) {
        for (size_t j = 0; j < COUNT(keys); j++) {
            const struct gk_span first = stored(keys[i], a);
            const struct gk_span second = stored(keys[j], b);
            assert_int_equal(strcmp(a, b) < 0, i < j);
            assert_int_equal(strcmp(a, b) == 0, i == j);
            assert_int_equal(begins(first, second), begins(keys[i], keys[j]));
        }
    }
}

static void test_rados_key__comes_back(void **state)
{
    (void)state;
    char text[GK_RADOS_KEY_BYTES_MAX + 1];
    uint8_t space[GK_MAP_KEY_BYTES_MAX];
    static uint8_t longest[GK_MAP_KEY_BYTES_MAX]; /* zeros: twice as long when stored */
    struct gk_span key;
    for (size_t i = 0; i < COUNT(keys); i++) {
        assert_true(gk_rados_key_load(stored(keys[i], text), space, &key));
        assert_true(gk_span_equal(key, keys[i]));
    }
    const struct gk_span zeros = gk_span_of(longest, sizeof longest);
    assert_true(gk_rados_key_load(stored(zeros, text), space, &key));
    assert_true(gk_span_equal(key, zeros));
}

static void test_rados_key__refuses_what_was_never_stored(void **state)
{
    (void)state;
    const struct gk_span strange[] = {KEY("a\1"), KEY("\1\3"), KEY("\1\0"), KEY("x\1x")};
    uint8_t space[GK_MAP_KEY_BYTES_MAX];
    struct gk_span key;
    for (size_t i = 0; i < COUNT(strange); i++) {
        assert_false(gk_rados_key_load(strange[i], space, &key));
    }
    char *longer = calloc(1, GK_MAP_KEY_BYTES_MAX + 1);
    assert_non_null(longer);
    memset(longer, 'k', GK_MAP_KEY_BYTES_MAX + 1);
    assert_false(gk_rados_key_load(gk_span_of(longer, GK_MAP_KEY_BYTES_MAX + 1), space, &key));
    longer[0] = 1;
    longer[1] = 1;
    assert_true(gk_rados_key_load(gk_span_of(longer, GK_MAP_KEY_BYTES_MAX + 1), space, &key));
    free(longer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rados_key__keeps_order_and_prefixes),
        cmocka_unit_test(test_rados_key__comes_back),
        cmocka_unit_test(test_rados_key__refuses_what_was_never_stored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
