// SPDX-License-Identifier: MIT

package idmount

/*
#include <stdlib.h>
#include <signal.h>
#include <idmount.h>

// The data of a child is a number. As a pointer of Go the garbage collector would look at it.
static int idmount_reaper_add(struct idm_reaper *reaper, int pidfd, unsigned int flags, uintptr_t data,
			      struct idm_error *err)
{
	return idm_reaper_add(reaper, pidfd, flags, (void *)data, err);
}

static int idmount_reaper_next(struct idm_reaper *reaper, int timeout_ms, struct idm_exit_info *info, uintptr_t *data,
			       struct idm_error *err)
{
	void *pointer = NULL;
	int ret = idm_reaper_next(reaper, timeout_ms, info, &pointer, err);

	*data = (uintptr_t)pointer;
	return ret;
}

static int idmount_reaper_wait(struct idm_reaper *reaper, uintptr_t data, int timeout_ms, struct idm_exit_info *info,
			       struct idm_error *err)
{
	return idm_reaper_wait(reaper, (void *)data, timeout_ms, info, err);
}

static int idmount_reaper_start_forkserver(struct idm_reaper *reaper, unsigned int flags, uintptr_t data,
					   struct idm_error *err)
{
	return idm_reaper_start_forkserver(reaper, flags, (void *)data, err);
}

static int idmount_reaper_start(struct idm_reaper *reaper, const struct idm_child_options *options, unsigned int flags,
				uintptr_t data, struct idm_error *err)
{
	return idm_reaper_start(reaper, options, flags, (void *)data, err);
}
*/
import "C"

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// Exit is how a process exited. Code is CLD_EXITED (1), CLD_KILLED (2) or CLD_DUMPED (3) of waitid(2), or ExitLost.
type Exit struct {
	PID    int
	Code   int
	Status int // the exit status, or the signal
}

// Exited reports whether the process exited by itself.
func (e Exit) Exited() bool { return e.Code == C.CLD_EXITED }

// Signal returns the signal that killed the process, or 0.
func (e Exit) Signal() syscall.Signal {
	if e.Code == C.CLD_KILLED || e.Code == C.CLD_DUMPED {
		return syscall.Signal(e.Status)
	}
	return 0
}

func exitOf(c *C.struct_idm_exit_info) Exit { return Exit{int(c.pid), int(c.code), int(c.status)} }

// ChildMount is a mount in a child's mount namespace: a new filesystem, a tree, or a copy of what is at the target.
type ChildMount struct {
	Target, Fstype, Source, Options string
	Attr                            Attr
	Flags                           ChildMountFlag
	Tree                            *Tree
}

// Capabilities are sets of bits, 1 << CAP_*.
type Capabilities struct {
	Effective, Permitted, Inheritable, Bounding, Ambient uint64
}

// Command is a program to start, and how. NewCommand sets what is not zero by default.
type Command struct {
	Path         string // inside the new root
	Args         []string
	Env          []string // nil: the caller's environment
	Dir          string
	Files        map[int]*os.File // the program's descriptors; nil as a value: closed
	Program      *os.File         // what is executed; Path is then its name only
	Flags        ChildFlag
	Namespaces   Namespace
	Map          *Map       // of a new user namespace
	Join         []*os.File // namespaces
	Root         *Tree      // becomes "/"
	Propagation  Propagation
	Mounts       []ChildMount
	Hostname     string
	UID, GID     uint32   // or KeepID
	Groups       []uint32 // with ChildSetGroups
	Capabilities *Capabilities
	ProcessGroup int
	Terminal     *os.File
	Cgroup       *os.File
	Seccomp      *os.File
	Staging      *os.File
}

// NewCommand returns a command with the caller's IDs.
func NewCommand(path string, args ...string) *Command {
	return &Command{Path: path, Args: append([]string{path}, args...), UID: KeepID, GID: KeepID}
}

func (c *Command) strings() []string {
	texts := append([]string{c.Path, c.Dir, c.Hostname}, c.Args...)
	texts = append(texts, c.Env...)
	for _, mount := range c.Mounts {
		texts = append(texts, mount.Target, mount.Fstype, mount.Source, mount.Options)
	}
	return texts
}

func (c *Command) check() error {
	numbers := []int{c.ProcessGroup}
	for to := range c.Files {
		numbers = append(numbers, to)
	}
	if err := checkNumbers(numbers...); err != nil {
		return err
	}
	return checkStrings(c.strings()...)
}

func (t *Tree) file() *os.File {
	if t == nil {
		return nil
	}
	return t.File
}

