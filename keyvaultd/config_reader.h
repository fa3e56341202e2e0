/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of the configuration reader: one function a kind of value. Each refuses with GK_E_INVALID and
 * "file:line: setting: reason; remedy". The first refusal sticks in the reader, so that whoever reads a group needs one
 * check at its end; what is returned after it means nothing.
 */
#ifndef KEYVAULTD_CONFIG_READER_H
#define KEYVAULTD_CONFIG_READER_H

#include "keyvaultd/config.h"

/* One group under reading. */
struct kv_reader {
    const char *path; /* of the file */
    const config_setting_t *group;
    struct gk_error *error;
    enum gk_status status;
};

/* Of a group in outer's. Whoever is through with it gives its status back to outer. */
struct kv_reader kv_reader_of(const struct kv_reader *outer, const config_setting_t *group);

/* at: which line it is. */
void kv_reader_refuse(struct kv_reader *reader, const config_setting_t *at, const char *name,
                      const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Every setting of the group is one of known, which NULL ends. */
void kv_read_only(struct kv_reader *reader, const char *const *known);

/* NULL: there is none. */
const config_setting_t *kv_read_group(struct kv_reader *reader, const char *name);
const config_setting_t *kv_read_required_group(struct kv_reader *reader, const char *name);
/* NULL: there is none. A list or an array, of count_max members at most. */
const config_setting_t *kv_read_list(struct kv_reader *reader, const char *name,
                                     unsigned count_max);

/* Printable ASCII without blanks and quotes: these texts go into URIs, headers and JSON. */
bool kv_is_plain(const char *text);
/* A plain text. */
const char *kv_read_text_or(struct kv_reader *reader, const char *name, const char *otherwise);
const char *kv_read_text(struct kv_reader *reader, const char *name);
/* A numeric address. */
const char *kv_read_address_or(struct kv_reader *reader, const char *name, const char *otherwise);
/* A path from the root; NULL: there is none. What is there is for whoever opens it to judge. */
const char *kv_read_path(struct kv_reader *reader, const char *name);
const char *kv_read_required_path(struct kv_reader *reader, const char *name);
uint32_t kv_read_number_or(struct kv_reader *reader, const char *name, uint32_t minimum,
                           uint32_t maximum, uint32_t otherwise);
bool kv_read_flag_or(struct kv_reader *reader, const char *name, bool otherwise);

/* config_identity.c. After tenant_id and tenants. */
void kv_read_identities(struct kv_reader *outer, struct kv_config *config);
/* A list of tenants, [ "id", ... ]: how many there are. */
size_t kv_read_tenants(struct kv_reader *reader, const char *name,
                       const char *tenants[KV_TENANTS_MAX]);

#endif
