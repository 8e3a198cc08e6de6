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

@test "the shells look for completions where they are installed" {
	type -P zsh && type -P fish || skip 'there is no zsh, or no fish'
	configure
	zsh -fc 'print -l ${^fpath}/_idmount' >places
	# Without that variable, fish looks in /usr alone, as README says.
	XDG_DATA_DIRS=/usr/local/share:/usr/share fish -c 'printf "%s/idmount.fish\n" $fish_complete_path' >>places
	grep -xF -f places destinations >found
	same 'completions' '/usr/local/share/fish/vendor_completions.d/idmount.fish
/usr/local/share/zsh/site-functions/_idmount' "$(cat found)"
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

@test "the examples name the programs where they are installed" {
	local examples

	configure --prefix /usr
	examples=$(sed -n 's|^/usr/share/doc/idmount/examples/||p' destinations)
	same 'examples' "$(cd "$ROOT/contrib" && find . -type f ! -name meson.build ! -name 'idmount*.service' ! -name '*.socket' | sed 's|^\./||' | sort)" "$examples"
	grep -F '"/usr/bin/idmount"' build/contrib/idmount.json
	grep -F '"/usr/bin/idmount-oci-runtime"' build/contrib/idmount.conf
	grep -F '"/usr/bin/idmount-oci-runtime"' build/contrib/50-idmount.conf
	grep -F 'without it: /usr/bin/idmount-oci-runtime' <(sh build/contrib/handler.sh --help)
	same 'other places' '' "$(grep -r /usr/local/bin/idmount build/contrib || true)"
	configure
	diff "$ROOT/contrib/hooks.d/idmount.json" build/contrib/idmount.json
}

# Without dpkg-architecture, meson uses lib64 if /usr has one.
@test "a directory where ld.so does not look for libraries is noticed" {
	[[ -e /etc/debian_version ]] || skip 'this is not Debian'
	configure
	[[ $output != *'Debian looks for no library'* ]]
	configure -Dlibdir=lib64
	[[ $output == *'WARNING: Debian looks for no library in lib64: install dpkg-dev and configure anew, or set -Dlibdir=lib'* ]]
	same 'the library' /usr/local/lib64/libidmount.so.0 "$(grep 'libidmount\.so\.0$' destinations)"
	same 'directories of ld.so' '' "$(ldconfig -v 2>/dev/null | grep '^/usr/local/lib64:' || true)"
	need_root
	[[ -d /usr/lib64 && ! -L /usr/lib64 ]] || return 0
	unshare --mount sh -euc 'mount --bind /bin/false "$(command -v dpkg-architecture)"; rm -rf build; meson setup build "$1" -Dman=disabled' sh "$ROOT" >log
	grep -F 'Debian looks for no library in lib64' log
}