func (a *arena) childFDs(files map[int]*os.File) *C.struct_idm_child_fd {
	p := (*C.struct_idm_child_fd)(a.alloc(len(files), C.sizeof_struct_idm_child_fd))
	array := unsafe.Slice(p, len(files))
	i := 0
	for to, file := range files {
		array[i].from, array[i].to = fdOf(file, noFD), C.int(to)
		i++
	}
	return p
}

func (a *arena) childMounts(mounts []ChildMount) *C.struct_idm_child_mount {
	p := (*C.struct_idm_child_mount)(a.alloc(len(mounts), C.sizeof_struct_idm_child_mount))
	for i, array := 0, unsafe.Slice(p, len(mounts)); i < len(array); i++ {
		array[i].target, array[i].fstype = a.str(mounts[i].Target), a.opt(mounts[i].Fstype)
		array[i].source, array[i].options = a.opt(mounts[i].Source), a.opt(mounts[i].Options)
		array[i].attr, array[i].flags = C.uint32_t(mounts[i].Attr), C.uint(mounts[i].Flags)
		array[i].tree_fd = fdOf(mounts[i].Tree.file(), noFD)
	}
	return p
}

func (a *arena) join(namespaces []*os.File) *C.int {
	p := (*C.int)(a.alloc(len(namespaces), C.sizeof_int))
	for i, array := 0, unsafe.Slice(p, len(namespaces)); i < len(array); i++ {
		array[i] = fdOf(namespaces[i], badFD)
	}
	return p
}

func (a *arena) groups(groups []uint32) *C.uint32_t {
	p := (*C.uint32_t)(a.alloc(len(groups), 4))
	for i, array := 0, unsafe.Slice(p, len(groups)); i < len(array); i++ {
		array[i] = C.uint32_t(groups[i])
	}
	return p
}

func (a *arena) capabilities(from *Capabilities) *C.struct_idm_capabilities {
	if from == nil {
		return nil
	}
	p := (*C.struct_idm_capabilities)(a.alloc(1, C.sizeof_struct_idm_capabilities))
	p.effective, p.permitted = C.uint64_t(from.Effective), C.uint64_t(from.Permitted)
	p.inheritable, p.bounding = C.uint64_t(from.Inheritable), C.uint64_t(from.Bounding)
	p.ambient = C.uint64_t(from.Ambient)
	return p
}

func (a *arena) childOptions(from *Command) *C.struct_idm_child_options {
	c := (*C.struct_idm_child_options)(a.alloc(1, C.sizeof_struct_idm_child_options))
	C.idm_child_options_init(c, C.sizeof_struct_idm_child_options, C.sizeof_struct_idm_child_mount)
	c.flags, c.namespaces = C.uint64_t(from.Flags), C.uint(from.Namespaces)
	c.program_fd = fdOf(from.Program, noFD)
	c.path, c.argv, c.cwd = a.str(from.Path), a.strs(from.Args), a.opt(from.Dir)
	if from.Env != nil {
		c.envp = a.strs(from.Env)
	}
	c.fds, c.n_fds = a.childFDs(from.Files), C.size_t(len(from.Files))
	c._map = from.Map.orNil()
	c.join_fds, c.n_join_fds = a.join(from.Join), C.size_t(len(from.Join))
	c.root_fd = fdOf(from.Root.file(), noFD)
	c.propagation = C.enum_idm_propagation(from.Propagation)
	c.mounts, c.n_mounts = a.childMounts(from.Mounts), C.size_t(len(from.Mounts))
	c.hostname = a.opt(from.Hostname)
	c.uid, c.gid = C.uint32_t(from.UID), C.uint32_t(from.GID)
	c.groups, c.n_groups = a.groups(from.Groups), C.size_t(len(from.Groups))
	c.capabilities = a.capabilities(from.Capabilities)
	c.process_group = C.pid_t(from.ProcessGroup)
	c.terminal_fd, c.cgroup_fd = fdOf(from.Terminal, noFD), fdOf(from.Cgroup, noFD)
	c.seccomp_fd, c.staging_fd = fdOf(from.Seccomp, noFD), fdOf(from.Staging, noFD)
	c.pid = (*C.pid_t)(a.alloc(1, C.sizeof_pid_t))
	return c
}

// Child is a started program. PIDFD is its pidfd.
type Child struct {
	PIDFD *os.File
	PID   int
}

func (c *Command) startBy(start func(*C.struct_idm_child_options, *C.struct_idm_error) C.int) (*Child, error) {
	defer keep(c)
	if err := c.check(); err != nil {
		return nil, err
	}
	var a arena
	defer a.free()
	options := a.childOptions(c)
	var e C.struct_idm_error
	pidfd, err := fileOf(start(options, &e), &e, "pidfd")
	if err != nil {
		return nil, err
	}
	return &Child{pidfd, int(*options.pid)}, nil
}

