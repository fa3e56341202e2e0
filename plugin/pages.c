/* SPDX-License-Identifier: Apache-2.0 */
/* Page objects as handles: page_cipher.c, and the gate before each block. */
#include <stdlib.h>

#include "common/error.h"
#include "plugin/handles.h"
#include "plugin/page_cipher.h"

struct gk_pages {
    struct gk_account *account; /* a reference */
    uint64_t gate;
    struct gk_page_cipher *cipher;
};

enum gk_status gk_pages_load(struct gk_data_key *data_key, const struct gk_id *object,
                             struct gk_pages **out, struct gk_error *error)
{
    *out = NULL;
    enum gk_status status = gk_account_still(data_key->account, data_key->gate, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_pages *pages = calloc(1, sizeof *pages);
    if (pages == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    status = gk_page_cipher_new(data_key->account->instance->crypto, data_key->bytes, object,
                                &pages->cipher, error);
    if (status != GK_OK) {
        free(pages);
        return status;
    }
    gk_account_retain(data_key->account);
    pages->account = data_key->account;
    pages->gate = data_key->gate;
    *out = pages;
    return GK_OK;
}

void gk_pages_free(struct gk_pages *pages)
{
    if (pages != NULL) {
        gk_page_cipher_free(&pages->cipher);
        gk_account_release(pages->account);
        free(pages);
    }
}

enum gk_status gk_page_seal(struct gk_pages *pages, uint64_t index, const uint8_t *plain,
                            uint8_t *sealed, uint8_t seal[GK_PAGE_SEAL_BYTES],
                            struct gk_error *error)
{
    const enum gk_status status = gk_account_still(pages->account, pages->gate, error);
    return status == GK_OK ? gk_page_cipher_seal(pages->cipher, index, plain, sealed, seal, error)
                           : status;
}

enum gk_status gk_page_open(struct gk_pages *pages, uint64_t index, const uint8_t *sealed,
                            const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                            struct gk_error *error)
{
    const enum gk_status status = gk_account_still(pages->account, pages->gate, error);
    if (status != GK_OK) {
        memset(plain, 0, GK_PAGE_BLOCK_BYTES);
        return status;
    }
    return gk_page_cipher_open(pages->cipher, index, sealed, seal, plain, error);
}
