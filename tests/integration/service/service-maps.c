// SPDX-License-Identifier: MIT
/* Maps and trees: which the service makes, and which it refuses. */
#include <fcntl.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "tests/lib/neighbour.h"

/* ---- success ---- */

static void map_and_attach(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of("200005:0,1500:5"), fd = -1;
	struct owner owner;

	(void)unused;
	assert_mapped(ask(tree, userns));
	must(mount("none", SCRATCH, "tmpfs", 0, NULL));
	scratch_dir(SCRATCH "/target");
	assert_int_equal(
		idm_sys_move_mount(tree, "", AT_FDCWD, SCRATCH "/target", MOVE_MOUNT_F_EMPTY_PATH), 0);
	owner = owner_at(AT_FDCWD, SCRATCH "/target/200005");
	assert_int_equal(owner.uid, 0);
	assert_int_equal(owner.gid, 0);
	assert_int_equal(owner_at(AT_FDCWD, SCRATCH "/target/1500").uid, 5);
	assert_int_equal(owner_at(AT_FDCWD, SCRATCH "/target/0").uid, 65534);
	assert_int_equal(owner_at(AT_FDCWD, SCRATCH "/target/1600").uid, 65534);
	fd = (int)must(open(SCRATCH "/target/200005", O_RDONLY | O_CLOEXEC));
}

/* As the log names the tree. */
static void print_data(char text[96])
{
	struct stat st;

	must(stat(DATA, &st));
	snprintf(text, 96, ", tree %u:%u inode %llu of uid %u, ", major(st.st_dev), minor(st.st_dev),
		 (unsigned long long)st.st_ino, st.st_uid);
}

static void assert_logged(const char *rest)
{
	AUTO_FREE char *log = service_log();
	char line[512];

	print_data(line);
	strcat(line, rest);
	assert_contains(log, "idmountd: uid 1500, pid ");
	assert_contains(log, line);
}

static void map_with(struct service service)
{
	as_client(ORDINARY, map_and_attach, NULL);
	service_stop(&service);
	assert_logged("map 1500:200004:1,200005:1500:1: mapped\n");
}

TEST_SINCE(5, 12, mounts_are_not_mapped, user_gets_a_map_of_own_ids)
{
	enter_with_data();
	map_with(service_start(NULL));
}

TEST_SINCE(5, 12, mounts_are_not_mapped, user_gets_a_map_before_linux_6_5)
{
	enter_with_data();
	map_with(service_start_by_number(NULL));
}

/* ---- maps ---- */

static const struct {
	const char *map, *reason;
} others[] = {
	{ "u:1600:0,g:1500:0", "disk uid 1600 " },
	{ "u:1500:0,g:1600:0", "disk gid 1600 " },
	{ "u:1499:0:2,g:1500:0", "disk uid 1499 " },
	{ "u:1500:0:2,g:1500:0", "disk uid 1501 " },
	{ "u:199999:0,g:1500:0", "disk uid 199999 " },
	{ "u:201000:0,g:1500:0", "disk uid 201000 " },
	{ "u:200990:0:20,g:1500:0", "disk uid 201000 " },
	{ "u:0:0,g:1500:0", "disk uid 0 " },
	{ "u:1500:0,g:0:0", "disk gid 0 " },
	{ "u:0:0:1001,g:0:0:1001", "disk uid 0 " },
	{ "u:1500:5,u:1600:6,g:1500:0", "disk uid 1600 " },
};

static void ask_for_others(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_refused(ask_for(DATA, others[i].map), -EPERM, others[i].reason);
	proof("hostile", ARRAY_SIZE(others), "maps with other IDs");
}

TEST(ids_of_others_are_refused)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_for_others, NULL);
	service_stop(&service);
	assert_logged("map u:0:1500:1,g:1500:1500:1: refused: disk uid 0 ");
}

/* The second column has an ID that the client's namespace lacks, such as 1001. */
static const char *const seen_by_others[] = {
	"u:1500:1001,g:1500:0",
	"u:1500:0,g:1500:1001",
	"u:200000:1000:2,g:1500:0",
	"u:1500:0,g:200000:1000:2",
	"u:200000:0:1002,g:1500:0",
	"u:1500:0,g:200000:0:1002",
	"u:1500:0,u:200000:1600,g:1500:0",
	"u:1500:0,g:1500:0,g:200000:1700",
	"u:1500:4294967294,g:1500:0",
	"u:1500:0,g:1500:4294967294",
};

