// SPDX-License-Identifier: MIT
/*
 * Structs that begin with their size may grow. A program compiled with an older header passes a shorter
 * one. The library accepts that as if the rest were 0, and touches nothing behind its end. A newer
 * program passes a longer one. The library accepts that if the rest is 0, and refuses it otherwise.
 *
 * This test covers every such struct of the header, except those that the library fills in: their names
 * contain "_info".
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/maps.h"
#include "tests/lib/scratch.h"
#include "tests/lib/snapshot.h"

/* As much as any of them will ever grow at once. */
#define MORE 256

static const char mounts[] = "[{\"Type\":\"bind\",\"Source\":\"" SCRATCH
			     "\",\"Options\":[\"rbind\",\"ro\"]}]";

/* ---- the calls: 0 or an error ---- */

static int done(int fd)
{
	if (fd >= 0)
		close(fd);
	return fd < 0 ? fd : 0;
}

static int open_tree(void *options, struct idm_error *err)
{
	return done(idm_tree_open(AT_FDCWD, SCRATCH, -1, options, err));
}

static int attach_tree(void *options, struct idm_error *err)
{
	int tree = idm_tree_open(AT_FDCWD, SCRATCH "/b", -1, NULL, err), r;

	assert_ok(tree, err);
	r = idm_tree_attach(tree, AT_FDCWD, SCRATCH "/a", options, err);
	if (r == 0)
		assert_ok(idm_umount_fd(tree, IDM_UMOUNT_LAZY, err), err);
	close(tree);
	return r;
}

static int mount_at_once(void *options, struct idm_error *err)
{
	int r = idm_mount("0:0:10", SCRATCH "/b", SCRATCH "/a", options, err);

	if (r == 0)
		assert_ok(idm_umount(AT_FDCWD, SCRATCH "/a", 0, err), err);
	return r;
}

static int open_overlay(void *options, struct idm_error *err)
{
	return done(idm_overlay_open(options, err));
}

static struct idm_plan *new_plan(void)
{
	struct idm_plan *plan;

	assert_ok(idm_plan_new(&plan), NULL);
	return plan;
}

static int add_to_plan(void *options, struct idm_error *err)
{
	struct idm_plan *plan = new_plan();
	int r = idm_plan_add(plan, options, err);

	idm_plan_free(plan);
	return r;
}

static int read_plan(void *options, struct idm_error *err)
{
	struct idm_plan *plan = new_plan();
	int r = idm_plan_read(plan, mounts, strlen(mounts), options, err);

	idm_plan_free(plan);
	return r;
}

static int open_plan(void *options, struct idm_error *err)
{
	struct idm_plan *plan = new_plan();
	int r;

	assert_ok(idm_plan_read(plan, mounts, strlen(mounts), NULL, err), err);
	r = done(idm_plan_open(plan, options, err));
	idm_plan_free(plan);
	return r;
}

static int check_path(void *options, struct idm_error *err)
{
	return idm_check_path(AT_FDCWD, SCRATCH, 0, options, NULL, err);
}

static int explain_facts(void *options, struct idm_error *err)
{
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	return idm_explain(options, &result, err);
}

static int explain_inode(void *inode, struct idm_error *err)
{
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;

	facts.inode = inode;
	return explain_facts(&facts, err);
}

static const struct idm_explain_inode inode = IDM_EXPLAIN_INODE_INIT;

static int explain_into(void *result, struct idm_error *err)
{
	struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;

	facts.inode = &inode;
	return idm_explain(&facts, result, err);
}

static int start_child(void *options, struct idm_error *err)
{
	struct idm_exit_info exit = { 0 };
	int fd = idm_child_start(options, err);

	if (fd >= 0)
		assert_ok(idm_child_wait(fd, -1, &exit, NULL), NULL);
	assert_int_equal(exit.status, 0);
	return done(fd);
}

/* ---- the structs ---- */

