/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/blob/hasher.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"
#include "gateway/blob/md5_lanes.h"

/* Fewer are hashed by whoever brings them: handing them over would cost as much. */
#define BLOCKS_MIN 256u
/* After so many the thread looks for streams that came meanwhile. */
#define BLOCKS_A_TURN 128u
/* One thread hashes what about so many others receive and seal. */
#define CORES_PER_THREAD 4u
#define THREADS_MAX      8u

struct gk_md5 {
    struct gk_md5_state state;
    uint64_t received;
    uint8_t tail[GK_MD5_BLOCK_BYTES]; /* what does not fill a block yet */
    struct gk_hasher *hasher;
    /* Handed over and not yet waited for: whole blocks, and who is next in the queue. */
    bool under_way;
    const uint8_t *at;
    size_t blocks;
    struct gk_md5 *next;
    sem_t done;
};

struct gk_hasher {
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t more;
    bool closing;
    struct gk_md5 *first;
    struct gk_md5 **last;
    pthread_t threads[THREADS_MAX];
    unsigned threads_count;
};

/* --- the threads --------------------------------------------------------------------------------*/

/* Fills up streams from the queue; with none, waits for one. How many there are now, 0 at the end. */
static unsigned take(struct gk_hasher *hasher, struct gk_md5 *streams[GK_MD5_LANES], unsigned count)
{
    pthread_mutex_lock(&hasher->mutex);
    while (count == 0 && hasher->first == NULL && !hasher->closing) {
        pthread_cond_wait(&hasher->more, &hasher->mutex);
    }
    while (count < GK_MD5_LANES && hasher->first != NULL) {
        struct gk_md5 *stream = hasher->first;
        hasher->first = stream->next;
        if (hasher->first == NULL) {
            hasher->last = &hasher->first;
        }
        streams[count++] = stream;
    }
    pthread_mutex_unlock(&hasher->mutex);
    return count;
}

static void hash_side_by_side(struct gk_md5 *const streams[GK_MD5_LANES], unsigned count,
                              size_t blocks)
{
    struct gk_md5_state *states[GK_MD5_LANES];
    const uint8_t *at[GK_MD5_LANES];
    struct gk_md5_state unused = streams[0]->state;
    for (unsigned i = 0; i < GK_MD5_LANES; i++) {
        states[i] = i < count ? &streams[i]->state : &unused;
        at[i] = streams[i < count ? i : 0]->at;
    }
    gk_md5_blocks_in_lanes(states, at, blocks);
    gk_wipe(&unused, sizeof unused);
}

/* As many blocks of each as all have, or a turn's; gives back those that are done. How many are left. */
static unsigned hash_a_turn(struct gk_md5 *streams[GK_MD5_LANES], unsigned count)
{
    size_t blocks = BLOCKS_A_TURN;
    for (unsigned i = 0; i < count; i++) {
        blocks = streams[i]->blocks < blocks ? streams[i]->blocks : blocks;
    }
    if (count == 1) {
        gk_md5_blocks(&streams[0]->state, streams[0]->at, blocks);
    } else {
        hash_side_by_side(streams, count, blocks);
    }
    unsigned left = 0;
    for (unsigned i = 0; i < count; i++) {
        struct gk_md5 *stream = streams[i];
        stream->at += blocks * GK_MD5_BLOCK_BYTES;
        stream->blocks -= blocks;
        if (stream->blocks > 0) {
            streams[left++] = stream;
        } else {
            sem_post(&stream->done);
        }
    }
    return left;
}

static void *run(void *ctx)
{
    struct gk_hasher *hasher = ctx;
    struct gk_md5 *streams[GK_MD5_LANES];
    unsigned count = 0;
    while ((count = take(hasher, streams, count)) > 0) {
        count = hash_a_turn(streams, count);
    }
    return NULL;
}

static unsigned threads_wanted(void)
{
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    const unsigned wanted =
        cores < 1 ? 1 : ((unsigned)cores + CORES_PER_THREAD - 1) / CORES_PER_THREAD;
    return wanted < THREADS_MAX ? wanted : THREADS_MAX;
}

