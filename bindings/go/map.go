// SPDX-License-Identifier: MIT

package idmount

/*
#include <stdlib.h>
#include <idmount.h>
*/
import "C"

import (
	"os"
	"runtime"
	"syscall"
	"unsafe"
)

// Entry maps Count IDs: Disk, Disk+1, ... appear as Seen, Seen+1, ...
type Entry struct {
	Disk, Seen, Count uint32
}

// Map is a map: each ID on disk appears as another one through the mount.
type Map struct {
	c *C.struct_idm_map
}

// NewMap returns an empty map.
func NewMap() (*Map, error) {
	m := new(Map)
	if err := errnoOf(int(C.idm_map_new(&m.c))); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(m, (*Map).Close)
	return m, nil
}

// ParseMap returns the map of a text, in any dialect of idm_map(3). It looks up no names.
func ParseMap(text string) (*Map, error) {
	return filled(func(m *Map) error { return m.Parse(text, false) })
}

// MapOfPID returns the map of the user namespace of a process.
func MapOfPID(pid int) (*Map, error) {
	if err := checkNumbers(pid); err != nil {
		return nil, err
	}
	return filled(func(m *Map) error {
		var e C.struct_idm_error
		return result(C.idm_map_add_pid(m.c, C.pid_t(pid), &e), &e)
	})
}

// MapOfUserns returns the map of a user namespace.
func MapOfUserns(userns *os.File) (*Map, error) {
	return filled(func(m *Map) error {
		defer keep(userns)
		var e C.struct_idm_error
		return result(C.idm_map_add_userns(m.c, fdOf(userns, badFD), &e), &e)
	})
}

// MapOfMount returns the map of the mount that holds a file.
func MapOfMount(file *os.File) (*Map, error) {
	return filled(func(m *Map) error {
		defer keep(file)
		var e C.struct_idm_error
		return result(C.idm_map_add_mount(m.c, fdOf(file, badFD), &e), &e)
	})
}

// MapOfSubID returns the subordinate ranges of a user, as they appear to IDs from 0 on.
func MapOfSubID(owner string) (*Map, error) {
	return filled(func(m *Map) error {
		return m.withText(owner, func(text *C.char, e *C.struct_idm_error) C.int {
			return C.idm_map_add_subid(m.c, text, e)
		})
	})
}

func filled(fill func(*Map) error) (*Map, error) {
	m, err := NewMap()
	if err != nil {
		return nil, err
	}
	if err := fill(m); err != nil {
		m.Close()
		return nil, err
	}
	return m, nil
}

// Close releases the map. No method may be called afterwards.
func (m *Map) Close() {
	C.idm_map_free(m.c)
	m.c = nil
	runtime.SetFinalizer(m, nil)
}

// Copy returns a copy.
func (m *Map) Copy() (*Map, error) {
	defer keep(m)
	copied := new(Map)
	if err := errnoOf(int(C.idm_map_copy(m.c, &copied.c))); err != nil {
		return nil, err
	}
	runtime.SetFinalizer(copied, (*Map).Close)
	return copied, nil
}

func (m *Map) withText(text string, call func(*C.char, *C.struct_idm_error) C.int) error {
	defer keep(m)
	if err := checkStrings(text); err != nil {
		return err
	}
	c := C.CString(text)
	defer C.free(unsafe.Pointer(c))
	var e C.struct_idm_error
	return result(call(c, &e), &e)
}

// Add adds entries to one side or both.
func (m *Map) Add(kinds Kind, entries ...Entry) error {
	defer keep(m)
	array := make([]C.struct_idm_entry, len(entries)+1)
	for i, entry := range entries {
		array[i] = C.struct_idm_entry{C.uint32_t(entry.Disk), C.uint32_t(entry.Seen), C.uint32_t(entry.Count)}
	}
	var e C.struct_idm_error
	return result(C.idm_map_add(m.c, C.uint(kinds), &array[0], C.size_t(len(entries)), &e), &e)
}

// Parse adds the entries of a text. With lookup the text may name users, files and "auto".
func (m *Map) Parse(text string, lookup bool) error {
	var flags C.uint
	if lookup {
		flags = C.IDM_MAP_PARSE_LOOKUP
	}
	return m.withText(text, func(c *C.char, e *C.struct_idm_error) C.int { return C.idm_map_parse(m.c, c, flags, e) })
}

// ParseKernel adds the lines of /proc/PID/uid_map or gid_map to one side.
func (m *Map) ParseKernel(kind Kind, text string) error {
	return m.withText(text, func(c *C.char, e *C.struct_idm_error) C.int {
		return C.idm_map_parse_kernel(m.c, C.uint(kind), c, e)
	})
}

// KeepRest maps all other IDs of the caller's user namespace to themselves.
func (m *Map) KeepRest(kinds Kind) error {
	defer keep(m)
	var e C.struct_idm_error
	return result(C.idm_map_keep_rest(m.c, C.uint(kinds), &e), &e)
}

// KeepRestWithin maps all other IDs in the disk column of another map to themselves.
func (m *Map) KeepRestWithin(kinds Kind, within *Map) error {
	defer keep(m, within)
	var e C.struct_idm_error
	return result(C.idm_map_keep_rest_within(m.c, C.uint(kinds), within.c, &e), &e)
}

