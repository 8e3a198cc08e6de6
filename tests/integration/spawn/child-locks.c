// SPDX-License-Identifier: MIT
/*
 * What a child in a user namespace of its own gets is a root that it cannot take apart: no path leads
 * out of it, and no mount that the caller made there comes off or changes.
 */
#include "children.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

static struct idm_child_options container(const char *script, const struct idm_map *map,
					  const struct idm_child_mount *mounts, size_t n)
{
	struct idm_child_options o = rooted_options(script, map, mounts, n);

	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_UTS | IDM_NS_IPC;
	return o;
}

static int volume_tree(uint32_t attr)
{
	struct idm_tree_options t = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	t.attr_set = attr;
	return (int)assert_ok(idm_tree_open(AT_FDCWD, SCRATCH "/volume", -1, &t, &err), &err);
}

static const struct idm_child_mount proc = { .target = "/proc", .fstype = "proc", .tree_fd = -1 };

TEST_SINCE(5, 12, trees_are_refused, mounts_of_the_caller_cannot_be_taken_off_or_changed)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_mount mounts[] = { proc, { .target = "/put" } };
	AUTO_FREE char *text = NULL;
	struct idm_child_options o;

	make_root();
	scratch_dir(SCRATCH "/volume");
	scratch_file(SCRATCH "/root/put/below", "");
	mounts[1].tree_fd = volume_tree(IDM_ATTR_RDONLY | IDM_ATTR_NOSUID);
	o = container(
		"mount -o remount,bind,rw /put 2>&- || echo kept; umount -l /put 2>&- || echo kept; "
		"umount -l /proc 2>&- || echo kept; ls /put; hostname inside && hostname; "
		"mount -t tmpfs mine /put && echo covered; umount /put && echo uncovered; ls /put",
		map, mounts, ARRAY_SIZE(mounts));
	text = output_of(&o);
	assert_string_equal(text, "kept\nkept\nkept\ninside\ncovered\nuncovered\n");
	close(o.root_fd);
	close(mounts[1].tree_fd);
}

static void refuse(const char *target, unsigned int flags, int code, const char *reason)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_mount m = { .target = target, .flags = flags };

	for (int with_map = 0; with_map < 2; with_map++) {
		struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
		struct idm_child_options o;
		struct idm_error err;

		m.tree_fd = volume_tree(0);
		o = container("true", with_map ? map : NULL, &m, 1);
		assert_error(idm_child_start(&o, &err), code, &err, NULL, NULL, reason);
		close(o.root_fd);
		close(m.tree_fd);
		snapshot_assert_same(before);
	}
}

TEST_SINCE(5, 12, trees_are_refused, the_root_is_no_target_however_it_is_spelt)
{
	static const char *const refused[] = { "/", "//", "/.", "/./", "/..", "/put/..", "/put/../" };

	make_root();
	scratch_dir(SCRATCH "/volume");
	must(symlink(".", SCRATCH "/root/here"));
	must(symlink("../..", SCRATCH "/root/up"));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++)
		refuse(refused[i], IDM_CHILD_MOUNT_MKDIR, -EINVAL, "mount at");
	refuse("", IDM_CHILD_MOUNT_MKDIR, -EINVAL, "mounts[0]: expected an absolute target, got \"\"");
	/* A slash behind a link does not make it a directory. */
	refuse("/here/", 0, -ELOOP, "symbolic link");
	refuse("/up/.", 0, -ELOOP, "symbolic link");
	refuse("/here", IDM_CHILD_MOUNT_FOLLOW, -EBUSY, "the root itself");
	refuse("/up", IDM_CHILD_MOUNT_FOLLOW, -EBUSY, "the root itself");
}

