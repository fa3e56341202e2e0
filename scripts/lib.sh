# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What scripts/demo, scripts/test and bench/run share. Sourced, not run.
# shellcheck disable=SC2034 # what is set here is used there

build_packages=(gcc libc6-dev make cmake ninja-build pkg-config libmicrohttpd-dev libgnutls28-dev libsqlite3-dev
    librados-dev libjansson-dev libcurl4-openssl-dev libxml2-dev libconfig-dev libssl-dev libp11-kit-dev
    libcmocka-dev openssl ca-certificates)
demo_packages=(python3 python3-azure python3-azure-storage)
ceph_packages=(ceph-mon ceph-osd ceph-common python3)
test_packages=(git clang clang-format clang-tidy libclang-rt-14-dev cppcheck g++ shellcheck gdb rclone
    azure-cli chromium python3-cryptography curl libsecret-1-0 softhsm2 opensc dpkg-dev file systemd
    logrotate ansible ansible-lint debootstrap systemd-container libestr0 libfastjson4)

say() {
    printf '\n\033[1m%s\033[0m\n' "$*"
}

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# need_packages NAME...: installs what is missing from Debian's archive; needs root only for that.
need_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    [ "$(id -u)" -eq 0 ] || fail "these packages are missing; run as root, or install them: ${missing[*]}"
    say "Installing ${#missing[@]} Debian packages"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -q >/dev/null || fail "apt-get update failed"
    apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null ||
        fail "apt-get could not install: ${missing[*]}"
}

# need_unpacked PACKAGE PROGRAM: a program in the PATH, taken out of its package: to install that would start
# a server.
need_unpacked() {
    local tools
    tools=$PWD/build/tools
    PATH=$PATH:$tools/usr/bin:$tools/usr/sbin
    command -v "$2" >/dev/null && return
    mkdir -p "$tools"
    (cd "$tools" && { apt-get download -q "$1" || { apt-get update -q && apt-get download -q "$1"; }; } >/dev/null 2>&1 &&
        dpkg-deb -x "$1"_*.deb . && rm "$1"_*.deb) || fail "apt-get could not download $1"
}

# need_node: Node.js 18 or later and npm, for the vendor's JavaScript SDKs in the tests.
need_node() {
    if ! command -v node >/dev/null || ! command -v npm >/dev/null; then
        need_packages nodejs npm
    fi
    [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 18 ] || fail "Node.js 18 or later is needed"
}

# build PRESET [TARGET...]: configures and builds, quietly unless it fails.
build() {
    local log
    log=$(mktemp)
    if ! { cmake --preset "$1" && cmake --build --preset "$1" ${2:+--target "${@:2}"}; } >"$log" 2>&1; then
        tail -n 60 "$log" >&2
        fail "the build failed ($1); the whole log is in $log"
    fi
    rm -f "$log"
}
