# SPDX-License-Identifier: MIT
# scripts/completions.py has made this file.

function __idmount_is
    set -l words (commandline -opc)
    test (count $words) -gt 1; and test $words[2] = $argv[1]
end

# To fish a line is a candidate, and a tab starts a description. So names with these are left out.
# Without a zero in front of an octal escape, printf would take a digit behind it along.
function __idmount_targets
    idmount list --raw --noheadings --output target 2>/dev/null | string match -rv '\\\\01[12]' | while read -l target
        printf '%b\n' (string replace -a '\\' '\\0' -- $target)
    end
end

# Prints words behind the list that has been typed so far.
function __idmount_list
    set -l given (commandline -ct | string match -r '^.*,')
    printf '%s\n' "$given"$argv
end

function __idmount_map
    set -l map (commandline -ct | string replace -r '^--?m(ap=)?' '')
    set -l given (string match -r '^.*[,+:]' -- $map)
    set -l entry (string replace -r '^.*[,+]' '' -- $map)
    if string match -qr '^g(id)?:' -- $entry
        printf '%s\n' "$given"(__fish_complete_groups | string replace -r '\t.*' '')
    else
        printf '%s\n' "$given"(__fish_complete_users | string replace -r '\t.*' '')
    end
    if test -z "$given"
        printf '%s\n' auto owner: u: g: b:
    end
end

# The program of "run" and its arguments, behind "--".
function __idmount_program
    set -l words (commandline -opc)
    set -l at (contains -i -- -- $words); or return
    set -e words[1..$at]
    complete -C (string join -- ' ' (string escape -- $words) (commandline -ct))
end

