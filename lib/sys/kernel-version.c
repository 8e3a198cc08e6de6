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

/* They ask each time: the library keeps nothing, and a filter can come at any time. */
bool idm_kernel_takes_detached(void)
{
	struct mount_attr none = { 0 };

	return idm_sys_open_tree_attr(-1, "", ~0U, &none) == -EINVAL;
}

bool idm_kernel_reports_fd(void)
{
	struct idm_mnt_id_req req = { .size = IDM_MNT_ID_REQ_SIZE_VER0, .mnt_fd = (uint32_t)-1 };
	struct idm_statmount head;

	/* Older kernels refuse the flag: -EINVAL. */
	return idm_sys_statmount_fd(&req, &head, sizeof(head)) == -EBADF;
}

bool idm_kernel_maps_mounts(void)
{
	struct mount_attr none = { 0 };

	return idm_sys_mount_setattr(-1, "", ~0U, &none) != -ENOSYS || !idm_kernel_is_before(5, 12);
}
