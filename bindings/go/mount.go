// SPDX-License-Identifier: MIT

package idmount

/*
#include <stdlib.h>
#include <idmount.h>
*/
import "C"

import (
	"os"
	"unsafe"
)

// TreeOptions are the options of OpenTree. The zero value has none.
type TreeOptions struct {
	Dir         *os.File // what a relative path begins at; nil: the working directory
	Flags       TreeFlag
	AttrSet     Attr
	AttrClear   Attr
	Propagation Propagation
}

// AttachOptions are the options of Tree.Attach. The zero value has none.
type AttachOptions struct {
	Dir         *os.File // what a relative target begins at; nil: the working directory
	Flags       AttachFlag
	Propagation Propagation
}

// Tree is a detached mount. Close undoes everything. After Attach the mount stays.
type Tree struct {
	*os.File
}

func treeOf(ret C.int, e *C.struct_idm_error) (*Tree, error) {
	file, err := fileOf(ret, e, "tree")
	if err != nil {
		return nil, err
	}
	return &Tree{file}, nil
}

// OpenTree opens a detached copy of the mount that holds a path. userns carries the map; nil: no map. options may be
// nil.
func OpenTree(path string, userns *os.File, options *TreeOptions) (*Tree, error) {
	if options == nil {
		options = new(TreeOptions)
	}
	defer keep(userns, options.Dir)
	if err := checkStrings(path); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	var c C.struct_idm_tree_options
	C.idm_tree_options_init(&c, C.sizeof_struct_idm_tree_options)
	c.flags = C.uint(options.Flags)
	c.attr_set, c.attr_clear = C.uint32_t(options.AttrSet), C.uint32_t(options.AttrClear)
	c.propagation = C.enum_idm_propagation(options.Propagation)
	var e C.struct_idm_error
	return treeOf(C.idm_tree_open(fdOf(options.Dir, atFDCWD), a.str(path), fdOf(userns, noFD), &c, &e), &e)
}

// Attach attaches the tree at a target, in one step. options may be nil.
func (t *Tree) Attach(target string, options *AttachOptions) error {
	if options == nil {
		options = new(AttachOptions)
	}
	defer keep(t, options.Dir)
	if err := checkStrings(target); err != nil {
		return err
	}
	var a arena
	defer a.free()
	var c C.struct_idm_attach_options
	C.idm_attach_options_init(&c, C.sizeof_struct_idm_attach_options)
	c.flags = C.uint(options.Flags)
	c.propagation = C.enum_idm_propagation(options.Propagation)
	var e C.struct_idm_error
	return result(C.idm_tree_attach(fdOf(t.File, badFD), fdOf(options.Dir, atFDCWD), a.str(target), &c, &e), &e)
}

// Unmount unmounts the attached tree, wherever it was moved to, and all mounts below it.
func (t *Tree) Unmount() error {
	defer keep(t)
	var e C.struct_idm_error
	return result(C.idm_umount_fd(fdOf(t.File, badFD), C.IDM_UMOUNT_LAZY, &e), &e)
}

// MountTree mounts a directory or file at a target, with the map of a user namespace. The options may be nil.
func MountTree(source, target string, userns *os.File, open *TreeOptions, attach *AttachOptions) error {
	tree, err := OpenTree(source, userns, open)
	if err != nil {
		return err
	}
	defer tree.Close()
	return tree.Attach(target, attach)
}

// MountOptions are the options of Mount. The zero value has none.
type MountOptions struct {
	Tree     TreeOptions   // its Propagation is not used
	Attach   AttachOptions // its Propagation is that of the mount
	Lookup   bool          // the text may contain names
	KeepRest Kind          // the sides of the text's map that keep all other IDs; 0: none
	Map      *Map          // instead of the text; nil: the text
}

// Mount mounts a directory or file at a target, with the map of a text such as "0:100000:65536": all in one call.
// options may be nil.
func Mount(text, source, target string, options *MountOptions) error {
	if options == nil {
		options = new(MountOptions)
	}
	defer keep(options)
	if err := checkStrings(text, source, target); err != nil {
		return err
	}
	var a arena
	defer a.free()
	c := (*C.struct_idm_mount_options)(a.alloc(1, C.sizeof_struct_idm_mount_options))
	C.idm_mount_options_init(c, C.sizeof_struct_idm_mount_options)
	c.flags = C.uint(options.Tree.Flags) | C.uint(options.Attach.Flags)
	if options.Lookup {
		c.map_flags = C.IDM_MAP_PARSE_LOOKUP
	}
	c.keep_rest = C.uint(options.KeepRest)
	c._map = options.Map.orNil()
	c.source_dirfd, c.target_dirfd = fdOf(options.Tree.Dir, atFDCWD), fdOf(options.Attach.Dir, atFDCWD)
	c.attr_set, c.attr_clear = C.uint32_t(options.Tree.AttrSet), C.uint32_t(options.Tree.AttrClear)
	c.propagation = C.enum_idm_propagation(options.Attach.Propagation)
	var e C.struct_idm_error
	return result(C.idm_mount(a.opt(text), a.str(source), a.str(target), c, &e), &e)
}

