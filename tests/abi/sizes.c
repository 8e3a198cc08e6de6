// SPDX-License-Identifier: MIT
/*
 * The layout of what programs allocate themselves. A change here breaks every program that was compiled
 * before: structs with a size in front may only grow at their end, the others not at all.
 */
#include "test.h"

#define assert_at(type, member, offset) assert_int_equal(offsetof(type, member), offset)

TEST(error)
{
	assert_at(struct idm_error, errnum, 0);
	assert_at(struct idm_error, step, 4);
	assert_at(struct idm_error, subject, 52);
	assert_at(struct idm_error, reason, 564);
	assert_at(struct idm_error, kernel, 1076);
	assert_at(struct idm_error, hint, 1332);
	assert_at(struct idm_error, message, 1844);
	assert_int_equal(sizeof(struct idm_error), 3124);
}

TEST(entry)
{
	assert_at(struct idm_entry, disk, 0);
	assert_at(struct idm_entry, seen, 4);
	assert_at(struct idm_entry, count, 8);
	assert_int_equal(sizeof(struct idm_entry), 12);
}

TEST(tree_options)
{
	size_t word = sizeof(size_t);

	assert_at(struct idm_tree_options, size, 0);
	assert_at(struct idm_tree_options, flags, word);
	assert_at(struct idm_tree_options, attr_set, word + 4);
	assert_at(struct idm_tree_options, attr_clear, word + 8);
	assert_at(struct idm_tree_options, propagation, word + 12);
	assert_true(sizeof(struct idm_tree_options) >= word + 16);
	assert_int_equal(((struct idm_tree_options)IDM_TREE_OPTIONS_INIT).size,
			 sizeof(struct idm_tree_options));
}

TEST(mount)
{
	size_t pointer = sizeof(void *), at = pointer == 4 ? 44 : 48;

	assert_at(struct idm_mount, id, 0);
	assert_at(struct idm_mount, parent_id, 8);
	assert_at(struct idm_mount, namespace_id, 16);
	assert_at(struct idm_mount, namespace_inode, 24);
	assert_at(struct idm_mount, attr, 32);
	assert_at(struct idm_mount, propagation, 36);
	assert_at(struct idm_mount, map_state, 40);
	assert_at(struct idm_mount, target, at);
	assert_at(struct idm_mount, source, at + pointer);
	assert_at(struct idm_mount, root, at + 2 * pointer);
	assert_at(struct idm_mount, fstype, at + 3 * pointer);
	assert_at(struct idm_mount, map, at + 4 * pointer);
}

TEST(feature)
{
	size_t pointer = sizeof(void *);

	assert_at(struct idm_feature, name, 0);
	assert_at(struct idm_feature, what, pointer);
	assert_at(struct idm_feature, since, 2 * pointer);
	assert_at(struct idm_feature, available, 3 * pointer);
	assert_at(struct idm_feature, errnum, 3 * pointer + 4);
}

TEST(check)
{
	size_t word = sizeof(size_t);

	assert_at(struct idm_check, size, 0);
	assert_at(struct idm_check, mappable, word);
	assert_at(struct idm_check, mapped, word + 1);
	assert_at(struct idm_check, writable, word + 2);
	assert_at(struct idm_check, disk_id_checked, word + 3);
	assert_at(struct idm_check, fstype, word + 4);
}

TEST(exit)
{
	assert_at(struct idm_exit, pid, 0);
	assert_at(struct idm_exit, code, 4);
	assert_at(struct idm_exit, status, 8);
	assert_int_equal(sizeof(struct idm_exit), 12);
}

TEST(constants)
{
	assert_int_equal(IDM_UID, 1);
	assert_int_equal(IDM_GID, 2);
	assert_int_equal(IDM_BOTH, 3);
	assert_int_equal(IDM_PARSE_LOOKUP, 1);
	assert_int_equal(IDM_FORMAT_TEXT, 0);
	assert_int_equal(IDM_FORMAT_KERNEL, 1);
	assert_int_equal(IDM_FORMAT_CONTAINERD, 2);
	assert_int_equal(IDM_FORMAT_UTIL_LINUX, 3);
	assert_int_equal(IDM_FORMAT_CRUN, 4);
	assert_int_equal(IDM_FORMAT_OCI, 5);
	assert_int_equal(IDM_USERNS_ZOMBIE, 1);
	assert_int_equal(IDM_USERNS_LIVE, 2);
	assert_int_equal(IDM_PROPAGATION_DEFAULT, 0);
	assert_int_equal(IDM_PROPAGATION_PRIVATE, 1);
	assert_int_equal(IDM_PROPAGATION_SLAVE, 2);
	assert_int_equal(IDM_PROPAGATION_SHARED, 3);
	assert_int_equal(IDM_PROPAGATION_UNBINDABLE, 4);
	assert_int_equal(IDM_MAP_NONE, 0);
	assert_int_equal(IDM_MAP_READ, 1);
	assert_int_equal(IDM_MAP_PARTLY, 2);
	assert_int_equal(IDM_MAP_INVISIBLE, 3);
	assert_int_equal(IDM_MAP_UNREADABLE, 4);
	assert_int_equal(IDM_EXIT_LOST, 0);
	assert_int_equal(IDM_REAPER_HOLD, 1);
	assert_int_equal(IDM_REAPER_SPARE, 2);
	assert_int_equal(IDM_REAPER_INHERIT, 1);
	assert_int_equal(IDM_REAPER_ORPHANS, 1);
}
