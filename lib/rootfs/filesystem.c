// SPDX-License-Identifier: MIT
#include "filesystem.h"

#include <errno.h>
#include <linux/magic.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/fs-context.h"
#include "lib/sys/syscall.h"
#include "loop.h"

static const enum idm_error_step step_mount = IDM_STEP_MOUNT_FILESYSTEM;

static int fail_with_log(int code, int fs, const char *subject, const char *reason,
			 struct idm_error *err)
{
	if (err) {
		idm_fail_because(err, code, step_mount, subject, reason);
		idm_add_fs_log(fs, err);
	}
	idm_hint_fs_privilege(code, err);
	return code;
}

/* Each legacy controller (cgroups v1) is a filesystem of its own, below a tmpfs. */
static bool has_legacy_cgroups(void)
{
	AUTO_CLOSE int fd = idm_sys_openat(AT_FDCWD, "/sys/fs/cgroup", O_PATH, 0);
	struct statfs fs;

	return fd >= 0 && idm_sys_fstatfs(fd, &fs) == 0 && fs.f_type == TMPFS_MAGIC;
}

static int open_entry_context(const struct idm_plan_entry *entry, struct idm_error *err)
{
	const char *name = entry->filesystem->name;
	int r;

	if (strcmp(name, "cgroup") == 0 && has_legacy_cgroups())
		return idm_fail(err, -EOPNOTSUPP, step_mount, name,
				"expected a host with cgroups of version 2, got version 1");
	r = idm_sys_fsopen(entry->filesystem->type, 0);
	if (r >= 0)
		return r;
	r = idm_diagnose_fsopen(r, entry->filesystem->type, step_mount, err);
	idm_subject(err, name);
	return r;
}

static int set_string(int fs, const char *key, const char *value)
{
	return idm_sys_fsconfig(fs, FSCONFIG_SET_STRING, key, value, 0);
}

static int set_flag(int fs, const char *key)
{
	return idm_sys_fsconfig(fs, FSCONFIG_SET_FLAG, key, NULL, 0);
}

static int set_context_options(int fs, const struct idm_plan_entry *entry, struct idm_error *err)
{
	for (size_t i = 0; i < entry->n_options; i++) {
		const struct idm_mount_option *o = &entry->options[i];
		int r = o->value ? set_string(fs, o->name, o->value) : set_flag(fs, o->name);

		if (r < 0)
			return fail_with_log(
				r, fs, o->name,
				r == -EINVAL ? "the filesystem does not accept the option" : NULL, err);
	}
	return 0;
}

static int check_device(const struct idm_plan_entry *entry, struct idm_error *err)
{
	struct stat st;
	int r;

	/* analyzer: a filesystem on a device has a source, see copy_source() in plan/plan.c */
	if (entry->dirfd != AT_FDCWD && *entry->source != '/')
		return idm_fail(err, -EINVAL, step_mount, entry->source,
				"expected the absolute path of a block device");
	r = idm_sys_fstatat(AT_FDCWD, entry->source, &st, 0);
	if (r < 0)
		return idm_fail_errno(err, r, step_mount, entry->source);
	if (S_ISBLK(st.st_mode))
		return 0;
	idm_fail(err, -ENOTBLK, step_mount, entry->source, "it is not a block device");
	if (S_ISREG(st.st_mode))
		idm_hint(err, "the option \"loop\" mounts a file");
	return -ENOTBLK;
}

/* Sets the source to the device. *device holds a loop device, and stays open until it is mounted. */
static int set_device(int fs, const struct idm_plan_entry *entry, bool rdonly, int *device,
		      struct idm_error *err)
{
	struct idm_loop_name loop;
	int r = 0;

	if (entry->loop) {
		*device = idm_loop_open(entry->dirfd, entry->source, rdonly, &loop, err);
		if (*device < 0)
			return *device;
	} else {
		r = check_device(entry, err);
	}
	if (r == 0) {
		r = set_string(fs, "source", entry->loop ? loop.text : entry->source);
		if (r == 0 && rdonly)
			r = set_flag(fs, "ro");
		if (r < 0)
			fail_with_log(r, fs, entry->source, NULL, err);
	}
	return r;
}

static int set_source(int fs, const struct idm_plan_entry *entry, struct idm_error *err)
{
	int r = set_string(fs, "source", entry->source ? entry->source : entry->filesystem->name);

	return r < 0 ? fail_with_log(r, fs, entry->source, NULL, err) : 0;
}

int idm_filesystem_open(const struct idm_plan_entry *entry, uint32_t attr, struct idm_error *err)
{
	const struct idm_filesystem *type = entry->filesystem;
	bool rdonly = attr & IDM_ATTR_RDONLY || type->rdonly;
	AUTO_CLOSE int fs = open_entry_context(entry, err), device = -1, tree = -1;
	const char *subject = entry->source ? entry->source : type->name;
	int r;

	if (fs < 0)
		return fs;
	r = type->on_device ? set_device(fs, entry, rdonly, &device, err) : set_source(fs, entry, err);
	if (r == 0)
		r = set_context_options(fs, entry, err);
	if (r < 0)
		return r;
	r = idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0);
	if (r < 0)
		return fail_with_log(
			r, fs, subject,
			r == -EINVAL ? "the kernel finds no such filesystem there, or does not accept "
				       "its options"
				     : NULL,
			err);
	tree = idm_sys_fsmount(fs, 0, attr);
	return tree < 0 ? fail_with_log(tree, fs, subject, NULL, err) : idm_steal_fd(&tree);
}
