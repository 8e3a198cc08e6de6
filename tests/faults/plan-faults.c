// SPDX-License-Identifier: MIT
/*
 * Applying and undoing a plan survive the failure of every system call. They survive the death of their
 * process at every system call, too: see faults.h. The next try undoes what was left or only recorded.
 */
#include <sys/syscall.h>

#include "tests/integration/rootfs/plans.h"
#include "tests/lib/faults.h"

#define JOURNAL SCRATCH "/journal"
#define DEEP SCRATCH "/shared/deep/target" /* not there before */

static unsigned int way;
static struct idm_plan *plan;
static bool is_recorded = true;
static int staging = -1;

static int apply(struct idm_error *err)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;

	o.flags = IDM_PLAN_APPLY_MKDIR | way;
	o.journal = is_recorded ? JOURNAL : NULL;
	o.staging_fd = staging;
	return idm_plan_apply(plan, AT_FDCWD, DEEP, &o, err);
}

static int undo(struct idm_error *err)
{
	return idm_plan_undo(JOURNAL, 0, err);
}

static void enter(void)
{
	faults_enter();
	make_image();
	scratch_dir(SCRATCH "/shared");
	do_mount("shared", SCRATCH "/shared", "tmpfs", 0, NULL);
	do_mount(NULL, SCRATCH "/shared", NULL, MS_SHARED, NULL);
	plan = plan_new();
	add_flags = IDM_PLAN_ADD_RDONLY_LAST;
	plan_step(plan, "bind", ROOT, "/", "ro", "rprivate", MAP, NULL);
	add_flags = 0;
	plan_step(plan, "tmpfs", NULL, "/made/here", "size=1m", NULL);
	plan_step(plan, "bind", ROOT "/etc/hosts", "/etc/made", "ro", NULL);
}

/* An undo removes entries of a root filesystem only where that was attached: see idmount.h. */
static void remove_inside(void)
{
	unlink(ROOT "/etc/made");
	rmdir(ROOT "/made/here");
	rmdir(ROOT "/made");
}

static void undo_it(enum outcome outcome)
{
	struct idm_error err;

	if (outcome == FAULT_DONE) {
		assert_owner(DEEP "/etc/mail", 100008, 100012);
		assert_mounted(DEEP "/made/here");
		assert_mounted(DEEP "/etc/made");
	}
	if (outcome != FAULT_REFUSED && access(JOURNAL, F_OK) == 0)
		assert_ok(undo(&err), &err);
	if (outcome == FAULT_KILLED)
		remove_inside();
}

static const struct operation applying = { "apply", .go = apply, .finish = undo_it };

static void apply_with_faults(void)
{
	enter();
	faults_survived(&applying);
	kills_survived(&applying);
	idm_plan_free(plan);
}

TEST_OF_RUNS(applying_detached)
{
	if (kernel_is_before(6, 15))
		return;
	way = IDM_PLAN_APPLY_DETACHED;
	apply_with_faults();
}

TEST_OF_RUNS(applying_in_a_namespace)
{
	way = IDM_PLAN_APPLY_IN_NAMESPACE;
	apply_with_faults();
}

TEST_OF_RUNS(applying_in_a_staging_namespace)
{
	struct idm_error err;

	scratch_enter();
	way = IDM_PLAN_APPLY_IN_NAMESPACE;
	staging = (int)assert_ok(idm_staging_open(0, &err), &err);
	apply_with_faults();
	close(staging);
}

/* The apply created nothing else, because no journal could record it. */
static void unmount_it(enum outcome outcome)
{
	struct idm_error err;

	if (outcome == FAULT_REFUSED)
		return;
	if (outcome == FAULT_DONE)
		assert_mounted(DEEP);
	while (idm_umount(AT_FDCWD, DEEP, IDM_UMOUNT_RECURSIVE, &err) == 0)
		;
}

TEST_OF_RUNS(applying_without_a_journal)
{
	enter();
	is_recorded = false;
	scratch_dir(DEEP);
	scratch_dir(ROOT "/made/here");
	owned_file(ROOT "/etc/made", 0, 0);
	kills_survived(&(struct operation){ "apply, no journal", .go = apply, .finish = unmount_it });
	idm_plan_free(plan);
}

static void apply_first(void)
{
	struct idm_error err;

	assert_ok(apply(&err), &err);
}

/* Undoes also after an interrupted undo. */
static void undo_again(enum outcome outcome)
{
	struct idm_error err;

	if (outcome != FAULT_DONE && access(JOURNAL, F_OK) == 0)
		assert_ok(undo(&err), &err);
	assert_int_equal(access(JOURNAL, F_OK), -1);
	/* A directory that cannot be removed does not prevent the rest of the undo. */
	if (outcome == FAULT_REFUSED &&
	    (faults_error() == EACCES || faults_error() == EPERM || faults_error() == EBUSY))
		remove_inside();
}

TEST_OF_RUNS(undoing)
{
	static const struct operation undoing = { "undo", .prepare = apply_first, .go = undo,
						  .finish = undo_again, .partly = true };

	enter();
	faults_survived(&undoing);
	kills_survived(&undoing);
	idm_plan_free(plan);
}
