// SPDX-License-Identifier: MIT
/* The features of the host are reported correctly, each time, to every caller. */
#include <sched.h>
#include <sys/syscall.h>

#include "checks.h"
#include "lib/base/macros.h"

static int collect(const struct idm_feature_info *f, void *data)
{
	char *text = data;
	unsigned int since[2];
	size_t used = strlen(text);

	snprintf(text + used, 4096 - used, "%s %d\n", f->name, f->errnum);
	assert_true(*f->name && *f->what && !strchr(f->what, '\n'));
	assert_int_equal(f->size, sizeof(*f));
	assert_int_equal(f->available, f->errnum == 0);
	/* A kernel may have more than its number says, but not less; root may try it all. */
	assert_int_equal(sscanf(f->since, "%u.%u", &since[0], &since[1]), 2);
	if (strcmp(f->name, "service") == 0)
		return 0;
	if (!f->available && f->errnum != ENODEV) /* built without overlay */
		assert_true(kernel_is_before(since[0], since[1]));
	return 0;
}

TEST_ANYWHERE(what_the_kernels_number_promises_is_there)
{
	char first[4096] = "", second[4096] = "";
	struct snapshot *before;

	scratch_enter();
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_int_equal(idm_features(0, collect, first, NULL), 0);
	assert_int_equal(idm_features(0, collect, second, NULL), 0);
	assert_string_equal(first, second);
	snapshot_assert_same(before);
}

static int compare_with_next(const struct idm_feature_info *f, void *data)
{
	const struct idm_feature_info *copy = idm_feature_iter_next(data);

	assert_non_null(copy);
	assert_int_equal(copy->size, sizeof(*copy));
	assert_string_equal(copy->name, f->name);
	assert_string_equal(copy->what, f->what);
	assert_string_equal(copy->since, f->since);
	assert_int_equal(copy->available, f->available);
	assert_int_equal(copy->errnum, f->errnum);
	assert_int_equal(!copy->hint, !f->hint);
	if (f->hint)
		assert_string_equal(copy->hint, f->hint);
	return 0;
}

/* Without a service one of them has a hint. */
TEST_ANYWHERE(an_iterator_has_the_same)
{
	struct idm_feature_iter *iter = NULL;
	struct snapshot *before;
	struct idm_error err;

	scratch_enter();
	must(setenv("IDMOUNTD_SOCKET", SCRATCH "/none", 1));
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_error(idm_feature_iter_new(1, &iter, &err), -EINVAL, &err, NULL, "list features", "0x1");
	assert_null(iter);
	assert_ok(idm_feature_iter_new(0, &iter, &err), &err);
	assert_int_equal(idm_features(0, compare_with_next, iter, NULL), 0);
	assert_null(idm_feature_iter_next(iter));
	idm_feature_iter_freep(&iter);
	snapshot_assert_same(before);
}

static int count_to_three(const struct idm_feature_info *f, void *data)
{
	int *n = data;

	(void)f;
	return ++*n == 3 ? 42 : 0;
}

TEST_ANYWHERE(the_callers_answer_ends_it)
{
	int n = 0;

	need_root();
	assert_int_equal(idm_features(0, count_to_three, &n, NULL), 42);
	assert_int_equal(n, 3);
}

/* The feature is asked for by a call that this kernel does not have. */
static bool has_no_call(const char *name)
{
	return (strcmp(name, "open-tree-attr") == 0 && kernel_is_before(6, 15)) ||
	       (strcmp(name, "nosymfollow") == 0 && kernel_is_before(5, 12));
}

static int expect_eperm(const struct idm_feature_info *f, void *unused)
{
	static const char *const free_for_all[] = { "clone3",	 "pidfd",	 "openat2",
						    "statmount", "mount-ns-ids", "statmount-idmap" };

	(void)unused;
	if (strcmp(f->name, "userns") == 0 || strcmp(f->name, "service") == 0) /* of the host */
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(free_for_all); i++)
		if (strcmp(f->name, free_for_all[i]) == 0)
			return 0;
	assert_false(f->available);
	assert_int_equal(f->errnum, has_no_call(f->name) ? ENOSYS : EPERM);
	if (f->errnum == EPERM)
		assert_contains(f->hint, "it requires CAP_SYS_ADMIN");
	return 0;
}

static int expect_no_map(const struct idm_feature_info *f, void *n)
{
	static const char *const with_map[] = { "userns", "idmapped-mounts", "tmpfs-idmap",
						"overlay-idmapped-layers" };

	for (size_t i = 0; i < ARRAY_SIZE(with_map); i++)
		if (strcmp(f->name, with_map[i]) == 0) {
			assert_false(f->available);
			++*(int *)n;
		}
	return 0;
}

/* clone(2) fails with EINVAL on a kernel without CONFIG_USER_NS, and mounts cannot be mapped then. */
TEST_ANYWHERE(without_user_namespaces_nothing_is_mapped)
{
	int n = 0;

	scratch_enter();
	refuse_call_with(SYS_clone, CLONE_NEWUSER, EINVAL);
	refuse_call(SYS_clone3, EINVAL);
	assert_int_equal(idm_features(0, expect_no_map, &n, NULL), 0);
	assert_int_equal(n, 4);
}

TEST_ANYWHERE(an_ordinary_user_is_told_that_he_may_not)
{
	struct snapshot *before;

	scratch_enter();
	become_user(65534, 65534);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	assert_int_equal(idm_features(0, expect_eperm, NULL, NULL), 0);
	snapshot_assert_same(before);
}

static int expect_no_service(const struct idm_feature_info *f, void *found)
{
	if (strcmp(f->name, "service") != 0) {
		assert_true(!f->hint || f->errnum == EPERM);
		return 0;
	}
	*(bool *)found = true;
	assert_false(f->available);
	assert_int_equal(f->errnum, ENOENT);
	assert_contains(f->hint, "root starts it by idmountd --socket /none/idmountd.sock");
	return 0;
}

TEST_ANYWHERE(the_service_is_a_feature)
{
	bool found = false;

	must(setenv("IDMOUNTD_SOCKET", "/none/idmountd.sock", 1));
	assert_int_equal(idm_features(0, expect_no_service, &found, NULL), 0);
	assert_true(found);
}
