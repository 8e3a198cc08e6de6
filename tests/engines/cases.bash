# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# The cases of the table in docs/engines.md. A file loads this after "load common" and "private_mounts". Each way to
# start containers is a row. For it the file has a function start(), which starts one container:
#
#   start CASE ID COMMAND
#
# With IDM_ENGINE_ROWS in the environment, each result is a line of that file. engine-table.py reads it.

# version PROGRAM: prints its name and version.
version()
{
	echo "$1 $(version_of "$1")"
}

# row NAME PROGRAM...: what the cases after it belong to.
row()
{
	local program

	row=$1
	versions=$(version "$2")
	shift 2
	for program; do
		versions+=", $(version "$program")"
	done
}

# Each case has a container that prints the owners of two files on the volume, and creates one.
# shellcheck disable=SC2016 # the container expands it
print_owners='echo text 2>/dev/null >/vol/new; stat -c %u:%g /vol/ours /vol/theirs'

# judge CASE OUTPUT: prints "works", "no map", or the output. vol/ours belongs to 1000, and vol/theirs to 0. With
# a user namespace the files of 0 are those of its root, and else those of 1000.
judge()
{
	local new=none works=0:0,65534:65534,1000:1000 lost=1000:1000,0:0,0:0

	[[ ! -e vol/new ]] || new=$(owner vol/new)
	case $1 in
		userns | option) works=1000:1000,0:0,0:0 lost=65534:65534,65534:65534,100000:100000 ;;
		read-only) works=0:0,65534:65534,none lost=1000:1000,0:0,none ;;
	esac
	case ${2//$'\n'/,},$new in
		"$works") echo works ;;
		"$lost") echo 'no map' ;;
		*) echo "got $2, new file: $new" ;;
	esac
}

# result_of_one CASE
result_of_one()
{
	if start "$1" "${1//-/}" "$print_owners" >output 2>errors; then
		judge "$1" "$(<output)"
	elif [[ $(<errors) == *io.idmount.map/* ]]; then
		echo 'refused, with the reason'
	else
		echo 'refused, without the reason'
	fi
	cat errors >&2
}

# Prints the result that all of them have, or all results.
result_of_twenty()
{
	local i pids=() all

	for i in {1..20}; do
		start at-once "one$i" "$print_owners" >"output$i" 2>"errors$i" 3>&- &
		pids+=($!)
	done
	for i in {1..20}; do
		wait "${pids[i - 1]}" || cat "errors$i" >&2
	done
	all=$(for i in {1..20}; do judge at-once "$(<"output$i")"; done | sort -u)
	echo "$all"
}

# try CASE RESULT [NOTE]: the case has that result. NOTE says what to do about a map that an engine loses.
try()
{
	local result

	rm -f vol/new
	if [[ $1 == at-once ]]; then
		result=$(result_of_twenty)
	else
		result=$(result_of_one "$1")
	fi
	same "$row: $1" "$2" "$result"
	nothing_is_left
	[[ -z ${IDM_ENGINE_ROWS-} ]] ||
		printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$(. /etc/os-release && echo "${VERSION_ID:-sid}")" "$row" "$versions" \
			"$1" "$2" "${3-}" >>"$IDM_ENGINE_ROWS"
}

set_up_cases()
{
	set_up_engine
	chmod 777 vol
	policy 'allow disk=0-65535 seen=0-165535'
}

# The map of a case, for engines that have annotations.
# shellcheck disable=SC2034 # start() uses it
declare -gA annotation=(
	[annotation]=io.idmount.map/vol=1000:0
	[userns]=io.idmount.map/vol=idmap
	[read-only]=io.idmount.map/vol=1000:0
	[at-once]=io.idmount.map/vol=1000:0
	[wrong]=io.idmount.map/vol=1000:x
)
