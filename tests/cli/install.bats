# SPDX-License-Identifier: MIT
# The places of installed files, and the options of the build. Nothing is compiled or installed here.
load common

setup()
{
	cd "$BATS_TEST_TMPDIR"
}

# configure OPTION...: writes the destinations of all files to the file `destinations`, sorted.
configure()
{
	rm -rf build
	run meson setup build "$ROOT" -Dman=disabled "$@"
	((status == 0)) || echo "$output"
	same 'exit status' 0 "$status"
	meson introspect --installed build | jq -r '.[]' | sort >destinations
}

@test "with a prefix of one's own, all files are below it" {
	configure --prefix /home/joe/idmount
	grep -Fx /home/joe/idmount/bin/idmount destinations
	grep -Fx /home/joe/idmount/sbin/mount.idmap destinations
	same 'outside' '' "$(grep -v '^/home/joe/idmount/' destinations)"
}

@test "the helper of mount(8) is where mount(8) looks for it" {
	configure
	grep -Fx /sbin/mount.idmap destinations
	configure --prefix /usr
	grep -Fx /sbin/mount.idmap destinations
	configure -Dmount-helper-dir=/opt/sbin
	grep -Fx /opt/sbin/mount.idmap destinations
}

# Python itself names the directory: dist-packages or site-packages.
python_modules()
{
	sed -n 's|^/usr/.*-packages/\(idmount/.*\)|\1|p' destinations
}

@test "the Python package is installed on request" {
	configure
	same 'modules' '' "$(python_modules)"
	configure --prefix /usr -Dpython=true
	same 'modules' "$(cd "$ROOT/bindings/python" && printf '%s\n' idmount/*.py idmount/py.typed | sort)" "$(python_modules)"
}

@test "without the tests, neither tests nor benchmarks are built" {
	programs='.[] | select(.type == "executable").name | select(test("^(bare-|test-|example-|attack)"))'
	configure -Dtests=false
	same 'programs' '' "$(meson introspect --targets build | jq -r "$programs")"
	configure -Dtests=false -Dbench=true
	same 'programs' $'bare-front\nbare-mount\nbare-run' "$(meson introspect --targets build | jq -r "$programs")"
}