static const struct idm_path layers[] = { { AT_FDCWD, SCRATCH "/a" }, { AT_FDCWD, SCRATCH "/b" } };
static const char *const argv[] = { "true", NULL };

static const struct idm_tree_options tree_options = IDM_TREE_OPTIONS_INIT;
static const struct idm_attach_options attach_options = IDM_ATTACH_OPTIONS_INIT;
static const struct idm_mount_options mount_options = IDM_MOUNT_OPTIONS_INIT;
static struct idm_overlay_options overlay = IDM_OVERLAY_OPTIONS_INIT;
static struct idm_plan_add_options plan_mount = IDM_PLAN_ADD_OPTIONS_INIT;
static const struct idm_plan_read_options plan_text = IDM_PLAN_READ_OPTIONS_INIT;
static const struct idm_plan_apply_options apply = IDM_PLAN_APPLY_OPTIONS_INIT;
static const struct idm_check_result check = IDM_CHECK_RESULT_INIT;
static struct idm_explain_options facts = IDM_EXPLAIN_OPTIONS_INIT;
static const struct idm_explain_result verdict = IDM_EXPLAIN_RESULT_INIT;
static struct idm_child_options child_options = IDM_CHILD_OPTIONS_INIT;

#define UP_TO(type, member) (offsetof(struct type, member) + sizeof(((struct type *)0)->member))

/* `least` is the size in the first release: nothing shorter has ever been right. */
static const struct growing {
	const char *name;
	const void *example;
	size_t size, least;
	int (*call)(void *options, struct idm_error *err);
} all[] = {
	{ "idm_tree_options", &tree_options, sizeof(tree_options), UP_TO(idm_tree_options, propagation),
	  open_tree },
	{ "idm_attach_options", &attach_options, sizeof(attach_options),
	  UP_TO(idm_attach_options, propagation), attach_tree },
	{ "idm_mount_options", &mount_options, sizeof(mount_options),
	  UP_TO(idm_mount_options, propagation), mount_at_once },
	{ "idm_overlay_options", &overlay, sizeof(overlay), UP_TO(idm_overlay_options, upper_cache),
	  open_overlay },
	{ "idm_plan_add_options", &plan_mount, sizeof(plan_mount), UP_TO(idm_plan_add_options, map),
	  add_to_plan },
	{ "idm_plan_read_options", &plan_text, sizeof(plan_text), UP_TO(idm_plan_read_options, map),
	  read_plan },
	{ "idm_plan_apply_options", &apply, sizeof(apply), UP_TO(idm_plan_apply_options, upper_cache),
	  open_plan },
	{ "idm_check_result", &check, sizeof(check), UP_TO(idm_check_result, fstype), check_path },
	{ "idm_explain_inode", &inode, sizeof(inode), UP_TO(idm_explain_inode, n_acl), explain_inode },
	{ "idm_explain_options", &facts, sizeof(facts), UP_TO(idm_explain_options, fs_readonly),
	  explain_facts },
	{ "idm_explain_result", &verdict, sizeof(verdict), UP_TO(idm_explain_result, capable),
	  explain_into },
	{ "idm_child_options", &child_options, sizeof(child_options),
	  UP_TO(idm_child_options, staging_fd), start_child },
};

static void fill_in(void)
{
	need_root();
	scratch_enter();
	scratch_dir(SCRATCH "/a");
	scratch_dir(SCRATCH "/b");
	overlay.lower = layers;
	overlay.n_lower = ARRAY_SIZE(layers);
	plan_mount.type = "tmpfs";
	plan_mount.source = "none";
	facts.inode = &inode;
	child_options.path = "/bin/true";
	child_options.argv = argv;
}

/* ---- with another size ---- */

/*
 * The example, or the beginning of it, with zeros behind if `size` is more; it ends where memory ends.
 * `poison`, if it is not 0, is the place of a byte that is not 0.
 */