/* The kernel refuses these already, when the namespace gets its map. */
static void ask_to_see_others(void *unused)
{
	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(seen_by_others); i++) {
		AUTO_MAP struct idm_map *map = map_of(seen_by_others[i]);
		struct idm_error err;

		assert_int_equal(idm_userns_open(map, 0, &err), -EPERM);
	}
	/* The control: the last ID of the range. */
	close(userns_of("u:1500:1000,g:1500:1000"));
	proof("hostile", ARRAY_SIZE(seen_by_others), "maps that show files to other IDs");
}

TEST(ids_of_others_cannot_be_seen)
{
	enter_with_data();
	as_client(ORDINARY, ask_to_see_others, NULL);
}

/* ---- user namespaces ---- */

static void ask_with_odd_namespaces(void *initial)
{
	AUTO_CLOSE int tree = clone_tree(DATA),
		       unmapped = orphan_namespace("user", unshare_into_userns, NULL);
	AUTO_CLOSE int own = (int)must(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	AUTO_CLOSE int mounts = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	AUTO_CLOSE int by_path = (int)must(open("/proc/self/ns/user", O_PATH | O_CLOEXEC));

	assert_refused(ask(tree, unmapped), -EINVAL, "has no uid map");
	assert_refused(ask(tree, own), -EPERM, "parent of the user namespace is the initial");
	assert_refused(ask(tree, *(int *)initial), -EPERM, "the initial user namespace");
	assert_refused(ask(tree, mounts), -EINVAL, "not a user namespace");
	assert_refused(ask(tree, by_path), -EINVAL, "not a user namespace");
}

TEST(odd_user_namespaces_are_refused)
{
	AUTO_CLOSE int initial = (int)must(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	AUTO_FREE char *log = NULL;
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_odd_namespaces, &initial);
	service_stop(&service);
	log = service_log();
	assert_contains(log, ", tree (none), map (none): refused: the second descriptor is not a user");
}

/* Its parent is another namespace of the client's, where the client is no more. */
static void ask_with_own_namespace(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), own = -1;

	(void)unused;
	must(unshare(CLONE_NEWUSER));
	own = (int)must(open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC));
	assert_refused(ask(tree, own), -EPERM, "the caller is not in the parent");
}

TEST(own_user_namespace_is_refused)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_own_namespace, NULL);
	service_stop(&service);
}

/* ---- the maps of the parent ---- */

static void assert_nothing_below(void)
{
	assert_int_equal(unshare(CLONE_NEWUSER), -1);
	assert_int_equal(errno, EPERM);
}

static void write_maps_first(void *unused)
{
	AUTO_CLOSE int setgroups = -1;

	(void)unused;
	must(unshare(CLONE_NEWUSER));
	assert_nothing_below();
	write_id_map(getpid(), "uid_map", "1500 1500 1\n");
	assert_nothing_below();
	setgroups = (int)must(open("/proc/self/setgroups", O_WRONLY | O_CLOEXEC));
	must(write(setgroups, "deny", 4));
	write_id_map(getpid(), "gid_map", "1500 1500 1\n");
	assert_int_equal(pwrite(setgroups, "allow", 5, 0), -1);
	must(unshare(CLONE_NEWUSER));
}

/* So the service needs to read them once. */
TEST(parent_of_a_namespace_has_its_maps)
{
	enter_with_data();
	as_client((struct identity){ .uid = USER, .gid = USER }, write_maps_first, NULL);
}

/* ---- a user namespace that another user has made below the client's ---- */

#define MAKER 5

static void unshare_as_other(void *unused)
{
	(void)unused;
	must(setresgid(MAKER, MAKER, MAKER));
	must(setresuid(MAKER, MAKER, MAKER));
	must(prctl(PR_SET_DUMPABLE, 1));
	must(unshare(CLONE_NEWUSER));
}

