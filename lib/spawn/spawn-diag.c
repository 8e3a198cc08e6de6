// SPDX-License-Identifier: MIT
/* Turns the report of a failed child into a message. The report has a step and an errno. */
#include <errno.h>
#include <linux/capability.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/mount/staging.h"
#include "lib/spawn/executor/executor.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/refused.h"

static const enum idm_error_step steps[IDM_STEPS] = {
	[IDM_CHILD_STEP_NONE] = IDM_STEP_START_PROGRAM,
	[IDM_CHILD_STEP_DESCRIPTORS] = IDM_STEP_PASS_DESCRIPTORS,
	[IDM_CHILD_STEP_PROCESS_GROUP] = IDM_STEP_SET_PROCESS_GROUP,
	[IDM_CHILD_STEP_EXECUTOR] = IDM_STEP_EXECUTE_MEMORY_PROGRAM,
	[IDM_CHILD_STEP_JOIN] = IDM_STEP_JOIN_NAMESPACE,
	[IDM_CHILD_STEP_JOIN_USER] = IDM_STEP_JOIN_USERNS,
	[IDM_CHILD_STEP_USER_IDS] = IDM_STEP_BECOME_USERNS_ROOT,
	[IDM_CHILD_STEP_JOIN_STAGING] = IDM_STEP_JOIN_STAGING,
	[IDM_CHILD_STEP_NAMESPACES] = IDM_STEP_MAKE_NAMESPACES,
	[IDM_CHILD_STEP_SECOND] = IDM_STEP_MAKE_PID_NAMESPACE_PROCESS,
	[IDM_CHILD_STEP_PROPAGATION] = IDM_STEP_SEPARATE_MOUNTS,
	[IDM_CHILD_STEP_ATTACH_ROOT] = IDM_STEP_ATTACH_ROOT,
	[IDM_CHILD_STEP_PIVOT] = IDM_STEP_PIVOT_ROOT,
	[IDM_CHILD_STEP_MOUNT_TARGET] = IDM_STEP_MAKE_MOUNT_POINT,
	[IDM_CHILD_STEP_MOUNT_OPTION] = IDM_STEP_SET_MOUNT_OPTION,
	[IDM_CHILD_STEP_MOUNT] = IDM_STEP_MOUNT,
	[IDM_CHILD_STEP_DETACH_OLD_ROOT] = IDM_STEP_DETACH_OLD_ROOT,
	[IDM_CHILD_STEP_ASSEMBLE] = IDM_STEP_ASSEMBLE_ROOT,
	[IDM_CHILD_STEP_LOCK_MOUNTS] = IDM_STEP_LOCK_MOUNTS,
	[IDM_CHILD_STEP_LIMIT_USERNS] = IDM_STEP_LIMIT_USERNS,
	[IDM_CHILD_STEP_KEYRING] = IDM_STEP_MAKE_KEYRING,
	[IDM_CHILD_STEP_SECCOMP] = IDM_STEP_SET_SECCOMP_FILTER,
	[IDM_CHILD_STEP_HOSTNAME] = IDM_STEP_SET_HOSTNAME,
	[IDM_CHILD_STEP_SESSION] = IDM_STEP_MAKE_SESSION,
	[IDM_CHILD_STEP_TERMINAL] = IDM_STEP_SET_TERMINAL,
	[IDM_CHILD_STEP_BOUNDING] = IDM_STEP_SET_BOUNDING_SET,
	[IDM_CHILD_STEP_GROUPS] = IDM_STEP_SET_GROUPS,
	[IDM_CHILD_STEP_GID] = IDM_STEP_SET_GID,
	[IDM_CHILD_STEP_UID] = IDM_STEP_SET_UID,
	[IDM_CHILD_STEP_CAPABILITIES] = IDM_STEP_SET_CAPABILITIES,
	[IDM_CHILD_STEP_NO_NEW_PRIVS] = IDM_STEP_SET_NO_NEW_PRIVS,
	[IDM_CHILD_STEP_CWD] = IDM_STEP_SET_CWD,
	[IDM_CHILD_STEP_INIT] = IDM_STEP_START_BELOW_INIT,
	[IDM_CHILD_STEP_EXEC] = IDM_STEP_EXECUTE,
};

static const char *get_namespace_name(uint32_t type)
{
	switch (type) {
	case IDM_NS_MOUNT:
		return "mount";
	case IDM_NS_CGROUP:
		return "cgroup";
	case IDM_NS_UTS:
		return "UTS";
	case IDM_NS_IPC:
		return "IPC";
	case IDM_NS_PID:
		return "PID";
	case IDM_NS_NET:
		return "network";
	default:
		return "time";
	}
}

