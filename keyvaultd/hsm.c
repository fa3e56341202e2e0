/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/hsm.h"

#include <p11-kit/p11-kit.h>
#include <stdlib.h>
#include <string.h>

#include "common/error.h"
#include "common/log.h"
#include "common/rsa_public.h"
#include "common/secret.h"
#include "common/text.h"
#include "keyvaultd/rsa.h"

#define SLOTS_MAX   64u
#define LABEL_BYTES (sizeof((CK_TOKEN_INFO *)NULL)->label) /* padded with blanks, without a NUL */

struct kv_hsm {
    CK_FUNCTION_LIST *module;
    bool initialized;
    CK_SLOT_ID slot;
    CK_SESSION_HANDLE login; /* as long as one session is open, the login lasts */
};

static bool did(const char *what, CK_RV rv)
{
    if (rv != CKR_OK) {
        gk_log(GK_LOG_ERROR, "hsm", "%s: %s", what, p11_kit_strerror(rv));
    }
    return rv == CKR_OK;
}

/* --- the token ---------------------------------------------------------------------------------- */

static bool is_labelled(const CK_TOKEN_INFO *info, const char *label)
{
    const size_t len = strlen(label);
    if (len > LABEL_BYTES || memcmp(info->label, label, len) != 0) {
        return false;
    }
    for (size_t i = len; i < LABEL_BYTES; i++) {
        if (info->label[i] != ' ') {
            return false;
        }
    }
    return true;
}

static enum gk_status find_slot(struct kv_hsm *hsm, const char *label, struct gk_error *error)
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG count = SLOTS_MAX;
    size_t found = 0;
    const CK_RV rv = hsm->module->C_GetSlotList(CK_TRUE, slots, &count);
    if (rv != CKR_OK) {
        return gk_fail(error, GK_E_INVALID, "hsm: the module's tokens cannot be listed: %s",
                       p11_kit_strerror(rv));
    }
    for (CK_ULONG i = 0; i < count; i++) {
        CK_TOKEN_INFO info;
        if (hsm->module->C_GetTokenInfo(slots[i], &info) == CKR_OK && is_labelled(&info, label)) {
            hsm->slot = slots[i];
            found++;
        }
    }
    return found == 1 ? GK_OK
                      : gk_fail(error, GK_E_INVALID, "hsm: %s token has the label \"%s\"",
                                found == 0 ? "no" : "more than one", label);
}

static enum gk_status log_in(struct kv_hsm *hsm, char *pin, struct gk_error *error)
{
    CK_RV rv = hsm->module->C_OpenSession(hsm->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                          NULL, &hsm->login);
    if (rv == CKR_OK) {
        rv = hsm->module->C_Login(hsm->login, CKU_USER, (CK_UTF8CHAR *)pin, strlen(pin));
    }
    return rv == CKR_OK ? GK_OK
                        : gk_fail(error, GK_E_INVALID, "hsm: the token lets nobody in: %s",
                                  p11_kit_strerror(rv));
}

static enum gk_status open_module(struct kv_hsm *hsm, const char *path, struct gk_error *error)
{
    hsm->module = p11_kit_module_load(path, 0);
    if (hsm->module == NULL) {
        return gk_fail(error, GK_E_INVALID, "hsm: %s cannot be loaded: %s", path,
                       p11_kit_message());
    }
    const CK_RV rv = p11_kit_module_initialize(hsm->module);
    hsm->initialized = rv == CKR_OK;
    return rv == CKR_OK ? GK_OK
                        : gk_fail(error, GK_E_INVALID, "hsm: %s cannot be initialized: %s", path,
                                  p11_kit_strerror(rv));
}

