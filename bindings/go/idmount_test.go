// SPDX-License-Identifier: MIT

package idmount_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"example.org/idmount"
)

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, expected, got any) {
	t.Helper()
	if !reflect.DeepEqual(expected, got) {
		t.Fatalf("expected %#v, got %#v", expected, got)
	}
}

func parse(t *testing.T, text string) *idmount.Map {
	t.Helper()
	m, err := idmount.ParseMap(text)
	no(t, err)
	t.Cleanup(m.Close)
	return m
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("requires root")
	}
}

// scratch returns a tmpfs with directories, and a file that belongs to 3:4.
func scratch(t *testing.T) string {
	t.Helper()
	needsRoot(t)
	top := t.TempDir()
	no(t, syscall.Mount("test", top, "tmpfs", 0, ""))
	t.Cleanup(func() { no(t, syscall.Unmount(top, syscall.MNT_DETACH)) })
	for _, name := range []string{"src", "dst", "upper", "work"} {
		no(t, os.Mkdir(filepath.Join(top, name), 0o755))
	}
	no(t, os.WriteFile(top+"/src/file", nil, 0o644))
	no(t, os.Chown(top+"/src/file", 3, 4))
	return top
}

func owner(t *testing.T, path string) [2]uint32 {
	t.Helper()
	var st syscall.Stat_t
	no(t, syscall.Stat(path, &st))
	return [2]uint32{st.Uid, st.Gid}
}

func missing(t *testing.T, path string) {
	t.Helper()
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("%s: expected no file, got %v", path, err)
	}
}

func TestMap(t *testing.T) {
	m := parse(t, "u:0:100000:10,g:5:7")
	seen, ok := m.ToSeen(idmount.UID, 3)
	same(t, []any{uint32(100003), true}, []any{seen, ok})
	_, ok = m.ToDisk(idmount.GID, 8)
	same(t, false, ok)
	same(t, "u:0:100000:10,g:5:7:1", m.String())
	crun, err := m.Format(idmount.FormatCrun, idmount.Both)
	no(t, err)
	same(t, "uids=0-100000-10;gids=5-7-1", crun)
	copied, err := m.Copy()
	no(t, err)
	defer copied.Close()
	same(t, true, m.Equal(copied))
	copied.Invert()
	no(t, copied.Compose(m))
	same(t, []idmount.Entry{{100000, 100000, 10}}, copied.Entries(idmount.UID))
	no(t, copied.Add(idmount.Both, idmount.Entry{1, 2, 1}))
	no(t, copied.ParseKernel(idmount.UID, "7 8 1\n"))
	rest := parse(t, "1:2")
	no(t, rest.KeepRestWithin(idmount.Both, parse(t, "0:0:10")))
	same(t, []idmount.Entry{{0, 0, 1}, {1, 2, 1}, {3, 3, 7}}, rest.Entries(idmount.GID))
	no(t, rest.KeepRest(idmount.Both))
	no(t, rest.Check())
	attr, why := rest.Hardening(idmount.HardenMount, nil)
	same(t, idmount.AttrNosuid|idmount.AttrNodev, attr)
	same(t, &idmount.Reason{idmount.UID, 1, 2}, why)
	attr, why = parse(t, "0:0:9").Hardening(idmount.HardenMount, nil)
	same(t, idmount.Attr(0), attr)
	same(t, (*idmount.Reason)(nil), why)
}

func TestError(t *testing.T) {
	_, err := idmount.ParseMap("0:1:x")
	var e *idmount.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	same(t, []any{syscall.EINVAL, idmount.StepParseMap, "0:1:x", `expected a number, got "x"`},
		[]any{e.Errno, e.Step, e.Subject, e.Reason})
	same(t, "parse map", e.Step.String())
	_, err = idmount.NewCommand("/missing").Start()
	if !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "/missing: execute: ") {
		t.Fatal(err)
	}
	_, err = idmount.ParseMap("0:1\x000:2")
	same(t, true, errors.Is(err, syscall.EINVAL))
	closed, err := os.Open("/")
	no(t, err)
	closed.Close()
	_, err = idmount.MapOfUserns(closed)
	same(t, true, errors.Is(err, syscall.EBADF))
}

// As an int of C, 1<<32 is 0.
func TestNumbers(t *testing.T) {
	var large int64 = 1 << 32
	tooMany := int(large)
	_, err := idmount.MapOfPID(tooMany + os.Getpid())
	same(t, true, errors.Is(err, syscall.EINVAL))
	command := idmount.NewCommand("/bin/true")
	command.ProcessGroup = tooMany
	_, err = command.Start()
	same(t, true, errors.Is(err, syscall.EINVAL))
	command = idmount.NewCommand("/bin/true")
	command.Files = map[int]*os.File{tooMany: nil}
	_, err = command.Start()
	same(t, true, errors.Is(err, syscall.EINVAL))
	child, err := idmount.NewCommand("/bin/true").Start()
	no(t, err)
	defer child.Close()
	same(t, true, errors.Is(child.Signal(syscall.Signal(tooMany)), syscall.EINVAL))
	same(t, true, errors.Is(child.SignalGroup(syscall.Signal(tooMany)), syscall.EINVAL))
	_, err = child.Wait(-1)
	no(t, err)
}

