// SPDX-License-Identifier: MIT
#include "maps.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/macros.h"
#include "lib/sys/syscall.h"
#include "scratch.h"

struct idm_map *map_of(const char *text)
{
	struct idm_error err;
	struct idm_map *map;

	assert_ok(idm_map_new(&map), NULL);
	if (*text)
		assert_ok(idm_map_parse(map, text, 0, &err), &err);
	return map;
}

char *map_text(const struct idm_map *map, enum idm_format format, unsigned int kinds)
{
	ssize_t n = assert_ok(idm_map_print(map, format, kinds, NULL, 0), NULL);
	char *text = malloc((size_t)n + 1);

	assert_non_null(text);
	assert_int_equal(idm_map_print(map, format, kinds, text, (size_t)n + 1), n);
	return text;
}

void assert_map_at(const char *file, int line, const char *what, const struct idm_map *map,
		   const char *text)
{
	AUTO_FREE char *actual = map_text(map, IDM_FORMAT_TEXT, IDM_BOTH);

	assert_string_at(file, line, what, actual, text);
}

void assert_same_map_at(const char *file, int line, const struct idm_map *actual,
			const struct idm_map *expected)
{
	AUTO_FREE char *a = map_text(actual, IDM_FORMAT_TEXT, IDM_BOTH);
	AUTO_FREE char *b = map_text(expected, IDM_FORMAT_TEXT, IDM_BOTH);

	assert_string_at(file, line, "the map", a, b);
	if (!idm_map_equal(actual, expected))
		fail_at(file, line, "two maps print the same, but are not equal");
}

static void add_random(struct idm_map *map, unsigned int kind, struct rng *rng, uint32_t most,
		       uint32_t bound)
{
	uint32_t longest = bound / 4 + 1, n = rng_below(rng, most + 1);
	struct idm_entry e = { 0 };

	for (uint32_t i = 0; i < n; i++) {
		if (e.count && rng_below(rng, 3) == 0) /* a neighbour of the one before */
			e = (struct idm_entry){ e.disk + e.count, e.seen + e.count, 1 };
		else
			e = (struct idm_entry){ rng_below(rng, bound), rng_below(rng, bound),
						1 + rng_below(rng, longest) };
		if (e.disk < bound && e.seen < bound && e.count <= bound - e.disk &&
		    e.count <= bound - e.seen)
			(void)idm_map_add(map, kind, &e, 1, NULL); /* refused where it overlaps */
	}
}

struct idm_map *random_map(struct rng *rng, uint32_t most, uint32_t bound)
{
	struct idm_map *map;

	assert_ok(idm_map_new(&map), NULL);
	add_random(map, IDM_UID, rng, most, bound);
	if (rng_below(rng, 4))
		add_random(map, IDM_GID, rng, most, bound);
	else
		add_random(map, IDM_BOTH, rng, most, bound);
	return map;
}

/* ---- user namespaces ---- */

int userns_of(const char *text)
{
	AUTO_MAP struct idm_map *map = map_of(text);
	struct idm_error err;

	return (int)assert_ok(idm_userns_open(map, 0, &err), &err);
}

static void read_side(const char *path, unsigned int kind, struct idm_map *map)
{
	AUTO_CLOSE int fd = (int)must(open(path, O_RDONLY | O_CLOEXEC));
	char text[16384];
	size_t n = 0;

	for (ssize_t r; (r = must(read(fd, text + n, sizeof(text) - 1 - n))) > 0;)
		n += (size_t)r;
	text[n] = '\0';
	if (n)
		assert_ok(idm_map_parse_kernel(map, kind, text, NULL), NULL);
}

struct expectation {
	const char *file;
	int line, userns;
	const struct idm_map *map;
};

static void join_and_compare(void *data)
{
	const struct expectation *e = data;
	AUTO_MAP struct idm_map *map = map_of("");

	if (setns(e->userns, CLONE_NEWUSER) < 0)
		fail_at(e->file, e->line, "cannot join the user namespace: %s", strerror(errno));
	read_side("/proc/self/uid_map", IDM_UID, map);
	read_side("/proc/self/gid_map", IDM_GID, map);
	assert_same_map_at(e->file, e->line, map, e->map);
}

void assert_userns_at(const char *file, int line, int userns, const struct idm_map *map)
{
	in_child(join_and_compare, &(struct expectation){ file, line, userns, map });
}

int ownership_probe(unsigned int files)
{
	char name[sizeof(SCRATCH) + 32];

	scratch_dir(SCRATCH "/probe");
	for (unsigned int i = 0; i < files; i++) {
		snprintf(name, sizeof(name), SCRATCH "/probe/%u", i);
		scratch_file(name, "");
		must(chown(name, i, i));
	}
	return (int)must(open(SCRATCH "/probe", O_PATH | O_CLOEXEC));
}

int ownership_clone(int probe, int userns)
{
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };
	AUTO_CLOSE int clone = idm_sys_open_tree(probe, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);

	assert_ok(clone, NULL);
	assert_ok(idm_sys_mount_setattr(clone, "", AT_EMPTY_PATH, &attr), NULL);
	return idm_steal_fd(&clone);
}

struct owner owner_seen(int clone, unsigned int file)
{
	char name[16];
	struct stat st;

	snprintf(name, sizeof(name), "%u", file);
	must(fstatat(clone, name, &st, AT_SYMLINK_NOFOLLOW));
	return (struct owner){ st.st_uid, st.st_gid };
}

void namespaces_without_mounts(void)
{
	static const unsigned int ways[] = { 0, IDM_USERNS_ZOMBIE, IDM_USERNS_LIVE,
					     IDM_USERNS_OWN_MEMORY };
	AUTO_MAP struct idm_map *map = map_of("u:0:5000:2,g:1:7000:2");
	AUTO_CLOSE int probe = -1;

	scratch_enter();
	probe = ownership_probe(1);
	for (size_t w = 0; w < ARRAY_SIZE(ways); w++) {
		struct idm_error err;
		AUTO_CLOSE int userns = idm_userns_open(map, ways[w], &err);
		AUTO_CLOSE int clone = idm_sys_open_tree(probe, "", OPEN_TREE_CLONE | AT_EMPTY_PATH);
		struct mount_attr attr = { .attr_set = MOUNT_ATTR_IDMAP, .userns_fd = (uint64_t)userns };

		assert_ok(userns, &err);
		assert_ok(clone, NULL);
		assert_userns(userns, map);
		assert_int_equal(idm_sys_mount_setattr(clone, "", AT_EMPTY_PATH, &attr), -ENOSYS);
	}
}

void mounts_are_not_mapped(void)
{
	untried("the kernel maps no mount");
}

void maps_are_not_read(void)
{
	untried("the kernel does not tell the map of a mount");
}
