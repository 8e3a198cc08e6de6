# SPDX-License-Identifier: MIT
# A reader can follow docs/engines.md. The test runs its commands unchanged, in their order, and compares their
# output with the document. It checks the files that the document refers to, too.
load common
private_mounts

setup()
{
	set_up_engine
	mkdir data image
	# Files that the commands write disappear with the test. This tree may be below /srv, and overlays have no maps.
	forget_changes etc
	forget_changes srv
	mkdir -p /srv/data
	mount --bind data /srv/data
	mount -t tmpfs bin /usr/local/bin
	cp "$IDMOUNT" /usr/local/bin/idmount
	ln -s idmount /usr/local/bin/idmount-oci-runtime
	write_systemctl
	write_podman_configuration
}

teardown()
{
	tear_down_engine
}

# forget_changes NAME: changes of the directory /NAME go to memory.
forget_changes()
{
	mkdir -p "changes/$1/upper" "changes/$1/work"
	mount -t overlay -o "lowerdir=/$1,upperdir=/mnt/changes/$1/upper,workdir=/mnt/changes/$1/work" "$1" "/$1"
}

# This machine may run without systemd.
write_systemctl()
{
	cat >/usr/local/bin/systemctl <<-'END'
		#!/bin/sh
		set -eu
		[ "$*" = "restart containerd" ]
		if [ -e /run/containerd.pid ]; then
			kill "$(cat /run/containerd.pid)"
			while ctr version >/dev/null 2>&1; do sleep 0.05; done
		fi
		containerd >/run/containerd.log 2>&1 3>&- &
		echo $! >/run/containerd.pid
		until ctr version >/dev/null 2>&1; do
			kill -0 $!
			sleep 0.05
		done
	END
	chmod +x /usr/local/bin/systemctl
}

# Some machines cannot mount an overlay here, or refuse to raise limits. crun raises one for itself when it makes
# a cgroup.
write_podman_configuration()
{
	cat >/etc/containers/containers.conf <<-'END'
		[containers]
		default_ulimits = ["nofile=1024:1024", "nproc=1024:1024"]
		pids_limit = 0
		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
		events_logger = "file"
	END
	printf '%s\n' '[storage]' 'driver = "vfs"' 'runroot = "/run/containers/storage"' \
		'graphroot = "/var/lib/containers/storage"' >/etc/containers/storage.conf
}

@test "docs/engines.md can be followed" {
	mkdir -p tree/build-static
	ln -s "$ROOT/contrib" "$ROOT/tests" tree
	cp "$IDMOUNT" tree/build-static/idmount
	[[ $(blocks engines.md sh | wc -l) -gt 30 ]]
	{
		echo 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
		echo 'set -euo pipefail; cd /mnt/tree; umount /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup; systemctl restart containerd'
		# Some machines lack controllers in this layout.
		echo 'ctr() { if [[ $1 == run ]]; then set -- run --cpu-shares 0 "${@:2}"; fi; command ctr "$@"; }'
		# crun raises limits to make a cgroup.
		echo 'idmount-oci-runtime() { if [[ ${IDMOUNT_RUNTIME-} == crun ]]; then set -- --cgroup-manager=disabled "$@"; fi; command idmount-oci-runtime "$@"; }'
		blocks engines.md sh | sed "s|linux/amd64|linux/$(dpkg --print-architecture)|"
	} >script
	mkdir "/sys/fs/cgroup/$group/docs"
	run --separate-stderr bash -c 'echo $BASHPID >"$0" && exec unshare --cgroup --mount bash /mnt/script' \
		"/sys/fs/cgroup/$group/docs/cgroup.procs"
	((status == 0)) || printf '%s\n' "$stderr"
	same 'what it prints' "$(blocks engines.md text)" "$output"
	same 'exit status' 0 "$status"
}

@test "the parent of a snapshot for idmount bundle is the image's top layer" {
	ctr()
	{
		printf '%s\n' 'KEY PARENT KIND' 'sha256:2 sha256:1 Committed' 'sha256:3 sha256:2 Committed' 'sha256:1  Committed' \
			'running sha256:3 Active'
	}
	eval "$(blocks engines.md sh | sed -n '/^parent=/,/)$/p')"
	same 'the parent' sha256:3 "$parent"
}

@test "the commands for buildah map the directory" {
	touch data/file
	chown -R 1000:1000 data
	blocks engines.md console buildah | sed 's|^buildah run -v \([^:]*\):.*|stat -c "%u:%g %n" \1/file|' >script
	PATH=/usr/local/bin:$PATH run -0 --separate-stderr bash -eu script
	same 'the file' '0:0 /mnt/data/file' "$output"
}