// Invert exchanges disk and seen.
func (m *Map) Invert() {
	C.idm_map_invert(m.c)
	keep(m)
}

// Compose lets each ID pass through this map first, and through the other second.
func (m *Map) Compose(then *Map) error {
	defer keep(m, then)
	return errnoOf(int(C.idm_map_compose(m.c, then.c)))
}

// ToSeen returns the ID that an ID on disk appears as. It is false if the map omits the ID.
func (m *Map) ToSeen(kind Kind, disk uint32) (uint32, bool) {
	defer keep(m)
	var to C.uint32_t
	ret := C.idm_map_to_seen(m.c, C.uint(kind), C.uint32_t(disk), &to)
	return uint32(to), ret == 0
}

// ToDisk returns the ID on disk that appears as an ID. It is false if the map omits the ID.
func (m *Map) ToDisk(kind Kind, seen uint32) (uint32, bool) {
	defer keep(m)
	var to C.uint32_t
	ret := C.idm_map_to_disk(m.c, C.uint(kind), C.uint32_t(seen), &to)
	return uint32(to), ret == 0
}

// Equal compares two maps.
func (m *Map) Equal(other *Map) bool {
	defer keep(m, other)
	return bool(C.idm_map_equal(m.c, other.c))
}

func entriesOf(m *C.struct_idm_map, kind Kind) []Entry {
	var array *C.struct_idm_entry
	n := C.idm_map_entries(m, C.uint(kind), &array)
	entries := make([]Entry, 0, int(n))
	for _, entry := range unsafe.Slice(array, int(n)) {
		entries = append(entries, Entry{uint32(entry.disk), uint32(entry.seen), uint32(entry.count)})
	}
	return entries
}

// Entries returns the entries of one side: sorted by disk ID, neighbours merged.
func (m *Map) Entries(kind Kind) []Entry {
	defer keep(m)
	return entriesOf(m.c, kind)
}

// Check fails if the kernel would not accept the map for a mount.
func (m *Map) Check() error {
	defer keep(m)
	var e C.struct_idm_error
	return result(C.idm_map_check(m.c, &e), &e)
}

// Format returns the map as text.
func (m *Map) Format(format Format, kinds Kind) (string, error) {
	defer keep(m)
	length := C.idm_map_print(m.c, C.enum_idm_format(format), C.uint(kinds), nil, 0)
	if err := errnoOf(int(length)); err != nil {
		return "", err
	}
	buf := make([]byte, int(length)+1)
	C.idm_map_print(m.c, C.enum_idm_format(format), C.uint(kinds), (*C.char)(unsafe.Pointer(&buf[0])),
		C.size_t(len(buf)))
	return string(buf[:length]), nil
}

// String returns the map in the form that ParseMap accepts.
func (m *Map) String() string {
	text, err := m.Format(FormatText, Both)
	if err != nil {
		return err.Error()
	}
	return text
}

// Reason is an ID on disk that appears as another one.
type Reason struct {
	Kind       Kind
	Disk, Seen uint32
}

func reasonOf(why *C.struct_idm_hardening_info) *Reason {
	if why.kind == 0 {
		return nil
	}
	return &Reason{Kind(why.kind), uint32(why.disk), uint32(why.seen)}
}

func (m *Map) orNil() *C.struct_idm_map {
	if m == nil {
		return nil
	}
	return m.c
}

// Hardening returns the attributes that make a mount with the map safe, and the ID that is the reason or nil.
// container is the map of the user namespace that uses the mount, or nil for the caller's own.
func (m *Map) Hardening(as HardenAs, container *Map) (Attr, *Reason) {
	defer keep(m, container)
	var why C.struct_idm_hardening_info
	attr := C.idm_map_hardening(m.orNil(), C.enum_idm_harden_as(as), container.orNil(), &why)
	return Attr(attr), reasonOf(&why)
}

// UsernsFD opens a user namespace that carries a map, for OpenTree or mount_setattr(2).
func UsernsFD(m *Map, flags ...UsernsFlag) (*os.File, error) {
	defer keep(m)
	var all UsernsFlag
	for _, flag := range flags {
		all |= flag
	}
	var e C.struct_idm_error
	return fileOf(C.idm_userns_open(m.c, C.uint(all), &e), &e, "userns")
}

// UsernsCache has user namespaces. Its key is the content of a map.
type UsernsCache struct {
	c *C.struct_idm_userns_cache
}

// NewUsernsCache returns a cache of up to max namespaces. Each is a descriptor.
func NewUsernsCache(max int) (*UsernsCache, error) {
	if max < 0 {
		return nil, &Error{Errno: syscall.EINVAL, Message: "expected a positive size of the cache"}
	}
	cache := new(UsernsCache)
	var e C.struct_idm_error
	if err := result(C.idm_userns_cache_new(C.size_t(max), &cache.c, &e), &e); err != nil {
		return nil, err
	}
	return cache, nil
}

// UsernsFD is UsernsFD, from the cache if possible.
func (c *UsernsCache) UsernsFD(m *Map) (*os.File, error) {
	defer keep(m)
	var e C.struct_idm_error
	return fileOf(C.idm_userns_cache_open(c.c, m.c, &e), &e, "userns")
}

// Close closes the kept descriptors. No other method may run.
func (c *UsernsCache) Close() {
	C.idm_userns_cache_free(c.c)
	c.c = nil
}
