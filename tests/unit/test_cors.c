/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what other origins may ask is what the rules say, and nothing else.
 * Method: a table of requests against rules.
 */
#include "gateway/http/cors.h"

#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void add(struct gk_cors *cors, const char *origins, const char *methods, const char *headers)
{
    struct gk_cors_rule *rule = &cors->rules[cors->count++];
    assert_true(gk_cors_add_text(cors, gk_span_str(origins), &rule->origins));
    assert_true(gk_cors_add_text(cors, gk_span_str(methods), &rule->methods));
    assert_true(gk_cors_add_text(cors, gk_span_str(headers), &rule->allowed_headers));
}

static void test_cors__match(void **state)
{
    (void)state;
    static const struct {
        const char *origin;
        const char *method;
        const char *headers;
        int rule; /* -1: none */
    } rows[] = {
        {"http://a.example", "GET", NULL, 0},
        {"http://a.example", "GET", "", 0},
        {"http://a.example", "PUT", NULL, 0},
        {"http://a.example", "DELETE", NULL, 2},
        {"http://A.example", "GET", NULL, -1},
        {"http://a.example.evil", "GET", NULL, -1},
        {"http://a.exampl", "GET", NULL, -1},
        {"http://a.example", "get", NULL, -1},
        {"http://b.example", "GET", NULL, 0},
        {NULL, "GET", NULL, -1},
        {NULL, "DELETE", NULL, 2},
        /* Headers: without case, by prefix, all of them. */
        {"http://a.example", "GET", "x-ms-meta-one", 0},
        {"http://a.example", "GET", "X-MS-META-, Content-Type", 0},
        {"http://a.example", "GET", "x-ms-met", -1},
        {"http://a.example", "GET", "content-type-2", -1},
        {"http://a.example", "GET", "content-type,other", -1},
        {"http://a.example", "DELETE", "anything,at-all", 2},
        /* What stands in front of a domain. */
        {"https://www.c.example", "GET", NULL, 1},
        {"https://deep.www.c.example", "GET", NULL, 1},
        {"https://.c.example", "GET", NULL, -1},
        {"https://c.example", "GET", NULL, -1},
        {"http://www.c.example", "GET", NULL, -1},
        {"https://www.c.example:81", "GET", NULL, -1},
        {"*", "DELETE", NULL, 2},
    };
    struct gk_cors cors = {0};
    add(&cors, "http://a.example , http://b.example", "GET, PUT", "x-ms-meta-*,Content-Type");
    add(&cors, "https://*.c.example", "GET", "");
    add(&cors, "*", "DELETE", "*");
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct gk_cors_rule *rule =
            gk_cors_match(&cors, rows[i].origin, rows[i].method, rows[i].headers);
        const int found = rule == NULL ? -1 : (int)(rule - cors.rules);
        if (found != rows[i].rule) {
            fail_msg("row %zu: rule %d and not %d", i, found, rows[i].rule);
        }
    }
}

static void test_cors__no_rules(void **state)
{
    (void)state;
    const struct gk_cors cors = {0};
    assert_null(gk_cors_match(&cors, "http://a.example", "GET", NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cors__match),
        cmocka_unit_test(test_cors__no_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
