// SPDX-License-Identifier: MIT
/* All mount namespaces are listed, whatever holds them, each once and complete. */
#include <pthread.h>
#include <sched.h>

#include "listing.h"

static uint64_t inode_of(int fd)
{
	struct stat st;

	must(fstat(fd, &st));
	return st.st_ino;
}

static uint64_t own_inode(void)
{
	AUTO_FD int fd = (int)must(open("/proc/thread-self/ns/mnt", O_RDONLY | O_CLOEXEC));

	return inode_of(fd);
}

/* Every mount comes once, and those of its namespace come together. */
static void assert_in_one_piece(const struct listing *list, size_t i)
{
	const struct idm_mount_info *m = list->mounts;

	for (size_t j = i + 1; j < list->n; j++) {
		if (m[j].namespace_inode != m[i].namespace_inode)
			continue;
		assert_int_equal(m[j - 1].namespace_inode, m[i].namespace_inode);
		assert_int_not_equal(m[j].id, m[i].id);
	}
}

/* The caller's comes first. */
static void assert_in_order(const struct listing *list)
{
	assert_true(list->n > 0);
	assert_int_equal(list->mounts[0].namespace_inode, own_inode());
	for (size_t i = 0; i < list->n; i++) {
		assert_true(list->mounts[i].namespace_inode != 0);
		assert_in_one_piece(list, i);
	}
}

/* ---- who holds them ---- */

/* Ids are told of one's own, and from Linux 6.12 on of all. */
static void assert_namespace_ids(const struct listing *list, enum idm_list_level level)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->mounts[i].namespace_inode != list->mounts[0].namespace_inode)
			assert_int_equal(list->mounts[i].namespace_id != 0,
					 really(level) >= IDM_LIST_NAMESPACES);
}

static void assert_all_there(enum idm_list_level level, uint64_t held, uint64_t orphan)
{
	AUTO_LISTING struct listing list = list_of(level, ALL);

	assert_in_order(&list);
	assert_mapped(find_in(&list, at("theirs"), held), level, "0:3:1");
	assert_mapped(find_in(&list, at("theirs"), orphan), level, "0:3:1");
	assert_mapped(find_in(&list, at("mine"), held), level, "0:1:1");
	assert_mapped(&list.mounts[0], level, "0:1:1");
	assert_namespace_ids(&list, level);
}

static void assert_orphan_gone(enum idm_list_level level, uint64_t held, uint64_t orphan)
{
	AUTO_LISTING struct listing list = list_of(level, ALL | UNMAPPED);

	assert_in_order(&list);
	assert_non_null(find_in(&list, at("theirs"), held));
	assert_null(find_in(&list, at("theirs"), orphan));
	assert_non_null(find_in(&list, at(""), held));
	assert_string_equal(find_in(&list, at(""), held)->source, "base");
}

static void lists_namespaces(enum idm_list_level level)
{
	struct neighbour n = neighbour_start(mount_theirs, NULL);
	AUTO_FD int held = neighbour_namespace(&n, "mnt"); /* found twice, listed once */
	int orphan = orphan_namespace("mnt", mount_theirs, NULL);
	uint64_t inode = inode_of(orphan);

	assert_all_there(level, inode_of(held), inode);
	close(orphan);
	assert_orphan_gone(level, inode_of(held), inode);
	neighbour_end(&n);
}

static void look_in_proc(void *unused)
{
	(void)unused;
	FOR_EACH_LEVEL_BY_PROC(level)
	lists_namespaces(level);
}

TEST(those_of_processes_and_of_descriptors)
{
	listing_enter();
	put("mine", "0:1:1");
	in_pid_namespace(look_in_proc, NULL);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	lists_namespaces(level);
}

/* Held by a bind mount alone: no process shows it, the ioctl finds it. */
TEST(those_of_mounted_files)
{
	uint64_t inode;
	char path[64];
	int fd;

	listing_enter();
	fd = orphan_namespace("mnt", mount_theirs, NULL);
	inode = inode_of(fd);
	scratch_file(at("ns"), "");
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	do_mount(path, at("ns"), NULL, MS_BIND, NULL);
	close(fd);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, ALL);

		assert_mapped(find_in(&list, at("theirs"), inode), level, "0:3:1");
	}
	do_umount_idle(at("ns"));
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, ALL);

		assert_null(find_in(&list, at("theirs"), inode));
	}
}

static void assert_theirs_found_in_proc(void)
{
	FOR_EACH_LEVEL_BY_PROC(level)
	{
		AUTO_LISTING struct listing list = list_of(level, ALL);

		assert_mapped(find(&list, at("theirs")), level, "0:3:1");
	}
}

static void *stay_with_own_mount(void *data)
{
	pthread_barrier_t *step = data;

	mount_theirs(NULL);
	pthread_barrier_wait(step);
	pthread_barrier_wait(step); /* until it has been looked at */
	return NULL;
}

static void look_at_thread(void *unused)
{
	pthread_barrier_t step;
	pthread_t thread;

	(void)unused;
	pthread_barrier_init(&step, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, stay_with_own_mount, &step), 0);
	pthread_barrier_wait(&step);
	assert_theirs_found_in_proc();
	pthread_barrier_wait(&step);
	pthread_join(thread, NULL);
	pthread_barrier_destroy(&step);
}

TEST(those_of_threads)
{
	listing_enter();
	in_pid_namespace(look_at_thread, NULL);
}

