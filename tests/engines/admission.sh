#!/bin/sh
# SPDX-License-Identifier: MIT
# Builds admission.go from Debian's packages alone, and runs it. Prints TAP.
#
#   admission.sh DIRECTORY    for Go's cache
set -eu
engines=$(dirname "$0")
contrib=$engines/../../contrib/kubernetes
export GO111MODULE=off GOPATH=/usr/share/gocode GOTOOLCHAIN=local CGO_ENABLED=0 GOCACHE="$1"
exec go run "$engines/admission.go" "$contrib/admission-policy.yaml" "$contrib/pod.yaml"
