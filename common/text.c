/* SPDX-License-Identifier: Apache-2.0 */
#include "common/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

static const char base64_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode64(struct gk_buf *out, struct gk_span in, const char *alphabet, bool padded)
{
    for (size_t at = 0; at < in.len; at += 3) {
        const size_t left = in.len - at;
        const uint32_t group = (uint32_t)in.data[at] << 16 |
                               (left > 1 ? (uint32_t)in.data[at + 1] << 8 : 0u) |
                               (left > 2 ? (uint32_t)in.data[at + 2] : 0u);
        char text[4];
        for (unsigned i = 0; i < 4; i++) {
            text[i] = alphabet[group >> (18 - 6 * i) & 63u];
        }
        size_t len = left > 2 ? 4 : left + 1;
        for (; padded && len < 4; len++) {
            text[len] = '=';
        }
        gk_buf_append(out, text, len);
    }
}

static int value64(uint8_t digit, const char *alphabet)
{
    if (digit >= 'A' && digit <= 'Z') {
        return digit - 'A';
    }
    if (digit >= 'a' && digit <= 'z') {
        return digit - 'a' + 26;
    }
    if (digit >= '0' && digit <= '9') {
        return digit - '0' + 52;
    }
    if (digit == (uint8_t)alphabet[62]) {
        return 62;
    }
    return digit == (uint8_t)alphabet[63] ? 63 : -1;
}

/* Decodes digits without padding. Bits that the last digit has to spare must be zero. */
static bool decode64(struct gk_buf *out, struct gk_span digits, const char *alphabet)
{
    if (digits.len % 4 == 1) {
        return false;
    }
    uint8_t *room = gk_buf_extend(out, digits.len / 4 * 3 + (digits.len % 4 * 3) / 4);
    if (room == NULL) {
        return false;
    }
    const size_t start = (size_t)(room - out->data);
    uint32_t bits = 0;
    unsigned bits_count = 0;
    for (size_t i = 0; i < digits.len; i++) {
        const int value = value64(digits.data[i], alphabet);
        if (value < 0) {
            out->len = start;
            return false;
        }
        bits = bits << 6 | (uint32_t)value;
        bits_count += 6;
        if (bits_count >= 8) {
            bits_count -= 8;
            *room++ = (uint8_t)(bits >> bits_count);
            bits &= (1u << bits_count) - 1;
        }
    }
    if (bits != 0) {
        out->len = start;
        return false;
    }
    return true;
}

void gk_base64_encode(struct gk_buf *out, struct gk_span in)
{
    encode64(out, in, base64_alphabet, true);
}

bool gk_base64_decode(struct gk_buf *out, struct gk_span text)
{
    if (text.len % 4 != 0) {
        return false;
    }
    for (unsigned i = 0; i < 2 && text.len > 0 && text.data[text.len - 1] == '='; i++) {
        text.len--;
    }
    return decode64(out, text, base64_alphabet);
}

void gk_base64url_encode(struct gk_buf *out, struct gk_span in)
{
    encode64(out, in, base64url_alphabet, false);
}

bool gk_base64url_decode(struct gk_buf *out, struct gk_span text)
{
    return decode64(out, text, base64url_alphabet);
}

void gk_hex_encode(struct gk_buf *out, struct gk_span in)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < in.len; i++) {
        gk_buf_append_u8(out, (uint8_t)digits[in.data[i] >> 4]);
        gk_buf_append_u8(out, (uint8_t)digits[in.data[i] & 15]);
    }
}

