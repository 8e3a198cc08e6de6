// SPDX-License-Identifier: MIT
/*
 * Part of the executor: makes new filesystems in the child's namespaces, such as a procfs of its PID
 * namespace or a sysfs of its network namespace.
 */
#include <linux/mount.h>
#include <linux/sched.h>
#include <linux/wait.h>
#include <signal.h>

#include "executor.h"

/* Copies the last error message of the fs context: "e proc: Unknown parameter 'x'". */
static void copy_kernel_message(struct idm_request *request, long fs)
{
	char text[sizeof(request->report.message)];
	long n;

	while ((n = raw(SYS_read, fs, text, sizeof(text) - 1)) > 0) {
		uint32_t from = n > 2 && text[1] == ' ' ? 2 : 0, to = 0;

		if (text[n - 1] == '\n')
			n--;
		for (; from < (uint32_t)n; from++)
			request->report.message[to++] = text[from];
		request->report.message[to] = '\0';
	}
}

static long set_mount_options(struct idm_request *request, const struct idm_request_mount *m, long fs)
{
	const uint32_t *options = idm_request_array(request, m->options);
	long r = raw(SYS_fsconfig, fs, FSCONFIG_SET_STRING, "source", idm_request_at(request, m->source),
		     0);

	for (uint32_t i = 0; i < m->n_options && r == 0; i++, options += 2) {
		const char *value = idm_request_at(request, options[1]);

		idm_request_begin(request, IDM_CHILD_STEP_MOUNT_OPTION, request->report.item,
				  options[0]);
		r = raw(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
			idm_request_at(request, options[0]), value, 0);
	}
	return r;
}

static long create_filesystem(struct idm_request *request, const struct idm_request_mount *m)
{
	long fs = raw(SYS_fsopen, idm_request_at(request, m->fstype), FSOPEN_CLOEXEC), r;

	if (fs < 0)
		return fs;
	r = set_mount_options(request, m, fs);
	if (r == 0) {
		idm_request_begin(request, IDM_CHILD_STEP_MOUNT, request->report.item, m->target);
		r = raw(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, 0, 0, 0);
	}
	if (r == 0)
		r = raw(SYS_fsmount, fs, FSMOUNT_CLOEXEC, m->attr);
	if (r < 0)
		copy_kernel_message(request, fs);
	raw(SYS_close, fs);
	return r;
}

long idm_child_make_filesystems(struct idm_request *request)
{
	struct idm_request_mount *mounts = idm_request_array(request, request->mounts);
	long r = 0;

	for (uint32_t i = 0; i < request->n_mounts && r >= 0; i++) {
		if (!mounts[i].fstype)
			continue;
		idm_request_begin(request, IDM_CHILD_STEP_MOUNT, i, mounts[i].target);
		r = create_filesystem(request, &mounts[i]);
		if (r >= 0)
			mounts[i].tree = (int32_t)r;
	}
	return r < 0 ? r : 0;
}

/* ---- without a privilege in the mount namespace ---- */

static char maker_stack[8192] __attribute__((aligned(16)));

static void create_filesystems_and_exit(void *data)
{
	struct idm_request *request = data;
	long r;

	idm_request_begin(request, IDM_CHILD_STEP_NAMESPACES, 0, 0);
	r = raw(SYS_unshare, CLONE_NEWNS);
	if (r == 0)
		r = idm_child_make_filesystems(request);
	if (r < 0)
		idm_request_fail(request, r);
	idm_raw_exit(0);
}

static int has_new_filesystem(struct idm_request *request)
{
	const struct idm_request_mount *mounts = idm_request_array(request, request->mounts);

	for (uint32_t i = 0; i < request->n_mounts; i++)
		if (mounts[i].fstype)
			return 1;
	return 0;
}

/*
 * Has a child make the filesystems, because fsopen(2) requires CAP_SYS_ADMIN over the mount namespace,
 * which this process must not have. The child makes them in a copy of that mount namespace that belongs
 * to the child's user namespace. It shares this process's memory and descriptors, and has left this
 * memory when clone returns. The copy has the host's /proc and /sys, because the kernel permits a new
 * procfs or sysfs in a user namespace only where another one is fully visible (mount_too_revealing).
 *
 * *maker is to be reaped, unless it is 0. The kernel releases the copy after the child has left the
 * memory, and waits for an RCU grace period: the root is assembled at the same time.
 */
long idm_child_make_filesystems_apart(struct idm_request *request, long *maker)
{
	const long args[5] = IDM_CLONE_ARGS(CLONE_VM | CLONE_VFORK | CLONE_FILES | SIGCHLD,
					    maker_stack + sizeof(maker_stack), 0, 0);
	long r;

	*maker = 0;
	if (!has_new_filesystem(request))
		return 0;
	idm_request_begin(request, IDM_CHILD_STEP_MOUNT, 0, 0);
	r = idm_raw_clone(SYS_clone, args, create_filesystems_and_exit, request);
	if (r < 0)
		return r;
	*maker = r;
	return request->report.error;
}
