// SPDX-License-Identifier: MIT
/* Checks that the options fit together, before the library creates anything. Names the wrong option. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "internal.h"
#include "lib/base/arguments.h"
#include "lib/base/copy-struct.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/base/mount-attr.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_START_PROGRAM;

#define ALL_FLAGS                                                                                   \
	(IDM_CHILD_SEARCH_PATH | IDM_CHILD_KEEP_FDS | IDM_CHILD_RESET_SIGNALS | IDM_CHILD_SESSION | \
	 IDM_CHILD_SET_GROUPS | IDM_CHILD_NO_NEW_PRIVS | IDM_CHILD_UNDER_INIT |                     \
	 IDM_CHILD_DIE_WITH_THREAD | IDM_CHILD_NEW_KEYRING | IDM_CHILD_DISABLE_USERNS |             \
	 IDM_CHILD_NO_KEYRINGS)
#define ALL_NAMESPACES (IDM_NS_MOUNT | IDM_NS_CGROUP | IDM_NS_UTS | IDM_NS_IPC | IDM_NS_PID | IDM_NS_NET)
#define MOUNT_FLAGS                                                                  \
	(IDM_CHILD_MOUNT_MKDIR | IDM_CHILD_MOUNT_FOLLOW | IDM_CHILD_MOUNT_OPTIONAL | \
	 IDM_CHILD_MOUNT_REBIND)

_Static_assert(IDM_NS_MOUNT == CLONE_NEWNS && IDM_NS_CGROUP == CLONE_NEWCGROUP &&
		       IDM_NS_UTS == CLONE_NEWUTS && IDM_NS_IPC == CLONE_NEWIPC &&
		       IDM_NS_PID == CLONE_NEWPID && IDM_NS_NET == CLONE_NEWNET &&
		       IDM_NS_TIME == CLONE_NEWTIME,
	       "IDM_NS_* are the kernel's values");

#define REFUSE(err, ...) idm_fail(err, -EINVAL, step, NULL, __VA_ARGS__)

static int check_program(const struct idm_child_options *o, struct idm_error *err)
{
	if (!o->path || !*o->path)
		return REFUSE(err, "expected the program's path, got %s",
			      o->path ? "an empty string" : "none");
	if (!o->argv || !o->argv[0])
		return REFUSE(err, "expected arguments that begin with the program's name, got none");
	if (o->program_fd >= 0 && o->flags & IDM_CHILD_SEARCH_PATH)
		return REFUSE(err, "IDM_CHILD_SEARCH_PATH and program_fd exclude each other");
	if (o->cwd && !*o->cwd)
		return REFUSE(err, "expected a working directory in cwd, got an empty path");
	return 0;
}

static int check_arrays(const struct idm_child_options *o, struct idm_error *err)
{
	int r = idm_check_array(o->fds, o->n_fds, "fds", "descriptors", step, err);

	if (r == 0)
		r = idm_check_array(o->join_fds, o->n_join_fds, "join_fds", "descriptors", step, err);
	if (r == 0)
		r = idm_check_array(o->mounts, o->n_mounts, "mounts", "mounts", step, err);
	return r < 0 ? r : idm_check_array(o->groups, o->n_groups, "groups", "groups", step, err);
}

/* The members that are a descriptor or -1, and those of the arrays. */
static int check_fd_members(const struct idm_child_options *o, struct idm_error *err)
{
	const struct {
		const char *name;
		int fd;
	} members[] = { { "program_fd", o->program_fd },   { "root_fd", o->root_fd },
			{ "terminal_fd", o->terminal_fd }, { "cgroup_fd", o->cgroup_fd },
			{ "seccomp_fd", o->seccomp_fd },   { "staging_fd", o->staging_fd } };
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(members) && r == 0; i++)
		r = idm_check_fd_or_none(members[i].fd, step, err, "%s", members[i].name);
	for (size_t i = 0; i < o->n_join_fds && r == 0; i++)
		r = idm_check_fd(o->join_fds[i], step, err, "join_fds[%zu]", i);
	return r;
}

