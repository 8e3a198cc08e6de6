// SPDX-License-Identifier: MIT
/*
 * Opens the user namespaces of a child with locked mounts: its root is assembled in one, and it runs in
 * another below that.
 *
 * A caller with CAP_SYS_ADMIN assembles the root in its own user namespace. Without that capability, the
 * root is assembled in the child's user namespace. The child then gets another one below it, which keeps
 * every ID.
 */
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "internal.h"
#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/delegate.h"
#include "lib/sys/fail-errno.h"
#include "lib/sys/subprocess.h"
#include "lib/sys/syscall-numbers.h"
#include "lib/sys/syscall.h"

static const enum idm_error_step step = IDM_STEP_MAKE_USERNS;

static bool is_userns(int fd)
{
	return idm_sys_ioctl(fd, IDM_NS_GET_NSTYPE, NULL) == CLONE_NEWUSER;
}

/* Also false if capget(2) fails. */
static bool lacks_sys_admin(void)
{
	uint64_t effective, permitted, inheritable;

	return idm_sys_capget(&effective, &permitted, &inheritable) == 0 &&
	       !(effective >> CAP_SYS_ADMIN & 1);
}

/* Returns the user namespace of the options, or -1. */
static int find_joined_userns(const struct idm_child_options *o)
{
	for (size_t i = 0; i < o->n_join_fds; i++)
		if (is_userns(o->join_fds[i]))
			return o->join_fds[i];
	return -1;
}

/* ---- one below it, in which every ID keeps its number ---- */

struct nested {
	int outer;
	const struct idm_map *map;
	struct idm_error *err;
};

/*
 * Where no program can be executed. Runs in a child with a copy of the memory. A process of the
 * namespace that it joins must not trace it. So it is not dumpable before it joins, and after each
 * change of its IDs. Then idm_userns_open() makes a child without that memory, whose files in /proc are
 * the user's.
 */
static int open_identity_userns(void *data)
{
	const struct nested *n = data;
	int r;

	prctl(PR_SET_DUMPABLE, 0);
	r = idm_sys_setns(n->outer, CLONE_NEWUSER);
	if (r < 0)
		return r;
	syscall(SYS_setresgid, 0, 0, 0); /* glibc would signal threads that do not exist here */
	syscall(SYS_setresuid, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0);
	return idm_userns_open(n->map, 0, n->err);
}

static int make_identity_map(struct idm_map *identity, int userns, struct idm_error *err)
{
	struct idm_map *map;
	int r = idm_map_new(&map);

	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = idm_map_add_userns(map, userns, err);
	if (r == 0)
		r = idm_map_keep_rest_within(identity, IDM_BOTH, map, err);
	idm_map_free(map);
	return r;
}

static int open_by_copy(int outer, const struct idm_map *identity, struct idm_error *err)
{
	struct nested n = { .outer = outer, .map = identity, .err = err };
	int r = idm_subprocess(open_identity_userns, &n);

	/* The child has written its error into its own copy of *err. */
	return r < 0 ? idm_fail_errno(err, r, step, NULL) : r;
}

/* The kernel accepts less than 4096 bytes. */
struct sides {
	char uid[4096], gid[4096];
};

static bool print_side(const struct idm_map *map, unsigned int kind, char text[4096])
{
	ssize_t n = idm_map_print(map, IDM_FORMAT_KERNEL, kind, text, 4096);

	return n >= 0 && n < 4096;
}

/* By a program with its own memory, whose cost does not depend on the caller's. */
static int open_by_program(int outer, const struct idm_map *identity)
{
	AUTO_FREE struct sides *sides = malloc(sizeof(*sides));

	if (!sides || !print_side(identity, IDM_UID, sides->uid) ||
	    !print_side(identity, IDM_GID, sides->gid))
		return -ENOMEM;
	/* analyzer: AUTO_FREE frees it */
	return idm_delegate_nest(outer, sides->uid, sides->gid);
}

static int open_nested_userns(int outer, struct idm_error *err)
{
	struct idm_map *identity;
	int r = idm_map_new(&identity);

	if (r < 0)
		return idm_fail_errno(err, r, step, NULL);
	r = make_identity_map(identity, outer, err);
	if (r == 0) {
		r = open_by_program(outer, identity);
		if (r < 0) /* it says why it cannot be done */
			r = open_by_copy(outer, identity, err);
	}
	idm_map_free(identity);
	return r;
}

/* ---- both ---- */

int idm_child_open_userns(struct idm_child_userns *userns, const struct idm_child_options *o,
			  struct idm_error *err)
{
	int outer;

	*userns = (struct idm_child_userns){ -1, -1, -1 };
	if (o->map) {
		userns->child = userns->own = idm_userns_open(o->map, 0, err);
		if (userns->own < 0)
			return userns->own;
	}
	outer = o->map ? userns->own : find_joined_userns(o);
	if (!(o->namespaces & IDM_NS_MOUNT) || outer < 0 || !lacks_sys_admin())
		return 0;
	userns->assembly = outer;
	userns->child = open_nested_userns(outer, err);
	return userns->child < 0 ? userns->child : 0;
}

void idm_child_close_userns(struct idm_child_userns *userns)
{
	if (userns->child >= 0 && userns->child != userns->own)
		close(userns->child);
	if (userns->own >= 0)
		close(userns->own);
}
