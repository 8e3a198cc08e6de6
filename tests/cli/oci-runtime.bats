# SPDX-License-Identifier: MIT
# idmount oci-runtime: a front for runtimes that cannot map mounts.
load common
private_mounts
load oci

setup()
{
	set_up_containers
	front=/mnt/idmount-oci-runtime
	ln -s "$IDMOUNT" "$front"
}

teardown()
{
	tear_down_containers
}

# through RUNTIME BUNDLE: runs the bundle by the front.
through()
{
	if [[ $1 == crun ]]; then
		crun()
		{
			IDMOUNT_RUNTIME=crun "$front" "$@"
		}
		with_crun "$2"
	else
		"$front" --root state run --bundle "$2" "$prefix-${2##*/}"
	fi
}

# becomes EXPECTED CONFIG: the front changes config.json from CONFIG to EXPECTED. The runtime is a program that fails.
# Standard error is a directory, which cannot be opened for writing. So the annotation for it is not set.
becomes()
{
	mkdir -p b
	printf %s "$2" >b/config.json
	status=0
	IDMOUNT_RUNTIME=false "$front" create --bundle b id 2</ || status=$?
	same 'exit status' 1 "$status"
	same 'config.json' "$1" "$(cat b/config.json && echo .)"
}

# front_refuses STDERR ARGUMENT...: the front fails and changes nothing. STDERR is without the prefix.
front_refuses()
{
	local expected=$1

	shift
	refused 1 "idmount: oci-runtime: $expected" "$front" "$@"
}

@test "runc and crun map through it, with and without a user namespace" {
	local runtime

	for runtime in runc crun; do
		rm -rf b c src/new
		bundle b 'stat -c %u:%g /vol/1000 /vol/5 /other/1000; touch /vol/new; touch /other/x' \
			"$(volume /vol rbind,ridmap "$(rows 1000 0 1)") | $(volume /other rbind,ro,nosuid,idmap "$(rows 1000 0 1)")"
		run --separate-stderr through "$runtime" b
		same "$runtime: output" $'0:0\n65534:65534\n0:0' "$output"
		[[ $stderr == *'/other/x: Read-only file system'* ]]
		same "$runtime: on disk" 1000:1000 "$(owner src/new)"
		bundle c 'stat -c %u:%g /vol/0 /vol/5 /other/1000; touch /other/theirs' \
			"$(volume /vol rbind,idmap) | $(volume /other rbind "$(rows 1000 100000 1)") | $userns"
		# With crun the notes of the hook are seen, too.
		run -0 --separate-stderr through "$runtime" c
		same "$runtime, userns: output" $'0:0\n5:5\n0:0' "$output"
		same "$runtime, userns: on disk" 1000:1000 "$(owner src/theirs)"
		rm src/theirs
	done
}

@test "names in other scripts, plain and escaped, stay as written, and are mapped" {
	local rows='"uidMappings":[{"containerID":1000,"hostID":0,"size":1}],"gidMappings":[{"containerID":1000,"hostID":0,"size":1}]'
	local map='idmap=uids=1000-0-1;gids=1000-0-1' runtime
	local head='{"größe":"\u0433\u043e\u0440\u043e\u0434 \ud842\udfb7","ociVersion":"1.0.2","root":{"path":"\u006c"},"mounts":['
	local hook="{\"path\":\"$IDMOUNT\",\"args\":[\"idmount\",\"oci-hook\""

	becomes "$head"'{"destination":"/Größe/\u00fcber","type":"bind","source":"/stra\u00dfe","options":["rbind"]},{"destination":"/данные","type":"bind","source":"/s"},{"destination":"/\u6570\ud83c\udf0d/𠮷","type":"bind","source":"/🌍"}],"hooks":{"createRuntime":['"$hook,\"--map\",\"$map/Größe/über\",\"--map\",\"$map/данные\",\"--map\",\"$map/数🌍/𠮷\"]}]}}." \
		"$head"'{"destination":"/Größe/\u00fcber","type":"bind","source":"/stra\u00dfe","options":["rbind"],'"$rows"'},{"destination":"/данные","type":"bind","source":"/s",'"$rows"'},{"destination":"/\u6570\ud83c\udf0d/𠮷",'"$rows"',"type":"bind","source":"/🌍"}]}'
	# A key with escaped letters is the same key.
	becomes "$head"'{"destination":"/v","type":"bind","source":"/s"}],"hooks":{"createRuntime":['"$hook,\"--map\",\"$map/v\"]}]}}." \
		"$head"'{"destination":"/v","type":"bind","source":"/s",'"${rows//Mappings/\\u004dappings}"'}]}'
	for runtime in runc crun; do
		rm -rf b
		bundle b 'stat -c %u:%g /Größe/1000 /данные/1000 /数据/🌍𠮷/1000' \
			"$(volume /Größe rbind "$(rows 1000 0 1)") | $(volume /данные rbind "$(rows 1000 5 1)") | $(volume /数据/🌍𠮷 rbind "$(rows 1000 7 1)")"
		jq --ascii-output . b/config.json >new && mv new b/config.json
		run --separate-stderr through "$runtime" b
		same "$runtime: output" $'0:0\n5:5\n7:7' "$output"
	done
}

