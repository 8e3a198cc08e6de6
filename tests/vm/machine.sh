# SPDX-License-Identifier: MIT
# Sourced by scripts that boot kernels of fetch.sh: the emulated machines.
# shellcheck shell=bash
# shellcheck disable=SC2154 # cache, source and work are the caller's

# Disks of the next machine. Nothing that it writes to them stays.
disks=()

add_disk() { # SERIAL-NUMBER FILE
  disks+=(-drive "file=$2,if=none,id=$1,format=raw,snapshot=on" -device "virtio-blk-pci,drive=$1,serial=$1")
}

# Makes $work/initramfs-ARCH-KERNEL.img, which loads what disks need, and runs /share/guest.
make_initramfs() { # KERNEL ARCH
  local tree=$work/initramfs-$2-$1

  rm -rf "$tree"
  mkdir -p "$tree/bin"
  cp "$cache/$2/busybox" "$tree/bin/busybox"
  cp -r "$cache/$2/linux-$1/boot" "$tree/boot"
  cp "$source/tests/vm/init" "$tree/init"
  chmod 755 "$tree/init" "$tree/bin/busybox"
  (cd "$tree" && find . | busybox cpio -o -H newc 2>/dev/null) >"$tree.img"
  rm -rf "$tree"
}

# Prints the exit status of the emulator: 0, or 124 if the time is over.
emulate() { # PLACE KERNEL ARCH SECONDS WORD...
  local place=$1 kernel=$2 arch=$3 seconds=$4 emulator console status=0

  shift 4
  case $arch in
    amd64) emulator=(qemu-system-x86_64 -M pc -cpu max) console=ttyS0 ;;
    # A processor without pointer authentication, which needs most of the time in emulation.
    arm64) emulator=(qemu-system-aarch64 -M virt -cpu cortex-a72) console=ttyAMA0 ;;
  esac
  TMPDIR=$work timeout --foreground -k 5 "$seconds" "${emulator[@]}" -accel tcg,thread=multi -smp 2 -m 1536 \
    -display none -monitor none -nodefaults -no-reboot \
    -kernel "$cache/$arch/linux-$kernel/vmlinuz" -initrd "$work/initramfs-$arch-$kernel.img" \
    -append "console=$console quiet loglevel=4 panic=-1 oops=panic mitigations=off $*" \
    -serial "file:$place/console" \
    -device virtio-serial-pci -chardev "file,id=output,path=$place/output" \
    -device virtserialport,chardev=output,name=output \
    "${disks[@]}" </dev/null >"$place/emulator" 2>&1 || status=$?
  echo "$status"
}

# Boots a machine with $disks. WORDs go to the kernel. The machine writes the file PLACE/output, its kernel
# PLACE/console.
boot_machine() { # PLACE KERNEL ARCH SECONDS WORD...
  local place=$1 status

  echo "booting Linux $2, $3 ${*:5}" >&2
  mkdir -p "$place"
  # The emulator sometimes lets the kernel run into instructions that it is patching while it boots. Then
  # no test has begun, and the machine is booted again.
  for _ in 1 2 3; do
    rm -f "$place/output" "$place/console"
    status=$(emulate "$@")
    if [ "$status" != 0 ] || grep -q '^#vm kernel' "$place/output" 2>/dev/null; then break; fi
    echo "vm: Linux $2, $3, did not boot" >&2
  done
  echo "$status" >"$place/status"
  if ! grep -q '^#vm done' "$place/output" 2>/dev/null; then
    echo "vm: Linux $2, $3, did not get to its end; its last words:" >&2
    tail -n 20 "$place/emulator" "$place/console" "$place/output" >&2 || true
  fi
}
