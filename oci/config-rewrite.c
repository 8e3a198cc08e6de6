// SPDX-License-Identifier: MIT
#include "config-rewrite.h"

#include <errno.h>
#include <stdlib.h>

#include "oci.h"
#include "rewrite.h"

/*
 * The hook reads the map when the container has joined. If the file cannot be read here, an entry stands
 * for it.
 */
static int map_of_joined(void *data, const char *userns, struct idm_map *map, struct idm_error *err)
{
	static const struct idm_entry one = { 0, 0, 1 };

	(void)data;
	if (*userns == '/' && idm_map_parse(map, userns, IDM_MAP_PARSE_LOOKUP, NULL) == 0)
		return 0;
	return idm_map_add(map, IDM_BOTH, &one, 1, err);
}

/*
 * Rejects here, before any program runs, all that the hook would reject. Both texts have the same
 * annotations, so only one of them is judged.
 */
static int check_parsed(const struct rewrite *rw, struct idm_json_text *parsed, size_t n_requests,
			bool last)
{
	const struct config *config = rw->config;
	const struct idm_oci_text how = {
		.dirfd = config->dirfd,
		.joined_map = map_of_joined,
		.requests = rw->requests,
		.n_requests = n_requests,
		.handler = config->handler,
	};
	struct idm_oci oci;
	int r = idm_oci_read_parsed(&oci, &how, parsed, rw->err);

	if (r < 0)
		return r;
	if (config->judge && last)
		r = config->judge(&oci, rw->err);
	idm_oci_free(&oci);
	return r;
}

static int check_rewritten(const struct rewrite *rw, const char *text, size_t length)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	int r = idm_json_parse(text, length, IDM_STEP_READ_PLAN, &parsed, rw->err);

	return r < 0 ? r : check_parsed(rw, parsed, rw->n_requests, true);
}

static int begin_rewrite(struct rewrite *rw)
{
	const struct config *config = rw->config;
	int r = idm_json_parse(config->text, config->length, IDM_STEP_PREPARE_BUNDLE, &rw->parsed,
			       rw->err);

	if (r < 0)
		return r;
	rw->edits.text = rw->parsed;
	rw->whole = idm_json_whole(rw->parsed);
	r = idm_json_object(&rw->whole, rw->err);
	if (r == 0)
		r = rewrite_read_hook(rw);
	if (r == 0)
		r = rewrite_find_annotations(rw);
	return r < 0 ? r : rewrite_mounts(rw);
}

static void end_rewrite(struct rewrite *rw)
{
	for (size_t i = 0; i < rw->n_requests; i++)
		free(rw->requests[i]);
	free(rw->requests);
	idm_oci_free_annotations(&rw->annotations);
	edit_free(&rw->edits);
	idm_json_free(rw->parsed);
}

int prepare_config(const struct config *config, char **prepared, size_t *n, struct idm_error *err)
{
	struct rewrite rw = { .config = config, .err = err };
	int r = begin_rewrite(&rw);
	bool changed;

	*prepared = NULL;
	if (r == 0 && rw.any)
		r = rewrite_hooks(&rw);
	if (r == 0 && rw.any)
		rewrite_hook_output(&rw);
	changed = rw.edits.n || rw.edits.failed;
	/* The hook must accept the old text, too: an argument can express more than an option of a
	 * mount. */
	if (r == 0 && rw.any)
		r = check_parsed(&rw, rw.parsed, rw.n_old, !changed);
	if (r == 0 && changed) {
		*prepared = edit_apply(&rw.edits, n);
		r = *prepared ? check_rewritten(&rw, *prepared, *n) : rewrite_fail_memory(err);
	}
	if (r < 0) {
		free(*prepared);
		*prepared = NULL;
	}
	end_rewrite(&rw);
	return r;
}

int config_requests_map(const struct config *config, struct idm_error *err)
{
	struct rewrite rw = { .config = config, .err = err };
	int r = begin_rewrite(&rw);

	if (r == 0)
		r = rw.any;
	end_rewrite(&rw);
	return r;
}
