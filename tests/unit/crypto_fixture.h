/* SPDX-License-Identifier: Apache-2.0 */
/* For tests of what stands on plugin/crypto.h: one struct gk_crypto per group, as *state. */
#ifndef TESTS_UNIT_CRYPTO_FIXTURE_H
#define TESTS_UNIT_CRYPTO_FIXTURE_H

#include <stdlib.h>

#include "common/text.h"
#include "plugin/crypto.h"

#include "unit/cmocka_all.h"

static inline int crypto_setup(void **state)
{
    struct gk_crypto *crypto = NULL;
    if (gk_crypto_new(&crypto, NULL) != GK_OK) {
        return -1;
    }
    *state = crypto;
    return 0;
}

static inline int crypto_teardown(void **state)
{
    struct gk_crypto *crypto = *state;
    gk_crypto_free(&crypto);
    return crypto == NULL ? 0 : -1;
}

/* Decodes text into bytes[0, max); the test fails when it is not hexadecimal or too long. */
static inline size_t from_hex(const char *text, uint8_t *bytes, size_t max)
{
    size_t len = strlen(text) / 2;
    assert_true(len <= max);
    assert_true(gk_hex_decode(gk_span_str(text), bytes, len));
    return len;
}

static inline void assert_hex(const uint8_t *bytes, size_t len, const char *expected)
{
    struct gk_buf text;
    gk_buf_init(&text, 2 * len + 1);
    gk_hex_encode(&text, gk_span_of(bytes, len));
    assert_string_equal(gk_buf_str(&text), expected);
    gk_buf_cleanup(&text);
}

static inline void assert_zero(const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(bytes[i], 0);
    }
}

#endif