/* Its map, written by the client. */
static int userns_of_maker(const char *map)
{
	struct neighbour maker = neighbour_start(unshare_as_other, NULL);
	int userns = neighbour_namespace(&maker, "user");

	write_id_map(maker.pid, "uid_map", map);
	write_id_map(maker.pid, "gid_map", map);
	neighbour_end(&maker);
	return userns;
}

static uint32_t creator_of(int userns)
{
	uint32_t uid;

	must(ioctl(userns, NS_GET_OWNER_UID, &uid));
	return uid;
}

/* The parent and the IDs decide, whatever ID has made it. */
static void ask_with_others_namespace(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), own = userns_of_maker("1500 7 1\n"),
		       other = userns_of_maker("1600 7 1\n");

	(void)unused;
	assert_int_equal(creator_of(own), MAKER);
	assert_refused(ask(tree, other), -EPERM, "disk uid 1600 ");
	assert_mapped(ask(tree, own));
	assert_int_equal(owner_at(tree, "1500").uid, 7);
	assert_int_equal(owner_at(tree, "1600").uid, 65534);
}

/* The maker has no capability where the client is. */
static void ask_as_maker(void *unused)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of_maker("1500 7 1\n");

	(void)unused;
	must(setresgid(MAKER, MAKER, MAKER));
	must(setresuid(MAKER, MAKER, MAKER));
	assert_refused(ask(tree, userns), -EPERM, "the caller requires CAP_");
}

TEST_SINCE(5, 12, mounts_are_not_mapped, others_namespace_below_the_parent_is_judged_by_its_map)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_others_namespace, NULL);
	as_client(ORDINARY, ask_as_maker, NULL);
	service_stop(&service);
}

/* ---- trees ---- */

static void ask_with_odd_trees(void *unused)
{
	AUTO_CLOSE int userns = userns_of("1500:0"), tree = clone_tree(DATA), inside = -1, attached = -1;

	(void)unused;
	inside = (int)must(openat(tree, "sub", O_PATH | O_CLOEXEC));
	assert_refused(ask(inside, userns), -EINVAL, "not the top of a tree");
	must(mount(DATA, DATA, NULL, MS_BIND, NULL));
	attached = (int)must(open(DATA, O_PATH | O_CLOEXEC));
	assert_refused(ask(attached, userns), -EINVAL, "the tree is attached");
	assert_refused(ask_for(SCRATCH "/roots", "1500:0"), -EPERM, "belongs to uid 0");
	assert_refused(ask_for(SCRATCH "/others", "1500:0"), -EPERM, "belongs to uid 1600");
	assert_refused(ask_for(DATA "/1600", "1500:0"), -EPERM, "belongs to uid 1600");
}

static void owned_dir(const char *path, uid_t uid)
{
	scratch_dir(path);
	must(chown(path, uid, uid));
}

TEST_SINCE(5, 12, mounts_are_not_mapped, odd_trees_are_refused)
{
	struct service service;

	enter_with_data();
	owned_dir(DATA "/sub", USER);
	owned_dir(SCRATCH "/roots", 0);
	owned_dir(SCRATCH "/others", OTHER_USER);
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_odd_trees, NULL);
	service_stop(&service);
}

static void map_twice(void *unused)
{
	AUTO_CLOSE int userns = userns_of("1500:1500,200000:200000:1000"), tree = clone_tree(DATA);
	AUTO_CLOSE int single = clone_tree(DATA "/1500");

	(void)unused;
	assert_mapped(ask(single, userns));
	assert_mapped(ask(tree, userns));
	assert_refused(ask(tree, userns), -EPERM, "ID-mapped already");
}

TEST_SINCE(5, 12, mounts_are_not_mapped, tree_gets_one_map)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	/* Its IDs are the host's, so that the directory looks the same afterwards. */
	as_client((struct identity){ .uid = USER,
				     .gid = USER,
				     .map = "0 400000 1\n1500 1500 1\n200000 200000 1000\n" MANY_IDS },
		  map_twice, NULL);
	service_stop(&service);
}

static void map_others_directory(void *unused)
{
	(void)unused;
	assert_mapped(ask_for(SCRATCH "/roots", "1500:0"));
	assert_refused(ask_for(SCRATCH "/roots", "0:0"), -EPERM, "disk uid 0");
}

