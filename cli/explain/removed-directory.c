// SPDX-License-Identifier: MIT
/* A removed directory, as one that a container still has as a volume. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "lib/sys/syscall.h"
#include "verdict.h"

/* Servers count links in ways of their own, and so do filesystems of the kernel. */
static bool is_removed_directory(const struct verdict *v)
{
	struct statx st;

	return !(v->place->unseen & (IDM_UNSEEN_SERVER | IDM_UNSEEN_FS_RULES)) &&
	       idm_sys_statx(v->place->fd, "", AT_EMPTY_PATH, STATX_NLINK, &st) == 0 &&
	       st.stx_mask & STATX_NLINK && st.stx_nlink == 0;
}

/* The kernel looks the new name up first, which requires the search. Other rules come after it. */
static bool is_search_allowed(const struct verdict *v)
{
	struct idm_explain_options facts = v->facts;
	struct idm_explain_result result = IDM_EXPLAIN_RESULT_INIT;

	facts.access = IDM_ACCESS_EXECUTE;
	return idm_explain(&facts, &result, NULL) == 0 && !result.errnum;
}

void refuse_removed_directory(struct verdict *v)
{
	if (v->facts.access == IDM_ACCESS_CREATE && !v->is_unknown && is_removed_directory(v) &&
	    is_search_allowed(v))
		refuse_for_reason(v, ENOENT, "the directory has been removed");
}
