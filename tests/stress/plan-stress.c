// SPDX-License-Identifier: MIT
/*
 * A hundred threads assemble plans in namespaces, in staging namespaces of their own and a common one,
 * undo them, and read maps back. All that works in children that share the memory. No thread sees an
 * error, each sees its own owners, and nothing is left at the end.
 */
#include "tests/integration/rootfs/plans.h"
#include "tests/lib/crowd.h"

#define THREADS 100
#define SECONDS 3

/*
 * A delegate's subprocess has a descriptor table of its own there. The thread sanitizer knows one table.
 * To it, equal numbers of two are one descriptor.
 */
const char *__tsan_default_suppressions(void);
const char *__tsan_default_suppressions(void)
{
	return "race:look_at_child\n";
}

static int common_staging;

/* What one thread has. */
struct place {
	char target[64], journal[64], map[64];
	uint32_t first; /* the ID that disk ID 0 is seen as */
	struct rng rng;
	int userns;
};

static struct place place_of(unsigned int thread)
{
	struct place p = { .first = 100000 + 1000 * thread, .rng = { thread } };

	snprintf(p.target, sizeof(p.target), SCRATCH "/targets/%u", thread);
	snprintf(p.journal, sizeof(p.journal), SCRATCH "/journals/%u", thread);
	snprintf(p.map, sizeof(p.map), "0:%u:1000", p.first);
	p.userns = userns_of(p.map);
	return p;
}

/* The image, and a mapped bind of its /etc at its /bin. */
static struct idm_plan *plan_of(const struct place *p)
{
	char uids[64], gids[64];
	struct idm_plan *plan = plan_new();

	snprintf(uids, sizeof(uids), "uidmap=0:%u:1000", p->first);
	snprintf(gids, sizeof(gids), "gidmap=0:%u:1000", p->first);
	plan_step(plan, "bind", ROOT, NULL, NULL);
	plan_step(plan, "bind", ROOT "/etc", "/bin", "idmap", uids, gids, NULL);
	return plan;
}

static void assert_owners(const struct place *p, int tree)
{
	struct stat st;

	must(fstatat(tree, "bin/mail", &st, 0));
	assert_int_equal(st.st_uid, p->first + 8);
	assert_int_equal(st.st_gid, p->first + 12);
	must(fstatat(tree, "etc/mail", &st, 0));
	assert_int_equal(st.st_uid, 8);
}

static void open_plan(struct place *p, int staging)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	AUTO_PLAN struct idm_plan *plan = plan_of(p);
	AUTO_FD int tree = -1;
	struct idm_error err;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	o.staging_fd = staging;
	tree = (int)assert_ok(idm_plan_open(plan, &o, &err), &err);
	assert_owners(p, tree);
}

static void open_by_copy(struct place *p)
{
	open_plan(p, -1);
}

static void open_by_common_staging(struct place *p)
{
	open_plan(p, common_staging);
}

static void open_by_own_staging(struct place *p)
{
	struct idm_error err;
	AUTO_FD int staging = (int)assert_ok(idm_staging_open(0, &err), &err);

	open_plan(p, staging);
}

static void apply_and_undo(struct place *p)
{
	struct idm_plan_apply_options o = IDM_PLAN_APPLY_OPTIONS_INIT;
	AUTO_PLAN struct idm_plan *plan = plan_of(p);
	struct idm_error err;
	int target;

	o.flags = IDM_PLAN_APPLY_IN_NAMESPACE;
	o.staging_fd = common_staging;
	o.journal = p->journal;
	assert_ok(idm_plan_apply(plan, AT_FDCWD, p->target, &o, &err), &err);
	target = (int)must(open(p->target, O_PATH | O_CLOEXEC));
	assert_owners(p, target);
	close(target);
	assert_ok(idm_plan_undo(p->journal, 0, &err), &err);
}

static void read_map_of_userns(struct place *p)
{
	AUTO_MAP struct idm_map *read = map_of(""), *expected = map_of(p->map);
	struct idm_error err;

	assert_ok(idm_map_add_userns(read, p->userns, &err), &err);
	assert_same_map(read, expected);
}

static void read_map_of_mount(struct place *p)
{
	AUTO_MAP struct idm_map *read = map_of(""), *expected = map_of(p->map);
	AUTO_FD int mount = -1;
	struct idm_error err;

	mount_mapped(ROOT, p->target, p->map);
	mount = (int)must(open(p->target, O_PATH | O_CLOEXEC));
	assert_ok(idm_map_add_mount(read, mount, &err), &err);
	assert_same_map(read, expected);
	assert_ok(idm_umount_fd(mount, 0, &err), &err);
}

/* statmount(2) reports the map of a mount. */
static bool can_read_mounts(void)
{
	return !kernel_is_before(6, 15);
}

static void work_once(struct place *p)
{
	static void (*const works[])(struct place * p) = { open_by_copy,	open_by_common_staging,
							   open_by_own_staging, apply_and_undo,
							   read_map_of_userns,	read_map_of_mount };

	works[rng_below(&p->rng, ARRAY_SIZE(works) - !can_read_mounts())](p);
}

static void work_often(struct crowd *crowd, unsigned int thread)
{
	struct place p = place_of(thread);

	crowd_start(crowd);
	do
		work_once(&p);
	while (crowd_goes_on(crowd));
	close(p.userns);
}

static void make_places(void)
{
	make_image();
	scratch_dir(SCRATCH "/journals");
	for (unsigned int i = 0; i < THREADS; i++) {
		char target[64];

		snprintf(target, sizeof(target), SCRATCH "/targets/%u", i);
		scratch_dir(target);
	}
}

TEST_SINCE(5, 12, mounts_are_refused, a_hundred_threads_with_plans_and_maps)
{
	struct snapshot *before;
	struct idm_error err;
	unsigned int done;

	scratch_enter();
	make_places();
	common_staging = (int)assert_ok(idm_staging_open(0, &err), &err);
	before = snapshot_take(SNAPSHOT_ALL | SNAPSHOT_FILES);
	done = crowd_run(THREADS, SECONDS, work_often);
	snapshot_assert_same(before);
	close(common_staging);
	note("%u plans and maps", done);
	proof("stress", done, "plans assembled, and maps read back");
	assert_true(done >= THREADS);
}
