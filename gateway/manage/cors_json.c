/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/manage/cors_json.h"

#include <stdio.h>
#include <string.h>

#include "gateway/manage/json_body.h"

#define CORS "properties.cors."

/* In the order of struct gk_cors_rule. */
static const char *const list_names[GK_CORS_RULE_TEXTS] = {"allowedOrigins", "allowedMethods",
                                                           "allowedHeaders", "exposedHeaders"};

/* --- reading ------------------------------------------------------------------------------------*/

/* As it is kept: with commas in between, and so without any within. */
static enum gk_status read_list(const json_t *list, const char *where, const char *name,
                                struct gk_cors *cors, uint16_t *at, struct gk_error *error)
{
    struct gk_buf text;
    gk_buf_init(&text, GK_CORS_TEXT_BYTES_MAX);
    bool good = json_is_array(list);
    for (size_t i = 0; good && i < json_array_size(list); i++) {
        const char *item = json_string_value(json_array_get(list, i));
        good = item != NULL && item[0] != '\0' && strchr(item, ',') == NULL;
        gk_buf_append_str(&text, i == 0 ? "" : ",");
        gk_buf_append_str(&text, good ? item : "");
    }
    const bool fits =
        gk_buf_status(&text) == GK_OK && gk_cors_add_text(cors, gk_buf_span(&text), at);
    gk_buf_cleanup(&text);
    if (!good) {
        return gk_json_refuse_value(error, "%s%s is a list of texts without commas.", where, name);
    }
    return fits ? GK_OK
                : gk_json_refuse_value(error, CORS "corsRules are %u bytes together at most.",
                                       GK_CORS_TEXT_BYTES_MAX);
}

static enum gk_status read_age(const json_t *json, const char *where, uint32_t *max_age_s,
                               struct gk_error *error)
{
    const json_t *age = json_object_get(json, "maxAgeInSeconds");
    const json_int_t value = json_integer_value(age);
    if (!json_is_integer(age) || value < 0 || value > INT32_MAX) {
        return gk_json_refuse_value(error, "%smaxAgeInSeconds is 0 to %d.", where, INT32_MAX);
    }
    *max_age_s = (uint32_t)value;
    return GK_OK;
}

static enum gk_status read_rule(const json_t *json, const char *where, struct gk_cors *cors,
                                struct gk_error *error)
{
    static const char *const members[] = {"allowedOrigins", "allowedMethods",  "allowedHeaders",
                                          "exposedHeaders", "maxAgeInSeconds", NULL};
    struct gk_cors_rule *rule = &cors->rules[cors->count++];
    uint16_t *const texts[GK_CORS_RULE_TEXTS] = {&rule->origins, &rule->methods,
                                                 &rule->allowed_headers, &rule->exposed_headers};
    enum gk_status status = gk_json_only(json, where, members, error);
    for (size_t i = 0; status == GK_OK && i < GK_CORS_RULE_TEXTS; i++) {
        status = read_list(json_object_get(json, list_names[i]), where, list_names[i], cors,
                           texts[i], error);
    }
    if (status == GK_OK) {
        status = read_age(json, where, &rule->max_age_s, error);
    }
    if (status != GK_OK) {
        return status;
    }
    const size_t wrong = gk_cors_wrong_list(cors, rule);
    return wrong == GK_CORS_RULE_TEXTS
               ? GK_OK
               : gk_json_refuse_value(error, "%s%s has an item that is not allowed, or too many.",
                                      where, list_names[wrong]);
}

static enum gk_status read_rules(const json_t *rules, struct gk_cors *cors, struct gk_error *error)
{
    if (!json_is_array(rules) || json_array_size(rules) > GK_CORS_RULES_MAX) {
        return gk_json_refuse_value(error, CORS "corsRules is a list of %u at most.",
                                    GK_CORS_RULES_MAX);
    }
    enum gk_status status = GK_OK;
    for (size_t i = 0; status == GK_OK && i < json_array_size(rules); i++) {
        char where[64];
        snprintf(where, sizeof where, CORS "corsRules[%zu].", i);
        status = read_rule(json_array_get(rules, i), where, cors, error);
    }
    return status;
}

enum gk_status gk_cors_json_read(const json_t *properties, struct gk_cors *cors, bool *given,
                                 struct gk_error *error)
{
    static const char *const members[] = {"corsRules", NULL};
    json_t *json = NULL;
    *cors = (struct gk_cors){.count = 0};
    enum gk_status status = gk_json_object(properties, "properties.", "cors", &json, error);
    *given = json != NULL;
    if (status != GK_OK || json == NULL) {
        return status;
    }
    status = gk_json_only(json, CORS, members, error);
    const json_t *rules = json_object_get(json, "corsRules");
    return status == GK_OK && rules != NULL && !json_is_null(rules) ? read_rules(rules, cors, error)
                                                                    : status;
}

/* --- writing ------------------------------------------------------------------------------------*/

static json_t *list_json(const char *list)
{
    json_t *items = json_array();
    while (list[0] != '\0') {
        const char *rest = list;
        const struct gk_span item = gk_cors_next_item(&rest);
        json_array_append_new(items, json_stringn((const char *)item.data, item.len));
        list = rest == NULL ? "" : rest;
    }
    return items;
}

json_t *gk_cors_json_write(const struct gk_cors *cors)
{
    json_t *rules = json_array();
    for (uint8_t i = 0; i < cors->count; i++) {
        const struct gk_cors_rule *rule = &cors->rules[i];
        json_array_append_new(
            rules, json_pack("{s:o, s:o, s:o, s:o, s:I}", "allowedOrigins",
                             list_json(cors->text + rule->origins), "allowedMethods",
                             list_json(cors->text + rule->methods), "allowedHeaders",
                             list_json(cors->text + rule->allowed_headers), "exposedHeaders",
                             list_json(cors->text + rule->exposed_headers), "maxAgeInSeconds",
                             (json_int_t)rule->max_age_s));
    }
    return json_pack("{s:o}", "corsRules", rules);
}
