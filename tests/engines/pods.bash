# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# Pods, through containerd's interface for Kubernetes. A file loads this after "load common" and "private_mounts".

# containerd requires networks for pods that do not share the node's. These have an address that no interface has.
make_networks()
{
	mkdir -p cni/bin cni/conf
	cat >cni/bin/none <<-'END'
		#!/bin/sh
		version=$(sed -n 's/.*"cniVersion" *: *"\([^"]*\)".*/\1/p' | head -n 1)
		case $CNI_COMMAND in
			ADD) echo "{\"cniVersion\": \"$version\", \"interfaces\": [{\"name\": \"$CNI_IFNAME\", \"sandbox\": \"$CNI_NETNS\"}],
				\"ips\": [{\"version\": \"4\", \"interface\": 0, \"address\": \"192.0.2.1/32\"}]}" ;;
			VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["0.3.1", "0.4.0", "1.0.0"]}' ;;
		esac
	END
	chmod +x cni/bin/none
	ln -s none cni/bin/loopback
	echo '{"cniVersion": "0.4.0", "name": "none", "plugins": [{"type": "none"}]}' >cni/conf/10-none.conflist
}

# Without plugins that require a network, or write outside of the engine's directories.
write_config()
{
	cat >containerd.toml <<-'END'
		version = 2
		root = "/mnt/engine/root"
		state = "/mnt/engine/state"
		disabled_plugins = ["io.containerd.internal.v1.opt"]
		[grpc]
		  address = "/mnt/engine/containerd.sock"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "test.invalid/pause:1"
		  disable_cgroup = true
		  restrict_oom_score_adj = true
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/mnt/cni/bin"
		    conf_dir = "/mnt/cni/conf"
	END
	"$ROOT/contrib/containerd/handler.sh" --runtime "$runtime" containerd.toml
}

# containerd 2 always sets limits, and the cgroups of this test may lack their controllers. So a script in PATH removes
# them.
make_runc()
{
	mkdir bin
	# shellcheck disable=SC2016 # the script expands it
	printf '%s\n' '#!/bin/sh' 'for argument; do' '[ "$previous" != --bundle ] || { cd "$argument" &&' \
		'jq "del(.linux.resources)" config.json >new.json && mv new.json config.json && cd "$OLDPWD"; }' \
		'previous=$argument' 'done' "exec $(type -P runc) \"\$@\"" >bin/runc
	chmod +x bin/runc
}

start_containerd()
{
	daemon env PATH="/mnt/bin:$PATH" containerd --config /mnt/containerd.toml >>containerd.log 2>&1
	until ctr version >/dev/null 2>&1; do
		kill -0 "$daemon" || { tail -n 20 containerd.log && return 1; }
		sleep 0.05
	done
}

# The pods stay.
restart_containerd()
{
	kill "$daemon"
	wait "$daemon" || true
	start_containerd
}

ctr()
{
	command ctr --address /mnt/engine/containerd.sock "$@"
}

# import_image OPTION... FILE
import_image()
{
	ctr "${@:1:$#-1}" images import --platform "linux/$(dpkg --print-architecture)" "${*: -1}"
}

# set_up_pods: starts containerd with a runtime handler "idmount", and with the images of pods.
set_up_pods()
{
	make_networks
	make_runc
	write_config
	start_containerd
	"$BATS_TEST_DIRNAME/image.sh" /mnt/pause.tar test.invalid/pause:1 '["sleep", "1000"]'
	protoc --proto_path "$BATS_TEST_DIRNAME" --python_out /mnt cri.proto
	import_image --namespace k8s.io "$BATS_FILE_TMPDIR/image.tar"
	import_image --namespace k8s.io /mnt/pause.tar
}

# pod NAMESPACE VOLUME COMMAND [KEY=VALUE]...: with what cri.py reads from the environment.
pod()
{
	/usr/bin/python3 "$BATS_TEST_DIRNAME/cri.py" /mnt/engine/containerd.sock /mnt "$IMAGE" "/$group" "$@"
}
