/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway/store/volume.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/log.h"
#include "common/text.h"

#define BLOCK_BYTES       4096u
#define VOLUME_BYTES_MAX  (UINT64_C(1) << 30)
#define VOLUMES_COUNT_MAX 65536u
#define NAME_BYTES        32u
#define WRITE_BACK_BYTES  (UINT64_C(1) << 20)
#define RELEASE_BATCH     64u
#define NO_VOLUME         UINT32_MAX

struct volume {
    int fd;              /* -1: no file */
    uint64_t live_bytes; /* in whole blocks */
};

struct gk_volumes {
    int directory;
    pthread_mutex_t mutex; /* guards all below; never held during a read or write of data */
    struct volume *volumes;
    uint32_t count;           /* length of the array */
    uint32_t current;         /* the one that space is given out of; NO_VOLUME before the first */
    uint64_t position;        /* in it */
    pthread_rwlock_t holders; /* read: somebody relies on extents; write: holes are being made */
};

static uint64_t whole_blocks(uint64_t length)
{
    return (length + BLOCK_BYTES - 1) / BLOCK_BYTES * BLOCK_BYTES;
}

static void volume_name(uint32_t number, char name[NAME_BYTES])
{
    snprintf(name, NAME_BYTES, "%08u.vol", number);
}

/* False for a name that is not a volume's. */
static bool volume_number(const char *name, uint32_t *number)
{
    uint64_t value = 0;
    if (strlen(name) != 12 || strcmp(name + 8, ".vol") != 0 ||
        !gk_parse_u64(gk_span_of(name, 8), UINT32_MAX, &value)) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

static enum gk_status fail_errno(struct gk_error *error, const char *what)
{
    const int code = errno;
    char reason[128];
    return gk_fail(error, GK_E_RESOURCE, "%s: %s", what, strerror_r(code, reason, sizeof reason));
}

/* Opens (or makes) volumes up to number. Called with the mutex held, or before threads. */
static enum gk_status locked_add(struct gk_volumes *volumes, uint32_t number, int flags,
                                 struct gk_error *error)
{
    if (number >= VOLUMES_COUNT_MAX) {
        return gk_fail(error, GK_E_RESOURCE, "there are no more volume numbers");
    }
    if (number >= volumes->count) {
        struct volume *grown = realloc(volumes->volumes, (number + 1) * sizeof *volumes->volumes);
        if (grown == NULL) {
            return gk_fail(error, GK_E_RESOURCE, "out of memory");
        }
        for (uint32_t i = volumes->count; i <= number; i++) {
            grown[i] = (struct volume){.fd = -1};
        }
        volumes->volumes = grown;
        volumes->count = number + 1;
    }
    char name[NAME_BYTES];
    volume_name(number, name);
    volumes->volumes[number].fd =
        openat(volumes->directory, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | flags, 0600);
    if (volumes->volumes[number].fd < 0) {
        return fail_errno(error, "opening a volume file");
    }
    /* A new file must be found again after a power cut that spares its content. */
    if ((flags & O_CREAT) != 0 && fsync(volumes->directory) != 0) {
        return fail_errno(error, "syncing the volume directory");
    }
    return GK_OK;
}

static enum gk_status open_existing(struct gk_volumes *volumes, struct gk_error *error)
{
    DIR *directory = fdopendir(dup(volumes->directory));
    if (directory == NULL) {
        return fail_errno(error, "reading the volume directory");
    }
    enum gk_status status = GK_OK;
    for (struct dirent *entry; status == GK_OK && (entry = readdir(directory)) != NULL;) {
        uint32_t number;
        if (volume_number(entry->d_name, &number)) {
            status = locked_add(volumes, number, 0, error);
        }
    }
    closedir(directory);
    return status;
}

enum gk_status gk_volumes_open(const char *directory, struct gk_volumes **out,
                               struct gk_error *error)
{
    struct gk_volumes *volumes = calloc(1, sizeof *volumes);
    if (volumes == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    volumes->current = NO_VOLUME;
    pthread_mutex_init(&volumes->mutex, NULL);
    /* Readers come without end under load; the one who frees space must get its turn. */
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&volumes->holders, &attributes);
    pthread_rwlockattr_destroy(&attributes);
    enum gk_status status = GK_OK;
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        status = fail_errno(error, directory);
    }
    volumes->directory = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (status == GK_OK && volumes->directory < 0) {
        status = fail_errno(error, directory);
    }
    if (status == GK_OK) {
        status = open_existing(volumes, error);
    }
    if (status != GK_OK) {
        gk_volumes_close(volumes);
        return status;
    }
    *out = volumes;
    return GK_OK;
}

