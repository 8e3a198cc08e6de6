#!/bin/bash
# SPDX-License-Identifier: MIT
# Shows what idmount does for an ordinary user. Leaves nothing but build/.
#
#   sudo ./demo-rootless.sh   makes a user and starts the service, both for the demonstration alone
#   ./demo-rootless.sh        as the calling user, where idmountd runs (see docs/rootless.md)
set -eu
cd "$(dirname "$0")"
source=$PWD
programs=${IDMOUNT_DEMO_BUILD:-$PWD/build}

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

show() {
  local word line='$'
  for word in "$@"; do
    case $word in *' '*) line+=" '$word'" ;; *) line+=" $word" ;; esac
  done
  printf '%s\n' "$line"
  "$@"
}
[ -t 1 ] && [ -z "${NO_COLOR:-}" ] || say() { printf '\n%s\n' "$*"; }

fail() {
  echo "demo-rootless.sh: $*" >&2
  exit 1
}

unshare --user true 2>/dev/null ||
  fail "the kernel refuses user namespaces here; causes are a chroot and a container's seccomp filter"

# ---- build ----

# Prints nothing unless the command fails.
quietly() {
  local output
  output=$("$@" 2>&1) || { printf '%s\n' "$output" >&2 && exit 1; }
}

build() {
  [ "$(id -u)" != 0 ] || scripts/install-packages.sh build
  [ -f build/build.ninja ] || quietly meson setup build -Dtests=false
  quietly ninja -C build
  # So that its owner can build and install it as README says, without sudo.
  [ "$(id -u)" != 0 ] || chown -R --reference=. build
}

[ -n "${IDMOUNT_DEMO_STAGE:-}" ] || [ -n "${IDMOUNT_DEMO_BUILD:-}" ] || build
PATH=$programs:$PATH

# ---- as root: a user and the service ----

# A user with a range of subordinate IDs that is free. The host's /etc stays as it is.
make_user() {
  local id=4242 range

  while getent passwd "$id" >/dev/null || getent group "$id" >/dev/null; do id=$((id + 1)); done
  range=$(cat /etc/subuid /etc/subgid 2>/dev/null | awk -F: '$2 + $3 > end { end = $2 + $3 } END { print (end > 200000 ? end : 200000) }')
  mkdir etc etc-work home
  mount -t overlay -o lowerdir=/etc,upperdir="$PWD/etc",workdir="$PWD/etc-work" etc /etc
  echo "demo:x:$id:$id::$PWD/home:/bin/sh" >>/etc/passwd
  echo "demo:x:$id:" >>/etc/group
  echo "demo:$range:65536" | tee -a /etc/subuid >>/etc/subgid
  chown "$id:$id" home
  user=$id
}

start_service() {
  export IDMOUNTD_SOCKET=$PWD/idmountd.sock
  idmountd --socket "$IDMOUNTD_SOCKET" 2>log &
  service=$!
  until [ -S "$IDMOUNTD_SOCKET" ]; do
    kill -0 "$service" || fail "$(cat log)"
  done
}

leave_root() {
  cd /
  [ -z "$service" ] || kill "$service"
  umount -l /etc 2>/dev/null || :
  umount -R "$place" 2>/dev/null || umount -l "$place" 2>/dev/null || :
  rmdir "$place"
  [ -z "$image" ] || rm -f "$image"
}

