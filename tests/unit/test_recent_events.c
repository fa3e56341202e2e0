/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the last events, the newest first, also those that an audit file holds from before; what is not one
 * of its lines costs nothing but itself.
 */
#include "gateway/recent_events.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "unit/cmocka_all.h"

static struct gk_recent_events *events;
static struct gk_buf rendered;

static int begin(void **state)
{
    (void)state;
    struct gk_error error = {0};
    assert_int_equal(gk_recent_events_new(&events, &error), GK_OK);
    gk_buf_init(&rendered, 1 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gk_recent_events_free(events);
    gk_buf_cleanup(&rendered);
    return 0;
}

static const char *text(void)
{
    gk_buf_reset(&rendered);
    gk_recent_events_render(events, &rendered);
    return gk_buf_str(&rendered);
}

static void add(const char *line)
{
    gk_recent_events_add(events, "key.revoked", "refused", gk_span_str(line));
}

static void read_file(const char *content, size_t len)
{
    char path[] = "/tmp/gatekey-recent-XXXXXX";
    const int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, len), (ssize_t)len);
    close(fd);
    gk_recent_events_read(events, path);
    unlink(path);
}

static void none_is_an_empty_list(void **state)
{
    (void)state;
    assert_string_equal(text(), "[]");
    gk_recent_events_read(events, "/nonexistent/audit.log");
    gk_recent_events_read(events, "/dev/null");
    assert_string_equal(text(), "[]");
}

static void the_newest_is_first(void **state)
{
    (void)state;
    add("{\"n\":1}");
    add("{\"n\":2}");
    assert_string_equal(text(), "[{\"n\":2},{\"n\":1}]");
}

static void the_oldest_go(void **state)
{
    (void)state;
    char line[32];
    for (unsigned i = 1; i <= GK_RECENT_EVENTS_MAX + 2; i++) {
        snprintf(line, sizeof line, "{\"n\":%u}", i);
        add(line);
    }
    assert_non_null(strstr(text(), "[{\"n\":258},{\"n\":257},"));
    assert_non_null(strstr(text(), ",{\"n\":3}]"));
}

static void what_would_drive_out_all_else_is_left_out(void **state)
{
    (void)state;
    gk_recent_events_add(events, "manage.denied", "refused", gk_span_str("{\"n\":0}"));
    gk_recent_events_add(events, "key.unwrap", "ok", gk_span_str("{\"n\":1}"));
    gk_recent_events_add(events, "key.wrap", "ok", gk_span_str("{\"n\":2}"));
    assert_string_equal(text(), "[]");
    gk_recent_events_add(events, "key.unwrap", "refused", gk_span_str("{\"n\":3}"));
    assert_string_equal(text(), "[{\"n\":3}]");
}

#define EVENT(members) "{\"event\":\"account.create\",\"outcome\":\"ok\"," members "}"

static void a_file_is_read_but_for_what_is_no_event(void **state)
{
    (void)state;
    static const char lines[] = "torn\"}\n" EVENT(
        "\"n\":1") "\n"
                   "\n"
                   "[2]\n" EVENT("\"n\":1,\"n\":2") "\n" EVENT(
                       "\"n\":\"\xff\"") "\n"
                                         "{\"event\":\"key.unwrap\",\"outcome\":\"ok\"}\n"
                                         "{\"n\":2}\n" EVENT("\"n\":3") "\n"
                                                                        "{\"n\":";
    read_file(lines, sizeof lines - 1);
    assert_string_equal(text(), "[" EVENT("\"n\":3") "," EVENT("\"n\":1") "]");
}

static void of_a_long_file_the_end_is_read(void **state)
{
    (void)state;
    struct gk_buf file;
    gk_buf_init(&file, 4 << 20);
    for (int i = 1; i <= 20000; i++) {
        gk_buf_printf(&file, EVENT("\"n\":%d") "\n", i);
    }
    read_file((const char *)file.data, file.len);
    gk_buf_cleanup(&file);
    assert_int_equal(
        strncmp(text(), "[" EVENT("\"n\":20000") ",", sizeof "[" EVENT("\"n\":20000") "," - 1), 0);
    assert_non_null(strstr(text(), "," EVENT("\"n\":19745") "]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(none_is_an_empty_list, begin, end),
        cmocka_unit_test_setup_teardown(the_newest_is_first, begin, end),
        cmocka_unit_test_setup_teardown(the_oldest_go, begin, end),
        cmocka_unit_test_setup_teardown(what_would_drive_out_all_else_is_left_out, begin, end),
        cmocka_unit_test_setup_teardown(a_file_is_read_but_for_what_is_no_event, begin, end),
        cmocka_unit_test_setup_teardown(of_a_long_file_the_end_is_read, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