@test "the front adds the hook, moves requests for maps to its arguments, and keeps all else byte for byte" {
	local hook="{\"path\":\"$IDMOUNT\",\"args\":[\"idmount\",\"oci-hook\"]}"
	local head='{"ociVersion":"1.0.2","root":{"path":"x"},"mounts":[{"destination":"/v","type":"bind","source":"/s",'
	local rows='"uidMappings":[{"containerID":0,"hostID":5,"size":1}],"gidMappings":[{"containerID":0,"hostID":6,"size":1}]'
	local annotation='"io.idmount.map/v":"idmap=uids=5-0-1;gids=6-0-1"' map='"--map","idmap=uids=0-5-1;gids=0-6-1/v"'
	local mapped="{\"path\":\"$IDMOUNT\",\"args\":[\"idmount\",\"oci-hook\",$map]}"

	# Without a map nothing changes, whatever the notation.
	becomes $'{ "ociVersion":"1.0.2", "root" : {"path":"x"},\t"mounts":[{"destination":"/v"}]}\n\n.' \
		$'{ "ociVersion":"1.0.2", "root" : {"path":"x"},\t"mounts":[{"destination":"/v"}]}\n\n'
	becomes $'{"ociVersion":"1.0.2"}.' '{"ociVersion":"1.0.2"}'
	# The rows and words are at different places.
	becomes "$head\"options\":[\"rbind\"]}],\"hooks\":{\"createRuntime\":[$mapped]}}." \
		"$head\"options\":[\"rbind\"],$rows}]}"
	becomes "${head}\"options\":[\"rbind\"]}],\"hooks\":{\"createRuntime\":[$mapped]}}." \
		"$head$rows,\"options\":[\"idmap\",\"rbind\"]}]}"
	becomes "${head%,}, \"options\": [ \"ro\", \"rbind\" ] } ],\"hooks\":{\"createRuntime\":[${mapped/idmap=/ridmap=}]}}." \
		"${head%,}, \"options\": [ \"ro\" , \"idmap\", \"rbind\",\"ridmap\" ], $rows } ]}"
	becomes "$head\"options\":[\"bind\"]}],\"hooks\":{\"createRuntime\":[${mapped/idmap=*1\/v/uidmap=0:5:1 gidmap=0:6:1\/v}]}}." \
		"$head\"options\":[\"uidmap=0:5:1\",\"bind\",\"gidmap=0:6:1\"]}]}"
	becomes "$head\"options\":[\"bind\"]}],\"hooks\":{\"createRuntime\":[${mapped/idmap=/ridmap=}]}}." \
		"$head\"options\":[\"bind\",\"ridmap=uids=0-5-1;gids=0-6-1\"]}]}"
	# Annotations and hooks exist, are null, or are empty.
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":{\"a\":\"b\"},\"hooks\":{\"prestart\":[{\"path\":\"/x\"}],\"createRuntime\":[$mapped]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"annotations\":{\"a\":\"b\"},\"hooks\":{\"prestart\":[{\"path\":\"/x\"}]}}"
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":null,\"hooks\":{\"createRuntime\":[$mapped]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"annotations\":null,\"hooks\":null}"
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":{},\"hooks\":{\"createRuntime\":[$mapped]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"annotations\":{},\"hooks\":{\"createRuntime\":[]}}"
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":{},\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"},$mapped],\"poststop\":[]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"annotations\":{},\"hooks\":{\"createRuntime\":[{\"path\":\"/a\"}],\"poststop\":[]}}"
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":{},\"hooks\":{\"createRuntime\":[$mapped]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"annotations\":{},\"hooks\":{\"createRuntime\":null}}"
	# Keys are written in other ways, and strings look like JSON.
	becomes "$head\"options\":[\"bind\"]}],\"x\":\"\\\"],{\\\\\",\"\\u0068ooks\":{\"createRunt\\u0069me\":[$mapped]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"x\":\"\\\"],{\\\\\",\"\\u0068ooks\":{\"createRunt\\u0069me\":[]}}"
	# The hook of an earlier version, at another path.
	becomes "$head\"options\":[\"bind\"]}],\"hooks\":{\"createRuntime\":[{\"args\":[\"idmount\",\"oci-hook\",$map],\"path\":\"$IDMOUNT\"}]}}." \
		"$head\"options\":[\"bind\"],$rows}],\"hooks\":{\"createRuntime\":[{\"args\":[\"idmount\",\"oci-hook\"],\"path\":\"/old/idmount\"}]}}"
	# An annotation that another program has written.
	head=${head/\/s/\/mnt\/src}
	becomes "$head\"options\":[\"bind\"]}],\"annotations\":{$annotation},\"hooks\":{\"createRuntime\":[$hook]}}." \
		"$head\"options\":[\"bind\"]}],\"annotations\":{$annotation}}"
}

