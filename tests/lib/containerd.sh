#!/bin/sh
# SPDX-License-Identifier: MIT
# Has the real containerd import an image of three layers and make snapshots of it, all below DIRECTORY, and
# leaves there what it says to mount, as JSON: NAME.json.
#
#   containerd.sh DIRECTORY
#
# In a mount namespace of the caller's own: layers are unpacked in mounts.
set -eu
cd "$1"
mkdir image root state

# ---- an image as "docker save" writes it ----

layers=
chain=
layer() { # NAME: of the directory NAME
  tar -C "image/$1" --sort=name --mtime=@0 --owner=0 --group=0 -cf "image/$1.tar" .
  diff=sha256:$(sha256sum "image/$1.tar" | cut -d' ' -f1)
  layers="$layers${layers:+,}\"$diff\""
  files="${files:-}${files:+,}\"$1.tar\""
  [ -z "$chain" ] && chain=$diff || chain=sha256:$(printf '%s %s' "$chain" "$diff" | sha256sum | cut -d' ' -f1)
}

mkdir -p image/one/bin image/one/etc image/two/etc image/three/srv
# A root filesystem of one program, which says where it is.
echo 'int puts(const char *); int main(void) { return puts("in the container") < 0; }' |
  cc -static -x c -o image/one/bin/program -
echo one >image/one/etc/layer
echo two >image/two/etc/layer
echo three >image/three/srv/layer
layer one
bottom=$chain
layer two
layer three
top=$chain
echo "{\"architecture\":\"$(dpkg --print-architecture)\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[$layers]}}" >image/config.json
echo "[{\"Config\":\"config.json\",\"RepoTags\":[\"test.invalid/box:1\"],\"Layers\":[$files]}]" >image/manifest.json
tar -C image -cf image.tar manifest.json config.json one.tar two.tar three.tar

# ---- containerd ----

# Without what would go to places of its own, in this version or that: sockets in /run, /opt/containerd.
cat >config.toml <<'END'
version = 2
disabled_plugins = [
  "io.containerd.grpc.v1.cri",
  "io.containerd.cri.v1.images",
  "io.containerd.cri.v1.runtime",
  "io.containerd.nri.v1.nri",
  "io.containerd.internal.v1.opt",
]
END
# It ends with this shell, however that ends.
setpriv --pdeathsig KILL containerd --config config.toml --root "$PWD/root" --state "$PWD/state" \
  --address "$PWD/state/socket" >log 2>&1 &
daemon=$!

talk() {
  ctr --address "$PWD/state/socket" "$@"
}

show_log() {
  echo "$1"
  tail -n 20 log
  exit 1
}

until talk version >/dev/null 2>&1; do
  kill -0 $daemon 2>/dev/null || show_log "containerd ended"
  sleep 0.05
done
talk images import --platform "linux/$(dpkg --print-architecture)" image.tar >import.log 2>&1 ||
  { cat import.log && show_log "the image was not imported"; }

# Each after the other: the numbers of the snapshots are theirs.
talk snapshots prepare --mounts active-parentless >active-parentless.json
talk snapshots prepare --mounts active-of-one "$bottom" >active-of-one.json
talk snapshots prepare --mounts active "$top" >active.json
talk snapshots view --mounts view-parentless >view-parentless.json
talk snapshots view --mounts view-of-one "$bottom" >view-of-one.json
talk snapshots view --mounts view "$top" >view.json

kill $daemon
wait $daemon || true