@test "the script that installs the program on a node of Kubernetes" {
	cp "$(type -P busybox)" image/busybox
	cp "$IDMOUNT" image/idmount
	ln -s /bin image/host
	install=$(/usr/bin/python3 -c '
import sys, yaml
print(yaml.safe_load(open(sys.argv[1]))["spec"]["template"]["spec"]["initContainers"][0]["command"][3])' "$ROOT/contrib/kubernetes/daemonset.yaml")
	rm image/host
	mkdir image/host
	echo old >image/host/idmount
	for i in 1 2; do
		quietly setpriv --inh-caps=-all --bounding-set=-all,+sys_chroot chroot image /busybox sh -euc "$install"
		cmp image/host/idmount "$IDMOUNT"
		same 'what is there' $'idmount 755\nidmount-oci-runtime 777' "$(cd image/host && stat -c '%n %a' -- *)"
		same 'the link' idmount "$(readlink image/host/idmount-oci-runtime)"
	done
}

@test "the manifests for Kubernetes" {
	cd "$ROOT/contrib/kubernetes"
	prints 'daemonset.yaml: DaemonSet
pod.yaml: Pod
runtimeclass.yaml: RuntimeClass' "$BATS_TEST_DIRNAME/check-manifest.py" [!a]*.yaml
	# Debian 12's models are older.
	if /usr/bin/python3 -c 'from kubernetes import client; client.V1ValidatingAdmissionPolicy' 2>/dev/null; then
		prints 'admission-policy.yaml: ValidatingAdmissionPolicy
admission-policy.yaml: ValidatingAdmissionPolicyBinding' "$BATS_TEST_DIRNAME/check-manifest.py" admission-policy.yaml
	fi
	same 'the handler, and who asks for it' $'handler: idmount\n  runtimeClassName: idmount' \
		"$(grep -h '^handler:\|^  runtimeClassName:' ./*.yaml | sort -r)"
	[[ $(grep -c 'idmount.io/runtime: "true"' daemonset.yaml) == 1 && $(grep -c 'idmount.io/runtime: "true"' runtimeclass.yaml) == 1 ]]
	sed 's/nodeSelector/nodeSelectors/' runtimeclass.yaml >/mnt/bad.yaml
	run -1 "$BATS_TEST_DIRNAME/check-manifest.py" /mnt/bad.yaml
	same 'a wrong one' '/mnt/bad.yaml: RuntimeClass.scheduling.nodeSelectors: unknown' "$output"
}

# put RELEASE ROW CASE RESULT [NOTE]: a line as the tests write it.
put()
{
	printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$2 1.$1" "$3" "$4" "${5-}"
}

@test "the table of engines is written between its markers, and names what to do where a map is lost" {
	{
		put 13 other annotation works
		put 13 other wrong 'refused, with the reason'
		put sid engine annotation works
		put 13 engine annotation 'no map' 'Use another.'
	} >new
	{
		put 12 engine annotation 'no map' 'Use another.'
		put 12 engine read-only works
		put 12 engine wrong 'refused, without the reason' 'Look there.'
	} >old
	cp "$ROOT/docs/engines.md" page.md
	for i in 1 2; do
		quietly "$BATS_TEST_DIRNAME/engine-table.py" page.md old new
		same 'rows' '| engine | 12: engine 1.12 | **no map** (1) | – | – | – | works | – | refused, without the reason (2) |
| engine | 13: engine 1.13 | **no map** (1) | – | – | – | – | – | – |
| engine | sid: engine 1.sid | works | – | – | – | – | – | – |
| other | 13: other 1.13 | works | – | – | – | – | – | refused |
1. Use another.
2. Look there.' "$(grep -E '^[|] (engine|other) [|] (1[23]|sid):|^[12]\. (Use|Look)' page.md)"
	done
	delete_table()
	{
		sed '/^<!-- .* from here -->$/,/^<!-- .* to here -->$/ { /^<!--/!d }' "$1"
	}
	same 'the rest' "$(delete_table "$ROOT/docs/engines.md")" "$(delete_table page.md)"
	put 13 engine annotation 'no map' >bad
	fails 1 'engine, annotation: the map is lost, and no note says what to do' "$BATS_TEST_DIRNAME/engine-table.py" page.md bad
	# Each map that the page's own table has as lost is one with a note.
	run grep -c '\*\*no map\*\* *|' "$ROOT/docs/engines.md"
	same 'lost maps without a note' 0 "$output"
}
