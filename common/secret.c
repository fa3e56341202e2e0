/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secret.h"

#include <linux/capability.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define CLASSES           9u /* 64, 128, ... 16384 bytes */
#define CLASS_FIRST_BYTES 64u
#define REGION_BYTES      (64u * 1024u)
#define HEADER_BYTES      16u /* keeps blocks aligned for any type */

/* Stands before each block; a free block is linked through next. */
struct block {
    uint32_t size_class;
    uint32_t locked;
};

struct free_block {
    struct free_block *next;
};

_Static_assert(sizeof(struct block) <= HEADER_BYTES, "the header must fit before the block");

static struct {
    pthread_mutex_t mutex; /* guards free_blocks */
    struct free_block *free_blocks[CLASSES];
    atomic_bool strict;
    atomic_size_t unlocked_bytes;
} arena = {.mutex = PTHREAD_MUTEX_INITIALIZER};

static size_t class_bytes(uint32_t size_class)
{
    return (size_t)CLASS_FIRST_BYTES << size_class;
}

static struct block *header_of(void *data)
{
    return (struct block *)((uint8_t *)data - HEADER_BYTES);
}

/* Maps a region and cuts it into free blocks of one class. Called with the mutex held. */
static bool locked_add_region(uint32_t size_class)
{
    uint8_t *region =
        mmap(NULL, REGION_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (region == MAP_FAILED) {
        return false;
    }
    const bool is_locked = mlock(region, REGION_BYTES) == 0;
    if (!is_locked && atomic_load(&arena.strict)) {
        munmap(region, REGION_BYTES);
        return false;
    }
    /* A child must never see keys, nor a core file hold them. Old kernels may refuse either. */
    (void)madvise(region, REGION_BYTES, MADV_DONTDUMP);
    (void)madvise(region, REGION_BYTES, MADV_WIPEONFORK);
    const size_t stride = HEADER_BYTES + class_bytes(size_class);
    for (size_t at = 0; at + stride <= REGION_BYTES; at += stride) {
        struct block *block = (struct block *)(region + at);
        *block = (struct block){.size_class = size_class, .locked = is_locked};
        struct free_block *free_block = (struct free_block *)(region + at + HEADER_BYTES);
        free_block->next = arena.free_blocks[size_class];
        arena.free_blocks[size_class] = free_block;
    }
    return true;
}

void *gk_secret_alloc(size_t len)
{
    if (len == 0 || len > GK_SECRET_BYTES_MAX) {
        return NULL;
    }
    uint32_t size_class = 0;
    while (class_bytes(size_class) < len) {
        size_class++;
    }
    pthread_mutex_lock(&arena.mutex);
    if (arena.free_blocks[size_class] == NULL && !locked_add_region(size_class)) {
        pthread_mutex_unlock(&arena.mutex);
        return NULL;
    }
    struct free_block *block = arena.free_blocks[size_class];
    arena.free_blocks[size_class] = block->next;
    pthread_mutex_unlock(&arena.mutex);
    block->next = NULL; /* the rest was wiped when it was freed */
    if (!header_of(block)->locked) {
        atomic_fetch_add(&arena.unlocked_bytes, class_bytes(size_class));
    }
    return block;
}

void gk_secret_free_at(void **secret)
{
    if (*secret == NULL) {
        return;
    }
    struct free_block *block = *secret;
    *secret = NULL;
    const struct block *header = header_of(block);
    const uint32_t size_class = header->size_class;
    gk_wipe(block, class_bytes(size_class));
    if (!header->locked) {
        atomic_fetch_sub(&arena.unlocked_bytes, class_bytes(size_class));
    }
    pthread_mutex_lock(&arena.mutex);
    block->next = arena.free_blocks[size_class];
    arena.free_blocks[size_class] = block;
    pthread_mutex_unlock(&arena.mutex);
}

void gk_secret_set_strict(bool strict)
{
    atomic_store(&arena.strict, strict);
}

size_t gk_secret_unlocked_bytes(void)
{
    return atomic_load(&arena.unlocked_bytes);
}

bool gk_secret_equal(struct gk_span a, struct gk_span b)
{
    return a.len == b.len && (a.len == 0 || CRYPTO_memcmp(a.data, b.data, a.len) == 0);
}

void gk_wipe(void *data, size_t len)
{
    OPENSSL_cleanse(data, len);
}

/* Under a limit, all that is mapped counts, touched or not: the stacks of a few threads use it up, and from
 * then on there is memory for nothing. */
static bool may_lock_all(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct held[_LINUX_CAPABILITY_U32S_3] = {{0}};
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0 && limit.rlim_cur == RLIM_INFINITY) {
        return true;
    }
    return syscall(SYS_capget, &header, held) == 0 &&
           (held[CAP_TO_INDEX(CAP_IPC_LOCK)].effective & CAP_TO_MASK(CAP_IPC_LOCK)) != 0;
}

bool gk_process_harden(void)
{
    const struct rlimit no_core = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &no_core);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    /* Cipher contexts of the crypto library hold key schedules in ordinary heap memory, so no memory
     * at all goes into a core file, whoever writes it. */
    FILE *filter = fopen("/proc/self/coredump_filter", "we");
    if (filter != NULL) {
        fputs("0\n", filter);
        fclose(filter);
    }
    return may_lock_all() && mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) == 0;
}
