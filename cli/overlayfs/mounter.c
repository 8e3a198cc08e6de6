// SPDX-License-Identifier: MIT
#include "mounter.h"

#include <errno.h>
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A change of the filesystem IDs removes capabilities from the effective set. */
static int raise_capabilities(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };

	if (syscall(SYS_capget, &header, caps) < 0)
		return -errno;
	caps[0].effective = caps[0].permitted;
	caps[1].effective = caps[1].permitted;
	return syscall(SYS_capset, &header, caps) < 0 ? -errno : 0;
}

int become_image_root(const struct idm_map *mappings)
{
	uint32_t uid, gid;

	/* Without ID 0 in this user namespace there is no such owner. */
	if (idm_map_to_seen(mappings, IDM_UID, 0, &uid) < 0 ||
	    idm_map_to_seen(mappings, IDM_GID, 0, &gid) < 0)
		return 0;
	setfsgid(gid);
	setfsuid(uid);
	return raise_capabilities();
}

void become_engine_root(void)
{
	setfsgid(getegid());
	setfsuid(geteuid());
}
