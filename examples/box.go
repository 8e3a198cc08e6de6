// SPDX-License-Identifier: MIT

// Runs a command while a directory is mounted with other owners.
//
//	box MAP SOURCE TARGET COMMAND [ARGUMENT...]
//
// Requires root. Built in bindings/go: go build ../../examples/box.go
package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"

	"example.org/idmount"
)

func run(mapping, source, target string, command []string) error {
	m, err := idmount.ParseMap(mapping)
	if err != nil {
		return err
	}
	defer m.Close()
	userns, err := idmount.UsernsFD(m)
	if err != nil {
		return err
	}
	defer userns.Close()
	attr, _ := m.Hardening(idmount.HardenMount, nil)
	tree, err := idmount.OpenTree(source, userns, &idmount.TreeOptions{AttrSet: attr})
	if err != nil {
		return err
	}
	defer tree.Close()
	if err := tree.Attach(target, &idmount.AttachOptions{Flags: idmount.AttachMkdir}); err != nil {
		return err
	}
	defer tree.Unmount()
	child := exec.Command(command[0], command[1:]...)
	child.Stdin, child.Stdout, child.Stderr = os.Stdin, os.Stdout, os.Stderr
	return child.Run()
}

func main() {
	if len(os.Args) < 5 {
		fmt.Fprintf(os.Stderr, "usage: %s MAP SOURCE TARGET COMMAND [ARGUMENT...]\n", os.Args[0])
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2], os.Args[3], os.Args[4:]); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", os.Args[0], err)
		var failure *idmount.Error
		if errors.As(err, &failure) && failure.Hint != "" {
			fmt.Fprintln(os.Stderr, failure.Hint)
		}
		os.Exit(1)
	}
}
