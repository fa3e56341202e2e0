/* SPDX-License-Identifier: Apache-2.0 */
#include "keyprovider/json_view.h"

#include "common/text.h"

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

/* Of an empty span there may be no address to add to. */
static struct cursor cursor_of(struct gk_span text)
{
    return (struct cursor){text.data, text.len == 0 ? text.data : text.data + text.len};
}

static void skip_blanks(struct cursor *cursor)
{
    while (cursor->at < cursor->end && (*cursor->at == ' ' || *cursor->at == '\t' ||
                                        *cursor->at == '\r' || *cursor->at == '\n')) {
        cursor->at++;
    }
}

static bool take(struct cursor *cursor, uint8_t sign)
{
    if (cursor->at == cursor->end || *cursor->at != sign) {
        return false;
    }
    cursor->at++;
    return true;
}

static bool take_after_blanks(struct cursor *cursor, uint8_t sign)
{
    skip_blanks(cursor);
    return take(cursor, sign);
}

/* --- scalars ---------------------------------------------------------------------------------- */

static bool skip_escape(struct cursor *cursor)
{
    static const char simple[] = "\"\\/bfnrt";
    if (cursor->at == cursor->end) {
        return false;
    }
    const uint8_t sign = *cursor->at++;
    if (sign != 'u') {
        return memchr(simple, sign, sizeof simple - 1) != NULL;
    }
    uint8_t unit[2];
    if ((size_t)(cursor->end - cursor->at) < 4 ||
        !gk_hex_decode(gk_span_of(cursor->at, 4), unit, sizeof unit)) {
        return false;
    }
    cursor->at += 4;
    return true;
}

static bool read_string(struct cursor *cursor, struct gk_span *inner)
{
    if (!take(cursor, '"')) {
        return false;
    }
    const uint8_t *start = cursor->at;
    while (cursor->at < cursor->end) {
        const uint8_t sign = *cursor->at++;
        if (sign == '"') {
            *inner = gk_span_of(start, (size_t)(cursor->at - 1 - start));
            return true;
        }
        if (sign < 0x20 || (sign == '\\' && !skip_escape(cursor))) {
            return false;
        }
    }
    return false;
}

static size_t skip_digits(struct cursor *cursor)
{
    const uint8_t *start = cursor->at;
    while (cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9') {
        cursor->at++;
    }
    return (size_t)(cursor->at - start);
}

static bool read_number(struct cursor *cursor)
{
    take(cursor, '-');
    const bool zero = take(cursor, '0');
    if (!zero && skip_digits(cursor) == 0) {
        return false;
    }
    if (take(cursor, '.') && skip_digits(cursor) == 0) {
        return false;
    }
    if (take(cursor, 'e') || take(cursor, 'E')) {
        if (!take(cursor, '+')) {
            take(cursor, '-');
        }
        return skip_digits(cursor) > 0;
    }
    return true;
}

static bool read_word(struct cursor *cursor, const char *word)
{
    const size_t len = strlen(word);
    if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0) {
        return false;
    }
    cursor->at += len;
    return true;
}

static bool read_scalar(struct cursor *cursor, struct gk_kv_json *value)
{
    const uint8_t *start = cursor->at;
    bool good = false;
    switch (*start) {
    case '"':
        value->kind = GK_KV_JSON_STRING;
        return read_string(cursor, &value->text);
    case 't':
        value->kind = GK_KV_JSON_TRUE;
        good = read_word(cursor, "true");
        break;
    case 'f':
        value->kind = GK_KV_JSON_FALSE;
        good = read_word(cursor, "false");
        break;
    case 'n':
        value->kind = GK_KV_JSON_NULL;
        good = read_word(cursor, "null");
        break;
    default:
        value->kind = GK_KV_JSON_NUMBER;
        good = read_number(cursor);
        break;
    }
    value->text = gk_span_of(start, (size_t)(cursor->at - start));
    return good;
}

/* --- containers ------------------------------------------------------------------------------- */

/* Which containers the cursor is in: one bit a level, set for an object. */
struct nest {
    uint32_t objects;
    uint32_t depth;
};

static bool in_object(const struct nest *nest)
{
    return nest->depth > 0 && (nest->objects >> (nest->depth - 1) & 1u) != 0;
}

static bool skip_name(struct cursor *cursor)
{
    struct gk_span name;
    skip_blanks(cursor);
    return read_string(cursor, &name) && take_after_blanks(cursor, ':');
}

enum step { STEP_VALUE, STEP_AFTER_VALUE, STEP_FAILED };

/* At '{' or '[': goes in, up to where its first value stands or, if it is empty, behind it. */
static enum step enter(struct cursor *cursor, struct nest *nest)
{
    const bool object = *cursor->at++ == '{';
    if (take_after_blanks(cursor, object ? '}' : ']')) {
        return STEP_AFTER_VALUE;
    }
    if (nest->depth == GK_KV_JSON_DEPTH_MAX) {
        return STEP_FAILED;
    }
    const uint32_t bit = 1u << nest->depth;
    nest->objects = object ? nest->objects | bit : nest->objects & ~bit;
    nest->depth++;
    return !object || skip_name(cursor) ? STEP_VALUE : STEP_FAILED;
}

/* Behind a value: to the next one, or out of the containers that end here. */
static enum step follow(struct cursor *cursor, struct nest *nest)
{
    while (nest->depth > 0) {
        if (take_after_blanks(cursor, ',')) {
            return !in_object(nest) || skip_name(cursor) ? STEP_VALUE : STEP_FAILED;
        }
        if (!take(cursor, in_object(nest) ? '}' : ']')) {
            return STEP_FAILED;
        }
        nest->depth--;
    }
    return STEP_AFTER_VALUE;
}

