/* SPDX-License-Identifier: Apache-2.0 */
/* What a fault makes of an answer. A fault with action KV_FAULT_NONE and no status does nothing. */
#ifndef KEYVAULTD_FAULT_ANSWER_H
#define KEYVAULTD_FAULT_ANSWER_H

#include "keyvaultd/request.h"

/* Answers in the handler's place, for a fault with a status. */
void kv_fault_answer(const struct kv_fault *fault, struct kv_request *request);
/* Changes the handler's answer where it succeeded: another kid, a value too short or too long. */
void kv_fault_change(const struct kv_fault *fault, struct kv_request *request);
/* Sends garbage, half an answer or one without end. False: send it as usual. */
bool kv_fault_sends(const struct kv_fault *fault, struct kv_request *request);

#endif
