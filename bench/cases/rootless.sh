#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# Starts of a container by podman of an ordinary user: "podman run --rm ... true", as a whole. Called as
# "rootless.sh [--files N] [BUILD-DIR]". The image has N files of 4 KiB in 20 layers, else 20,000. 100,000 require 14 GB
# of memory. Each of three storages has it:
#
#   mapped    idmount-overlayfs as mount_program, and idmountd
#   native    podman's own way: the kernel's overlay, and a copy of the image for each new map
#   fuse      fuse-overlayfs as mount_program
#
# A new map is one of --userns=keep-id that no container had before. The user exists in this script's mount namespace
# alone, and the storages are on a loop device with ext4 there. All processes are in a PID namespace that disappears
# with the script.
set -eu
if [ "${1:-}" = --files ]; then
  export IDM_BENCH_FILES="${2:?--files requires a number}" # this script executes itself again
  shift 2
fi
all_files=${IDM_BENCH_FILES:-20000}
[[ $all_files =~ ^[1-9][0-9]{1,6}$ ]] || { echo "$0: --files: expected 10 to 9999999, got $all_files" >&2 && exit 2; }
private=(--pid --fork --kill-child --mount-proc)
. "$(dirname "$0")/measure.sh"
trap 'exit 1' HUP INT TERM # this process is an init, which the kernel spares otherwise

subject='rootless podman'
layers=20
files=$(((all_files + layers - 1) / layers)) # in each
[ "$all_files" = 20000 ] || subject="$subject, $all_files files"
if [ "${IDM_BENCH_SMOKE:-}" = 1 ]; then
  layers=2 files=10
  export IDM_BENCH_ROUNDS=1
fi

for program in podman newuidmap busybox mkfs.ext4; do
  if ! has "$program"; then
    skipped "$subject, starts" "$program is missing"
    exit 0
  fi
done
need=$((1000000 + all_files * 125)) # KiB: some storages have a copy of the image for each map
available=$(awk '/^MemAvailable:/ { print $2 }' /proc/meminfo)
if [ "$available" -lt "$need" ]; then
  skipped "$subject, starts" 'memory is short'
  exit 0
fi

# ---- the user ----

chmod 755 "$place"
truncate -s "${need}K" "$place/bench.image"
mkfs.ext4 -q -N $((all_files * 20)) -E lazy_itable_init=1,lazy_journal_init=1 "$place/bench.image"
mkdir "$place/disk"
mount -o loop,noatime "$place/bench.image" "$place/disk"
mkdir -m 1777 "$place/disk/tmp" "$place/disk/home"
mount --bind "$place/disk/tmp" /var/tmp
# podman asks which version of cgroups there is, and uses none.
mountpoint -q /sys || mount -t sysfs sysfs /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared / # or podman warns
# The device may be root's alone.
if [ -c /dev/fuse ]; then
  mknod -m 666 "$place/device" c 10 229
  mount --bind "$place/device" /dev/fuse
fi

for file in passwd group subuid subgid; do
  [ -e "/etc/$file" ] || touch "/etc/$file"
  sed /^joe:/d "/etc/$file" >"$place/$file"
  case $file in
    passwd) echo "joe:x:1500:1500::$place/disk/home:/bin/sh" ;;
    group) echo 'joe:x:1500:' ;;
    *) echo 'joe:200000:65536' ;;
  esac >>"$place/$file"
  mount --bind "$place/$file" "/etc/$file"
done

# ---- the storages ----

cp "$build/idmount-overlayfs" "$place/program"
"$build/idmountd" --socket "$place/socket" 2>"$place/log" &
until [ -S "$place/socket" ]; do
  kill -0 $! || exit 1
  sleep 0.01
done

# As podman has its configuration for one user.
make_storage() { # NAME [MOUNT_PROGRAM]
  local program=${2:+"mount_program = \"$2\""}

  mkdir -p "$place/disk/$1" "$place/$1/run"
  cat >"$place/$1/storage.conf" <<END
[storage]
driver = "overlay"
runroot = "$place/$1/run/containers"
graphroot = "$place/disk/$1"
rootless_storage_path = "$place/disk/$1"
[storage.options.overlay]
$program
END
  cat >"$place/$1/containers.conf" <<END
[containers]
default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
END
  chown -R 1500:1500 "$place/disk/$1" "$place/$1/run"
  chmod 700 "$place/$1/run"
}

# Called as "as-joe STORAGE COMMAND...", and "start STORAGE MAP"; a map "new" is another one each time.
cat >"$place/as-joe" <<END
#!/bin/sh
storage=$place/\$1
shift
exec setpriv --reuid 1500 --regid 1500 --clear-groups --inh-caps=-all env -i PATH="$PATH" HOME="$place/disk/home" \\
  XDG_RUNTIME_DIR="\$storage/run" CONTAINERS_STORAGE_CONF="\$storage/storage.conf" \\
  CONTAINERS_CONF="\$storage/containers.conf" IDMOUNTD_SOCKET="$place/socket" "\$@"
END
cat >"$place/start" <<END
#!/bin/sh
case \$2 in
  none) map=host ;;
  same) map=keep-id ;;
  new)
    read -r n <"$place/count"
    map=keep-id:uid=\$n,gid=\$n
    echo \$((n + 1)) >"$place/count"
    ;;
