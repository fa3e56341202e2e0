/* SPDX-License-Identifier: Apache-2.0 */
/* Which of the known names somebody meant who wrote another one. */
#ifndef COMMON_NEAREST_H
#define COMMON_NEAREST_H

#include <stddef.h>

#define GK_NEAREST_EDITS_MAX 2u

/* The name of names[0, count) that takes the fewest letters to be put in, left out or changed, if these are
 * GK_NEAREST_EDITS_MAX at most and less than half of it; else NULL. Names of more than 63 bytes are near nothing. */
const char *gk_nearest_name(const char *name, const char *const *names, size_t count);

#endif
