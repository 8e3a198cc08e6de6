// SPDX-License-Identifier: MIT
/*
 * config.json of an OCI bundle. Properties that it does not know a runtime has to ignore, says the
 * specification; so do we, but for those that runc takes for ones that it knows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "error.h"
#include "plan-read.h"
#include "util.h"

/* The configuration, and what its mounts can fall back on. */
struct oci {
	const struct idm_plan_reader *reader;
	struct idm_map *map;   /* linux.uidMappings and linux.gidMappings; NULL: none */
	bool user_namespace;   /* the container has one of its own */
	const char *namespace; /* the file of one that it joins; NULL: none */
};

/*
 * runc, and whatever else is written in Go, takes "uidmappings" for uidMappings, where crun passes over
 * it: a mount that is mapped by one and not by the other is nothing to guess at.
 */
static int check_keys(const struct idm_json *object, const char *const *known, struct idm_error *err)
{
	const void *cursor = NULL;
	struct idm_json member;
	int r = idm_json_object(object, err);

	while (r == 0 && idm_json_each(object, &cursor, &member))
		for (size_t i = 0; r == 0 && known[i]; i++)
			if (strcasecmp(member.key, known[i]) == 0 && strcmp(member.key, known[i]) != 0)
				r = idm_json_fail(&member, err, "it has to be spelt \"%s\"", known[i]);
	return r;
}

#define KEYS(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* A member that has to be there, and hold something. */
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

/* ---- maps ---- */

static int read_number(const struct idm_json *row, const char *key, uint32_t *number,
		       struct idm_error *err)
{
	struct idm_json member;

	if (!idm_json_member(row, key, &member))
		return idm_json_fail(row, err, "\"%s\" is missing", key);
	return idm_json_uint32(&member, number, err);
}

/* The id in the container is the one on disk: that is what the mount's user namespace has inside. */
static int read_row(const struct idm_json *row, struct idm_entry *entry, struct idm_error *err)
{
	int r = check_keys(row, KEYS("containerID", "hostID", "size"), err);

	if (r == 0)
		r = read_number(row, "containerID", &entry->disk, err);
	if (r == 0)
		r = read_number(row, "hostID", &entry->seen, err);
	if (r == 0)
		r = read_number(row, "size", &entry->count, err);
	return r;
}

static int read_rows(const struct idm_json *rows, unsigned int kind, struct idm_map *map,
		     struct idm_error *err)
{
	AUTO_FREE struct idm_entry *entries = NULL;
	struct idm_error why;
	size_t n;
	int r = idm_json_array(rows, &n, err);

	if (r < 0)
		return r;
	entries = calloc(n ? n : 1, sizeof(*entries));
	if (!entries)
		return idm_fail(err, -ENOMEM, "read plan", NULL, NULL);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json row = idm_json_element(rows, i);

		r = read_row(&row, &entries[i], err);
	}
	if (r < 0)
		return r;
	r = idm_map_add(map, kind, entries, n, &why);
	if (r < 0 && r != -EINVAL)
		return idm_fail(err, r, why.step, why.subject, "%s", why.reason);
	return r < 0 ? idm_json_fail(rows, err, "%s: %s", why.subject, why.reason) : 0;
}

/* The rows of `object`. *map stays NULL where there are none. */
static int read_maps(const struct idm_json *object, struct idm_map **map, struct idm_error *err)
{
	struct idm_json uids, gids;
	bool have_uids = idm_json_member(object, "uidMappings", &uids),
	     have_gids = idm_json_member(object, "gidMappings", &gids);
	int r = 0;

	if (!have_uids && !have_gids)
		return 0;
	if (!have_uids || !have_gids)
		return idm_json_fail(have_uids ? &uids : &gids, err, "there is no %s beside it",
				     have_uids ? gids.key : uids.key);
	if (idm_map_new(map) < 0)
		return idm_fail(err, -ENOMEM, "read plan", NULL, NULL);
	r = read_rows(&uids, IDM_UID, *map, err);
	return r < 0 ? r : read_rows(&gids, IDM_GID, *map, err);
}

/* ---- the container ---- */

/* Whether the container gets a user namespace, or joins one. */
static int read_namespaces(struct oci *oci, const struct idm_json *namespaces)
{
	struct idm_error *err = oci->reader->err;
	size_t n;
	int r = idm_json_array(namespaces, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json namespace = idm_json_element(namespaces, i);
		const char *type;

		r = check_keys(&namespace, KEYS("type", "path"), err);
		if (r == 0)
			r = read_required(&namespace, "type", &type, err);
		if (r != 0 || strcmp(type, "user") != 0)
			continue;
		oci->user_namespace = true;
		r = idm_read_string(&namespace, "path", &oci->namespace, err);
	}
	return r;
}

static bool is_empty(const struct idm_map *map)
{
	const struct idm_entry *entries;

	return !idm_map_entries(map, IDM_UID, &entries) && !idm_map_entries(map, IDM_GID, &entries);
}

