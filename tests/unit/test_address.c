/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: no address that only the server can reach passes for one of the Internet, in whatever form.
 * Method: a table of addresses, with the first and last of the blocks that are told apart.
 */
#include "common/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "unit/cmocka_all.h"

static enum gk_reach reach_of(const char *text)
{
    struct sockaddr_in ipv4 = {.sin_family = AF_INET};
    struct sockaddr_in6 ipv6 = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &ipv4.sin_addr) == 1) {
        return gk_address_reach((const struct sockaddr *)&ipv4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &ipv6.sin6_addr), 1);
    return gk_address_reach((const struct sockaddr *)&ipv6);
}

static void test_address__reach(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum gk_reach reach;
    } rows[] = {
        {"1.1.1.1", GK_REACH_PUBLIC},
        {"9.255.255.255", GK_REACH_PUBLIC},
        {"11.0.0.0", GK_REACH_PUBLIC},
        {"20.60.1.1", GK_REACH_PUBLIC},
        {"100.63.255.255", GK_REACH_PUBLIC},
        {"100.128.0.0", GK_REACH_PUBLIC},
        {"126.255.255.255", GK_REACH_PUBLIC},
        {"128.0.0.0", GK_REACH_PUBLIC},
        {"168.63.129.15", GK_REACH_PUBLIC},
        {"169.253.255.255", GK_REACH_PUBLIC},
        {"169.255.0.0", GK_REACH_PUBLIC},
        {"172.15.255.255", GK_REACH_PUBLIC},
        {"172.32.0.0", GK_REACH_PUBLIC},
        {"192.167.255.255", GK_REACH_PUBLIC},
        {"192.169.0.0", GK_REACH_PUBLIC},
        {"223.255.255.255", GK_REACH_PUBLIC},
        {"10.0.0.0", GK_REACH_PRIVATE},
        {"10.255.255.255", GK_REACH_PRIVATE},
        {"100.64.0.0", GK_REACH_PRIVATE},
        {"100.127.255.255", GK_REACH_PRIVATE},
        {"127.0.0.1", GK_REACH_PRIVATE},
        {"127.255.255.255", GK_REACH_PRIVATE},
        {"172.16.0.0", GK_REACH_PRIVATE},
        {"172.31.255.255", GK_REACH_PRIVATE},
        {"192.168.0.0", GK_REACH_PRIVATE},
        {"192.168.255.255", GK_REACH_PRIVATE},
        {"0.0.0.0", GK_REACH_NEVER},
        {"0.255.255.255", GK_REACH_NEVER},
        {"100.100.100.200", GK_REACH_NEVER},
        {"168.63.129.16", GK_REACH_NEVER},
        {"169.254.0.0", GK_REACH_NEVER},
        {"169.254.169.254", GK_REACH_NEVER},
        {"192.0.0.192", GK_REACH_NEVER},
        {"192.0.2.1", GK_REACH_NEVER},
        {"192.88.99.1", GK_REACH_NEVER},
        {"198.18.0.1", GK_REACH_NEVER},
        {"198.19.255.255", GK_REACH_NEVER},
        {"198.51.100.1", GK_REACH_NEVER},
        {"203.0.113.1", GK_REACH_NEVER},
        {"224.0.0.1", GK_REACH_NEVER},
        {"239.255.255.255", GK_REACH_NEVER},
        {"240.0.0.1", GK_REACH_NEVER},
        {"255.255.255.255", GK_REACH_NEVER},
        {"2603:1030::1", GK_REACH_PUBLIC},
        {"2a00:1450:4001::1", GK_REACH_PUBLIC},
        {"3ffe:ffff::1", GK_REACH_PUBLIC},
        {"::1", GK_REACH_PRIVATE},
        {"fc00::1", GK_REACH_PRIVATE},
        {"fdff::1", GK_REACH_PRIVATE},
        {"::", GK_REACH_NEVER},
        {"::127.0.0.1", GK_REACH_NEVER}, /* compatible, obsolete */
        {"100::1", GK_REACH_NEVER},
        {"2001::1", GK_REACH_NEVER},
        {"2001:1ff::1", GK_REACH_NEVER},
        {"2001:db8::1", GK_REACH_NEVER},
        {"2002:7f00:1::1", GK_REACH_NEVER},
        {"2002:101:101::1", GK_REACH_NEVER},
        {"3fff::1", GK_REACH_NEVER},
        {"5f00::1", GK_REACH_NEVER},
        {"fd00:ec2::254", GK_REACH_NEVER},
        {"fd20:ce::254", GK_REACH_NEVER},
        {"fe80::1", GK_REACH_NEVER},
        {"fec0::1", GK_REACH_NEVER},
        {"ff02::1", GK_REACH_NEVER},
        /* What they carry counts. */
        {"::ffff:1.1.1.1", GK_REACH_PUBLIC},
        {"::ffff:127.0.0.1", GK_REACH_PRIVATE},
        {"::ffff:10.1.2.3", GK_REACH_PRIVATE},
        {"::ffff:169.254.169.254", GK_REACH_NEVER},
        {"::ffff:0.0.0.0", GK_REACH_NEVER},
        {"64:ff9b::1.1.1.1", GK_REACH_PUBLIC},
        {"64:ff9b::10.1.2.3", GK_REACH_PRIVATE},
        {"64:ff9b::169.254.169.254", GK_REACH_NEVER},
        {"64:ff9b:1::1.1.1.1", GK_REACH_NEVER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (reach_of(rows[i].text) != rows[i].reach) {
            fail_msg("%s is %d", rows[i].text, (int)reach_of(rows[i].text));
        }
    }
}

static void test_address__what_is_no_address(void **state)
{
    (void)state;
    const struct sockaddr_un path = {.sun_family = AF_UNIX, .sun_path = "/run/x"};
    assert_int_equal(gk_address_reach((const struct sockaddr *)&path), GK_REACH_NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address__reach),
        cmocka_unit_test(test_address__what_is_no_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
