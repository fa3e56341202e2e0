/* SPDX-License-Identifier: Apache-2.0 */
/* The refusal of a setting that there is not, with the one that was probably meant. Pure. */
#ifndef PLUGIN_UNKNOWN_SETTING_H
#define PLUGIN_UNKNOWN_SETTING_H

#include "gatekey/types.h"

/* help has a line a setting, which begins with its name: "identity.N.kind" stands for identity.0.kind and so on.
 * GK_E_INVALID, always. */
enum gk_status gk_unknown_setting_refuse(const char *help, const char *key, struct gk_error *error);

#endif
