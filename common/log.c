/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/text.h"

#define MESSAGE_BYTES_MAX 2048u
#define LINE_BYTES_MAX    16384u

static atomic_int log_level = GK_LOG_INFO;

void gk_log_set_level(enum gk_log_level level)
{
    atomic_store(&log_level, (int)level);
}

static void append_escaped(struct gk_buf *line, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            gk_buf_append_u8(line, '\\');
            gk_buf_append_u8(line, byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            gk_buf_printf(line, "\\u%04x", byte);
        } else {
            gk_buf_append_u8(line, byte);
        }
    }
}

/* request_id: NULL for a line of no request. */
static void write_line(enum gk_log_level level, const char *component, const char *request_id,
                       const char *message)
{
    static const char *const names[] = {"error", "warning", "info", "debug"};
    char time[GK_TIME_TEXT_BYTES];
    const struct gk_clock clock = gk_clock_system();
    gk_time_iso(gk_clock_wall_ms(&clock), time);
    struct gk_buf line;
    gk_buf_init(&line, LINE_BYTES_MAX);
    gk_buf_printf(&line, "{\"time\":\"%s\",\"level\":\"%s\",\"component\":\"", time,
                  (size_t)level < 4 ? names[level] : "info");
    append_escaped(&line, component);
    if (request_id != NULL) {
        gk_buf_append_str(&line, "\",\"requestId\":\"");
        append_escaped(&line, request_id);
    }
    gk_buf_append_str(&line, "\",\"message\":\"");
    append_escaped(&line, message);
    gk_buf_append_str(&line, "\"}\n");
    if (gk_buf_status(&line) == GK_OK) {
        /* One write, so that lines of several threads do not mix. A log that cannot be written is
         * no reason to stop serving. */
        const ssize_t written = write(STDERR_FILENO, line.data, line.len);
        (void)written;
    }
    gk_buf_cleanup(&line);
}

void gk_log_text(enum gk_log_level level, const char *component, const char *message)
{
    if ((int)level <= atomic_load(&log_level)) {
        write_line(level, component, NULL, message);
    }
}

static void write_formatted(enum gk_log_level level, const char *component, const char *request_id,
                            const char *format, va_list args)
{
    if ((int)level > atomic_load(&log_level)) {
        return;
    }
    char message[MESSAGE_BYTES_MAX];
    vsnprintf(message, sizeof message, format, args);
    write_line(level, component, request_id, message);
}

void gk_log(enum gk_log_level level, const char *component, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_formatted(level, component, NULL, format, args);
    va_end(args);
}

void gk_log_request(enum gk_log_level level, const char *component, const char *request_id,
                    const char *format, ...)
{
    va_list args;
    va_start(args, format);
    write_formatted(level, component, request_id, format, args);
    va_end(args);
}
