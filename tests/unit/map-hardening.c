// SPDX-License-Identifier: MIT
/* Which mounts are hardened, and by which ID. */
#include "lib/base/macros.h"
#include "tests/lib/maps.h"

#define BOTH (IDM_ATTR_NOSUID | IDM_ATTR_NODEV)

static const struct
try {
	const char *map, *container;
	struct idm_hardening_info why;
}
tries[] = {
	/* As they are. */
	{ NULL, NULL, { 0 } },
	{ "0:0:1", NULL, { 0 } },
	{ "0:0:4294967295", NULL, { 0 } },
	{ "0:0:5,9:9:7,4294967294:4294967294:1", NULL, { 0 } },
	{ "u:5:5:1,g:6:6:1", NULL, { 0 } },
	/* As another one: the first one, unless there is root. */
	{ "4321:4322:1", NULL, { IDM_UID, 4321, 4322 } },
	{ "0:100000:65536", NULL, { IDM_UID, 0, 100000 } },
	{ "0:0:1,5:6:1,9:1:1", NULL, { IDM_UID, 5, 6 } },
	{ "5:6:1,9:0:3", NULL, { IDM_UID, 9, 0 } },
	{ "u:0:0:1,g:4321:42:1", NULL, { IDM_GID, 4321, 42 } },
	{ "u:5:6:1,g:7:0:1", NULL, { IDM_GID, 7, 0 } },
	{ "u:5:0:1,g:7:0:1", NULL, { IDM_UID, 5, 0 } },
	{ "u:0:1:1,g:0:0:1", NULL, { IDM_UID, 0, 1 } },
	{ "4294967294:0:1", NULL, { IDM_UID, 4294967294, 0 } },
	{ "0:4294967294:1", NULL, { IDM_UID, 0, 4294967294 } },
	/* In the IDs of a container. */
	{ "0:100000:65536", "0:100000:65536", { 0 } },
	{ "5:100005:10", "0:100000:65536", { 0 } },
	{ "1000:100000:1", "0:100000:65536", { IDM_UID, 1000, 0 } },
	{ "1000:1000:1", "0:100000:65536", { IDM_UID, 1000, 1000 } },
	{ "0:0:1", "0:100000:65536", { IDM_UID, 0, 0 } },
	{ "0:100000:65537", "0:100000:65536", { IDM_UID, 65536, 165536 } },
	{ "0:99999:2", "0:100000:65536", { IDM_UID, 1, 0 } },
	{ "0:1000:1,1:100000:9", "0:1000:1,1:100000:65536", { 0 } },
	{ "0:100000:20", "0:100010:10,10:100000:10", { IDM_UID, 10, 0 } },
	{ "0:100000:20", "0:100000:10,20:100010:10", { IDM_UID, 10, 20 } },
	{ "u:0:100000:9,g:0:100001:9", "0:100000:65536", { IDM_GID, 0, 1 } },
	{ "u:0:100000:9,g:1:200000:9", "u:0:100000:65536,g:0:200000:65536", { IDM_GID, 1, 0 } },
};

static void try(const struct try *t, enum idm_harden_as as, uint32_t safe,
		const struct idm_hardening_info *why)
{
	AUTO_MAP struct idm_map *map = t->map ? map_of(t->map) : NULL;
	AUTO_MAP struct idm_map *container = t->container ? map_of(t->container) : NULL;
	struct idm_hardening_info other = { 9, 9, 9 };

	assert_int_equal(idm_map_hardening(map, as, container, &other), why->kind ? BOTH : safe);
	assert_int_equal(other.kind, why->kind);
	assert_int_equal(other.disk, why->disk);
	assert_int_equal(other.seen, why->seen);
	assert_int_equal(idm_map_hardening(map, as, container, NULL), why->kind ? BOTH : safe);
}

TEST(a_mount_is_hardened_if_an_id_appears_as_another_one)
{
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		try(&tries[i], IDM_HARDEN_MOUNT, 0, &tries[i].why);
}

TEST(a_bind_is_nodev_in_any_case)
{
	for (size_t i = 0; i < ARRAY_SIZE(tries); i++)
		try(&tries[i], IDM_HARDEN_BIND, IDM_ATTR_NODEV, &tries[i].why);
}

TEST(a_root_keeps_set_user_id_programs_that_do_not_become_roots)
{
	static const struct idm_hardening_info none = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		const struct idm_hardening_info *why = &tries[i].why;
		bool is_other_as_root = why->kind && why->disk && !why->seen;

		/* The container does not have this one at all. */
		if (why->disk == why->seen && why->kind)
			is_other_as_root = false;
		if (!why->disk && !why->seen)
			is_other_as_root = false;
		try(&tries[i], IDM_HARDEN_ROOT, IDM_ATTR_NODEV, is_other_as_root ? why : &none);
	}
}
