#!/bin/bash
# shellcheck source-path=SCRIPTDIR
# SPDX-License-Identifier: MIT
# The time that idmount-oci-runtime adds to starts by runc: one container with a mapped volume, 50 at once, and a pod.
# The bundles are as an engine writes them, so that each is prepared, and the hook runs. The lower bound is the time
# that a hook and a front add that do nothing. The same with the static program of docs/engines.md. Needs runc, jq and
# a static busybox, and musl-tools, meson and ninja for the static program. Two runs of runc differ by more than what is
# measured, so there are many rounds.
set -eu
. "$(dirname "$0")/measure.sh"

one='runc run with a mapped volume, added'
many='the same, 50 at once, added to all'
pod='create and start of a pod with a mapped volume, added'
static_one='runc run with a mapped volume, static program, added'
static_pod='create and start of a pod, static program, added'
benches=$(realpath "$(dirname "$0")/..")
for program in runc jq busybox; do
  if ! has "$program"; then
    for question in "$one" "$many" "$pod" "$static_one" "$static_pod"; do
      skipped "$question" "there is no $program"
    done
    exit 0
  fi
done

cd "$place"
mkdir -p rootfs/{bin,proc,dev,sys,vol} volume state
cp "$(type -P busybox)" rootfs/bin/busybox
ln -s busybox rootfs/bin/true
ln -s busybox rootfs/bin/sleep
ln -s "$idmount" idmount-oci-runtime
ln -s "$build/bench/bare-front" bare-front

# The sandbox of a pod has the annotations of the pod, and no volume.
runc spec
jq '.root = {path: "/mnt/rootfs"} | .process.terminal = false | .process.args = ["/bin/true"]' config.json >bare.json
jq '.mounts += [{destination: "/vol", type: "bind", source: "/mnt/volume", options: ["rbind"]}]' bare.json >plain.json
mappings='[{containerID: 0, hostID: 100000, size: 65536}]'
jq ".mounts[-1] += {uidMappings: $mappings, gidMappings: $mappings}" plain.json >mapped.json
jq '.hooks = {createRuntime: [{path: "/bin/true"}]}' plain.json >hook.json
for kind in bare plain mapped hook; do
  jq '.process.args = ["/bin/sleep", "1000"]' $kind.json >pod-$kind.json
done

# Each start has a new configuration, as the front changes it. The time for that is in all ways, and in no difference.
cat >start <<'END'
#!/bin/sh
# start KIND NUMBER RUNTIME
mkdir -p "$1$2" && cp "$1.json" "$1$2/config.json" && exec "$3" --root state run --bundle "$1$2" "idmount-bench-$PPID-$1$2"
END
cat >start-many <<'END'
#!/bin/bash
# start-many KIND RUNTIME
for i in {1..50}; do
  ./start "$1" "$i" "$2" &
  pids[i]=$!
done
for i in {1..50}; do
  wait "${pids[i]}" || exit
done
END
cat >start-pod <<'END'
#!/bin/sh
# start-pod KIND RUNTIME: the calls of an engine. The removal by runc is the same in all ways.
set -e
for kind in pod-bare "pod-$1"; do
  id=idmount-bench-$$-$kind
  mkdir -p $kind
  cp $kind.json $kind/config.json
  "$2" --root state create --bundle $kind $id
  "$2" --root state start $id
done
for kind in pod-bare "pod-$1"; do
  runc --root state delete --force idmount-bench-$$-$kind
done
END
chmod +x start start-many start-pod

# measure_one QUESTION FRONT
measure_one() {
  "$commands" --question "$1" --added 3000 --rounds 301 \
    @ idmount ./start mapped 0 "$2" \
    @ runc ./start plain 0 runc \
    @ 'a hook and a front that do nothing' ./start hook 0 ./bare-front
}

# measure_pod QUESTION FRONT
measure_pod() {
  "$commands" --question "$1" --added 6000 --rounds 121 \
    @ idmount ./start-pod mapped "$2" \
    @ runc ./start-pod plain runc \
    @ 'a hook and a front that do nothing' ./start-pod hook ./bare-front
}

# To see that everything works, the other program is enough.
static_program() {
  if [ "${IDM_BENCH_SMOKE:-}" = 1 ]; then
    echo "$idmount"
  else
    "$benches/lib/static-program.sh" "$build"
  fi
}

measure_one "$one" ./idmount-oci-runtime

# Two of them run at a time on a machine of two cores.
"$commands" --question "$many" --added 150000 --rounds 15 \
  @ idmount ./start-many mapped ./idmount-oci-runtime \
  @ runc ./start-many plain runc \
  @ 'a hook and a front that do nothing' ./start-many hook ./bare-front

measure_pod "$pod" ./idmount-oci-runtime

if program=$(static_program); then
  mkdir links
  ln -s "$program" links/idmount-oci-runtime
  measure_one "$static_one" ./links/idmount-oci-runtime
  measure_pod "$static_pod" ./links/idmount-oci-runtime
else
  skipped "$static_one" 'no static program can be built'
  skipped "$static_pod" 'no static program can be built'
fi
