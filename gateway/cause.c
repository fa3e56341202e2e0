/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/cause.h"

static _Thread_local const char *cause = "";

const char *gk_cause(void)
{
    return cause;
}

const char *gk_cause_set(const char *request_id)
{
    const char *before = cause;
    cause = request_id;
    return before;
}
