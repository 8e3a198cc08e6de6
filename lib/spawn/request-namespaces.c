// SPDX-License-Identifier: MIT
/* The part of a request for namespaces to join and to create. */
#include <errno.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_START_PROGRAM;

static int get_namespace_type(int fd, struct idm_error *err)
{
	int type = idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL);

	if (type == -EBADF)
		return idm_fail(err, type, step, NULL, "descriptor %d is not open", fd);
	if (type < 0)
		return idm_fail(err, -EINVAL, step, NULL, "expected a namespace, got descriptor %d", fd);

	return type;
}

static int add_join(struct idm_block *block, uint32_t at, int fd, struct idm_error *err)
{
	struct idm_request *request = idm_block_request(block);
	struct idm_request_join *joins = IDM_BLOCK_ELEMENT(block, at, struct idm_request_join, 0);
	int type = get_namespace_type(fd, err);

	if (type < 0)
		return type;
	for (uint32_t i = 0; i < request->n_joins; i++)
		if (joins[i].type == (uint32_t)type)
			return idm_fail(
				err, -EINVAL, step, NULL,
				"expected one namespace of each type, got descriptor %d of the same type as another",
				fd);
	joins[request->n_joins++] = (struct idm_request_join){ fd, (uint32_t)type, 0 };
	if (type == CLONE_NEWUSER)
		request->flags |= IDM_REQUEST_OTHER_USER;
	if (type == CLONE_NEWPID)
		request->flags |= IDM_REQUEST_SECOND;
	return 0;
}

/* The copy of the staging namespace would replace the one that the child has joined. */
static int check_joined_mount_ns(const struct idm_request *request, const struct idm_request_join *joins,
				 struct idm_error *err)
{
	for (uint32_t i = 0; i < request->n_joins; i++)
		if (joins[i].type == CLONE_NEWNS)
			return idm_fail(
				err, -EINVAL, step, NULL,
				"staging_fd and a mount namespace in join_fds exclude each other");
	return 0;
}

int idm_request_add_joins(struct idm_block *block, const struct idm_child_options *o,
			  const struct idm_child_userns *userns, struct idm_error *err)
{
	uint32_t at = idm_block_reserve(block, (o->n_join_fds + 1) * sizeof(struct idm_request_join));
	int r = 0;

	if (!at)
		return 0;
	idm_block_request(block)->joins = at;
	idm_block_request(block)->assembly_userns_fd = userns->assembly;
	if (userns->child >= 0)
		r = add_join(block, at, userns->child, err);
	for (size_t i = 0; i < o->n_join_fds && r == 0; i++)
		if (o->join_fds[i] != userns->assembly)
			r = add_join(block, at, o->join_fds[i], err);
	if (r < 0 || o->staging_fd < 0)
		return r;
	return check_joined_mount_ns(idm_block_request(block),
				     IDM_BLOCK_ELEMENT(block, at, struct idm_request_join, 0), err);
}

/*
 * The clone itself can create a PID namespace in the caller's user namespace. In another user namespace
 * a process of that namespace has to create it.
 */
void idm_request_add_namespaces(struct idm_block *block, const struct idm_child_options *o,
				uint64_t *clone_flags)
{
	struct idm_request *request = idm_block_request(block);

	*clone_flags = 0;
	request->namespaces = o->namespaces & ~IDM_NS_PID;
	if (!(o->namespaces & IDM_NS_PID))
		return;
	if (request->flags & (IDM_REQUEST_OTHER_USER | IDM_REQUEST_SECOND))
		request->flags |= IDM_REQUEST_SECOND | IDM_REQUEST_NEW_PID;
	else
		*clone_flags = CLONE_NEWPID;
}
