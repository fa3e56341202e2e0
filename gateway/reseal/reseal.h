/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reseal: every data key of an account, and of its encryption scopes, that is under an older root key is sealed
 * under the active one, and older root keys with nothing left under them are retired. In the background, while
 * clients read and write and in whatever gateway; a job of the account (job/account_job.h), one at a time on a
 * store. Its rate counts blobs, its state is state.h's.
 */
#ifndef GATEWAY_RESEAL_RESEAL_H
#define GATEWAY_RESEAL_RESEAL_H

#include "gateway/job/account_job.h"

extern const struct gk_account_job_kind gk_reseal_kind;

#endif
