// SPDX-License-Identifier: MIT
/*
 * config.json of an OCI bundle. The specification requires that a runtime ignores unknown properties.
 * The library ignores them too, except for those that runc accepts as other spellings of known ones.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/idmap/idmap.h"
#include "lib/plan/plan.h"
#include "lib/sys/fail-errno.h"
#include "oci-config.h"
#include "oci-mappings.h"
#include "read.h"

static const enum idm_error_step step_map = IDM_STEP_READ_MAP;
static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* Reads a member that has to exist and must not be empty. */
static int read_required(const struct idm_json *object, const char *key, const char **string,
			 struct idm_error *err)
{
	int r = idm_read_string(object, key, string, err);

	if (r < 0)
		return r;
	if (!*string)
		return idm_json_fail(object, err, "\"%s\" is missing", key);
	if (!**string) {
		struct idm_json member;

		idm_json_member(object, key, &member);
		return idm_json_fail(&member, err, "it is empty");
	}
	return 0;
}

/* ---- the container ---- */

/* Finds whether the container gets a user namespace, or joins one. */
static int read_namespaces(struct idm_oci_config *oci, const struct idm_json *namespaces)
{
	struct idm_error *err = oci->reader->err;
	struct idm_json namespace = { 0 };
	size_t n;
	int r = idm_json_array(namespaces, &n, err);

	while (r == 0 && idm_json_each(namespaces, &namespace)) {
		const char *type;

		r = idm_oci_check_keys(&namespace, IDM_OCI_KEYS("type", "path"), err);
		if (r == 0)
			r = read_required(&namespace, "type", &type, err);
		if (r != 0 || strcmp(type, "user") != 0)
			continue;
		oci->user_namespace = true;
		r = idm_read_string(&namespace, "path", &oci->namespace, err);
	}
	return r;
}

static int read_linux(struct idm_oci_config *oci, const struct idm_json *whole)
{
	struct idm_json linux_, namespaces;
	struct idm_error *err = oci->reader->err;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = idm_oci_check_keys(
		&linux_, IDM_OCI_KEYS("uidMappings", "gidMappings", "namespaces", "rootfsPropagation"),
		err);
	if (r == 0 && idm_json_member(&linux_, "namespaces", &namespaces))
		r = read_namespaces(oci, &namespaces);
	if (r == 0)
		r = idm_oci_read_maps(&linux_, &oci->map, err);
	/* Empty mappings mean no map here: then the container is in the runtime's own namespace. */
	if (r == 0 && oci->map && idm_oci_is_empty(oci->map)) {
		idm_map_free(oci->map);
		oci->map = NULL;
	}
	return r;
}

/* ---- mounts ---- */

static int read_root(const struct idm_oci_config *oci, const struct idm_json *whole)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	/* The bind includes the mounts below, as with runtimes. */
	const char *options[] = { "rbind", "ro" };
	struct idm_error *err = oci->reader->err;
	struct idm_json root, member;
	bool readonly = false;
	int r;

	if (!idm_json_member(whole, "root", &root))
		return idm_json_fail(whole, err, "\"root\" is missing");
	r = idm_oci_check_keys(&root, IDM_OCI_KEYS("path", "readonly"), err);
	if (r == 0)
		r = read_required(&root, "path", &m.source, err);
	if (r == 0 && idm_json_member(&root, "readonly", &member))
		r = idm_json_boolean(&member, &readonly, err);
	if (r < 0)
		return r;
	m.map = oci->reader->how.map;
	m.flags = readonly ? IDM_PLAN_ADD_RDONLY_LAST : 0;
	return idm_plan_add_named(oci->reader, &m,
				  &(struct idm_option_list){ options, readonly ? 2 : 1 }, "root");
}

/*
 * A container that joins a namespace has the map of that. It can be found once the container has joined.
 */
static int find_joined_userns_map(struct idm_oci_config *oci)
{
	int r;

	if (oci->map || !oci->selection || (oci->user_namespace && !oci->namespace))
		return 0;
	if (idm_map_new(&oci->map) < 0)
		return idm_fail_errno(oci->reader->err, -ENOMEM, step_read, NULL);
	r = oci->selection->joined_map(oci, oci->map);
	oci->joined = r == 0 && !idm_oci_is_empty(oci->map);
	if (oci->joined)
		return 0;
	idm_map_free(oci->map);
	oci->map = NULL;
	return r;
}

int idm_oci_find_container_map(struct idm_oci_config *oci, const struct idm_json *at, const char *word,
			       struct idm_plan_add_options *m)
{
	struct idm_error *err = oci->reader->err;
	int r = find_joined_userns_map(oci);

