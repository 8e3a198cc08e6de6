# SPDX-License-Identifier: MIT
# contrib/containerd/handler.sh: containerd starts with each configuration that it changes, and finds both handlers.
load common
private_mounts

# These tests need no image.
setup_file()
{
	:
}

setup()
{
	set_up_engine
	mount -t tmpfs opt /opt
	export PATH=$ROOT/contrib/containerd:$PATH
	containerd config default >default.toml
	major=$(containerd --version | sed 's/^[^ ]* [^ ]* v\{0,1\}\([0-9]*\).*/\1/')
}

teardown()
{
	tear_down_engine
}

# Prints the handlers that containerd finds in a file, and the program of "idmount".
handlers()
{
	containerd --config "$1" config dump >dump.toml
	sed -n 's/^ *\[plugins\..*\.runtimes\.\([a-z]*\)\]$/\1/p' dump.toml
	awk '/\.runtimes\.idmount/ { on = 1 } /\.runtimes\.runc/ { on = 0 }
		on && ($1 == "BinaryName" || $1 == "pod_annotations") { $1 = $1; print }' dump.toml | tr "'" '"'
}

expected='idmount
runc
pod_annotations = ["[iI][oO].[iI][dD][mM][oO][uU][nN][tT]*", "[iI][oO].[iI][dD][mM][oO][uU][nN][tT]*/*"]
BinaryName = "/usr/local/bin/idmount-oci-runtime"'

# Starts containerd, waits until it serves pods, and stops it.
starts_with()
{
	daemon containerd --config "$1" --root /mnt/engine/root --state /mnt/engine/state \
		--address /mnt/engine/containerd.sock >containerd.log 2>&1
	until ctr --address /mnt/engine/containerd.sock version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 containerd.log && return 1; }
		sleep 0.05
	done
	same 'the plugin for pods' ok \
		"$(ctr --address /mnt/engine/containerd.sock plugins ls | awk '$1 == "io.containerd.grpc.v1" && $2 == "cri" { print $4 }')"
	kill "$daemon"
	wait "$daemon" || true
	rmdir "/sys/fs/cgroup/$group/daemon"
}

# works_with FILE: the script changes the file, containerd starts with it, and nothing remains after --undo.
works_with()
{
	cp "$1" config.toml
	quietly handler.sh config.toml
	same 'what containerd finds' "$expected" "$(handlers config.toml)"
	starts_with config.toml
	quietly handler.sh --undo config.toml
	cmp "$1" config.toml
}

@test "the configuration of Debian" {
	works_with /etc/containerd/config.toml
}

@test "containerd's own defaults" {
	works_with default.toml
}

@test "the difference alone, and another program" {
	cp /etc/containerd/config.toml config.toml
	chmod 640 config.toml
	chown 7:8 config.toml
	run -0 --separate-stderr handler.sh --dry-run config.toml
	[[ $output == *"+++ /mnt/config.toml"*'+    BinaryName = "/usr/local/bin/idmount-oci-runtime"'* ]]
	cmp /etc/containerd/config.toml config.toml
	quietly handler.sh --runtime /opt/idmount-oci-runtime.idmount config.toml
	run -0 handlers config.toml
	same 'the program' 'BinaryName = "/opt/idmount-oci-runtime.idmount"' "${lines[-1]}"
	quietly handler.sh config.toml
	same 'what containerd finds' "$expected" "$(handlers config.toml)"
	same 'owner and mode' '640 7:8' "$(stat -c '%a %u:%g' config.toml)"
	quietly handler.sh --undo config.toml
	cmp /etc/containerd/config.toml config.toml
	quietly handler.sh --undo config.toml
	cmp /etc/containerd/config.toml config.toml
	same 'owner and mode' '640 7:8' "$(stat -c '%a %u:%g' config.toml)"
	same 'files' '' "$(find . -maxdepth 1 -name 'idmount.*')"
}

