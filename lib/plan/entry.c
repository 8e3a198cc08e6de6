// SPDX-License-Identifier: MIT
/* One entry of a plan: its names, and its release. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/macros.h"
#include "plan.h"

void idm_plan_entry_free(struct idm_plan_entry *entry)
{
	for (size_t i = 0; i < entry->n_option_texts; i++)
		free(entry->option_texts[i]);
	free(entry->option_texts);
	free(entry->source);
	free(entry->target);
	free(entry->options);
	free(entry->lower);
	free(entry->data);
	idm_map_free(entry->map);
	idm_close_fd(&entry->dirfd);
}

const char *idm_plan_entry_name(const struct idm_plan_entry *entry, char *buf, size_t size)
{
	static const char *const kinds[] = {
		[IDM_PLAN_ENTRY_BIND] = "bind", [IDM_PLAN_ENTRY_OVERLAY] = "overlay"
	};

	snprintf(buf, size, "%s on /%s",
		 entry->kind == IDM_PLAN_ENTRY_FILESYSTEM ? entry->filesystem->name : kinds[entry->kind],
		 entry->target);
	return buf;
}

/* "/", ".", "./." and the like. */
static bool is_root_path(const char *path)
{
	for (path += strspn(path, "/"); *path; path += strspn(path, "/")) {
		if (*path != '.' || (path[1] && path[1] != '/'))
			return false;
		path++;
	}
	return true;
}

const char *idm_trim_target(const char *target, size_t *n)
{
	if (!target)
		target = "";
	target += strspn(target, "/");
	*n = is_root_path(target) ? 0 : strlen(target);
	while (*n && target[*n - 1] == '/')
		--*n;
	return target;
}