@test "indentation is kept, and a second time changes nothing" {
	local inode

	bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	chmod 640 b/config.json
	chown 7:8 b/config.json
	IDMOUNT_RUNTIME=false run -1 "$front" create --bundle b id
	same 'mode and owner' '640 7:8' "$(stat -c '%a %u:%g' b/config.json)"
	grep -qx '  "hooks":{"createRuntime":.*' b/config.json
	cp b/config.json first
	inode=$(stat -c %i b/config.json)
	IDMOUNT_RUNTIME=false run -1 "$front" run -b b id
	cmp first b/config.json
	same 'the file' "$inode" "$(stat -c %i b/config.json)"
	same 'the directory' config.json "$(ls -A b)"
}

@test "the bundle, however it is named; a link to config.json" {
	local words

	for words in '--bundle b' '-b b' '--bundle=b' '--bundle x --bundle b' '--detach=false -b b' '--bundle b --' '--pid-file --x --bundle b' '--console-socket -b -b b' '--no-pivot -b b'; do
		rm -rf b
		bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
		mv b/config.json real.json
		ln -s ../real.json b/config.json
		# shellcheck disable=SC2086
		IDMOUNT_RUNTIME=false run -1 "$front" --root x --log-format json create $words id
		grep -q oci-hook real.json
		[[ -L b/config.json ]]
	done
	bundle c true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	cd c
	IDMOUNT_RUNTIME=false run -1 "$front" run id
	grep -q oci-hook config.json
}

@test "words that could mean another bundle are refused, and nothing is changed" {
	local command words

	bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	bundle undle true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	cp b/config.json before
	export IDMOUNT_RUNTIME=true
	for command in create run restore; do
		for words in --bund --bun=b --no-such --bundlee=b --Bundle; do
			front_refuses "$command: $words: unknown option; expected its full name" $command $words b id
		done
		for words in -db -bb -bundle -bundle=b -b=b -x -detach; do
			front_refuses "$command: $words: unknown option; expected one letter, or --NAME" $command $words b id
		done
		front_refuses "$command: --bund: unknown option; expected its full name" $command -d -b b --bund /x id
		front_refuses "$command: --bundle: expected no argument after the name of the container" $command id --bundle b
		front_refuses "$command: x: expected no argument after the name of the container" $command -b b -- id x
		quietly "$front" $command --help
	done
	cmp before b/config.json
	# crun accepts these as --bundle and -b.
	export IDMOUNT_RUNTIME=crun
	run "$front" create --bund b id
	((status == 1))
	[[ $output == 'idmount: oci-runtime: create: --bund: unknown option; '* ]]
}

