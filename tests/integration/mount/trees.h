/* SPDX-License-Identifier: MIT */
/* What the tests of trees have in common. */
#ifndef IDM_INTEGRATION_MOUNT_TREES_H
#define IDM_INTEGRATION_MOUNT_TREES_H

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/sys/syscall.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

#define AUTO_FD __attribute__((cleanup(close_fd), unused))

/* A detached tree of the source with the map. */
static inline int tree_of(const char *source, const char *map)
{
	AUTO_FD int userns = userns_of(map);
	struct idm_error err;

	return (int)assert_ok(idm_tree_open(AT_FDCWD, source, userns, NULL, &err), &err);
}

static inline void attach_at(int tree, const char *target)
{
	struct idm_error err;

	assert_ok(idm_tree_attach(tree, AT_FDCWD, target, NULL, &err), &err);
}

/* Source at target with the map. */
static inline void mount_mapped(const char *source, const char *target, const char *map)
{
	AUTO_FD int tree = tree_of(source, map);

	attach_at(tree, target);
}

/* What all tests of mounts come to before Linux 5.12: a clear refusal, and nothing has changed. */
static inline void mounts_are_refused(void)
{
	AUTO_FD int userns = -1, tree = -1;
	struct snapshot *before;
	struct idm_error err;

	scratch_enter();
	userns = userns_of("1000:5,1001:6");
	tree = (int)assert_ok(idm_sys_open_tree(AT_FDCWD, SCRATCH, OPEN_TREE_CLONE), NULL);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(idm_tree_open(AT_FDCWD, SCRATCH, userns, NULL, &err), -ENOSYS, &err, SCRATCH,
		     "map tree", "needs Linux 5.12");
	assert_error(idm_tree_open(AT_FDCWD, SCRATCH, -1, NULL, &err), -ENOSYS, &err, SCRATCH,
		     "map tree", "needs Linux 5.12");
	assert_error(idm_tree_attach(tree, AT_FDCWD, SCRATCH "/new",
				     ATTACH(IDM_ATTACH_MKDIR, IDM_PROPAGATION_DEFAULT), &err),
		     -ENOSYS, &err, SCRATCH "/new", "attach", "needs Linux 5.12");
	snapshot_assert_same(before);
}

/* Tests in files that include this one are about such mounts, but for those of another TEST_... */
#undef TEST
#define TEST(name) TEST_SINCE(5, 12, mounts_are_refused, name)
#undef TEST_WITHIN
#define TEST_WITHIN(name, seconds) TEST_AS(name, seconds, 5, 12, mounts_are_refused)

static inline bool can_be_mapped(const char *path)
{
	AUTO_FD int userns = userns_of("0:0:1");
	AUTO_FD int tree = idm_sys_open_tree(AT_FDCWD, path, OPEN_TREE_CLONE);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	assert_ok(tree, NULL);
	return idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr) == 0;
}

/*
 * Mounts a new filesystem that this kernel can ID-map at the new directory `target`, and returns its
 * type: tmpfs, or ext4 before Linux 6.3.
 */
static inline const char *mount_mappable(const char *target)
{
	scratch_dir(target);
	do_mount("mappable", target, "tmpfs", 0, "mode=0755");
	if (can_be_mapped(target))
		return "tmpfs";
	do_umount(target);
	scratch_filesystem("ext4", target, NULL);
	return "ext4";
}

/* A file of the given owner. */
static inline void owned_file(const char *path, uid_t uid, gid_t gid)
{
	scratch_file(path, "text");
	must(chown(path, uid, gid));
}

static inline void assert_owner_at(const char *file, int line, int dirfd, const char *path, uid_t uid,
				   gid_t gid)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) < 0)
		fail_at(file, line, "%s: %s", path, strerror(errno));
	if (st.st_uid != uid || st.st_gid != gid)
		fail_at(file, line, "%s: owner %u:%u instead of %u:%u", path, st.st_uid, st.st_gid, uid,
			gid);
}
#define assert_owner(path, uid, gid) assert_owner_at(HERE, AT_FDCWD, path, uid, gid)
#define assert_owner_in(dirfd, path, uid, gid) assert_owner_at(HERE, dirfd, path, uid, gid)

/* One field of the top mount at a path. */
static inline int take_mount(const struct idm_mount_info *mount, void *data)
{
	struct idm_mount_info *copy = data;

	*copy = *mount; /* its strings do not outlive this call */
	copy->target = copy->source = copy->root = copy->fstype = NULL;
	copy->map = NULL;
	return 0;
}

static inline struct idm_mount_info mount_at(const char *path)
{
	struct idm_mount_info mount = { 0 };
	struct idm_error err;

	assert_ok(idm_list_path(AT_FDCWD, path, 0, take_mount, &mount, &err), &err);
	return mount;
}

#endif
