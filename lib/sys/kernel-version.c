// SPDX-License-Identifier: MIT
/* What the running kernel supports. */
#include <errno.h>
#include <stdio.h>
#include <sys/utsname.h>

#include "syscall.h"

bool idm_kernel_is_before(unsigned int major, unsigned int minor)
{
	unsigned int have_major, have_minor;
	struct utsname name;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &have_major, &have_minor) != 2)
		return false;
	return have_major < major || (have_major == major && have_minor < minor);
}

/* Both ask each time: the library keeps nothing, and a filter can come at any time. */
bool idm_kernel_takes_detached(void)
{
	struct mount_attr none = { 0 };

	return idm_sys_open_tree_attr(-1, "", ~0U, &none) == -EINVAL;
}

bool idm_kernel_maps_mounts(void)
{
	struct mount_attr none = { 0 };

	return idm_sys_mount_setattr(-1, "", ~0U, &none) != -ENOSYS || !idm_kernel_is_before(5, 12);
}
