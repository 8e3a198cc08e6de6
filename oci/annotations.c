// SPDX-License-Identifier: MIT
/* Maps in annotations: for engines that have no other way to say which mount is to be mapped. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-config.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* ---- keys ---- */

/* Compares without regard to case: no annotation for this program may be ignored. */
bool idm_oci_is_own_key(const char *key)
{
	static const char prefix[] = "io.idmount";

	return strncasecmp(key, prefix, sizeof(prefix) - 1) == 0;
}

const char *idm_oci_annotated(const struct idm_json *annotation, size_t *n)
{
	size_t length = strlen(IDM_OCI_ANNOTATION);

	const char *destination;

	if (strncmp(annotation->key, IDM_OCI_ANNOTATION, length) != 0)
		return NULL;
	destination = idm_trim_target(annotation->key + length, n);
	return *n ? destination : NULL;
}

bool idm_oci_find_annotation(const struct idm_json *annotations, const char *destination, size_t n,
			     struct idm_json *found)
{
	*found = (struct idm_json){ 0 };
	if (idm_json_type(annotations) != IDM_JSON_OBJECT)
		return false;
	while (idm_json_each(annotations, found)) {
		size_t length;
		const char *named = idm_oci_annotated(found, &length);

		if (named && length == n && memcmp(named, destination, n) == 0)
			return true;
	}
	return false;
}

static int check_key(const struct idm_json *annotations, const struct idm_json *annotation,
		     struct idm_error *err)
{
	struct idm_json first;
	const char *destination;
	size_t n;

	if (!idm_oci_is_own_key(annotation->key))
		return 0;
	destination = idm_oci_annotated(annotation, &n);
	if (!destination)
		return idm_json_fail(annotation, err,
				     "unknown annotation, expected " IDM_OCI_ANNOTATION "DESTINATION");
	if (idm_oci_find_annotation(annotations, destination, n, &first) &&
	    strcmp(first.key, annotation->key) != 0)
		return idm_json_fail(annotation, err, "the annotation %s has the same destination",
				     first.key);
	return 0;
}

int idm_oci_check_annotations(const struct idm_json *annotations, struct idm_error *err)
{
	struct idm_json annotation = { 0 };
	int r = 0;

	if (idm_json_type(annotations) != IDM_JSON_OBJECT)
		return 0;
	while (r == 0 && idm_json_each(annotations, &annotation))
		r = check_key(annotations, &annotation, err);
	return r;
}

/* ---- values ---- */

/* Reads the map in the value: "MAP", "idmap[=MAP]" or "ridmap[=MAP]". Errors name no place. */
static int read_map_value(const char *text, const struct idm_map *container, const char **scope,
			  struct idm_map **map, struct idm_error *why)
{
	const char *value;
	const struct idm_map_option *option = idm_find_map_option(text, &value);
	int r;

	*scope = NULL;
	if (option && option->scope != IDM_MAP_SAME) {
		*scope = option->name;
		text = value;
	}
	if (!text)
		return 0;
	if (idm_map_new(map) < 0)
		return idm_fail_errno(why, -ENOMEM, step_read, NULL);
	/* No lookups: any user may be the author of annotations. */
	r = idm_oci_is_relative(text) ? idm_map_parse_inside(*map, text, container, why)
				      : idm_map_parse(*map, text, 0, why);
	return r < 0 ? r : idm_map_check(*map, why);
}

int idm_oci_read_annotation(const struct idm_json *annotation, const struct idm_map *container,
			    const char **scope, struct idm_map **map, struct idm_error *err)
{
	struct idm_error why;
	const char *text;
	int r = idm_json_string(annotation, &text, err);

	if (r < 0)
		return r;
	r = read_map_value(text, container, scope, map, &why);
	if (r < 0 && r != -ENOMEM)
		return idm_json_fail(annotation, err, "%.*s%s%.*s", IDM_PART(&why, subject),
				     why.subject.length ? ": " : "", IDM_PART(&why, reason));
	return r < 0 ? idm_fail_errno(err, r, step_read, NULL) : 0;
}

/* ---- requests of the engine ---- */

const char *idm_oci_request_destination(const char *request, size_t *n)
{
	const char *slash = strchr(request, '/');

	return slash ? idm_trim_target(slash, n) : NULL;
}

int idm_oci_read_request(const char *request, const struct idm_map *container, const char **scope,
			 struct idm_map **map, struct idm_error *err)
{
	AUTO_FREE char *value = strndup(request, strcspn(request, "/"));
	struct idm_error why;
	int r = value ? read_map_value(value, container, scope, map, &why) : -ENOMEM;

	if (r == -ENOMEM)
		return idm_fail_errno(err, r, step_read, NULL);
	return r < 0 ? idm_fail(err, r, step_read, request, "%.*s%s%.*s", IDM_PART(&why, subject),
				why.subject.length ? ": " : "", IDM_PART(&why, reason))
		     : 0;
}
