// SPDX-License-Identifier: MIT
/*
 * The child that executes a delegate's program, as long as it is in the caller's memory. It has the
 * caller's credentials and a descriptor table of its own, as soon as it has left the caller's. It
 * touches nothing but its space and the request.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/prctl.h>
#include <linux/securebits.h>

#include "delegate-request.h"
#include "raw-syscall.h"

#ifndef AT_EMPTY_PATH
#define AT_EMPTY_PATH 0x1000
#endif

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U /* Linux 5.9 */
#endif

typedef struct __user_cap_data_struct Caps[2];

static uint64_t join_halves(uint32_t low, uint32_t high)
{
	return (uint64_t)high << 32 | low;
}

/* A process that is not root loses its capabilities at exec, except for the ambient ones. */
static long raise_ambient(Caps caps, uint64_t permitted)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	long r;

	for (int i = 0; i < 2; i++)
		caps[i].inheritable |= caps[i].permitted;
	r = raw(SYS_capset, &header, caps);
	for (int i = 0; i < 64 && r == 0; i++)
		if (permitted >> i & 1)
			r = raw(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i);
	return r;
}

/*
 * The program sets these again. No process may read its file without one of them. A process that
 * may not read what it executes is not dumpable from its first instruction on.
 */
static void lower_reading(Caps caps)
{
	caps[0].effective &= ~(1U << CAP_DAC_OVERRIDE | 1U << CAP_DAC_READ_SEARCH);
}

static long keep_capabilities(struct idm_delegate_request *request)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	Caps caps = { { 0 } };
	long r = raw(SYS_capget, &header, caps);

	if (r < 0)
		return r;
	request->effective = join_halves(caps[0].effective, caps[1].effective);
	request->permitted = join_halves(caps[0].permitted, caps[1].permitted);
	request->inheritable = join_halves(caps[0].inheritable, caps[1].inheritable);
	if (!request->permitted)
		return 0;
	lower_reading(caps);
	if (raw(SYS_geteuid) == 0 && !(raw(SYS_prctl, PR_GET_SECUREBITS) & SECBIT_NOROOT))
		return raw(SYS_capset, &header, caps);
	return raise_ambient(caps, request->permitted);
}

static long keep_at_exec(long fd)
{
	return raw(SYS_fcntl, fd, F_SETFD, 0);
}

/* ---- with an empty descriptor table ---- */

/*
 * The pidfd of the parent, which has the caller's descriptor table. A parent that has exited is not the
 * parent any more. So the number was the parent's when it was opened.
 */
static long open_parent(const struct idm_delegate_space *space)
{
	long fd = raw(SYS_pidfd_open, space->parent, 0);

	if (fd >= 0 && raw(SYS_getppid) != space->parent)
		return -ESRCH;
	return fd;
}

static long fetch_fd(long parent, int32_t fd, int place)
{
	long r = raw(SYS_pidfd_getfd, parent, fd, 0);

	if (r < 0 || r == place)
		return r;
	r = raw(SYS_dup3, r, place, O_CLOEXEC);
	return r;
}

/*
 * A copy of the caller's table would keep the caller's mounts and pipes busy. This one has only what is
 * fetched from the parent.
 */
static long fetch_fds(const struct idm_delegate_space *space)
{
	long parent, r;

	if (raw(SYS_close_range, 0, ~0U, CLOSE_RANGE_UNSHARE) < 0)
		return -ENOSYS;
	parent = open_parent(space);
	if (parent >= 0)
		parent = raw(SYS_fcntl, parent, F_DUPFD_CLOEXEC, IDM_DELEGATE_FDS);
	if (parent < 0)
		return parent;
	r = fetch_fd(parent, space->request_fd, IDM_DELEGATE_REQUEST_FD);
	if (r >= 0 && space->request->fd >= 0)
		r = fetch_fd(parent, space->request->fd, IDM_DELEGATE_OPERAND_FD);
	if (r >= 0)
		r = fetch_fd(parent, space->program_fd, IDM_DELEGATE_PROGRAM_FD);
	if (r >= 0)
		r = keep_at_exec(IDM_DELEGATE_REQUEST_FD);
	if (r >= 0 && space->request->fd >= 0)
		r = keep_at_exec(IDM_DELEGATE_OPERAND_FD);
	return r;
}

/* ---- with a copied descriptor table ---- */

/* First out of the way of each other. Before Linux 5.9 the caller's that survive exec stay open. */
static long place_fds(const struct idm_delegate_space *space)
{
	long fds[IDM_DELEGATE_FDS] = { space->request_fd, space->request->fd, space->program_fd }, r = 0;

	for (int i = 0; i < IDM_DELEGATE_FDS && r >= 0; i++)
		if (fds[i] >= 0)
			r = fds[i] = raw(SYS_fcntl, fds[i], F_DUPFD_CLOEXEC, IDM_DELEGATE_FDS);
	for (int i = 0; i < IDM_DELEGATE_FDS && r >= 0; i++) {
		if (fds[i] >= 0)
			r = raw(SYS_dup3, fds[i], i, i == IDM_DELEGATE_PROGRAM_FD ? O_CLOEXEC : 0);
		else
			raw(SYS_close, i);
	}
	raw(SYS_close_range, IDM_DELEGATE_FDS, ~0U, 0);
	return r;
}

void idm_delegate_child(void *data)
{
	const struct idm_delegate_space *space = data;
	static char name[] = "idm-delegate";
	char *argv[] = { name, 0 }, *envp[] = { 0 };

	if ((space->copy_table ? place_fds(space) : fetch_fds(space)) >= 0 &&
	    keep_capabilities(space->request) >= 0)
		raw(SYS_execveat, IDM_DELEGATE_PROGRAM_FD, "", argv, envp, AT_EMPTY_PATH);
	idm_raw_exit(1);
}
