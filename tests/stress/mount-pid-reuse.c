// SPDX-License-Identifier: MIT
/*
 * The race for a process number in calls that work on mounts in children: plans, overlays and staging
 * namespaces. Another thread kills and reaps such a child at each of its system calls (thief.h), and
 * another process gets its number. The call succeeds with the right mounts, or fails with ESRCH. It
 * touches neither that process nor the caller's mounts. At most the descriptor that the child was just
 * opening stays open.
 */
#include <sched.h>
#include <sys/mount.h>

#include "tests/integration/rootfs/plans.h"
#include "thief.h"

#define LIMIT 300
#define MOST_FDS 256

/* The victim's result. */
static struct job {
	struct idm_plan *plan;
	struct idm_map *map;
	int staging, fd;
	struct idm_error err;
} job;

static unsigned int rounds(void)
{
	return test_is_long() ? 1000 : test_is_slow() ? 1 : 5;
}

/* ---- the victims ---- */

static void open_staging(void *unused)
{
	(void)unused;
	job.fd = idm_staging_open(0, &job.err);
}

static void open_plan(int staging)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	o.staging_fd = staging;
	job.fd = idm_plan_open(job.plan, &o, &job.err);
}

static void open_plan_by_copy(void *unused)
{
	(void)unused;
	open_plan(-1);
}

static void open_plan_in_staging(void *unused)
{
	(void)unused;
	open_plan(job.staging);
}

static void open_overlay(void *unused)
{
	const struct idm_path lower[] = { { AT_FDCWD, ROOT "/etc" }, { AT_FDCWD, ROOT "/bin" } };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;

	(void)unused;
	o.flags = IDM_OVERLAY_IN_NAMESPACE;
	o.map = job.map;
	o.lower = lower;
	o.n_lower = ARRAY_SIZE(lower);
	o.staging_fd = job.staging;
	job.fd = idm_overlay_open(&o, &job.err);
}

/* ---- the results ---- */

static void assert_staging(void)
{
	struct stat own, opened;

	must(stat("/proc/thread-self/ns/mnt", &own));
	must(fstat(job.fd, &opened));
	assert_int_equal(opened.st_dev, own.st_dev);
	assert_int_not_equal(opened.st_ino, own.st_ino);
	open_plan(job.fd);
	close((int)assert_ok(job.fd, &job.err));
}

static void assert_plan(void)
{
	assert_owner_in(job.fd, "bin/mail", 100008, 100012);
	assert_owner_in(job.fd, "etc/mail", 8, 12);
}

static void assert_overlay(void)
{
	assert_owner_in(job.fd, "mail", 100008, 100012);
}

static const struct victim {
	const char *name;
	void (*call)(void *);
	void (*assert_right)(void);
	bool tries_again; /* in another way */
} victims[] = {
	{ "staging namespace", open_staging, assert_staging, false },
	{ "plan", open_plan_by_copy, assert_plan, false },
	{ "plan in a staging namespace", open_plan_in_staging, assert_plan, false },
	{ "overlay in a staging namespace", open_overlay, assert_overlay, true },
};

static void assert_result(const struct theft *theft, const struct victim *victim)
{
	const char *harm = thief_harm(theft);
	int fd = job.fd;

	if (harm)
		fail_msg("%s, child taken at call %u: %s", victim->name, theft->at, harm);
	if (fd == -ESRCH && theft->taken)
		return;
	assert_ok(fd, &job.err);
	victim->assert_right();
	close(fd);
}

/* ---- descriptors ---- */

static void find_open_fds(bool open[MOST_FDS])
{
	for (int fd = 0; fd < MOST_FDS; fd++)
		open[fd] = fcntl(fd, F_GETFD) >= 0;
}

/* Those that a killed child has opened, and noted nowhere. */
static unsigned int close_stray_fds(const bool before[MOST_FDS])
{
	unsigned int n = 0;

	for (int fd = 0; fd < MOST_FDS; fd++)
		if (!before[fd] && fcntl(fd, F_GETFD) >= 0) {
			close(fd);
			n++;
		}
	return n;
}

/* ---- at every call ---- */

struct sum {
	unsigned int steps, taken, decoys, gave_up;
};

static bool take_once(struct theft *theft, const struct victim *victim, struct sum *sum)
{
	bool open_before[MOST_FDS];

	find_open_fds(open_before);
	thief_round(theft);
	sum->taken += theft->taken;
	sum->decoys += theft->n;
	sum->gave_up += job.fd == -ESRCH;
	assert_result(theft, victim);
	thief_end_decoys(theft);
	assert_true(close_stray_fds(open_before) <= theft->taken);
	return theft->taken;
}

static struct sum take_at_every_call(struct theft theft, const struct victim *victim)
{
	struct sum sum = { 0 };

	theft.orphans = true;
	for (bool any = true; any; sum.steps += any) {
		struct snapshot *before = snapshot_take(SNAPSHOT_PROCESSES | SNAPSHOT_MOUNTS);

		theft.at++;
		any = false;
		for (unsigned int i = 0; i < rounds(); i++)
			any |= take_once(&theft, victim, &sum);
		snapshot_assert_same(before);
	}
	note("%s, child %u: taken at each of %u calls, %u times, and replaced %u times; gave up %u times",
	     victim->name, theft.child, sum.steps, sum.taken, sum.decoys, sum.gave_up);
	assert_true(sum.decoys >= sum.steps);
	return sum;
}

/* Each child of the victim in turn, until it has no such child. */
static struct sum take_each_child(const struct victim *victim)
{
	struct sum all = { 0 }, one = { .steps = 1 };

	thief_start(victim->call, NULL);
	for (struct theft theft = { 0 }; one.steps; theft.child++) {
		one = take_at_every_call(theft, victim);
		all.taken += one.taken;
		all.gave_up += one.gave_up;
	}
	thief_stop();
	return all;
}

static void take_children(void *unused)
{
	unsigned int taken = 0;

	(void)unused;
	for (size_t i = 0; i < ARRAY_SIZE(victims); i++) {
		struct sum sum = take_each_child(&victims[i]);

		/* The library replaces the child of a user namespace. */
		assert_true(sum.gave_up < sum.taken);
		assert_true(victims[i].tries_again ? sum.gave_up == 0 : sum.gave_up >= rounds());
		taken += sum.taken;
	}
	proof("pid-reuse", taken,
	      "children that work on mounts taken, and their numbers given to others");
}

static void make_plan(void)
{
	job.plan = plan_new();
	plan_step(job.plan, "bind", ROOT, NULL, NULL);
	plan_step(job.plan, "bind", ROOT "/etc", "/bin", "idmap", MAP, NULL);
}

TEST_AS(whenever_the_child_is_taken_the_mounts_are_right, LIMIT, 5, 12, mounts_are_refused)
{
	struct idm_error err;

	need_root();
	enter_image();
	make_plan();
	job.map = map_of("0:100000:65536");
	job.staging = (int)assert_ok(idm_staging_open(0, &err), &err);
	in_pid_namespace(take_children, NULL);
	close(job.staging);
	idm_map_free(job.map);
	idm_plan_free(job.plan);
}
