/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a batch is split into its requests, or is none; nothing in it reads beyond its end.
 * Method: tables, a batch at its limits, and one cut off at every byte.
 */
#include "gateway/blob/batch_body.h"

#include <stdlib.h>
#include <string.h>

#include "unit/cmocka_all.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))
#define MIME         "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n"
#define DELETES(id)                                                                                \
    "--b\r\n" MIME "Content-ID: " id "\r\n\r\nDELETE /c/" id "?x=1 HTTP/1.1\r\n"                   \
    "Authorization: SharedKey a:b=\r\nContent-Length: 0\r\n\r\n"

static void test_batch_body__boundary(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        const char *boundary; /* NULL: none */
    } rows[] = {
        {"multipart/mixed; boundary=batch_1", "batch_1"},
        {"Multipart/Mixed;Boundary=\"a b\"", "a b"},
        {"multipart/mixed; boundary=a; charset=x", "a"},
        {NULL, NULL},
        {"", NULL},
        {"multipart/mixed", NULL},
        {"multipart/mixed; boundary=", NULL},
        {"multipart/mixed; boundary=\"a", NULL},
        {"multipart/mixed; charset=x", NULL},
        {"multipart/form-data; boundary=a", NULL},
        {"multipart/mixed; "
         "boundary=aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggggggggghh",
         NULL},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char boundary[GK_BATCH_BOUNDARY_BYTES];
        assert_int_equal(gk_batch_boundary(rows[i].header, boundary), rows[i].boundary != NULL);
        if (rows[i].boundary != NULL) {
            assert_string_equal(boundary, rows[i].boundary);
        }
    }
}

/* How many parts; -1: refused. Keeps the parts when asked to. */
static int split(const char *text, size_t len, struct gk_buf *body, struct gk_batch_part **parts)
{
    size_t count = 0;
    struct gk_error error = {0};
    gk_buf_init(body, GK_BATCH_BODY_BYTES_MAX);
    gk_buf_append(body, text, len);
    const enum gk_status status = gk_batch_body_parse(body, "b", parts, &count, &error);
    if (status != GK_OK) {
        assert_int_equal(status, GK_E_INVALID);
        assert_string_equal(error.code, "InvalidInput");
        assert_null(*parts);
    }
    return status == GK_OK ? (int)count : -1;
}

static int count_of(const char *text, size_t len)
{
    struct gk_buf body;
    struct gk_batch_part *parts = NULL;
    const int count = split(text, len, &body, &parts);
    free(parts);
    gk_buf_cleanup(&body);
    return count;
}

static void test_batch_body__parts(void **state)
{
    (void)state;
    static const char text[] = DELETES("0") DELETES("1") "--b--\r\n";
    struct gk_buf body;
    struct gk_batch_part *parts = NULL;
    assert_int_equal(split(text, strlen(text), &body, &parts), 2);
    assert_string_equal(parts[1].content_id, "1");
    assert_string_equal(parts[1].method, "DELETE");
    assert_string_equal(parts[1].target, "/c/1?x=1");
    assert_int_equal(parts[1].headers_count, 2);
    assert_string_equal(parts[1].headers[0].name, "Authorization");
    assert_string_equal(parts[1].headers[0].value, "SharedKey a:b=");
    free(parts);
    gk_buf_cleanup(&body);
}

static void test_batch_body__more_and_less(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int count;
    } rows[] = {
        {"\r\n" DELETES("0") "\r\n\r\n--b--", 1},
        {"--b\nContent-Type: application/http\n\nDELETE /c/b HTTP/1.1\n\n--b--\n", 1},
        {DELETES("0") "--b--\r\nwhat follows is nothing", 1},
        {"", -1},
        {"--b--\r\n", -1},
        {DELETES("0"), -1},
        {"x\r\n" DELETES("0") "--b--", -1},
        {"--other\r\n" DELETES("0") "--b--", -1},
        {DELETES("0") "a body\r\n--b--", -1},
        {"--b\r\n\r\nDELETE /c/b HTTP/1.1\r\n\r\n--b--", -1},
        {"--b\r\nContent-Type: text/plain\r\n\r\nDELETE /c/b HTTP/1.1\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b HTTP/1.0\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE c/b HTTP/1.1\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b HTTP/1.1\r\nno colon\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b HTTP/1.1\r\na b: c\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b HTTP/1.1\r\nContent-Length: 1\r\n\r\n--b--", -1},
        {"--b\r\n" MIME "\r\nDELETE /c/b HTTP/1.1\r\n\r\n--bb--", -1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        if (count_of(rows[i].text, strlen(rows[i].text)) != rows[i].count) {
            fail_msg("row %zu", i);
        }
    }
    assert_int_equal(count_of("--b\r\n\0", 6), -1);
}

static void test_batch_body__cut_off(void **state)
{
    (void)state;
    static const char text[] = DELETES("0") DELETES("1") "--b--";
    for (size_t len = 0; len < strlen(text); len++) {
        assert_int_equal(count_of(text, len), -1);
    }
    assert_int_equal(count_of(text, strlen(text)), 2);
}

static void test_batch_body__so_many_parts(void **state)
{
    (void)state;
    for (size_t wanted = GK_BATCH_PARTS_MAX; wanted <= GK_BATCH_PARTS_MAX + 1; wanted++) {
        struct gk_buf text;
        gk_buf_init(&text, GK_BATCH_BODY_BYTES_MAX);
        for (size_t i = 0; i < wanted; i++) {
            gk_buf_append_str(&text, DELETES("0"));
        }
        gk_buf_append_str(&text, "--b--");
        assert_int_equal(count_of(gk_buf_str(&text), text.len),
                         wanted == GK_BATCH_PARTS_MAX ? (int)wanted : -1);
        gk_buf_cleanup(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_batch_body__boundary),
        cmocka_unit_test(test_batch_body__parts),
        cmocka_unit_test(test_batch_body__more_and_less),
        cmocka_unit_test(test_batch_body__cut_off),
        cmocka_unit_test(test_batch_body__so_many_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
