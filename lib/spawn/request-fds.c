// SPDX-License-Identifier: MIT
/* The part of a request for descriptors of the program. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/sys/syscall.h"

static bool is_fd_open(int fd)
{
	return idm_sys_fd_flags(fd) >= 0;
}

int idm_child_check_open(int fd, enum idm_error_step which, struct idm_error *err)
{
	if (fd < 0 || is_fd_open(fd))
		return 0;
	return idm_fail(err, -EBADF, which, NULL, "descriptor %d is not open", fd);
}

static bool is_named(const struct idm_child_options *o, int to)
{
	for (size_t i = 0; i < o->n_fds; i++)
		if (o->fds[i].to == to)
			return true;
	return false;
}

/*
 * Whether the descriptor is for the child alone. If the caller has closed 0, 1 or 2, a namespace or a
 * tree can have that number. A tree of the host would let the program leave its root.
 */
static bool is_for_the_child(const struct idm_child_options *o, const struct idm_child_userns *userns,
			     int fd)
{
	if (fd == userns->assembly || fd == userns->child || fd == userns->own)
		return true;
	if (fd == o->root_fd || fd == o->program_fd || fd == o->cgroup_fd || fd == o->staging_fd)
		return true;
	for (size_t i = 0; i < o->n_join_fds; i++)
		if (o->join_fds[i] == fd)
			return true;
	for (size_t i = 0; i < o->n_mounts; i++) {
		struct idm_child_mount mount = idm_child_get_mount(o, i);

		if (!mount.fstype && mount.tree_fd == fd)
			return true;
	}
	return false;
}

/*
 * Close-on-exec descriptors are not inherited: if the caller has closed 0, 1 or 2, the socket to its
 * fork server can have that number, or a file of another library.
 */
static bool is_inherited_fd(const struct idm_child_options *o, const struct idm_child_userns *userns,
			    int fd)
{
	return !is_named(o, fd) && idm_sys_fd_flags(fd) == 0 && !is_for_the_child(o, userns, fd);
}

int idm_request_add_fds(struct idm_block *block, const struct idm_child_options *o,
			const struct idm_child_userns *userns, struct idm_error *err)
{
	uint32_t at = idm_block_reserve(block, (o->n_fds + 3) * sizeof(struct idm_request_fd)), n = 0;
	int r;

	for (int fd = 0; fd < 3 && at; fd++)
		if (is_inherited_fd(o, userns, fd))
			*IDM_BLOCK_ELEMENT(block, at, struct idm_request_fd,
					   n++) = (struct idm_request_fd){ fd, fd };
	for (size_t i = 0; i < o->n_fds && at; i++) {
		r = idm_child_check_open(o->fds[i].from, IDM_STEP_PASS_DESCRIPTORS, err);
		if (r < 0)
			return r;
		*IDM_BLOCK_ELEMENT(block, at, struct idm_request_fd,
				   n++) = (struct idm_request_fd){ o->fds[i].from, o->fds[i].to };
	}
	idm_block_request(block)->fds = at;
	idm_block_request(block)->n_fds = n;
	return 0;
}
