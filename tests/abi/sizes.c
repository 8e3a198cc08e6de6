// SPDX-License-Identifier: MIT
/*
 * The layout of what programs allocate themselves. A change here breaks every program that was compiled
 * before: structs with a size in front may only grow at their end, the others not at all.
 */
#include <fcntl.h>

#include "tests/lib/test.h"

#define assert_at(type, member, offset) assert_int_equal(offsetof(type, member), offset)

TEST(error)
{
	assert_at(struct idm_error, errnum, 0);
	assert_at(struct idm_error, step, 4);
	assert_at(struct idm_error, subject, 8);
	assert_at(struct idm_error, reason, 12);
	assert_at(struct idm_error, kernel, 16);
	assert_at(struct idm_error, message, 20);
	assert_at(struct idm_error, hint, 884);
	assert_int_equal(sizeof(struct idm_error), 1324);
	assert_at(struct idm_error_range, start, 0);
	assert_at(struct idm_error_range, length, 2);
	assert_int_equal(sizeof(struct idm_error_range), 4);
}

TEST(attach_options)
{
	size_t word = sizeof(size_t);

	assert_at(struct idm_attach_options, size, 0);
	assert_at(struct idm_attach_options, flags, word);
	assert_at(struct idm_attach_options, propagation, word + 4);
	assert_true(sizeof(struct idm_attach_options) >= word + 8);
	assert_int_equal(((struct idm_attach_options)IDM_ATTACH_OPTIONS_INIT).size,
			 sizeof(struct idm_attach_options));
}

TEST(mount_options)
{
	size_t word = sizeof(size_t);
	size_t map = (word + 12 + sizeof(void *) - 1) / sizeof(void *) * sizeof(void *);

	assert_at(struct idm_mount_options, size, 0);
	assert_at(struct idm_mount_options, flags, word);
	assert_at(struct idm_mount_options, map_flags, word + 4);
	assert_at(struct idm_mount_options, keep_rest, word + 8);
	assert_at(struct idm_mount_options, map, map);
	assert_at(struct idm_mount_options, source_dirfd, map + sizeof(void *));
	assert_at(struct idm_mount_options, target_dirfd, map + sizeof(void *) + 4);
	assert_at(struct idm_mount_options, attr_set, map + sizeof(void *) + 8);
	assert_at(struct idm_mount_options, attr_clear, map + sizeof(void *) + 12);
	assert_at(struct idm_mount_options, propagation, map + sizeof(void *) + 16);
	assert_int_equal(((struct idm_mount_options)IDM_MOUNT_OPTIONS_INIT).size,
			 sizeof(struct idm_mount_options));
	assert_int_equal(((struct idm_mount_options)IDM_MOUNT_OPTIONS_INIT).source_dirfd, AT_FDCWD);
	assert_int_equal(((struct idm_mount_options)IDM_MOUNT_OPTIONS_INIT).target_dirfd, AT_FDCWD);
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
	size_t pointer = sizeof(void *), at = 56;

	if (pointer != 8)
		skip_test("the offsets are those of 64 bits");
	assert_at(struct idm_mount_info, size, 0);
	assert_at(struct idm_mount_info, id, 8);
	assert_at(struct idm_mount_info, parent_id, 16);
	assert_at(struct idm_mount_info, namespace_id, 24);
	assert_at(struct idm_mount_info, namespace_inode, 32);
	assert_at(struct idm_mount_info, attr, 40);
	assert_at(struct idm_mount_info, propagation, 44);
	assert_at(struct idm_mount_info, map_state, 48);
	assert_at(struct idm_mount_info, target, at);
	assert_at(struct idm_mount_info, source, at + pointer);
	assert_at(struct idm_mount_info, root, at + 2 * pointer);
	assert_at(struct idm_mount_info, fstype, at + 3 * pointer);
	assert_at(struct idm_mount_info, map, at + 4 * pointer);
	assert_at(struct idm_mount_info, dev_major, at + 5 * pointer);
	assert_at(struct idm_mount_info, dev_minor, at + 5 * pointer + 4);
}

