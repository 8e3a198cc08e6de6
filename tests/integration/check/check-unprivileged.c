// SPDX-License-Identifier: MIT
/* A caller without the privilege gets an error. The root of a user namespace may map, if the kernel
 * allows it. */
#include <sched.h>

#include "checks.h"

#define HOST SCRATCH "/host"
#define OWN SCRATCH "/own"

TEST(an_ordinary_user)
{
	scratch_enter();
	become_user(65534, 65534);
	assert_refused(check(SCRATCH, IDM_CHECK_WRITE), EPERM, "CAP_SYS_ADMIN");
}

/* A mount of the host's, and a user namespace with a tmpfs of its own. Whether such can be mapped. */
static bool enter_with_own_mount(const char *map)
{
	const char *type;

	scratch_enter();
	type = mount_mappable(HOST);
	scratch_dir(OWN);
	enter_userns(map);
	must(unshare(CLONE_NEWNS));
	do_mount("own", OWN, "tmpfs", 0, NULL);
	return strcmp(type, "tmpfs") == 0;
}

TEST(in_a_user_namespace_a_mount_of_the_hosts)
{
	enter_with_own_mount("0 0 65536\n");
	assert_refused(check(HOST, 0), EPERM, "user namespace that mounted the filesystem");
}

/* There it can be seen from one end only. */
TEST(in_a_user_namespace_a_mount_of_its_own)
{
	if (enter_with_own_mount("0 0 65536\n"))
		assert_writable(check(OWN, IDM_CHECK_WRITE), "tmpfs");
	else
		assert_refused(check(OWN, IDM_CHECK_WRITE), EINVAL, "the filesystem (tmpfs) cannot");
}

/* There is no second id for the caller's to be exchanged with. */
TEST(in_a_user_namespace_of_one_id)
{
	if (!enter_with_own_mount("0 0 1\n")) {
		assert_refused(check(OWN, 0), EINVAL, "the filesystem (tmpfs) cannot");
		return;
	}
	assert_mappable(check(OWN, 0), "tmpfs");
	assert_int_equal(check(OWN, 0).e.errnum, 0);
	assert_not_writable(check(OWN, IDM_CHECK_WRITE), EOVERFLOW, "cannot store the mapped ID");
}

/* A copy of only the top would show what a locked mount covers. */
TEST(mounts_locked_by_another_user_namespace)
{
	scratch_enter();
	mount_mappable(HOST);
	enter_userns("0 0 65536\n");
	must(unshare(CLONE_NEWNS));
	assert_refused(check(SCRATCH, 0), EINVAL, "locked by another user namespace");
}
