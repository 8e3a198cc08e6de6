// SPDX-License-Identifier: MIT
/*
 * The user namespace that mounted the filesystem of a place. No system call reports it. But the kernel
 * does not map a mount by the very namespace of its filesystem: can_idmap_mount() in fs/namespace.c
 * compares both before all else, and fails with EINVAL. So each namespace that could have mounted the
 * filesystem is tried on a detached copy. EINVAL also stands for a filesystem that cannot be mapped,
 * such as overlay. A new namespace, which has mounted nothing, tells both apart. Of an overlay, another
 * permission of the superblock tells.
 */
#include <errno.h>
#include <sched.h>

#include "facts.h"
#include "lib/base/macros.h"
#include "lib/sys/file-type.h"
#include "lib/sys/probe.h"
#include "lib/sys/procfs.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall.h"
#include "lib/sys/userns-parents.h"

struct place_on_fs {
	const struct idm_process_facts *process;
	int fd, overlay; /* of idm_collect_fs_userns() */
};

/* ---- copies ---- */

struct mount_copy {
	int fd, mount_ns_fd;
	bool unmapped;
};

static int make_copy(const struct mount_copy *copy)
{
	return copy->unmapped ? idm_probe_clone_unmapped(copy->fd) : idm_probe_clone(copy->fd, -1, 0);
}

static int copy_in_namespace(void *data)
{
	const struct mount_copy *copy = data;
	int r = idm_sys_setns(copy->mount_ns_fd, CLONE_NEWNS);

	return r < 0 ? r : make_copy(copy);
}

int idm_copy_mount(const struct idm_process_facts *process, int fd, bool unmapped)
{
	struct mount_copy copy = { fd, process->mount_ns_fd, unmapped };

	if (process->mount_ns_fd < 0)
		return make_copy(&copy);
	return idm_subprocess_shared(copy_in_namespace, &copy, sizeof(copy));
}

/* ---- one namespace ---- */

/* As mount_setattr(2). -EACCES: the caller may not copy the mount. */
static int try_to_map(const struct idm_process_facts *process, int fd, int userns_fd)
{
	AUTO_CLOSE int copy = idm_copy_mount(process, fd, false);

	if (copy < 0)
		return copy == -EPERM ? -EACCES : copy;
	return idm_probe_map(copy, userns_fd);
}

/* 0, or -EINVAL: the filesystem cannot be mapped. EPERM comes later in the kernel's order. */
static int try_new_namespace(const struct idm_process_facts *process, int fd)
{
	AUTO_MAP struct idm_map *map = NULL;
	AUTO_CLOSE int userns_fd = -1;
	int r = idm_map_new(&map);

	if (r == 0)
		r = idm_map_parse(map, "0:0:1", 0, NULL);
	if (r == 0)
		r = userns_fd = idm_userns_open(map, 0, NULL);
	if (r >= 0)
		r = try_to_map(process, fd, userns_fd);
	return r == -EPERM ? 0 : r;
}

/* Returns 1: it mounted the filesystem; 0: another one did; or -errno: not known. */
static int has_mounted(const struct place_on_fs *place, int userns_fd)
{
	int r = try_to_map(place->process, place->fd, userns_fd);

	if (r == 0 || r == -EPERM)
		return 0;
	if (r == -EINVAL)
		r = try_new_namespace(place->process, place->fd);
	if (r == -EINVAL)
		return idm_ask_superblock(place->process, place->overlay, userns_fd);
	return r < 0 ? r : 1;
}

/* ---- those that could have ---- */

/* The namespace or one above it. Returns its descriptor, -ENODATA: none of them, or -errno. */
static int find_among_parents(const struct place_on_fs *place, int userns_fd)
{
	AUTO_CLOSE int ns = idm_sys_dup(userns_fd);

	for (int level = 0; level < IDM_USERNS_LEVELS_MOST && ns >= 0 && !idm_is_initial_userns(ns);
	     level++) {
		int r = has_mounted(place, ns);

		if (r != 0)
			return r < 0 ? r : idm_steal_fd(&ns);
		idm_replace_by_parent_userns(&ns);
	}
	return -ENODATA;
}

/* The owner of the mount namespace, which as a rule mounted what is in there. */
static int open_mount_ns_owner(const struct idm_process_facts *process)
{
	bool is_own = process->mount_ns_fd < 0;
	AUTO_CLOSE int own = is_own ? idm_procfs_open_self("ns/mnt", IDM_STEP_EXPLAIN, NULL) : -1;
	int ns = is_own ? own : process->mount_ns_fd;

	return ns < 0 ? ns : idm_sys_ioctl(ns, IDM_NS_GET_USERNS, NULL);
}

bool idm_is_in_initial_mounts(const struct idm_process_facts *process)
{
	AUTO_CLOSE int owner = open_mount_ns_owner(process);

	return owner >= 0 && idm_is_initial_userns(owner);
}

/* The process's own namespace comes second. It can be another one than the owner. */
static int find_fs_userns(const struct place_on_fs *place)
{
	const struct idm_process_facts *process = place->process;
	AUTO_CLOSE int owner = open_mount_ns_owner(process);
	bool is_initial = owner >= 0 && idm_is_initial_userns(owner);
	int r = owner < 0 ? owner : -ENODATA;

	if (owner >= 0 && !is_initial)
		r = find_among_parents(place, owner);
	if (r == -ENODATA && process->userns_fd >= 0 &&
	    (owner < 0 || !idm_is_same_inode(owner, process->userns_fd)))
		r = find_among_parents(place, process->userns_fd);
	/* Another process's namespaces may be closed to the caller. */
	if (r == -ENODATA && process->userns_fd < 0 && !process->is_initial)
		return -EACCES;
	return r == -EPERM && process->is_initial && is_initial ? -ENODATA : r;
}

/* ---- facts about it ---- */

static uint64_t find_capabilities_in(const struct idm_process_facts *process, int userns_fd)
{
	const struct idm_userns_member member = { process->userns_fd, process->euid,
						  process->capabilities };
	uint64_t capabilities;

	idm_find_capabilities_in(userns_fd, &member, &capabilities);
	return capabilities;
}

static int read_fs_map(int userns_fd, struct idm_map **map)
{
	int r;

	if (idm_is_callers_userns(userns_fd))
		return idm_collect_own_ids(map, NULL);
	r = idm_map_new(map);
	return r < 0 ? r : idm_map_add_userns(*map, userns_fd, NULL);
}

int idm_collect_fs_userns(const struct idm_process_facts *process, int fd, int overlay,
			  struct idm_fs_facts *facts)
{
	const struct place_on_fs place = { process, fd, overlay };
	AUTO_CLOSE int userns_fd = -1;
	int r;

	*facts = (struct idm_fs_facts){ .capabilities = process->is_initial ? process->capabilities : 0,
					.userns_fd = -1 };
	if (idm_is_on_block_device(fd))
		return 0;
	userns_fd = find_fs_userns(&place);
	if (userns_fd == -ENODATA)
		return 0;
	r = userns_fd < 0 ? userns_fd : read_fs_map(userns_fd, &facts->map);
	if (r == 0) {
		facts->capabilities = find_capabilities_in(process, userns_fd);
		facts->userns_fd = idm_steal_fd(&userns_fd);
		return 0;
	}
	idm_map_free(facts->map);
	facts->map = NULL;
	facts->unseen = IDM_UNSEEN_FS_USERNS;
	return r == -ENOMEM ? r : 0;
}

void idm_release_fs_userns(struct idm_fs_facts *facts)
{
	idm_map_free(facts->map);
	idm_close_fd(&facts->userns_fd);
}
