// SPDX-License-Identifier: MIT
/*
 * The kernel shows one ID, 65534, for three kinds of owners: that user, one without a number in the
 * caller's user namespace, and none at all. If the caller cannot tell them apart, each of them is
 * judged.
 */
#include "layer.h"
#include "lib/base/macros.h"
#include "lib/sys/capability.h"

#define HIDDEN_OWNER (IDM_EXPLAIN_NO_ID - 1)

/* What an ID of the facts can stand for. The first one is that of the facts. */
struct owner_cases {
	struct owner_case {
		uint32_t id;
		const char *text; /* after "unless" or "if" */
	} list[3];
	size_t n;
	uint32_t *id;
};

/* The owner and the group, and those of the directory. */
struct owner_guess {
	struct idm_explain_options facts;
	struct idm_explain_inode inode, directory;
	struct owner_cases cases[4];
	const char *base_text, *text; /* of the first ID that differs from the facts */
};

bool may_lack_owner(const struct verdict *v)
{
	return v->place->unseen & IDM_UNSEEN_OWNER && !v->has_certain_owner && !v->facts.mount_map &&
	       (is_on_overlay(v) || v->facts.fs_map);
}

/* ---- what an ID can stand for ---- */

static void add_owner_case(struct owner_cases *cases, uint32_t id, const char *text)
{
	for (size_t i = 0; i < cases->n; i++)
		if (cases->list[i].id == id)
			return;
	cases->list[cases->n++] = (struct owner_case){ id, text };
}

static void add_owner_cases(const struct verdict *v, unsigned int kind, struct owner_cases *cases)
{
	const struct idm_map *map = v->facts.mount_map;
	uint32_t shown = idm_overflow_id(kind);

	if (!map || idm_map_to_disk(map, kind, idm_overflow_id(kind), &shown) == 0)
		add_owner_case(cases, shown, "the file has the owner that is shown");
	if (!map && !idm_in_initial_userns())
		add_owner_case(cases, HIDDEN_OWNER,
			       "its owner has no number in the caller's user namespace");
	if (map || is_on_overlay(v) || v->facts.fs_map)
		add_owner_case(cases, IDM_EXPLAIN_NO_ID, "the file has no owner");
}

/* Moves the one of the facts to the front. Without it, the ID is certain. */
static void list_owner_cases(const struct verdict *v, unsigned int kind, uint32_t *id,
			     struct owner_cases *cases)
{
	*cases = (struct owner_cases){ .id = id };
	add_owner_cases(v, kind, cases);
	for (size_t i = 0; i < cases->n; i++) {
		struct owner_case found = cases->list[i];

		if (found.id != *id)
			continue;
		cases->list[i] = cases->list[0];
		cases->list[0] = found;
		return;
	}
	cases->list[0].id = *id;
	cases->n = 1;
}

/* ---- all of them ---- */

static void begin_guess(const struct verdict *v, struct owner_guess *guess)
{
	const struct idm_explain_inode none = IDM_EXPLAIN_INODE_INIT;

	guess->facts = v->facts;
	guess->inode = *v->facts.inode;
	guess->directory = v->facts.directory ? *v->facts.directory : none;
	guess->facts.inode = &guess->inode;
	guess->facts.directory = v->facts.directory ? &guess->directory : NULL;
	list_owner_cases(v, IDM_UID, &guess->inode.uid, &guess->cases[0]);
	list_owner_cases(v, IDM_GID, &guess->inode.gid, &guess->cases[1]);
	list_owner_cases(v, IDM_UID, &guess->directory.uid, &guess->cases[2]);
	list_owner_cases(v, IDM_GID, &guess->directory.gid, &guess->cases[3]);
}

static size_t count_guesses(const struct owner_guess *guess)
{
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(guess->cases); i++)
		n *= guess->cases[i].n;
	return n;
}

/* Sets the IDs of guess `number`. Number 0 is that of the facts. */
static void set_guess(struct owner_guess *guess, size_t number)
{
	guess->text = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(guess->cases); i++) {
		const struct owner_cases *cases = &guess->cases[i];
		size_t index = number % cases->n;

		*cases->id = cases->list[index].id;
		if (index && !guess->text) {
			guess->text = cases->list[index].text;
			guess->base_text = cases->list[0].text;
		}
		number /= cases->n;
	}
}

/* If another guess only has another errno, the verdict is that of the facts. */
static void compare_guess(const struct owner_guess *guess, struct verdict *v)
{
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	if (idm_explain(&guess->facts, &result, NULL) < 0 || result.errnum == v->result.errnum)
		return;
	v->is_unknown = !result.errnum || !v->result.errnum;
	v->doubt = v->result.errnum ? guess->text : guess->base_text;
	if (!v->is_unknown && !v->other_errnum) {
		v->other_errnum = result.errnum;
		v->other_case = guess->text;
	}
	if (!v->result.errnum)
		v->result = result;
}

void doubt_owner(struct verdict *v)
{
	struct owner_guess guess;

	if (v->is_unknown || !(v->place->unseen & IDM_UNSEEN_OWNER) || v->has_certain_owner)
		return;
	begin_guess(v, &guess);
	/* The last one has neither an owner nor a group, if that can be. */
	for (size_t number = count_guesses(&guess) - 1; number && !v->is_unknown; number--) {
		set_guess(&guess, number);
		compare_guess(&guess, v);
	}
	if (v->is_unknown)
		v->other_errnum = 0;
}
