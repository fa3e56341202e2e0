/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An account's settings of its Blob service (Storage REST reference, "Set Blob Service Properties"), as
 * the account's profile keeps them. Plain data: all zero is what an account has that nothing was set
 * for, and assignment copies. Settings of logging and metrics are kept for who set them and do nothing.
 *
 *   logging            deletes 1 | reads 1 | writes 1 | days 4
 *   hour metrics       enabled 1 | APIs included 1 | days 4
 *   minute metrics     the same
 *   CORS               rules 1 | rule ...
 *   rule               origins | methods | allowed headers | exposed headers, texts | max age 4
 *   default version    a text
 *   delete retention   days 4 | permanent deletes allowed 1
 *   static website     enabled 1 | index document | default index document | error document, texts
 *   versioning         1
 *   container retention  days 4, where the account's profile has it
 *
 * Days are those of a retention policy, 0 when it is not enabled. A text is a length of 2 bytes and its
 * bytes.
 */
#ifndef GATEWAY_BLOB_SERVICE_H
#define GATEWAY_BLOB_SERVICE_H

#include "common/buf.h"

#define GK_RETENTION_DAYS_MAX    365u
#define GK_CORS_RULES_MAX        5u
#define GK_CORS_RULE_TEXTS       4u
#define GK_CORS_TEXT_BYTES_MAX   2048u /* of all rules together, as documented */
#define GK_WEBSITE_INDEX_BYTES   256u  /* with NUL, like all that follow */
#define GK_WEBSITE_PATH_BYTES    1025u
#define GK_DEFAULT_VERSION_BYTES 11u

struct gk_retention {
    bool enabled;
    uint32_t days;          /* 1 to GK_RETENTION_DAYS_MAX when it is enabled, else 0 */
    bool permanent_deletes; /* of deleted blobs alone: they may be removed before their time */
};

struct gk_logging {
    bool deletes;
    bool reads;
    bool writes;
    struct gk_retention retention;
};

struct gk_service_metrics {
    bool enabled;
    bool include_apis;
    struct gk_retention retention;
};

/* Four lists with commas in between, as they were sent: where in the text of struct gk_cors each begins.
 * Where it begins with a NUL, at 0, is the empty one. */
struct gk_cors_rule {
    uint16_t origins;
    uint16_t methods;
    uint16_t allowed_headers;
    uint16_t exposed_headers;
    uint32_t max_age_s;
};

struct gk_cors {
    uint8_t count;
    struct gk_cors_rule rules[GK_CORS_RULES_MAX];
    uint16_t text_len; /* of the lists, each with its NUL */
    char text[1 + GK_CORS_TEXT_BYTES_MAX + GK_CORS_RULES_MAX * GK_CORS_RULE_TEXTS];
};

struct gk_website {
    bool enabled;
    char index_document[GK_WEBSITE_INDEX_BYTES]; /* a name in each directory, "" for none */
    char default_index[GK_WEBSITE_PATH_BYTES];   /* a blob for all directories, "" for none */
    char error_document[GK_WEBSITE_PATH_BYTES];  /* a blob, "" for none */
};

struct gk_blob_service {
    struct gk_logging logging;
    struct gk_service_metrics hour_metrics;
    struct gk_service_metrics minute_metrics;
    struct gk_cors cors;
    char default_version[GK_DEFAULT_VERSION_BYTES]; /* yyyy-mm-dd, "" for none */
    struct gk_retention delete_retention;
    struct gk_website website;
    /* Of the management API alone, as the next one: for how long deleted containers are kept. */
    struct gk_retention container_retention;
    bool versioning; /* what is replaced or deleted becomes a version */
};

/* Which of them are meant, by the bit of each. */
enum gk_blob_service_part {
    GK_SERVICE_LOGGING = 1u << 0,
    GK_SERVICE_HOUR_METRICS = 1u << 1,
    GK_SERVICE_MINUTE_METRICS = 1u << 2,
    GK_SERVICE_CORS = 1u << 3,
    GK_SERVICE_DEFAULT_VERSION = 1u << 4,
    GK_SERVICE_DELETE_RETENTION = 1u << 5,
    GK_SERVICE_WEBSITE = 1u << 6,
    GK_SERVICE_VERSIONING = 1u << 7,
    GK_SERVICE_CONTAINER_RETENTION = 1u << 8
};

/* Those parts (GK_SERVICE_*) of to become what they are in from. */
void gk_blob_service_take(struct gk_blob_service *to, const struct gk_blob_service *from,
                          uint32_t parts);

/* Adds a list; false when they are too long together. *at is where it begins. */
bool gk_cors_add_text(struct gk_cors *cors, struct gk_span text, uint16_t *at);

/* The next item of a list, without the blanks around it; *list moves on, and is NULL after the last. */
struct gk_span gk_cors_next_item(const char **list);

/* By its place in struct gk_cors_rule, the first list of a rule that is not allowed; GK_CORS_RULE_TEXTS when all are. */
size_t gk_cors_wrong_list(const struct gk_cors *cors, const struct gk_cors_rule *rule);
/* Whether the version, yyyy-mm-dd, can be what a request without one is of. */
bool gk_is_default_version(const char *text);

/* All but the container retention, which gk_container_retention_encode has. */
void gk_blob_service_encode(const struct gk_blob_service *settings, struct gk_buf *out);
/* False when it is not well-formed. */
bool gk_blob_service_decode(struct gk_reader *in, struct gk_blob_service *out) GK_MUST_USE;
void gk_container_retention_encode(const struct gk_blob_service *settings, struct gk_buf *out);
bool gk_container_retention_decode(struct gk_reader *in, struct gk_blob_service *out) GK_MUST_USE;

#endif