func TestHost(t *testing.T) {
	same(t, "0.1.0", idmount.Version())
	features, err := idmount.Features()
	no(t, err)
	found := false
	for _, feature := range features {
		found = found || feature.Name == "idmapped-mounts" && feature.Since == "5.12"
	}
	same(t, true, found)
	mount, err := idmount.ListPath("/", 0)
	no(t, err)
	same(t, "/", mount.Target)
}

func TestMountTree(t *testing.T) {
	top := scratch(t)
	m := parse(t, "0:100000:65536")
	userns, err := idmount.UsernsFD(m)
	no(t, err)
	defer userns.Close()
	no(t, idmount.MountTree(top+"/src", top+"/new/target", userns,
		&idmount.TreeOptions{AttrSet: idmount.AttrNosuid}, &idmount.AttachOptions{Flags: idmount.AttachMkdir}))
	same(t, [2]uint32{100003, 100004}, owner(t, top+"/new/target/file"))
	info, err := idmount.ListPath(top+"/new/target", 0)
	no(t, err)
	same(t, idmount.AttrIDMap|idmount.AttrNosuid, info.Attr&(idmount.AttrIDMap|idmount.AttrNosuid))
	if info.MapState == idmount.MapRead {
		same(t, true, info.Map.Equal(m))
		list, err := idmount.List(0)
		no(t, err)
		found := false
		for _, mount := range list {
			found = found || mount.ID == info.ID
		}
		same(t, true, found)
	}
	no(t, idmount.Umount(top+"/new/target", 0))
	missing(t, top+"/new/target/file")
	check, err := idmount.CheckPath(top, 0)
	no(t, err)
	same(t, "tmpfs", check.Fstype)
	same(t, true, check.Mappable)
}

func TestUsernsCache(t *testing.T) {
	needsRoot(t)
	cache, err := idmount.NewUsernsCache(2)
	no(t, err)
	defer cache.Close()
	m := parse(t, "0:5:9")
	var inodes [2]os.FileInfo
	for i := range inodes {
		userns, err := cache.UsernsFD(m)
		no(t, err)
		defer userns.Close()
		inodes[i], err = userns.Stat()
		no(t, err)
		back, err := idmount.MapOfUserns(userns)
		no(t, err)
		same(t, true, back.Equal(m))
	}
	same(t, true, os.SameFile(inodes[0], inodes[1]))
}

func TestOverlay(t *testing.T) {
	top := scratch(t)
	cache, err := idmount.NewUpperCache()
	no(t, err)
	defer cache.Close()
	tree, err := idmount.Overlay(&idmount.OverlayOptions{
		Lower: []string{top + "/src"}, Upper: top + "/upper", Work: top + "/work", Map: parse(t, "0:100000:65536"),
		Options: []idmount.MountOption{{Name: "volatile"}}, UpperCache: cache,
	})
	no(t, err)
	defer tree.Close()
	no(t, tree.Attach(top+"/dst", nil))
	same(t, [2]uint32{100003, 100004}, owner(t, top+"/dst/file"))
	no(t, tree.Unmount())
	missing(t, top+"/dst/file")
}

func TestPlan(t *testing.T) {
	top := scratch(t)
	plan, err := idmount.NewPlan()
	no(t, err)
	defer plan.Close()
	no(t, plan.Read([]byte(`[{"Type": "bind", "Source": "`+top+`/src", "Options": ["rbind"]}]`),
		idmount.PlanReadContainerd, nil, parse(t, "0:100000:65536")))
	n, why := plan.Harden(nil)
	same(t, []any{0, (*idmount.Reason)(nil)}, []any{n, why})
	no(t, plan.Apply(top+"/new", &idmount.PlanOptions{Flags: idmount.PlanApplyMkdir, Journal: top + "/journal"}))
	same(t, [2]uint32{100003, 100004}, owner(t, top+"/new/file"))
	no(t, idmount.PlanUndo(top+"/journal", 0))
	missing(t, top+"/new")
	same(t, true, errors.Is(plan.Read(nil, idmount.PlanReadAny, nil, nil), syscall.EINVAL))
	other, err := idmount.NewPlan()
	no(t, err)
	defer other.Close()
	no(t, other.Add(&idmount.PlanMount{Type: "bind", Source: top + "/src", Map: parse(t, "5:0")}))
	n, why = other.Harden(nil)
	same(t, []any{1, &idmount.Reason{idmount.UID, 5, 0}}, []any{n, why})
	tree, err := other.Open(nil)
	no(t, err)
	no(t, tree.Close())
}