TEST_SINCE(5, 12, mounts_are_not_mapped, option_allows_any_directory)
{
	struct service service;

	enter_with_data();
	owned_dir(SCRATCH "/roots", 0);
	service = service_start("--any-directory");
	as_client(ORDINARY, map_others_directory, NULL);
	service_stop(&service);
}

/* ---- the length of a map ---- */

/* A user namespace with so many lines on each side. All are neighbours. */
static int namespace_of_lines(const unsigned int lines[2])
{
	struct neighbour holder = neighbour_start(unshare_into_userns, NULL);
	int userns;

	for (int side = 0; side < 2; side++) {
		char path[64], text[4096], *at = text;
		AUTO_CLOSE int fd = -1;

		for (unsigned int i = 0; i < lines[side]; i++)
			at += sprintf(at, "%u %u 1\n", 200000 + i, 1 + i);
		snprintf(path, sizeof(path), "/proc/%d/%s", holder.pid, side ? "gid_map" : "uid_map");
		fd = (int)must(open(path, O_WRONLY | O_CLOEXEC));
		must(write(fd, text, (size_t)(at - text)));
	}
	userns = neighbour_namespace(&holder, "user");
	neighbour_end(&holder);
	return userns;
}

/* The service's own map joins neighbours. The kernel's copies in the client's trees do not. */
static void ask_with_lines(void *unused)
{
	static const unsigned int too_long[][2] = { { 33, 1 }, { 1, 33 }, { 33, 33 } };
	AUTO_CLOSE int tree = clone_tree(DATA), longest = namespace_of_lines((unsigned int[]){ 32, 32 });

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(too_long); i++) {
		AUTO_CLOSE int userns = namespace_of_lines(too_long[i]);

		assert_refused(ask(tree, userns), -E2BIG,
			       "expected a map of at most 32 lines on each side, got 33");
	}
	assert_mapped(ask(tree, longest));
}

TEST_SINCE(5, 12, mounts_are_not_mapped, long_maps_are_refused)
{
	struct service service;

	enter_with_data();
	service = service_start(NULL);
	as_client(ORDINARY, ask_with_lines, NULL);
	service_stop(&service);
}

/* ---- filesystems ---- */

/*
 * In a tmpfs of the client's own namespace, disk ID 5 is host ID 200004. Were it the host's, the map
 * 200005:0 would be among own IDs, and would show other files than the rule is about.
 */
static void ask_with_own_tmpfs(void *unused)
{
	AUTO_CLOSE int tree = -1, userns = userns_of("200005:0");
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

	(void)unused;
	must(mount("own", SCRATCH "/own", "tmpfs", 0, "mode=0777"));
	tree = clone_tree(SCRATCH "/own");
	assert_refused(ask(tree, userns), -EPERM, "not mounted on the host");
	/* Its owner can do without the service. */
	if (!kernel_is_before(6, 3))
		assert_int_equal(idm_sys_mount_setattr(tree, "", AT_EMPTY_PATH, &attr), 0);
}

TEST(filesystem_of_a_user_namespace_is_refused)
{
	struct service service;

	enter_with_data();
	owned_dir(SCRATCH "/own", USER);
	service = service_start("--any-directory");
	as_client(ORDINARY, ask_with_own_tmpfs, NULL);
	service_stop(&service);
}

static void map_path(void *path)
{
	assert_mapped(ask_for(path, "1500:0"));
}

static void map_on(const char *type)
{
	char path[64], dir[80];
	struct service service;

	enter_with_data();
	snprintf(path, sizeof(path), SCRATCH "/%s", type);
	scratch_filesystem(type, path, NULL);
	snprintf(dir, sizeof(dir), "%s/dir", path);
	if (strcmp(type, "btrfs") == 0)
		assert_int_equal(RUN("btrfs", "-q", "subvolume", "create", dir), 0);
	owned_dir(dir, USER);
	service = service_start(NULL);
	as_client(ORDINARY, map_path, dir);
	service_stop(&service);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, ext4_is_mapped)
{
	map_on("ext4");
}

static void btrfs_is_not_mapped(void)
{
	untried("btrfs cannot be mapped");
}

/* The device number of a subvolume is in no list of mounts. */
TEST_SINCE(5, 15, btrfs_is_not_mapped, subvolume_of_btrfs_is_mapped)
{
	map_on("btrfs");
}
