// SPDX-License-Identifier: MIT
#include "capability.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "syscall.h"

bool idm_has_capability(int capability)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[capability / 32].effective >> (capability % 32) & 1;
}

/* The privilege is asked for before the descriptor is looked at. A filter may say EPERM, too. */
bool idm_may_mount(void)
{
	return idm_sys_open_tree(-1, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) != -EPERM;
}

/* The beginning of a small file, as a string; empty if it cannot be read. */
static void read_file_start(const char *path, char *text, size_t size)
{
	AUTO_CLOSE int fd = idm_sys_openat(AT_FDCWD, path, O_RDONLY, 0);
	ssize_t n = fd < 0 ? 0 : idm_sys_read(fd, text, size - 1);

	text[n > 0 ? n : 0] = '\0';
}

long idm_read_number(const char *path)
{
	char text[64];
	long value;

	read_file_start(path, text, sizeof(text));
	return sscanf(text, "%ld", &value) == 1 ? value : -1;
}

static bool has_initial_map(void)
{
	unsigned int disk, seen, count;
	char text[128];

	read_file_start("/proc/self/uid_map", text, sizeof(text));
	if (sscanf(text, "%u %u %u", &disk, &seen, &count) != 3)
		return true;
	return disk == 0 && seen == 0 && count == 4294967295U;
}

/* A child can have the same map, as with PrivateUsers=full of systemd. Without its file, the map
 * decides. */
bool idm_in_initial_userns(void)
{
	struct stat st;

	return has_initial_map() && (idm_sys_fstatat(AT_FDCWD, "/proc/self/ns/user", &st, 0) < 0 ||
				     st.st_ino == IDM_INITIAL_USERNS_INODE);
}

uint32_t idm_overflow_id(unsigned int kind)
{
	long id = idm_read_number(kind == IDM_UID ? "/proc/sys/kernel/overflowuid"
						  : "/proc/sys/kernel/overflowgid");

	return id < 0 ? 65534 : (uint32_t)id;
}

void idm_hint_privilege(struct idm_error *err)
{
	if (idm_in_initial_userns())
		idm_hint(err, "run it as root; an ordinary user runs it under unshare --user "
			      "--map-root-user --map-auto --mount, or uses idmount run");
	else
		idm_hint(err, "run it under unshare --mount, which makes a mount namespace of this user "
			      "namespace");
}
