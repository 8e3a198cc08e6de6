// SPDX-License-Identifier: MIT
/* Maps in annotations: for engines that have no other way to say which mount is to be mapped. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
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

/* ---- the list ---- */

static struct idm_oci_annotation *find_annotation(const struct idm_oci_annotations *list,
						  const char *destination, size_t n)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->all[i].n == n && memcmp(list->all[i].destination, destination, n) == 0)
			return &list->all[i];
	return NULL;
}

const struct idm_oci_annotation *idm_oci_find_annotation(const struct idm_oci_annotations *list,
							 const char *destination, size_t n)
{
	return find_annotation(list, destination, n);
}

/* Adds a copy, which owns a copy of the name. */
static int add_to_list(struct idm_oci_annotations *list, const struct idm_oci_annotation *a,
		       struct idm_error *err)
{
	const struct idm_oci_annotation *first = find_annotation(list, a->destination, a->n);
	struct idm_oci_annotation *more;
	char *name;

	if (first)
		return idm_json_fail(&a->at, err, "the annotation %s has the same destination",
				     first->name);
	more = reallocarray(list->all, list->n + 1, sizeof(*more));
	if (!more)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	list->all = more;
	if (asprintf(&name, a->in_value ? "%s: /%.*s" : "%s", a->at.key, (int)a->n, a->destination) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	more[list->n] = *a;
	more[list->n++].name = name;
	return 0;
}

/* ---- one destination in the key ---- */

static int add_key(struct idm_oci_annotations *list, const struct idm_json *at, struct idm_error *err)
{
	struct idm_oci_annotation a = { .at = *at };

	a.destination = idm_trim_target(at->key + strlen(IDM_OCI_ANNOTATION), &a.n);
	if (!a.n)
		return idm_json_fail(at, err,
				     "unknown annotation, expected " IDM_OCI_ANNOTATION "DESTINATION");
	return idm_json_string(at, &a.value, err) < 0 ? -EINVAL : add_to_list(list, &a, err);
}

/* ---- all destinations in the value ---- */

static int add_member(struct idm_oci_annotations *list, const struct idm_oci_annotation *whole,
		      const struct idm_json *member, struct idm_error *err)
{
	struct idm_oci_annotation a = *whole;

	a.destination = idm_trim_target(member->key, &a.n);
	if (!a.n || *member->key != '/')
		return idm_json_fail(&a.at, err, "expected a path that begins with a slash, got \"%s\"",
				     member->key);
	if (idm_json_string(member, &a.value, NULL) < 0)
		return idm_json_fail(&a.at, err, "/%.*s: expected a map as a string", (int)a.n,
				     a.destination);
	return add_to_list(list, &a, err);
}

static int add_members(struct idm_oci_annotations *list, const struct idm_oci_annotation *whole,
		       const struct idm_json_text *text, struct idm_error *err)
{
	struct idm_json object = idm_json_whole(text), member = { 0 };
	int r = 0;

	if (idm_json_type(&object) != IDM_JSON_OBJECT)
		return idm_json_fail(&whole->at, err,
				     "expected an object such as {\"/DESTINATION\": \"MAP\"}");
	while (r == 0 && idm_json_each(&object, &member))
		r = add_member(list, whole, &member, err);
	return r;
}

/* The list owns the parsed value, which its members point to. */
static int keep_text(struct idm_oci_annotations *list, struct idm_json_text *text, struct idm_error *err)
{
	struct idm_json_text **more = reallocarray(list->texts, list->n_texts + 1, sizeof(*more));

	if (!more) {
		idm_json_free(text);
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	}
	list->texts = more;
	more[list->n_texts++] = text;
	return 0;
}

static int add_value(struct idm_oci_annotations *list, const struct idm_oci_annotation *whole,
		     struct idm_error *err)
{
	struct idm_json_text *text;
	struct idm_error why;
	const char *value;
	int r = idm_json_string(&whole->at, &value, err);

	if (r < 0)
		return r;
	r = idm_json_parse(value, strlen(value), step_read, &text, &why);
	if (r == -ENOMEM)
		return idm_fail_errno(err, r, step_read, NULL);
	if (r < 0)
		return idm_json_fail(&whole->at, err, "%.*s", IDM_PART(&why, reason));
	r = keep_text(list, text, err);
	return r < 0 ? r : add_members(list, whole, text, err);
}

/* Returns 1 if the annotation is for this container, and 0 if it is for another one of the pod. */
static int is_for_container(const struct idm_json *at, const char *name,
			    const struct idm_oci_requester *requester, struct idm_error *err)
{
	if (!*name)
		return idm_json_fail(at, err,
				     "unknown annotation, expected " IDM_OCI_ANNOTATIONS "/CONTAINER");
	if (requester->container)
		return strcmp(name, requester->container) == 0;
	return requester->sandbox ? 0 : idm_json_fail(at, err, "the engine does not name the container");
}

static int add_own_annotation(struct idm_oci_annotations *list, const struct idm_json *at,
			      const struct idm_oci_requester *requester, struct idm_error *err)
{
	const size_t n = strlen(IDM_OCI_ANNOTATIONS);
	struct idm_oci_annotation whole = { .at = *at, .in_value = true };
	int r = 1;

	if (strncmp(at->key, IDM_OCI_ANNOTATION, strlen(IDM_OCI_ANNOTATION)) == 0)
		return add_key(list, at, err);
	if (strncmp(at->key, IDM_OCI_ANNOTATIONS, n) != 0 || (at->key[n] && at->key[n] != '/'))
		return idm_json_fail(at, err,
				     "unknown annotation, expected " IDM_OCI_ANNOTATION "DESTINATION");
	whole.of_container = at->key[n];
	if (whole.of_container)
		r = is_for_container(at, at->key + n + 1, requester, err);
	return r > 0 ? add_value(list, &whole, err) : r;
}

int idm_oci_read_annotations(struct idm_oci_annotations *list, const struct idm_json *annotations,
			     const struct idm_oci_requester *requester, struct idm_error *err)
{
	struct idm_json at = { 0 };
	int r = 0;

	if (idm_json_type(annotations) != IDM_JSON_OBJECT)
		return 0;
	while (r == 0 && idm_json_each(annotations, &at))
		if (idm_oci_is_own_key(at.key))
			r = add_own_annotation(list, &at, requester, err);
	return r;
}

void idm_oci_free_annotations(struct idm_oci_annotations *list)
{
	for (size_t i = 0; i < list->n; i++)
		free(list->all[i].name);
	for (size_t i = 0; i < list->n_texts; i++)
		idm_json_free(list->texts[i]);
	free(list->all);
	free(list->texts);
	*list = (struct idm_oci_annotations){ 0 };
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

int idm_oci_read_annotation(const struct idm_oci_annotation *annotation, const struct idm_map *container,
			    const char **scope, struct idm_map **map, struct idm_error *err)
{
	struct idm_error why;
	int r = read_map_value(annotation->value, container, scope, map, &why);

	if (r == 0 || r == -ENOMEM)
		return r < 0 ? idm_fail_errno(err, r, step_read, NULL) : 0;
	return idm_json_fail(&annotation->at, err, "%s%.*s%s%.*s%s%.*s", annotation->in_value ? "/" : "",
			     annotation->in_value ? (int)annotation->n : 0, annotation->destination,
			     annotation->in_value ? ": " : "", IDM_PART(&why, subject),
			     why.subject.length ? ": " : "", IDM_PART(&why, reason));
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
