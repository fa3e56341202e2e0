/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What JSON passes through holds private keys and tokens: the state file, answers, bodies. The library's memory is wiped
 * when it is freed.
 */
#ifndef KEYVAULTD_JSON_MEMORY_H
#define KEYVAULTD_JSON_MEMORY_H

/* For the whole process, before there are threads and before the library is used. What the library gives away is still
 * freed by free(), and then by whoever has it wiped before. */
void kv_json_memory_wipe_freed(void);

#endif
