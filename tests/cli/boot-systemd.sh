#!/bin/bash
# SPDX-License-Identifier: MIT
# boot-systemd.sh DIRECTORY: becomes the systemd of a small machine, in new namespaces of all kinds but of users.
#
# The machine has this machine's /usr. DIRECTORY/install has the files of "meson install". systemd runs
# DIRECTORY/shared/inside as root, and exits with its status. Its output is DIRECTORY/shared/output.
set -eu
cd "$1"

mount -t tmpfs -o mode=755 root root
mkdir -p root/{dev,etc/systemd/system,home/joe,old,proc,root,run,sys,tmp,usr,var/log}
ln -s usr/bin usr/sbin usr/lib usr/lib64 root
mount --bind /usr root/usr
mount --bind install/usr/local root/usr/local
mount --bind shared root/tmp
cd root

# Settings of the kernel stay as they are.
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 run run
mount -t tmpfs -o mode=755 dev dev
cp -a /dev/{null,zero,full,random,urandom,tty} dev

cp -a /etc/ld.so.cache /etc/alternatives etc
printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'joe:x:1500:1500::/home/joe:/bin/sh' >etc/passwd
printf '%s\n' 'root:x:0:' 'joe:x:1500:' >etc/group
echo 'joe:200000:65536' | tee etc/subuid >etc/subgid
echo 0123456789abcdef0123456789abcdef >etc/machine-id
chown 1500:1500 home/joe

# No other units of systemd's own are known.
for name in sysinit.target basic.target sockets.target shutdown.target systemd-journald.service systemd-journald.socket; do
  cp "usr/lib/systemd/system/$name" etc/systemd/system
done
cat >etc/systemd/system/inside.service <<'END'
[Unit]
Requires=systemd-journald.service
After=systemd-journald.service
SuccessAction=exit-force
FailureAction=exit-force
[Service]
Type=oneshot
ExecStart=/bin/bash -eu /tmp/inside
StandardOutput=file:/tmp/output
StandardError=file:/tmp/output
TimeoutStartSec=600
END

pivot_root . old
umount -l old
# It can neither set the clock nor load a module.
exec env -i container=idmount PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin \
  SYSTEMD_UNIT_PATH=/etc/systemd/system:/usr/local/lib/systemd/system \
  setpriv --bounding-set=-sys_boot,-sys_module,-sys_rawio,-sys_time,-syslog --inh-caps=-all \
  /usr/lib/systemd/systemd --unit=inside.service --show-status=no