func start(t *testing.T, command *idmount.Command) (*idmount.Child, *os.File) {
	t.Helper()
	read, write, err := os.Pipe()
	no(t, err)
	t.Cleanup(func() { read.Close() })
	command.Files = map[int]*os.File{1: write}
	child, err := command.Start()
	no(t, err)
	write.Close()
	t.Cleanup(func() { child.Close() })
	return child, read
}

func TestCommand(t *testing.T) {
	command := idmount.NewCommand("/bin/sh", "-c", `printf %s "$WORD"; exit 7`)
	command.Env = []string{"WORD=word"}
	child, read := start(t, command)
	text, err := io.ReadAll(read)
	no(t, err)
	same(t, "word", string(text))
	exit, err := child.Wait(-1)
	no(t, err)
	same(t, []any{child.PID, true, 7}, []any{exit.PID, exit.Exited(), exit.Status})

	_, err = idmount.NewCommand("/missing").Start()
	var e *idmount.Error
	same(t, true, errors.As(err, &e) && e.Step == idmount.StepExecute && e.Errno == syscall.ENOENT)

	child, _ = start(t, idmount.NewCommand("/bin/sleep", "1000"))
	_, err = child.Wait(0)
	same(t, true, errors.Is(err, syscall.ETIMEDOUT))
	no(t, child.Signal(syscall.SIGKILL))
	exit, err = child.Wait(-1)
	no(t, err)
	same(t, syscall.SIGKILL, exit.Signal())
}

func TestNamespaces(t *testing.T) {
	needsRoot(t)
	command := idmount.NewCommand("/bin/sh", "-c", "echo $$ $(id -u) $(cat /proc/sys/kernel/hostname)")
	command.Namespaces = idmount.NSPID | idmount.NSMount | idmount.NSUTS
	command.Map = parse(t, "0:100000:65536")
	command.UID, command.GID, command.Flags = 0, 0, idmount.ChildSetGroups
	command.Hostname = "box"
	command.Mounts = []idmount.ChildMount{{Target: "/proc", Fstype: "proc"}}
	child, read := start(t, command)
	text, err := io.ReadAll(read)
	no(t, err)
	same(t, "1 0 box\n", string(text))
	exit, err := child.Wait(-1)
	no(t, err)
	same(t, 0, exit.Status)
}

func TestReaper(t *testing.T) {
	reaper, err := idmount.NewReaper()
	no(t, err)
	defer reaper.Close()
	no(t, reaper.StartForkserver(0, 0))

	const children = 20
	var group sync.WaitGroup
	for i := 1; i <= children; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			child, err := reaper.Start(idmount.NewCommand("/bin/sh", "-c", "exit "+strconv.Itoa(i)), 0, uintptr(i))
			if err != nil {
				t.Error(err)
				return
			}
			child.Close()
		}(i)
	}
	group.Wait()
	seen := map[uintptr]bool{}
	for i := 0; i < children && !t.Failed(); i++ {
		exit, data, err := reaper.Next(-1)
		no(t, err)
		same(t, int(data), exit.Status)
		seen[data] = true
	}
	same(t, children, len(seen))
	_, _, err = reaper.Next(0)
	same(t, true, errors.Is(err, syscall.ETIMEDOUT))

	child, err := idmount.NewCommand("/bin/sh", "-c", "exit 4").Start()
	no(t, err)
	no(t, reaper.Add(child.PIDFD, idmount.ReaperAddHold, 1))
	child.Close()
	exit, err := reaper.Wait(1, time.Hour)
	no(t, err)
	same(t, 4, exit.Status)
}

func TestMountInOneCall(t *testing.T) {
	top := scratch(t)
	options := &idmount.MountOptions{KeepRest: idmount.Both}
	options.Attach.Flags = idmount.AttachMkdir
	options.Tree.AttrSet = idmount.AttrNosuid
	no(t, idmount.Mount("0:100000", top+"/src", top+"/made", options))
	same(t, [2]uint32{100000, 100000}, owner(t, top+"/made"))
	info, err := idmount.ListPath(top+"/made", 0)
	no(t, err)
	same(t, idmount.AttrNosuid, info.Attr&idmount.AttrNosuid)
	no(t, idmount.Umount(top+"/made", 0))

	var failure *idmount.Error
	if err := idmount.Mount("0:100000", top+"/none", top+"/made", nil); !errors.As(err, &failure) {
		t.Fatalf("expected an error, got %v", err)
	}
	same(t, idmount.StepOpenTree, failure.Step)
	if err := idmount.Mount("", top+"/src", top+"/made", nil); !errors.As(err, &failure) {
		t.Fatalf("expected an error, got %v", err)
	}
	same(t, idmount.StepMount, failure.Step)
	no(t, idmount.Mount("", top+"/src", top+"/made", &idmount.MountOptions{Map: parse(t, "0:5")}))
	same(t, [2]uint32{5, 5}, owner(t, top+"/made"))
	no(t, idmount.Umount(top+"/made", 0))
}
