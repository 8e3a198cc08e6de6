# SPDX-License-Identifier: MIT
# reader.service stops, because the machine does.
# shellcheck shell=bash

# shellcheck source=tests/boot/lib.bash
. /boot-test/lib.bash

has_mounts() {
  owned 2000:2000 /home/bob/wanted && owned 2000:2000 /home/bob/disk
}

check 'at the shutdown, a service has its mounts until it has stopped' has_mounts >/output
