/* SPDX-License-Identifier: Apache-2.0 */
/* Where audit events go: files that are moved away or torn, and sockets with and without somebody behind them. */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/buf.h"
#include "common/hash_chain.h"
#include "gateway/audit_log.h"
#include "gateway/metrics.h"
#include "unit/cmocka_all.h"
#include "unit/store_place.h"

#define TEXT_BYTES 4096u

struct place {
    char directory[STORE_PLACE_BYTES];
    char file[STORE_PLACE_BYTES + 16];
    char moved[STORE_PLACE_BYTES + 16];
    char head[STORE_PLACE_BYTES + 16];
    char socket[STORE_PLACE_BYTES + 16];
};

static const struct gk_audit_event event = {
    .event = GK_AUDIT_KEY_REVOKED,
    .account = "acct",
    .key_id = "https://vault.test/keys/k/1",
    .outcome = "refused",
    .reason = "Forbidden\nKeyDisabled",
    .detail = "",
    .request_id = "r-1",
    .actor = "two\nlines",
};

static atomic_uint synced; /* heads of the chain */

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    atomic_fetch_add(&synced, 1);
    return __real_fdatasync(fd);
}

static int setup(void **state)
{
    struct place *place = calloc(1, sizeof *place);
    if (place == NULL || !store_place_make(place->directory)) {
        return -1;
    }
    snprintf(place->file, sizeof place->file, "%s/audit.log", place->directory);
    snprintf(place->moved, sizeof place->moved, "%s/audit.log.1", place->directory);
    snprintf(place->head, sizeof place->head, "%s/head", place->directory);
    snprintf(place->socket, sizeof place->socket, "%s/socket", place->directory);
    *state = place;
    return 0;
}

static int teardown(void **state)
{
    struct place *place = *state;
    store_place_remove(place->directory);
    free(place);
    return 0;
}

static struct gk_audit_log *open_log(const struct gk_audit_options *options)
{
    struct gk_audit_log *log = NULL;
    assert_int_equal(gk_audit_log_open(options, &log, NULL), GK_OK);
    return log;
}

static unsigned lines_of(const char *path)
{
    unsigned lines = 0;
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    for (int c = getc(file); c != EOF; c = getc(file)) {
        lines += c == '\n';
    }
    fclose(file);
    return lines;
}

/* Of datagrams, as a daemon does. */
static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    assert_true(strlen(path) < sizeof address.sun_path);
    memcpy(address.sun_path, path, strlen(path));
    const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
    return fd;
}

static size_t receive(int fd, char text[TEXT_BYTES])
{
    const ssize_t len = recv(fd, text, TEXT_BYTES - 1, MSG_DONTWAIT);
    assert_true(len > 0);
    text[len] = '\0';
    return (size_t)len;
}

static unsigned failures(void)
{
    struct gk_buf text;
    gk_buf_init(&text, 1u << 20);
    gk_metrics_render(&text);
    const char *at = strstr(gk_buf_str(&text), "\ngatekey_audit_failures_total ");
    const unsigned count = at == NULL ? 0 : (unsigned)strtoul(strchr(at, ' '), NULL, 10);
    gk_buf_cleanup(&text);
    return count;
}

