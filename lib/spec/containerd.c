// SPDX-License-Identifier: MIT
/*
 * containerd's lists of mounts. A list is a []mount.Mount as Go prints it ("Type"), or a MountsResponse
 * as protobuf prints it ("type").
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/macros.h"
#include "lib/plan/plan.h"
#include "read.h"

/* The fields in Go's spelling and in protobuf's. */
enum field { TYPE, SOURCE, TARGET, OPTIONS, N_FIELDS };

static const char *const fields[N_FIELDS][2] = {
	[TYPE] = { "Type", "type" },
	[SOURCE] = { "Source", "source" },
	[TARGET] = { "Target", "target" },
	[OPTIONS] = { "Options", "options" },
};

static bool is_either(const char *key, const char *const spellings[2])
{
	return strcmp(key, spellings[0]) == 0 || strcmp(key, spellings[1]) == 0;
}

/* Finds every field that exists. A field that does not exist stays null. */
static int find_fields(const struct idm_json *mount, struct idm_json found[N_FIELDS],
		       struct idm_error *err)
{
	struct idm_json member = { 0 };
	int r = idm_json_object(mount, err);

	while (r == 0 && idm_json_each(mount, &member)) {
		size_t i = 0;

		while (i < N_FIELDS && !is_either(member.key, fields[i]))
			i++;
		if (i == N_FIELDS)
			r = idm_json_fail(&member, err,
					  "unknown key; the keys are Type, Source, Target and Options");
		else if (found[i].key)
			r = idm_json_fail(&member, err, "duplicate key (also given as %s)",
					  found[i].key);
		else
			found[i] = member;
	}
	return r;
}

static int read_optional_string(const struct idm_json *field, const char **string, struct idm_error *err)
{
	return idm_json_type(field) == IDM_JSON_NULL ? 0 : idm_json_string(field, string, err);
}

/* Mounts whose files are on a disk get the map. A map for a proc would be nonsense. */
static bool wants_map(const struct idm_plan_add_options *m, const struct idm_option_list *options)
{
	const struct idm_filesystem *filesystem;

	if (idm_option_list_have_map(options))
		return false;
	if (idm_option_list_make_bind(options))
		return true;
	if (!m->type)
		return false;
	filesystem = idm_filesystem_by_name(m->type);
	return filesystem ? filesystem->on_device
			  : strcmp(m->type, "bind") == 0 || strcmp(m->type, "overlay") == 0;
}

static int read_containerd_mount(const struct idm_plan_reader *reader, const struct idm_json *mount)
{
	struct idm_plan_add_options m = IDM_PLAN_ADD_OPTIONS_INIT;
	AUTO_OPTION_LIST struct idm_option_list options = { 0 };
	struct idm_json found[N_FIELDS] = { 0 };
	char name[40];
	int r = find_fields(mount, found, reader->err);

	if (r == 0)
		r = read_optional_string(&found[TYPE], &m.type, reader->err);
	if (r == 0)
		r = read_optional_string(&found[SOURCE], &m.source, reader->err);
	if (r == 0)
		r = read_optional_string(&found[TARGET], &m.target, reader->err);
	if (r == 0)
		r = idm_read_options(&options, &found[OPTIONS], reader->err);
	if (r < 0)
		return r;
	if (wants_map(&m, &options))
		m.map = reader->how.map;
	snprintf(name, sizeof(name), "mount %zu", mount->index + 1);
	return idm_plan_add_named(reader, &m, &options, name);
}

static int read_list(const struct idm_plan_reader *reader, const struct idm_json *list)
{
	struct idm_json mount = { 0 };
	size_t n;
	int r = idm_json_array(list, &n, reader->err);

	if (r == 0 && n == 0)
		r = idm_json_fail(list, reader->err, "expected a mount, got an empty list");
	while (r == 0 && idm_json_each(list, &mount))
		r = read_containerd_mount(reader, &mount);
	return r;
}

/* A response is {"mounts": [...]}, and nothing else. */
static int read_response(const struct idm_plan_reader *reader, const struct idm_json *response)
{
	static const char *const mounts[] = { "Mounts", "mounts" };
	struct idm_json list = { 0 }, member = { 0 };

	while (idm_json_each(response, &member)) {
		if (!is_either(member.key, mounts))
			return idm_json_fail(&member, reader->err,
					     "unknown key; the key of a list of mounts is \"mounts\"");
		if (list.key)
			return idm_json_fail(&member, reader->err, "duplicate key (also given as %s)",
					     list.key);
		list = member;
	}
	if (!list.key)
		return idm_json_fail(response, reader->err, "\"mounts\" is missing");
	return read_list(reader, &list);
}

int idm_plan_read_containerd(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	if (idm_json_type(whole) == IDM_JSON_OBJECT)
		return read_response(reader, whole);
	return read_list(reader, whole);
}
