// SPDX-License-Identifier: MIT
/*
 * Random trees, random maps: what a client can do before, with each of its IDs, and what it can do by
 * the trees that the service has mapped. The latter is never more. A control shows that gains are seen.
 * Each process that a client can be tries all trees of a batch, so that thousands of trees take minutes.
 */
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clients.h"
#include "lib/base/macros.h"
#include "lib/sys/syscall.h"

#define FILES 30 /* of a tree */
#define NODES 4	 /* of these, nodes of /dev/null */
#define TREES 20 /* of a batch */
#define BATCHES (test_is_long() ? 150U : test_is_slow() ? 1U : 10U)

/* ---- files ---- */

static void name_tree(unsigned int tree, char path[64])
{
	snprintf(path, 64, DATA "/t%u", tree);
}

static void make_file(struct rng *rng, unsigned int tree, int i)
{
	char path[64];

	snprintf(path, sizeof(path), DATA "/t%u/f%d", tree, i);
	remove(path);		/* that of the batch before */
	if (i >= FILES - NODES) /* one for all users, on a filesystem of the host */
		must(mknod(path, S_IFCHR | 0600, makedev(1, 3)));
	else if (rng_below(rng, 5) == 0)
		scratch_dir(path);
	else
		scratch_file(path, "text");
	must(chown(path, some_owners[rng_below(rng, 6)], some_groups[rng_below(rng, 6)]));
	must(chmod(path, rng_below(rng, 01000) | (rng_below(rng, 4) ? 0 : 04000)));
	if (rng_below(rng, 3) == 0)
		add_random_acl(rng, path);
}

/* The client can look below its top. */
static void make_tree(struct rng *rng, unsigned int tree)
{
	char path[64];

	name_tree(tree, path);
	scratch_dir(path);
	must(chown(path, USER, USER));
	for (int i = 0; i < FILES; i++)
		make_file(rng, tree, i);
}

/* ---- what a process can do ---- */

#define READ 1U
#define WRITE 2U
#define EXECUTE 4U
#define OWN 8U /* set the times, as an owner only may */

struct powers {
	unsigned char of[TREES][FILES];
};

static unsigned char try_file(int dir, const char *name)
{
	const struct timespec times[2] = { { 1, 0 }, { 1, 0 } };
	unsigned char can = 0;
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);

	if (fd >= 0) {
		can |= READ;
		close(fd);
	}
	can |= faccessat(dir, name, W_OK, AT_EACCESS) == 0 ? WRITE : 0;
	can |= faccessat(dir, name, X_OK, AT_EACCESS) == 0 ? EXECUTE : 0;
	can |= utimensat(dir, name, times, 0) == 0 ? OWN : 0;
	return can;
}

static void try_as(const struct subject *s, const int dirs[TREES], struct powers *powers)
{
	pid_t pid = (pid_t)must(fork());
	char name[16];
	bool is_subject;

	if (pid != 0) {
		await_child(pid);
		return;
	}
	is_subject = become_subject(s);
	for (int t = 0; is_subject && t < TREES; t++)
		for (int i = 0; i < FILES; i++) {
			snprintf(name, sizeof(name), "f%d", i);
			powers->of[t][i] |= try_file(dirs[t], name);
		}
	_exit(0);
}

static void try_all(const int dirs[TREES], uint32_t uids, uint32_t gids, struct powers *powers)
{
	memset(powers, 0, sizeof(*powers));
	for (uint32_t i = 0; i < uids * gids * 4; i++)
		try_as(&(struct subject){ i / 4 % uids, i / 4 / uids, i & 1, i & 2 }, dirs, powers);
}

/* ---- a client ---- */

struct mapped_tree {
	char map[512];
	bool is_refused; /* by the service */
};

struct trial {
	struct identity who;
	const uint32_t *gid_list;
	uint32_t uids, gids;
	const char *first; /* a map that is tried first; NULL: none */
	uint32_t extra;	   /* a disk uid that the rule refuses; 0: none */
	bool as_layers;	   /* the client sees the mapped trees as layers of overlays */
	struct mapper mapper;
	unsigned int batch;
	unsigned int mapped, refused, gains;
};

/* Of a tree that the service has mapped, each is a failure. */
static unsigned int count_gains(const struct powers *before, const struct powers *after,
				const struct mapped_tree trees[TREES])
{
	unsigned int gains = 0;

	for (int t = 0; t < TREES; t++)
		for (int i = 0; i < FILES; i++) {
			if (!(after->of[t][i] & ~before->of[t][i]))
				continue;
			gains++;
			if (!trees[t].is_refused)
				fail_msg("t%d/f%d: %x before, %x with the map %s", t, i,
					 before->of[t][i], after->of[t][i], trees[t].map);
		}
	return gains;
}

static void choose_map(const struct trial *trial, struct rng *rng, int tree, char *map)
{
	if (tree == 0 && trial->first) {
		strcpy(map, trial->first);
		return;
	}
	if (trial->extra)
		sprintf(map, "u:%u:0", trial->extra);
	else
		add_random_side(rng, map, 'u', some_owners, trial->uids);
	add_random_side(rng, map, 'g', trial->gid_list, trial->gids);
}

/* The mapper maps those that the service refuses. */
static void map_tree(struct trial *trial, int tree_fd, struct mapped_tree *tree)
{
	AUTO_CLOSE int userns = userns_of(tree->map);
	struct idm_service_reply reply = ask(tree_fd, userns);

	tree->is_refused = reply.result != 0;
	if (!tree->is_refused) {
		trial->mapped++;
		return;
	}
	trial->refused++;
	assert_int_equal(reply.result, -EPERM);
	mapper_ask(&trial->mapper, tree_fd, userns);
}