TEST_SINCE(5, 12, trees_are_refused, links_in_the_root_lead_to_no_place_outside)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_mount mounts[] = { proc,
					    { .target = "/up/made", .flags = IDM_CHILD_MOUNT_MKDIR } };

	make_root();
	scratch_dir(SCRATCH "/volume");
	scratch_file(SCRATCH "/volume/file", "");
	/* As a path of the host it is there, and of the root it is not. */
	scratch_dir("/tmp/idm-outside");
	must(symlink("../../tmp/idm-outside", SCRATCH "/root/up"));
	for (int with_map = 0; with_map < 2; with_map++) {
		struct idm_child_options o;
		struct idm_error err;

		mounts[1].tree_fd = volume_tree(0);
		o = container("true", with_map ? map : NULL, mounts, ARRAY_SIZE(mounts));
		assert_error(idm_child_start(&o, &err), -ENOENT, &err, "/up/made", "make mount point",
			     NULL);
		close(o.root_fd);
		close(mounts[1].tree_fd);
	}
	must(rmdir("/tmp/idm-outside"));
	/* In the root it leads somewhere. */
	scratch_dir(SCRATCH "/root/tmp");
	scratch_dir(SCRATCH "/root/tmp/idm-outside");
	for (int with_map = 0; with_map < 2; with_map++) {
		struct idm_child_options o;

		mounts[1].tree_fd = volume_tree(0);
		o = container("ls /up/made /tmp/idm-outside; ls -d /.. /bin/../..",
			      with_map ? map : NULL, mounts, ARRAY_SIZE(mounts));
		assert_output(&o, "/tmp/idm-outside:\nmade\n\n/up/made:\nfile\n/..\n/bin/../..\n");
		close(o.root_fd);
		close(mounts[1].tree_fd);
	}
}

TEST_SINCE(5, 12, trees_are_refused, copies_get_attributes_and_what_is_missing_is_skipped)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	const struct idm_child_mount mounts[] = {
		proc,
		{ .target = "/proc/sys",
		  .attr = IDM_ATTR_RDONLY,
		  .tree_fd = -1,
		  .flags = IDM_CHILD_MOUNT_REBIND | IDM_CHILD_MOUNT_OPTIONAL },
		{ .target = "/none/there",
		  .tree_fd = -1,
		  .flags = IDM_CHILD_MOUNT_REBIND | IDM_CHILD_MOUNT_OPTIONAL },
	};
	struct idm_child_options o;

	make_root();
	o = container("grep -o ' /proc/sys r[ow]' /proc/self/mountinfo; "
		      "mount -o remount,bind,rw /proc/sys 2>&- || echo locked",
		      map, mounts, ARRAY_SIZE(mounts));
	assert_output(&o, " /proc/sys ro\nlocked\n");
	close(o.root_fd);
}

TEST_SINCE(5, 12, trees_are_refused, copies_get_access_times)
{
	static const struct {
		uint32_t attr;
		const char *output;
	} times[] = { { IDM_ATTR_NOATIME, " /proc/sys rw,nosuid,nodev,noexec,noatime\n" },
		      { IDM_ATTR_STRICTATIME, " /proc/sys rw,nosuid,nodev,noexec\n" } };
	struct idm_child_mount mounts[] = {
		{ .target = "/proc",
		  .fstype = "proc",
		  .tree_fd = -1,
		  .attr = IDM_ATTR_NOSUID | IDM_ATTR_NODEV | IDM_ATTR_NOEXEC },
		{ .target = "/proc/sys", .tree_fd = -1, .flags = IDM_CHILD_MOUNT_REBIND },
	};

	make_root();
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		struct idm_child_options o;

		mounts[1].attr = times[i].attr;
		o = container("grep -o ' /proc/sys rw[^ ]*' /proc/self/mountinfo", NULL, mounts,
			      ARRAY_SIZE(mounts));
		assert_output(&o, times[i].output);
		close(o.root_fd);
	}
}

static void as_user(void *unused)
{
	struct idm_child_mount mounts[] = {
		proc,
		{ .target = "/mnt", .fstype = "tmpfs", .tree_fd = -1, .attr = IDM_ATTR_RDONLY },
	};
	struct idm_child_options o = SCRIPT(
		"id -u; mount -o remount,bind,rw /mnt 2>&- || echo kept; "
		"umount -l /mnt 2>&- || echo kept; echo $$; hostname x && hostname");
	AUTO_MAP struct idm_map *map = NULL;
	char text[64];

	(void)unused;
	become_user(unused_uid(), unused_uid());
	snprintf(text, sizeof(text), "0:%u", unused_uid());
	map = map_of(text);
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID | IDM_NS_UTS;
	o.map = map;
	o.mounts = mounts;
	o.n_mounts = ARRAY_SIZE(mounts);
	assert_output(&o, "0\nkept\nkept\n1\nx\n");
}

