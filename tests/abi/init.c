// SPDX-License-Identifier: MIT
/*
 * The functions that set defaults, for programs of every age. In one of this age they do what the macro
 * does. They write nothing behind an older program's struct. What is new in a newer one's is 0.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "tests/lib/test.h"

#define MORE 64
#define GUARD 0xa5

/* ---- the structs ---- */

#define INIT_FUNCTION(name)                                    \
	static void init_##name(void *to, size_t size)         \
	{                                                      \
		idm_##name##_init(to, size);                   \
	}                                                      \
	static const struct idm_##name default_##name

INIT_FUNCTION(tree_options) = IDM_TREE_OPTIONS_INIT;
INIT_FUNCTION(attach_options) = IDM_ATTACH_OPTIONS_INIT;
INIT_FUNCTION(mount_options) = IDM_MOUNT_OPTIONS_INIT;
INIT_FUNCTION(overlay_options) = IDM_OVERLAY_OPTIONS_INIT;
INIT_FUNCTION(plan_add_options) = IDM_PLAN_ADD_OPTIONS_INIT;
INIT_FUNCTION(plan_read_options) = IDM_PLAN_READ_OPTIONS_INIT;
INIT_FUNCTION(plan_apply_options) = IDM_PLAN_APPLY_OPTIONS_INIT;
INIT_FUNCTION(check_result) = IDM_CHECK_RESULT_INIT;
INIT_FUNCTION(explain_inode) = IDM_EXPLAIN_INODE_INIT;
INIT_FUNCTION(explain_options) = IDM_EXPLAIN_OPTIONS_INIT;
INIT_FUNCTION(explain_result) = IDM_EXPLAIN_RESULT_INIT;
INIT_FUNCTION(child_mount) = IDM_CHILD_MOUNT_INIT;

static const struct idm_child_options default_child_options = IDM_CHILD_OPTIONS_INIT;

static void init_child_options(void *to, size_t size)
{
	idm_child_options_init(to, size, sizeof(struct idm_child_mount));
}

static const struct initialised {
	const char *name;
	void (*init)(void *to, size_t size);
	const void *defaults;
	size_t size;
	bool has_size;
} all[] = {
#define ENTRY(name, has_size)                                                                     \
	{                                                                                         \
		"IDM_" #name, init_##name, &default_##name, sizeof(struct idm_##name), has_size   \
	}
	ENTRY(tree_options, true),	ENTRY(attach_options, true),   ENTRY(mount_options, true),
	ENTRY(overlay_options, true),	ENTRY(plan_add_options, true), ENTRY(plan_read_options, true),
	ENTRY(plan_apply_options, true), ENTRY(check_result, true),    ENTRY(explain_inode, true),
	ENTRY(explain_options, true),	ENTRY(explain_result, true),   ENTRY(child_mount, false),
	ENTRY(child_options, true),
};

/* ---- what they write ---- */

static void assert_initialised(const struct initialised *s, size_t size)
{
	unsigned char bytes[1024] __attribute__((aligned(8))), expected[1024];
	size_t known = size < s->size ? size : s->size;

	assert_true(size + MORE <= sizeof(bytes));
	memset(bytes, GUARD, sizeof(bytes));
	memset(expected, GUARD, sizeof(expected));
	memset(expected, 0, size);
	memcpy(expected, s->defaults, known);
	if (s->has_size && size >= sizeof(size))
		memcpy(expected, &size, sizeof(size));
	s->init(bytes, size);
	for (size_t i = 0; i < sizeof(bytes); i++)
		if (bytes[i] != expected[i])
			fail_msg("%s with %zu bytes: byte %zu is %u instead of %u", s->name, size, i, bytes[i],
				 expected[i]);
}

TEST(they_have_the_size_of_the_callers_header)
{
	for (const struct initialised *s = all; s < all + ARRAY_SIZE(all); s++) {
		for (size_t size = 0; size <= s->size + MORE; size++)
			assert_initialised(s, size);
		proof("abi", s->size + MORE + 1, "sizes of structs that get their defaults");
	}
}

TEST(children_have_the_size_of_the_callers_mounts)
{
	struct idm_child_options o;

	idm_child_options_init(&o, sizeof(o), 1234);
	assert_int_equal(o.mount_size, 1234);
	assert_int_equal(o.staging_fd, -1);
}

/* What a newer header has -1 for would be refused by this library, and what is 0 is not. */
TEST(a_newer_programs_options_are_accepted)
{
	struct {
		struct idm_tree_options known;
		int newer_fd;
	} options = { .newer_fd = -1 };
	struct idm_error err;
	int tree;

	idm_tree_options_init(&options.known, sizeof(options));
	assert_int_equal(options.known.size, sizeof(options));
	tree = idm_tree_open(AT_FDCWD, "/no/such/path", -1, &options.known, &err);
	assert_error(tree, -ENOENT, &err, "/no/such/path", NULL, NULL);
}

/* ---- all of them ---- */

static bool is_tested(const char *macro)
{
	for (const struct initialised *s = all; s < all + ARRAY_SIZE(all); s++)
		if (strlen(macro) == strlen(s->name) + strlen("_INIT") &&
		    strncasecmp(macro, s->name, strlen(s->name)) == 0)
			return true;
	return false;
}

/* "#define IDM_NAME_INIT \". */
TEST(none_is_forgotten)
{
	char path[4096], line[512], macro[128];
	size_t n = 0;
	FILE *header;

	snprintf(path, sizeof(path), "%s/include/idmount.h", getenv("IDM_SOURCE_ROOT"));
	header = fopen(path, "re");
	assert_non_null(header);
	while (fgets(line, sizeof(line), header)) {
		if (sscanf(line, "#define %127[A-Z_]", macro) != 1 || strlen(macro) < 5 ||
		    strcmp(macro + strlen(macro) - 5, "_INIT") != 0 || !strstr(line, "\\\n"))
			continue;
		n++;
		if (!is_tested(macro))
			fail_msg("%s has no function here", macro);
	}
	fclose(header);
	assert_int_equal(n, ARRAY_SIZE(all));
}