complete -c idmount -f
complete -c idmount -n __fish_use_subcommand -s h -l help -d 'show the help'
complete -c idmount -n __fish_use_subcommand -s V -l version -d 'show the version'
complete -c idmount -n __fish_use_subcommand -a mount -d 'show SOURCE at TARGET with other owners'
complete -c idmount -n __fish_use_subcommand -a umount -d 'undo mounts'
complete -c idmount -n __fish_use_subcommand -a list -d 'show ID-mapped mounts and their maps'
complete -c idmount -n __fish_use_subcommand -a check -d 'report what this kernel supports, and whether PATH can be ID-mapped'
complete -c idmount -n __fish_use_subcommand -a map -d 'draw, translate, combine and print maps'
complete -c idmount -n __fish_use_subcommand -a explain -d 'show why access to a file is refused, and what cures it'
complete -c idmount -n __fish_use_subcommand -a cure -d 'run a command on the file that explain has judged'
complete -c idmount -n __fish_use_subcommand -a overlay -d 'mount directories over each other, with other owners'
complete -c idmount -n __fish_use_subcommand -a apply -d 'mount the root filesystem that a mount list describes'
complete -c idmount -n __fish_use_subcommand -a undo -d 'undo what was applied, by its journal'
complete -c idmount -n __fish_use_subcommand -a bundle -d 'mount the root filesystem of an OCI bundle, or undo that'
complete -c idmount -n __fish_use_subcommand -a run -d 'run a program as root of its own user namespace'
complete -c idmount -n __fish_use_subcommand -a oci-hook -d 'map the mounts of a container that a runtime is creating'
complete -c idmount -n __fish_use_subcommand -a oci-runtime -d 'a front for runc or crun that maps mounts'
complete -c idmount -n __fish_use_subcommand -a help -d 'explain a command'
complete -c idmount -n '__idmount_is mount' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is mount' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is mount' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is mount' -s o -l options -x -a '(__idmount_list ro nosuid nodev noexec nosymfollow relatime noatime strictatime nodiratime rw suid dev exec symfollow norelatime atime nostrictatime diratime private slave shared unbindable)' -d 'mount options, separated by commas'
complete -c idmount -n '__idmount_is mount' -s t -l type -x -d 'the filesystem'\''s type, if SOURCE is a block device'
complete -c idmount -n '__idmount_is mount' -s R -l recursive -d 'with all mounts below SOURCE'
complete -c idmount -n '__idmount_is mount' -l skip-unmappable -d 'leave out mounts that cannot be ID-mapped'
complete -c idmount -n '__idmount_is mount' -l remap -d 'replace the map of a SOURCE that is ID-mapped already'
complete -c idmount -n '__idmount_is mount' -l on-top -d 'put the new map on top of the old one'
complete -c idmount -n '__idmount_is mount' -l mkdir -d 'create TARGET if it is missing'
complete -c idmount -n '__idmount_is mount' -l replace -d 'replace the mount at TARGET, in one step'
complete -c idmount -n '__idmount_is mount' -l root -x -a '(__fish_complete_directories)' -d 'resolve TARGET below DIR'
complete -c idmount -n '__idmount_is mount' -l dry-run -d 'check as much as possible, and mount nothing'
complete -c idmount -n '__idmount_is mount' -s v -l verbose -d 'report each step on standard error, for a bug report'
complete -c idmount -n '__idmount_is mount' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is mount' -F
complete -c idmount -n '__idmount_is umount' -s R -l recursive -d 'also every mount below TARGET'
complete -c idmount -n '__idmount_is umount' -s l -l lazy -d 'detach now, also when in use'
complete -c idmount -n '__idmount_is umount' -s a -l all -d 'all ID-mapped mounts of this mount namespace, the last first'
complete -c idmount -n '__idmount_is umount' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is umount' -a '(__idmount_targets)'
complete -c idmount -n '__idmount_is list' -s o -l output -x -a '(__idmount_list TARGET SOURCE FSTYPE MAP FLAGS UID-MAP GID-MAP STATE ROOT ID PARENT NAMESPACE)' -d 'show these columns, separated by commas'
complete -c idmount -n '__idmount_is list' -s n -l noheadings -d 'leave out the headings'
complete -c idmount -n '__idmount_is list' -s r -l raw -d 'print for scripts'
complete -c idmount -n '__idmount_is list' -s u -l notruncate -d 'cut no column to the width of the terminal'
complete -c idmount -n '__idmount_is list' -l tree -d 'show mounts below the mapped mounts that hold them'
complete -c idmount -n '__idmount_is list' -l json -d 'print a JSON array'
complete -c idmount -n '__idmount_is list' -l all-namespaces -d 'show the mounts of every mount namespace on this host'
complete -c idmount -n '__idmount_is list' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is list' -a '(__idmount_targets)'
complete -c idmount -n '__idmount_is check' -l json -d 'print a JSON object'
complete -c idmount -n '__idmount_is check' -l write -d 'also create an invisible file, and compare its IDs'
complete -c idmount -n '__idmount_is check' -l fstab -d 'report faults in the lines for ID-mapped mounts of each FILE'
complete -c idmount -n '__idmount_is check' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is check' -F
complete -c idmount -n '__idmount_is map' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is map' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is map' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is map' -l invert -d 'exchange disk and seen, after --keep-rest'
complete -c idmount -n '__idmount_is map' -l compose -x -a '(__idmount_map)' -d 'then apply MAP as well, after --invert'
complete -c idmount -n '__idmount_is map' -l translate -x -d 'print the seen ID of one disk ID'
complete -c idmount -n '__idmount_is map' -l format -x -a 'text kernel containerd util-linux crun oci' -d 'print the map in this form, instead of drawing it'
complete -c idmount -n '__idmount_is map' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is explain' -l pid -x -d 'the process'
complete -c idmount -n '__idmount_is explain' -l container -x -d 'the first process of the container'
complete -c idmount -n '__idmount_is explain' -l user -x -a '(__fish_complete_users)' -d 'with the credentials of that user'
complete -c idmount -n '__idmount_is explain' -l userns -x -d 'in the user namespace of that process'
complete -c idmount -n '__idmount_is explain' -l read -d 'open PATH to read'
complete -c idmount -n '__idmount_is explain' -l write -d 'open PATH to write'
complete -c idmount -n '__idmount_is explain' -l exec -d 'execute PATH'
complete -c idmount -n '__idmount_is explain' -l create -d 'create a file in the directory PATH'
complete -c idmount -n '__idmount_is explain' -l unlink -d 'remove PATH'
complete -c idmount -n '__idmount_is explain' -l chmod -d 'change the mode'
complete -c idmount -n '__idmount_is explain' -l chown -x -d 'change the owner, as the process counts IDs'
complete -c idmount -n '__idmount_is explain' -l owners -d 'of the files below the directory PATH, as a table'
complete -c idmount -n '__idmount_is explain' -l json -d 'print a JSON array'
complete -c idmount -n '__idmount_is explain' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is explain' -F
complete -c idmount -n '__idmount_is cure' -l pid -x -d 'the process whose path it is'
complete -c idmount -n '__idmount_is cure' -l file -x -d 'the device, the inode number and the mount of the file'
complete -c idmount -n '__idmount_is cure' -l clear -x -a 'ro nosuid nodev noexec nosymfollow i a' -d 'remove this flag of the mount at PATH, or of the file, instead of running COMMAND'
complete -c idmount -n '__idmount_is cure' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is cure' -F
complete -c idmount -n '__idmount_is overlay' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is overlay' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is overlay' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is overlay' -s L -l lower -x -a '(__fish_complete_directories)' -d 'lower layers, the top one first'
complete -c idmount -n '__idmount_is overlay' -s U -l upper -x -a '(__fish_complete_directories)' -d 'the directory for changes'
complete -c idmount -n '__idmount_is overlay' -s W -l work -x -a '(__fish_complete_directories)' -d 'an empty directory on the same mount as the upper one'
complete -c idmount -n '__idmount_is overlay' -l upper-ids -x -a 'shifted disk' -d 'which IDs the upper directory stores'
complete -c idmount -n '__idmount_is overlay' -s o -l options -x -a '(__idmount_list ro nosuid nodev noexec nosymfollow relatime noatime strictatime nodiratime rw suid dev exec symfollow norelatime atime nostrictatime diratime private slave shared unbindable)' -d 'those of idmount mount, and options of overlayfs such as volatile, metacopy=on, userxattr'
complete -c idmount -n '__idmount_is overlay' -l mkdir -d 'create TARGET if it is missing'
complete -c idmount -n '__idmount_is overlay' -l dry-run -d 'check as much as possible, and mount nothing'
complete -c idmount -n '__idmount_is overlay' -s v -l verbose -d 'report each step on standard error, for a bug report'
complete -c idmount -n '__idmount_is overlay' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is overlay' -F
complete -c idmount -n '__idmount_is apply' -l format -x -a 'containerd oci' -d 'the format of FILE'
complete -c idmount -n '__idmount_is apply' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is apply' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is apply' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is apply' -l upper-ids -x -a 'shifted disk' -d 'which IDs upper directories store, see help overlay'
complete -c idmount -n '__idmount_is apply' -l journal -r -F -d 'write a journal of the created mounts, for idmount undo'
complete -c idmount -n '__idmount_is apply' -l mkdir -d 'create TARGET, and targets below it, if they are missing'
complete -c idmount -n '__idmount_is apply' -l dry-run -d 'check as much as possible, and mount nothing'
complete -c idmount -n '__idmount_is apply' -s v -l verbose -d 'report each step on standard error, for a bug report'
complete -c idmount -n '__idmount_is apply' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is apply' -F
complete -c idmount -n '__idmount_is undo' -l journal -r -F -d 'the journal of idmount apply'
complete -c idmount -n '__idmount_is undo' -l lazy -d 'detach now, also when in use'
complete -c idmount -n '__idmount_is undo' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is bundle' -l mounts -r -F -d 'the mount list, - for standard input'
complete -c idmount -n '__idmount_is bundle' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is bundle' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is bundle' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is bundle' -l upper-ids -x -a 'shifted disk' -d 'which IDs upper directories store, see help overlay'
complete -c idmount -n '__idmount_is bundle' -l mkdir -d 'create BUNDLE/rootfs if it is missing'
complete -c idmount -n '__idmount_is bundle' -l lazy -d 'detach now, also when in use'
complete -c idmount -n '__idmount_is bundle' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is bundle' -F -a 'mount umount'
complete -c idmount -n '__idmount_is run' -s m -l map -x -a '(__idmount_map)' -d 'entries to map'
complete -c idmount -n '__idmount_is run' -l userns -r -F -d 'the map of this user namespace file or process'
complete -c idmount -n '__idmount_is run' -l keep-rest -d 'every ID that no entry names keeps its number'
complete -c idmount -n '__idmount_is run' -l rootfs -x -a '(__fish_complete_directories)' -d 'the root filesystem'
complete -c idmount -n '__idmount_is run' -s L -l lower -x -a '(__fish_complete_directories)' -d 'the root filesystem from layers, see help overlay'
complete -c idmount -n '__idmount_is run' -s U -l upper -x -a '(__fish_complete_directories)' -d 'the directory for changes, with the IDs of the layers'
complete -c idmount -n '__idmount_is run' -s W -l work -x -a '(__fish_complete_directories)' -d 'an empty directory on the same mount as the upper one'
complete -c idmount -n '__idmount_is run' -l ephemeral -d 'keep changes in memory, and drop them afterwards'
complete -c idmount -n '__idmount_is run' -l size -x -d 'limit that memory'
complete -c idmount -n '__idmount_is run' -l bind -r -F -d 'show SRC at DST inside'
complete -c idmount -n '__idmount_is run' -l user -x -a '(__fish_complete_users)' -d 'run COMMAND as this user'
complete -c idmount -n '__idmount_is run' -l workdir -x -a '(__fish_complete_directories)' -d 'start COMMAND in this directory'
complete -c idmount -n '__idmount_is run' -l env -x -d 'add to its environment'
complete -c idmount -n '__idmount_is run' -l hostname -x -d 'set the container'\''s own host name'
complete -c idmount -n '__idmount_is run' -l no-pid -d 'create no PID namespace'
complete -c idmount -n '__idmount_is run' -l unshare-net -d 'create a network namespace, with only lo in it'
complete -c idmount -n '__idmount_is run' -l read-only -d 'make the root filesystem read-only'
complete -c idmount -n '__idmount_is run' -l dev -d 'allow device nodes in the root filesystem to be opened'
complete -c idmount -n '__idmount_is run' -l cap-add -x -a '(__idmount_list AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL)' -d 'add capabilities, such as NET_ADMIN or CAP_NET_ADMIN, or ALL'
complete -c idmount -n '__idmount_is run' -l cap-drop -x -a '(__idmount_list AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL)' -d 'drop capabilities'
complete -c idmount -n '__idmount_is run' -l no-new-privs -d 'keep programs from gaining privileges by a setuid bit or file'
complete -c idmount -n '__idmount_is run' -l disable-userns -d 'forbid new user namespaces inside'
complete -c idmount -n '__idmount_is run' -l keyrings -d 'allow keyctl(2), add_key(2) and request_key(2)'
complete -c idmount -n '__idmount_is run' -l seccomp -x -d 'install the system call filter of this descriptor'
complete -c idmount -n '__idmount_is run' -l unmask -d 'hide nothing of /proc and /sys, and leave /proc writable'
complete -c idmount -n '__idmount_is run' -l tty -d 'create a terminal inside'
complete -c idmount -n '__idmount_is run' -l no-tty -d 'use the caller'\''s standard input, output and error'
complete -c idmount -n '__idmount_is run' -l dry-run -d 'check as much as possible, and mount nothing'
complete -c idmount -n '__idmount_is run' -s v -l verbose -d 'report each step on standard error, for a bug report'
complete -c idmount -n '__idmount_is run' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is run' -a '(__idmount_program)'
complete -c idmount -n '__idmount_is oci-hook' -l map -x -d 'a map that the engine asks for, as oci-runtime passes it on'
complete -c idmount -n '__idmount_is oci-hook' -l handler -x -d 'the runtime handler, for the rules'
complete -c idmount -n '__idmount_is oci-hook' -l log -r -F -d 'the runtime'\''s log, for errors'
complete -c idmount -n '__idmount_is oci-hook' -l log-format -x -a 'text json' -d 'the format of that file'
complete -c idmount -n '__idmount_is oci-hook' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is oci-runtime' -l root -x -a '(__fish_complete_directories)' -d 'of runc and crun'
complete -c idmount -n '__idmount_is oci-runtime' -l log -r -F -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -l log-format -x -a 'text json' -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -l debug -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -l systemd-cgroup -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -l rootless -x -a 'true false auto' -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -l cgroup-manager -x -d 'of crun'
complete -c idmount -n '__idmount_is oci-runtime' -l criu -r -F -d 'of runc'
complete -c idmount -n '__idmount_is oci-runtime' -s v -l version -d 'of both'
complete -c idmount -n '__idmount_is oci-runtime' -s h -l help -d 'show this help'
complete -c idmount -n '__idmount_is help' -a 'mount umount list check map explain cure overlay apply undo bundle run oci-hook oci-runtime'
