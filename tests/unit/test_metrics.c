/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a scrape reads is what was counted, in the text form's grammar, and each metric of the
 * table says what it is.
 */
#include "gateway/metrics.h"

#include <pthread.h>
#include <stdio.h>

#include "unit/cmocka_all.h"

static struct gk_buf rendered;

static int end(void **state)
{
    (void)state;
    gk_buf_cleanup(&rendered);
    return 0;
}

static const char *text(void)
{
    gk_buf_cleanup(&rendered);
    gk_buf_init(&rendered, 1 << 20);
    gk_metrics_render(&rendered);
    return gk_buf_str(&rendered);
}

static void assert_line(const char *line)
{
    const char *found = strstr(text(), line);
    if (found == NULL) {
        fail_msg("no line %s in\n%s", line, text());
    }
}

static void counters_add_up_by_their_labels(void **state)
{
    (void)state;
    gk_metrics_count("gatekey_rotations_total", "result=\"ok\"", 1);
    gk_metrics_count("gatekey_rotations_total", "result=\"ok\"", 2);
    gk_metrics_count("gatekey_rotations_total", "result=\"failed\"", 1);
    assert_line("# HELP gatekey_rotations_total Rotations tried: ");
    assert_line("# TYPE gatekey_rotations_total counter\n"
                "gatekey_rotations_total{result=\"failed\"} 1\n"
                "gatekey_rotations_total{result=\"ok\"} 3\n");
}

static void a_counter_without_labels_begins_at_zero(void **state)
{
    (void)state;
    assert_line("\ngatekey_audit_failures_total 0\n");
    assert_null(strstr(text(), "\ngatekey_token_requests_total{result=\"ok\"}"));
    /* An alert asks for the growth of these. */
    assert_line("\ngatekey_token_requests_total{result=\"refused\"} 0\n");
    assert_line("\ngatekey_config_reloads_total{result=\"refused\"} 0\n");
}

static void an_unknown_name_is_a_counter_without_help(void **state)
{
    (void)state;
    gk_metrics_count("other_total", "", 1.5);
    assert_line("\n# TYPE other_total counter\nother_total 1.5\n");
    assert_null(strstr(text(), "# HELP other_total"));
}

static void a_histogram_has_what_is_within_each_bound(void **state)
{
    (void)state;
    /* Exact in binary; the second stands on a bound. */
    static const double seconds[] = {0.0009765625, 0.5, 0.03125, 32};
    for (size_t i = 0; i < 4; i++) {
        gk_metrics_count("gatekey_request_duration_seconds", "operation=\"Get Blob\"", seconds[i]);
    }
    assert_line(
        "# TYPE gatekey_request_duration_seconds histogram\n"
        "gatekey_request_duration_seconds_bucket{operation=\"Get Blob\",le=\"0.001\"} 1\n"
        "gatekey_request_duration_seconds_bucket{operation=\"Get Blob\",le=\"0.0025\"} 1\n");
    assert_line("{operation=\"Get Blob\",le=\"0.25\"} 2\n"
                "gatekey_request_duration_seconds_bucket{operation=\"Get Blob\",le=\"0.5\"} 3\n");
    assert_line("{operation=\"Get Blob\",le=\"30\"} 3\n"
                "gatekey_request_duration_seconds_bucket{operation=\"Get Blob\",le=\"+Inf\"} 4\n"
                "gatekey_request_duration_seconds_sum{operation=\"Get Blob\"} 32.5322265625\n"
                "gatekey_request_duration_seconds_count{operation=\"Get Blob\"} 4\n");
}

static void the_table_gives_gauges_their_head(void **state)
{
    (void)state;
    struct gk_buf head;
    gk_buf_init(&head, 1024);
    gk_metrics_head(&head, "gatekey_secret_unlocked_bytes");
    assert_non_null(strstr(gk_buf_str(&head), "# HELP gatekey_secret_unlocked_bytes Bytes of "));
    assert_non_null(strstr(gk_buf_str(&head), "# TYPE gatekey_secret_unlocked_bytes gauge\n"));
    gk_buf_cleanup(&head);
}

#define THREADS 4
#define ROUNDS  1000

static void *count_many(void *ctx)
{
    (void)ctx;
    for (int i = 0; i < ROUNDS; i++) {
        gk_metrics_count("gatekey_sent_bytes_total", "", 1);
        gk_metrics_count("gatekey_vault_call_duration_seconds", "operation=\"wrap\"", 0.5);
    }
    return NULL;
}

static void no_count_is_lost_between_threads(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, count_many, NULL), 0);
    }
    (void)text();
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    assert_line("gatekey_sent_bytes_total 4000\n");
    assert_line("gatekey_vault_call_duration_seconds_count{operation=\"wrap\"} 4000\n");
}

static void a_set_without_bounds_ends_somewhere(void **state)
{
    (void)state;
    for (int i = 0; i < 10000; i++) {
        char labels[32];
        snprintf(labels, sizeof labels, "number=\"%d\"", i);
        gk_metrics_count("many_total", labels, 1);
    }
    size_t lines = 0;
    for (const char *at = text(); (at = strstr(at, "many_total{")) != NULL; at++) {
        lines++;
    }
    assert_in_range(lines, 1, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counters_add_up_by_their_labels),
        cmocka_unit_test(a_counter_without_labels_begins_at_zero),
        cmocka_unit_test(an_unknown_name_is_a_counter_without_help),
        cmocka_unit_test(a_histogram_has_what_is_within_each_bound),
        cmocka_unit_test(the_table_gives_gauges_their_head),
        cmocka_unit_test(no_count_is_lost_between_threads),
        cmocka_unit_test(a_set_without_bounds_ends_somewhere),
    };
    return cmocka_run_group_tests(tests, NULL, end);
}