static void test_audit_log__a_file_that_was_moved_is_begun_anew(void **state)
{
    struct place *place = *state;
    const struct gk_audit_options options = {.file = place->file};
    struct gk_audit_log *log = open_log(&options);
    gk_audit_log_write(log, &event, "");
    gk_audit_log_write(log, &event, "");
    assert_int_equal(rename(place->file, place->moved), 0);
    gk_audit_log_write(log, &event, "");
    gk_audit_log_close(log);
    assert_int_equal(lines_of(place->moved), 2);
    assert_int_equal(lines_of(place->file), 1);
    struct stat info;
    assert_int_equal(stat(place->file, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
}

static void assert_synced_once(struct gk_audit_log *log)
{
    atomic_store(&synced, 0);
    gk_audit_log_write(log, &event, "");
    gk_audit_log_write(log, &event, "");
    assert_int_equal(atomic_load(&synced), 1);
}

/* From lines that are not there any more the head cannot find its place after a power cut. */
static void test_audit_log__the_head_is_on_the_medium_once_lines_are_moved_or_cut_away(void **state)
{
    struct place *place = *state;
    const struct gk_audit_options options = {.file = place->file};
    struct gk_audit_log *log = open_log(&options);
    atomic_store(&synced, 0);
    gk_audit_log_write(log, &event, "");
    gk_audit_log_write(log, &event, "");
    assert_int_equal(atomic_load(&synced), 0);
    assert_int_equal(rename(place->file, place->moved), 0);
    assert_synced_once(log);
    assert_int_equal(truncate(place->file, 0), 0);
    assert_synced_once(log);
    assert_int_equal(truncate(place->file, 5), 0);
    assert_synced_once(log);
    assert_int_equal(lines_of(place->file), 3); /* the torn one got its end */
    gk_audit_log_close(log);
}

/* What a place misses is a gap there: the chain goes on with its number. */
static void test_audit_log__what_cannot_be_written_is_counted_and_leaves_a_gap(void **state)
{
    struct place *place = *state;
    const struct gk_audit_options options = {.file = "/dev/full"};
    struct gk_audit_log *log = NULL;
    assert_int_equal(gk_audit_log_open(&options, &log, NULL), GK_E_INVALID);
    const struct gk_audit_options nobody = {.head_file = place->head, .syslog = place->socket};
    log = open_log(&nobody);
    const unsigned before = failures();
    gk_audit_log_write(log, &event, "");
    assert_int_equal(failures(), before + 1);
    const int daemon = listen_at(place->socket);
    gk_audit_log_write(log, &event, "");
    assert_int_equal(failures(), before + 1);
    char text[TEXT_BYTES];
    receive(daemon, text);
    assert_non_null(strstr(text, "\"sequence\":2,"));
    close(daemon);
    gk_audit_log_close(log);
}

static void read_text(const char *path, char text[TEXT_BYTES])
{
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    const size_t len = fread(text, 1, TEXT_BYTES - 1, file);
    text[len] = '\0';
    fclose(file);
}

/* As of a disk that is full: of the second line there is room for a part. */
static void test_audit_log__a_torn_line_is_counted_and_the_next_one_begins_anew(void **state)
{
    struct place *place = *state;
    const struct gk_audit_options options = {.file = place->file};
    struct gk_audit_log *log = open_log(&options);
    struct rlimit limit;
    char text[TEXT_BYTES];
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    gk_audit_log_write(log, &event, "");
    const rlim_t room = limit.rlim_cur;
    struct stat info;
    assert_int_equal(stat(place->file, &info), 0);
    limit.rlim_cur = (rlim_t)info.st_size + 20;
    const unsigned before = failures();
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    gk_audit_log_write(log, &event, "");
    limit.rlim_cur = room;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(failures(), before + 1);
    gk_audit_log_write(log, &event, "");
    assert_int_equal(failures(), before + 1);
    gk_audit_log_close(log);
    read_text(place->file, text);
    const char *second = strchr(text, '\n') + 1;
    const char *third = strchr(second, '\n') + 1;
    assert_int_equal(third - second, 21);
    assert_int_equal(strncmp(third, "{\"time\":", 8), 0);
    assert_non_null(strstr(third, "\"sequence\":3,"));
}

static void test_audit_log__syslog_and_a_chain_without_a_file(void **state)
{
    struct place *place = *state;
    char text[TEXT_BYTES];
    const int daemon = listen_at(place->socket);
    const struct gk_audit_options options = {.head_file = place->head, .syslog = place->socket};
    for (unsigned i = 1; i <= 2; i++) { /* over a restart */
        struct gk_audit_log *log = open_log(&options);
        gk_audit_log_write(log, &event, "");
        gk_audit_log_close(log);
        receive(daemon, text);
        char sequence[32];
        snprintf(sequence, sizeof sequence, "\"sequence\":%u,", i);
        assert_non_null(strstr(text, sequence));
        assert_int_equal(strncmp(text, "<84>", 4), 0); /* authpriv, warning */
        assert_non_null(strstr(text, " gatekey-audit["));
        assert_non_null(strstr(text, "]: {\"time\":"));
        assert_null(strstr(text, "causedBy"));
    }
    close(daemon);
}

static void test_audit_log__the_journal_gets_fields(void **state)
{
    struct place *place = *state;
    char text[TEXT_BYTES];
    static const char actor[] = "\nGATEKEY_ACTOR\n\x09\0\0\0\0\0\0\0two\nlines\n";
    const int daemon = listen_at(place->socket);
    const struct gk_audit_options options = {.head_file = place->head, .journal = place->socket};
    struct gk_audit_log *log = open_log(&options);
    gk_audit_log_write(log, &event, "c-1");
    const size_t len = receive(daemon, text);
    assert_int_equal(strncmp(text, "MESSAGE={\"time\":", 16), 0);
    assert_non_null(strstr(text, "\nPRIORITY=4\n"));
    assert_non_null(strstr(text, "\nSYSLOG_FACILITY=10\n"));
    assert_non_null(strstr(text, "\nSYSLOG_IDENTIFIER=gatekey-audit\n"));
    assert_non_null(strstr(text, "\nGATEKEY_EVENT=key.revoked\n"));
    assert_non_null(memmem(text, len, actor, sizeof actor - 1));
    assert_non_null(memmem(text, len, "\nGATEKEY_ACCOUNT=acct\n", 22));
    assert_non_null(memmem(text, len, "\nGATEKEY_REQUEST_ID=r-1\n", 24));
    assert_non_null(memmem(text, len, "\nGATEKEY_CAUSED_BY=c-1\n", 23));
    assert_non_null(strstr(text, "\"requestId\":\"r-1\",\"causedBy\":\"c-1\""));
    gk_audit_log_close(log);
    close(daemon);
}

/* A daemon that does not read holds up nobody. */
static void test_audit_log__a_stuck_daemon_holds_up_nothing(void **state)
{
    struct place *place = *state;
    const int daemon = listen_at(place->socket);
    const struct gk_audit_options options = {.head_file = place->head, .journal = place->socket};
    struct gk_audit_log *log = open_log(&options);
    const unsigned before = failures();
    for (unsigned i = 0; i < 10000 && failures() == before; i++) {
        gk_audit_log_write(log, &event, "");
    }
    assert_true(failures() > before);
    gk_audit_log_close(log);
    close(daemon);
}

/* --- after a power cut ---------------------------------------------------------------------------*/

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void copy_file(const char *from, const char *to)
{
    char text[TEXT_BYTES];
    read_text(from, text);
    write_text(to, text);
}

/* Each line is the next one of the line before, from 1 on. */
static void assert_whole(const char *path, unsigned lines)
{
    char text[TEXT_BYTES];
    char wanted[GK_CHAIN_HASH_TEXT_BYTES + 64];
    uint8_t hash[GK_CHAIN_HASH_BYTES] = {0};
    read_text(path, text);
    const char *line = text;
    for (unsigned i = 1; i <= lines; i++) {
        const char *end = strchr(line, '\n');
        char previous[GK_CHAIN_HASH_TEXT_BYTES];
        assert_non_null(end);
        gk_chain_hash_text(hash, previous);
        snprintf(wanted, sizeof wanted, "\"sequence\":%u,\"previous\":\"%s\"}", i, previous);
        assert_memory_equal(end - strlen(wanted), wanted, strlen(wanted));
        assert_true(gk_chain_hash(gk_span_of(line, (size_t)(end - line)), hash));
        line = end + 1;
    }
    assert_string_equal(line, "");
}

/* The lines are on the medium, and of the head what it was after the first. */
static void write_with_an_old_head(const struct place *place, unsigned lines)
{
    const struct gk_audit_options options = {.file = place->file, .head_file = place->head};
    struct gk_audit_log *log = open_log(&options);
    for (unsigned i = 1; i <= lines; i++) {
        gk_audit_log_write(log, &event, "");
        if (i == 1) {
            copy_file(place->head, place->moved);
        }
    }
    gk_audit_log_close(log);
    copy_file(place->moved, place->head);
}

/* What is said on standard error meanwhile. */
static struct gk_audit_log *open_and_listen(const struct place *place, char said[TEXT_BYTES])
{
    const struct gk_audit_options options = {.file = place->file, .head_file = place->head};
    const int standard = dup(STDERR_FILENO);
    const int fd = open(place->moved, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(standard >= 0 && fd >= 0);
    dup2(fd, STDERR_FILENO);
    struct gk_audit_log *log = open_log(&options);
    dup2(standard, STDERR_FILENO);
    close(standard);
    close(fd);
    read_text(place->moved, said);
    return log;
}

static void test_audit_log__a_head_that_is_lines_behind_goes_on_after_them(void **state)
{
    struct place *place = *state;
    char said[TEXT_BYTES];
    uint64_t last = 0;
    write_with_an_old_head(place, 3);
    struct gk_audit_log *log = open_and_listen(place, said);
    assert_int_equal(gk_audit_log_behind(log, &last), 2);
    assert_int_equal(last, 3);
    assert_string_equal(said, "");
    gk_audit_log_write(log, &event, "");
    gk_audit_log_close(log);
    assert_whole(place->file, 4);
    log = open_and_listen(place, said);
    assert_int_equal(gk_audit_log_behind(log, &last), 0);
    assert_string_equal(said, "");
    gk_audit_log_close(log);
}

static void test_audit_log__what_does_not_follow_the_head_is_not_taken_up(void **state)
{
    struct place *place = *state;
    char said[TEXT_BYTES];
    char text[TEXT_BYTES];
    uint64_t last = 0;
    write_with_an_old_head(place, 3);
    read_text(place->file, text);
    char *second = strchr(text, '\n') + 1;
    memcpy(strstr(second, "refused"), "granted", strlen("granted"));
    write_text(place->file, text);
    struct gk_audit_log *log = open_and_listen(place, said);
    assert_non_null(strstr(said, "the audit file does not end with the event 2, as it did"));
    assert_int_equal(gk_audit_log_behind(log, &last), 1);
    gk_audit_log_close(log);
}

/* The file with the head's event was moved away, and another has begun. */
static void test_audit_log__a_head_whose_event_is_not_there_is_told_of(void **state)
{
    struct place *place = *state;
    char said[TEXT_BYTES];
    char text[TEXT_BYTES];
    uint64_t last = 0;
    write_with_an_old_head(place, 3);
    read_text(place->file, text);
    const char *third = strchr(strchr(text, '\n') + 1, '\n') + 1;
    write_text(place->file, third);
    struct gk_audit_log *log = open_and_listen(place, said);
    assert_non_null(strstr(said, "the audit file does not end with the event 1, as it did"));
    assert_int_equal(gk_audit_log_behind(log, &last), 0);
    gk_audit_log_write(log, &event, "");
    gk_audit_log_close(log);
    read_text(place->file, text);
    assert_non_null(strstr(text, "\"sequence\":2,"));
}

/* Of a file that was moved away the head is on the medium; the next file's first line follows it. */
static void test_audit_log__a_new_file_begins_after_the_head(void **state)
{
    struct place *place = *state;
    char said[TEXT_BYTES];
    char text[TEXT_BYTES];
    uint64_t last = 0;
    write_with_an_old_head(place, 3);
    read_text(place->file, text);
    const char *second = strchr(text, '\n') + 1;
    write_text(place->file, second);
    struct gk_audit_log *log = open_and_listen(place, said);
    assert_string_equal(said, "");
    assert_int_equal(gk_audit_log_behind(log, &last), 2);
    gk_audit_log_close(log);
}

/* More than is read of it at a time, and lines that are cut by that. */
static void test_audit_log__a_head_is_found_in_a_long_file(void **state)
{
    struct place *place = *state;
    const struct gk_audit_options options = {.file = place->file, .head_file = place->head};
    uint64_t last = 0;
    write_with_an_old_head(place, 500);
    struct gk_audit_log *log = open_log(&options);
    assert_int_equal(gk_audit_log_behind(log, &last), 499);
    assert_int_equal(last, 500);
    gk_audit_log_close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_audit_log__a_file_that_was_moved_is_begun_anew, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_audit_log__the_head_is_on_the_medium_once_lines_are_moved_or_cut_away, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_audit_log__what_cannot_be_written_is_counted_and_leaves_a_gap, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_audit_log__a_torn_line_is_counted_and_the_next_one_begins_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__syslog_and_a_chain_without_a_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__the_journal_gets_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__a_stuck_daemon_holds_up_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_audit_log__a_head_that_is_lines_behind_goes_on_after_them, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_audit_log__what_does_not_follow_the_head_is_not_taken_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__a_head_whose_event_is_not_there_is_told_of,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__a_new_file_begins_after_the_head, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_audit_log__a_head_is_found_in_a_long_file, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
