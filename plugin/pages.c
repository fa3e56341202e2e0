/* SPDX-License-Identifier: Apache-2.0 */
/* Page objects as handles: page_cipher.c, and the pass before each block. */
#include <stdlib.h>

#include "common/error.h"
#include "plugin/handles.h"
#include "plugin/page_cipher.h"

struct gk_pages {
    struct gk_pass pass;
    struct gk_page_cipher *cipher;
};

enum gk_status gk_pages_load(struct gk_data_key *data_key, const struct gk_id *object,
                             struct gk_pages **out, struct gk_error *error)
{
    *out = NULL;
    enum gk_status status = gk_pass_still(&data_key->pass, error);
    if (status != GK_OK) {
        return status;
    }
    struct gk_pages *pages = calloc(1, sizeof *pages);
    if (pages == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    status = gk_page_cipher_new(data_key->pass.account->instance->crypto, data_key->bytes, object,
                                &pages->cipher, error);
    if (status != GK_OK) {
        free(pages);
        return status;
    }
    pages->pass = gk_pass_copy(&data_key->pass);
    *out = pages;
    return GK_OK;
}

void gk_pages_free(struct gk_pages *pages)
{
    if (pages != NULL) {
        gk_page_cipher_free(&pages->cipher);
        gk_pass_release(&pages->pass);
        free(pages);
    }
}

enum gk_status gk_page_seal(struct gk_pages *pages, uint64_t index, const uint8_t *plain,
                            uint8_t *sealed, uint8_t seal[GK_PAGE_SEAL_BYTES],
                            struct gk_error *error)
{
    const enum gk_status status = gk_pass_still(&pages->pass, error);
    return status == GK_OK ? gk_page_cipher_seal(pages->cipher, index, plain, sealed, seal, error)
                           : status;
}

enum gk_status gk_page_open(struct gk_pages *pages, uint64_t index, const uint8_t *sealed,
                            const uint8_t seal[GK_PAGE_SEAL_BYTES], uint8_t *plain,
                            struct gk_error *error)
{
    const enum gk_status status = gk_pass_still(&pages->pass, error);
    if (status != GK_OK) {
        memset(plain, 0, GK_PAGE_BLOCK_BYTES);
        return status;
    }
    return gk_page_cipher_open(pages->cipher, index, sealed, seal, plain, error);
}