TEST(feature)
{
	size_t pointer = sizeof(void *);

	assert_at(struct idm_feature_info, size, 0);
	assert_at(struct idm_feature_info, name, pointer);
	assert_at(struct idm_feature_info, what, 2 * pointer);
	assert_at(struct idm_feature_info, since, 3 * pointer);
	assert_at(struct idm_feature_info, available, 4 * pointer);
	assert_at(struct idm_feature_info, errnum, 4 * pointer + 4);
	assert_at(struct idm_feature_info, hint, 4 * pointer + 8);
}

TEST(check)
{
	size_t word = sizeof(size_t);

	assert_at(struct idm_check_result, size, 0);
	assert_at(struct idm_check_result, mappable, word);
	assert_at(struct idm_check_result, mapped, word + 1);
	assert_at(struct idm_check_result, writable, word + 2);
	assert_at(struct idm_check_result, disk_id_checked, word + 3);
	assert_at(struct idm_check_result, fstype, word + 4);
}

TEST(explain)
{
	if (sizeof(void *) != 8)
		skip_test("the offsets are those of 64 bits");
	assert_at(struct idm_explain_inode, mode, 8);
	assert_at(struct idm_explain_inode, uid, 12);
	assert_at(struct idm_explain_inode, gid, 16);
	assert_at(struct idm_explain_inode, flags, 20);
	assert_at(struct idm_explain_inode, acl_group, 24);
	assert_at(struct idm_explain_inode, acl, 32);
	assert_at(struct idm_explain_inode, n_acl, 40);
	assert_at(struct idm_explain_options, access, 8);
	assert_at(struct idm_explain_options, attr, 12);
	assert_at(struct idm_explain_options, inode, 16);
	assert_at(struct idm_explain_options, directory, 24);
	assert_at(struct idm_explain_options, mount_map, 32);
	assert_at(struct idm_explain_options, fs_map, 40);
	assert_at(struct idm_explain_options, userns_map, 48);
	assert_at(struct idm_explain_options, capabilities, 56);
	assert_at(struct idm_explain_options, fs_capabilities, 64);
	assert_at(struct idm_explain_options, groups, 72);
	assert_at(struct idm_explain_options, n_groups, 80);
	assert_at(struct idm_explain_options, fsuid, 88);
	assert_at(struct idm_explain_options, fsgid, 92);
	assert_at(struct idm_explain_options, new_uid, 96);
	assert_at(struct idm_explain_options, new_gid, 100);
	assert_at(struct idm_explain_options, fs_readonly, 104);
	assert_at(struct idm_explain_options, protected_symlinks, 108);
	assert_at(struct idm_explain_options, protected_regular, 112);
	assert_at(struct idm_explain_options, protected_fifos, 116);
	assert_at(struct idm_explain_result, rule, 8);
	assert_at(struct idm_explain_result, errnum, 12);
	assert_at(struct idm_explain_result, entry, 16);
	assert_at(struct idm_explain_result, entry_id, 20);
	assert_at(struct idm_explain_result, missing, 24);
	assert_at(struct idm_explain_result, kinds, 28);
	assert_at(struct idm_explain_result, capability, 32);
	assert_at(struct idm_explain_result, uid, 36);
	assert_at(struct idm_explain_result, gid, 40);
	assert_at(struct idm_explain_result, on_directory, 44);
	assert_at(struct idm_explain_result, capable, 45);
	assert_at(struct idm_explain_info, path, 8);
	assert_at(struct idm_explain_info, facts, 16);
	assert_at(struct idm_explain_info, mount, 24);
	assert_at(struct idm_explain_info, bounding_set, 32);
	assert_at(struct idm_explain_info, file_capabilities, 40);
	assert_at(struct idm_explain_info, file_capabilities_root, 48);
	assert_at(struct idm_explain_info, unseen, 52);
	assert_at(struct idm_explain_info, fd, 56);
	assert_at(struct idm_explain_info, is_last, 60);
	assert_at(struct idm_explain_info, fs_userns_fd, 64);
	assert_at(struct idm_explain_info, file_capabilities_inheritable, 72);
	assert_at(struct idm_explain_info, file_capabilities_effective, 80);
	assert_int_equal(sizeof(struct idm_acl_entry), 12);
}

TEST(exit)
{
	assert_at(struct idm_exit_info, pid, 0);
	assert_at(struct idm_exit_info, code, 4);
	assert_at(struct idm_exit_info, status, 8);
	assert_int_equal(sizeof(struct idm_exit_info), 12);
}