static int check_fds(const struct idm_child_options *o, struct idm_error *err)
{
	for (size_t i = 0; i < o->n_fds; i++) {
		const struct idm_child_fd *fd = &o->fds[i];

		int r = idm_check_fd(fd->to, step, err, "fds[%zu].to", i);

		if (r == 0)
			r = idm_check_fd_or_none(fd->from, step, err, "fds[%zu].from", i);
		if (r < 0)
			return r;
		for (size_t j = 0; j < i; j++)
			if (o->fds[j].to == fd->to)
				return REFUSE(err,
					      "expected each descriptor once in fds[].to, got %d twice",
					      fd->to);
	}
	return 0;
}

/* In every spelling. "/..." is a name. */
static bool is_root_path(const char *target)
{
	for (const char *p = target; *p; p++)
		if (*p != '/' && (*p != '.' || p[-1] != '/' || (p[1] && p[1] != '/')))
			return false;
	return true;
}

struct idm_child_mount idm_child_get_mount(const struct idm_child_options *o, size_t i)
{
	struct idm_child_mount mount = IDM_CHILD_MOUNT_INIT;

	idm_copy_element(&mount, sizeof(mount), o->mounts, i, o->mount_size);
	return mount;
}

/* An array from an older header has shorter elements. The shortest has a target. */
static int check_mount_size(const struct idm_child_options *o, struct idm_error *err)
{
	struct idm_child_mount mount;

	if (o->n_mounts && o->mount_size < sizeof(mount.target))
		return REFUSE(err, "expected sizeof(struct idm_child_mount) in mount_size, got %zu",
			      o->mount_size);
	for (size_t i = 0; i < o->n_mounts; i++)
		if (idm_copy_element(&mount, sizeof(mount), o->mounts, i, o->mount_size) < 0)
			return idm_fail(err, -E2BIG, step, NULL, "mounts[%zu] requires a newer library",
					i);
	return 0;
}

static int check_mount(const struct idm_child_mount *m, size_t i, struct idm_error *err)
{
	if (!m->target)
		return REFUSE(err, "mounts[%zu]: expected an absolute target, got NULL", i);
	if (m->target[0] != '/')
		return REFUSE(err, "mounts[%zu]: expected an absolute target, got \"%s\"", i, m->target);
	if (idm_goes_up(m->target))
		return REFUSE(err, "mount at %s: expected a path without \"..\"", m->target);
	if (is_root_path(m->target))
		return REFUSE(err, "mount at %s: the root itself cannot be a target", m->target);
	if (!!m->fstype + (m->tree_fd >= 0) + !!(m->flags & IDM_CHILD_MOUNT_REBIND) != 1)
		return REFUSE(err, "mount at %s: expected one of a filesystem, a tree and a rebind",
			      m->target);
	if (!m->fstype && (m->source || m->options))
		return REFUSE(err, "mount at %s: a source and options require a filesystem", m->target);
	if (m->tree_fd >= 0 && m->attr)
		return REFUSE(err, "mount at %s: attributes require a filesystem or a rebind",
			      m->target);
	if (m->flags & ~MOUNT_FLAGS)
		return REFUSE(err, "mount at %s: unknown flags 0x%x", m->target,
			      m->flags & ~MOUNT_FLAGS);
	return idm_check_attributes(m->attr, 0, step, m->target, err);
}

