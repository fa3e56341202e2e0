/* SPDX-License-Identifier: Apache-2.0 */
#include "common/address.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define IPV4_BYTES   4u
#define COUNT(array) (sizeof(array) / sizeof *(array))

struct block {
    uint8_t address[16];
    unsigned bits;
    enum gk_reach reach;
};

/* The first that holds an address decides. */
static const struct block ipv4_blocks[] = {
    {{0}, 8, GK_REACH_NEVER},                   /* this network */
    {{10}, 8, GK_REACH_PRIVATE},                /* private */
    {{100, 100, 100, 200}, 32, GK_REACH_NEVER}, /* instance metadata of one vendor */
    {{100, 64}, 10, GK_REACH_PRIVATE},          /* shared, behind a carrier's NAT */
    {{127}, 8, GK_REACH_PRIVATE},               /* loopback */
    {{168, 63, 129, 16}, 32, GK_REACH_NEVER},   /* a host's own services of another */
    {{169, 254}, 16, GK_REACH_NEVER},           /* link-local, and instance metadata of most */
    {{172, 16}, 12, GK_REACH_PRIVATE},          /* private */
    {{192, 0, 0}, 24, GK_REACH_NEVER},    /* protocol assignments, instance metadata of one more */
    {{192, 0, 2}, 24, GK_REACH_NEVER},    /* documentation */
    {{192, 88, 99}, 24, GK_REACH_NEVER},  /* 6to4 relays, obsolete */
    {{192, 168}, 16, GK_REACH_PRIVATE},   /* private */
    {{198, 18}, 15, GK_REACH_NEVER},      /* benchmarks */
    {{198, 51, 100}, 24, GK_REACH_NEVER}, /* documentation */
    {{203, 0, 113}, 24, GK_REACH_NEVER},  /* documentation */
    {{224}, 3, GK_REACH_NEVER},           /* multicast, reserved, broadcast */
    {{0}, 0, GK_REACH_PUBLIC},
};

static const struct block ipv6_blocks[] = {
    {{[15] = 1}, 128, GK_REACH_PRIVATE}, /* loopback */
    {{0xfd, 0x00, 0x0e, 0xc2, [14] = 0x02, [15] = 0x54},
     128,
     GK_REACH_NEVER}, /* instance metadata */
    {{0xfd, 0x20, 0x00, 0xce, [14] = 0x02, [15] = 0x54}, 128, GK_REACH_NEVER}, /* of two vendors */
    {{0xfc}, 7, GK_REACH_PRIVATE},                                             /* unique local */
    {{0x20, 0x01, 0x00}, 23, GK_REACH_NEVER},       /* protocol assignments, Teredo */
    {{0x20, 0x01, 0x0d, 0xb8}, 32, GK_REACH_NEVER}, /* documentation */
    {{0x20, 0x02}, 16, GK_REACH_NEVER},             /* 6to4, obsolete */
    {{0x3f, 0xff, 0x00}, 20, GK_REACH_NEVER},       /* documentation */
    {{0x20}, 3, GK_REACH_PUBLIC},                   /* global unicast */
    {{0}, 0, GK_REACH_NEVER},
};

static const struct block ipv4_carriers[] = {
    {{[10] = 0xff, [11] = 0xff}, 96, GK_REACH_PUBLIC}, /* mapped */
    {{0x00, 0x64, 0xff, 0x9b}, 96, GK_REACH_PUBLIC},   /* NAT64's well-known prefix */
};

static bool holds(const struct block *block, const uint8_t *address)
{
    const unsigned bytes = block->bits / 8;
    const unsigned rest = block->bits % 8;
    if (memcmp(block->address, address, bytes) != 0) {
        return false;
    }
    return rest == 0 || (block->address[bytes] ^ address[bytes]) >> (8 - rest) == 0;
}

/* blocks ends with one that holds everything. */
static enum gk_reach reach_of(const struct block *blocks, const uint8_t *address)
{
    while (!holds(blocks, address)) {
        blocks++;
    }
    return blocks->reach;
}

static enum gk_reach reach_of_ipv6(const uint8_t *address)
{
    for (size_t i = 0; i < COUNT(ipv4_carriers); i++) {
        if (holds(&ipv4_carriers[i], address)) {
            return reach_of(ipv4_blocks, address + 16 - IPV4_BYTES);
        }
    }
    return reach_of(ipv6_blocks, address);
}

enum gk_reach gk_address_reach(const struct sockaddr *address)
{
    if (address->sa_family == AF_INET) {
        struct sockaddr_in ipv4;
        memcpy(&ipv4, address, sizeof ipv4);
        uint8_t bytes[IPV4_BYTES];
        memcpy(bytes, &ipv4.sin_addr, sizeof bytes);
        return reach_of(ipv4_blocks, bytes);
    }
    if (address->sa_family == AF_INET6) {
        struct sockaddr_in6 ipv6;
        memcpy(&ipv6, address, sizeof ipv6);
        return reach_of_ipv6(ipv6.sin6_addr.s6_addr);
    }
    return GK_REACH_NEVER;
}
