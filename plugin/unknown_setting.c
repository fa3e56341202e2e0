/* SPDX-License-Identifier: Apache-2.0 */
#include "plugin/unknown_setting.h"

#include <stdio.h>
#include <string.h>

#include "common/error.h"
#include "common/nearest.h"

#define NAMES_MAX  64u
#define NAME_BYTES 64u

/* "identity.12.kind" is "identity.N.kind" in the help. */
static void generalize(const char *key, char out[NAME_BYTES])
{
    const char *digits = strpbrk(key, "0123456789");
    const size_t digits_len = digits == NULL ? 0 : strspn(digits, "0123456789");
    if (digits == NULL || digits == key || digits[-1] != '.' || digits[digits_len] != '.') {
        snprintf(out, NAME_BYTES, "%s", key);
        return;
    }
    snprintf(out, NAME_BYTES, "%.*sN%s", (int)(digits - key), key, digits + digits_len);
}

static size_t split_help(const char *help, char names[NAMES_MAX][NAME_BYTES])
{
    size_t count = 0;
    while (*help != '\0' && count < NAMES_MAX) {
        const size_t len = strcspn(help, " \n");
        if (len > 0 && len < NAME_BYTES) {
            memcpy(names[count], help, len);
            names[count++][len] = '\0';
        }
        help += strcspn(help, "\n");
        help += *help == '\n';
    }
    return count;
}

enum gk_status gk_unknown_setting_refuse(const char *help, const char *key, struct gk_error *error)
{
    char names[NAMES_MAX][NAME_BYTES];
    const char *known[NAMES_MAX];
    char general[NAME_BYTES];
    const size_t count = split_help(help, names);
    for (size_t i = 0; i < count; i++) {
        known[i] = names[i];
    }
    generalize(key, general);
    const char *meant = gk_nearest_name(general, known, count);
    if (meant == NULL) {
        return gk_fail(error, GK_E_INVALID, "%.64s: there is no such setting; remove it", key);
    }
    const char *dot = strrchr(meant, '.');
    return gk_fail(error, GK_E_INVALID, "%.64s: there is no such setting; perhaps %s is meant", key,
                   dot == NULL ? meant : dot + 1);
}