	if (r < 0)
		return r;
	m->map = oci->map ? oci->map : oci->reader->how.map;
	if (!m->map) {
		idm_json_fail(at, err, "%s requires uidMappings %sin linux", word,
			      at->key ? "" : "here or ");
		if (oci->namespace)
			idm_hint(err, "the container's map is that of %s; pass it beside the file",
				 oci->namespace);
		return -EINVAL;
	}
	if (oci->map && !oci->user_namespace && !oci->joined)
		return idm_json_fail(
			at, err, "%s: linux.uidMappings requires a user namespace in linux.namespaces",
			word);
	return 0;
}

/* ---- relative maps ---- */

bool idm_oci_is_relative(const char *map)
{
	return map && strchr(map, '@');
}

static int find_equal_map(struct idm_oci_config *oci)
{
	static const struct idm_entry all = { 0, 0, UINT32_MAX };

	if (oci->equal)
		return 0;
	if (idm_map_new(&oci->equal) < 0)
		return idm_fail_errno(oci->reader->err, -ENOMEM, step_read, NULL);
	return idm_map_add(oci->equal, IDM_BOTH, &all, 1, oci->reader->err);
}

int idm_oci_find_relative_base(struct idm_oci_config *oci, const struct idm_map **base)
{
	int r = find_joined_userns_map(oci);

	*base = oci->map ? oci->map : oci->reader->how.map;
	if (r < 0 || *base)
		return r;
	if (oci->user_namespace)
		return idm_fail(oci->reader->err, -EINVAL, step_read, oci->namespace,
				"a relative map requires the map of the container's user namespace");
	r = find_equal_map(oci);
	*base = oci->equal;
	return r;
}

/* Replaces an option with a relative map by its scope, and makes the map *own. */
static int read_relative_option(struct idm_oci_config *oci, const struct idm_json *mount,
				const char **option, struct idm_map **own)
{
	struct idm_error why, *err = oci->reader->err;
	const struct idm_map *base;
	const char *text;
	const struct idm_map_option *map = idm_find_map_option(*option, &text);
	int r;

	/* A second map is refused later. */
	if (!map || map->scope == IDM_MAP_SAME || *own || !idm_oci_is_relative(text))
		return 0;
	r = idm_oci_find_relative_base(oci, &base);
	if (r == 0 && idm_map_new(own) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	if (r < 0)
		return r;
	r = idm_map_parse_inside(*own, text, base, &why);
	if (r < 0)
		return r == -ENOMEM
			       ? idm_fail_errno(err, r, step_read, NULL)
			       : idm_json_fail(mount, err, "%s: %.*s%s%.*s", *option,
					       IDM_PART(&why, subject), why.subject.length ? ": " : "",
					       IDM_PART(&why, reason));
	*option = map->name;
	return 0;
}

static int read_relative_options(struct idm_oci_config *oci, const struct idm_json *mount,
				 struct idm_option_list *list, struct idm_map **own)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < list->n; i++)
		r = read_relative_option(oci, mount, &list->options[i], own);
	return r;
}

int idm_oci_find_map(struct idm_oci_config *oci, const struct idm_json *mount,
		     struct idm_option_list *list, struct idm_plan_add_options *m, struct idm_map **own)
{
	const char *top = idm_map_scope_option(IDM_MAP_TOP), *deep = idm_map_scope_option(IDM_MAP_DEEP);
	bool idmap = idm_option_list_have(list, top), ridmap = idm_option_list_have(list, deep);
	int r = idm_oci_read_maps(mount, own, oci->reader->err);

	if (r == 0)
		r = read_relative_options(oci, mount, list, own);
	if (r < 0)
		return r;
	if (*own && idm_oci_is_empty(*own))
		return idm_json_fail(mount, oci->reader->err, "uidMappings and gidMappings are empty");
	m->map = *own;
	/* Runtimes map the mounts below only on request. */
	if (m->map && !idmap && !ridmap && !idm_option_list_have_map(list))
		list->options[list->n++] = top;
	if (m->map || idm_option_list_have_map(list) || !(idmap || ridmap))
		return 0;
	return idm_oci_find_container_map(oci, mount, idmap ? top : deep, m);
}

static int read_fields(const struct idm_json *mount, struct idm_plan_add_options *m,
		       struct idm_option_list *list, struct idm_error *err)
{
	struct idm_json options;
	int r = idm_oci_check_keys(
		mount,
		IDM_OCI_KEYS("destination", "source", "type", "options", "uidMappings", "gidMappings"),
		err);