TEST(mounts_of_an_ordinary_user_are_locked_too)
{
	scratch_enter();
	in_child(as_user, NULL);
}

/* ---- what the child gets no more of ---- */

TEST(user_namespaces_can_be_forbidden)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	struct idm_child_options o = SCRIPT("unshare -U true 2>&-; echo $?");

	scratch_enter();
	o.map = map;
	assert_output(&o, "0\n");
	o.flags = IDM_CHILD_DISABLE_USERNS;
	assert_output(&o, "1\n");
	o.namespaces = IDM_NS_MOUNT | IDM_NS_PID;
	o.mounts = &proc;
	o.n_mounts = 1;
	assert_output(&o, "1\n");
	o.map = NULL;
	assert_no_child(&o, -EINVAL, NULL, "start program", "requires a user namespace");
}

static long session_keyring(void)
{
	return syscall(SYS_keyctl, 0 /* KEYCTL_GET_KEYRING_ID */, -3 /* session */, 0);
}

TEST(keys_of_the_caller_stay_outside)
{
	struct idm_child_options o = SCRIPT("grep -c secret /proc/keys");
	AUTO_FREE char *text = NULL;
	long key;

	need_root();
	scratch_enter();
	must(syscall(SYS_keyctl, 1 /* KEYCTL_JOIN_SESSION_KEYRING */, 0));
	must(session_keyring());
	key = must(syscall(SYS_add_key, "user", "secret", "x", 1, -3));
	/* Only a process that has it in a keyring of its own sees it. */
	must(syscall(SYS_keyctl, 5 /* KEYCTL_SETPERM */, key, 0x3f000000));
	text = output_of(&o);
	assert_string_equal(text, "1\n");
	o.argv = ARGV("sh", "-c", "grep -c secret /proc/keys; exit 0");
	o.flags = IDM_CHILD_NEW_KEYRING;
	assert_output(&o, "0\n");
}

static int filter_file(const struct sock_filter *filter, size_t n)
{
	int fd = (int)must(memfd_create("filter", MFD_CLOEXEC));

	must(write(fd, filter, n * sizeof(*filter)));
	must(lseek(fd, 0, SEEK_SET));
	return fd;
}

#ifndef SYS_mkdir /* newer architectures have mkdirat(2) alone */
#define SYS_mkdir SYS_mkdirat
#endif

TEST(a_filter_holds_for_the_program)
{
	const struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdirat, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mkdir, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 77),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct idm_child_options o = SCRIPT("mkdir " SCRATCH "/x 2>&1; exit 0");

	scratch_enter();
	for (int no_new_privs = 0; no_new_privs < 2; no_new_privs++) {
		AUTO_FREE char *text = NULL;

		o.flags = no_new_privs ? IDM_CHILD_NO_NEW_PRIVS : 0;
		o.seccomp_fd = filter_file(filter, ARRAY_SIZE(filter));
		text = output_of(&o);
		assert_contains(text, "File descriptor in bad state");
		close(o.seccomp_fd);
	}
	o.seccomp_fd = (int)must(memfd_create("filter", MFD_CLOEXEC));
	assert_no_child(&o, -EINVAL, "", "read seccomp filter", "expected 1 to 4096 instructions");
	must(write(o.seccomp_fd, "12345", 5));
	must(lseek(o.seccomp_fd, 0, SEEK_SET));
	assert_no_child(&o, -EINVAL, "", "read seccomp filter", "got 5 bytes");
	close(o.seccomp_fd);
	o.seccomp_fd = 77;
	assert_no_child(&o, -EBADF, "", "read seccomp filter", NULL);
}
