// SPDX-License-Identifier: MIT
/*
 * Stubs for the functions by which the programs have effects, or depend on this machine. The linker uses
 * them instead of the functions of the library, the command and libc.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "cli/common/report.h"
#include "cli/run/run.h"
#include "idmount.h"
#include "lib/base/error.h"
#include "lib/sys/refused.h"
#include "oci/bundle.h"

/* Fails, with its argument in the message, as the real function does. */
#define STUB(name, subject, ...)                                                                 \
	int __wrap_##name(__VA_ARGS__, struct idm_error *err);                                   \
	int __wrap_##name(__VA_ARGS__, struct idm_error *err)                                    \
	{                                                                                        \
		return idm_fail(err, -EPERM, IDM_STEP_ATTACH, subject, #name " is linked away"); \
	}

#pragma GCC diagnostic ignored "-Wunused-parameter"

STUB(idm_userns_open, NULL, const struct idm_map *map, unsigned int flags)
STUB(idm_tree_open, path, int dirfd, const char *path, int userns,
     const struct idm_tree_options *options)
STUB(idm_tree_attach, target, int tree, int dirfd, const char *target,
     const struct idm_attach_options *options)
STUB(idm_umount, target, int dirfd, const char *target, unsigned int flags)
STUB(idm_overlay_open, NULL, const struct idm_overlay_options *overlay)
STUB(idm_plan_apply, target, const struct idm_plan *plan, int dirfd, const char *target,
     const struct idm_plan_apply_options *options)
STUB(idm_plan_open, NULL, const struct idm_plan *plan, const struct idm_plan_apply_options *options)
STUB(idm_map_parse_owner, source, struct idm_map *map, const char *text, const char *source)
STUB(idm_plan_undo, journal, const char *journal, unsigned int flags)
STUB(idm_list, NULL, unsigned int flags, int (*each)(const struct idm_mount_info *, void *), void *data)
STUB(idm_list_path, path, int dirfd, const char *path, unsigned int flags,
     int (*each)(const struct idm_mount_info *, void *), void *data)
STUB(idm_check_path, path, int dirfd, const char *path, unsigned int flags,
     struct idm_check_result *check, struct idm_error *why)
STUB(prepare_bundle, bundle->directory, const struct bundle *bundle, char *file)
STUB(print_features, *argv, char **argv)
STUB(idm_diagnose_refused, path, enum idm_call call, int code, enum idm_error_step step,
     const char *path)
STUB(idm_procfs_open_self, name, const char *name, enum idm_error_step step)
STUB(idm_map_add_userns, NULL, struct idm_map *map, int userns)
STUB(idm_map_add_pid, NULL, struct idm_map *map, pid_t pid)
STUB(idm_map_add_subid, owner, struct idm_map *map, const char *owner)

int __wrap_idm_features(unsigned int flags,
			int (*each)(const struct idm_feature_info *feature, void *data), void *data,
			struct idm_error *err);
int __wrap_run_enter_userns(struct run_request *q);
int __wrap_run_read_seccomp(struct run_request *q);
int __wrap_idm_filter_refuses(enum idm_call call);
int __wrap_run_make_root(struct run_request *q, struct run_root *root);
int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_execv(const char *path, char *const argv[]);
int __wrap_setns(int fd, int type);
int __wrap_unshare(int flags);
int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *options);
FILE *__wrap_popen(const char *command, const char *type);
int __wrap_start_program_to(const char *const argv[], int out, pid_t *pid);

int __wrap_idm_features(unsigned int flags,
			int (*each)(const struct idm_feature_info *feature, void *data), void *data,
			struct idm_error *err)
{
	const struct idm_feature_info feature = { .name = "name", .what = "what", .since = "5.12" };

	return each(&feature, data);
}

int __wrap_idm_filter_refuses(enum idm_call call)
{
	return 0;
}

int __wrap_run_read_seccomp(struct run_request *q)
{
	return q->seccomp ? report_failure("%s is linked away", "run_read_seccomp") : DONE;
}

int __wrap_run_enter_userns(struct run_request *q)
{
	return report_failure("%s is linked away", "run_enter_userns");
}

int __wrap_run_make_root(struct run_request *q, struct run_root *root)
{
	return report_failure("%s is linked away", "run_make_root");
}

/* Opens "/proc/PID/ns/user" and other paths that the input names as a user namespace. */
int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode)
{
	return -EACCES;
}

int __wrap_open(const char *path, int flags, ...)
{
	errno = EACCES;
	return -1;
}

/* Executes a runtime. */
int __wrap_execv(const char *path, char *const argv[])
{
	errno = EACCES;
	return -1;
}

/* The name of open() with large files. */
int __wrap_open64(const char *path, int flags, ...)
{
	errno = EACCES;
	return -1;
}

int __wrap_setns(int fd, int type)
{
	errno = EPERM;
	return -1;
}

int __wrap_unshare(int flags)
{
	errno = EPERM;
	return -1;
}

int __wrap_mount(const char *source, const char *target, const char *type, unsigned long flags,
		 const void *options)
{
	errno = EPERM;
	return -1;
}

FILE *__wrap_popen(const char *command, const char *type)
{
	errno = EPERM;
	return NULL;
}

int __wrap_start_program_to(const char *const argv[], int out, pid_t *pid)
{
	return -EPERM;
}