static int check_mounts(const struct idm_child_options *o, struct idm_error *err)
{
	bool own = o->namespaces & IDM_NS_MOUNT;
	int r;

	if (o->root_fd >= 0 && !own)
		return REFUSE(err, "a root requires a new mount namespace");
	if (o->staging_fd >= 0 && o->root_fd < 0)
		return REFUSE(err, "staging_fd requires a root: no path of the caller's leads there");
	if (o->n_mounts && !own)
		return REFUSE(err, "mounts require a new mount namespace");
	if (o->propagation != IDM_PROPAGATION_DEFAULT && !own)
		return REFUSE(err, "propagation requires a new mount namespace");
	if ((unsigned int)o->propagation > IDM_PROPAGATION_SLAVE)
		return REFUSE(err, "expected IDM_PROPAGATION_PRIVATE or IDM_PROPAGATION_SLAVE, got %d",
			      (int)o->propagation);
	r = check_mount_size(o, err);
	for (size_t i = 0; i < o->n_mounts && r == 0; i++) {
		struct idm_child_mount mount = idm_child_get_mount(o, i);

		r = idm_check_fd_or_none(mount.tree_fd, step, err, "mounts[%zu].tree_fd", i);
		if (r == 0)
			r = check_mount(&mount, i, err);
	}
	return r;
}

static int check_child_flags(const struct idm_child_options *o, struct idm_error *err)
{
	if (o->flags & ~(uint64_t)ALL_FLAGS)
		return REFUSE(err, "unknown flags 0x%" PRIx64, o->flags & ~(uint64_t)ALL_FLAGS);
	/* its clocks are set before a process enters it, and no option has them */
	if (o->namespaces & IDM_NS_TIME)
		return REFUSE(err,
			      "a time namespace can only be joined: name its descriptor in join_fds");
	if (o->namespaces & ~ALL_NAMESPACES)
		return REFUSE(err, "unknown namespaces 0x%x", o->namespaces & ~ALL_NAMESPACES);
	if (o->hostname && !(o->namespaces & IDM_NS_UTS))
		return REFUSE(err, "a hostname requires a new UTS namespace");
	if (o->flags & IDM_CHILD_UNDER_INIT && !(o->namespaces & IDM_NS_PID))
		return REFUSE(err, "an init requires a new PID namespace");
	if (o->flags & IDM_CHILD_DISABLE_USERNS && !o->map && !o->n_join_fds)
		return REFUSE(err,
			      "a limit of user namespaces requires a user namespace of the child's own");
	if (o->n_groups && !(o->flags & IDM_CHILD_SET_GROUPS))
		return REFUSE(err, "groups require IDM_CHILD_SET_GROUPS");
	if (o->terminal_fd >= 0 && !(o->flags & IDM_CHILD_SESSION))
		return REFUSE(err, "a controlling terminal requires a new session");
	if (o->process_group && o->flags & IDM_CHILD_SESSION)
		return REFUSE(err, "process_group and IDM_CHILD_SESSION exclude each other");
	if (o->process_group < -1)
		return REFUSE(err, "expected a process group, 0 or -1, got %d", (int)o->process_group);
	return 0;
}

int idm_child_check_for_server(const struct idm_child_options *o, struct idm_error *err)
{
	if (o->flags & IDM_CHILD_KEEP_FDS)
		return REFUSE(err,
			      "IDM_CHILD_KEEP_FDS requires a child with the caller's descriptor table: "
			      "name each descriptor in fds, or use idm_child_start()");
	if (o->flags & IDM_CHILD_DIE_WITH_THREAD)
		return REFUSE(err,
			      "IDM_CHILD_DIE_WITH_THREAD requires a child of the calling thread: use "
			      "idm_child_start()");
	return 0;
}

int idm_child_copy_options(struct idm_child_options *own, const struct idm_child_options *options,
			   struct idm_error *err)
{
	int r;

	*own = (struct idm_child_options)IDM_CHILD_OPTIONS_INIT;
	r = IDM_COPY_STRUCT(own, staging_fd, options, step, err);
	if (r == 0)
		r = check_program(own, err);
	if (r == 0)
		r = check_arrays(own, err);
	if (r == 0)
		r = check_fd_members(own, err);
	if (r == 0)
		r = check_fds(own, err);
	if (r == 0)
		r = check_mounts(own, err);
	return r < 0 ? r : check_child_flags(own, err);
}
