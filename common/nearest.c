/* SPDX-License-Identifier: Apache-2.0 */
#include "common/nearest.h"

#include <string.h>

#define NAME_BYTES_MAX 63u

static size_t least(size_t a, size_t b, size_t c)
{
    const size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

/* Levenshtein's distance, by rows: row[j] is that of a[0, i) and b[0, j). */
static size_t edits_between(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t row[NAME_BYTES_MAX + 1];
    for (size_t j = 0; j <= b_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= a_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            const size_t above = row[j];
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1));
            diagonal = above;
        }
    }
    return row[b_len];
}

const char *gk_nearest_name(const char *name, const char *const *names, size_t count)
{
    const char *nearest = NULL;
    size_t nearest_edits = GK_NEAREST_EDITS_MAX + 1;
    const size_t len = strlen(name);
    for (size_t i = 0; len <= NAME_BYTES_MAX && i < count; i++) {
        const size_t known_len = strlen(names[i]);
        if (known_len > NAME_BYTES_MAX) {
            continue;
        }
        const size_t edits = edits_between(name, len, names[i], known_len);
        if (edits < nearest_edits && 2 * edits < known_len) {
            nearest = names[i];
            nearest_edits = edits;
        }
    }
    return nearest;
}