esac
exec "$place/as-joe" "\$1" podman run --rm --network none --cgroups=disabled --userns="\$map" box true
END
chmod 755 "$place/as-joe" "$place/start"
echo 2000 >"$place/count"

# An archive as "docker save" writes it.
make_image() {
  local digests='' names='' history='' i

  mkdir "$place/image" "$place/root"
  for ((i = 0; i < layers; i++)); do
    mkdir "$place/root/files" "$place/root/files/$i"
    head -c $((files * 4096)) /dev/zero | split -a 4 -b 4096 - "$place/root/files/$i/"
    if [ "$i" = 0 ]; then
      mkdir "$place/root"/{bin,etc,proc,sys,dev}
      cp "$(type -P busybox)" "$place/root/bin/busybox"
      ln -s busybox "$place/root/bin/true"
      ln -s busybox "$place/root/bin/cat"
    fi
    tar -C "$place/root" --owner=0 --group=0 --numeric-owner -cf "$place/image/$i.tar" .
    rm -r "${place:?}/root"/*
    digests="$digests, \"sha256:$(sha256sum "$place/image/$i.tar" | cut -d' ' -f1)\""
    names="$names, \"$i.tar\"" history="$history, {\"created_by\": \"bench\"}"
  done
  cat >"$place/image/config.json" <<END
{"architecture": "$(podman version -f '{{.Client.OsArch}}' | cut -d/ -f2)", "os": "linux",
 "config": {"Env": ["PATH=/bin"]}, "history": [${history#, }], "rootfs": {"type": "layers", "diff_ids": [${digests#, }]}}
END
  echo "[{\"Config\": \"config.json\", \"RepoTags\": [\"localhost/box:latest\"], \"Layers\": [${names#, }]}]" \
    >"$place/image/manifest.json"
  tar -C "$place/image" -cf "$place/image.tar" .
  rm -r "$place/image"
}

# check_root STORAGE TYPE: the container's root has this type of filesystem.
check_root() {
  local found

  found=$("$place/as-joe" "$1" podman run --rm --network none --cgroups=disabled box cat /proc/mounts |
    awk '$2 == "/" { print $3 }')
  [ "$found" = "$2" ] || { echo "$0: $1: expected $2, got ${found:-nothing}" >&2 && exit 1; }
}

load_image() { # STORAGE TYPE
  "$place/as-joe" "$1" podman load --quiet --input "$place/image.tar" >"$place/log"
  check_root "$1" "$2"
}

make_image
make_storage mapped "$place/program"
make_storage native
load_image mapped overlay
load_image native overlay
fuse=
if has fuse-overlayfs && [ -c /dev/fuse ]; then
  fuse=yes
  make_storage fuse "$(type -P fuse-overlayfs)"
  load_image fuse fuse.fuse-overlayfs
fi
rm "$place/image.tar"

# ---- the lines ----

# question TEXT ROUNDS AT_MOST WAY...: a WAY is "STORAGE MAP NAME". "unscanned" before that: the program looks for
# whiteouts in all layers again. Missing ways make lines, too.
question() {
  local text=$1 rounds=$2 at_most=$3 way storage map name arguments=() left_out=

  shift 3
  for way; do
    arguments+=(@)
    read -r storage map name <<<"$way"
    if [ "$storage" = fuse ] && [ -z "$fuse" ]; then
      unset 'arguments[-1]'
      left_out=yes
      continue
    fi
    arguments+=("$name")
    if [ "$storage" = unscanned ]; then
      storage=mapped
      arguments+=(- find "$place/disk/mapped/overlay" -mindepth 2 -maxdepth 2 -name .idmount-kernel-whiteouts -delete +)
    fi
    arguments+=("$place/start" "$storage" "$map")
  done
  "$commands" --question "$subject, $text" --rounds "$rounds" ${at_most:+--at-most "$at_most"} "${arguments[@]}"
  [ -z "$left_out" ] || skipped "$subject, $text" 'fuse-overlayfs is missing'
}

"$place/start" native same
question 'start without a map' 15 '' \
  'mapped none idmount' 'native none native overlay' 'fuse none fuse-overlayfs'
question 'first start under a new map, layers not scanned' 15 1.1 \
  'unscanned new idmount' 'unscanned none idmount, without a map'
question 'first start under a new map' 15 1.2 \
  'mapped new idmount' 'native none native overlay, without a map' 'fuse new fuse-overlayfs'
question 'first start under a new map' 3 '' \
  'mapped new idmount' 'native new native overlay, which copies'
question 'second start under a map' 15 1.1 \
  'mapped same idmount' 'native same native overlay' 'fuse same fuse-overlayfs'

# ---- the space of a new map on the disk ----

# Prints the growth of a storage's layers in KiB, which stay when the container is removed.
kib_of_start() { # STORAGE
  local before after

  before=$(du -sk "$place/disk/$1/overlay" | cut -f1)
  "$place/start" "$1" new
  after=$(du -sk "$place/disk/$1/overlay" | cut -f1)
  echo $((after - before))
}
copied=$(kib_of_start mapped)
counted "$subject, copied at a first start under a new map" "$copied" KiB \
  'native overlay, which copies' "$(kib_of_start native)"
