#!/bin/sh
# SPDX-License-Identifier: MIT
set -eu

usage() {
  cat <<'HELP'
Usage: handler.sh [OPTION]... [FILE]

Adds the runtime handler "idmount" of pods to containerd's configuration, FILE, or /etc/containerd/config.toml. Adds it
anew if it is there. The option SystemdCgroup is that of the handler runc. containerd reads the result before FILE changes. Works with containerd 1.6, 1.7 and 2.

  --dry-run       print the difference, and change nothing
  --undo          remove what this script has added
  --runtime PATH  without it: /usr/local/bin/idmount-oci-runtime

containerd reads the file when it starts: systemctl restart containerd.
HELP
}

begin='# idmount: begin (contrib/containerd/handler.sh)'
end='# idmount: end'
# "io.idmount" in any case, as Kubernetes accepts it in keys. containerd's patterns have no option for that.
key='[iI][oO].[iI][dD][mM][oO][uU][nN][tT]'

problem() {
  echo "handler.sh: $*" >&2
  exit 1
}

refuse() {
  echo "handler.sh: $*; see --help" >&2
  exit 2
}

# Prints the file without the lines that this script has added.
without_own_lines() {
  awk -v begin="$begin" -v end="$end" '
    $0 == begin { own = 1 }
    !own { print }
    $0 == end { own = 0 }
    END { exit own }' "$1"
}

# Prints the version of a configuration file, which decides how sections are spelt.
version_of() {
  awk '
    /^[ \t]*\[/ { exit }
    /^[ \t]*version[ \t]*=/ { sub(/^[^=]*=[ \t]*/, ""); sub(/[ \t\r]*(#.*)?$/, ""); print; exit }' "$1"
}

# Prints the handlers that containerd finds in the new file. This is its own view: it knows defaults, imports and
# all ways to spell a section.
handlers_in_new() {
  containerd --config "$new" config dump 2>"$work/stderr" >"$work/dump" ||
    problem "$file: $(tail -n 1 "$work/stderr")"
  sed -n 's/^.*containerd\.runtimes\.\([^].]*\)\] *$/\1/p' "$work/dump" | sort -u
}

# Prints the option of the handler runc in that view. kubeadm's nodes have it, and the kubelet's driver is the same.
systemd_cgroup() {
  awk '
    /^[ \t]*\[/ { on = /\.containerd\.runtimes\.runc\.options\][ \t]*$/ }
    on && $1 == "SystemdCgroup" && $3 == "true" { print "    SystemdCgroup = true" }' "$work/dump"
}

section() { # HANDLER
  printf '\n[plugins."%s".containerd.runtimes.%s]\n  runtime_type = "io.containerd.runc.v2"\n' "$plugin" "$1"
}

own_lines() { # [runc]
  echo "$begin"
  [ -z "$first_line" ] || echo "$first_line"
  if [ $# -gt 0 ]; then
    printf '\n# containerd 1.x forgets its own handler as soon as there is another.'
    section runc
  fi
  section idmount
  cat <<END
  # containerd copies these keys of metadata.annotations to the container's configuration. A pod that asks for a map
  # does not start, unless the node's /etc/idmount/annotations.conf allows that map. The patterns include misspelt
  # keys, in capitals too, so that these are refused and not lost.
  pod_annotations = ["$key*", "$key*/*"]

  [plugins."$plugin".containerd.runtimes.idmount.options]
    BinaryName = "$runtime"
END
  [ -z "$cgroup_line" ] || echo "$cgroup_line"
  echo "$end"
}

# Sets variables by the version of the file. An empty file gets version 2, which all versions of containerd read.
read_version() {
  first_line=''
  version=$(version_of "$work/without")
  if ! grep -q '^[[:blank:]]*[^#[:blank:]]' "$work/without"; then
    first_line='version = 2'
    version=2
  fi
  case $version in
    2) plugin=io.containerd.grpc.v1.cri ;;
    3) plugin=io.containerd.cri.v1.runtime ;;
    *)
      problem "$file: expected a line \"version = 2\" or 3, got ${version:-none}; to begin anew from containerd's" \
        "defaults: containerd config default >$file"
      ;;
  esac
}

make_new() { # [runc]
  own_lines "$@" | cat "$work/without" - >"$new"
  handlers_in_new >"$work/after"
}

add_handler() {
  read_version
  cat "$work/without" >"$new"
  handlers_in_new >"$work/before"
  cgroup_line=$(systemd_cgroup)
  ! grep -qx idmount "$work/before" || problem "$file: there is a handler idmount that this script has not added"
  make_new
  ! grep -qx runc "$work/before" || grep -qx runc "$work/after" || make_new runc
  grep -qx idmount "$work/after" ||
    problem "$file: containerd does not show the new handler; look for $plugin in disabled_plugins and imported files"
  lost=$(grep -vxF -f "$work/after" "$work/before" || :)
  [ -z "$lost" ] || problem "$file: containerd would forget other handlers:" "$lost"
}

# The new file is beside the old one, where its imports are found. It has the owner and the mode of the old one.
make_temporary_files() {
  work=$(mktemp -d)
  trap 'rm -rf "$work" "${new:-}"' EXIT
  place=$(dirname "$file")
  [ -n "$dry_run" ] || mkdir -p "$place"
  [ -d "$place" ] || place=$work
  new=$(mktemp "$place/idmount.XXXXXX")
  : >"$work/old"
  if [ -e "$file" ]; then
    cp "$file" "$work/old"
    cp -p "$file" "$new"
  else
    chmod 644 "$new"
  fi
}

main() {
  file=$(readlink -m "$file")
  make_temporary_files
  without_own_lines "$work/old" >"$work/without" || problem "$file: the line \"$end\" is missing"
  if [ -n "$undo" ]; then
    cat "$work/without" >"$new"
  else
    add_handler
  fi
  if [ -n "$dry_run" ]; then
    diff -u --label "$file" --label "$file" "$work/old" "$new" || :
  elif ! cmp -s "$work/old" "$new"; then
    mv "$new" "$file"
  fi
}

dry_run='' undo='' runtime='/usr/local/bin/idmount-oci-runtime' file=''
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
    --undo) undo=yes ;;
    --runtime)
      [ $# -gt 1 ] || refuse "--runtime requires a path"
      runtime=$2
      shift
      ;;
    --help) usage && exit ;;
    -*) refuse "unknown option $1" ;;
    *)
      [ -z "$file" ] || refuse "expected one file, got $file and $1"
      file=$1
      ;;
  esac
  shift
done
file=${file:-/etc/containerd/config.toml}
case $runtime in
  *[!A-Za-z0-9/._-]* | [!/]*) refuse "--runtime: expected an absolute path of letters, digits and ./_-, got $runtime" ;;
esac
[ -n "$undo" ] || command -v containerd >/dev/null || problem "containerd is not in PATH"
main
