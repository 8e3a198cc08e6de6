// SPDX-License-Identifier: MIT
#include "refused.h"

#include <errno.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "probe.h"
#include "seccomp-probe.h"
#include "syscall.h"

int idm_diagnose_closed_file(int code, enum idm_error_step step, const char *name, struct idm_error *err)
{
	idm_fail(err, code, step, name,
		 "a security module such as Landlock denies the process access to this file in /proc");
	idm_hint(err, "a Landlock rule for /proc has to allow READ_FILE and WRITE_FILE");
	return code;
}

/* Asked for the privilege before the descriptor is looked at. */
static bool has_mount_privilege(void)
{
	return idm_sys_open_tree(-1, "", OPEN_TREE_CLONE | AT_EMPTY_PATH) == -EBADF;
}

/* ---- calls that a privilege is needed for, and others that one step needs ---- */

static int try_mount(void)
{
	return idm_sys_mount(NULL, "", NULL, 0, NULL);
}

static int try_umount(void)
{
	return idm_sys_umount("", ~0);
}

static int try_move_mount(void)
{
	return idm_sys_move_mount(-1, "", -1, "", ~0U);
}

static int try_pivot_root(void)
{
	return idm_sys_pivot_root("", "");
}

static int try_setns(void)
{
	return idm_sys_setns(-1, 0);
}

static int try_unshare(void)
{
	return idm_sys_unshare(~0);
}

static int try_memfd(void)
{
	AUTO_CLOSE int fd = idm_sys_memfd("idm-probe", false);

	return fd < 0 ? fd : 0;
}

static int try_pidfd_open(void)
{
	return idm_sys_pidfd_open(-1);
}

static const struct {
	const char *name;
	int (*try)(void);
	int kernels;	   /* answer */
	bool if_may_mount; /* else that is EPERM */
} others[] = {
	[IDM_CALL_MOUNT] = { "mount", try_mount, -ENOENT, false },
	[IDM_CALL_UMOUNT] = { "umount2", try_umount, -EINVAL, false },
	[IDM_CALL_MOVE_MOUNT] = { "move_mount", try_move_mount, -EINVAL, true },
	[IDM_CALL_PIVOT_ROOT] = { "pivot_root", try_pivot_root, -ENOENT, true },
	[IDM_CALL_SETNS] = { "setns", try_setns, -EBADF, false },
	[IDM_CALL_UNSHARE] = { "unshare", try_unshare, -EINVAL, false },
	[IDM_CALL_MEMFD_CREATE] = { "memfd_create", try_memfd, 0, false },
	[IDM_CALL_PIDFD_OPEN] = { "pidfd_open", try_pidfd_open, -EINVAL, false },
};

enum refuser { NO_FILTER, FILTER, PERHAPS_FILTER };

static enum refuser find_refuser(enum idm_call call)
{
	int answer = others[call].try();

	if (answer == others[call].kernels)
		return NO_FILTER;
	if (answer == -EPERM && others[call].if_may_mount && !has_mount_privilege())
		return PERHAPS_FILTER;
	return answer == -EPERM || answer == -ENOSYS ? FILTER : NO_FILTER;
}

int idm_filter_refuses(enum idm_call call)
{
	return find_refuser(call) == FILTER ? others[call].try() : 0;
}

int idm_diagnose_filtered(enum idm_call call, int code, enum idm_error_step step, const char *path,
			  struct idm_error *err)
{
	return idm_fail_filtered(err, code, step, path, others[call].name);
}

int idm_diagnose_refused(enum idm_call call, int code, enum idm_error_step step, const char *path,
			 struct idm_error *err)
{
	enum refuser refuser = !err ? NO_FILTER : code == -ENOSYS ? FILTER : find_refuser(call);

	if (refuser == FILTER)
		return idm_diagnose_filtered(call, code, step, path, err);
	idm_fail(err, code, step, path, "a %ssecurity module refuses %s(2)",
		 refuser == PERHAPS_FILTER ? "seccomp filter or a " : "", others[call].name);
	idm_hint(err, "Landlock denies it to every process in a domain that restricts files; a "
		      "process outside of the domain can do it");
	return code;
}

static int diagnose_refused_caller(enum idm_call call, int code, enum idm_error_step step,
				   const char *path, struct idm_error *err)
{
	if (!err || code == -ENOSYS || has_mount_privilege())
		return idm_diagnose_refused(call, code, step, path, err);
	return idm_fail(
		err, code, step, path,
		"it requires CAP_SYS_ADMIN in the user namespace that owns this mount namespace");
}

int idm_diagnose_mount_refused(int code, enum idm_error_step step, const char *path,
			       struct idm_error *err)
{
	return diagnose_refused_caller(IDM_CALL_MOUNT, code, step, path, err);
}

int idm_diagnose_move_refused(int code, enum idm_error_step step, const char *path,
			      struct idm_error *err)
{
	return diagnose_refused_caller(IDM_CALL_MOVE_MOUNT, code, step, path, err);
}

int idm_diagnose_umount_refused(int code, enum idm_error_step step, const char *path,
				struct idm_error *err)
{
	return diagnose_refused_caller(IDM_CALL_UMOUNT, code, step, path, err);
}

bool idm_module_refuses_mounts(void)
{
	AUTO_CLOSE int tree = idm_probe_tmpfs();

	return tree >= 0 && idm_probe_attach(tree) < 0 && find_refuser(IDM_CALL_MOVE_MOUNT) == NO_FILTER;
}
