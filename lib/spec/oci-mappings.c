// SPDX-License-Identifier: MIT
/* Maps in an OCI configuration: uidMappings and gidMappings, of the container or of a mount. */
#include <errno.h>
#include <string.h>
#include <strings.h>

#include "lib/base/error.h"
#include "lib/base/macros.h"
#include "lib/sys/fail-errno.h"
#include "oci-mappings.h"
#include "reader.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/*
 * runc, like any program in Go, accepts "uidmappings" as uidMappings. crun ignores it. The library does
 * not guess about a mount that one of them maps and the other does not.
 */
int idm_oci_check_keys(const struct idm_json *object, const char *const *known, struct idm_error *err)
{
	struct idm_json member = { 0 };
	int r = idm_json_object(object, err);

	while (r == 0 && idm_json_each(object, &member))
		for (size_t i = 0; r == 0 && known[i]; i++)
			if (strcasecmp(member.key, known[i]) == 0 && strcmp(member.key, known[i]) != 0)
				r = idm_json_fail(&member, err, "expected the spelling \"%s\"",
						  known[i]);
	return r;
}

static int read_number(const struct idm_json *mapping, const char *key, uint32_t *number,
		       struct idm_error *err)
{
	struct idm_json member;

	if (!idm_json_member(mapping, key, &member))
		return idm_json_fail(mapping, err, "\"%s\" is missing", key);
	return idm_json_uint32(&member, number, err);
}

/* The ID in the container is the one on disk: the mount's user namespace has it inside. */
static int read_mapping(const struct idm_json *mapping, struct idm_entry *entry, struct idm_error *err)
{
	int r = idm_oci_check_keys(mapping, IDM_OCI_KEYS("containerID", "hostID", "size"), err);

	if (r == 0)
		r = read_number(mapping, "containerID", &entry->disk, err);
	if (r == 0)
		r = read_number(mapping, "hostID", &entry->seen, err);
	if (r == 0)
		r = read_number(mapping, "size", &entry->count, err);
	return r;
}

static int read_mappings(const struct idm_json *mappings, unsigned int kind, struct idm_map *map,
			 struct idm_error *err)
{
	AUTO_FREE struct idm_entry *entries = NULL;
	struct idm_json mapping = { 0 };
	struct idm_error why;
	size_t n;
	int r = idm_json_array(mappings, &n, err);

	if (r < 0)
		return r;
	entries = calloc(n ? n : 1, sizeof(*entries));
	if (!entries)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	while (r == 0 && idm_json_each(mappings, &mapping))
		r = read_mapping(&mapping, &entries[mapping.index], err);
	if (r < 0)
		return r;
	r = idm_map_add(map, kind, entries, n, &why);
	if (r < 0 && r != -EINVAL)
		return idm_fail(err, r, why.step, NULL, "%.*s", IDM_PART(&why, reason));
	return r < 0 ? idm_json_fail(mappings, err, "%.*s: %.*s", IDM_PART(&why, subject),
				     IDM_PART(&why, reason))
		     : 0;
}

int idm_oci_read_maps(const struct idm_json *object, struct idm_map **map, struct idm_error *err)
{
	struct idm_json uids, gids;
	bool have_uids = idm_json_member(object, "uidMappings", &uids),
	     have_gids = idm_json_member(object, "gidMappings", &gids);
	int r = 0;

	if (!have_uids && !have_gids)
		return 0;
	if (!have_uids || !have_gids)
		return idm_json_fail(have_uids ? &uids : &gids, err, "%s is missing beside it",
				     have_uids ? gids.key : uids.key);
	if (idm_map_new(map) < 0)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	r = read_mappings(&uids, IDM_UID, *map, err);
	return r < 0 ? r : read_mappings(&gids, IDM_GID, *map, err);
}

bool idm_oci_is_empty(const struct idm_map *map)
{
	const struct idm_entry *entries;

	return !idm_map_entries(map, IDM_UID, &entries) && !idm_map_entries(map, IDM_GID, &entries);
}

int idm_oci_read_mappings(const struct idm_json *mount, struct idm_map **map, struct idm_error *err)
{
	int r = idm_oci_check_keys(mount, IDM_OCI_KEYS("uidMappings", "gidMappings"), err);

	if (r == 0)
		r = idm_oci_read_maps(mount, map, err);
	if (r == 0 && *map && idm_oci_is_empty(*map))
		return idm_json_fail(mount, err, "uidMappings and gidMappings are empty");
	return r;
}