static int call_with(const struct growing *g, size_t size, size_t poison, struct idm_error *err)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *options = memory + page - size, before[MORE * 4];
	struct snapshot *snapshot = snapshot_take(SNAPSHOT_ALL);
	int r;

	assert_true(memory != MAP_FAILED);
	must(mprotect(memory + page, page, PROT_NONE));
	memcpy(options, g->example, size < g->size ? size : g->size);
	memcpy(options, &size, sizeof(size));
	if (poison)
		options[poison] = 1;
	memcpy(before, options, size);
	r = g->call(options, err);
	if (r < 0 || !strstr(g->name, "_result"))
		assert_int_equal(memcmp(before, options, size), 0);
	munmap(memory, 2 * page);
	snapshot_assert_same(snapshot);
	return r;
}

TEST(a_shorter_one_is_an_older_programs)
{
	fill_in();
	for (const struct growing *g = all; g < all + ARRAY_SIZE(all); g++) {
		size_t least = (g->least + 7) & ~(size_t)7, tried = 0;

		note("%s", g->name);
		for (size_t size = least; size <= g->size; size += 8, tried++) {
			struct idm_error err;

			assert_ok(call_with(g, size, 0, &err), &err);
		}
		proof("abi", tried, "sizes of structs that older programs may have");
	}
}

TEST(a_longer_one_is_a_newer_programs)
{
	fill_in();
	for (const struct growing *g = all; g < all + ARRAY_SIZE(all); g++) {
		size_t tried = 0;

		note("%s", g->name);
		for (size_t size = g->size + 8; size <= g->size + MORE; size += 8, tried += 3) {
			struct idm_error err;

			assert_ok(call_with(g, size, 0, &err), &err);
			assert_error(call_with(g, size, g->size, &err), -E2BIG, &err, NULL, NULL, NULL);
			assert_error(call_with(g, size, size - 1, &err), -E2BIG, &err, NULL, NULL, NULL);
		}
		proof("abi", tried, "sizes of structs that newer programs may have");
	}
}

TEST(one_without_a_size_is_a_mistake)
{
	fill_in();
	for (const struct growing *g = all; g < all + ARRAY_SIZE(all); g++) {
		char bytes[MORE * 4] __attribute__((aligned(8))) = { 0 };
		struct idm_error err;

		assert_true(g->size <= sizeof(bytes));
		for (size_t size = 0; size < g->least; size++) {
			memcpy(bytes, g->example, g->size);
			memcpy(bytes, &size, sizeof(size));
			assert_error(g->call(bytes, &err), -EINVAL, &err, NULL, NULL, NULL);
		}
	}
}

/* ---- elements of an array ---- */

static const char *const is_mounted[] = { "sh", "-c",
					  "mountpoint -q " SCRATCH "/a && mountpoint -q " SCRATCH "/b",
					  NULL };

static const struct idm_child_mount two_mounts[] = {
	{ .target = SCRATCH "/a", .fstype = "tmpfs", .tree_fd = -1 },
	{ .target = SCRATCH "/b", .fstype = "tmpfs", .tree_fd = -1 },
};

/* Copies both, or their beginnings, as elements of `size` bytes. `poison` is as for call_with(). */
static int mount_both(size_t size, size_t poison, struct idm_error *err)
{
	struct idm_child_options o = IDM_CHILD_OPTIONS_INIT;
	char elements[MORE * 4] __attribute__((aligned(8))) = { 0 };
	size_t known = size < sizeof(*two_mounts) ? size : sizeof(*two_mounts);

	assert_true(2 * size <= sizeof(elements));
	memcpy(elements, &two_mounts[0], known);
	memcpy(elements + size, &two_mounts[1], known);
	if (poison)
		elements[size + poison] = 1;
	o.path = "/bin/sh";
	o.argv = is_mounted;
	o.namespaces = IDM_NS_MOUNT;
	o.mounts = (const void *)elements;
	o.n_mounts = 2;
	o.mount_size = size;
	return start_child(&o, err);
}

