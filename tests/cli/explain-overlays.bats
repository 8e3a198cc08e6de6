# SPDX-License-Identifier: MIT
# "idmount explain" on random overlays. Each verdict is beside what a process gets.
load common
private_mounts

setup()
{
	set_up_mounts
}

teardown()
{
	tear_down_mounts
}

@test "random overlays: each verdict is the kernel's" {
	local rounds=40

	[[ -z ${IDM_SLOW:-} ]] || rounds=10
	[[ ${IDM_LONG:-} != 1 ]] || rounds=2500
	run python3 "$ROOT/tests/cli/explain-overlays.py" "$IDMOUNT" "$rounds" "${IDM_SEED:-1}"
	echo "$output"
	same 'exit status' 0 "$status"
	echo "$output" | sed 's/^/# /' >&3
}
