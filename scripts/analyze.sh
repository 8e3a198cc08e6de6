#!/bin/bash
# SPDX-License-Identifier: MIT
# What three programs that read code find in lib/, oci/, cli/ and service/: cppcheck, clang's analyzer and gcc's -fanalyzer. All
# that is found has to be mended, or answered in place: by a comment on that line or the one above
# it, which begins with "analyzer:" and says why there is nothing wrong. An answer that no finding asks for any
# more is a finding, too, if all three were run. Output is TAP; the exit status is 1 if something is left. With
# IDM_LONG=1 clang's analyzer follows eight times as many paths through a function.
#
#   scripts/analyze.sh BUILD [CHECK]...
#
# CHECK is one of these three, or one of the following, which look at the tree itself. No comment answers those:
#   includes   a folder includes only what docs/architecture.md allows (scripts/layout.py)
#   calls      a folder calls only what docs/architecture.md allows (scripts/layout.py)
#   circles    no two files need each other, directly or through others (scripts/layout.py)
#   names      few functions share their name with one in another file (scripts/names.py)
#   spelling   codespell, but for the words in scripts/spelling.txt
#   words      the words in scripts/words.txt are not used (scripts/words.py)
set -u

build=${1:?the build directory, in which config.h is}
build=$(realpath "$build") || exit
shift
[ $# -gt 0 ] || set -- cppcheck clang gcc includes calls circles names spelling words
cd "$(dirname "$0")/.." || exit
out=$(mktemp -d) || exit
trap 'rm -rf "$out"' EXIT
export LC_ALL=C
includes="-Iinclude -I. -I$build"
flags="-std=gnu17 -D_GNU_SOURCE $includes"
tops=(lib cli)
[ ! -d oci ] || tops+=(oci)
[ ! -d service ] || tops+=(service)
mapfile -t files < <(find "${tops[@]}" -name '*.c' | sort)
mapfile -t headers < <(find "${tops[@]}" -name '*.h' | sort)

run_cppcheck() {
  # shellcheck disable=SC2086 # a list of options
  cppcheck --quiet -j2 --std=c11 --enable=warning,performance,portability \
    --template='{file}:{line}:{column}: {severity}: {message} [{id}]' --template-location='' \
    -D_GNU_SOURCE -D__cppcheck__ -D__x86_64__ -D__LP64__ $includes "${files[@]}"
}

run_clang() {
  # It follows loops until it has seen so many states of a function. 225000 is its own limit.
  local states=28000

  [ "${IDM_LONG:-}" != 1 ] || states=225000
  # shellcheck disable=SC2086
  printf '%s\n' "${files[@]}" | xargs -P2 -n4 clang --analyze --analyzer-output text \
    -Xclang -analyzer-config -Xclang "max-nodes=$states" $flags
}

run_gcc() {
  # shellcheck disable=SC2086
  printf '%s\n' "${files[@]}" | xargs -P2 -I{} gcc -fanalyzer -O1 $flags -c {} -o /dev/null
}

run_includes() {
  scripts/layout.py includes "$build"
}

run_calls() {
  scripts/layout.py calls "$build"
}

run_circles() {
  scripts/layout.py circles "$build"
}

run_names() {
  scripts/names.py
}

run_spelling() {
  # The seeds and the broken files of plans are no text.
  codespell --ignore-words scripts/spelling.txt --skip '*.svg,*/seeds,*/corpus,*/should-fail-*' \
    "${tops[@]}" include examples man docs completion contrib bench scripts tests ./*.md test.sh demo.sh demo-rootless.sh meson.build
}

run_words() {
  scripts/words.py
}

# The findings alone, once each, without those that are about the tool and not about the code:
# clang's analyzer knows nothing of __attribute__((cleanup)), so that all that AUTO_FREE frees is lost to it. The
# sanitizers and valgrind look for leaks by running the code.
findings() {
  # What gcc finds in a function of a header is about where that is used.
  awk '/^ +inlined from .* at [^ ]+:[0-9]+:[0-9]+[:,]$/ { from = $NF; sub(/[:,]$/, "", from) }
       /^(\.\/)?lib\/base\/macros\.h:[0-9]+:[0-9]+: warning: / && from { sub(/^[^ ]+:/, from ":") }
       /^[^ ]+:[0-9]+:[0-9]+: / { from = "" }
       { print }' |
    grep -E '^[^ ]+:[0-9]+:[0-9]+: (warning|error|performance|portability): ' |
    if [ "$1" = clang ]; then grep -v 'Potential leak of memory'; else cat; fi | sort -u
}

# Those that nothing in the code answers; where they were answered is noted.
unanswered() {
  local line file number
  while read -r line; do
    IFS=: read -r file number _ <<<"$line"
    if sed -n "${number}p" "$file" | grep -q 'analyzer: '; then
      echo "$file:$number" >>"$out/answered"
    elif [ "$number" -gt 1 ] && sed -n "$((number - 1))p" "$file" | grep -q 'analyzer: '; then
      echo "$file:$((number - 1))" >>"$out/answered"
    else
      echo "$line"
    fi
  done
}

result() { # NUMBER WHAT FILE-OF-FINDINGS
  if [ -s "$3" ]; then
    sed 's/^/# /' "$3"
    echo "not ok $1 - $2"
    failed=1
  else
    echo "ok $1 - $2"
  fi
}

analyze() { # NUMBER TOOL
  local number=$1 tool=$2
  if ! command -v "$tool" >/dev/null; then
    echo "not ok $number - $tool is not installed"
    failed=1
    return
  fi
  "run_$tool" >"$out/$tool.txt" 2>&1 || echo "$tool: exit status $?" >"$out/$tool.failed"
  findings "$tool" <"$out/$tool.txt" | unanswered >"$out/$tool"
  [ ! -f "$out/$tool.failed" ] || [ -s "$out/$tool" ] || tail -n 20 "$out/$tool.txt" >>"$out/$tool"
  result "$number" "$tool" "$out/$tool"
  echo "# proof memory: ${#files[@]} files read by $tool"
}

# All that it prints is a finding, if it fails.
check() { # NUMBER NAME
  if "run_$2" >"$out/$2.txt" 2>&1; then
    : >"$out/$2.txt"
  else
    echo "exit status $?" >>"$out/$2.txt"
  fi
  result "$1" "$2" "$out/$2.txt"
}

failed=0 number=0
: >"$out/answered"
analyzers=$(printf '%s\n' "$@" | grep -cxE 'cppcheck|clang|gcc')
echo "1..$(($# + (analyzers == 3)))"
for name; do
  number=$((number + 1))
  case $name in
    cppcheck | clang | gcc) analyze "$number" "$name" ;;
    *) check "$number" "$name" ;;
  esac
done
if [ "$analyzers" = 3 ]; then
  grep -nH 'analyzer: ' "${files[@]}" "${headers[@]}" | cut -d: -f1,2 | sort -u |
    grep -vxFf <(sort -u "$out/answered") >"$out/unasked"
  result $((number + 1)) "every answer has its question" "$out/unasked"
fi
exit "$failed"
