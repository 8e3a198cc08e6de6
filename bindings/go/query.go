// SPDX-License-Identifier: MIT

package idmount

/*
#include <stdlib.h>
#include <idmount.h>
*/
import "C"

import (
	"runtime"
	"syscall"
)

// MountInfo is a mount, as idm_list(3) describes it. Map is nil unless MapState is MapRead or MapPartly.
type MountInfo struct {
	ID, ParentID                 uint64
	NamespaceID, NamespaceInode  uint64
	Attr                         Attr
	Propagation                  Propagation
	MapState                     MapState
	Target, Source, Root, Fstype string
	Map                          *Map
	DevMajor, DevMinor           uint32
}

func mountInfoOf(mount *C.struct_idm_mount_info) (MountInfo, error) {
	info := MountInfo{
		ID: uint64(mount.id), ParentID: uint64(mount.parent_id),
		NamespaceID: uint64(mount.namespace_id), NamespaceInode: uint64(mount.namespace_inode),
		Attr: Attr(mount.attr), Propagation: Propagation(mount.propagation), MapState: MapState(mount.map_state),
		Target: C.GoString(mount.target), Source: C.GoString(mount.source),
		Root: C.GoString(mount.root), Fstype: C.GoString(mount.fstype),
		DevMajor: uint32(mount.dev_major), DevMinor: uint32(mount.dev_minor),
	}
	if mount._map != nil {
		copied := new(Map)
		if err := errnoOf(int(C.idm_map_copy(mount._map, &copied.c))); err != nil {
			return info, err
		}
		runtime.SetFinalizer(copied, (*Map).Close)
		info.Map = copied
	}
	return info, nil
}

// collectMounts reads an iterator to its end, and frees it.
func collectMounts(iter *C.struct_idm_list_iter) ([]MountInfo, error) {
	defer C.idm_list_iter_free(iter)
	var list []MountInfo
	for {
		mount := C.idm_list_iter_next(iter)
		if mount == nil {
			return list, nil
		}
		info, err := mountInfoOf(mount)
		if err != nil {
			return nil, err
		}
		list = append(list, info)
	}
}

// List returns the ID-mapped mounts, in the order of mounting.
func List(flags ListFlag) ([]MountInfo, error) {
	var iter *C.struct_idm_list_iter
	var e C.struct_idm_error
	if err := result(C.idm_list_iter_new(C.uint(flags), &iter, &e), &e); err != nil {
		return nil, err
	}
	return collectMounts(iter)
}

// ListPath returns the mount that holds a path, mapped or not.
func ListPath(path string, flags ListFlag) (*MountInfo, error) {
	if err := checkStrings(path); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	var iter *C.struct_idm_list_iter
	var e C.struct_idm_error
	if err := result(C.idm_list_path_iter_new(atFDCWD, a.str(path), C.uint(flags), &iter, &e), &e); err != nil {
		return nil, err
	}
	list, err := collectMounts(iter)
	if err != nil {
		return nil, err
	}
	return &list[0], nil
}

// Feature is an ability of the running kernel. Errno says why it is unavailable.
type Feature struct {
	Name, What, Since string
	Available         bool
	Errno             syscall.Errno
	Hint              string
}

// Features returns every feature of the kernel that the library uses, found out by trying.
func Features() ([]Feature, error) {
	var iter *C.struct_idm_feature_iter
	var e C.struct_idm_error
	if err := result(C.idm_feature_iter_new(0, &iter, &e), &e); err != nil {
		return nil, err
	}
	defer C.idm_feature_iter_free(iter)
	var list []Feature
	for feature := C.idm_feature_iter_next(iter); feature != nil; feature = C.idm_feature_iter_next(iter) {
		list = append(list, Feature{
			Name: C.GoString(feature.name), What: C.GoString(feature.what), Since: C.GoString(feature.since),
			Available: bool(feature.available), Errno: syscall.Errno(feature.errnum), Hint: C.GoString(feature.hint),
		})
	}
	return list, nil
}

// Check is the result of CheckPath. Why is the reason if the path is not mappable, or not writable; else nil.
type Check struct {
	Mappable, Mapped, Writable, DiskIDChecked bool
	Fstype                                    string
	Why                                       *Error
}

// CheckPath checks whether a path can be ID-mapped.
func CheckPath(path string, flags CheckFlag) (*Check, error) {
	if err := checkStrings(path); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	var c C.struct_idm_check_result
	C.idm_check_result_init(&c, C.sizeof_struct_idm_check_result)
	var why, e C.struct_idm_error
	if err := result(C.idm_check_path(atFDCWD, a.str(path), C.uint(flags), &c, &why, &e), &e); err != nil {
		return nil, err
	}
	check := &Check{
		Mappable: bool(c.mappable), Mapped: bool(c.mapped), Writable: bool(c.writable),
		DiskIDChecked: bool(c.disk_id_checked), Fstype: C.GoString(&c.fstype[0]),
	}
	if why.errnum != 0 {
		check.Why = newError(&why)
	}
	return check, nil
}
