# bash completion for idmount(8)                                -*- shell-script -*-
# SPDX-License-Identifier: MIT
#
# Needs bash 4.2 and nothing else: not the functions of the package bash-completion either, which got
# other names in its version 2.12.

# The mount points of ID-mapped mounts that begin with a word. mountinfo has octal escapes of three digits, and
# printf wants a zero before them: else it would take a digit behind one along.
_idmount_targets()
{
	local start=${1//\\/} target options

	while read -r _ _ _ _ target options _; do
		[[ $options == *,idmapped* ]] || continue
		printf -v target %b "${target//\\/\\0}"
		[[ $target == "$start"* ]] && COMPREPLY+=("$target")
	done </proc/self/mountinfo
}

# What an operand of the command may be.
_idmount_operand()
{
	local command=$1 cur=$2

	case $command in
	mount | check | explain | overlay | apply)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	umount | list)
		compopt -o filenames
		_idmount_targets "${cur#[\"\']}"
		;;
	bundle)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -W 'mount umount' -- "$cur"
			compgen -d -- "$cur")
		;;
	help)
		mapfile -t COMPREPLY < <(compgen -W 'mount umount list check map explain cure overlay apply undo bundle run oci-hook oci-runtime' -- "$cur")
		;;
	esac
}

# A map: names in its last entry. bash sees a colon as the end of a word, so $cur is only what is
# behind the last one.
_idmount_map()
{
	local map=$1 cur=$2 given=

	compopt -o nospace
	case ${map##*[,+]} in
	g:* | gid:*)
		mapfile -t COMPREPLY < <(compgen -g -- "$cur")
		;;
	*:*)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		;;
	*)
		# The first name of an entry. Commas and pluses do not end a word for bash.
		[[ $map == *[,+]* ]] || given='auto owner: u: g: b:'
		mapfile -t COMPREPLY < <(compgen -W "$given" -- "$cur" || :
			compgen -P "${cur%"${map##*[,+]}"}" -S : -u -- "${map##*[,+]}")
		;;
	esac
}

# The words of -o: the last one of a list.
_idmount_words()
{
	local cur=$1 given=

	[[ $cur == *,* ]] && given=${cur%,*},
	compopt -o nospace
	mapfile -t COMPREPLY < <(compgen -P "$given" -W '
		ro nosuid nodev noexec nosymfollow relatime noatime strictatime nodiratime
		rw suid dev exec symfollow norelatime atime nostrictatime diratime
		private slave shared unbindable' -- "${cur##*,}")
}

# The last column of a list.
_idmount_columns()
{
	local cur=$1 given=

	[[ $cur == *,* ]] && given=${cur%,*},
	compopt -o nospace
	mapfile -t COMPREPLY < <(compgen -P "$given" -W '
		TARGET SOURCE FSTYPE MAP FLAGS UID-MAP GID-MAP STATE ROOT ID PARENT NAMESPACE' -- "${cur##*,}")
}

# The last capability of a list.
_idmount_capabilities()
{
	local cur=$1 given=

	[[ $cur == *,* ]] && given=${cur%,*},
	compopt -o nospace
	mapfile -t COMPREPLY < <(compgen -P "$given" -W '
		AUDIT_CONTROL AUDIT_READ AUDIT_WRITE BLOCK_SUSPEND BPF CHECKPOINT_RESTORE CHOWN DAC_OVERRIDE
		DAC_READ_SEARCH FOWNER FSETID IPC_LOCK IPC_OWNER KILL LEASE LINUX_IMMUTABLE MAC_ADMIN MAC_OVERRIDE
		MKNOD NET_ADMIN NET_BIND_SERVICE NET_BROADCAST NET_RAW PERFMON SETFCAP SETGID SETPCAP SETUID SYSLOG
		SYS_ADMIN SYS_BOOT SYS_CHROOT SYS_MODULE SYS_NICE SYS_PACCT SYS_PTRACE SYS_RAWIO SYS_RESOURCE
		SYS_TIME SYS_TTY_CONFIG WAKE_ALARM ALL' -- "${cur##*,}")
}

# The value of an option; false if it has none.
_idmount_value()
{
	local command=$1 option=$2 value=$3 cur=$4

	case $command$option in
	list-o | list--output)
		_idmount_columns "$cur"
		return
		;;
	esac
	case $option in
	-m | --map | --compose)
		_idmount_map "$value" "$cur"
		;;
	-o | --options)
		_idmount_words "$cur"
		;;
	--userns | --journal | --mounts | --log | --criu)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	--root | --rootfs | -L | --lower | -U | --upper | -W | --work)
		compopt -o filenames
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	--format)
		# Of map, and of apply.
		mapfile -t COMPREPLY < <(compgen -W 'containerd oci text kernel util-linux crun' -- "$cur")
		;;
	--clear)
		mapfile -t COMPREPLY < <(compgen -W 'ro nosuid nodev noexec nosymfollow i a' -- "$cur")
		;;
	--upper-ids)
		mapfile -t COMPREPLY < <(compgen -W 'shifted disk' -- "$cur")
		;;
	--cap-add | --cap-drop)
		_idmount_capabilities "$cur"
		;;
	--user)
		mapfile -t COMPREPLY < <(compgen -u -- "$cur")
		;;
	--bind)
		compopt -o filenames -o nospace
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		;;
	--log-format)
		mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$cur")
		;;
	--rootless)
		mapfile -t COMPREPLY < <(compgen -W 'true false auto' -- "$cur")
		;;
	--pid | --chown | --translate | --workdir | --env | --hostname | --cgroup-manager | --size | --seccomp) ;;
	*)
		return 1
		;;
	esac
}

