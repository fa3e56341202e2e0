/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/body.h"

#include "common/error.h"
#include "gateway/blob/headers.h"

enum gk_status gk_body_sums_read(const struct gk_request *request, bool whole_blob,
                                 struct gk_body_sums *sums, struct gk_error *error)
{
    memset(sums, 0, sizeof *sums);
    const bool copied = request->source != NULL;
    const char *md5 = copied ? "x-ms-source-content-md5" : "Content-MD5";
    const char *crc64 = copied ? "x-ms-source-content-crc64" : "x-ms-content-crc64";
    enum gk_status status = gk_header_bytes(request, md5, sums->sent_md5, GK_MD5_BYTES,
                                            &sums->md5_sent, "InvalidMd5", error);
    if (status == GK_OK) {
        status = gk_header_bytes(request, crc64, sums->sent_crc64, GK_CRC64_BYTES,
                                 &sums->crc64_sent, "InvalidHeaderValue", error);
    }
    if (status == GK_OK && whole_blob) {
        status = gk_header_bytes(request, "x-ms-blob-content-md5", sums->sent_content_md5,
                                 GK_MD5_BYTES, &sums->content_md5_sent, "InvalidMd5", error);
    }
    if (status == GK_OK && sums->md5_sent && sums->crc64_sent) {
        return gk_refuse(error, 400, "BothCrc64AndMd5HeaderPresent");
    }
    sums->md5_wanted = whole_blob || sums->md5_sent;
    sums->crc64_wanted = sums->crc64_sent || !sums->md5_wanted;
    return status;
}

struct gk_writer_sums gk_body_sums_wanted(const struct gk_body_sums *sums)
{
    return (struct gk_writer_sums){.md5 = sums->md5_wanted, .crc64 = sums->crc64_wanted};
}

static enum gk_status compare(const struct gk_body_sums *sums, struct gk_error *error)
{
    /* Documented: of the two of Put Blob, the blob's own is what is checked. */
    const uint8_t *sent = sums->content_md5_sent ? sums->sent_content_md5
                          : sums->md5_sent       ? sums->sent_md5
                                                 : NULL;
    if (sent != NULL && memcmp(sums->md5, sent, GK_MD5_BYTES) != 0) {
        return gk_refuse(error, 400, "Md5Mismatch");
    }
    if (sums->crc64_sent && memcmp(sums->crc64, sums->sent_crc64, GK_CRC64_BYTES) != 0) {
        return gk_refuse(error, 400, "Crc64Mismatch");
    }
    return GK_OK;
}

enum gk_status gk_body_sums_check_bytes(struct gk_body_sums *sums, struct gk_span body,
                                        struct gk_error *error)
{
    if (sums->md5_wanted) {
        struct gk_md5 *md5 = gk_md5_new(NULL);
        if (md5 == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        gk_md5_update(md5, body);
        gk_md5_final(md5, sums->md5);
        gk_md5_free(md5);
    }
    if (sums->crc64_wanted) {
        gk_crc64_bytes(gk_crc64_update(0, body), sums->crc64);
    }
    return compare(sums, error);
}

enum gk_status gk_body_sums_check(struct gk_body_sums *sums, struct gk_writer *writer,
                                  struct gk_error *error)
{
    if (writer == NULL) {
        return gk_body_sums_check_bytes(sums, (struct gk_span){0}, error);
    }
    uint64_t crc64 = 0;
    gk_writer_sums(writer, sums->md5, &crc64);
    gk_crc64_bytes(crc64, sums->crc64);
    return compare(sums, error);
}

void gk_body_sums_respond(struct gk_request *request, const struct gk_body_sums *sums)
{
    if (sums->md5_wanted) {
        gk_respond_md5(request, "Content-MD5", gk_span_of(sums->md5, GK_MD5_BYTES));
    }
    if (sums->crc64_wanted) {
        struct gk_buf text;
        gk_buf_init(&text, 64);
        gk_base64_encode(&text, gk_span_of(sums->crc64, GK_CRC64_BYTES));
        gk_respond_header(request, "x-ms-content-crc64", gk_buf_str(&text));
        gk_buf_cleanup(&text);
    }
}
