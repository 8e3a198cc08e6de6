// SPDX-License-Identifier: MIT
/* All mounts that were asked for are listed, once each, and none that is not attached. */
#include "listing.h"

/* In everything but IDs and maps, which the older ways do not have. */
TEST(all_ways_agree)
{
	AUTO_LISTING struct listing first = { 0 };

	listing_enter();
	put("one", "0:1:1");
	put("two", "0:2:1");
	do_mount("proc", made("proc"), "proc", MS_NOSUID | MS_NODEV, NULL);
	do_mount("/proc/self/ns/uts", "/dev/null", NULL, MS_BIND, NULL);
	first = list_of(IDM_LIST_MOUNTINFO, UNMAPPED);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, UNMAPPED);

		assert_int_equal(list.n, first.n);
		for (size_t i = 0; i < list.n; i++) {
			const struct idm_mount_info *a = &first.mounts[i], *b = &list.mounts[i];

			assert_string_equal(a->target, b->target);
			assert_string_equal(a->source, b->source);
			assert_string_equal(a->root, b->root);
			assert_string_equal(a->fstype, b->fstype);
			assert_int_equal(a->dev_major, b->dev_major);
			assert_int_equal(a->dev_minor, b->dev_minor);
			assert_int_equal(a->attr, b->attr);
			assert_int_equal(a->propagation, b->propagation);
			assert_int_equal(a->namespace_inode, b->namespace_inode);
			assert_int_equal(a->namespace_id, b->namespace_id);
		}
	}
	do_umount("/dev/null");
}

TEST(only_mapped_ones_unless_asked)
{
	listing_enter();
	put("mapped", "0:1:1");
	do_mount(SOURCE, made("plain"), NULL, MS_BIND, NULL);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing mapped = list_of(level, 0);
		AUTO_LISTING struct listing all = list_of(level, UNMAPPED);

		assert_int_equal(count_ours(&mapped), 1);
		assert_int_equal(count_ours(&all), 3);
		assert_non_null(find(&all, at("plain")));
		assert_int_equal(find(&all, at("plain"))->map_state, IDM_MAP_NONE);
		assert_null(find(&all, at("plain"))->map);
		assert_mapped(find(&all, at("mapped")), level, "0:1:1");
	}
}

/* The i-th is mapped if i is a multiple of this. */
#define EVERY 20

static void mount_nth(int i)
{
	char name[32], map[32];

	snprintf(name, sizeof(name), "n%d", i);
	snprintf(map, sizeof(map), "0:%d:1", i);
	if (i % EVERY)
		do_mount(SOURCE, made(name), NULL, MS_BIND, NULL);
	else
		put(name, map);
}

/* In the order of mounting. */
static void assert_every_one(const struct listing *mapped, enum idm_list_level level)
{
	char name[32], map[32];
	int i = 0;

	for (size_t k = 0; k < mapped->n; k++) {
		const struct idm_mount_info *m = &mapped->mounts[k];

		if (!is_ours(m))
			continue;
		snprintf(name, sizeof(name), "n%d", i);
		snprintf(map, sizeof(map), "0:%d:1", i);
		assert_string_equal(m->target, at(name));
		assert_mapped(m, level, map);
		i += EVERY;
	}
}

TEST(two_thousand)
{
	listing_enter();
	for (int i = 0; i < 2000; i++)
		mount_nth(i);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing all = list_of(level, UNMAPPED);
		AUTO_LISTING struct listing mapped = list_of(level, 0);

		assert_int_equal(count_ours(&all), 2001);
		assert_int_equal(count_ours(&mapped), 2000 / EVERY);
		assert_every_one(&mapped, level);
	}
}

/* ---- attached nowhere ---- */

static void assert_listed(size_t n)
{
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_int_equal(count_ours(&list), n);
	}
}

static void assert_no_mount_of(int fd)
{
	FOR_EACH_LEVEL(level)
	{
		struct idm_error err;

		assert_error(list_path_by(level, fd, "", listing_never, NULL, &err), -ENOENT, &err, "",
			     "list mounts", "attached nowhere");
		assert_true(err.hint[0]);
		assert_int_equal(list_path_by(level, fd, "", listing_never, NULL, NULL), -ENOENT);
	}
}

/* A tree that is attached nowhere is not listed, nor is what is below it. */
TEST(a_detached_tree)
{
	AUTO_FD int tree = -1, kept = -1;

	listing_enter();
	scratch_dir(SOURCE "/inner");
	tree = tree_of(SOURCE, "0:1:1");
	assert_listed(0);
	assert_no_mount_of(tree);

	attach_at(tree, made("outer"));
	put("outer/inner", "0:2:1");
	kept = (int)must(open(at("outer/inner"), O_PATH | O_CLOEXEC));
	assert_listed(2);

	do_umount(at("outer"));
	assert_listed(0);
	assert_no_mount_of(kept);
}

/* Mounts on a detached tree (Linux 6.15) come into sight with it. */
TEST(attached_to_a_detached_parent)
{
	bool can = !kernel_is_before(6, 15);
	AUTO_FD int tree = -1, upper = -1;

	listing_enter();
	scratch_dir(SOURCE "/inner");
	tree = tree_of(SOURCE, "0:1:1");
	upper = tree_of(SOURCE, "0:2:1");
	assert_int_equal(idm_sys_move_mount(upper, "", tree, "inner", MOVE_MOUNT_F_EMPTY_PATH),
			 can ? 0 : -EINVAL);
	assert_listed(0);
	attach_at(tree, made("outer"));
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);
		const struct idm_mount_info *outer = find(&list, at("outer"));
		const struct idm_mount_info *inner = find(&list, at("outer/inner"));

		assert_mapped(outer, level, "0:1:1");
		if (!can)
			continue;
		assert_mapped(inner, level, "0:2:1");
		assert_int_equal(inner->parent_id, outer->id);
	}
}
