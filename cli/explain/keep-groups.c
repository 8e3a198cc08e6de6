// SPDX-License-Identifier: MIT
/* A rootless container lacks the supplementary groups of its user, unless podman keeps them. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cure-text.h"
#include "lib/base/macros.h"
#include "verdict.h"

#define GROUPS_MOST 65536

static bool is_own_group(uint32_t gid)
{
	AUTO_FREE gid_t *groups = calloc(GROUPS_MOST, sizeof(*groups));
	int n = groups ? getgroups(GROUPS_MOST, groups) : 0;

	for (int i = 0; i < n; i++)
		if (groups[i] == gid)
			return true;
	return false;
}

/* The group of what refuses, as the process meets it. */
static uint32_t find_refusing_group(const struct verdict *v)
{
	uint32_t gid = refusing_inode(v)->gid, seen;

	if (!v->facts.mount_map || gid == IDM_EXPLAIN_NO_ID)
		return gid;
	return idm_map_to_seen(v->facts.mount_map, IDM_GID, gid, &seen) == 0 ? seen : IDM_EXPLAIN_NO_ID;
}

static bool is_allowed_with_group(const struct verdict *v, uint32_t gid)
{
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;
	AUTO_FREE uint32_t *groups = calloc(facts.n_groups + 1, sizeof(*groups));

	if (!groups)
		return false;
	if (facts.n_groups)
		memcpy(groups, facts.groups, facts.n_groups * sizeof(*groups));
	groups[facts.n_groups++] = gid;
	facts.groups = groups;
	return idm_explain(&facts, &result, NULL) == 0 && !result.rule;
}

bool describe_kept_groups(const struct verdict *v, char *text, size_t size)
{
	uint32_t gid;

	if (v->result.rule != IDM_RULE_PERMISSION || v->is_unknown || !is_in_own_podman(v->subject))
		return false;
	gid = find_refusing_group(v);
	return gid != IDM_EXPLAIN_NO_ID && is_own_group(gid) && is_allowed_with_group(v, gid) &&
	       write_cure(text, size, "run a new container with %s--group-add keep-groups",
			  has_podman_runc(v->subject) ? "--runtime crun " : "");
}
