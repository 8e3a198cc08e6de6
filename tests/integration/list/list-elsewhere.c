// SPDX-License-Identifier: MIT
/* The caller's own mount namespace is listed from everywhere, as far as the caller may see it. */
#include <pthread.h>
#include <sched.h>

#include "listing.h"

static void list_in_chroot(void *unused)
{
	(void)unused;
	must(chroot(at("jail")));
	must(chdir("/"));
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, UNMAPPED);

		assert_int_equal(list.n, 3); /* the root, /m and /proc */
		assert_mapped(find(&list, "/m"), level, "0:1:1");
		assert_non_null(find(&list, "/"));
	}
}

TEST(from_a_chroot)
{
	listing_enter();
	do_mount("jail", made("jail"), "tmpfs", 0, NULL);
	put("jail/m", "0:1:1");
	do_mount("proc", made("jail/proc"), "proc", 0, NULL);
	in_child(list_in_chroot, NULL);
}

/* A private procfs replaces a /proc that is not a procfs. */
TEST(without_proc)
{
	listing_enter();
	put("m", "0:1:1");
	do_mount("none", "/proc", "tmpfs", 0, NULL);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_mapped(find(&list, at("m")), level, "0:1:1");
		assert_true(find(&list, at("m"))->namespace_inode != 0);
	}
	do_umount("/proc");
}

/* The namespace of the thread, which need not be that of the process. */
static void *list_in_thread(void *unused)
{
	must(unshare(CLONE_NEWNS));
	do_umount(at("m"));
	put("other", "0:2:1");
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);
		struct stat st;

		assert_null(find(&list, at("m")));
		assert_mapped(find(&list, at("other")), level, "0:2:1");
		must(stat("/proc/thread-self/ns/mnt", &st));
		assert_int_equal(find(&list, at("other"))->namespace_inode, st.st_ino);
	}
	return unused;
}

TEST(from_a_thread_with_its_own_namespace)
{
	pthread_t thread;

	listing_enter();
	put("m", "0:1:1");
	assert_int_equal(pthread_create(&thread, NULL, list_in_thread, NULL), 0);
	pthread_join(thread, NULL);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_mapped(find(&list, at("m")), level, "0:1:1");
		assert_null(find(&list, at("other")));
	}
}

static void assert_may_not_see_all(enum idm_list_level level)
{
	struct idm_error err;

	assert_error(list_by(level, ALL, listing_never, NULL, &err), -EPERM, &err, "", NULL,
		     "CAP_SYS_ADMIN");
	assert_true(err.hint[0]);
	assert_int_equal(list_by(level, ALL, listing_never, NULL, NULL), -EPERM);
}

TEST(without_privilege)
{
	listing_enter();
	put("m", "0:1:1");
	become_user(unused_uid(), 1000);
	FOR_EACH_LEVEL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, 0);

		assert_mapped(find(&list, at("m")), level, "0:1:1");
		assert_path(level, AT_FDCWD, at("m"), at("m"), "0:1:1");
		assert_may_not_see_all(level);
	}
}

/* ---- in a user namespace ---- */

static const struct {
	const char *name, *map;
} mapped[] = {
	{ "inside", "0:100000:65536" },		  { "outside", "0:500000:10" },
	{ "over the edge", "0:165530:10" },	  { "uid only", "u:0:100005:10,g:0:5:10" },
	{ "gid only", "u:0:5:10,g:0:100005:10" }, { "some", "0:100007:1,1:5:1" },
};

static struct listing list_in_userns(const char *ids)
{
	struct listing list;

	listing_enter();
	for (size_t i = 0; i < ARRAY_SIZE(mapped); i++)
		put(mapped[i].name, mapped[i].map);
	enter_userns(ids);
	list = list_of(IDM_LIST_NEWEST, 0);
	assert_int_equal(count_ours(&list), ARRAY_SIZE(mapped));
	return list;
}

static void assert_visible_at(const char *file, int line, const struct listing *list, const char *name,
			      enum idm_map_state state, const char *text)
{
	const struct idm_mount_info *m = find(list, at(name));
	bool told = maps_are_told(IDM_LIST_NEWEST);
	AUTO_MAP struct idm_map *map = map_of(text ? text : "");

	if (!m || !(m->attr & IDM_ATTR_IDMAP))
		fail_at(file, line, "\"%s\" is not listed as mapped", name);
	assert_int_at(file, line, "map_state", m->map_state, true, told ? state : IDM_MAP_UNREADABLE);
	if (!m->map != !(told && text))
		fail_at(file, line, "\"%s\" has %s map", name, m->map ? "a" : "no");
	if (m->map)
		assert_same_map_at(file, line, m->map, map);
}
#define assert_visible(list, name, state, text) assert_visible_at(HERE, list, name, state, text)

TEST(from_a_user_namespace_with_a_part_of_the_ids)
{
	AUTO_LISTING struct listing list = list_in_userns("0 100000 65536\n");

	/* The kernel does not tell that nothing is missing, so that is not said. */
	assert_visible(&list, "inside", IDM_MAP_PARTLY, "0:0:65536");
	assert_visible(&list, "outside", IDM_MAP_INVISIBLE, NULL);
	assert_visible(&list, "over the edge", IDM_MAP_INVISIBLE, NULL);
	assert_visible(&list, "uid only", IDM_MAP_PARTLY, "u:0:5:10");
	assert_visible(&list, "gid only", IDM_MAP_PARTLY, "g:0:5:10");
	assert_visible(&list, "some", IDM_MAP_PARTLY, "0:7:1");
	FOR_EACH_LEVEL(level)
	assert_may_not_see_all(level);
}

TEST(from_a_user_namespace_with_all_ids)
{
	AUTO_LISTING struct listing list = list_in_userns("0 0 4294967295\n");

	assert_visible(&list, "inside", IDM_MAP_READ, "0:100000:65536");
	assert_visible(&list, "outside", IDM_MAP_READ, "0:500000:10");
	assert_visible(&list, "some", IDM_MAP_READ, "0:100007:1,1:5:1");
	/* It has all IDs, but is not the initial user namespace. */
	FOR_EACH_LEVEL(level)
	assert_may_not_see_all(level);
}

/* Every ID exists, but an entry across the border of two ranges is left out anyway. */
TEST(from_a_user_namespace_with_all_ids_in_many_ranges)
{
	AUTO_LISTING struct listing list = list_in_userns("0 0 120000\n"
							  "120000 200000 80000\n"
							  "200000 120000 80000\n"
							  "280000 280000 4294687015\n");

	assert_visible(&list, "inside", IDM_MAP_INVISIBLE, NULL);
	assert_visible(&list, "outside", IDM_MAP_PARTLY, "0:500000:10");
}