@test "nothing but a version, an empty file, and none" {
	echo 'version = 2 # the second' >version.toml
	works_with version.toml
	printf '# nothing\n' >empty.toml
	works_with empty.toml
	run -0 --separate-stderr handler.sh --dry-run new/config.toml
	[[ $output == *'+version = 2'*'+    BinaryName = "/usr/local/bin/idmount-oci-runtime"'* ]]
	[[ ! -e new ]]
	quietly handler.sh new/config.toml
	same 'owner and mode' '644 0:0' "$(stat -c '%a %u:%g' new/config.toml)"
	same 'what containerd finds' "$expected" "$(handlers new/config.toml)"
}

@test "another handler, and an imported file, which stays in force" {
	mkdir conf.d
	cat >main.toml <<-'END'
		version = 2
		imports = ["conf.d/*.toml"]
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
		  runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
	END
	printf '%s\n' 'version = 2' '[metrics]' '  address = "127.0.0.1:1"' >conf.d/one.toml
	quietly handler.sh main.toml
	same 'what containerd finds' $'idmount\nother\nrunc' "$(handlers main.toml | head -n 3)"
	grep -F '127.0.0.1:1' dump.toml
}

# cgroup_driver FILE: prints that of the handler idmount.
cgroup_driver()
{
	containerd --config "$1" config dump >dump.toml
	awk '/^ *\[/ { on = /runtimes\.idmount\.options\]/ } on && $1 == "SystemdCgroup" { print $3 }' dump.toml
}

@test "the cgroup driver is that of the handler runc" {
	local name

	# As kubeadm's documents change the defaults.
	sed 's/SystemdCgroup = false/SystemdCgroup = true/' default.toml >kubeadm.toml
	printf '%s\n' 'version = 2' '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]' \
		'  runtime_type = "io.containerd.runc.v2"' '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]' \
		'  SystemdCgroup = true' >short.toml
	for name in kubeadm short; do
		cp $name.toml config.toml
		quietly handler.sh config.toml
		same "$name: the driver" true "$(cgroup_driver config.toml)"
		# A change of the handler runc, and the script again.
		sed -i '0,/SystemdCgroup = true/s//SystemdCgroup = false/' config.toml
		quietly handler.sh config.toml
		[[ $(cgroup_driver config.toml) != true ]]
		cp $name.toml config.toml
		works_with $name.toml
	done
}

@test "version 3, which containerd 2 reads" {
	echo 'version = 3' >three.toml
	if ((major >= 2)); then
		works_with three.toml
	else
		does_not_change three.toml ''
	fi
}

# does_not_change FILE WORDS: the script fails, with WORDS in its message.
does_not_change()
{
	cp "$1" before.toml
	run -1 --separate-stderr handler.sh "$1"
	same 'standard output' '' "$output"
	echo "$stderr"
	[[ $stderr == "handler.sh: /mnt/$1: "*"$2"* ]]
	cmp "$1" before.toml
	same 'files' '' "$(find . -maxdepth 1 -name 'idmount.*')"
}

@test "what it refuses" {
	echo 'disabled_plugins = ["cri"]' >one.toml
	does_not_change one.toml 'expected a line "version = 2" or 3, got none'
	printf '%s\n' 'version = 2' '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.idmount]' \
		'  runtime_type = "io.containerd.runc.v2"' >own.toml
	does_not_change own.toml 'there is a handler idmount that this script has not added'
	printf '%s\n' 'version = 2' '[plugins' >broken.toml
	does_not_change broken.toml ''
	handler.sh new.toml
	sed '$d' new.toml >cut.toml
	does_not_change cut.toml 'the line "# idmount: end" is missing'
	# A table that cannot be extended.
	printf '%s\n' 'version = 2' '[plugins."io.containerd.grpc.v1.cri".containerd]' \
		'  runtimes = { runc = { runtime_type = "io.containerd.runc.v2" } }' >inline.toml
	does_not_change inline.toml ''
	if ((major < 2)); then
		printf '%s\n' 'version = 2' 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >disabled.toml
		does_not_change disabled.toml 'look for io.containerd.grpc.v1.cri in disabled_plugins'
	fi
	run -2 --separate-stderr handler.sh --runtime 'a"b' new.toml
	run -2 --separate-stderr handler.sh --other
	run -2 --separate-stderr handler.sh one two
}