TEST(child_options)
{
	size_t word = sizeof(void *);
	const struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;

	if (word != 8)
		skip_test("the offsets are those of 64 bits");
	assert_at(struct idm_child_options, size, 0);
	assert_at(struct idm_child_options, flags, 8);
	assert_at(struct idm_child_options, namespaces, 16);
	assert_at(struct idm_child_options, program_fd, 20);
	assert_at(struct idm_child_options, path, 24);
	assert_at(struct idm_child_options, argv, 32);
	assert_at(struct idm_child_options, envp, 40);
	assert_at(struct idm_child_options, cwd, 48);
	assert_at(struct idm_child_options, fds, 56);
	assert_at(struct idm_child_options, n_fds, 64);
	assert_at(struct idm_child_options, map, 72);
	assert_at(struct idm_child_options, join_fds, 80);
	assert_at(struct idm_child_options, n_join_fds, 88);
	assert_at(struct idm_child_options, root_fd, 96);
	assert_at(struct idm_child_options, propagation, 100);
	assert_at(struct idm_child_options, mounts, 104);
	assert_at(struct idm_child_options, n_mounts, 112);
	assert_at(struct idm_child_options, mount_size, 120);
	assert_at(struct idm_child_options, hostname, 128);
	assert_at(struct idm_child_options, uid, 136);
	assert_at(struct idm_child_options, gid, 140);
	assert_at(struct idm_child_options, groups, 144);
	assert_at(struct idm_child_options, n_groups, 152);
	assert_at(struct idm_child_options, capabilities, 160);
	assert_at(struct idm_child_options, process_group, 168);
	assert_at(struct idm_child_options, terminal_fd, 172);
	assert_at(struct idm_child_options, cgroup_fd, 176);
	assert_at(struct idm_child_options, pid, 184);
	assert_at(struct idm_child_options, seccomp_fd, 192);
	assert_at(struct idm_child_options, staging_fd, 196);
	assert_true(sizeof(o) >= 200);
	assert_int_equal(sizeof(o.flags), sizeof(uint64_t));
	assert_int_equal(o.mount_size, sizeof(struct idm_child_mount));
	assert_int_equal(o.size, sizeof(o));
	assert_int_equal(o.program_fd, -1);
	assert_int_equal(o.root_fd, -1);
	assert_int_equal(o.uid, IDM_CHILD_KEEP_ID);
	assert_int_equal(o.gid, IDM_CHILD_KEEP_ID);
	assert_int_equal(o.process_group, 0);
	assert_int_equal(o.terminal_fd, -1);
	assert_int_equal(o.cgroup_fd, -1);
	assert_int_equal(o.seccomp_fd, -1);
	assert_int_equal(o.staging_fd, -1);
}

TEST(child_parts)
{
	size_t pointer = sizeof(void *);

	assert_at(struct idm_child_fd, from, 0);
	assert_at(struct idm_child_fd, to, 4);
	assert_int_equal(sizeof(struct idm_child_fd), 8);
	assert_at(struct idm_child_mount, target, 0);
	assert_at(struct idm_child_mount, fstype, pointer);
	assert_at(struct idm_child_mount, source, 2 * pointer);
	assert_at(struct idm_child_mount, options, 3 * pointer);
	assert_at(struct idm_child_mount, attr, 4 * pointer);
	assert_at(struct idm_child_mount, flags, 4 * pointer + 4);
	assert_at(struct idm_child_mount, tree_fd, 4 * pointer + 8);
	assert_true(sizeof(struct idm_child_mount) >= 6 * pointer);
	assert_int_equal(((struct idm_child_mount)IDM_CHILD_MOUNT_INIT).tree_fd, -1);
	assert_at(struct idm_capabilities, effective, 0);
	assert_at(struct idm_capabilities, permitted, 8);
	assert_at(struct idm_capabilities, inheritable, 16);
	assert_at(struct idm_capabilities, bounding, 24);
	assert_at(struct idm_capabilities, ambient, 32);
	assert_int_equal(sizeof(struct idm_capabilities), 40);
}

TEST(path)
{
	assert_at(struct idm_path, dirfd, 0);
	assert_at(struct idm_path, path, sizeof(void *));
	assert_int_equal(sizeof(struct idm_path), 2 * sizeof(void *));
}

