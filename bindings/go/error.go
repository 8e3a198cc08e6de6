// SPDX-License-Identifier: MIT

// Package idmount makes Linux ID-mapped mounts with libidmount.
//
// Each function is one of the C library. Its page in section 3 of the manual describes parameters, errors, privileges
// and kernels. A function that fails returns an *Error, for which errors.Is knows the errno.
//
// A *Map, a cache, a *Plan and a *Reaper have memory of C. Close releases it. Any number of goroutines may use
// different objects.
package idmount

/*
#cgo pkg-config: idmount
#include <stdlib.h>
#include <idmount.h>
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Error is a failure that the library describes. Unknown parts are empty.
type Error struct {
	Errno   syscall.Errno
	Step    Step
	Subject string // the path or map entry concerned
	Reason  string // why it failed
	Kernel  string // the kernel's own words
	Message string // all but the hint, on one line
	Hint    string // a remedy
}

// Error returns the message, without the hint.
func (e *Error) Error() string { return e.Message }

// Unwrap returns the errno, for errors.Is(err, syscall.EPERM) and errors.Is(err, fs.ErrNotExist).
func (e *Error) Unwrap() error { return e.Errno }

// String returns the words of the step in a message.
func (s Step) String() string { return C.GoString(C.idm_error_step_text(C.enum_idm_error_step(s))) }

// Version returns the version of the library in use.
func Version() string { return C.GoString(C.idm_version()) }

func part(e *C.struct_idm_error, r C.struct_idm_error_range) string {
	buf := make([]byte, int(r.length)+1)
	C.idm_error_part(e, r, (*C.char)(unsafe.Pointer(&buf[0])), C.size_t(len(buf)))
	return string(buf[:r.length])
}

func newError(e *C.struct_idm_error) *Error {
	return &Error{
		Errno:   syscall.Errno(e.errnum),
		Step:    Step(e.step),
		Subject: part(e, e.subject),
		Reason:  part(e, e.reason),
		Kernel:  part(e, e.kernel),
		Message: C.GoString(&e.message[0]),
		Hint:    C.GoString(&e.hint[0]),
	}
}

// result returns the error of a call that had an `err`.
func result(ret C.int, e *C.struct_idm_error) error {
	if ret < 0 {
		return newError(e)
	}
	return nil
}

// errnoOf returns the error of a call that had none.
func errnoOf(ret int) error {
	if ret < 0 {
		errno := syscall.Errno(-ret)
		return &Error{Errno: errno, Message: errno.Error()}
	}
	return nil
}

func fileOf(ret C.int, e *C.struct_idm_error, name string) (*os.File, error) {
	if ret < 0 {
		return nil, newError(e)
	}
	return os.NewFile(uintptr(ret), name), nil
}

// fdOf returns the descriptor of a file, or `none` for nil. A closed file becomes badFD, which fails with EBADF.
func fdOf(f *os.File, none C.int) C.int {
	if f == nil {
		return none
	}
	// Fd() would make a file of the poller blocking.
	conn, err := f.SyscallConn()
	if err != nil {
		return badFD
	}
	fd := badFD
	if conn.Control(func(number uintptr) { fd = C.int(number) }) != nil {
		return badFD
	}
	return fd
}

const (
	atFDCWD C.int = -100
	noFD    C.int = -1
	badFD   C.int = -9999 // below -1, and no AT_FDCWD: the library fails with EBADF
)

// arena has memory of C for the length of a call, since a Go pointer must not be inside of what C gets.
type arena []unsafe.Pointer

func (a *arena) alloc(n int, size C.size_t) unsafe.Pointer {
	if n == 0 {
		return nil
	}
	p := C.calloc(C.size_t(n), size)
	if p == nil {
		panic("idmount: out of memory")
	}
	*a = append(*a, p)
	return p
}

// str copies a string.
func (a *arena) str(s string) *C.char {
	p := C.CString(s)
	*a = append(*a, unsafe.Pointer(p))
	return p
}

// opt is str, or NULL for an empty string.
func (a *arena) opt(s string) *C.char {
	if s == "" {
		return nil
	}
	return a.str(s)
}

// strs copies strings, with NULL at their end.
func (a *arena) strs(words []string) **C.char {
	p := (**C.char)(a.alloc(len(words)+1, C.size_t(unsafe.Sizeof(uintptr(0)))))
	array := unsafe.Slice(p, len(words)+1)
	for i, word := range words {
		array[i] = a.str(word)
	}
	return p
}

func (a *arena) free() {
	for _, p := range *a {
		C.free(p)
	}
}

// checkStrings refuses a NUL, because C would cut the text there.
func checkStrings(texts ...string) error {
	for _, text := range texts {
		for i := 0; i < len(text); i++ {
			if text[i] == 0 {
				return &Error{Errno: syscall.EINVAL, Message: fmt.Sprintf("%q: expected no NUL", text)}
			}
		}
	}
	return nil
}

// checkNumbers refuses what C would cut off: 1<<32 would be the descriptor or the process group 0.
func checkNumbers(numbers ...int) error {
	for _, number := range numbers {
		if int(C.int(number)) != number {
			return &Error{Errno: syscall.EINVAL, Message: fmt.Sprintf("expected a number of 32 bits, got %d", number)}
		}
	}
	return nil
}

func keep(objects ...any) {
	for _, object := range objects {
		runtime.KeepAlive(object)
	}
}
