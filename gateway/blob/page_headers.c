/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/page_headers.h"

#include <strings.h>

#include "common/error.h"
#include "gateway/blob/page_map.h"

enum gk_status gk_page_range_read(const struct gk_request *request, struct gk_page_range *range,
                                  struct gk_error *error)
{
    static const char unit[] = "bytes=";
    const char *value = gk_request_header(request, "x-ms-range");
    value = value != NULL ? value : gk_request_header(request, "Range");
    if (value == NULL) {
        return gk_refuse_because(error, 400, "MissingRequiredHeader", "It is x-ms-range.");
    }
    uint64_t first = 0;
    uint64_t last = 0;
    const char *dash = strchr(value, '-');
    if (strncasecmp(value, unit, sizeof unit - 1) != 0 || dash == NULL) {
        return gk_refuse(error, 416, "InvalidPageRange");
    }
    const char *from = value + sizeof unit - 1;
    const bool numbers = dash >= from &&
                         gk_parse_u64(gk_span_of(from, (size_t)(dash - from)), INT64_MAX, &first) &&
                         gk_parse_u64(gk_span_str(dash + 1), INT64_MAX - 1, &last);
    *range = (struct gk_page_range){.from = first, .to = last + 1};
    return numbers && first <= last && range->from % GK_PAGE_BYTES == 0 &&
                   range->to % GK_PAGE_BYTES == 0
               ? GK_OK
               : gk_refuse(error, 416, "InvalidPageRange");
}

enum gk_status gk_page_size_read(const struct gk_request *request, uint64_t *size, bool *given,
                                 struct gk_error *error)
{
    const enum gk_status status =
        gk_header_u64(request, "x-ms-blob-content-length", size, given, error);
    return status == GK_OK && *given &&
                   (*size % GK_PAGE_BYTES != 0 || *size > GK_PAGE_BLOB_BYTES_MAX)
               ? gk_refuse_because(error, 400, "InvalidHeaderValue",
                                   "x-ms-blob-content-length is a multiple of 512, up to 8 TiB.")
               : status;
}

enum gk_status gk_sequence_check(const struct gk_request *request, uint64_t sequence,
                                 struct gk_error *error)
{
    static const char *const names[] = {"x-ms-if-sequence-number-le", "x-ms-if-sequence-number-lt",
                                        "x-ms-if-sequence-number-eq"};
    bool holds = true;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        uint64_t number = 0;
        bool given = false;
        const enum gk_status status = gk_header_u64(request, names[i], &number, &given, error);
        if (status != GK_OK) {
            return status;
        }
        const bool met = i == 0   ? sequence <= number
                         : i == 1 ? sequence < number
                                  : sequence == number;
        holds = holds && (!given || met);
    }
    return holds ? GK_OK : gk_refuse(error, 412, "SequenceNumberConditionNotMet");
}

enum gk_status gk_sequence_change(const struct gk_request *request, uint64_t *sequence,
                                  struct gk_error *error)
{
    const char *action = gk_request_header(request, "x-ms-sequence-number-action");
    uint64_t number = 0;
    bool numbered = false;
    const enum gk_status status =
        gk_header_u64(request, "x-ms-blob-sequence-number", &number, &numbered, error);
    if (status != GK_OK) {
        return status;
    }
    if (action == NULL) {
        return numbered ? gk_refuse_because(error, 400, "MissingRequiredHeader",
                                            "It is x-ms-sequence-number-action.")
                        : GK_OK;
    }
    const bool increment = strcasecmp(action, "increment") == 0;
    const bool max = strcasecmp(action, "max") == 0;
    if (!increment && !max && strcasecmp(action, "update") != 0) {
        return gk_refuse_because(error, 400, "InvalidHeaderValue",
                                 "x-ms-sequence-number-action is max, update or increment.");
    }
    if (increment == numbered) {
        return gk_refuse_because(error, 400,
                                 numbered ? "InvalidHeaderValue" : "MissingRequiredHeader",
                                 "x-ms-blob-sequence-number goes with max and update alone.");
    }
    if (increment) {
        *sequence += 1;
    } else if (!max || number > *sequence) {
        *sequence = number;
    }
    return GK_OK;
}
