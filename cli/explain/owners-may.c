// SPDX-License-Identifier: MIT
/* What each owner of files may do with the directory that the table is about. */
#include <string.h>

#include "layer.h"
#include "lib/base/macros.h"
#include "owners.h"

/* Another user or group than those of files. No program assigns such an ID. */
#define UNUSED_ID 4294967293U

/* A process of this user in an unused group, or of an unused user in this group. */
static void become_owner(const struct verdict *v, const struct owner *o,
			 struct idm_explain_options *facts)
{
	bool is_user = o->kind == IDM_UID;

	facts->fsuid = is_user ? o->seen : UNUSED_ID;
	facts->fsgid = is_user ? UNUSED_ID : o->seen;
	facts->groups = NULL;
	facts->n_groups = 0;
	facts->capabilities = is_user ? user_capabilities(v->subject, v->place, o->inside) : 0;
}

/* The overlay's layers decide, too. */
static bool is_layer_unknown(struct verdict *v)
{
	return is_on_overlay(v) && !v->result.errnum && !judge_layer(v);
}

static char judge_owner(const struct verdict *v, const struct owner *o, enum idm_access access,
			char letter)
{
	struct verdict own = *v;

	become_owner(v, o, &own.facts);
	own.facts.access = access;
	own.accesses = 1U << access;
	if (fill_in_verdict(&own, NULL) < 0 || is_layer_unknown(&own) || own.is_unknown)
		return '?';
	return own.result.errnum ? '-' : letter;
}

static void find_permissions_of(const struct verdict *v, struct owner *o)
{
	static const struct {
		enum idm_access access;
		char letter;
	} accesses[] = { { IDM_ACCESS_READ, 'r' },
			 { IDM_ACCESS_WRITE, 'w' },
			 { IDM_ACCESS_EXECUTE, 'x' } };

	for (size_t i = 0; i < ARRAY_SIZE(accesses); i++)
		o->may[i] = judge_owner(v, o, accesses[i].access, accesses[i].letter);
	o->may[ARRAY_SIZE(accesses)] = '\0';
}

void find_permissions(const struct verdict *v, struct owners *owners)
{
	size_t most = is_on_overlay(v) ? OWNERS_JUDGED_ON_OVERLAY : owners->n;

	for (size_t i = 0; i < owners->n; i++) {
		struct owner *o = &owners->list[i];

		if (o->inside == IDM_EXPLAIN_NO_ID)
			*o->may = '\0';
		else if (i < most)
			find_permissions_of(v, o);
		else
			strcpy(o->may, "???");
	}
}
