// SPDX-License-Identifier: MIT
/*
 * Random files, random maps: what a client can do before, with each of its IDs, and what it can do by
 * the trees that the service has mapped. The latter is never more. A control shows that gains are seen.
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

#define FILES 70
#define NODES 10 /* of these, nodes of /dev/null */
#define TREES (test_is_long() ? 67U : test_is_slow() ? 2U : 4U)
#define MAPS 3U /* of each */

static void mounts_are_not_mapped(void)
{
	untried("the kernel maps no mounts before Linux 5.12");
}

/* ---- files ---- */

static void make_file(struct rng *rng, int i)
{
	char path[64];

	snprintf(path, sizeof(path), DATA "/f%d", i);
	remove(path);		/* that of the tree before */
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

/* ---- what a process can do ---- */

#define READ 1U
#define WRITE 2U
#define EXECUTE 4U
#define OWN 8U /* set the times, as an owner only may */

struct powers {
	unsigned char of[FILES];
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

static void try_as(const struct subject *s, int dir, struct powers *powers)
{
	pid_t pid = (pid_t)must(fork());
	char name[16];

	if (pid != 0) {
		await_child(pid);
		return;
	}
	for (int i = 0; become_subject(s) && i < FILES; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		powers->of[i] |= try_file(dir, name);
	}
	_exit(0);
}

static void try_all(int dir, uint32_t uids, uint32_t gids, struct powers *powers)
{
	memset(powers, 0, sizeof(*powers));
	for (uint32_t i = 0; i < uids * gids * 4; i++)
		try_as(&(struct subject){ i / 4 % uids, i / 4 / uids, i & 1, i & 2 }, dir, powers);
}

static unsigned int count_gains(const struct powers *before, const struct powers *after, const char *map)
{
	unsigned int gains = 0;

	for (int i = 0; i < FILES; i++) {
		if (!(after->of[i] & ~before->of[i]))
			continue;
		gains++;
		if (map)
			fail_msg("f%d: %x before, %x with the map %s", i, before->of[i], after->of[i],
				 map);
	}
	return gains;
}

/* ---- a client ---- */

struct trial {
	struct identity who;
	const uint32_t *gid_list;
	uint32_t uids, gids;
	const char *first; /* a map that is tried first; NULL: none */
	uint32_t extra;	   /* a disk uid that the rule refuses; 0: none */
	struct mapper mapper;
	unsigned int tree; /* the number of trees before */
	unsigned int mapped, refused, gains;
};

static void try_map(struct trial *trial, const struct powers *before, struct powers *after,
		    const char *map)
{
	AUTO_CLOSE int tree = clone_tree(DATA), userns = userns_of(map);
	struct idm_service_reply reply = ask(tree, userns);

	if (reply.result == 0) {
		trial->mapped++;
		try_all(tree, trial->uids, trial->gids, after);
		count_gains(before, after, map);
		return;
	}
	trial->refused++;
	assert_int_equal(reply.result, -EPERM);
	mapper_ask(&trial->mapper, tree, userns);
	try_all(tree, trial->uids, trial->gids, after);
	trial->gains += count_gains(before, after, NULL);
}

static void run_trial(void *data)
{
	struct trial *trial = data;
	struct rng rng = rng_new(7 + trial->tree);
	struct powers *powers = mmap(NULL, 2 * sizeof(*powers), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	AUTO_CLOSE int dir = (int)must(open(DATA, O_PATH | O_CLOEXEC));

	try_all(dir, trial->uids, trial->gids, &powers[0]);
	for (unsigned int i = 0; i < MAPS; i++) {
		char map[512] = "";

		if (i == 0 && trial->first) {
			strcpy(map, trial->first);
		} else if (trial->extra) {
			sprintf(map, "u:%u:0", trial->extra);
			add_random_side(&rng, map, 'g', trial->gid_list, trial->gids);
		} else {
			add_random_side(&rng, map, 'u', some_owners, trial->uids);
			add_random_side(&rng, map, 'g', trial->gid_list, trial->gids);
		}
		try_map(trial, &powers[0], &powers[1], map);
	}
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
	service = service_start(NULL);
	shared->mapper = mapper_start();
	for (; shared->tree < TREES; shared->tree++) {
		for (int i = 0; i < FILES; i++)
			make_file(&rng, i);
		as_client(trial.who, run_trial, shared);
	}
	mapper_end(&shared->mapper);
	service_stop(&service);
	trial = *shared;
	munmap(shared, sizeof(*shared));
	note("%u maps made, %u refused, %u gains by these", trial.mapped, trial.refused, trial.gains);
	return trial;
}

TEST_SINCE(5, 12, mounts_are_not_mapped, user_with_ranges_gains_nothing)
{
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER, .gid = USER, .group = OTHER_GROUP, .map = FEW_IDS },
		.gid_list = some_groups,
		.uids = 4,
		.gids = 4,
	});

	assert_int_equal(trial.mapped, TREES * MAPS);
	proof("hostile", trial.mapped * FILES, "files under random maps");
}

/* The group is an ID of the namespace, and cannot be left. Only maps that keep it are made. */
TEST_SINCE(5, 12, mounts_are_not_mapped, user_with_a_fixed_group_gains_nothing)
{
	static const uint32_t list[] = { USER, OTHER_GROUP };
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER,
			 .gid = USER,
			 .group = OTHER_GROUP,
			 .map = FEW_IDS,
			 .gid_map = "0 1500 1\n1 1700 1\n",
			 .deny_setgroups = true },
		.gid_list = list,
		.first = "u:1500:2,g:1700:1",
		.uids = 4,
		.gids = 2,
	});

	assert_true(trial.mapped > 0);
	/* Those that the rule refuses are not all harmless. */
	assert_true(trial.gains > 0);
}

TEST_SINCE(5, 12, mounts_are_not_mapped, another_users_id_would_be_a_gain)
{
	struct trial trial = try_client((struct trial){
		.who = { .uid = USER, .gid = USER, .map = FEW_IDS },
		.gid_list = some_groups,
		.uids = 4,
		.gids = 4,
		.extra = OTHER_USER,
	});

	assert_int_equal(trial.refused, TREES * MAPS);
	assert_true(trial.gains > 0);
}