@test "restore: a bundle that asks for a map is refused, others go through" {
	local what='prepare bundle: restore: a container with ID-mapped mounts cannot be restored'

	# shellcheck disable=SC2016
	printf '#!/bin/sh\nprintf "<%%s>" "$@"; exit 7\n' >real
	chmod +x real
	export IDMOUNT_RUNTIME=/mnt/real
	bundle plain true "$(volume /vol rbind)"
	run -7 "$front" restore --bundle plain --image-path x --tcp-established -d id
	same arguments '<restore><--bundle><plain><--image-path><x><--tcp-established><-d><id>' "$output"
	bundle rows true "$(volume /vol rbind "$(rows 1000 0 1)")"
	bundle annotated true "$(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
	cp -r rows ready
	IDMOUNT_RUNTIME=false run -1 "$front" create --bundle ready id
	for name in rows annotated ready; do
		front_refuses "/mnt/$name/config.json: $what" restore --bundle $name id
	done
}

@test "all other commands go straight through" {
	# shellcheck disable=SC2016
	printf '#!/bin/sh\nprintf "<%%s>" "$@"; exit 7\n' >real
	chmod +x real
	export IDMOUNT_RUNTIME=/mnt/real
	bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	cp b/config.json before
	cd b
	run -7 "$front" --root /x --systemd-cgroup --log=/mnt/log exec --cwd / id create run
	same arguments '<--root></x><--systemd-cgroup><--log=/mnt/log><exec><--cwd></><id><create><run>' "$output"
	run -7 "$front" delete --force run
	same arguments '<delete><--force><run>' "$output"
	run -7 "$front" --version
	same arguments '<--version>' "$output"
	run -7 "$front" spec --bundle b
	run -7 "$front" --debug
	same arguments '<--debug>' "$output"
	cmp ../before config.json
	run -7 "$IDMOUNT" oci-runtime --root run list
	same arguments '<--root><run><list>' "$output"
	# Its own name in PATH is not a runtime.
	mkdir ../bin
	ln -s "$IDMOUNT" ../bin/runc
	ln -s /mnt/real ../bin/crun
	unset IDMOUNT_RUNTIME
	PATH=/mnt/bin run -7 "$front" list
	same arguments '<list>' "$output"
}

@test "create, start, state and delete, as engines do it" {
	local id="$prefix-b" i

	bundle b 'stat -c %u /vol/1000 >/vol/seen; exec sleep 1000' "$(volume /vol rbind "$(rows 1000 0 1)")"
	"$front" --root state --log log --log-format json create --bundle b --pid-file pid "$id" >output 2>&1 3>&- </dev/null
	same status created "$("$front" --root state state "$id" | jq -r .status)"
	"$front" --root state start "$id"
	for ((i = 0; i < 1200 && ! $(stat -c %s src/seen 2>/dev/null || echo 0); i++)); do sleep 0.05; done
	same 'seen' 0 "$(cat src/seen)"
	same 'on disk' 1000:1000 "$(owner src/seen)"
	same 'inside' 0 "$("$front" --root state exec "$id" stat -c %u /vol/1000)"
	"$front" --root state delete --force "$id"
	[[ ! -e state/$id ]]
	same 'the process' '' "$(sed -n '/^State:[^ZX]*$/p' "/proc/$(cat pid)/status" 2>/dev/null)"
}

