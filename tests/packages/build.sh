#!/bin/bash
# SPDX-License-Identifier: MIT
# In a root with the tools for packages: builds the packages of Debian and of rpm from /source, and checks them.
# debian.sh starts this, and counts the lines of results. The packages of Debian stay in /build/result.
# shellcheck disable=SC2317 # check calls the functions
# shellcheck disable=SC2154 # pkgver is APKBUILD's
set -u

# shellcheck source=tests/lib/check.bash
. /source/tests/lib/check.bash

# The tree as scripts/build-debs.sh copied it.
copy_tree() { # DIRECTORY
  mkdir -p "${1%/*}" && dpkg-source -x /build/result/idmount_*.dsc "$1"
}

# Another path, time, time zone, language, umask, and number of jobs.
build_differently() {
  copy_tree /tmp/other/path/tree && cd /tmp/other/path/tree || return
  # Later than the changelog: packages contain the time of older files.
  find . -exec touch -h -d '12 hours ago' {} +
  umask 077
  TZ=Pacific/Kiritimati LC_ALL=C DEB_BUILD_OPTIONS=parallel=1 dpkg-buildpackage --no-sign --build=binary
}

same_packages() {
  local deb

  for deb in /build/result/*.deb; do
    cmp "$deb" "/tmp/other/path/${deb##*/}" || return
  done
}

lint() {
  # lintian refuses root otherwise; a finding of these kinds is a failure.
  (cd /build/result && lintian --allow-root --fail-on error,warning idmount_*.changes)
}

version=$(sed -n "s/^  version: '\(.*\)',/\1/p" /source/meson.build)
same_versions() {
  [ "$(dpkg-parsechangelog -l /source/debian/changelog -S Version)" = "$version" ] &&
    [ "$(rpmspec -q --srpm --qf '%{version}' /source/packaging/rpm/idmount.spec)" = "$version" ] &&
    [ "$(. /source/packaging/alpine/APKBUILD && echo "$pkgver")" = "$version" ]
}

# Since version 253 the package systemd, which each machine has, does not tell where units go.
systemd_alone_is_refused() {
  local database=/tmp/dpkg missing

  mkdir -p "$database" && {
    awk -v RS= -v ORS='\n\n' '!/^Package: systemd(-dev)?\n/' /var/lib/dpkg/status
    printf '%s\n' 'Package: systemd' 'Status: install ok installed' 'Architecture: all' 'Version: 253-2'
  } >"$database/status" && missing=$(dpkg-checkbuilddeps --admindir="$database" /source/debian/control 2>&1)
  grep systemd-dev <<<"$missing"
}

# Each program is hardened: position-independent, and with all symbols bound at the start.
hardened() {
  local program

  dpkg-deb -x /build/result/idmount_*.deb /tmp/unpacked
  for program in /tmp/unpacked/usr/bin/idmount /tmp/unpacked/usr/bin/idmount-overlayfs /tmp/unpacked/usr/sbin/*; do
    readelf -d -W "$program" | grep 'FLAGS_1.* NOW PIE' || return
  done
}

# Types of the package for programs of others, and no cache of a foreign interpreter.
python_package() {
  local files

  files=$(dpkg-deb -c /build/result/python3-idmount_*.deb) &&
    grep -q ' ./usr/lib/python3/dist-packages/idmount/py.typed$' <<<"$files" &&
    ! grep __pycache__ <<<"$files" &&
    dpkg-deb -f /build/result/python3-idmount_*.deb Depends | grep -F "libidmount0 (>= $version)"
}

# The root has no network: the packages are the local ones, and what they depend on is installed.
test_installed() {
  : >/etc/apt/sources.list
  # The mount namespace of the root is as good as a machine.
  autopkgtest --ignore-restrictions=isolation-machine --no-built-binaries \
    /build/result/idmount_*.deb /build/result/libidmount{0,-dev}_*.deb /build/result/python3-idmount_*.deb /build/result/idmount_*.dsc -- null
}

# Fedora's macros that Debian lacks.
rpm_macros=(
  --define 'meson meson setup --prefix=/usr --libdir=%{_libdir} --buildtype=plain --wrap-mode=nodownload build'
  --define 'meson_build ninja -C build'
  --define 'meson_install DESTDIR=%{buildroot} meson install -C build --no-rebuild'
  --define '_unitdir /usr/lib/systemd/system'
  --define '_libdir /usr/lib64'
  --define 'python3_sitelib /usr/lib/python3/dist-packages'
  --define 'systemd_post() %{nil}'
  --define 'systemd_preun() %{nil}'
  --define 'systemd_postun_with_restart() %{nil}'
  --define '_topdir /tmp/rpm'
)

build_rpm() {
  local name=idmount-$version

  copy_tree "/tmp/rpm/SOURCES/$name" &&
    tar -C /tmp/rpm/SOURCES -czf "/tmp/rpm/SOURCES/$name.tar.gz" "$name" &&
    rpmbuild -bb --nodeps "${rpm_macros[@]}" /source/packaging/rpm/idmount.spec
}

rpm_contains() {
  local found

  found=$(rpm -qlp /tmp/rpm/RPMS/*/"idmount-$version"*.rpm) &&
    grep -x /usr/bin/idmount <<<"$found" && grep -x /usr/sbin/mount.idmap <<<"$found" &&
    grep -x /usr/lib/systemd/system/idmountd.socket <<<"$found" && grep -x /usr/lib/systemd/system/idmount@.service <<<"$found" &&
    rpm -qlp /tmp/rpm/RPMS/*/python3-idmount*.rpm | grep -x /usr/lib/python3/dist-packages/idmount/py.typed
}

lint_rpm() {
  rpmlint --rpmlintrc /source/packaging/rpm/idmount.rpmlintrc /source/packaging/rpm/idmount.spec
}

# The files of Alpine's build are a script. Its programs are not in Debian.
check_apkbuild() {
  sh -n /source/packaging/alpine/APKBUILD &&
    sh -euc '. /source/packaging/alpine/APKBUILD && [ "$pkgname $license" = "idmount MIT" ] &&
      for name in build package libs py3; do command -v "$name" || exit; done'
}

check 'all packages have the version of meson.build' same_versions
check 'they do not build where systemd does not tell the directory of units' systemd_alone_is_refused
check 'the packages of Debian build' /source/scripts/build-debs.sh /build/result || exit 0
check 'they build with another path, time, umask, language and number of jobs' build_differently &&
  check 'the packages of both builds are equal byte for byte' same_packages
check 'lintian finds no error and no warning' lint
check 'programs are hardened' hardened
check 'the package for Python has types, and needs the library' python_package
check 'the tests of the packages pass with autopkgtest' test_installed
check 'the specification of rpm can be parsed' rpmspec "${rpm_macros[@]}" -P /source/packaging/rpm/idmount.spec
check 'rpmlint finds no error' lint_rpm
check 'the packages of rpm build' build_rpm &&
  check 'they contain the command, the helper and the units' rpm_contains
check 'the APKBUILD can be parsed' check_apkbuild
exit 0 # the results say the rest