static bool diagnose_descriptors(const struct idm_child_question *q)
{
	if (q->report->item == ~0U) {
		idm_fail_because(q->err, q->code, q->step, NULL,
				 q->code == -ENOSYS ? "close_range(2) is not supported by this kernel "
						      "(needs Linux 5.9)"
						    : NULL);
		return true;
	}
	/* dup3(2) returns EBADF for a number over the limit; the source was open a moment ago */
	if (q->code == -EBADF)
		idm_fail(q->err, q->code, q->step, NULL,
			 "descriptor %u is over the limit RLIMIT_NOFILE, or another thread closed "
			 "its source",
			 q->report->item);
	else
		idm_fail(q->err, q->code, q->step, NULL, "descriptor %u: %s", q->report->item,
			 idm_errno_text(-q->code));
	return true;
}

static bool diagnose_join(const struct idm_child_question *q)
{
	const char *name = get_namespace_name(q->report->item);

	if (q->code == -EPERM)
		idm_fail(q->err, q->code, q->step, NULL,
			 "%s: it requires CAP_SYS_ADMIN in the namespace's user namespace%s", name,
			 q->report->item == IDM_NS_MOUNT ? ", and CAP_SYS_CHROOT in the caller's" : "");
	else
		idm_fail(q->err, q->code, q->step, NULL, "%s: %s", name, idm_errno_text(-q->code));
	return true;
}

static bool diagnose_namespaces(const struct idm_child_question *q)
{
	if (q->code == -EPERM && (q->o->map || idm_has_capability(CAP_SYS_ADMIN))) {
		idm_fail(q->err, q->code, q->step, NULL,
			 "a seccomp filter or a security module refuses it");
		return true;
	}
	if (q->code == -EPERM) {
		idm_fail(q->err, q->code, q->step, NULL,
			 "it requires CAP_SYS_ADMIN in this user namespace");
		idm_hint(q->err,
			 "run as root, or pass a map: a child in its own user namespace can make "
			 "namespaces");
		return true;
	}
	if (q->code != -ENOSPC)
		return false;
	idm_fail(q->err, q->code, q->step, NULL, "the limit on namespaces is reached");
	idm_hint(q->err, "see the sysctls user.max_*_namespaces");
	return true;
}

static bool diagnose_ids(const struct idm_child_question *q)
{
	bool user = q->report->step == IDM_CHILD_STEP_UID;

	if (q->code != -EINVAL && q->code != -EPERM)
		return false;
	if (q->report->step == IDM_CHILD_STEP_GROUPS && q->code == -EPERM) {
		idm_fail(q->err, q->code, q->step, NULL,
			 "it requires CAP_SETGID, and a user namespace that allows setgroups(2)");
		return true;
	}
	if (q->code == -EPERM)
		idm_fail(q->err, q->code, q->step, NULL,
			 "%u: it requires %s in the child's user namespace", q->report->item,
			 user ? "CAP_SETUID" : "CAP_SETGID");
	else if (q->report->step == IDM_CHILD_STEP_GROUPS)
		idm_fail(q->err, q->code, q->step, NULL,
			 "too many groups, or the user namespace does not map all of them");
	else
		idm_fail(q->err, q->code, q->step, NULL, "%u: the user namespace does not map this ID",
			 q->report->item);
	return true;
}

static bool diagnose_capabilities(const struct idm_child_question *q)
{
	if (q->code != -EPERM)
		return false;
	idm_fail(q->err, q->code, q->step, NULL,
		 q->report->step == IDM_CHILD_STEP_BOUNDING
			 ? "it requires CAP_SETPCAP, or a seccomp filter refuses prctl(2)"
			 : "expected effective within permitted, ambient within permitted and "
			   "inheritable, and all within the child's own");
	return true;
}

static bool diagnose_terminal(const struct idm_child_question *q)
{
	if (q->code == -ENOTTY)
		idm_fail(q->err, q->code, q->step, NULL, "the descriptor is not a terminal");
	else if (q->code == -EPERM)
		idm_fail(q->err, q->code, q->step, NULL, "it is the terminal of another session");
	else
		return false;
	return true;
}

static bool diagnose_cwd(const struct idm_child_question *q)
{
	if (q->code != -EXDEV)
		return false;
	idm_fail(q->err, q->code, q->step, q->subject, "it is outside the root");
	return true;
}

static bool diagnose_exec(const struct idm_child_question *q)
{
	const char *path = q->o->path;

	if (q->code == -ENOENT && q->request->n_paths > 1)
		idm_fail(q->err, q->code, q->step, path, "not found in PATH");
	else if (q->code == -ENOEXEC)
		idm_fail(q->err, q->code, q->step, q->subject ? q->subject : path,
			 "it is not a program that this machine can execute");
	else
		idm_fail_errno(q->err, q->code, q->step, q->subject ? q->subject : path);
	if (q->code == -ENOENT && q->request->n_paths == 1)
		idm_hint(q->err,
			 "if the file exists, its interpreter is missing: see its first line or its "
			 "program header");
	return true;
}

static bool diagnose_executor(const struct idm_child_question *q)
{
	if (q->code != -EACCES)
		return false;
	idm_fail(q->err, q->code, q->step, NULL, "the kernel or a security module refuses it");
	idm_hint(q->err, "see the sysctl vm.memfd_noexec");
	return true;
}