@test "features" {
	same runc true "$("$front" features | jq .linux.mountExtensions.idmap.enabled)"
	same 'what runc says besides' "$(runc features | jq -S .)" \
		"$("$front" features | jq -S 'del(.linux.mountExtensions) | .mountOptions -= ["idmap", "ridmap"]')"
	same 'mount options' '["idmap","ridmap"]' "$("$front" features | jq -c '.mountOptions[-2:]')"
	same crun '{"ociVersionMin":"1.0.0","ociVersionMax":"1.0.0","linux":{"mountExtensions":{"idmap":{"enabled":true}}}}' \
		"$(IDMOUNT_RUNTIME=crun "$front" features | jq -c .)"
	printf '#!/bin/sh\necho %s\n' "'{\"linux\":{\"mountExtensions\":{\"idmap\":{\"enabled\":false}}},\"mountOptions\":[\"idmap\"]}'" >real
	chmod +x real
	IDMOUNT_RUNTIME=/mnt/real prints '{"linux":{"mountExtensions":{"idmap":{"enabled":true}}},"mountOptions":["idmap","ridmap"]}' "$front" features
	printf '#!/bin/sh\necho garbage\n' >real
	export IDMOUNT_RUNTIME=/mnt/real
	front_refuses '/mnt/real: ask for features: line 1, column 1: expected a value, got "garbage"' features
}

@test "invalid runtimes" {
	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	export IDMOUNT_RUNTIME=/mnt/b/config.json
	front_refuses 'IDMOUNT_RUNTIME: expected an executable program other than this one, got /mnt/b/config.json' run --bundle b id
	export IDMOUNT_RUNTIME=/mnt/none
	front_refuses 'IDMOUNT_RUNTIME: expected an executable program other than this one, got /mnt/none' run --bundle b id
	export IDMOUNT_RUNTIME=$front
	front_refuses "IDMOUNT_RUNTIME: expected an executable program other than this one, got $front" run --bundle b id
	export IDMOUNT_RUNTIME=no-such-runtime
	front_refuses 'IDMOUNT_RUNTIME: no-such-runtime: not found in PATH' list
	unset IDMOUNT_RUNTIME
	refused 1 'idmount: oci-runtime: neither runc nor crun is in PATH; IDMOUNT_RUNTIME can name another' \
		env PATH=/nowhere "$front" list
	refused 2 'idmount: oci-runtime: --what: unknown option; see "idmount help oci-runtime"' "$front" --what list
}