void gk_volumes_close(struct gk_volumes *volumes)
{
    if (volumes == NULL) {
        return;
    }
    for (uint32_t i = 0; i < volumes->count; i++) {
        if (volumes->volumes[i].fd >= 0) {
            close(volumes->volumes[i].fd);
        }
    }
    if (volumes->directory >= 0) {
        close(volumes->directory);
    }
    pthread_rwlock_destroy(&volumes->holders);
    pthread_mutex_destroy(&volumes->mutex);
    free(volumes->volumes);
    free(volumes);
}

static void punch(int fd, uint64_t offset, uint64_t length)
{
    if (length > 0 && fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset,
                                (off_t)length) != 0) {
        gk_log(GK_LOG_WARNING, "store", "%llu bytes of a volume could not be given back (errno %d)",
               (unsigned long long)length, errno);
    }
}

/* Called with the mutex held and nobody holding extents of it, or before threads. */
static void locked_unlink_if_empty(struct gk_volumes *volumes, uint32_t number)
{
    struct volume *volume = &volumes->volumes[number];
    if (volume->fd < 0 || volume->live_bytes != 0 || number == volumes->current) {
        return;
    }
    char name[NAME_BYTES];
    volume_name(number, name);
    if (unlinkat(volumes->directory, name, 0) == 0) {
        close(volume->fd);
        volume->fd = -1;
    }
}

static uint64_t file_bytes(int fd)
{
    struct stat stat;
    return fstat(fd, &stat) == 0 ? (uint64_t)stat.st_size : 0;
}

struct sweep {
    gk_extent_next_fn *next;
    void *ctx;
    struct gk_extent extent;
    bool more;
};

static enum gk_status sweep_next(struct sweep *sweep, struct gk_error *error)
{
    const enum gk_status status = sweep->next(sweep->ctx, &sweep->extent, error);
    sweep->more = status == GK_OK;
    return status == GK_E_NOT_FOUND ? GK_OK : status;
}

/* Gives back everything of a volume that no extent names; *end is where the last one ends. */
static enum gk_status sweep_volume(struct gk_volumes *volumes, uint32_t number, struct sweep *sweep,
                                   uint64_t *end, struct gk_error *error)
{
    struct volume *volume = &volumes->volumes[number];
    *end = 0;
    while (sweep->more && sweep->extent.volume == number) {
        const struct gk_extent extent = sweep->extent;
        if (volume->fd < 0 || extent.offset < *end ||
            extent.offset + extent.length > file_bytes(volume->fd)) {
            return gk_fail(error, GK_E_INTEGRITY, "volume %u lacks what the database names",
                           number);
        }
        punch(volume->fd, *end, extent.offset - *end);
        *end = extent.offset + whole_blocks(extent.length);
        volume->live_bytes += whole_blocks(extent.length);
        const enum gk_status status = sweep_next(sweep, error);
        if (status != GK_OK) {
            return status;
        }
    }
    return volume->fd >= 0 && ftruncate(volume->fd, (off_t)*end) != 0
               ? fail_errno(error, "truncating a volume")
               : GK_OK;
}

enum gk_status gk_volumes_sweep(struct gk_volumes *volumes, gk_extent_next_fn *next, void *ctx,
                                struct gk_error *error)
{
    struct sweep sweep = {.next = next, .ctx = ctx};
    enum gk_status status = sweep_next(&sweep, error);
    for (uint32_t number = 0; status == GK_OK && number < volumes->count; number++) {
        uint64_t end = 0;
        status = sweep_volume(volumes, number, &sweep, &end, error);
        if (status != GK_OK) {
            break;
        }
        locked_unlink_if_empty(volumes, number);
        if (volumes->volumes[number].fd >= 0) {
            volumes->current = number;
            volumes->position = end;
        }
    }
    return status == GK_OK && sweep.more
               ? gk_fail(error, GK_E_INTEGRITY, "volume %u is missing", sweep.extent.volume)
               : status;
}

/* A new volume, under the lowest number that no file has. */
static enum gk_status locked_next_volume(struct gk_volumes *volumes, struct gk_error *error)
{
    uint32_t number = 0;
    while (number < volumes->count && volumes->volumes[number].fd >= 0) {
        number++;
    }
    const enum gk_status status = locked_add(volumes, number, O_CREAT | O_EXCL, error);
    if (status != GK_OK) {
        return status;
    }
    const uint32_t before = volumes->current;
    volumes->current = number;
    volumes->position = 0;
    if (before != NO_VOLUME) {
        locked_unlink_if_empty(volumes, before);
    }
    return GK_OK;
}

enum gk_status gk_volumes_allocate(struct gk_volumes *volumes, uint64_t length,
                                   struct gk_extent *extent, struct gk_error *error)
{
    const uint64_t space = whole_blocks(length);
    enum gk_status status = GK_OK;
    pthread_mutex_lock(&volumes->mutex);
    if (volumes->current == NO_VOLUME || volumes->position + space > VOLUME_BYTES_MAX) {
        status = locked_next_volume(volumes, error);
    }
    if (status == GK_OK) {
        *extent = (struct gk_extent){
            .volume = volumes->current, .offset = volumes->position, .length = length};
        volumes->position += space;
        volumes->volumes[extent->volume].live_bytes += space;
    }
    pthread_mutex_unlock(&volumes->mutex);
    return status;
}