as_root() {
  place=$(mktemp -d)
  service= image=
  trap leave_root EXIT
  chmod 755 "$place"
  mount -t tmpfs -o mode=755 demo "$place"
  if ! idmount check "$place" >/dev/null 2>&1; then
    # tmpfs can be ID-mapped from Linux 6.3 on; ext4 from 5.12 on.
    umount "$place"
    image=$(mktemp)
    truncate -s 64M "$image"
    mkfs.ext4 -q "$image"
    mount -o loop "$image" "$place"
  fi
  # The user may not be able to reach the directory of the source.
  mkdir "$place/programs"
  cp "$programs/idmount" "$place/programs"
  [ ! -x "$programs/idmount-overlayfs" ] || cp "$programs/idmount-overlayfs" "$place/programs"
  cp "$source/demo-rootless.sh" "$place/programs"
  cd "$place"
  make_user
  start_service
  # Engines expect no other layout of an ordinary user's machine.
  [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || mount -t cgroup2 demo /sys/fs/cgroup 2>/dev/null || :
  say "The service runs as root: idmountd --socket $IDMOUNTD_SOCKET"
  (cd home && HOME=$PWD IDMOUNT_DEMO_STAGE=user IDMOUNT_DEMO_BUILD=$place/programs \
    setpriv --reuid "$user" --regid "$user" --clear-groups --inh-caps=-all "$place/programs/demo-rootless.sh")
  say "What the service did:"
  cat log
}

if [ "$(id -u)" = 0 ] && [ -z "${IDMOUNT_DEMO_STAGE:-}" ]; then
  # The rest runs in a mount namespace of its own: the host sees no mount.
  IDMOUNT_DEMO_STAGE=root exec unshare --mount --propagation private "$source/demo-rootless.sh"
fi
if [ "${IDMOUNT_DEMO_STAGE:-}" = root ]; then
  as_root
  exit
fi

# ---- as the user, in namespaces of the user's own ----

mounts() {
  say "A directory of the host, at another place with another owner. No chown:"
  mkdir seen
  show ls -ln photos
  show idmount mount -m "$IDMOUNT_DEMO_USER:33:1" photos seen
  show ls -ln seen

  say "What 33 writes there is the user's on disk, which is 0 in this namespace:"
  show setpriv --reuid 33 --regid 33 --clear-groups touch seen/new.jpg
  show ls -ln photos/new.jpg

  say "Layers with other owners, laid over each other:"
  mkdir top base merged
  touch top/new.txt base/old.txt
  show idmount overlay -m "$IDMOUNT_DEMO_USER:33:1" -L top:base merged
  show ls -ln merged

  say "All of it is gone with the namespace."
}

if [ "${IDMOUNT_DEMO_STAGE:-}" = namespace ]; then
  cd "$HOME/idmount-demo"
  mounts
  exit
fi

# ---- as the user ----

# A storage whose layers idmount-overlayfs mounts.
podman_here() {
  XDG_RUNTIME_DIR=$PWD/run TMPDIR=$PWD/run podman --root "$PWD/storage" --runroot "$PWD/run" \
    --storage-driver overlay --storage-opt "overlay.mount_program=$programs/idmount-overlayfs" \
    --cgroup-manager cgroupfs --events-backend file "$@"
}

leave_user() {
  cd "$HOME/idmount-demo"
  # Stops the process that keeps podman's namespaces.
  [ ! -d run ] || podman_here system migrate >/dev/null 2>&1 || :
  cd "$HOME"
  # Files of subordinate IDs are not the user's to remove.
  idmount_unshare rm -rf "$HOME/idmount-demo"
}

idmount_unshare() { unshare --user --map-root-user --map-auto --mount "$@"; }

idmount check | grep -q '^yes  *service ' || fail "idmountd is not running; docs/rootless.md starts it, or sudo ./demo-rootless.sh"
grep -q "^\($(id -un)\|$(id -u)\):" /etc/subuid || fail "$(id -un) has no range in /etc/subuid; see docs/rootless.md"
[ ! -e "$HOME/idmount-demo" ] || fail "$HOME/idmount-demo exists"
trap leave_user EXIT
mkdir "$HOME/idmount-demo"
cd "$HOME/idmount-demo"
mkdir photos
touch photos/beach.jpg

say "An ordinary user:"
show id
show grep "$(id -un)" /etc/subuid

say "Root of a user namespace with all of these IDs:"
echo '$ unshare --user --map-root-user --map-auto --mount'
IDMOUNT_DEMO_STAGE=namespace IDMOUNT_DEMO_BUILD=$programs IDMOUNT_DEMO_USER=$(id -u) idmount_unshare "$source/demo-rootless.sh"

# ---- containers ----

# The root filesystem has the programs of the host.
mkdir root root/usr root/tmp
ln -s usr/bin usr/lib root
[ ! -e /lib64 ] || ln -s usr/lib64 root
range=$(awk -F: -v name="$(id -un)" '$1 == name { print $2; exit }' /etc/subuid)
run=(idmount run --rootfs root --bind /usr:/usr:ro,recursive)

say "A container of the user's. Its root is the user:"
show "${run[@]}" -- sh -c 'id -u; ls -ldn /tmp; touch /tmp/own'
show ls -ln root/tmp/own

say "The same files in a container of other IDs:"
show "${run[@]}" -m "0:$((range + 1000)):1000" -- sh -c 'id -u; ls -ldn /tmp; touch /tmp/new'
show ls -ln root/tmp

say "And with a directory of the host, which belongs to 33 in there:"
show "${run[@]}" --bind "photos:/photos:map=$(id -u):33" -- ls -ln /photos

# ---- rootless podman ----

# Prints the reason if podman cannot run here.
podman_lacks() {
  local name

  for name in podman busybox; do
    type -P "$name" >/dev/null || { echo "$name is not installed" && return; }
  done
  # podman prefers crun to runc.
  [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || ! type -P crun >/dev/null ||
    { echo "crun requires cgroup2 at /sys/fs/cgroup (the machine has a hybrid or the legacy hierarchy)" && return; }
  # ldd(1) fails for a static program.
  ! ldd "$(type -P busybox)" >/dev/null 2>&1 || { echo "busybox is not a static program (package busybox-static)" && return; }
  [ -x "$programs/idmount-overlayfs" ] || echo "$programs/idmount-overlayfs does not exist"
}

# An image of one program.
show_podman() {
  mkdir -p image/bin storage
  mkdir -m 700 run
  cp "$(type -P busybox)" image/bin
  tar -C image --owner 0 --group 0 -cf image.tar .
  quietly podman_here import image.tar demo
  say "Rootless podman, with another ID and no copy of the image:"
  echo '$ podman run --userns=keep-id demo /bin/busybox ls -ln /'
  podman_here run --rm --network none --cgroups disabled --userns=keep-id demo /bin/busybox ls -ln / ||
    fail "podman run failed with exit status $?"
}

reason=$(podman_lacks)
if [ -n "$reason" ]; then
  say "Rootless podman is left out: $reason."
else
  show_podman
fi
