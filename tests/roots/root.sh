# SPDX-License-Identifier: MIT
# Sourced by run.sh: makes root filesystems of Debian's releases, and runs commands in them.
# shellcheck shell=bash
# shellcheck disable=SC2154 # cache, source and work are run.sh's

# shellcheck source=scripts/own-apt.sh
. "$source/scripts/own-apt.sh"

arch=$(dpkg --print-architecture)

# Shows the output of a command only if it fails.
quietly() {
  "$@" >"$work/log" 2>&1 || { tail -n 40 "$work/log" >&2 && return 1; }
}

# debootstrap does not read apt's configuration.
use_proxy_of_apt() {
  local http_proxy='' https_proxy=''

  eval "$(apt-config shell http_proxy Acquire::http::Proxy https_proxy Acquire::https::Proxy)"
  [ -z "$http_proxy" ] || export http_proxy
  [ -z "$https_proxy" ] || export https_proxy
  "$@"
}

# The smallest system that has apt. The downloaded packages stay in the cache.
make_base() { # SUITE DIRECTORY
  local mirror

  mirror=$(awk '{ print $3 }' "$cache/apt/$1-$arch/etc/apt/sources.list")
  mkdir -p "$cache/debs/partial"
  quietly use_proxy_of_apt debootstrap --variant=minbase --cache-dir="$cache/debs" \
    --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "$1" "$2" "$mirror" ||
    problem "debootstrap cannot make a root filesystem of $1"
}

# No documentation, no fsync(2), and no daemons.
configure_dpkg() { # DIRECTORY
  cat >"$1/etc/dpkg/dpkg.cfg.d/idmount" <<'END'
force-unsafe-io
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
END
  printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
  chmod 755 "$1/usr/sbin/policy-rc.d"
}

# This machine's apt downloads, because only it knows how to reach the mirror. The root's own apt installs, without
# a network.
add_packages() { # SUITE DIRECTORY PACKAGE...
  local suite=$1 root=$2 lists=$cache/apt/$1-$arch/var/lib/apt/lists
  local options=(-qq -y --no-install-recommends)

  shift 2
  [ $# -gt 0 ] || return 0
  quietly apt-get install "${options[@]}" --download-only -o Dir::State::status="$root/var/lib/dpkg/status" \
    -o Dir::Cache::archives="$cache/debs" "$@" || problem "the packages of a root filesystem cannot be downloaded"
  cp "$cache/apt/$suite-$arch/etc/apt/sources.list" "$root/etc/apt/sources.list"
  # shellcheck disable=SC2016 # for the inner shell
  quietly unshare --mount --pid --fork --kill-child --net --propagation private sh -euc '
    root=$1 lists=$2 debs=$3
    shift 3
    mount --bind "$lists" "$root/var/lib/apt/lists"
    mount --bind "$debs" "$root/var/cache/apt/archives"
    mount -t proc proc "$root/proc"
    DEBIAN_FRONTEND=noninteractive PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C APT_CONFIG= \
      chroot "$root" apt-get install "$@"
  ' sh "$root" "$lists" "$cache/debs" "${options[@]}" --no-download "$@" ||
    problem "the packages of a root filesystem cannot be installed"
}

# A root is there with exactly these packages.
is_current() { # PLACE SUITE PACKAGE...
  local place=$1

  shift
  [ "$(cat "$place.packages" 2>/dev/null)" = "$(printf '%s\n' "$@")" ]
}

# Makes a root without more packages, or else a copy of that one with them.
make_tree() { # DIRECTORY SUITE PACKAGE...
  if [ $# -gt 2 ]; then
    cp -a --reflink=auto "$cache/$2-bare-$arch" "$1"
    add_packages "$2" "$1" "${@:3}"
  else
    make_base "$2" "$1"
    configure_dpkg "$1"
  fi
}

# Makes $cache/NAME-ARCH, and beside it the list of what is in it. The subshell keeps apt's variables.
make_root() { # NAME SUITE PACKAGE...
  local place=$cache/$1-$arch

  shift
  is_current "$place" "$@" && return
  # Before the lock, which is for one process at a time.
  [ $# = 1 ] || make_root "$1-bare" "$1"
  (
    flock 9
    is_current "$place" "$@" && exit
    echo "making a root filesystem of $1" >&2
    rm -rf "$place.packages" "$place"
    enter_suite "$1" "$arch"
    make_tree "$work/new" "$@"
    mv "$work/new" "$place"
    printf '%s\n' "$@" >"$place.packages"
  ) 9>"$cache/lock"
}

# Kills all processes in the cgroup of the root, and removes it.
# shellcheck disable=SC2016 # for the inner shell
remove_cgroup() {
  [ -d "$work/root" ] || return 0
  unshare --mount --propagation private sh -euc '
    mount -t cgroup2 cgroup2 "$1"
    [ -d "$1/$2" ] || exit 0
    echo 1 >"$1/$2/cgroup.kill"
    until find "$1/$2" -depth -type d -exec rmdir {} + 2>/dev/null; do
      sleep 0.1
    done
  ' sh "$work/root" "$(basename "$work")"
}

# Removes what a command in a root has left, so that the next one has a new overlay.
remove_traces() {
  remove_cgroup
  rm -rf --one-file-system "$work/upper" "$work/work"
}

# Runs a command in a root, in new namespaces. Nothing that it writes stays, except in BUILD, which it sees at /build.
# It sees this tree at /source. The PID namespace is the host's: lists of other mount namespaces require the initial
# one.
run_in_root() { # NAME BUILD COMMAND...
  local place=$cache/$1-$arch build=$2 options=(--mount --ipc --uts)

  shift 2
  [ -n "$network" ] || options+=(--net)
  mkdir -p "$work/upper" "$work/work" "$work/root" "$build"
  # In the background, so that a signal is heard.
  unshare "${options[@]}" --propagation private \
    "$here/enter" "$place" "$work" "$source" "$build" "$network" "$@" </dev/null &
  wait $!
}
