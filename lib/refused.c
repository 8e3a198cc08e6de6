// SPDX-License-Identifier: MIT
#include "refused.h"

#include <errno.h>
#include <stddef.h>

#include "error.h"
#include "kernel.h"
#include "util.h"

static int try_openat2(void)
{
	return idm_sys_openat2_size(0);
}

static int try_pidfd_send_signal(void)
{
	return idm_sys_pidfd_send_signal(-1, 0);
}

static int try_waitid(void)
{
	siginfo_t info;

	return idm_sys_waitid_pidfd(-1, &info, WEXITED | __WALL);
}

static const struct {
	const char *name;
	int (*try)(void);
	int kernels; /* answer */
} calls[] = {
	{ "openat2", try_openat2, -EINVAL },
	{ "pidfd_send_signal", try_pidfd_send_signal, -EBADF },
	{ "waitid", try_waitid, -EINVAL },
};

const char *idm_refused_call(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].try() != calls[i].kernels)
			return calls[i].name;
	return NULL;
}

int idm_refused_waitid(void)
{
	int r = try_waitid();

	return r == -EINVAL ? 0 : r;
}

int idm_why_closed(int code, const char *step, const char *name, struct idm_error *err)
{
	idm_fail(err, code, step, name,
		 "a security module such as Landlock closes this file of /proc to the process");
	idm_hint(err, "a Landlock rule for /proc has to allow READ_FILE and WRITE_FILE");
	return code;
}

/* Asked for the privilege before the descriptor is looked at. */
static bool may_mount(void)
{
	return idm_sys_open_tree(-1, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) == -EBADF;
}

static int say_refused(const char *call, bool by_filter, const char *step, const char *path,
		       struct idm_error *err)
{
	if (!may_mount()) {
		idm_fail(err, -EPERM, step, path,
			 "it needs CAP_SYS_ADMIN in the user namespace that owns this mount namespace");
	} else if (by_filter) {
		idm_fail(err, -EPERM, step, path, "a seccomp filter refuses %s(2)", call);
		idm_hint(err, "let the seccomp profile of the container or service allow %s", call);
	} else {
		idm_fail(err, -EPERM, step, path, "a security module refuses %s(2)", call);
		idm_hint(err, "Landlock refuses it to every process in a domain that restricts files; a "
			      "process outside of the domain can do it");
	}
	return -EPERM;
}

int idm_why_move_refused(const char *step, const char *path, struct idm_error *err)
{
	bool by_filter = err && idm_sys_move_mount(-1, "", -1, "", ~0U) != -EINVAL;

	return err ? say_refused("move_mount", by_filter, step, path, err) : -EPERM;
}

int idm_why_umount_refused(const char *step, const char *path, struct idm_error *err)
{
	bool by_filter = err && idm_sys_umount("", ~0) != -EINVAL;

	return err ? say_refused("umount2", by_filter, step, path, err) : -EPERM;
}