@test "invalid bundles are reported before anything runs, also in the log" {
	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	export IDMOUNT_RUNTIME=true
	config_refused()
	{
		jq "$2" b/config.json >new && mkdir -p c && mv new c/config.json
		front_refuses "/mnt/c/config.json: $1" create -b c id
	}
	front_refuses '/mnt/none: prepare bundle: open: No such file or directory' create -b /mnt/none id
	front_refuses '/mnt/src/config.json: prepare bundle: read: No such file or directory' create -b /mnt/src id
	front_refuses 'create: --config: expected config.json of the bundle' create --config other.json -b b id
	front_refuses 'create: --bundle: the bundle is missing' create --bundle
	front_refuses 'create: --bundle=: the bundle is missing' create --bundle= id
	front_refuses 'create: --pid-file: its value is missing' create -b b --pid-file
	config_refused 'prepare bundle: mounts[7]: duplicate map (also given by the annotation io.idmount.map/vol)' '.annotations = {"io.idmount.map/vol": "0:1"}'
	config_refused 'prepare bundle: mounts[7].options[1]: duplicate map' '.mounts[-1].options += ["idmap=uids=0-1-1;gids=0-1-1"]'
	config_refused 'prepare bundle: mounts[7].uidMappings[0].size: expected a number, got a string' '.mounts[-1].uidMappings[0].size = "1"'
	config_refused 'prepare bundle: mounts[7].uidMappings: gidMappings is missing beside it' 'del(.mounts[-1].gidMappings)'
	config_refused 'read plan: annotations["io.idmount.map/none"]: no mount has the destination /none' '.annotations = {"io.idmount.map/none": "0:1"}'
	config_refused 'prepare bundle: mounts[7]: another mount has the destination /vol, too' '.mounts += [.mounts[-1]]'
	config_refused 'prepare bundle: mounts[7]: another mount has the destination /vol, too' '.mounts += [.mounts[-1] | .destination = "vol/" | del(.uidMappings, .gidMappings)]'
	config_refused 'read plan: annotations["io.idmount.map/vol"]: more than one mount has the destination /vol' \
		'.annotations = {"io.idmount.map/vol": "0:1"} | del(.mounts[-1].uidMappings, .mounts[-1].gidMappings) | .mounts += [.mounts[-1]]'
	config_refused 'mounts[7] (bind on /vol): parse map: 0:6:1: expected uids= or gids= as start of a section' '.mounts[-1] |= (del(.uidMappings, .gidMappings) | .options += ["idmap=0:6:1"])'
	config_refused 'prepare bundle: hooks: expected an object, got an array' '.hooks = []'
	config_refused 'read plan: Hooks: expected the spelling "hooks"' '.Hooks = {}'
	echo '{' >c/config.json
	front_refuses '/mnt/c/config.json: prepare bundle: line 2, column 1: expected a key in quotes or '\''}'\'', got the end of the text' create -b c id
	run -1 "$front" --log log --log-format json create -b /mnt/none id
	same 'the log' '{"level":"error","msg":"/mnt/none: prepare bundle: open: No such file or directory"}' "$(jq -c 'del(.time)' log)"
	rm log
	run -1 "$front" --log log --log-format json create -b $'/mnt/n\xff\e"' id
	python3 -c 'import json; print(json.load(open("log", encoding="utf-8"))["msg"])' >message
	same 'the log' '/mnt/n\377\033": prepare bundle: open: No such file or directory' "$(<message)"
	run -1 "$front" --log text create -b /mnt/none id
	grep -qE '^time="[^"]+" level=error msg="/mnt/none: prepare bundle: open: No such file or directory"$' text
	mount -t tmpfs -o ro ro c
	mount -o remount,rw c && cp b/config.json c && mount -o remount,ro c
	front_refuses '/mnt/c/config.json: prepare bundle: create a new one beside it: Read-only file system' create -b c id
}

@test "a full disk, and a limit for the size of files: config.json stays, and nothing is beside it" {
	local limit

	bundle b true "$(volume /vol rbind "$(rows 1000 0 1)")"
	export IDMOUNT_RUNTIME=true
	mkdir full
	mount -t tmpfs -o size=4k full full
	jq -c . b/config.json >full/config.json
	cp full/config.json before
	front_refuses '/mnt/full/config.json: prepare bundle: write a new one: No space left on device' create -b full id
	for limit in 0 1000; do
		cp before b/config.json
		# The log is larger than the limit, too.
		printf %01000d 0 >log
		# Standard error is no file, for which the limit would hold, too.
		run -1 bash -c 'set -o pipefail; prlimit --fsize="$0" "$1" oci-runtime --log log create -b b id |& cat' $limit "$IDMOUNT"
		same output 'idmount: oci-runtime: /mnt/b/config.json: prepare bundle: write a new one: File too large' "$output"
		same 'the log' 1000 "$(stat -c %s log)"
	done
	for limit in full b; do
		cmp before $limit/config.json
		same 'the directory' config.json "$(ls -A $limit)"
	done
}

@test "the hook's reason is in the runtime's log, and on standard error with crun, too" {
	local reason='bind on /vol (annotation io.idmount.map/vol): map tree: the filesystem (proc) cannot be ID-mapped' runtime

	source=/proc
	for runtime in runc crun; do
		rm -rf b log
		bundle b true "$(volume /vol bind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
		front()
		{
			IDMOUNT_RUNTIME=$runtime "$front" --log log --log-format json "$@"
		}
		crun()
		{
			front "$@"
		}
		if [[ $runtime == crun ]]; then
			run --separate-stderr with_crun b
		else
			run --separate-stderr front --root state run --bundle b "$prefix-b"
		fi
		((status != 0))
		echo "$stderr"
		[[ $runtime == runc || $stderr == *"idmount: oci-hook: $reason"* ]]
		jq -r .msg log | grep -F "$reason"
	done
	same 'the annotation' /dev/stderr "$(jq -r '.annotations["run.oci.hooks.stderr"]' b/config.json)"
	# A bundle that the front has prepared stays as it is, and the last log counts.
	IDMOUNT_RUNTIME=/bin/false run -1 "$front" --log /mnt/other create --bundle b id
	same 'the options' '["--log","/mnt/log","--log-format","json","--log","/mnt/other"]' \
		"$(jq -c '.hooks.createRuntime[0].args[2:]' b/config.json)"
}