TEST(overlay_option)
{
	assert_at(struct idm_mount_option, name, 0);
	assert_at(struct idm_mount_option, value, sizeof(void *));
	assert_int_equal(sizeof(struct idm_mount_option), 2 * sizeof(void *));
}

TEST(overlay)
{
	size_t word = sizeof(void *);

	assert_at(struct idm_overlay_options, size, 0);
	assert_at(struct idm_overlay_options, flags, word);
	assert_at(struct idm_overlay_options, lower, 2 * word);
	assert_at(struct idm_overlay_options, n_lower, 3 * word);
	assert_at(struct idm_overlay_options, data, 4 * word);
	assert_at(struct idm_overlay_options, n_data, 5 * word);
	assert_at(struct idm_overlay_options, upper, 6 * word);
	assert_at(struct idm_overlay_options, work, 7 * word);
	assert_at(struct idm_overlay_options, map, 8 * word);
	assert_at(struct idm_overlay_options, upper_ids, 9 * word);
	assert_at(struct idm_overlay_options, options, 10 * word);
	assert_at(struct idm_overlay_options, n_options, 11 * word);
	assert_at(struct idm_overlay_options, attr, 12 * word);
	assert_at(struct idm_overlay_options, source, 13 * word);
	assert_at(struct idm_overlay_options, progress, 14 * word);
	assert_at(struct idm_overlay_options, progress_data, 15 * word);
	assert_at(struct idm_overlay_options, staging_fd, 16 * word);
	assert_at(struct idm_overlay_options, upper_cache, 17 * word);
	assert_true(sizeof(struct idm_overlay_options) >= 18 * word);
	assert_int_equal(((struct idm_overlay_options)IDM_OVERLAY_OPTIONS_INIT).staging_fd, -1);
	assert_int_equal(((struct idm_overlay_options)IDM_OVERLAY_OPTIONS_INIT).size,
			 sizeof(struct idm_overlay_options));
}

TEST(plan_mount)
{
	size_t word = sizeof(void *), at = word == 4 ? 12 : 16;

	assert_at(struct idm_plan_add_options, size, 0);
	assert_at(struct idm_plan_add_options, flags, word);
	assert_at(struct idm_plan_add_options, dirfd, word + 4);
	assert_at(struct idm_plan_add_options, type, at);
	assert_at(struct idm_plan_add_options, source, at + word);
	assert_at(struct idm_plan_add_options, target, at + 2 * word);
	assert_at(struct idm_plan_add_options, options, at + 3 * word);
	assert_at(struct idm_plan_add_options, n_options, at + 4 * word);
	assert_at(struct idm_plan_add_options, map, at + 5 * word);
	assert_true(sizeof(struct idm_plan_add_options) >= at + 6 * word);
	assert_int_equal(((struct idm_plan_add_options)IDM_PLAN_ADD_OPTIONS_INIT).size,
			 sizeof(struct idm_plan_add_options));
	assert_int_equal(((struct idm_plan_add_options)IDM_PLAN_ADD_OPTIONS_INIT).dirfd, AT_FDCWD);
}

TEST(plan_text)
{
	size_t word = sizeof(void *);

	assert_at(struct idm_plan_read_options, size, 0);
	assert_at(struct idm_plan_read_options, format, word);
	assert_at(struct idm_plan_read_options, dirfd, word + 4);
	assert_at(struct idm_plan_read_options, map, word == 4 ? 12 : 16);
	assert_true(sizeof(struct idm_plan_read_options) >= (word == 4 ? 16 : 24));
	assert_int_equal(((struct idm_plan_read_options)IDM_PLAN_READ_OPTIONS_INIT).size,
			 sizeof(struct idm_plan_read_options));
	assert_int_equal(((struct idm_plan_read_options)IDM_PLAN_READ_OPTIONS_INIT).dirfd, AT_FDCWD);
}