// Umount unmounts the top mount at a target.
func Umount(target string, flags UmountFlag) error {
	if err := checkStrings(target); err != nil {
		return err
	}
	var a arena
	defer a.free()
	var e C.struct_idm_error
	return result(C.idm_umount(atFDCWD, a.str(target), C.uint(flags), &e), &e)
}

// OpenStaging opens a staging namespace, for programs that mount often before Linux 6.15.
func OpenStaging() (*os.File, error) {
	var e C.struct_idm_error
	return fileOf(C.idm_staging_open(0, &e), &e, "staging")
}

// UpperCache is a cache for the search for other overlays on an upper directory.
type UpperCache struct {
	c *C.struct_idm_upper_cache
}

// NewUpperCache returns an empty cache.
func NewUpperCache() (*UpperCache, error) {
	cache := new(UpperCache)
	var e C.struct_idm_error
	if err := result(C.idm_upper_cache_new(&cache.c, &e), &e); err != nil {
		return nil, err
	}
	return cache, nil
}

// Close releases the cache. No call may use it.
func (c *UpperCache) Close() {
	C.idm_upper_cache_free(c.c)
	c.c = nil
}

func (c *UpperCache) orNil() *C.struct_idm_upper_cache {
	if c == nil {
		return nil
	}
	return c.c
}

// MountOption is an option of overlayfs. HasValue is false for one without a value.
type MountOption struct {
	Name, Value string
	HasValue    bool
}

// OverlayOptions are the layers and options of Overlay.
type OverlayOptions struct {
	Flags      OverlayFlag
	Lower      []string // the top one first
	Data       []string // data-only layers, below the others
	Upper      string   // "": the overlay is read-only
	Work       string
	Map        *Map // nil: none
	UpperIDs   UpperIDs
	Options    []MountOption
	Attr       Attr
	Source     string // "": "overlay"
	Staging    *os.File
	UpperCache *UpperCache
}

func (a *arena) paths(paths []string) *C.struct_idm_path {
	p := (*C.struct_idm_path)(a.alloc(len(paths), C.sizeof_struct_idm_path))
	for i, array := 0, unsafe.Slice(p, len(paths)); i < len(array); i++ {
		array[i].dirfd = atFDCWD
		array[i].path = a.str(paths[i])
	}
	return p
}

func (a *arena) path(path string) *C.struct_idm_path {
	if path == "" {
		return nil
	}
	return a.paths([]string{path})
}

func (a *arena) mountOptions(options []MountOption) *C.struct_idm_mount_option {
	p := (*C.struct_idm_mount_option)(a.alloc(len(options), C.sizeof_struct_idm_mount_option))
	for i, array := 0, unsafe.Slice(p, len(options)); i < len(array); i++ {
		array[i].name = a.str(options[i].Name)
		if options[i].HasValue {
			array[i].value = a.str(options[i].Value)
		}
	}
	return p
}

func (o *OverlayOptions) strings() []string {
	texts := append([]string{o.Upper, o.Work, o.Source}, o.Lower...)
	texts = append(texts, o.Data...)
	for _, option := range o.Options {
		texts = append(texts, option.Name, option.Value)
	}
	return texts
}

// Overlay opens a detached overlay. The map applies to the lower and the data-only layers.
func Overlay(options *OverlayOptions) (*Tree, error) {
	defer keep(options)
	if err := checkStrings(options.strings()...); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	c := (*C.struct_idm_overlay_options)(a.alloc(1, C.sizeof_struct_idm_overlay_options))
	C.idm_overlay_options_init(c, C.sizeof_struct_idm_overlay_options)
	c.flags = C.uint(options.Flags)
	c.lower, c.n_lower = a.paths(options.Lower), C.size_t(len(options.Lower))
	c.data, c.n_data = a.paths(options.Data), C.size_t(len(options.Data))
	c.upper, c.work = a.path(options.Upper), a.path(options.Work)
	c._map = options.Map.orNil()
	c.upper_ids = C.enum_idm_upper_ids(options.UpperIDs)
	c.options, c.n_options = a.mountOptions(options.Options), C.size_t(len(options.Options))
	c.attr = C.uint32_t(options.Attr)
	c.source = a.opt(options.Source)
	c.staging_fd = fdOf(options.Staging, noFD)
	c.upper_cache = options.UpperCache.orNil()
	var e C.struct_idm_error
	return treeOf(C.idm_overlay_open(c, &e), &e)
}

// Plan is an ordered list of mounts that together make one root filesystem.
type Plan struct {
	c *C.struct_idm_plan
}

// NewPlan returns an empty plan.
func NewPlan() (*Plan, error) {
	plan := new(Plan)
	if err := errnoOf(int(C.idm_plan_new(&plan.c))); err != nil {
		return nil, err
	}
	return plan, nil
}

// Close releases the plan.
func (p *Plan) Close() {
	C.idm_plan_free(p.c)
	p.c = nil
}