# A kubelet adds the map of a pod with hostUsers: false to each volume.
@test "an annotation counts, and not the mappings that are the container's own" {
	local runtime own='[{containerID: 0, hostID: 100000, size: 65536}]'

	policy 'allow source=/mnt/src disk=5,1000 seen=100007'
	for runtime in runc crun; do
		rm -rf b
		bundle b 'stat -c %u:%g /vol/1000 /vol/5' \
			"$(volume /vol rbind "$own") | $userns | .annotations = {\"io.idmount.map/vol\": \"1000:100007\"}"
		run -0 --separate-stderr through "$runtime" b
		same "$runtime: output" $'7:7\n65534:65534' "$output"
		jq -e '.mounts[-1] | has("uidMappings") or has("gidMappings") | not' b/config.json
		# As the hook reads it, where the runtime has the mappings.
		bundle b 'stat -c %u:%g /vol/1000 /vol/5' \
			".mounts[-1] += {uidMappings: $own, gidMappings: $own, options: [\"rbind\", \"ridmap\"]}"
		run -0 --separate-stderr through "$runtime" b
		same "$runtime, again: output" $'7:7\n65534:65534' "$output"
	done
	export IDMOUNT_RUNTIME=false
	bundle b true '.mounts[-1] += {uidMappings: [{containerID: 0, hostID: 100000, size: 65535}], gidMappings: .linux.gidMappings}'
	front_refuses '/mnt/b/config.json: prepare bundle: mounts[7]: duplicate map (also given by the annotation io.idmount.map/vol)' create -b b id
	bundle b true ".mounts[-1] += {options: [\"rbind\", \"idmap\"]} | del(.mounts[-1].uidMappings, .mounts[-1].gidMappings)"
	front_refuses '/mnt/b/config.json: prepare bundle: mounts[7]: duplicate map (also given by the annotation io.idmount.map/vol)' create -b b id
}

# Between the judgement of the front and the mounts of the runtime a container that shares the volume can do that.
@test "the rules hold for a source that is exchanged when the front has judged it" {
	local runtime

	policy 'allow source=/mnt/src disk=1000 seen=0'
	mkdir secret exchanging
	chown 1000:1000 secret
	source=/mnt/src/volume
	for runtime in runc crun; do
		mkdir src/volume
		rm -rf b
		bundle b 'touch /vol/new' "$(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"1000:0\"}"
		printf '%s\n' '#!/bin/sh' 'rmdir /mnt/src/volume && ln -s /mnt/secret /mnt/src/volume' \
			"exec $(type -P $runtime) \"\$@\"" >exchanging/$runtime
		chmod +x exchanging/$runtime
		PATH=/mnt/exchanging:$PATH run through "$runtime" b
		((status != 0))
		[[ $output == *'no rule of /etc/idmount/annotations.conf matches '*' source /mnt/secret'* ]]
		[[ -L src/volume && ! -e secret/new ]]
		rm src/volume
	done
}