static int hex_value(uint8_t digit)
{
    if (digit >= '0' && digit <= '9') {
        return digit - '0';
    }
    const uint8_t lower = digit | 0x20;
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool gk_hex_decode(struct gk_span text, uint8_t *out, size_t out_len)
{
    if (text.len != 2 * out_len) {
        return false;
    }
    for (size_t i = 0; i < out_len; i++) {
        const int high = hex_value(text.data[2 * i]);
        const int low = hex_value(text.data[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        out[i] = (uint8_t)(high << 4 | low);
    }
    return true;
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

void gk_percent_encode(struct gk_buf *out, struct gk_span in, const char *keep)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < in.len; i++) {
        const uint8_t byte = in.data[i];
        if (is_unreserved(byte) || (byte != 0 && strchr(keep, byte) != NULL)) {
            gk_buf_append_u8(out, byte);
        } else {
            const char escape[3] = {'%', digits[byte >> 4], digits[byte & 15]};
            gk_buf_append(out, escape, sizeof escape);
        }
    }
}

bool gk_percent_decode(struct gk_buf *out, struct gk_span text)
{
    for (size_t i = 0; i < text.len; i++) {
        uint8_t byte = text.data[i];
        if (byte == '%') {
            if (text.len - i < 3 || !gk_hex_decode(gk_span_of(text.data + i + 1, 2), &byte, 1) ||
                byte == 0) {
                return false;
            }
            i += 2;
        }
        gk_buf_append_u8(out, byte);
    }
    return gk_buf_status(out) == GK_OK;
}

bool gk_random(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        const ssize_t got = getrandom(at, len < 256 ? len : 256, 0);
        if (got <= 0) {
            return false;
        }
        at += got;
        len -= (size_t)got;
    }
    return true;
}

bool gk_id_random(struct gk_id *id)
{
    if (!gk_random(id->bytes, sizeof id->bytes)) {
        return false;
    }
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | 0x40);
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
    return true;
}

void gk_id_format(const struct gk_id *id, char text[GK_UUID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    char *at = text;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            *at++ = '-';
        }
        *at++ = digits[id->bytes[i] >> 4];
        *at++ = digits[id->bytes[i] & 15];
    }
    *at = '\0';
}

bool gk_id_parse(const char *text, struct gk_id *id)
{
    if (strlen(text) != GK_UUID_TEXT_BYTES - 1) {
        return false;
    }
    size_t at = 0;
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        if ((i == 4 || i == 6 || i == 8 || i == 10) && text[at++] != '-') {
            return false;
        }
        if (!gk_hex_decode(gk_span_of(text + at, 2), &id->bytes[i], 1)) {
            return false;
        }
        at += 2;
    }
    return true;
}