enum gk_status kv_hsm_open(const char *module, const char *label, char *pin, struct kv_hsm **out,
                           struct gk_error *error)
{
    *out = NULL;
    struct kv_hsm *hsm = calloc(1, sizeof *hsm);
    if (hsm == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    enum gk_status status = open_module(hsm, module, error);
    if (status == GK_OK) {
        status = find_slot(hsm, label, error);
    }
    if (status == GK_OK) {
        status = log_in(hsm, pin, error);
    }
    if (status != GK_OK) {
        kv_hsm_close(hsm);
        return status;
    }
    *out = hsm;
    return GK_OK;
}

void kv_hsm_close(struct kv_hsm *hsm)
{
    if (hsm == NULL) {
        return;
    }
    if (hsm->initialized) {
        p11_kit_module_finalize(hsm->module);
    }
    if (hsm->module != NULL) {
        p11_kit_module_release(hsm->module);
    }
    free(hsm);
}

static bool open_session(const struct kv_hsm *hsm, CK_SESSION_HANDLE *session)
{
    return did("a session",
               hsm->module->C_OpenSession(hsm->slot, CKF_SERIAL_SESSION | CKF_RW_SESSION, NULL,
                                          NULL, session));
}

/* --- making a key ------------------------------------------------------------------------------- */

static bool make_id(char id[KV_HSM_ID_BYTES])
{
    uint8_t bytes[(KV_HSM_ID_BYTES - 1) / 2];
    struct gk_buf hex;
    gk_buf_init(&hex, KV_HSM_ID_BYTES);
    if (gk_random(bytes, sizeof bytes)) {
        gk_hex_encode(&hex, gk_span_of(bytes, sizeof bytes));
    }
    const bool good = gk_buf_status(&hex) == GK_OK && hex.len == KV_HSM_ID_BYTES - 1;
    memcpy(id, good ? gk_buf_str(&hex) : "", good ? KV_HSM_ID_BYTES : 1);
    gk_buf_cleanup(&hex);
    return good;
}

static EVP_PKEY *read_public(const struct kv_hsm *hsm, CK_SESSION_HANDLE session,
                             CK_OBJECT_HANDLE object)
{
    uint8_t n[KV_RSA_BYTES_MAX];
    uint8_t e[KV_RSA_BYTES_MAX];
    CK_ATTRIBUTE parts[] = {{CKA_MODULUS, n, sizeof n}, {CKA_PUBLIC_EXPONENT, e, sizeof e}};
    if (!did("the public key", hsm->module->C_GetAttributeValue(session, object, parts,
                                                                sizeof parts / sizeof parts[0]))) {
        return NULL;
    }
    BIGNUM *modulus = BN_bin2bn(n, (int)parts[0].ulValueLen, NULL);
    BIGNUM *exponent = BN_bin2bn(e, (int)parts[1].ulValueLen, NULL);
    EVP_PKEY *key = gk_rsa_public(modulus, exponent);
    BN_free(modulus);
    BN_free(exponent);
    return key;
}

/* The public half is kept by us: in the token it lasts as long as the session. */
static bool generate(const struct kv_hsm *hsm, CK_SESSION_HANDLE session, unsigned bits, char *id,
                     CK_OBJECT_HANDLE *public_key)
{
    CK_BBOOL yes = CK_TRUE;
    CK_BBOOL no = CK_FALSE;
    CK_ULONG modulus_bits = bits;
    CK_BYTE exponent[] = {1, 0, 1};
    CK_MECHANISM mechanism = {CKM_RSA_PKCS_KEY_PAIR_GEN, NULL, 0};
    CK_ATTRIBUTE public_parts[] = {{CKA_TOKEN, &no, sizeof no},
                                   {CKA_ENCRYPT, &yes, sizeof yes},
                                   {CKA_MODULUS_BITS, &modulus_bits, sizeof modulus_bits},
                                   {CKA_PUBLIC_EXPONENT, exponent, sizeof exponent}};
    CK_ATTRIBUTE private_parts[] = {
        {CKA_TOKEN, &yes, sizeof yes},     {CKA_PRIVATE, &yes, sizeof yes},
        {CKA_SENSITIVE, &yes, sizeof yes}, {CKA_EXTRACTABLE, &no, sizeof no},
        {CKA_DECRYPT, &yes, sizeof yes},   {CKA_SIGN, &no, sizeof no},
        {CKA_UNWRAP, &no, sizeof no},      {CKA_ID, id, KV_HSM_ID_BYTES - 1}};
    CK_OBJECT_HANDLE private_key = CK_INVALID_HANDLE;
    return did("a new key",
               hsm->module->C_GenerateKeyPair(
                   session, &mechanism, public_parts, sizeof public_parts / sizeof public_parts[0],
                   private_parts, sizeof private_parts / sizeof private_parts[0], public_key,
                   &private_key));
}

EVP_PKEY *kv_hsm_generate(struct kv_hsm *hsm, unsigned bits, char id[KV_HSM_ID_BYTES])
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    EVP_PKEY *key = NULL;
    if (!make_id(id) || !open_session(hsm, &session)) {
        return NULL;
    }
    if (generate(hsm, session, bits, id, &object)) {
        key = read_public(hsm, session, object);
        if (key == NULL && !kv_hsm_destroy(hsm, id)) {
            gk_log(GK_LOG_ERROR, "hsm", "the key %s is left in the token without use", id);
        }
    }
    (void)did("the end of a session", hsm->module->C_CloseSession(session));
    return key;
}