	if (r == 0)
		r = read_required(mount, "destination", &m->target, err);
	if (r == 0)
		r = idm_read_string(mount, "source", &m->source, err);
	if (r == 0)
		r = idm_read_string(mount, "type", &m->type, err);
	if (r < 0)
		return r;
	idm_json_member(mount, "options", &options);
	return idm_read_options(list, &options, err);
}

/* ---- all mounts ---- */

static int select_oci_mount(struct idm_oci_config *oci, const struct idm_json *mount,
			    struct idm_option_list *list, struct idm_plan_add_options *m,
			    struct idm_map **own)
{
	int r;

	if (oci->selection)
		return oci->selection->select(oci, mount, list, m, own);
	r = idm_oci_find_map(oci, mount, list, m, own);
	return r < 0 ? r : 1;
}

static int read_oci_mount(struct idm_oci_config *oci, const struct idm_json *mount)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	AUTO_OPTION_LIST struct idm_option_list list = { 0 };
	struct idm_map *own = NULL;
	char name[40];
	int r;

	m.flags = IDM_PLAN_ADD_MKDIR;
	r = read_fields(mount, &m, &list, oci->reader->err);
	if (r == 0)
		r = select_oci_mount(oci, mount, &list, &m, &own);
	snprintf(name, sizeof(name), "mounts[%zu]", mount->index);
	if (r > 0)
		r = idm_plan_add_named(oci->reader, &m, &list, name);
	idm_map_free(own);
	return r;
}

static int read_mounts(struct idm_oci_config *oci, const struct idm_json *whole)
{
	struct idm_json mounts, mount = { 0 };
	size_t n = 0;
	int r = 0;

	if (idm_json_member(whole, "mounts", &mounts))
		r = idm_json_array(&mounts, &n, oci->reader->err);
	if (r == 0 && oci->selection)
		r = oci->selection->begin(oci, whole, n);
	while (r == 0 && idm_json_each(&mounts, &mount))
		r = read_oci_mount(oci, &mount);
	return r;
}

int idm_oci_read_whole(struct idm_oci_config *oci, const struct idm_json *whole)
{
	const char *version;
	int r = idm_oci_check_keys(whole, IDM_OCI_KEYS("ociVersion", "root", "mounts", "linux"),
				   oci->reader->err);

	if (r == 0)
		r = read_required(whole, "ociVersion", &version, oci->reader->err);
	if (r == 0)
		r = read_linux(oci, whole);
	if (r == 0)
		r = read_root(oci, whole);
	if (r == 0)
		r = read_mounts(oci, whole);
	idm_map_free(oci->map);
	idm_map_free(oci->equal);
	return r;
}

int idm_plan_read_oci(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	struct idm_oci_config oci = { .reader = reader };

	return idm_oci_read_whole(&oci, whole);
}

/* ---- the container's map alone ---- */

/* The specification requires an absolute path. */
static int read_joined_map(struct idm_oci_config *oci)
{
	struct idm_error *err = oci->reader->err;

	if (*oci->namespace != '/')
		return idm_fail(err, -EINVAL, step_map, oci->namespace,
				"expected the absolute path of a namespace");
	if (idm_map_new(&oci->map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_map, NULL);
	return idm_map_parse(oci->map, oci->namespace, IDM_MAP_PARSE_LOOKUP, err);
}

static int find_own_map(struct idm_oci_config *oci)
{
	struct idm_error *err = oci->reader->err;

	if (oci->map && !oci->user_namespace)
		return idm_fail(err, -EINVAL, step_map, NULL,
				"linux.uidMappings requires a user namespace in linux.namespaces");
	if (oci->map)
		return 0;
	if (oci->namespace)
		return read_joined_map(oci);
	idm_fail(err, -ENOENT, step_map, NULL, "linux.uidMappings is missing");
	idm_hint(err, "a container without a user namespace has no map; pass one (idm_map_parse())");
	return -ENOENT;
}

int idm_oci_map(const char *text, size_t length, struct idm_map **map, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *json = NULL;
	struct idm_plan_reader reader = { .how = IDM_PLAN_READ_OPTIONS_INIT, .err = err };
	struct idm_oci_config oci = { .reader = &reader };
	struct idm_json whole;
	int r = idm_json_parse(text, length, step_map, &json, err);

	if (r < 0)
		return r;
	whole = idm_json_whole(json);
	r = idm_oci_check_keys(&whole, IDM_OCI_KEYS("linux"), err);
	if (r == 0)
		r = read_linux(&oci, &whole);
	if (r == 0)
		r = find_own_map(&oci);
	if (r == 0)
		*map = oci.map;
	else
		idm_map_free(oci.map);
	return r;
}
