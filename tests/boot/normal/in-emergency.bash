# SPDX-License-Identifier: MIT
# in-emergency.service: a line in fstab has failed.
# shellcheck shell=bash

# shellcheck source=tests/boot/lib.bash
. /boot-test/lib.bash

check_or_explain 'the machine boots' false >/output
systemctl --no-block poweroff