static void mount_theirs_and_chroot(void *unused)
{
	mount_theirs(unused);
	must(chroot(made("jail")));
	must(chdir("/"));
}

static void look_at_jail(void *unused)
{
	struct neighbour n = neighbour_start(mount_theirs_and_chroot, NULL);

	(void)unused;
	assert_theirs_found_in_proc();
	neighbour_end(&n);
}

/* A chrooted process does not hide what is mounted elsewhere in its namespace. */
TEST(those_of_chrooted_processes)
{
	listing_enter();
	in_pid_namespace(look_at_jail, NULL);
}

/* ---- from where they are looked for ---- */

static void look_back(void *data)
{
	uint64_t outer = *(uint64_t *)data;

	mount_theirs(NULL);
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		AUTO_LISTING struct listing list = list_of(level, ALL);

		assert_in_order(&list);
		assert_mapped(find_in(&list, at("mine"), outer), level, "0:1:1");
		assert_null(find_in(&list, at("theirs"), outer));
	}
}

TEST(older_ones_from_a_younger_one)
{
	listing_enter();
	put("mine", "0:1:1");
	in_child(look_back, &(uint64_t){ own_inode() });
}

static void assert_all_or_refused(enum idm_list_level level, uint64_t outer)
{
	AUTO_LISTING struct listing list = { 0 };
	struct idm_error err;
	int r = list_by(level, ALL, listing_keep, &list, &err);

	if (r == 0) {
		assert_non_null(find_in(&list, at("mine"), outer));
		return;
	}
	assert_error(r, -EPERM, &err, NULL, NULL, "PID namespace");
	assert_int_equal(list.n, 0);
}

static void look_out_of_pid_namespace(void *data)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:1:1");
	struct idm_error err;

	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		assert_all_or_refused(level, *(uint64_t *)data);
		assert_error(list_path_by(level, tree, "", listing_never, NULL, &err), -ENOENT, &err, "",
			     "list mounts", NULL);
	}
}

/* There some kernels show all of them and some none; never a part. */
TEST(from_a_pid_namespace_all_or_none)
{
	listing_enter();
	put("mine", "0:1:1");
	in_pid_namespace(look_out_of_pid_namespace, &(uint64_t){ own_inode() });
}

/* ---- odd ones ---- */

/*
 * Makes a namespace whose root is the very first mount, as in a machine that lives in its initramfs, and
 * returns whether it could. It needs the two directories that the kernel makes there; without them this
 * machine cannot be made to look like that.
 */
static void go_to_first_root(void *data)
{
	AUTO_FD int tree = tree_of(SOURCE, "0:4:1"), namespace = -1;
	bool could;

	must(unshare(CLONE_NEWNS));
	namespace = (int)must(open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	do_umount("/");
	must(setns(namespace, CLONE_NEWNS));
	could = access("/dev", F_OK) == 0 && access("/root", F_OK) == 0;
	must(write(*(int *)data, &could, sizeof(could)));
	if (!could)
		return;
	do_mount("dev", "/dev", "tmpfs", 0, NULL);
	attach_at(tree, "/root");
}

static void assert_first_root_listed(enum idm_list_level level, uint64_t inode)
{
	AUTO_LISTING struct listing list = list_of(level, ALL | UNMAPPED);
	const struct idm_mount_info *m = find_in(&list, "/root", inode);

	assert_in_order(&list);
	assert_non_null(m);
	assert_true(m->attr & IDM_ATTR_IDMAP);
	if (m->map_state != IDM_MAP_UNREADABLE)
		assert_mapped(m, level, "0:4:1");
	assert_non_null(find_in(&list, "/dev", inode));
	assert_non_null(find_in(&list, "/", inode));
	assert_string_equal(find_in(&list, "/", inode)->source, "rootfs");
}

TEST(one_that_lives_in_the_initramfs)
{
	AUTO_FD int namespace = -1;
	struct neighbour n;
	int told[2];
	bool could;

	listing_enter();
	must(pipe2(told, O_CLOEXEC));
	n = neighbour_start(go_to_first_root, &told[1]);
	must(read(told[0], &could, sizeof(could)));
	close(told[0]);
	close(told[1]);
	namespace = neighbour_namespace(&n, "mnt");
	if (could) {
		FOR_EACH_LEVEL_BY_IOCTL(level)
		assert_first_root_listed(level, inode_of(namespace));
	} else {
		note("not tried: the first root has no /dev and /root here");
	}
	neighbour_end(&n);
}

struct vanishing {
	struct neighbour n;
	bool ended;
	int found;
};

static int end_neighbour_then_count(const struct idm_mount_info *mount, void *data)
{
	struct vanishing *v = data;

	if (!v->ended)
		neighbour_end(&v->n);
	v->ended = true;
	v->found += strcmp(mount->target, at("theirs")) == 0;
	return 0;
}

/* It is passed over, not an error. */
TEST(one_that_ends_while_another_is_listed)
{
	listing_enter();
	put("mine", "0:1:1");
	FOR_EACH_LEVEL_BY_IOCTL(level)
	{
		struct vanishing v = { .n = neighbour_start(mount_theirs, NULL) };
		struct idm_error err;

		assert_ok(list_by(level, ALL, end_neighbour_then_count, &v, &err), &err);
		assert_true(v.ended);
		assert_int_equal(v.found, 0);
	}
}