static bool skip_container(struct cursor *cursor)
{
    struct nest nest = {0, 0};
    enum step step = STEP_VALUE;
    while (step == STEP_VALUE) {
        struct gk_kv_json scalar;
        skip_blanks(cursor);
        if (cursor->at == cursor->end) {
            return false;
        }
        if (*cursor->at == '{' || *cursor->at == '[') {
            step = enter(cursor, &nest);
        } else {
            step = read_scalar(cursor, &scalar) ? STEP_AFTER_VALUE : STEP_FAILED;
        }
        if (step == STEP_AFTER_VALUE) {
            step = follow(cursor, &nest);
        }
    }
    return step == STEP_AFTER_VALUE;
}

static bool read_value(struct cursor *cursor, struct gk_kv_json *value)
{
    *value = (struct gk_kv_json){.kind = GK_KV_JSON_MISSING};
    skip_blanks(cursor);
    if (cursor->at == cursor->end) {
        return false;
    }
    const uint8_t *start = cursor->at;
    if (*start != '{' && *start != '[') {
        return read_scalar(cursor, value);
    }
    if (!skip_container(cursor)) {
        return false;
    }
    value->kind = *start == '{' ? GK_KV_JSON_OBJECT : GK_KV_JSON_ARRAY;
    /* Without the brackets, so that members and items are what the text begins with. */
    value->text = gk_span_of(start + 1, (size_t)(cursor->at - start) - 2);
    return true;
}

bool gk_kv_json_parse(struct gk_span text, struct gk_kv_json *root)
{
    struct cursor cursor = cursor_of(text);
    if (text.len > 0 && read_value(&cursor, root)) {
        skip_blanks(&cursor);
        if (cursor.at == cursor.end) {
            return true;
        }
    }
    *root = (struct gk_kv_json){.kind = GK_KV_JSON_MISSING};
    return false;
}

/* --- reading what was checked ------------------------------------------------------------------ */

struct gk_kv_json gk_kv_json_get(struct gk_kv_json object, const char *name)
{
    const struct gk_kv_json missing = {.kind = GK_KV_JSON_MISSING};
    struct gk_kv_json found = missing;
    if (object.kind != GK_KV_JSON_OBJECT) {
        return missing;
    }
    struct cursor cursor = cursor_of(object.text);
    for (;;) {
        struct gk_span member;
        struct gk_kv_json value;
        skip_blanks(&cursor);
        if (!read_string(&cursor, &member) || !take_after_blanks(&cursor, ':') ||
            !read_value(&cursor, &value)) {
            return found;
        }
        if (gk_span_equal(member, gk_span_str(name))) {
            if (found.kind != GK_KV_JSON_MISSING) {
                return missing; /* which of two would be meant is anybody's guess */
            }
            found = value;
        }
        if (!take_after_blanks(&cursor, ',')) {
            return found;
        }
    }
}

bool gk_kv_json_next(struct gk_span *rest, struct gk_kv_json *item)
{
    struct cursor cursor = cursor_of(*rest);
    if (rest->len == 0 || !read_value(&cursor, item)) {
        return false;
    }
    take_after_blanks(&cursor, ',');
    *rest = gk_span_of(cursor.at, (size_t)(cursor.end - cursor.at));
    return true;
}

/* One character of a checked string; beyond ASCII it is 0. */
static uint8_t next_sign(struct cursor *cursor)
{
    const uint8_t sign = *cursor->at++;
    if (sign != '\\') {
        return sign >= 0x80 ? 0 : sign;
    }
    const uint8_t escaped = *cursor->at++;
    uint8_t unit[2] = {0, 0};
    if (escaped == 'u') {
        const bool good = gk_hex_decode(gk_span_of(cursor->at, 4), unit, sizeof unit);
        cursor->at += 4;
        return good && unit[0] == 0 && unit[1] < 0x80 ? unit[1] : 0;
    }
    return escaped == '"' || escaped == '\\' || escaped == '/' ? escaped : 0;
}

static bool printable(uint8_t sign)
{
    return sign >= 0x20 && sign < 0x7f;
}

bool gk_kv_json_copy(struct gk_kv_json string, char *out, size_t out_bytes)
{
    struct cursor cursor = cursor_of(string.text);
    size_t len = 0;
    bool good = string.kind == GK_KV_JSON_STRING;
    while (good && cursor.at < cursor.end) {
        const uint8_t sign = next_sign(&cursor);
        good = printable(sign) && len + 1 < out_bytes;
        if (good) {
            out[len++] = (char)sign;
        }
    }
    out[good ? len : 0] = '\0';
    return good;
}

void gk_kv_json_show(struct gk_kv_json string, char *out, size_t out_bytes)
{
    size_t len = 0;
    if (string.kind == GK_KV_JSON_STRING) {
        struct cursor cursor = cursor_of(string.text);
        while (cursor.at < cursor.end && len + 1 < out_bytes) {
            const uint8_t sign = next_sign(&cursor);
            out[len++] = (char)(printable(sign) ? sign : ' ');
        }
    }
    out[len] = '\0';
}

bool gk_kv_json_u64(struct gk_kv_json value, uint64_t max, uint64_t *out)
{
    *out = 0;
    return (value.kind == GK_KV_JSON_NUMBER || value.kind == GK_KV_JSON_STRING) &&
           gk_parse_u64(value.text, max, out);
}

bool gk_kv_json_string_is(struct gk_kv_json value, const char *text)
{
    return value.kind == GK_KV_JSON_STRING && gk_span_equal(value.text, gk_span_str(text));
}
