// SPDX-License-Identifier: MIT
#include "loop.h"

#include <errno.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step_loop = IDM_STEP_MAKE_LOOP_DEVICE;

/* Another process may use the free device that the kernel has named. */
#define TRIES 64

static int open_backing_file(int dirfd, const char *path, bool rdonly, struct idm_error *err)
{
	AUTO_CLOSE int fd = idm_sys_openat(dirfd, path,
					   (rdonly ? O_RDONLY : O_RDWR) | O_NONBLOCK | O_NOCTTY, 0);
	struct stat st;
	int r = fd < 0 ? fd : idm_sys_fstatat(fd, "", &st, AT_EMPTY_PATH);

	if (r < 0)
		return idm_fail_errno(err, r, step_loop, path);
	if (!S_ISREG(st.st_mode))
		return idm_fail(err, -EINVAL, step_loop, path, "it is not a regular file");
	return idm_steal_fd(&fd);
}

/* Fails with -EBUSY if another process was faster to use the device. */
static int open_free_loop(int control, int file, bool rdonly, const char *path,
			  struct idm_loop_name *name, struct idm_error *err)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (rdonly ? LO_FLAGS_READ_ONLY : 0),
	};
	int number = idm_sys_ioctl(control, LOOP_CTL_GET_FREE, NULL), r;
	AUTO_CLOSE int device = -1;

	if (number < 0)
		return idm_fail_errno(err, number, step_loop, "/dev/loop-control");
	snprintf(name->text, sizeof(name->text), "/dev/loop%d", number);
	device = idm_sys_openat(AT_FDCWD, name->text, rdonly ? O_RDONLY : O_RDWR, 0);
	if (device < 0)
		return idm_fail_because(
			err, device, step_loop, name->text,
			device == -ENOENT ? "the kernel has this device, but /dev lacks it" : NULL);
	/* losetup(8) shows this name. A longer path is cut off there. */
	snprintf((char *)config.info.lo_file_name, sizeof(config.info.lo_file_name), "%s", path);
	r = idm_sys_ioctl(device, LOOP_CONFIGURE, &config); /* Linux 5.8 */
	return r < 0 ? idm_fail_errno(err, r, step_loop, path) : idm_steal_fd(&device);
}

int idm_loop_open(int dirfd, const char *path, bool rdonly, struct idm_loop_name *name,
		  struct idm_error *err)
{
	AUTO_CLOSE int file = open_backing_file(dirfd, path, rdonly, err), control = -1;
	int r = -EBUSY;

	if (file < 0)
		return file;
	control = idm_sys_openat(AT_FDCWD, "/dev/loop-control", O_RDWR, 0);
	if (control < 0) {
		idm_fail_errno(err, control, step_loop, "/dev/loop-control");
		idm_hint(err, "the loop module may not be loaded: modprobe loop");
		return control;
	}
	for (int i = 0; i < TRIES && r == -EBUSY; i++)
		r = open_free_loop(control, file, rdonly, path, name, err);
	return r;
}
