# SPDX-License-Identifier: MIT
# Sourced by run.sh: gets kernels, and the packages of a root filesystem, out of Debian's archive.
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154,SC2164 # shared with run.sh, which stops at the first error

# shellcheck source=scripts/own-apt.sh
. "$source/scripts/own-apt.sh"

# The root filesystem of the machines: what the tests call.
packages=(
  acl attr base-files base-passwd bash bats bsdextrautils bsdutils btrfs-progs busybox-static coreutils dash
  debianutils diffutils e2fsprogs erofs-utils findutils gawk grep gzip hostname jq kmod libc-bin libcap2-bin
  libpam-runtime libsubid4 login mawk mount passwd perl-base procps psmisc python3 python3-minimal sed
  squashfs-tools tar uidmap util-linux util-linux-extra xfsprogs
)
# Of tests that take more: container engines, and a compiler for what they are to run.
more_packages=(containerd crun gcc libc6-dev runc)

# The suite whose newest kernel of that version is taken.
suite_of() { # KERNEL
  case $1 in
    5.10) echo bullseye ;;
    6.1) echo bookworm ;;
    6.12) echo trixie ;;
    *.*.*) echo bookworm-backports ;;
    *) echo trixie-backports ;;
  esac
}

# Downloads into the working directory.
download() { # PACKAGE...
  local try

  for try in 1 2 3; do
    apt-get download -qq "$@" >log 2>&1 && return
    sleep "$try"
  done
  cat log >&2
  problem "these packages cannot be downloaded: $*"
}

unpack() { # DIRECTORY: all packages in the working directory
  local package

  for package in *.deb; do
    dpkg-deb --fsys-tarfile "$package" |
      tar -x -C "$1" --keep-directory-symlink --numeric-owner -p --exclude='./usr/share/doc/*' \
        --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/info/*'
  done
}

# An image of a directory, with free space. It lacks the features that Linux 5.10 does not know.
make_image() { # FILE LABEL DIRECTORY MEGABYTES-MORE
  local size

  size=$(du -sm --apparent-size "$3" | cut -f1)
  rm -f "$1"
  truncate -s "$((size * 3 / 2 + $4))M" "$1"
  mkfs.ext4 -q -F -m 0 -O ^metadata_csum_seed,^orphan_file -E lazy_itable_init=0 -L "$2" -d "$3" "$1"
}

# Makes $cache/ARCH/KERNEL/: vmlinuz, modules.img, boot/ (the modules that are needed before there are disks)
fetch_kernel() { # KERNEL ARCH
  local place=$cache/$2/linux-$1 directory image name modules module

  [ -e "$place/release" ] && return
  echo "getting Linux $1 for $2" >&2
  directory=$(mktemp -d "$work/fetch.XXXXXX")
  (
    cd "$directory"
    enter_suite "$(suite_of "$1")" "$2"
    # Of a version the newest release, or the release that is asked for.
    image=$(apt-cache pkgnames "linux-image-$1" |
      grep -E "^linux-image-${1//./\\.}[.+][^ ]*-cloud-$2\$" | sort -V | tail -n 1)
    [ -n "$image" ] || problem "Debian's suite $(suite_of "$1") has no Linux $1 for $2"
    name=${image#linux-image-}
    # In newer releases that package is empty, and depends on these.
    # shellcheck disable=SC2046 # names
    download "$image" $(apt-cache pkgnames linux- | grep -xE "linux-(base|binary|modules)-${name//[.+]/\\&}")
    mkdir new root
    unpack root
    find root -name 'vmlinuz-*' -o -name vmlinuz | head -n 1 | xargs -I{} cp {} new/vmlinuz
    modules=$(echo root/{usr/,}lib/modules/"$name" | tr ' ' '\n' | while read -r module; do
      [ ! -d "$module/kernel" ] || echo "$module"
    done)
    if [ ! -s new/vmlinuz ] || [ -z "$modules" ]; then
      problem "no kernel or no modules in $image"
    fi
    mkdir -p base/lib/modules new/boot
    mv "$modules" base/lib/modules/
    (
      cd "base/lib/modules/$name"
      rm -rf build source vmlinuz* kernel/{sound,net} kernel/drivers/{gpu,infiniband,media,net,scsi,usb}
    )
    depmod -b base "$name"
    for module in virtio_pci virtio_blk virtio_console; do
      modprobe -d base -S "$name" --show-depends "$module"
    done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' >order
    # busybox' insmod reads no compressed modules.
    while read -r module; do
      case $module in
        *.xz) xz -dc "$module" >"new/boot/$(basename "$module" .xz)" ;;
        *) cp "$module" new/boot/ ;;
      esac
    done <order
    sed 's,.*/,,; s,\.xz$,,' order >new/boot/order
    make_image new/modules.img modules base/lib/modules 8
    echo "$name" >new/release
    rm -rf "$place"
    mkdir -p "$(dirname "$place")"
    mv new "$place"
  )
  rm -rf "$directory"
}

# Makes $cache/ARCH/root.img or root-more.img, and $cache/ARCH/busybox beside it.
fetch_root() { # ARCH NAME PACKAGE...
  local arch=$1 name=$2 place=$cache/$1 wanted directory try

  shift 2
  wanted=$(printf '%s\n' "$release" "$@")
  [ "$(cat "$place/$name.packages" 2>/dev/null)" = "$wanted" ] && return
  echo "making a root filesystem for $arch" >&2
  directory=$(mktemp -d "$work/fetch.XXXXXX")
  mkdir -p "$place"
  (
    cd "$directory"
    enter_suite "$release" "$arch"
    for try in 1 2 3; do
      apt-get install -qq -y --download-only --no-install-recommends -o Dir::Cache::archives="$directory" "$@" >log 2>&1 && break
      sleep "$try"
    done
    [ "$(find . -name '*.deb' | wc -l)" -ge $# ] || { cat log >&2 && problem "the packages of a root filesystem cannot be downloaded"; }
    mkdir -p root/{disk,modules,share,mnt,proc,sys,dev,run,root,home,tmp,var/tmp,usr/{bin,sbin,lib,lib64,lib32,libx32}}
    ln -s usr/bin usr/sbin usr/lib usr/lib64 usr/lib32 usr/libx32 root/
    unpack root
    finish_root root
    cp root/usr/bin/busybox "$place/busybox"
    make_image image root root 600
    mv image "$place/$name.img"
    echo "$wanted" >"$place/$name.packages"
  )
  rm -rf "$directory"
}

# What the packages' own scripts would do, as far as tests need it.
finish_root() { # DIRECTORY
  local kind

  chmod 1777 "$1/tmp" "$1/var/tmp"
  cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
  cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
  printf '%s: files\n' passwd group shadow subid >"$1/etc/nsswitch.conf"
  sed 's/:.*/:*:19000:0:99999:7:::/' "$1/etc/passwd" >"$1/etc/shadow"
  : >"$1/etc/fstab"
  touch "$1/etc/subuid" "$1/etc/subgid"
  for kind in auth account password session session-noninteractive; do
    echo "${kind%-*} required pam_permit.so" >"$1/etc/pam.d/common-$kind"
  done
  ln -sf mawk "$1/usr/bin/awk"
  [ ! -e "$1/usr/bin/gcc" ] || ln -sf gcc "$1/usr/bin/cc"
  rm -rf "$1/usr/lib/modules"
  ln -s /modules "$1/usr/lib/modules"
}
