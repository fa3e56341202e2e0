/* SPDX-License-Identifier: Apache-2.0 */
#include "keyvaultd/arc.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/error.h"
#include "common/secret.h"
#include "common/text.h"

#define CHALLENGES_MAX 32u
#define SECRET_BYTES   (2u * GK_UUID_TEXT_BYTES)

/* One that is open has a name. */
struct challenge {
    char name[GK_UUID_TEXT_BYTES];
    char secret[SECRET_BYTES];
};

struct kv_arc {
    const char *directory;
    pthread_mutex_t mutex;
    struct challenge challenges[CHALLENGES_MAX];
    size_t next; /* the oldest, or an unused one */
};

static void path_of(const struct kv_arc *arc, const struct challenge *challenge,
                    char path[KV_ARC_PATH_BYTES])
{
    snprintf(path, KV_ARC_PATH_BYTES, "%s/%s.key", arc->directory, challenge->name);
}

static void locked_end(const struct kv_arc *arc, struct challenge *challenge)
{
    char path[KV_ARC_PATH_BYTES];
    if (challenge->name[0] != '\0') {
        path_of(arc, challenge, path);
        (void)unlink(path);
        gk_wipe(challenge, sizeof *challenge);
    }
}

static bool make_secret(struct challenge *challenge)
{
    struct gk_id ids[3];
    char halves[2][GK_UUID_TEXT_BYTES];
    for (size_t i = 0; i < 3; i++) {
        if (!gk_id_random(&ids[i])) {
            return false;
        }
    }
    gk_id_format(&ids[0], challenge->name);
    gk_id_format(&ids[1], halves[0]);
    gk_id_format(&ids[2], halves[1]);
    snprintf(challenge->secret, sizeof challenge->secret, "%s.%s", halves[0], halves[1]);
    gk_wipe(halves, sizeof halves);
    return true;
}

static bool write_file(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    const bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    return close(fd) == 0 && written;
}

enum gk_status kv_arc_open(const char *directory, struct kv_arc **out, struct gk_error *error)
{
    struct stat info;
    *out = NULL;
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode) ||
        directory[strlen(directory) - 1] == '/') {
        return gk_fail(error, GK_E_INVALID,
                       "%s: is no directory; make it, and name it without a slash at its end",
                       directory);
    }
    struct kv_arc *arc = calloc(1, sizeof *arc);
    if (arc == NULL) {
        return gk_fail(error, GK_E_RESOURCE, "out of memory");
    }
    arc->directory = directory;
    pthread_mutex_init(&arc->mutex, NULL);
    *out = arc;
    return GK_OK;
}

void kv_arc_close(struct kv_arc *arc)
{
    if (arc == NULL) {
        return;
    }
    for (size_t i = 0; i < CHALLENGES_MAX; i++) {
        locked_end(arc, &arc->challenges[i]);
    }
    pthread_mutex_destroy(&arc->mutex);
    free(arc);
}

bool kv_arc_challenge(struct kv_arc *arc, char path[KV_ARC_PATH_BYTES])
{
    pthread_mutex_lock(&arc->mutex);
    struct challenge *challenge = &arc->challenges[arc->next];
    arc->next = (arc->next + 1) % CHALLENGES_MAX;
    locked_end(arc, challenge);
    bool good = make_secret(challenge);
    if (good) {
        path_of(arc, challenge, path);
        good = write_file(path, challenge->secret);
    }
    if (!good) {
        locked_end(arc, challenge);
    }
    pthread_mutex_unlock(&arc->mutex);
    return good;
}

bool kv_arc_take(struct kv_arc *arc, const char *secret)
{
    bool taken = false;
    pthread_mutex_lock(&arc->mutex);
    for (size_t i = 0; i < CHALLENGES_MAX && !taken; i++) {
        struct challenge *challenge = &arc->challenges[i];
        taken = challenge->name[0] != '\0' &&
                gk_secret_equal(gk_span_str(challenge->secret), gk_span_str(secret));
        if (taken) {
            locked_end(arc, challenge);
        }
    }
    pthread_mutex_unlock(&arc->mutex);
    return taken;
}
