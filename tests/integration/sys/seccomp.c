// SPDX-License-Identifier: MIT
/* A system call that a seccomp filter refuses is told as such, and what can do without it does. */
#include "lib/base/macros.h"
#include "lib/mount/tree-diag.h"
#include "lib/sys/probe.h"
#include "lib/sys/syscall.h"
#include "tests/integration/check/checks.h"

#define PLAIN SCRATCH "/plain"
#define MAPPED SCRATCH "/mapped"

/* The filesystem's type. */
static const char *enter(void)
{
	const char *type;

	scratch_enter();
	type = mount_mappable(PLAIN);
	scratch_dir(MAPPED);
	mount_mapped(PLAIN, MAPPED, "0:0:1");
	scratch_dir(PLAIN "/below");
	do_mount(MAPPED, PLAIN "/below", NULL, MS_BIND, NULL);
	return type;
}

TEST(without_open_tree_attr_in_two_calls)
{
	struct checked x;
	const char *type = enter();

	refuse_call(SYS_open_tree_attr, ENOSYS);
	assert_feature("open-tree-attr", ENOSYS);
	assert_feature("idmapped-mounts", 0);
	assert_all_well(check(PLAIN, IDM_CHECK_WRITE), type);
	x = check(MAPPED, 0);
	assert_refused(x, EPERM, "ID-mapped already");
	assert_true(x.c.mapped);
	assert_contains(x.e.hint, kernel_is_before(6, 15)
					  ? "needs Linux 6.15"
					  : "a seccomp filter refuses open_tree_attr(2)");
}

/* Filters that do not know a call may answer so, too. */
TEST(where_open_tree_attr_is_not_permitted_a_path_can_be_mapped_all_the_same)
{
	AUTO_FD int userns = -1, tree = -1;
	const char *type = enter();
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	refuse_call(SYS_open_tree_attr, EPERM);
	assert_all_well(check(PLAIN, IDM_CHECK_WRITE), type);
	userns = userns_of("0:0:1");
	o.flags = IDM_TREE_REMAP;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, MAPPED "/..", userns, &o, &err), &err);
}

static void look_below_without_open_tree_attr(void *errnum)
{
	AUTO_FD int userns = -1, tree = -1;
	struct idm_tree_options o = IDM_TREE_OPTIONS_INIT;
	struct idm_error err;

	scratch_enter();
	mount_mappable(PLAIN);
	scratch_dir(PLAIN "/good");
	do_mount(PLAIN, PLAIN "/good", NULL, MS_BIND, NULL);
	scratch_dir(PLAIN "/bad");
	refuse_call(SYS_open_tree_attr, *(const int *)errnum);
	userns = userns_of("0:0:1");
	o.flags = IDM_TREE_RECURSIVE;
	tree = (int)assert_ok(idm_tree_open(AT_FDCWD, PLAIN, userns, &o, &err), &err);
	do_mount("r", PLAIN "/bad", "ramfs", 0, NULL);
	assert_error(idm_tree_open(AT_FDCWD, PLAIN, userns, &o, &err), -EINVAL, &err, PLAIN "/bad",
		     "map tree", "the filesystem (ramfs) cannot be ID-mapped");
	do_umount_idle(PLAIN "/bad");
	do_umount_idle(PLAIN "/good");
}

TEST(without_open_tree_attr_the_right_mount_below_is_named)
{
	int errnums[] = { ENOSYS, EPERM }; /* the answers of filters that do not know a call */

	for (size_t i = 0; i < ARRAY_SIZE(errnums); i++)
		in_child(look_below_without_open_tree_attr, &errnums[i]);
}

TEST(without_open_tree_attr_a_mapped_mount_below_is_named)
{
	AUTO_FD int userns = -1, source = -1;
	struct idm_error e;
	int r;

	enter();
	refuse_call(SYS_open_tree_attr, ENOSYS);
	userns = userns_of("0:0:1");
	source = (int)must(open(PLAIN, O_PATH | O_CLOEXEC));
	r = idm_probe_clone(source, userns, IDM_TREE_RECURSIVE);
	assert_int_equal(r, -EPERM);
	assert_error(idm_diagnose_not_mapped(r, source, "plain", userns, IDM_TREE_RECURSIVE, &e), -EPERM,
		     &e, NULL, "map tree", "ID-mapped already");
	assert_string_equal(PART(e, subject), PLAIN "/below");
}

TEST(without_mount_setattr)
{
	enter();
	refuse_call(SYS_open_tree_attr, EPERM);
	refuse_call(SYS_mount_setattr, EPERM);
	assert_refused(check(PLAIN, 0), EPERM, "a seccomp filter refuses mount_setattr(2)");
	assert_feature("idmapped-mounts", EPERM);
	assert_feature("mount-api", 0);
}

TEST(without_open_tree)
{
	enter();
	refuse_call(SYS_open_tree, ENOSYS);
	assert_refused(check(PLAIN, 0), ENOSYS, "a seccomp filter refuses open_tree(2)");
	assert_feature("mount-api", ENOSYS);
}

/* The listing uses mountinfo then. */
TEST(without_statmount)
{
	const char *type = enter();
	struct checked x;

	refuse_call(SYS_statmount, ENOSYS);
	assert_feature("statmount", ENOSYS);
	assert_feature("statmount-idmap", ENOSYS);
	x = check(MAPPED, 0);
	assert_true(x.c.mapped);
	assert_string_equal(x.c.fstype, type);
	x = check("/proc", 0);
	assert_refused(x, EINVAL, "the filesystem (proc) cannot be ID-mapped");
	assert_false(x.c.mapped);
}

TEST(features_without_their_calls)
{
	static const struct {
		long number;
		const char *feature;
	} calls[] = {
		{ SYS_clone3, "clone3" },
		{ SYS_pidfd_send_signal, "pidfd" },
		{ SYS_openat2, "openat2" },
		{ SYS_move_mount, "mount-api" },
		{ SYS_fsopen, "overlay-fd-layers" },
	};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		refuse_call(calls[i].number, ENOSYS);
		assert_feature(calls[i].feature, ENOSYS);
	}
}
