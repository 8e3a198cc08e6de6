// SPDX-License-Identifier: MIT

package idmount

/*
#include <stdlib.h>
#include <idmount.h>

extern int idmountGoMount(struct idm_mount_info *mount, void *data);
extern int idmountGoFeature(struct idm_feature_info *feature, void *data);

typedef int (*idmount_mount_callback)(const struct idm_mount_info *, void *);
typedef int (*idmount_feature_callback)(const struct idm_feature_info *, void *);

// A handle is a number. As a pointer of Go the garbage collector would look at it.
static int idmount_list(unsigned int flags, uintptr_t handle, struct idm_error *err)
{
	return idm_list(flags, (idmount_mount_callback)idmountGoMount, (void *)handle, err);
}

static int idmount_list_path(const char *path, unsigned int flags, uintptr_t handle, struct idm_error *err)
{
	return idm_list_path(-100, path, flags, (idmount_mount_callback)idmountGoMount, (void *)handle, err);
}

static int idmount_features(uintptr_t handle, struct idm_error *err)
{
	return idm_features(0, (idmount_feature_callback)idmountGoFeature, (void *)handle, err);
}
*/
import "C"

import (
	"runtime"
	"runtime/cgo"
	"syscall"
	"unsafe"
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
}

//export idmountGoMount
func idmountGoMount(mount *C.struct_idm_mount_info, data unsafe.Pointer) C.int {
	list := cgo.Handle(uintptr(data)).Value().(*[]MountInfo)
	info := MountInfo{
		ID: uint64(mount.id), ParentID: uint64(mount.parent_id),
		NamespaceID: uint64(mount.namespace_id), NamespaceInode: uint64(mount.namespace_inode),
		Attr: Attr(mount.attr), Propagation: Propagation(mount.propagation), MapState: MapState(mount.map_state),
		Target: C.GoString(mount.target), Source: C.GoString(mount.source),
		Root: C.GoString(mount.root), Fstype: C.GoString(mount.fstype),
	}
	if mount._map != nil {
		copied := new(Map)
		if ret := C.idm_map_copy(mount._map, &copied.c); ret < 0 {
			return C.int(-ret)
		}
		runtime.SetFinalizer(copied, (*Map).Close)
		info.Map = copied
	}
	*list = append(*list, info)
	return 0
}

// callbackResult is result, for functions that return the positive errno of a callback unchanged.
func callbackResult(ret C.int, e *C.struct_idm_error) error {
	if ret > 0 {
		return errnoOf(-int(ret))
	}
	return result(ret, e)
}

// List returns the ID-mapped mounts, in the order of mounting.
func List(flags ListFlag) ([]MountInfo, error) {
	var list []MountInfo
	handle := cgo.NewHandle(&list)
	defer handle.Delete()
	var e C.struct_idm_error
	err := callbackResult(C.idmount_list(C.uint(flags), C.uintptr_t(handle), &e), &e)
	return list, err
}

// ListPath returns the mount that holds a path, mapped or not.
func ListPath(path string, flags ListFlag) (*MountInfo, error) {
	if err := checkStrings(path); err != nil {
		return nil, err
	}
	var list []MountInfo
	handle := cgo.NewHandle(&list)
	defer handle.Delete()
	var a arena
	defer a.free()
	var e C.struct_idm_error
	err := callbackResult(C.idmount_list_path(a.str(path), C.uint(flags), C.uintptr_t(handle), &e), &e)
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

//export idmountGoFeature
func idmountGoFeature(feature *C.struct_idm_feature_info, data unsafe.Pointer) C.int {
	list := cgo.Handle(uintptr(data)).Value().(*[]Feature)
	*list = append(*list, Feature{
		Name: C.GoString(feature.name), What: C.GoString(feature.what), Since: C.GoString(feature.since),
		Available: bool(feature.available), Errno: syscall.Errno(feature.errnum), Hint: C.GoString(feature.hint),
	})
	return 0
}

// Features returns every feature of the kernel that the library uses, found out by trying.
func Features() ([]Feature, error) {
	var list []Feature
	handle := cgo.NewHandle(&list)
	defer handle.Delete()
	var e C.struct_idm_error
	err := callbackResult(C.idmount_features(C.uintptr_t(handle), &e), &e)
	return list, err
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
	c.size = C.sizeof_struct_idm_check_result
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
