// SPDX-License-Identifier: MIT
/*
 * What the real containerd says to mount for its snapshots is what the lists in tests/fixtures/plans say
 * that it does, and mounts what is in them.
 */
#include <ctype.h>

#include "lib/base/macros.h"
#include "tests/integration/mount/trees.h"
#include "tests/lib/plan-text.h"

#define STORE SCRATCH "/store"
#define TARGET SCRATCH "/target"

/* Its lists of mounts, in STORE/NAME.json. */
static void run_containerd(void)
{
	const char *root = getenv("IDM_SOURCE_ROOT");
	char script[500];

	if (!root)
		fail_msg("IDM_SOURCE_ROOT is not set");
	need_command("containerd");
	need_command("ctr");
	need_command("cc");
	scratch_enter();
	scratch_dir(STORE);
	scratch_dir(TARGET);
	snprintf(script, sizeof(script), "%s/tests/lib/containerd.sh", root);
	assert_int_equal(RUN("sh", script, STORE), 0);
}

static struct idm_plan *plan_of(const char *name, const struct idm_map *map)
{
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	struct idm_plan *plan = new_plan();
	AUTO_FREE char *text = NULL;
	char path[200];
	struct idm_error err;
	size_t length;

	how.map = map;
	snprintf(path, sizeof(path), STORE "/%s.json", name);
	text = file_text(path, &length);
	assert_ok(idm_plan_read(plan, text, length, &how, &err), &err);
	return plan;
}

/* ---- the lists ---- */

/* The new number of a snapshot: 1 for the one that is named first, and so on. */
static size_t renumber(long *seen, size_t *n, long number)
{
	size_t i = 0;

	while (i < *n && seen[i] != number)
		i++;
	if (i == *n)
		seen[(*n)++] = number;
	return i + 1;
}

/* In place: paths without what is before "snapshots/", and with other numbers behind it. */
static void make_comparable(char *text)
{
	static const char word[] = "snapshots/";
	long seen[20];
	size_t n = 0;
	char *to = text, *at;

	while ((at = strstr(text, word))) {
		char *path = at, *behind;
		long number = strtol(at + strlen(word), &behind, 10);

		while (path > text && path[-1] != ' ')
			path--;
		memmove(to, text, (size_t)(path - text));
		to += path - text;
		to += sprintf(to, "SNAPSHOT-%zu", renumber(seen, &n, number));
		text = behind;
	}
	memmove(to, text, strlen(text) + 1);
}

static void assert_as_in_fixture(const char *name)
{
	AUTO_PLAN struct idm_plan *plan = plan_of(name, NULL);
	AUTO_FREE char *text = plan_text(plan), *expected = NULL;
	char path[500];

	snprintf(path, sizeof(path), "%s/tests/fixtures/plans/good-containerd-%s.plan",
		 getenv("IDM_SOURCE_ROOT"), name);
	expected = file_text(path, NULL);
	make_comparable(text);
	make_comparable(expected);
	assert_contains(text, "SNAPSHOT-1/fs");
	assert_string_equal(text, expected);
}

TEST_ANYWHERE(its_lists_are_as_expected)
{
	run_containerd();
	assert_as_in_fixture("active");
	assert_as_in_fixture("active-of-one");
	assert_as_in_fixture("active-parentless");
	assert_as_in_fixture("view");
	assert_as_in_fixture("view-of-one");
	assert_as_in_fixture("view-parentless");
}

/* ---- what they mount ---- */

static void assert_layer(const char *text)
{
	AUTO_FREE char *layer = file_text(TARGET "/etc/layer", NULL);

	assert_string_equal(layer, text);
}

static void assert_mounts(const char *name, const char *layer, bool writable)
{
	AUTO_MAP struct idm_map *map = map_of("0:100000:65536");
	AUTO_PLAN struct idm_plan *plan = plan_of(name, map);
	struct snapshot *before = snapshot_take(SNAPSHOT_ALL);
	struct idm_error err;

	assert_ok(idm_plan_apply(plan, AT_FDCWD, TARGET, NULL, &err), &err);
	assert_layer(layer);
	assert_owner(TARGET "/bin/program", 100000, 100000);
	assert_int_equal(RUN("chroot", TARGET, "/bin/program"), 0);
	assert_int_equal(mkdir(TARGET "/new", 0755) == 0, writable);
	assert_ok(idm_umount(AT_FDCWD, TARGET, 0, &err), &err);
	snapshot_assert_same(before);
}

/* Before that, no overlay has a layer with a map. */
static void its_lists_cannot_have_a_map(void)
{
	AUTO_MAP struct idm_map *map = NULL;
	AUTO_PLAN struct idm_plan *plan = NULL;
	struct idm_error err;
	int r;

	if (kernel_is_before(5, 12)) {
		mounts_are_refused();
		return;
	}
	map = map_of("0:100000:65536");
	run_containerd();
	plan = plan_of("active", map);
	r = idm_plan_apply(plan, AT_FDCWD, TARGET, NULL, &err);
	assert_true(r < 0);
	assert_error(r, r, &err, NULL, NULL, NULL);
}

TEST_SINCE(5, 19, its_lists_cannot_have_a_map, its_snapshots_are_mounted_with_a_map)
{
	run_containerd();
	assert_mounts("active", "two\n", true);
	assert_mounts("active-of-one", "one\n", true);
	assert_mounts("view", "two\n", false);
	assert_mounts("view-of-one", "one\n", false);
}
