// SPDX-License-Identifier: MIT
/* What a delegate does. Built without libc into its program, and into the library for a copy. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/mount.h>
#include <linux/prctl.h>
#include <sched.h>

#include "delegate-request.h"
#include "raw-syscall.h"

#ifndef CLONE_NEWUSER
#define CLONE_NEWUSER 0x10000000
#endif

typedef struct idm_delegate_request Request;

static const char *string_at(const Request *request, uint32_t at)
{
	return (const char *)request + at;
}

/* With the sysctl fs.suid_dumpable=1, a change of IDs or user namespaces makes a process dumpable. */
static void stay_undumpable(void)
{
	raw(SYS_prctl, PR_SET_DUMPABLE, 0);
}

/*
 * Drops no privilege: a change of the filesystem IDs removes the file capabilities from the effective
 * set. They are restored from the permitted set.
 */
static long become_owner(const Request *request)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2] = { 0 };

	raw(SYS_setfsgid, request->gid);
	raw(SYS_setfsuid, request->uid);
	stay_undumpable();
	if (raw(SYS_capget, &header, caps) < 0)
		return -EPERM;
	caps[0].effective = caps[0].permitted;
	caps[1].effective = caps[1].permitted;
	return raw(SYS_capset, &header, caps) < 0 ? -EPERM : 0;
}

static long join_userns(const Request *request, int fd)
{
	long r = raw(SYS_setns, fd, CLONE_NEWUSER);

	(void)request;
	stay_undumpable();
	return r;
}

static long make_directory(const Request *request, int fd)
{
	return raw(SYS_mkdirat, fd, string_at(request, request->name), 0755);
}

static long create_file(const Request *request, int fd)
{
	long file = raw(SYS_openat, fd, string_at(request, request->name),
			O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC | O_LARGEFILE, 0644);

	if (file >= 0)
		raw(SYS_close, file);
	return file < 0 ? file : 0;
}

static long create_fs(const Request *request, int fd)
{
	(void)request;
	return raw(SYS_fsconfig, fd, FSCONFIG_CMD_CREATE, 0, 0, 0);
}

static long override_creds(const Request *request, int fd)
{
	(void)request;
	return raw(SYS_fsconfig, fd, FSCONFIG_SET_FLAG, "override_creds", 0, 0);
}

static long mount_overlay(const Request *request, int fd)
{
	(void)fd;
	return raw(SYS_mount, string_at(request, request->source), string_at(request, request->name),
		   "overlay", 0, string_at(request, request->options));
}

static const struct {
	long (*run)(const Request *request, int fd);
	int as_owner;
} operations[] = {
	[IDM_DELEGATE_JOIN_USERNS] = { join_userns, 0 },
	[IDM_DELEGATE_MKDIR] = { make_directory, 1 },
	[IDM_DELEGATE_CREATE_FILE] = { create_file, 1 },
	[IDM_DELEGATE_CREATE_FS] = { create_fs, 1 },
	[IDM_DELEGATE_OVERRIDE_CREDS] = { override_creds, 1 },
	[IDM_DELEGATE_MOUNT_OVERLAY] = { mount_overlay, 1 },
	[IDM_DELEGATE_NEST_USERNS] = { idm_delegate_nest_userns, 0 },
};

void idm_delegate_do_work(Request *request, int fd)
{
	long r;

	__atomic_store_n(&request->begun, 1, __ATOMIC_RELEASE);
	r = operations[request->operation].as_owner ? become_owner(request) : 0;
	request->is_owner = r == 0;
	if (r == 0)
		do
			r = operations[request->operation].run(request, fd);
		while (r == -EINTR);
	request->result = (int32_t)r;
	__atomic_store_n(&request->done, 1, __ATOMIC_RELEASE);
}
