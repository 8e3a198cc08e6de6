#!/bin/bash
# SPDX-License-Identifier: MIT
# What a mapped volume adds to the start of a container: "runc run" of a bundle with a plain one, beside
# idmount-oci-runtime on the same bundle as an engine writes it, with mappings, so that the bundle is prepared and
# the hook runs; and with a hook that does nothing, which says how much of that is the runtime's own. In turn, round
# by round, medians. Runs in a mount namespace of its own. Needs runc, jq and busybox (static).
#
#   sudo bench/cases/oci-start.sh [BUILD-DIR] [ROUNDS]
set -eu

if [ "${IDMOUNT_BENCH_PRIVATE:-}" != 1 ]; then
  IDMOUNT_BENCH_PRIVATE=1 exec unshare --mount --propagation private "$0" "$@"
fi

idmount=$(realpath "${1:-build}/idmount")
rounds=${2:-101}

dir=$(mktemp -d)
trap 'umount -l "$dir"; rmdir "$dir"' EXIT
mount -t tmpfs bench "$dir"
cd "$dir"
mkdir -p rootfs/{bin,proc,dev,sys,vol} volume plain mapped nothing
cp "$(type -P busybox)" rootfs/bin/busybox
ln -s busybox rootfs/bin/true
ln -s "$idmount" idmount-oci-runtime

runc spec --bundle plain
jq --arg dir "$dir" '.root = {path: ($dir + "/rootfs")} | .process.terminal = false | .process.args = ["/bin/true"]
  | .mounts += [{destination: "/vol", type: "bind", source: ($dir + "/volume"), options: ["rbind"]}]' plain/config.json >all
cp all plain/config.json
jq '.mounts[-1] += {uidMappings: [{containerID: 0, hostID: 100000, size: 65536}],
  gidMappings: [{containerID: 0, hostID: 100000, size: 65536}]}' all >with-map
jq '.hooks = {createRuntime: [{path: "/bin/true"}]}' all >nothing/config.json

# Microseconds of one command.
timed() {
  local start=$EPOCHREALTIME end
  "$@" </dev/null
  end=$EPOCHREALTIME
  echo $((${end/./} - ${start/./}))
}

median() {
  sort -n "$1" | awk '{ v[NR] = $1 } END { print v[int((NR + 1) / 2)] }'
}

run_plain() {
  plain=$(timed runc --root state run --bundle plain "idmount-bench-$$-plain")
}

run_mapped() {
  cp with-map mapped/config.json
  mapped=$(timed ./idmount-oci-runtime --root state run --bundle mapped "idmount-bench-$$-mapped")
}

# Each round has a difference of its own, so that what slows down a whole round is not counted. The order of the
# commands changes.
for ((i = 0; i < rounds; i++)); do
  if ((i % 2)); then
    run_plain
    run_mapped
  else
    run_mapped
    run_plain
  fi
  nothing=$(timed runc --root state run --bundle nothing "idmount-bench-$$-nothing")
  echo "$plain" >>plain.times
  echo "$mapped" >>mapped.times
  echo "$nothing" >>nothing.times
  echo $((mapped - plain)) >>added.times
done

printf '%-44s %10s %10s   (microseconds for a whole run, medians of %d)\n' '' time added "$rounds"
printf '%-44s %10d\n' 'runc run' "$(median plain.times)"
printf '%-44s %10d %10d\n' 'runc run, with a hook that does nothing' "$(median nothing.times)" \
  $(($(median nothing.times) - $(median plain.times)))
printf '%-44s %10d %10d   (wanted: below 5000)\n' 'idmount-oci-runtime run, one mapped volume' "$(median mapped.times)" \
  "$(median added.times)"