TEST(apply)
{
	size_t word = sizeof(void *), at = word == 4 ? 12 : 16;

	assert_at(struct idm_plan_apply_options, size, 0);
	assert_at(struct idm_plan_apply_options, flags, word);
	assert_at(struct idm_plan_apply_options, upper_ids, word + 4);
	assert_at(struct idm_plan_apply_options, journal, at);
	assert_at(struct idm_plan_apply_options, progress, at + word);
	assert_at(struct idm_plan_apply_options, progress_data, at + 2 * word);
	assert_at(struct idm_plan_apply_options, staging_fd, at + 3 * word);
	assert_at(struct idm_plan_apply_options, upper_cache, at + 4 * word);
	assert_true(sizeof(struct idm_plan_apply_options) >= at + 5 * word);
	assert_int_equal(((struct idm_plan_apply_options)IDM_PLAN_APPLY_OPTIONS_INIT).staging_fd, -1);
	assert_int_equal(((struct idm_plan_apply_options)IDM_PLAN_APPLY_OPTIONS_INIT).size,
			 sizeof(struct idm_plan_apply_options));
}

TEST(constants)
{
	assert_int_equal(IDM_UPPER_SHIFTED, 0);
	assert_int_equal(IDM_UPPER_DISK, 1);
	assert_int_equal(IDM_OVERLAY_BY_DESCRIPTOR, 1);
	assert_int_equal(IDM_OVERLAY_IN_NAMESPACE, 2);
	assert_int_equal(IDM_OVERLAY_CREATE_AS_ROOT, 4);
	assert_int_equal(IDM_PLAN_READ_ANY, 0);
	assert_int_equal(IDM_PLAN_READ_CONTAINERD, 1);
	assert_int_equal(IDM_PLAN_READ_OCI, 2);
	assert_int_equal(IDM_PLAN_ADD_MKDIR, 0x01);
	assert_int_equal(IDM_PLAN_ADD_RDONLY_LAST, 0x02);
	assert_int_equal(IDM_PLAN_APPLY_DETACHED, 0x100);
	assert_int_equal(IDM_PLAN_APPLY_IN_NAMESPACE, 0x200);
	assert_int_equal(IDM_PLAN_APPLY_MKDIR, 0x400);
	assert_int_equal(IDM_PLAN_UNDO_LAZY, 0x10000);
	assert_int_equal(IDM_UID, 1);
	assert_int_equal(IDM_GID, 2);
	assert_int_equal(IDM_BOTH, 3);
	assert_int_equal(IDM_MAP_PARSE_LOOKUP, 0x100);
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
	assert_int_equal(IDM_NS_TIME, 0x00000080);
	assert_int_equal(IDM_NS_MOUNT, 0x00020000);
	assert_int_equal(IDM_NS_CGROUP, 0x02000000);
	assert_int_equal(IDM_NS_UTS, 0x04000000);
	assert_int_equal(IDM_NS_IPC, 0x08000000);
	assert_int_equal(IDM_NS_PID, 0x20000000);
	assert_int_equal(IDM_NS_NET, 0x40000000);
	assert_int_equal(IDM_CHILD_SEARCH_PATH, 1);
	assert_int_equal(IDM_CHILD_KEEP_FDS, 2);
	assert_int_equal(IDM_CHILD_RESET_SIGNALS, 4);
	assert_int_equal(IDM_CHILD_SESSION, 8);
	assert_int_equal(IDM_CHILD_SET_GROUPS, 16);
	assert_int_equal(IDM_CHILD_NO_NEW_PRIVS, 32);
	assert_int_equal(IDM_CHILD_UNDER_INIT, 64);
	assert_int_equal(IDM_CHILD_DIE_WITH_THREAD, 0x100);
	assert_int_equal(IDM_CHILD_NEW_KEYRING, 0x200);
	assert_int_equal(IDM_CHILD_DISABLE_USERNS, 0x400);
	assert_int_equal(IDM_CHILD_NO_KEYRINGS, 0x800);
	assert_int_equal(IDM_CHILD_KEEP_ID, 0xffffffff);
	assert_int_equal(IDM_MAP_NONE, 0);
	assert_int_equal(IDM_MAP_READ, 1);
	assert_int_equal(IDM_MAP_PARTLY, 2);
	assert_int_equal(IDM_MAP_INVISIBLE, 3);
	assert_int_equal(IDM_MAP_UNREADABLE, 4);
	assert_int_equal(IDM_EXIT_LOST, 0);
	assert_int_equal(IDM_REAPER_ADD_HOLD, 0x040000);
	assert_int_equal(IDM_REAPER_ADD_SPARE, 0x080000);
	assert_int_equal(IDM_REAPER_ADOPT_INHERIT, 0x100000);
	assert_int_equal(IDM_REAPER_FORKSERVER_ORPHANS, 0x400000);
}