static int fd_of(struct gk_volumes *volumes, uint32_t number)
{
    pthread_mutex_lock(&volumes->mutex);
    const int fd = number < volumes->count ? volumes->volumes[number].fd : -1;
    pthread_mutex_unlock(&volumes->mutex);
    return fd;
}

/* Without this, the next group commit of somebody else's small write would have to wait for all of a
 * large stream at once. A step at a time, since each start costs a walk over the pages. */
static void start_write_back(int fd, const struct gk_extent *extent, uint64_t from, uint64_t to)
{
    const uint64_t begin = from / WRITE_BACK_BYTES * WRITE_BACK_BYTES;
    const bool long_one = extent->length >= WRITE_BACK_BYTES; /* a short one waits for its sync */
    if (to - begin >= WRITE_BACK_BYTES || (long_one && to == extent->length)) {
        (void)sync_file_range(fd, (off_t)(extent->offset + begin), (off_t)(to - begin),
                              SYNC_FILE_RANGE_WRITE);
    }
}

enum gk_status gk_volumes_write(struct gk_volumes *volumes, const struct gk_extent *extent,
                                uint64_t position, struct gk_span bytes, struct gk_error *error)
{
    const int fd = fd_of(volumes, extent->volume);
    size_t done = 0;
    while (done < bytes.len) {
        const ssize_t written = pwrite(fd, bytes.data + done, bytes.len - done,
                                       (off_t)(extent->offset + position + done));
        if (written <= 0) {
            if (written < 0 && errno == EINTR) {
                continue;
            }
            return fail_errno(error, "writing to a volume");
        }
        done += (size_t)written;
    }
    start_write_back(fd, extent, position, position + bytes.len);
    return GK_OK;
}

enum gk_status gk_volumes_sync(struct gk_volumes *volumes, uint32_t volume, struct gk_error *error)
{
    return fdatasync(fd_of(volumes, volume)) == 0 ? GK_OK : fail_errno(error, "syncing a volume");
}

enum gk_status gk_volumes_read(struct gk_volumes *volumes, const struct gk_extent *extent,
                               uint64_t position, uint8_t *buffer, size_t len,
                               struct gk_error *error)
{
    const int fd = fd_of(volumes, extent->volume);
    size_t done = 0;
    while (done < len) {
        const ssize_t got =
            pread(fd, buffer + done, len - done, (off_t)(extent->offset + position + done));
        if (got == 0) {
            return gk_fail(error, GK_E_INTEGRITY, "a volume is shorter than what it holds");
        }
        if (got < 0) {
            if (errno == EINTR) {
                continue;
            }
            return fail_errno(error, "reading from a volume");
        }
        done += (size_t)got;
    }
    return GK_OK;
}

void gk_volumes_hold(struct gk_volumes *volumes)
{
    pthread_rwlock_rdlock(&volumes->holders);
}

void gk_volumes_unhold(struct gk_volumes *volumes)
{
    pthread_rwlock_unlock(&volumes->holders);
}

static int by_place(const void *left, const void *right)
{
    const struct gk_extent *a = left;
    const struct gk_extent *b = right;
    if (a->volume != b->volume) {
        return a->volume < b->volume ? -1 : 1;
    }
    return (a->offset > b->offset) - (a->offset < b->offset);
}

/* Neighbours become one hole: what was written together is often freed together. */
static void locked_release(struct gk_volumes *volumes, struct gk_extent *extents, size_t count)
{
    qsort(extents, count, sizeof *extents, by_place);
    for (size_t i = 0, next; i < count; i = next) {
        struct volume *volume = &volumes->volumes[extents[i].volume];
        uint64_t space = whole_blocks(extents[i].length);
        for (next = i + 1; next < count && extents[next].volume == extents[i].volume &&
                           extents[next].offset == extents[i].offset + space;
             next++) {
            space += whole_blocks(extents[next].length);
        }
        punch(volume->fd, extents[i].offset, space);
        volume->live_bytes -= space;
        locked_unlink_if_empty(volumes, extents[i].volume);
    }
}

void gk_volumes_release(struct gk_volumes *volumes, const struct gk_extent *extents, size_t count)
{
    for (size_t start = 0; start < count; start += RELEASE_BATCH) {
        struct gk_extent some[RELEASE_BATCH];
        const size_t left = count - start;
        const size_t here = left < RELEASE_BATCH ? left : RELEASE_BATCH;
        memcpy(some, extents + start, here * sizeof *some);
        pthread_rwlock_wrlock(&volumes->holders);
        pthread_mutex_lock(&volumes->mutex);
        locked_release(volumes, some, here);
        pthread_mutex_unlock(&volumes->mutex);
        pthread_rwlock_unlock(&volumes->holders);
    }
}
