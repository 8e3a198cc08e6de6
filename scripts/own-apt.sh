# SPDX-License-Identifier: MIT
# Sourced: gets things out of Debian's archive. Only through apt, which verifies them, but through one with a
# directory of its own, $cache/apt: nothing of the system's is touched. A script that sources this has a function
# `problem`, which does not return.
# shellcheck shell=bash
# shellcheck disable=SC2154 # cache and release are the caller's

# What this machine has, if it is Debian; else nothing.
release=$(. /etc/os-release && [ "${ID:-}" = debian ] && echo "${VERSION_CODENAME:-}") || release=

# Where this machine gets its own release from. Others than Debian have suites of the same name: apt finds out
# by the signature.
mirrors() {
  apt-get --print-uris update 2>/dev/null |
    sed -n "s,^'\([^']*\)/dists/$release/InRelease'.*,\1,p" | sort -u
}

# Makes `apt` and `dpkg-deb` work in a directory for SUITE and ARCH alone, with the list of its packages.
enter_suite() { # SUITE ARCH
  local keys=/usr/share/keyrings/debian-archive-keyring.gpg mirror try directory=$cache/apt/$1-$2

  [ -r "$keys" ] || problem "$keys is missing: install debian-archive-keyring"
  mkdir -p "$directory"/{etc/apt/{apt.conf.d,preferences.d},var/lib/{apt/lists/partial,dpkg}} \
    "$directory/var/cache/apt/archives/partial"
  : >"$directory/var/lib/dpkg/status"
  {
    # How this machine reaches its mirror.
    apt-config dump | grep -E '^Acquire::(https?|ftp|Proxy|proxy|Check-)' || true
    cat <<CONFIG
Dir "$directory";
Dir::State::status "$directory/var/lib/dpkg/status";
APT::Architecture "$2";
APT::Architectures { "$2"; };
APT::Sandbox::User "root";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
CONFIG
  } >"$directory/apt.conf"
  for try in 1 2 3; do
    for mirror in $(mirrors); do
      echo "deb [signed-by=$keys] $mirror $1 main" >"$directory/etc/apt/sources.list"
      if APT_CONFIG=$directory/apt.conf apt-get update -qq >"$directory/log" 2>&1; then
        export APT_CONFIG=$directory/apt.conf
        return
      fi
    done
    sleep "$try"
  done
  cat "$directory/log" >&2 2>/dev/null || true
  problem "Debian's suite $1 cannot be got from where this machine's apt gets its packages ($(mirrors | tr '\n' ' '))"
}