/* --- using and destroying one ------------------------------------------------------------------- */

/* CK_INVALID_HANDLE in *object when there is none; false when that cannot be told. */
static bool find_private(const struct kv_hsm *hsm, CK_SESSION_HANDLE session, const char *id,
                         CK_OBJECT_HANDLE *object)
{
    char wanted[KV_HSM_ID_BYTES];
    CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
    CK_ULONG count = 0;
    memcpy(wanted, id, sizeof wanted);
    CK_ATTRIBUTE parts[] = {{CKA_CLASS, &class, sizeof class},
                            {CKA_ID, wanted, KV_HSM_ID_BYTES - 1}};
    *object = CK_INVALID_HANDLE;
    if (!did("a search",
             hsm->module->C_FindObjectsInit(session, parts, sizeof parts / sizeof parts[0]))) {
        return false;
    }
    const CK_RV rv = hsm->module->C_FindObjects(session, object, 1, &count);
    const bool ended = did("the end of a search", hsm->module->C_FindObjectsFinal(session));
    return did("a search", rv) && ended;
}

static bool decrypt(const struct kv_hsm *hsm, CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                    struct gk_span in, struct gk_buf *out)
{
    CK_MECHANISM mechanism = {CKM_RSA_X_509, NULL, 0};
    uint8_t given[KV_RSA_BYTES_MAX]; /* the module's interface has no const */
    if (in.len > sizeof given) {
        return false;
    }
    memcpy(given, in.data, in.len);
    uint8_t *room = gk_secret_alloc(in.len);
    CK_ULONG len = in.len;
    bool good =
        room != NULL &&
        did("the private operation", hsm->module->C_DecryptInit(session, &mechanism, object)) &&
        did("the private operation", hsm->module->C_Decrypt(session, given, in.len, room, &len)) &&
        len <= in.len;
    if (good) {
        /* A token may leave zeros out that the number begins with. */
        for (CK_ULONG i = len; i < in.len; i++) {
            gk_buf_append_u8(out, 0);
        }
        gk_buf_append(out, room, len);
        good = gk_buf_status(out) == GK_OK;
    }
    gk_secret_free(&room);
    return good;
}

bool kv_hsm_decrypt(struct kv_hsm *hsm, const char *id, struct gk_span in, struct gk_buf *out)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    if (!open_session(hsm, &session)) {
        return false;
    }
    bool good = find_private(hsm, session, id, &object);
    if (good && object == CK_INVALID_HANDLE) {
        gk_log(GK_LOG_ERROR, "hsm", "the token has no key %s any more", id);
        good = false;
    }
    good = good && decrypt(hsm, session, object, in, out);
    (void)did("the end of a session", hsm->module->C_CloseSession(session));
    return good;
}

bool kv_hsm_destroy(struct kv_hsm *hsm, const char *id)
{
    CK_SESSION_HANDLE session = CK_INVALID_HANDLE;
    CK_OBJECT_HANDLE object = CK_INVALID_HANDLE;
    if (!open_session(hsm, &session)) {
        return false;
    }
    const bool good = find_private(hsm, session, id, &object) &&
                      (object == CK_INVALID_HANDLE ||
                       did("a removal", hsm->module->C_DestroyObject(session, object)));
    (void)did("the end of a session", hsm->module->C_CloseSession(session));
    return good;
}
