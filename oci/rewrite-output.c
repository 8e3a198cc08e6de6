// SPDX-License-Identifier: MIT
#include "rewrite.h"

#include <string.h>

#include "hook-output.h"

static bool has_members(const struct idm_json *object, const char *key)
{
	struct idm_json list, item = { 0 };

	return idm_json_member(object, key, &list) && idm_json_type(&list) == IDM_JSON_ARRAY &&
	       idm_json_each(&list, &item);
}

/*
 * crun opens the file for the hooks of each of its commands. start and delete can have a standard error
 * that cannot be opened, and would fail.
 */
static bool has_later_hooks(const struct rewrite *rw)
{
	struct idm_json hooks;

	return idm_json_member(&rw->whole, "hooks", &hooks) &&
	       (has_members(&hooks, "poststart") || has_members(&hooks, "poststop"));
}

/* Returns whether the annotation exists. It names `file` then, or one that `keep` allows. */
static bool replace_output_file(struct rewrite *rw, const char *key, const char *file,
				bool (*keep)(const char *file))
{
	struct idm_json annotations, old;
	const char *name = "";

	if (!idm_json_member(&rw->whole, "annotations", &annotations) ||
	    !idm_json_member(&annotations, key, &old))
		return false;
	idm_json_string(&old, &name, NULL);
	if (strcmp(name, file) == 0 || (keep && keep(name)))
		return true;
	edit_replace(&rw->edits, &old, text_of("\"%s\"", file));
	if (rw->config->output_replaced)
		*rw->config->output_replaced = true;
	return true;
}

void rewrite_hook_output(struct rewrite *rw)
{
	static const char *const keys[] = { "annotations", OCI_HOOK_STDERR };

	replace_output_file(rw, OCI_HOOK_STDOUT, "/dev/null", is_output_of_runtime);
	if (!rw->config->hook_stderr || has_later_hooks(rw))
		replace_output_file(rw, OCI_HOOK_STDERR, "/dev/null", is_output_of_runtime);
	else if (!replace_output_file(rw, OCI_HOOK_STDERR, "/dev/stderr", NULL))
		edit_set(&rw->edits, keys, 2, text_of("\"/dev/stderr\""));
}