bool gk_id_equal(const struct gk_id *a, const struct gk_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

static const char day_names[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char month_names[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static struct tm broken_down(int64_t wall_ms)
{
    const time_t seconds = (time_t)(wall_ms / 1000 - (wall_ms % 1000 < 0 ? 1 : 0));
    struct tm time;
    if (gmtime_r(&seconds, &time) == NULL) {
        time = (struct tm){.tm_year = 70, .tm_mday = 1};
    }
    return time;
}

void gk_time_http(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES])
{
    const struct tm time = broken_down(wall_ms);
    snprintf(text, GK_TIME_TEXT_BYTES, "%s, %02d %s %04d %02d:%02d:%02d GMT",
             day_names[time.tm_wday], time.tm_mday, month_names[time.tm_mon],
             (time.tm_year + 1900) % 10000, time.tm_hour, time.tm_min, time.tm_sec);
}

void gk_time_iso(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES])
{
    const struct tm time = broken_down(wall_ms);
    const int ms = (int)((wall_ms % 1000 + 1000) % 1000);
    snprintf(text, GK_TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02d.%03d0000Z",
             (time.tm_year + 1900) % 10000, time.tm_mon + 1, time.tm_mday, time.tm_hour,
             time.tm_min, time.tm_sec, ms);
}

void gk_time_iso_second(int64_t wall_ms, char text[GK_TIME_TEXT_BYTES])
{
    const struct tm time = broken_down(wall_ms);
    snprintf(text, GK_TIME_TEXT_BYTES, "%04d-%02d-%02dT%02d:%02d:%02dZ",
             (time.tm_year + 1900) % 10000, time.tm_mon + 1, time.tm_mday, time.tm_hour,
             time.tm_min, time.tm_sec);
}

/* Exactly count digits at *at. */
static bool take_number(const char **at, unsigned count, int *value)
{
    *value = 0;
    for (unsigned i = 0; i < count; i++, (*at)++) {
        if (**at < '0' || **at > '9') {
            return false;
        }
        *value = *value * 10 + (**at - '0');
    }
    return true;
}

static bool take(const char **at, char expected)
{
    if (**at != expected) {
        return false;
    }
    (*at)++;
    return true;
}

/* Checks the calendar by making the time and breaking it down again. */
static bool to_wall_ms(const struct tm *fields, int64_t *wall_ms)
{
    struct tm copy = *fields;
    const time_t seconds = timegm(&copy);
    if (copy.tm_year != fields->tm_year || copy.tm_mon != fields->tm_mon ||
        copy.tm_mday != fields->tm_mday || copy.tm_hour != fields->tm_hour ||
        copy.tm_min != fields->tm_min || copy.tm_sec != fields->tm_sec) {
        return false;
    }
    *wall_ms = (int64_t)seconds * 1000;
    return true;
}

static bool take_clock(const char **at, struct tm *time)
{
    return take_number(at, 2, &time->tm_hour) && take(at, ':') &&
           take_number(at, 2, &time->tm_min) && take(at, ':') && take_number(at, 2, &time->tm_sec);
}

bool gk_time_http_parse(const char *text, int64_t *wall_ms)
{
    struct tm time = {0};
    unsigned month = 0;
    if (strlen(text) != 29 || text[3] != ',' || text[4] != ' ') {
        return false;
    }
    const char *at = text + 5;
    if (!take_number(&at, 2, &time.tm_mday) || !take(&at, ' ')) {
        return false;
    }
    while (month < 12 && strncmp(at, month_names[month], 3) != 0) {
        month++;
    }
    at += 3;
    time.tm_mon = (int)month;
    if (month == 12 || !take(&at, ' ') || !take_number(&at, 4, &time.tm_year) || !take(&at, ' ') ||
        !take_clock(&at, &time) || strcmp(at, " GMT") != 0) {
        return false;
    }
    time.tm_year -= 1900;
    return to_wall_ms(&time, wall_ms);
}

/* Z, or an offset of hours and minutes, in milliseconds to subtract. */
static bool take_zone(const char **at, int64_t *offset_ms)
{
    *offset_ms = 0;
    if (take(at, 'Z')) {
        return true;
    }
    const int sign = **at == '-' ? -1 : 1;
    int hours;
    int minutes;
    if (!take(at, sign < 0 ? '-' : '+') || !take_number(at, 2, &hours) || !take(at, ':') ||
        !take_number(at, 2, &minutes) || hours > 14 || minutes > 59) {
        return false;
    }
    *offset_ms = sign * (hours * 60 + minutes) * INT64_C(60000);
    return true;
}

/* ".123": up to seven digits, of which milliseconds count. */
static bool take_fraction(const char **at, int64_t *ms)
{
    *ms = 0;
    if (!take(at, '.')) {
        return true;
    }
    unsigned count = 0;
    for (; **at >= '0' && **at <= '9' && count < 9; count++, (*at)++) {
        if (count < 3) {
            static const int weights[3] = {100, 10, 1};
            *ms += (**at - '0') * weights[count];
        }
    }
    return count > 0;
}

bool gk_time_iso_parse(const char *text, int64_t *wall_ms)
{
    struct tm time = {0};
    const char *at = text;
    if (!take_number(&at, 4, &time.tm_year) || !take(&at, '-') ||
        !take_number(&at, 2, &time.tm_mon) || !take(&at, '-') ||
        !take_number(&at, 2, &time.tm_mday)) {
        return false;
    }
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    int64_t ms = 0;
    int64_t offset_ms = 0;
    if (*at != '\0') {
        if (!take(&at, 'T') || !take_number(&at, 2, &time.tm_hour) || !take(&at, ':') ||
            !take_number(&at, 2, &time.tm_min)) {
            return false;
        }
        if (take(&at, ':') && (!take_number(&at, 2, &time.tm_sec) || !take_fraction(&at, &ms))) {
            return false;
        }
        if (!take_zone(&at, &offset_ms) || *at != '\0') {
            return false;
        }
    }
    if (!to_wall_ms(&time, wall_ms)) {
        return false;
    }
    *wall_ms += ms - offset_ms;
    return true;
}

bool gk_text_is_plain(const char *text, size_t max)
{
    const size_t len = strnlen(text, max);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f) {
            return false;
        }
    }
    return len < max;
}

bool gk_parse_u64(struct gk_span text, uint64_t max, uint64_t *value)
{
    if (text.len == 0) {
        return false;
    }
    uint64_t result = 0;
    for (size_t i = 0; i < text.len; i++) {
        const uint8_t digit = text.data[i];
        if (digit < '0' || digit > '9') {
            return false;
        }
        const unsigned next = (unsigned)(digit - '0');
        if (next > max || result > (max - next) / 10) {
            return false;
        }
        result = result * 10 + next;
    }
    if (result > max) {
        return false;
    }
    *value = result;
    return true;
}