@test "crun's annotation for the standard error of hooks" {
	local annotation='.annotations["run.oci.hooks.stderr"]'

	# Its name does not matter: any script can execute crun.
	cp /bin/false fails
	# annotated EXPECTED FILTER
	annotated()
	{
		rm -rf b
		bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)") | $2"
		IDMOUNT_RUNTIME=/mnt/fails "$front" create --bundle b id || true
		same 'the annotation' "$1" "$(jq -r "$annotation" b/config.json)"
	}
	annotated /dev/stderr .
	annotated /dev/stderr '.annotations = null'
	# An image can bring these along, and crun opens the files as root.
	annotated /dev/stderr "$annotation = \"/there\""
	annotated /dev/stderr "$annotation = 7"
	annotated /dev/null "$annotation = \"/there\" | .hooks = {poststop: [{path: \"/bin/true\"}]}"
	annotated /dev/stdout "$annotation = \"/dev/stdout\" | .hooks = {poststop: [{path: \"/bin/true\"}]}"
	annotated /dev/stderr '.annotations = {"run.oci.hooks.stdout": "/there"}'
	same 'for standard output' /dev/null "$(jq -r '.annotations["run.oci.hooks.stdout"]' b/config.json)"
	annotated /dev/stderr '.hooks = {poststop: []}'
	annotated null '.hooks = {poststop: [{path: "/bin/true"}]}'
	annotated null '.hooks = {poststart: [{path: "/bin/true"}]}'
	# crun could not open a socket.
	rm -r b
	bundle b true "$(volume /vol rbind,idmap "$(rows 1000 0 1)")"
	IDMOUNT_RUNTIME=/mnt/fails python3 -c 'import socket, subprocess, sys
here, there = socket.socketpair()
subprocess.run(sys.argv[1:], stderr=there)' "$front" create --bundle b id
	same 'the annotation' null "$(jq -r "$annotation" b/config.json)"
	jq -e .hooks b/config.json
}

@test "crun: the author of an image names no file for the output of the hook" {
	source=/proc
	# shellcheck disable=SC2016 # a shell that reads the file would expand it
	bundle b true "$(volume '/$(id>pwn)' bind,idmap "$(rows 1000 0 1)")
		| .annotations = {\"run.oci.hooks.stderr\": \"/mnt/x.sh\", \"run.oci.hooks.stdout\": \"/mnt/y.sh\"}"
	run ! through crun b
	[[ $output == *'note: replaced a file that an annotation names for the output of hooks; the log of the runtime has errors'* ]]
	[[ $output == *'cannot be ID-mapped'* ]]
	[[ ! -e x.sh && ! -e y.sh ]]
}

@test "50 containers at once, each with its own map of one source" {
	local i n=50 pids=()

	for ((i = 0; i < n; i++)); do
		bundle "b$i" 'stat -c %u /vol/1000' "$(volume /vol rbind,ro "$(rows 1000 $((1000 + i)) 1)")"
	done
	for ((i = 0; i < n; i++)); do
		"$front" --root state run --bundle "b$i" "$prefix-$i" >"output$i" 2>&1 3>&- &
		pids+=($!)
	done
	for ((i = 0; i < n; i++)); do
		wait "${pids[i]}" || true
		same "container $i" $((1000 + i)) "$(cat "output$i")"
	done
	same 'what runc knows' '' "$(runc --root state list -q)"
	same 'mounts here' 0 "$(grep -c idmapped /proc/self/mountinfo || true)"
	echo "# $n containers at once" >&3
}

@test "with an annotation's key no engine's map can be forged, nor the other way round" {
	local hook

	# The rules limit annotations that an older front wrote, as any annotation.
	bundle b true "$(volume /vol rbind) | .annotations = {\"io.idmount.map/vol\": \"idmap=uids=0-1000-1;gids=0-1000-1\"}"
	policy
	IDMOUNT_RUNTIME=true front_refuses \
		'/mnt/b/config.json: io.idmount.map/vol: judge annotation: the default rule refuses disk uid 0; /etc/idmount/annotations.conf is the file that allows it' create -b b id
	# Rows come from the engine, also for a pod, and a second call keeps them.
	bundle c 'stat -c %u /vol/0' "$(volume /vol rbind "$(rows 0 1000 1)") | .annotations = {\"io.kubernetes.cri.container-type\": \"container\"}"
	prints 1000 through runc c
	hook=$(jq -c .hooks c/config.json)
	same 'arguments' '["idmount","oci-hook","--map","idmap=uids=0-1000-1;gids=0-1000-1/vol"]' "$(jq -c '.hooks.createRuntime[0].args' c/config.json)"
	prints 1000 through runc c
	same 'the hook' "$hook" "$(jq -c .hooks c/config.json)"
}