static int read_linux(struct oci *oci, const struct idm_json *whole)
{
	struct idm_json linux_, namespaces;
	struct idm_error *err = oci->reader->err;
	int r;

	if (!idm_json_member(whole, "linux", &linux_))
		return 0;
	r = check_keys(&linux_, KEYS("uidMappings", "gidMappings", "namespaces"), err);
	if (r == 0 && idm_json_member(&linux_, "namespaces", &namespaces))
		r = read_namespaces(oci, &namespaces);
	if (r == 0)
		r = read_maps(&linux_, &oci->map, err);
	/* No rows are no map here: the container is in the runtime's own namespace then. */
	if (r == 0 && oci->map && is_empty(oci->map)) {
		idm_map_free(oci->map);
		oci->map = NULL;
	}
	return r;
}

/* ---- mounts ---- */

static int read_root(const struct oci *oci, const struct idm_json *whole)
{
	struct idm_plan_mount m = IDM_PLAN_MOUNT_INIT;
	/* With what is mounted below it, as runtimes do it. */
	const char *words[] = { "rbind", "ro" };
	struct idm_error *err = oci->reader->err;
	struct idm_json root, member;
	bool readonly = false;
	int r;

	if (!idm_json_member(whole, "root", &root))
		return idm_json_fail(whole, err, "\"root\" is missing");
	r = check_keys(&root, KEYS("path", "readonly"), err);
	if (r == 0)
		r = read_required(&root, "path", &m.source, err);
	if (r == 0 && idm_json_member(&root, "readonly", &member))
		r = idm_json_boolean(&member, &readonly, err);
	if (r < 0)
		return r;
	m.map = oci->reader->how.map;
	m.flags = readonly ? IDM_PLAN_RDONLY_LAST : 0;
	return idm_plan_add_named(oci->reader, &m, &(struct idm_words){ words, readonly ? 2 : 1 },
				  "root");
}

/* idmap or ridmap, without rows, asks for the container's map. */
static int find_container_map(const struct oci *oci, const struct idm_json *mount, const char *word,
			      struct idm_plan_mount *m)
{
	struct idm_error *err = oci->reader->err;

	m->map = oci->map ? oci->map : oci->reader->how.map;
	if (!m->map) {
		idm_json_fail(mount, err, "%s: there are no uidMappings, neither here nor in linux",
			      word);
		if (oci->namespace)
			idm_hint(err, "the container's map is that of %s; give it beside the file",
				 oci->namespace);
		return -EINVAL;
	}
	if (oci->map && !oci->user_namespace)
		return idm_json_fail(mount, err,
				     "%s: linux.namespaces has no user namespace for linux.uidMappings",
				     word);
	return 0;
}

static int find_map(const struct oci *oci, const struct idm_json *mount, struct idm_words *words,
		    struct idm_plan_mount *m, struct idm_map **own)
{
	bool idmap = idm_words_have(words, "idmap"), ridmap = idm_words_have(words, "ridmap");
	int r = read_maps(mount, own, oci->reader->err);

	if (r < 0)
		return r;
	if (*own && is_empty(*own))
		return idm_json_fail(mount, oci->reader->err, "uidMappings and gidMappings are empty");
	m->map = *own;
	/* Runtimes map what is below only if they are told to. */
	if (m->map && !idmap && !ridmap && !idm_words_have_map(words))
		words->words[words->n++] = "idmap";
	if (m->map || idm_words_have_map(words) || !(idmap || ridmap))
		return 0;
	return find_container_map(oci, mount, idmap ? "idmap" : "ridmap", m);
}

static int read_fields(const struct idm_json *mount, struct idm_plan_mount *m, struct idm_words *words,
		       struct idm_error *err)
{
	struct idm_json options;
	int r = check_keys(
		mount, KEYS("destination", "source", "type", "options", "uidMappings", "gidMappings"),
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
	return idm_words_read(words, &options, err);
}

static int read_mount(const struct oci *oci, const struct idm_json *mount)
{
	struct idm_plan_mount m = IDM_PLAN_MOUNT_INIT;
	AUTO_WORDS struct idm_words words = { 0 };
	struct idm_map *own = NULL;
	char name[40];
	int r;

	m.flags = IDM_PLAN_MKDIR;
	r = read_fields(mount, &m, &words, oci->reader->err);
	if (r == 0)
		r = find_map(oci, mount, &words, &m, &own);
	snprintf(name, sizeof(name), "mounts[%zu]", mount->index);
	if (r == 0)
		r = idm_plan_add_named(oci->reader, &m, &words, name);
	idm_map_free(own);
	return r;
}

static int read_mounts(const struct oci *oci, const struct idm_json *whole)
{
	struct idm_json mounts;
	size_t n;
	int r;

	if (!idm_json_member(whole, "mounts", &mounts))
		return 0;
	r = idm_json_array(&mounts, &n, oci->reader->err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json mount = idm_json_element(&mounts, i);

		r = read_mount(oci, &mount);
	}
	return r;
}

int idm_plan_read_oci(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	struct oci oci = { .reader = reader };
	const char *version;
	int r = check_keys(whole, KEYS("ociVersion", "root", "mounts", "linux"), reader->err);

	if (r == 0)
		r = read_required(whole, "ociVersion", &version, reader->err);
	if (r == 0)
		r = read_linux(&oci, whole);
	if (r == 0)
		r = read_root(&oci, whole);
	if (r == 0)
		r = read_mounts(&oci, whole);
	idm_map_free(oci.map);
	return r;
}
