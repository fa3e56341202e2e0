/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The vtable's data path: data keys, segments, pages and records as handles over the cryptographic
 * modules. A handle belongs to one thread at a time, keeps its account, and works while its pass is
 * good, which is the data key's.
 */
#ifndef PLUGIN_HANDLES_H
#define PLUGIN_HANDLES_H

#include "plugin/data_key_seal.h"
#include "plugin/pass.h"

struct gk_data_key {
    struct gk_pass pass;
    struct gk_data_key_bytes *bytes; /* secret memory */
};

enum gk_status gk_data_key_create(struct gk_account *account, const struct gk_object_scope *scope,
                                  uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                  struct gk_data_key **out, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_data_key_open(struct gk_account *account, const struct gk_object_scope *scope,
                                struct gk_span sealed, struct gk_data_key **out,
                                struct gk_error *error) GK_MUST_USE;
enum gk_status
gk_data_key_create_with(struct gk_account *account, const struct gk_object_scope *scope,
                        struct gk_span client_key, uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                        struct gk_data_key **out, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_data_key_open_with(struct gk_account *account,
                                     const struct gk_object_scope *scope, struct gk_span client_key,
                                     struct gk_span sealed, struct gk_data_key **out,
                                     struct gk_error *error) GK_MUST_USE;
enum gk_status gk_data_key_reseal(struct gk_account *account, const struct gk_object_scope *from,
                                  struct gk_span sealed, const struct gk_object_scope *to,
                                  uint8_t resealed[GK_SEALED_DATA_KEY_BYTES],
                                  struct gk_error *error) GK_MUST_USE;
enum gk_status gk_data_key_renew(struct gk_data_key *data_key, const struct gk_object_scope *scope,
                                 struct gk_span client_key, uint32_t at_least,
                                 uint8_t sealed[GK_SEALED_DATA_KEY_BYTES],
                                 struct gk_error *error) GK_MUST_USE;
void gk_data_key_free(struct gk_data_key *data_key);

enum gk_status gk_segment_new(struct gk_data_key *data_key, struct gk_id *id,
                              struct gk_segment **out, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_segment_load(struct gk_data_key *data_key, const struct gk_id *id,
                               struct gk_segment **out, struct gk_error *error) GK_MUST_USE;
void gk_segment_free(struct gk_segment *segment);
enum gk_status gk_segment_seal(struct gk_segment *segment, uint64_t index, uint8_t last,
                               struct gk_span plain, uint8_t *sealed,
                               struct gk_error *error) GK_MUST_USE;
enum gk_status gk_segment_open(struct gk_segment *segment, uint64_t index, uint8_t last,
                               struct gk_span sealed, uint8_t *plain,
                               struct gk_error *error) GK_MUST_USE;

enum gk_status gk_pages_load(struct gk_data_key *data_key, const struct gk_id *object,
                             struct gk_pages **out, struct gk_error *error) GK_MUST_USE;
void gk_pages_free(struct gk_pages *pages);
enum gk_status gk_page_seal(struct gk_pages *pages, uint64_t index, const uint8_t *plain,
                            uint8_t *sealed, uint8_t seal[GK_PAGE_SEAL_BYTES],
                            struct gk_error *error) GK_MUST_USE;
enum gk_status gk_page_open(struct gk_pages *pages, uint64_t index, const uint8_t *sealed,
                            const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                            struct gk_error *error) GK_MUST_USE;

enum gk_status gk_account_record_value_seal(struct gk_account *account,
                                            struct gk_data_key *data_key, struct gk_span binding,
                                            struct gk_span open_part, struct gk_span sealed_part,
                                            uint8_t *out, size_t out_max, size_t *out_len,
                                            struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_record_value_rebind(struct gk_account *account, struct gk_span binding,
                                              struct gk_span new_binding, struct gk_span record,
                                              struct gk_span open_part, uint8_t *out,
                                              size_t out_max, size_t *out_len,
                                              struct gk_error *error);
enum gk_status gk_account_record_value_reseal(struct gk_account *account, struct gk_span binding,
                                              struct gk_span record, struct gk_span open_part,
                                              uint8_t *out, size_t out_max, size_t *out_len,
                                              struct gk_error *error) GK_MUST_USE;
enum gk_status gk_account_record_value_open(struct gk_account *account, struct gk_span binding,
                                            struct gk_span record, uint8_t *out, size_t out_max,
                                            size_t *out_len, struct gk_error *error) GK_MUST_USE;
enum gk_status gk_data_key_record_value_open(struct gk_data_key *data_key, struct gk_span binding,
                                             struct gk_span record, uint8_t *out, size_t out_max,
                                             size_t *out_len, struct gk_error *error) GK_MUST_USE;

#endif