enum gk_status gk_hasher_new(struct gk_hasher **out, struct gk_error *error)
{
    struct gk_hasher *hasher = calloc(1, sizeof *hasher);
    *out = NULL;
    if (hasher == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    pthread_mutex_init(&hasher->mutex, NULL);
    pthread_cond_init(&hasher->more, NULL);
    hasher->last = &hasher->first;
    for (const unsigned wanted = threads_wanted(); hasher->threads_count < wanted;
         hasher->threads_count++) {
        if (pthread_create(&hasher->threads[hasher->threads_count], NULL, run, hasher) != 0) {
            gk_hasher_free(hasher);
            return gk_fail(error, GK_E_RESOURCE, "no thread can be started");
        }
    }
    *out = hasher;
    return GK_OK;
}

void gk_hasher_free(struct gk_hasher *hasher)
{
    if (hasher == NULL) {
        return;
    }
    pthread_mutex_lock(&hasher->mutex);
    hasher->closing = true;
    pthread_cond_broadcast(&hasher->more);
    pthread_mutex_unlock(&hasher->mutex);
    for (unsigned i = 0; i < hasher->threads_count; i++) {
        pthread_join(hasher->threads[i], NULL);
    }
    pthread_cond_destroy(&hasher->more);
    pthread_mutex_destroy(&hasher->mutex);
    free(hasher);
}

/* --- streams ------------------------------------------------------------------------------------*/

struct gk_md5 *gk_md5_new(struct gk_hasher *hasher)
{
    struct gk_md5 *md5 = calloc(1, sizeof *md5);
    if (md5 != NULL) {
        md5->state = gk_md5_begin;
        md5->hasher = hasher;
        sem_init(&md5->done, 0, 0);
    }
    return md5;
}

void gk_md5_free(struct gk_md5 *md5)
{
    if (md5 == NULL) {
        return;
    }
    gk_md5_wait(md5);
    sem_destroy(&md5->done);
    gk_wipe(md5, sizeof *md5);
    free(md5);
}

void gk_md5_wait(struct gk_md5 *md5)
{
    while (md5->under_way) {
        md5->under_way = sem_wait(&md5->done) != 0; /* fails for a signal alone */
    }
}

static void hand_over(struct gk_md5 *md5, const uint8_t *at, size_t blocks)
{
    struct gk_hasher *hasher = md5->hasher;
    md5->under_way = true;
    md5->at = at;
    md5->blocks = blocks;
    md5->next = NULL;
    pthread_mutex_lock(&hasher->mutex);
    *hasher->last = md5;
    hasher->last = &md5->next;
    pthread_cond_signal(&hasher->more);
    pthread_mutex_unlock(&hasher->mutex);
}

void gk_md5_update(struct gk_md5 *md5, struct gk_span bytes)
{
    gk_md5_wait(md5);
    const size_t held = (size_t)(md5->received % GK_MD5_BLOCK_BYTES);
    md5->received += bytes.len;
    if (held > 0) {
        const size_t missing = GK_MD5_BLOCK_BYTES - held;
        const size_t taken = bytes.len < missing ? bytes.len : missing;
        memcpy(md5->tail + held, bytes.data, taken);
        bytes = gk_span_of(bytes.data + taken, bytes.len - taken);
        if (taken < missing) {
            return;
        }
        gk_md5_blocks(&md5->state, md5->tail, 1);
    }
    const size_t blocks = bytes.len / GK_MD5_BLOCK_BYTES;
    const size_t rest = bytes.len % GK_MD5_BLOCK_BYTES;
    if (rest > 0) {
        memcpy(md5->tail, bytes.data + bytes.len - rest, rest);
    }
    if (md5->hasher != NULL && blocks >= BLOCKS_MIN) {
        hand_over(md5, bytes.data, blocks);
    } else {
        gk_md5_blocks(&md5->state, bytes.data, blocks);
    }
}

/* RFC 1321, sections 3.1 and 3.2: a bit, zeros, and the length in bits, little endian. */
void gk_md5_final(struct gk_md5 *md5, uint8_t out[GK_MD5_BYTES])
{
    gk_md5_wait(md5);
    uint8_t end[2 * GK_MD5_BLOCK_BYTES] = {0};
    const size_t held = (size_t)(md5->received % GK_MD5_BLOCK_BYTES);
    const size_t blocks = held + 1 + sizeof(uint64_t) <= GK_MD5_BLOCK_BYTES ? 1 : 2;
    memcpy(end, md5->tail, held);
    end[held] = 0x80;
    for (size_t i = 0; i < sizeof(uint64_t); i++) {
        end[blocks * GK_MD5_BLOCK_BYTES - sizeof(uint64_t) + i] =
            (uint8_t)(md5->received * 8 >> (8 * i));
    }
    gk_md5_blocks(&md5->state, end, blocks);
    for (size_t i = 0; i < GK_MD5_BYTES; i++) {
        out[i] = (uint8_t)(md5->state.words[i / 4] >> (8 * (i % 4)));
    }
    gk_wipe(end, sizeof end);
}