/* ---- overlays ---- */

#define EMPTY DATA "/empty"

static void add_layer(int fs, int tree)
{
	assert_int_equal(idm_sys_fsconfig(fs, FSCONFIG_SET_FD, "lowerdir+", NULL, tree), 0);
}

/* Of the mapped tree and an empty directory. The tree's descriptor is the overlay's then. */
static void put_overlay_over(int tree)
{
	AUTO_CLOSE int fs = (int)must(idm_sys_fsopen("overlay", FSOPEN_CLOEXEC)), mount = -1;
	AUTO_CLOSE int empty = (int)must(open(EMPTY, O_PATH | O_CLOEXEC));

	assert_int_equal(idm_sys_fsconfig(fs, FSCONFIG_SET_FLAG, "userxattr", NULL, 0), 0);
	add_layer(fs, tree);
	add_layer(fs, empty);
	assert_int_equal(idm_sys_fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), 0);
	mount = idm_sys_fsmount(fs, FSMOUNT_CLOEXEC, 0);
	assert_true(mount >= 0);
	must(dup2(mount, tree));
}

/* ---- a batch of trees ---- */

static void run_batch(void *data)
{
	static struct mapped_tree trees[TREES];
	struct trial *trial = data;
	struct rng rng = rng_new(7 + trial->batch);
	struct powers *powers = mmap(NULL, 2 * sizeof(*powers), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int dirs[TREES];
	char path[64];

	for (int t = 0; t < TREES; t++) {
		name_tree((unsigned int)t, path);
		dirs[t] = (int)must(open(path, O_PATH | O_CLOEXEC));
	}
	try_all(dirs, trial->uids, trial->gids, &powers[0]);
	for (int t = 0; t < TREES; t++) {
		name_tree((unsigned int)t, path);
		must(dup2(clone_tree(path), dirs[t]));
		choose_map(trial, &rng, t, trees[t].map);
		map_tree(trial, dirs[t], &trees[t]);
		if (trial->as_layers)
			put_overlay_over(dirs[t]);
	}
	try_all(dirs, trial->uids, trial->gids, &powers[1]);
	trial->gains += count_gains(&powers[0], &powers[1], trees);
}

/* Returns what it has counted. */
static struct trial try_client(struct trial trial)
{
	struct trial *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct service service;
	struct rng rng = rng_new(3);

	*shared = trial;
	enter_with_data();
	scratch_dir(EMPTY);
	service = service_start(NULL);
	shared->mapper = mapper_start();
	for (; shared->batch < BATCHES; shared->batch++) {
		for (unsigned int t = 0; t < TREES; t++)
			make_tree(&rng, t);
		as_client(trial.who, run_batch, shared);
	}
	mapper_end(&shared->mapper);
	service_stop(&service);
	trial = *shared;
	munmap(shared, sizeof(*shared));
	note("%u maps made, %u refused, %u gains by these", trial.mapped, trial.refused, trial.gains);
	return trial;
}

TEST_AS(user_with_ranges_gains_nothing, 300, 5, 12, mounts_are_not_mapped)
{
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER, .gid = USER, .group = OTHER_GROUP, .map = FEW_IDS },
		.gid_list = some_groups,
		.uids = 4,
		.gids = 4,
	});

	assert_int_equal(trial.mapped, TREES * BATCHES);
	proof("hostile", trial.mapped, "random trees, where a map adds no right");
}

static void trees_are_no_layers(void)
{
	untried("a detached tree cannot be a layer");
}

/* The kernel asks for the permissions of the process, and for those of the one that mounted. */
TEST_AS(user_with_ranges_gains_nothing_by_overlays, 300, 6, 15, trees_are_no_layers)
{
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER, .gid = USER, .group = OTHER_GROUP, .map = FEW_IDS },
		.gid_list = some_groups,
		.uids = 4,
		.gids = 4,
		.as_layers = true,
	});

	assert_int_equal(trial.mapped, TREES * BATCHES);
	proof("hostile", trial.mapped, "random trees as layers, where a map adds no right");
}

/* The group is an ID of the namespace, and cannot be left. Only maps that keep it are made. */
TEST_AS(user_with_a_fixed_group_gains_nothing, 300, 5, 12, mounts_are_not_mapped)
{
	static const uint32_t list[] = { USER, OTHER_GROUP };
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER,
			 .gid = USER,
			 .group = OTHER_GROUP,
			 .map = FEW_IDS,
			 .gid_map = "0 1500 1\n1 1700 1\n" MANY_IDS,
			 .deny_setgroups = true },
		.gid_list = list,
		.first = "u:1500:2,g:1700:1",
		.uids = 4,
		.gids = 2,
	});

	assert_true(trial.mapped > 0);
	proof("hostile", trial.mapped, "random trees of a user with a fixed group");
	/* Those that the rule refuses are not all harmless. */
	assert_true(trial.gains > 0);
}

TEST_AS(another_users_id_would_be_a_gain, 300, 5, 12, mounts_are_not_mapped)
{
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER, .gid = USER, .map = FEW_IDS },
		.gid_list = some_groups,
		.uids = 4,
		.gids = 4,
		.extra = OTHER_USER,
	});

	assert_int_equal(trial.refused, TREES * BATCHES);
	assert_true(trial.gains > 0);
}
