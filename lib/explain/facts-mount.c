// SPDX-License-Identifier: MIT
/* The mount of a place: its attributes, its map, and what else decides there. */
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "facts.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/sys/syscall.h"

/* Not in <linux/magic.h>. */
#define CONFIGFS_MAGIC 0x62656570
#define FUSE_CONTROL_MAGIC 0x65735543

#define SB_RDONLY 1U /* in idm_statmount.sb_flags */

/* ---- without the mount's row ---- */

static const uint32_t served_magics[] = { FUSE_SUPER_MAGIC, NFS_SUPER_MAGIC,  SMB_SUPER_MAGIC,
					  CIFS_SUPER_MAGIC, SMB2_SUPER_MAGIC, V9FS_MAGIC,
					  CEPH_SUPER_MAGIC, AFS_FS_MAGIC };

/* Their files are functions of the kernel, which ask for capabilities or refuse changes. */
static const uint32_t kernel_magics[] = {
	PROC_SUPER_MAGIC, SYSFS_MAGIC,	    CGROUP_SUPER_MAGIC, CGROUP2_SUPER_MAGIC, DEBUGFS_MAGIC,
	TRACEFS_MAGIC,	  SECURITYFS_MAGIC, BPF_FS_MAGIC,	CONFIGFS_MAGIC,	     SELINUX_MAGIC,
	SMACK_MAGIC,	  BINFMTFS_MAGIC,   EFIVARFS_MAGIC, FUSE_CONTROL_MAGIC,	RDTGROUP_SUPER_MAGIC,
	AUTOFS_SUPER_MAGIC
};

static bool is_one_of(const struct statfs *fs, const uint32_t *magics, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((uint32_t)fs->f_type == magics[i])
			return true;
	return false;
}

/* Linux 6.8. `unknown` is the answer where the kernel does not report it. */
static bool is_fs_readonly(const struct idm_process_facts *process, int fd, bool unknown)
{
	const struct idm_mount_ns *ns = &process->mount_ns;
	struct idm_mnt_id_req req = { .size = ns->id ? sizeof(req) : IDM_MNT_ID_REQ_SIZE_VER0,
				      .param = IDM_STATMOUNT_SB_BASIC,
				      .mnt_ns_id = ns->id };
	struct idm_statmount head;
	bool unique = false;

	if (idm_mount_id(fd, "", &req.mnt_id, &unique) < 0 || !unique ||
	    idm_sys_statmount(&req, &head, sizeof(head)) < 0)
		return unknown;
	return head.sb_flags & SB_RDONLY;
}

/*
 * btrfs refuses writes in a read-only subvolume, such as a snapshot, before it looks at the mode. An
 * open file would tell the flag, but the answer to access(2) does so without opening one.
 */
static bool is_subvolume_readonly(int fd, const struct statfs *fs)
{
	return (uint32_t)fs->f_type == BTRFS_SUPER_MAGIC && !(fs->f_flags & ST_RDONLY) &&
	       idm_sys_faccessat2(fd, "", W_OK, AT_EMPTY_PATH | AT_EACCESS) == -EROFS;
}

/* "fuse", "fuseblk" and "fuse.sshfs", but not "fusectl", which is the kernel's. */
static bool is_fuse(const char *fstype)
{
	return strcmp(fstype, "fuse") == 0 || strncmp(fstype, "fuse.", 5) == 0 ||
	       strncmp(fstype, "fuseblk", 7) == 0;
}

/* The server of FUSE can refuse statfs(2). */
static void note_fuse(struct idm_mount_facts *mount)
{
	if (mount->info && is_fuse(mount->info->fstype))
		mount->unseen |= IDM_UNSEEN_SERVER;
}

static void collect_statfs(const struct idm_process_facts *process, int fd,
			   struct idm_mount_facts *mount)
{
	struct statfs fs;

	note_fuse(mount);
	if (idm_sys_fstatfs(fd, &fs) < 0)
		return;
	if (!mount->info)
		mount->attr = idm_attr_from_statfs((unsigned long)fs.f_flags);
	mount->fs_readonly = is_fs_readonly(process, fd,
					    fs.f_flags & ST_RDONLY && !(mount->attr & IDM_ATTR_RDONLY)) ||
			     is_subvolume_readonly(fd, &fs);
	if ((uint32_t)fs.f_type == OVERLAYFS_SUPER_MAGIC)
		mount->unseen |= IDM_UNSEEN_LAYERS;
	if (is_one_of(&fs, served_magics, ARRAY_SIZE(served_magics)))
		mount->unseen |= IDM_UNSEEN_SERVER;
	if (is_one_of(&fs, kernel_magics, ARRAY_SIZE(kernel_magics)))
		mount->unseen |= IDM_UNSEEN_FS_RULES;
}

/* ---- with it ---- */

struct found_mount {
	const struct idm_process_facts *process;
	int fd;
	bool found;
	int (*each)(const struct idm_mount_facts *mount, void *data);
	void *data;
	int result;
};

/* The entries that are visible are true. find_disk_id() adds those that the owners of files prove. */
static void copy_visible_map(const struct idm_mount_info *info, struct idm_mount_facts *mount)
{
	int r = info->map ? idm_map_copy(info->map, &mount->visible) : idm_map_new(&mount->visible);

	mount->map = r < 0 ? NULL : mount->visible;
	mount->unseen |= IDM_UNSEEN_MOUNT_MAP;
}

static int pass_mount(const struct idm_mount_info *info, void *data)
{
	struct found_mount *found = data;
	struct idm_mount_facts mount = { .info = info };

	found->found = true;
	mount.attr = info ? info->attr : 0;
	mount.mapped = info && info->map_state != IDM_MAP_NONE;
	if (mount.mapped && info->map_state != IDM_MAP_READ)
		copy_visible_map(info, &mount);
	else if (mount.mapped)
		mount.map = info->map;
	if (!info)
		mount.unseen |= IDM_UNSEEN_MOUNT;
	collect_statfs(found->process, found->fd, &mount);
	found->result = found->each(&mount, found->data);
	idm_map_free(mount.visible);
	return found->result;
}

/* The owner of the user namespace may ask about a container's mounts by its ID (Linux 6.12). */
static void find_foreign_mount(struct found_mount *found)
{
	const struct idm_lister lister = {
		.level = IDM_LIST_NEWEST, .flags = IDM_LIST_UNMAPPED, .each = pass_mount, .data = found
	};
	uint64_t id;
	bool unique = false;

	if (found->process->mount_ns.id && idm_statmount_works() &&
	    idm_mount_id(found->fd, "", &id, &unique) == 0 && unique)
		idm_statmount_one(&lister, &found->process->mount_ns, id);
}

int idm_collect_mount(const struct idm_process_facts *process, int fd,
		      int (*each)(const struct idm_mount_facts *mount, void *data), void *data)
{
	struct found_mount found = { .process = process, .fd = fd, .each = each, .data = data };

	if (process->mount_ns.foreign)
		find_foreign_mount(&found);
	if (!found.found)
		idm_list_path(fd, "", IDM_LIST_EMPTY_PATH, pass_mount, &found, NULL);
	if (!found.found)
		pass_mount(NULL, &found);
	return found.result;
}