# The program of "run" behind "--", and then its files. False before that.
_idmount_program()
{
	local cur=$1 words=("${@:2}") i

	for ((i = 2; i < ${#words[@]}; i++)); do
		[[ ${words[i]} == -- ]] || continue
		compopt -o filenames
		if ((i + 1 == ${#words[@]})); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur" | sort -u)
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	done
	return 1
}

_idmount_options()
{
	local command=$1 cur=$2 map='-m --map --userns --keep-rest' options trial='--dry-run -v --verbose'

	case $command in
	mount)
		options="$map -o --options -t --type -R --recursive --skip-unmappable --mkdir --replace --root --remap --on-top $trial"
		;;
	umount)
		options='-R --recursive -l --lazy -a --all'
		;;
	list)
		options='-o --output -n --noheadings -r --raw -u --notruncate --tree --json --all-namespaces'
		;;
	check)
		options='--json --write --fstab'
		;;
	map)
		options="$map --invert --compose --translate --format"
		;;
	explain)
		options='--pid --container --user --userns --read --write --exec --create --unlink --chmod --chown --owners --json'
		;;
	cure)
		options='--pid --file --clear'
		;;
	overlay)
		options="$map -L --lower -U --upper -W --work --upper-ids -o --options --mkdir $trial"
		;;
	apply)
		options="--format $map --upper-ids --journal --mkdir $trial"
		;;
	undo)
		options='--journal --lazy'
		;;
	bundle)
		options="--mounts $map --upper-ids --mkdir --lazy"
		;;
	run)
		options="$map $trial --rootfs -L --lower -U --upper -W --work --ephemeral --bind --user --workdir --env --hostname"
		options+=' --no-pid --unshare-net --read-only --tty --no-tty --size --dev --cap-add --cap-drop'
		options+=' --no-new-privs --disable-userns --keyrings --seccomp --unmask'
		;;
	oci-hook)
		options='--map --handler --log --log-format'
		;;
	oci-runtime)
		options='--root --log --log-format --debug --systemd-cgroup --rootless --cgroup-manager --criu -v --version'
		;;
	*)
		return
		;;
	esac
	mapfile -t COMPREPLY < <(compgen -W "$options -h --help" -- "$cur")
}

_idmount()
{
	local command=${COMP_WORDS[1]} cur=${COMP_WORDS[COMP_CWORD]} words option value

	COMPREPLY=()
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W 'mount umount list check map explain cure overlay apply undo bundle run oci-hook oci-runtime help -h --help -V --version' -- "$cur")
		return
	fi
	# bash has cut the words at = and : too. This is the line as it was typed, up to the cursor.
	read -ra words <<<"${COMP_LINE:0:COMP_POINT}."
	value=${words[-1]%.} option=${words[-2]}
	[[ $value == --*=* ]] && option=${value%%=*} value=${value#*=}
	[[ $cur == [=:] ]] && cur=

	if [[ $command == run ]] && _idmount_program "$cur" "${COMP_WORDS[@]::COMP_CWORD}"; then
		return
	elif _idmount_value "$command" "$option" "$value" "$cur"; then
		return
	elif [[ $cur == -* ]]; then
		_idmount_options "$command" "$cur"
	else
		_idmount_operand "$command" "$cur"
	fi
}

complete -F _idmount idmount