TEST(the_elements_of_an_array_have_the_size_of_the_callers_header)
{
	size_t least = UP_TO(idm_child_mount, fstype), own = sizeof(struct idm_child_mount);
	struct idm_error err;

	fill_in();
	for (size_t size = least; size <= own + MORE; size += 8)
		assert_ok(mount_both(size, 0, &err), &err);
	for (size_t size = own + 8; size <= own + MORE; size += 8) {
		assert_error(mount_both(size, own, &err), -E2BIG, &err, "", "start program",
			     "mounts[1] requires a newer library");
		assert_error(mount_both(size, size - 1, &err), -E2BIG, &err, "", "start program",
			     "mounts[1] requires a newer library");
	}
}

TEST(elements_without_a_size_are_a_mistake)
{
	struct idm_error err;

	fill_in();
	for (size_t size = 0; size < sizeof(two_mounts->target); size++)
		assert_error(mount_both(size, 0, &err), -EINVAL, &err, "", "start program",
			     "expected sizeof(struct idm_child_mount) in mount_size");
}

/* ---- structs that the library provides, and that a program copies ---- */

/* The struct of a newer header, or of a newer library. */
struct longer_facts {
	struct idm_explain_options known;
	unsigned char more[16];
};

TEST(facts_are_copied_between_structs_of_different_sizes)
{
	struct longer_facts longer = { .known = IDM_EXPLAIN_OPTIONS_INIT };
	struct idm_explain_options given = IDM_EXPLAIN_OPTIONS_INIT, copy = IDM_EXPLAIN_OPTIONS_INIT;

	given.fsuid = 1000;
	given.fs_readonly = true;
	longer.known.size = sizeof(longer);
	memset(longer.more, 7, sizeof(longer.more));
	idm_explain_copy(&given, &longer.known);
	assert_int_equal(longer.known.size, sizeof(longer));
	assert_int_equal(longer.known.fsuid, 1000);
	assert_true(longer.known.fs_readonly);
	assert_int_equal(longer.more[0], 7);
	idm_explain_copy(&longer.known, &copy);
	assert_int_equal(copy.size, sizeof(copy));
	assert_int_equal(copy.fsuid, 1000);
	/* A shorter struct, as of an older program, keeps what is behind its end. */
	copy = (struct idm_explain_options)IDM_EXPLAIN_OPTIONS_INIT;
	copy.size = offsetof(struct idm_explain_options, new_uid);
	idm_explain_copy(&given, &copy);
	assert_int_equal(copy.size, offsetof(struct idm_explain_options, new_uid));
	assert_int_equal(copy.fsuid, 1000);
	assert_false(copy.fs_readonly);
}

/* ---- all of them ---- */

static const struct growing *find(const char *name)
{
	for (const struct growing *g = all; g < all + ARRAY_SIZE(all); g++)
		if (strcmp(g->name, name) == 0)
			return g;
	return NULL;
}

/* "struct NAME {" and then, as the first member, "size_t size;". */
TEST(none_is_forgotten)
{
	char path[4096], line[512], name[64], last[64] = "";
	size_t n = 0;
	FILE *header;

	snprintf(path, sizeof(path), "%s/include/idmount.h", getenv("IDM_SOURCE_ROOT"));
	header = fopen(path, "re");
	assert_non_null(header);
	while (fgets(line, sizeof(line), header)) {
		if (strncmp(line, "\tsize_t size;", 13) == 0 && last[0] && !strstr(last, "_info")) {
			n++;
			if (!find(last))
				fail_msg("struct %s is not tested here", last);
		}
		last[0] = '\0';
		if (sscanf(line, "struct %63[a-z0-9_] {", name) == 1 && strstr(line, "{\n"))
			strcpy(last, name);
	}
	fclose(header);
	assert_int_equal(n, ARRAY_SIZE(all));
}
