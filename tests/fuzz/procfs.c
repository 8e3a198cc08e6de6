// SPDX-License-Identifier: MIT
#include "lib/sys/procfs.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fuzz-procfs.h"
#include "fuzz.h"

/* The linker uses these instead of the functions of lib/sys/procfs.c. */
int __wrap_idm_procfs_root(struct idm_error *err);
int __wrap_idm_procfs_openat(int process, const char *name, int flags);

static const char *mountinfo_ = "";
static size_t mountinfo_size_;

void set_mountinfo(const char *text, size_t size)
{
	mountinfo_ = text;
	mountinfo_size_ = size;
}

int __wrap_idm_procfs_root(struct idm_error *err)
{
	(void)err;
	return memory_file("", 0);
}

int __wrap_idm_procfs_openat(int process, const char *name, int flags)
{
	static const char all[] = "0 0 4294967295\n";

	(void)process, (void)flags;
	if (strcmp(name, "thread-self/mountinfo") == 0)
		return memory_file(mountinfo_, mountinfo_size_);
	if (strcmp(name, "thread-self/uid_map") == 0 || strcmp(name, "thread-self/gid_map") == 0)
		return memory_file(all, strlen(all));
	return -ENOENT;
}

void check_mount(const struct idm_mount_info *mount)
{
	CHECK(mount->target && mount->source && mount->root && mount->fstype);
	/* strlen() reads each string up to its end. */
	CHECK(strlen(mount->target) + strlen(mount->source) + strlen(mount->root) +
		      strlen(mount->fstype) <
	      SIZE_MAX);
	CHECK(mount->propagation >= IDM_PROPAGATION_PRIVATE &&
	      mount->propagation <= IDM_PROPAGATION_UNBINDABLE);
	CHECK((mount->map_state == IDM_MAP_NONE) == !(mount->attr & IDM_ATTR_IDMAP));
	CHECK(!mount->map == (mount->map_state != IDM_MAP_READ && mount->map_state != IDM_MAP_PARTLY));
	if (mount->map)
		check_map(mount->map);
}
