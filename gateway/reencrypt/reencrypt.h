/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Re-encryption: the data of an account that are under data keys from before it was ordered are read, verified and
 * written anew under other data keys (docs/decisions/0026-re-encryption.md). In the background, while clients
 * read and write and in whatever gateway; a job of the account (job/account_job.h), one at a time on a store.
 * Its rate counts MiB, its state is state.h's.
 */
#ifndef GATEWAY_REENCRYPT_REENCRYPT_H
#define GATEWAY_REENCRYPT_REENCRYPT_H

#include "gateway/job/account_job.h"

extern const struct gk_account_job_kind gk_reencrypt_kind;

#endif