// PlanMount is one mount of a plan. An empty string means none; an empty Target is the root.
type PlanMount struct {
	Flags   PlanAddFlag
	Dir     *os.File // what relative paths begin at; nil: the working directory
	Type    string
	Source  string
	Target  string
	Options []string
	Map     *Map // nil: none, or that of the options
}

// Add adds a mount at the end.
func (p *Plan) Add(mount *PlanMount) error {
	defer keep(mount)
	if err := checkStrings(append([]string{mount.Type, mount.Source, mount.Target}, mount.Options...)...); err != nil {
		return err
	}
	var a arena
	defer a.free()
	c := (*C.struct_idm_plan_add_options)(a.alloc(1, C.sizeof_struct_idm_plan_add_options))
	C.idm_plan_add_options_init(c, C.sizeof_struct_idm_plan_add_options)
	c.flags = C.uint(mount.Flags)
	c.dirfd = fdOf(mount.Dir, atFDCWD)
	c._type, c.source, c.target = a.opt(mount.Type), a.opt(mount.Source), a.opt(mount.Target)
	c.options, c.n_options = a.strs(mount.Options), C.size_t(len(mount.Options))
	c._map = mount.Map.orNil()
	var e C.struct_idm_error
	return result(C.idm_plan_add(p.c, c, &e), &e)
}

// Read adds the mounts of a JSON text: a list of containerd, or config.json of an OCI bundle. fallback is the map of
// mounts to which the text assigns none; nil: none. dir is what relative paths begin at; nil: the working directory.
func (p *Plan) Read(text []byte, format PlanFormat, dir *os.File, fallback *Map) error {
	defer keep(dir, fallback)
	var a arena
	defer a.free()
	c := (*C.struct_idm_plan_read_options)(a.alloc(1, C.sizeof_struct_idm_plan_read_options))
	C.idm_plan_read_options_init(c, C.sizeof_struct_idm_plan_read_options)
	c.format = C.enum_idm_plan_format(format)
	c.dirfd = fdOf(dir, atFDCWD)
	c._map = fallback.orNil()
	data := append(text[:len(text):len(text)], 0) // also an empty text has a first byte
	var e C.struct_idm_error
	return result(C.idm_plan_read(p.c, (*C.char)(unsafe.Pointer(&data[0])), C.size_t(len(text)), c, &e), &e)
}

// Harden adds the attributes of Map.Hardening to each mount whose options do not mention them. It returns how many
// mounts received one because of an ID, and the first such ID or nil.
func (p *Plan) Harden(container *Map) (int, *Reason) {
	defer keep(container)
	var why C.struct_idm_hardening_info
	n := C.idm_plan_harden(p.c, container.orNil(), &why)
	return int(n), reasonOf(&why)
}

// PlanOptions are the options of Plan.Open and Plan.Apply. The zero value has none.
type PlanOptions struct {
	Flags      PlanApplyFlag
	UpperIDs   UpperIDs
	Journal    string // of Apply: a file to create for PlanUndo
	Staging    *os.File
	UpperCache *UpperCache
}

func (a *arena) planOptions(options *PlanOptions) *C.struct_idm_plan_apply_options {
	if options == nil {
		options = new(PlanOptions)
	}
	c := (*C.struct_idm_plan_apply_options)(a.alloc(1, C.sizeof_struct_idm_plan_apply_options))
	C.idm_plan_apply_options_init(c, C.sizeof_struct_idm_plan_apply_options)
	c.flags = C.uint(options.Flags)
	c.upper_ids = C.enum_idm_upper_ids(options.UpperIDs)
	c.journal = a.opt(options.Journal)
	c.staging_fd = fdOf(options.Staging, noFD)
	c.upper_cache = options.UpperCache.orNil()
	return c
}

// Open assembles the plan as one detached tree. options may be nil.
func (p *Plan) Open(options *PlanOptions) (*Tree, error) {
	defer keep(options)
	var a arena
	defer a.free()
	var e C.struct_idm_error
	return treeOf(C.idm_plan_open(p.c, a.planOptions(options), &e), &e)
}

// Apply opens the plan, and attaches it at a target. options may be nil.
func (p *Plan) Apply(target string, options *PlanOptions) error {
	defer keep(options)
	if err := checkStrings(target); err != nil {
		return err
	}
	if options != nil {
		if err := checkStrings(options.Journal); err != nil {
			return err
		}
	}
	var a arena
	defer a.free()
	var e C.struct_idm_error
	return result(C.idm_plan_apply(p.c, atFDCWD, a.str(target), a.planOptions(options), &e), &e)
}

// PlanUndo undoes what a journal lists, also after a crash or a restart of the machine.
func PlanUndo(journal string, flags PlanUndoFlag) error {
	if err := checkStrings(journal); err != nil {
		return err
	}
	var a arena
	defer a.free()
	var e C.struct_idm_error
	return result(C.idm_plan_undo(a.str(journal), C.uint(flags), &e), &e)
}
