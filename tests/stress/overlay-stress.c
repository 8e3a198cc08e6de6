// SPDX-License-Identifier: MIT
/*
 * A hundred threads make overlays of the same layers at once. They check files through them, and unmount
 * them. No thread sees an error, no mount is busy, and nothing is left at the end.
 */
#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/crowd.h"

#define THREADS 100
#define LAYERS 8
#define SECONDS 3

#define STORE SCRATCH "/store"

static struct {
	struct idm_map *map;
	struct idm_path layers[LAYERS];
} common;

/* The files of one thread. */
struct place {
	char target[64], upper[64], work[64];
	struct idm_path upper_path, work_path;
	struct rng rng;
};

static struct place place_of(unsigned int thread)
{
	struct place p = { .rng = { thread } };

	snprintf(p.target, sizeof(p.target), SCRATCH "/targets/%u", thread);
	snprintf(p.upper, sizeof(p.upper), STORE "/upper/%u", thread);
	snprintf(p.work, sizeof(p.work), STORE "/work/%u", thread);
	return p;
}

/* Layer i contains a file "i" of owner i. */
static void make_ground(void)
{
	static char paths[LAYERS][64];

	for (unsigned int i = 0; i < LAYERS; i++) {
		char file[80];

		snprintf(paths[i], sizeof(paths[i]), STORE "/layers/%u", i);
		snprintf(file, sizeof(file), STORE "/layers/%u/%u", i, i);
		scratch_dir(paths[i]);
		owned_file(file, i, i);
		common.layers[i] = (struct idm_path){ AT_FDCWD, paths[i] };
	}
	for (unsigned int i = 0; i < THREADS; i++) {
		struct place p = place_of(i);

		scratch_dir(p.target);
		scratch_dir(p.upper);
		scratch_dir(p.work);
	}
}

static unsigned int any_rung(struct rng *rng)
{
	static const unsigned int rungs[] = { 0, IDM_OVERLAY_IN_NAMESPACE, IDM_OVERLAY_CREATE_AS_ROOT };

	return rungs[rng_below(rng, ARRAY_SIZE(rungs))];
}

static void use_overlay(struct place *p)
{
	struct idm_path upper = { AT_FDCWD, p->upper }, work = { AT_FDCWD, p->work };
	struct idm_overlay_options o = IDM_OVERLAY_OPTIONS_INIT;
	unsigned int first = rng_below(&p->rng, LAYERS - 1), upper_ids = rng_below(&p->rng, 3);
	struct idm_error err;
	char file[80];
	int tree;

	o.flags = any_rung(&p->rng);
	o.map = common.map;
	o.lower = &common.layers[first];
	o.n_lower = 2 + rng_below(&p->rng, LAYERS - first - 1);
	if (upper_ids < 2) {
		o.upper = &upper;
		o.work = &work;
		o.upper_ids = upper_ids;
	}
	tree = (int)assert_ok(idm_overlay_open(&o, &err), &err);
	attach_at(tree, p->target);
	close(tree);
	first += (unsigned int)o.n_lower - 1;
	snprintf(file, sizeof(file), "%s/%u", p->target, first);
	assert_owner(file, 100000 + first, 100000 + first);
	assert_ok(idm_umount(AT_FDCWD, p->target, 0, &err),
		  &err); /* not lazily, because nothing may keep it busy */
}

static void use_many(struct crowd *crowd, unsigned int thread)
{
	struct place p = place_of(thread);

	crowd_start(crowd);
	do
		use_overlay(&p);
	while (crowd_goes_on(crowd));
}

TEST(a_hundred_threads_with_the_same_layers)
{
	struct snapshot *before;
	unsigned int made;

	scratch_enter();
	make_ground();
	common.map = map_of("0:100000:65536");
	before = snapshot_take(SNAPSHOT_ALL);
	made = crowd_run(THREADS, SECONDS, use_many);
	snapshot_assert_same(before);
	note("%u overlays", made);
	assert_true(made >= THREADS);
	idm_map_free(common.map);
}
