// SPDX-License-Identifier: MIT
/* The iterator of places has what the callback of idm_explain_path() gets, and keeps it. */
#include <sys/resource.h>

#include "tests/integration/mount/trees.h"

static void assert_same_inode(const struct idm_explain_inode *a, const struct idm_explain_inode *b)
{
	assert_int_equal(a->mode, b->mode);
	assert_int_equal(a->uid, b->uid);
	assert_int_equal(a->n_acl, b->n_acl);
	assert_int_equal(memcmp(a->acl ? a->acl : (void *)"", b->acl ? b->acl : (void *)"",
				a->n_acl * sizeof(*a->acl)),
			 0);
}

static int compare_with_next(const struct idm_explain_info *place, void *iter)
{
	const struct idm_explain_info *copy = idm_explain_iter_next(iter);
	struct stat a, b;

	assert_non_null(copy);
	assert_string_equal(copy->path, place->path);
	assert_string_equal(copy->mount->target, place->mount->target);
	assert_int_equal(copy->is_last, place->is_last);
	assert_int_equal(copy->unseen, place->unseen);
	assert_int_equal(copy->facts->fsuid, place->facts->fsuid);
	assert_int_equal(copy->facts->n_groups, place->facts->n_groups);
	assert_same_inode(copy->facts->inode, place->facts->inode);
	assert_int_equal(!copy->facts->directory, !place->facts->directory);
	if (copy->facts->directory)
		assert_same_inode(copy->facts->directory, place->facts->directory);
	assert_int_equal(!copy->facts->mount_map, !place->facts->mount_map);
	if (copy->facts->mount_map)
		assert_same_map(copy->facts->mount_map, place->facts->mount_map);
	assert_int_equal(fcntl(copy->fd, F_GETFD), FD_CLOEXEC);
	must(fstat(copy->fd, &a));
	must(fstat(place->fd, &b));
	assert_int_equal(a.st_ino, b.st_ino);
	return 0;
}

TEST(an_iterator_has_the_same_places)
{
	struct idm_explain_iter *iter = NULL;
	struct snapshot *before;
	struct idm_error err;

	scratch_enter();
	scratch_dir(SCRATCH "/a/b");
	scratch_dir(SCRATCH "/mapped");
	owned_file(SCRATCH "/a/b/file", 5, 6);
	assert_int_equal(RUN("setfacl", "-m", "u:7:r", SCRATCH "/a/b/file"), 0);
	mount_mapped(SCRATCH "/a", SCRATCH "/mapped", "0:0:1000");
	before = snapshot_take(SNAPSHOT_ALL);
	assert_ok(idm_explain_iter_new(0, SCRATCH "/mapped/b/file", 0, &iter, &err), &err);
	assert_int_equal(
		idm_explain_path(0, SCRATCH "/mapped/b/file", 0, compare_with_next, iter, &err), 0);
	assert_null(idm_explain_iter_next(iter));
	idm_explain_iter_freep(&iter);
	iter = NULL;
	assert_error(idm_explain_iter_new(0, SCRATCH "/none", 0, &iter, &err), -ENOENT, &err,
		     SCRATCH "/none", "explain", NULL);
	assert_null(iter);
	snapshot_assert_same(before);
}

/* A copy of each place keeps a descriptor. */
TEST(an_iterator_without_descriptors)
{
	struct idm_explain_iter *iter = NULL;
	struct rlimit few;
	struct idm_error err;
	char path[600] = SCRATCH;
	int r;

	scratch_enter();
	for (int i = 0; i < 100; i++)
		strcat(path, "/d");
	scratch_dir(path);
	few.rlim_cur = few.rlim_max = 60;
	must(setrlimit(RLIMIT_NOFILE, &few));
	r = idm_explain_iter_new(0, path, 0, &iter, &err);
	assert_error(r, -EMFILE, &err, NULL, "explain", NULL);
	assert_null(iter);
}
