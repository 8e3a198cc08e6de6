# SPDX-License-Identifier: MIT
# idmount run: what a program in a container does not get, and the options that give it.
load common
load run-root
private_mounts

setup()
{
	set_up_mounts
	make_box
}

teardown()
{
	tear_down_mounts
}

@test "any number of binds" {
	local binds=() i

	for i in {1..200}; do
		binds+=(--bind "src:/binds/$i")
	done
	prints 200 inside "${binds[@]}" -- sh -c 'grep -c " /binds/" /proc/self/mountinfo'
	run -125 --separate-stderr bash -c 'ulimit -n 100; "$@"' - "$IDMOUNT" run --rootfs root -m 0:100000:65536 "${binds[@]}" -- true
	same 'standard error' 'idmount: run: src: open tree: Too many open files' "$stderr"
}
