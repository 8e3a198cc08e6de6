// SPDX-License-Identifier: MIT
/* The iterators hand out what the callbacks get, after the call that collected it. */
#include "listing.h"

static void assert_same_mount(const struct idm_mount_info *a, const struct idm_mount_info *b)
{
	assert_int_equal(a->size, sizeof(*a));
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->parent_id, b->parent_id);
	assert_int_equal(a->namespace_id, b->namespace_id);
	assert_int_equal(a->namespace_inode, b->namespace_inode);
	assert_int_equal(a->attr, b->attr);
	assert_int_equal(a->propagation, b->propagation);
	assert_int_equal(a->map_state, b->map_state);
	assert_string_equal(a->target, b->target);
	assert_string_equal(a->source, b->source);
	assert_string_equal(a->root, b->root);
	assert_string_equal(a->fstype, b->fstype);
	assert_int_equal(a->dev_major, b->dev_major);
	assert_int_equal(a->dev_minor, b->dev_minor);
	assert_int_equal(!a->map, !b->map);
	if (a->map)
		assert_same_map(a->map, b->map);
}

static void assert_same_list(unsigned int flags)
{
	AUTO_LISTING struct listing by_callback = list_of(IDM_LIST_NEWEST, flags);
	__attribute__((cleanup(idm_list_iter_freep))) struct idm_list_iter *iter = NULL;
	struct idm_error err;

	assert_ok(idm_list_iter_new(flags, &iter, &err), &err);
	for (size_t i = 0; i < by_callback.n; i++) {
		const struct idm_mount_info *mount = idm_list_iter_next(iter);

		assert_non_null(mount);
		assert_same_mount(mount, &by_callback.mounts[i]);
	}
	assert_null(idm_list_iter_next(iter));
	assert_null(idm_list_iter_next(iter));
}

TEST(all_mounts_one_by_one)
{
	listing_enter();
	put("a", "0:1:1");
	put("b", "0:2:1");
	assert_same_list(0);
	assert_same_list(UNMAPPED);
}

/* The mount is gone, and its copy is still there. */
TEST(mounts_outlive_what_they_describe)
{
	const struct idm_mount_info *first, *second;
	struct idm_list_iter *iter;
	struct snapshot *before;
	struct idm_error err;

	listing_enter();
	before = snapshot_take(SNAPSHOT_ALL);
	put("a", "0:1:1");
	put("b", "0:2:1");
	assert_ok(idm_list_iter_new(0, &iter, &err), &err);
	do_umount_idle(at("a"));
	do_umount_idle(at("b"));
	first = idm_list_iter_next(iter);
	second = idm_list_iter_next(iter);
	assert_mapped(first, IDM_LIST_NEWEST, "0:1:1");
	assert_mapped(second, IDM_LIST_NEWEST, "0:2:1");
	assert_string_equal(first->target, at("a"));
	assert_string_equal(second->target, at("b"));
	assert_null(idm_list_iter_next(iter));
	idm_list_iter_free(iter);
	idm_list_iter_free(NULL);
	snapshot_assert_same(before);
}

TEST(the_mount_of_a_path)
{
	struct idm_list_iter *iter;
	const struct idm_mount_info *mount;
	struct idm_error err;

	listing_enter();
	put("a", "0:1:1");
	assert_ok(idm_list_path_iter_new(AT_FDCWD, at("a"), 0, &iter, &err), &err);
	mount = idm_list_iter_next(iter);
	assert_mapped(mount, IDM_LIST_NEWEST, "0:1:1");
	assert_string_equal(mount->target, at("a"));
	assert_null(idm_list_iter_next(iter));
	idm_list_iter_free(iter);
}

TEST(no_mount_is_an_error)
{
	struct idm_list_iter *iter = NULL;
	struct idm_error err;

	listing_enter();
	assert_error(idm_list_path_iter_new(AT_FDCWD, at("none"), 0, &iter, &err), -ENOENT, &err,
		     at("none"), "list mounts", NULL);
	assert_error(idm_list_path_iter_new(AT_FDCWD, "", 0, &iter, &err), -ENOENT, &err, NULL,
		     "list mounts", NULL);
	assert_error(idm_list_iter_new(0x80, &iter, &err), -EINVAL, &err, NULL, "list mounts", "0x80");
	assert_null(iter);
}
