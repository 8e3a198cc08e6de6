// SPDX-License-Identifier: MIT
#include "plans.h"

#include <string.h>

#include "fuzz.h"

/* The target is below the root. It contains no "..", and does not begin with a slash. */
static void check_target(const char *target)
{
	CHECK(*target != '/');
	for (const char *s = target; s; s = strchr(s, '/')) {
		s += *s == '/';
		CHECK(strncmp(s, "..", 2) != 0 || (s[2] && s[2] != '/'));
	}
}

static void check_entry(const struct idm_plan_entry *entry, bool first)
{
	char name[IDM_PLAN_ENTRY_NAME];

	check_target(entry->target);
	CHECK(!first || !*entry->target);
	CHECK(*idm_plan_entry_name(entry, name, sizeof(name)));
	CHECK(!(entry->top.set & entry->top.clear & ~IDM_ATTR_ATIME));
	CHECK(!(entry->deep.set & entry->deep.clear & ~IDM_ATTR_ATIME));
	if (entry->kind == IDM_PLAN_ENTRY_FILESYSTEM)
		CHECK(entry->filesystem);
	if (entry->kind == IDM_PLAN_ENTRY_BIND)
		CHECK(entry->source && !entry->n_options);
	if (entry->kind == IDM_PLAN_ENTRY_OVERLAY)
		CHECK(entry->n_lower && !entry->upper == !entry->work);
	if (!entry->map)
		return;
	CHECK(idm_map_check(entry->map, NULL) == 0);
	check_map(entry->map);
}

static bool same_string(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_entry(const struct idm_plan_entry *a, const struct idm_plan_entry *b)
{
	return a->kind == b->kind && a->filesystem == b->filesystem && a->flags == b->flags &&
	       same_string(a->source, b->source) && same_string(a->target, b->target) &&
	       a->recursive == b->recursive && a->loop == b->loop && a->top.set == b->top.set &&
	       a->top.clear == b->top.clear && a->deep.set == b->deep.set &&
	       a->deep.clear == b->deep.clear && a->propagation == b->propagation &&
	       a->map_scope == b->map_scope && a->n_options == b->n_options &&
	       a->n_lower == b->n_lower && a->n_data == b->n_data && !a->map == !b->map &&
	       (!a->map || idm_map_equal(a->map, b->map));
}

bool same_plan(const struct idm_plan *a, const struct idm_plan *b)
{
	bool same = a->n == b->n;

	for (size_t i = 0; same && i < a->n; i++)
		same = same_entry(&a->entries[i], &b->entries[i]);
	return same;
}

void check_plan(const struct idm_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		check_entry(&plan->entries[i], i == 0);
}

/* Reads into a plan, also into one with a mount. On failure only that mount is left. */
static int read_as(struct idm_plan *plan, enum idm_plan_format format, const struct idm_map *map,
		   const char *text, size_t size)
{
	struct idm_plan_read_options how = IDM_PLAN_READ_OPTIONS_INIT;
	struct idm_plan_add_options root = IDM_PLAN_ADD_OPTIONS_INIT;
	struct idm_error err;
	int r;

	how.format = format;
	how.map = map;
	r = idm_plan_read(plan, text, size, &how, &err);
	if (r == 0) {
		check_plan(plan);
		return 0;
	}
	CHECK_ERROR(r, &err);
	CHECK(plan->n == 0);

	root.type = "tmpfs";
	CHECK(idm_plan_add(plan, &root, NULL) == 0);
	r = idm_plan_read(plan, text, size, &how, NULL);
	CHECK(r < 0 ? plan->n == 1 : plan->n > 1);
	idm_plan_truncate(plan, 0);
	return -err.errnum;
}

static void free_plan(struct idm_plan **plan)
{
	idm_plan_free(*plan);
}

#define AUTO_PLAN __attribute__((cleanup(free_plan)))

/* The library reads the same plan if the caller does not state the format. */
static void check_form(const struct idm_plan *known, const char *text, size_t size)
{
	AUTO_PLAN struct idm_plan *plan = NULL;

	CHECK(idm_plan_new(&plan) == 0);
	CHECK(read_as(plan, IDM_PLAN_READ_ANY, NULL, text, size) == 0);
	CHECK(same_plan(plan, known));
}

void check_plan_text(enum idm_plan_format format, const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	AUTO_PLAN struct idm_plan *plain = NULL;
	AUTO_PLAN struct idm_plan *mapped = NULL;
	AUTO_MAP struct idm_map *map = empty_map();

	CHECK(idm_map_parse(map, "0:100000:65536", 0, NULL) == 0);
	CHECK(idm_plan_new(&plain) == 0);
	CHECK(idm_plan_new(&mapped) == 0);
	if (read_as(plain, format, NULL, text, size) == 0) {
		check_form(plain, text, size);
		(void)idm_plan_harden(plain, NULL, NULL);
		CHECK(idm_plan_harden(plain, NULL, NULL) == 0); /* the plan is hardened already */
	}
	read_as(mapped, format, map, text, size);
}