static bool diagnose_seccomp(const struct idm_child_question *q)
{
	if (q->code == -EINVAL)
		idm_fail(q->err, q->code, q->step, NULL, "the kernel rejects the filter");
	else if (q->code == -EACCES)
		idm_fail(q->err, q->code, q->step, NULL, "it requires CAP_SYS_ADMIN or no_new_privs");
	else
		return false;
	return true;
}

/* Steps of one system call that the child has the privilege for. */
static bool diagnose_refused_call(const struct idm_child_question *q)
{
	static const struct {
		enum idm_child_step step;
		enum idm_call call;
	} calls[] = {
		{ IDM_CHILD_STEP_PROPAGATION, IDM_CALL_MOUNT },
		{ IDM_CHILD_STEP_ATTACH_ROOT, IDM_CALL_MOVE_MOUNT },
		{ IDM_CHILD_STEP_PIVOT, IDM_CALL_PIVOT_ROOT },
		{ IDM_CHILD_STEP_DETACH_OLD_ROOT, IDM_CALL_UMOUNT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].step != q->report->step)
			continue;
		idm_diagnose_refused(calls[i].call, q->code, q->step, NULL, q->err);
		return true;
	}
	return false;
}

/* Steps whose EPERM can have other causes, too. */
static bool diagnose_filtered_call(const struct idm_child_question *q)
{
	static const struct {
		enum idm_child_step step;
		enum idm_call call;
	} calls[] = {
		{ IDM_CHILD_STEP_JOIN, IDM_CALL_SETNS },
		{ IDM_CHILD_STEP_JOIN_USER, IDM_CALL_SETNS },
		{ IDM_CHILD_STEP_NAMESPACES, IDM_CALL_UNSHARE },
		{ IDM_CHILD_STEP_LOCK_MOUNTS, IDM_CALL_UNSHARE },
		{ IDM_CHILD_STEP_MOUNT, IDM_CALL_MOVE_MOUNT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		if (calls[i].step != q->report->step || !idm_filter_refuses(calls[i].call))
			continue;
		idm_diagnose_filtered(calls[i].call, q->code, q->step, q->subject, q->err);
		return true;
	}
	return false;
}

static bool diagnose_step(const struct idm_child_question *q)
{
	if ((q->code == -EPERM || q->code == -ENOSYS) &&
	    (diagnose_refused_call(q) || diagnose_filtered_call(q)))
		return true;
	switch (q->report->step) {
	case IDM_CHILD_STEP_DESCRIPTORS:
		return diagnose_descriptors(q);
	case IDM_CHILD_STEP_EXECUTOR:
		return diagnose_executor(q);
	case IDM_CHILD_STEP_JOIN:
		return diagnose_join(q);
	case IDM_CHILD_STEP_JOIN_STAGING:
		idm_diagnose_staging(q->code, q->step, q->err);
		return true;
	case IDM_CHILD_STEP_NAMESPACES:
	case IDM_CHILD_STEP_SECOND:
		return diagnose_namespaces(q);
	case IDM_CHILD_STEP_MOUNT_TARGET:
		return idm_child_diagnose_mount_target(q);
	case IDM_CHILD_STEP_MOUNT:
		return idm_child_diagnose_child_mount(q);
	case IDM_CHILD_STEP_ATTACH_ROOT:
		return idm_child_diagnose_root(q);
	case IDM_CHILD_STEP_PIVOT:
		return idm_child_diagnose_pivot(q);
	case IDM_CHILD_STEP_GROUPS:
	case IDM_CHILD_STEP_GID:
	case IDM_CHILD_STEP_UID:
		return diagnose_ids(q);
	case IDM_CHILD_STEP_BOUNDING:
	case IDM_CHILD_STEP_CAPABILITIES:
		return diagnose_capabilities(q);
	case IDM_CHILD_STEP_SECCOMP:
		return diagnose_seccomp(q);
	case IDM_CHILD_STEP_LOCK_MOUNTS:
		return diagnose_namespaces(q);
	case IDM_CHILD_STEP_TERMINAL:
		return diagnose_terminal(q);
	case IDM_CHILD_STEP_CWD:
		return diagnose_cwd(q);
	case IDM_CHILD_STEP_EXEC:
		return diagnose_exec(q);
	default:
		return false;
	}
}

int idm_child_diagnose(const struct idm_child_options *o, struct idm_request *request,
		       struct idm_error *err)
{
	const struct idm_child_report *report = &request->report;
	struct idm_child_question q = {
		.o = o, .request = request, .report = report, .code = report->error, .err = err
	};

	q.step = steps[report->step < IDM_STEPS ? report->step : IDM_CHILD_STEP_NONE];
	q.subject = report->string < request->size ? idm_request_at(request, report->string) : NULL;
	if (!q.code)
		return idm_fail(err, -ESRCH, q.step, q.subject, "the child was killed");
	if (!diagnose_step(&q))
		idm_fail_errno(err, q.code, q.step, q.subject);
	if (report->message[0])
		idm_kernel_log(err, report->message);
	return q.code;
}