// Start starts the program. It has been executed when the call returns.
func (c *Command) Start() (*Child, error) {
	return c.startBy(func(options *C.struct_idm_child_options, e *C.struct_idm_error) C.int {
		return C.idm_child_start(options, e)
	})
}

func milliseconds(timeout time.Duration) C.int {
	if timeout < 0 {
		return -1
	}
	if timeout >= 1<<31*time.Millisecond {
		return 1<<31 - 1
	}
	return C.int((timeout + time.Millisecond - 1) / time.Millisecond)
}

// Wait waits until the program has exited, and reaps it. A negative timeout has no limit. After it, Wait fails with
// ETIMEDOUT.
func (c *Child) Wait(timeout time.Duration) (Exit, error) {
	defer keep(c)
	var info C.struct_idm_exit_info
	var e C.struct_idm_error
	err := result(C.idm_child_wait(fdOf(c.PIDFD, badFD), milliseconds(timeout), &info, &e), &e)
	return exitOf(&info), err
}

// Signal sends a signal. 0 only checks whether the process exists.
func (c *Child) Signal(signal syscall.Signal) error {
	defer keep(c)
	if err := checkNumbers(int(signal)); err != nil {
		return err
	}
	var e C.struct_idm_error
	return result(C.idm_child_signal(fdOf(c.PIDFD, badFD), C.int(signal), &e), &e)
}

// SignalGroup sends a signal to the process group that the program leads.
func (c *Child) SignalGroup(signal syscall.Signal) error {
	defer keep(c)
	if err := checkNumbers(int(signal)); err != nil {
		return err
	}
	var e C.struct_idm_error
	return result(C.idm_child_signal_group(fdOf(c.PIDFD, badFD), C.int(signal), &e), &e)
}

// Close closes the pidfd. The program continues.
func (c *Child) Close() error { return c.PIDFD.Close() }

// Reaper reports the exit of each child that was added to it, once. Any number of goroutines may call all methods but
// Close. data is a number of the program's own for a child.
type Reaper struct {
	c *C.struct_idm_reaper
}

// NewReaper returns a reaper, which keeps one descriptor.
func NewReaper() (*Reaper, error) {
	reaper := new(Reaper)
	var e C.struct_idm_error
	if err := result(C.idm_reaper_new(&reaper.c, &e), &e); err != nil {
		return nil, err
	}
	return reaper, nil
}

// Close releases the reaper. Watched children continue.
func (r *Reaper) Close() {
	C.idm_reaper_free(r.c)
	r.c = nil
}

// FD returns the descriptor for an event loop. It is readable while Next can deliver an exit. The reaper owns it.
func (r *Reaper) FD() int { return int(C.idm_reaper_fd(r.c)) }

// Add watches a child. With ReaperAddHold, data is the child's name for Wait.
func (r *Reaper) Add(pidfd *os.File, flags ReaperAddFlag, data uintptr) error {
	defer keep(pidfd)
	var e C.struct_idm_error
	return result(C.idmount_reaper_add(r.c, fdOf(pidfd, badFD), C.uint(flags), C.uintptr_t(data), &e), &e)
}

// Next delivers one exit, and the data of the child. A negative timeout has no limit. After it, Next fails with
// ETIMEDOUT.
func (r *Reaper) Next(timeout time.Duration) (Exit, uintptr, error) {
	var info C.struct_idm_exit_info
	var data C.uintptr_t
	var e C.struct_idm_error
	err := result(C.idmount_reaper_next(r.c, milliseconds(timeout), &info, &data, &e), &e)
	return exitOf(&info), uintptr(data), err
}

// Wait delivers the exit of one child that was added with ReaperAddHold.
func (r *Reaper) Wait(data uintptr, timeout time.Duration) (Exit, error) {
	var info C.struct_idm_exit_info
	var e C.struct_idm_error
	err := result(C.idmount_reaper_wait(r.c, C.uintptr_t(data), milliseconds(timeout), &info, &e), &e)
	return exitOf(&info), err
}

// StartForkserver starts a process that starts children for the program. data is that of its orphans.
func (r *Reaper) StartForkserver(flags ReaperForkserverFlag, data uintptr) error {
	var e C.struct_idm_error
	return result(C.idmount_reaper_start_forkserver(r.c, C.uint(flags), C.uintptr_t(data), &e), &e)
}

// Start starts a program as a child of the fork server, and watches it.
func (r *Reaper) Start(command *Command, flags ReaperAddFlag, data uintptr) (*Child, error) {
	return command.startBy(func(options *C.struct_idm_child_options, e *C.struct_idm_error) C.int {
		return C.idmount_reaper_start(r.c, options, C.uint(flags), C.uintptr_t(data), e)
	})
}
