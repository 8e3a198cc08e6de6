// SPDX-License-Identifier: MIT
#include "map-request.h"

#include <errno.h>
#include <stdlib.h>

#include "json-edit.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/fail-errno.h"

static int add_requested_map(struct map_request *q, const char *map, struct idm_error *err)
{
	char *old = q->map;

	q->map = text_of("%s%s%s", old ? old : "", old ? " " : "", map);
	free(old);
	return q->map ? 0 : idm_fail_errno(err, -ENOMEM, IDM_STEP_PREPARE_BUNDLE, NULL);
}

static int read_map_option(struct map_request *q, const struct idm_json *at, struct idm_error *err)
{
	const struct idm_map_option *option;
	const char *text, *map;
	int r = idm_json_string(at, &text, err);

	option = r == 0 ? idm_find_map_option(text, &map) : NULL;
	if (!option)
		return r;
	q->any = true;
	if (option->scope != IDM_MAP_SAME)
		q->scope = option->name;
	if (!map)
		return 0;
	if (q->map && !(q->sides && option->scope == IDM_MAP_SAME))
		return idm_json_fail(at, err, "duplicate map");
	q->sides = option->scope == IDM_MAP_SAME;
	return add_requested_map(q, q->sides ? text : map, err);
}

static int read_map_options(struct map_request *q, const struct idm_json *mount, struct idm_error *err)
{
	struct idm_json options, option = { 0 };
	size_t n;
	int r = 0;

	if (idm_json_member(mount, "options", &options))
		r = idm_json_array(&options, &n, err);
	while (r == 0 && idm_json_each(&options, &option))
		r = read_map_option(q, &option, err);
	return r;
}

static int read_mappings_of_mount(struct map_request *q, const struct idm_json *mount,
				  struct idm_error *err)
{
	struct idm_map *map = NULL;
	ssize_t n = 0;
	int r = idm_oci_read_mappings(mount, &map, err);

	if (r == 0 && map) {
		n = idm_map_print(map, IDM_FORMAT_CRUN, IDM_BOTH, NULL, 0);
		q->map = malloc((size_t)n + 1);
		if (q->map)
			idm_map_print(map, IDM_FORMAT_CRUN, IDM_BOTH, q->map, (size_t)n + 1);
		else
			r = idm_fail_errno(err, -ENOMEM, IDM_STEP_PREPARE_BUNDLE, NULL);
		q->any = q->mappings = true;
	}
	idm_map_free(map);
	return r;
}

int read_map_request(struct map_request *q, const struct idm_json *mount, struct idm_error *err)
{
	int r = idm_json_object(mount, err);

	if (r == 0)
		r = read_mappings_of_mount(q, mount, err);
	if (r == 0)
		r = read_map_options(q, mount, err);
	if (r == 0 && q->mappings && !q->scope)
		q->scope = idm_map_scope_option(IDM_MAP_TOP);
	return r;
}
