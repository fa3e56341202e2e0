/* SPDX-License-Identifier: Apache-2.0 */
/* Records of blobs and files: record_cipher.c with an account's keys. Open parts need the service
 * key alone, so they are there whatever the customer's key does. */
#include "common/error.h"
#include "common/text.h"
#include "plugin/handles.h"

/* The account's own data key, or one of a scope of its. */
static bool is_of(const struct gk_data_key *data_key, const struct gk_account *account)
{
    return data_key->pass.account == account ||
           gk_id_equal(&data_key->pass.account->parent, &account->id);
}

enum gk_status gk_account_record_value_seal(struct gk_account *account,
                                            struct gk_data_key *data_key, struct gk_span binding,
                                            struct gk_span open_part, struct gk_span sealed_part,
                                            uint8_t *out, size_t out_max, size_t *out_len,
                                            struct gk_error *error)
{
    *out_len = 0;
    enum gk_status status = gk_account_not_forgotten(account, error);
    if (status == GK_OK && data_key != NULL) {
        status = is_of(data_key, account)
                     ? gk_pass_still(&data_key->pass, error)
                     : gk_fail(error, GK_E_INVALID, "the data key is another account's");
    }
    if (status != GK_OK) {
        return status;
    }
    const struct gk_record_out to = {.data = out, .max = out_max, .len = out_len};
    return gk_record_seal(account->instance->crypto, account->open_key,
                          data_key == NULL ? NULL : data_key->bytes, binding, open_part,
                          sealed_part, &to, error);
}

enum gk_status gk_account_record_value_rebind(struct gk_account *account, struct gk_span binding,
                                              struct gk_span new_binding, struct gk_span record,
                                              struct gk_span open_part, uint8_t *out,
                                              size_t out_max, size_t *out_len,
                                              struct gk_error *error)
{
    *out_len = 0;
    const enum gk_status status = gk_account_not_forgotten(account, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_record_out to = {.data = out, .max = out_max, .len = out_len};
    return gk_record_rebind(account->instance->crypto, account->open_key, binding, new_binding,
                            record, open_part, &to, error);
}

enum gk_status gk_account_record_value_reseal(struct gk_account *account, struct gk_span binding,
                                              struct gk_span record, struct gk_span open_part,
                                              uint8_t *out, size_t out_max, size_t *out_len,
                                              struct gk_error *error)
{
    return gk_account_record_value_rebind(account, binding, binding, record, open_part, out,
                                          out_max, out_len, error);
}

enum gk_status gk_account_record_value_open(struct gk_account *account, struct gk_span binding,
                                            struct gk_span record, uint8_t *out, size_t out_max,
                                            size_t *out_len, struct gk_error *error)
{
    *out_len = 0;
    const enum gk_status status = gk_account_not_forgotten(account, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_record_out to = {.data = out, .max = out_max, .len = out_len};
    return gk_record_open(account->instance->crypto, account->open_key, binding, record, &to,
                          error);
}

enum gk_status gk_data_key_record_value_open(struct gk_data_key *data_key, struct gk_span binding,
                                             struct gk_span record, uint8_t *out, size_t out_max,
                                             size_t *out_len, struct gk_error *error)
{
    *out_len = 0;
    const enum gk_status status = gk_pass_still(&data_key->pass, error);
    if (status != GK_OK) {
        return status;
    }
    const struct gk_record_out to = {.data = out, .max = out_max, .len = out_len};
    return gk_record_open_sealed(data_key->pass.account->instance->crypto, data_key->bytes, binding,
                                 record, &to, error);
}
