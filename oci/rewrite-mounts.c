// SPDX-License-Identifier: MIT
#include "rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/capability.h"
#include "map-request.h"

static bool is_map_option(const struct idm_json *option)
{
	const char *text;

	return idm_json_string(option, &text, NULL) == 0 && idm_find_map_option(text, NULL);
}

static bool is_mapping_member(const struct idm_json *member)
{
	return strcmp(member->key, "uidMappings") == 0 || strcmp(member->key, "gidMappings") == 0;
}

static void strip_mount(struct rewrite *rw, const struct idm_json *mount)
{
	struct idm_json options;

	edit_remove(&rw->edits, mount, is_mapping_member);
	if (idm_json_member(mount, "options", &options))
		edit_remove(&rw->edits, &options, is_map_option);
}

/* A request names its mount by the destination, so no other mount may have the same one. */
static bool is_only_mount_at(const struct rewrite *rw, const char *path, size_t n)
{
	struct idm_json mounts, mount = { 0 }, destination;
	size_t same = 0;

	idm_json_member(&rw->whole, "mounts", &mounts);
	while (idm_json_each(&mounts, &mount)) {
		const char *other;
		size_t length;

		if (!idm_json_member(&mount, "destination", &destination) ||
		    idm_json_string(&destination, &other, NULL) < 0)
			continue;
		other = idm_trim_target(other, &length);
		same += length == n && memcmp(other, path, n) == 0;
	}
	return same == 1;
}

/* Returns whether the map is that of the container: bundle-read.c has the reason. */
static int is_pod_map(const struct rewrite *rw, const struct idm_json *mount,
		      const struct map_request *request, bool *equal)
{
	struct idm_map *rows = NULL, *container = NULL;
	struct idm_json linux_;
	int r = 0;

	*equal = false;
	if (!request->mappings || !idm_json_member(&rw->whole, "linux", &linux_) ||
	    idm_json_type(&linux_) != IDM_JSON_OBJECT)
		return 0;
	r = idm_oci_read_mappings(mount, &rows, rw->err);
	if (r == 0)
		r = idm_oci_read_maps(&linux_, &container, rw->err);
	*equal = r == 0 && container && idm_map_equal(rows, container);
	idm_map_free(rows);
	idm_map_free(container);
	return r;
}

/* Returns 0 if the annotation may replace the map of the mount. */
static int check_annotation_of_mount(const struct rewrite *rw, const struct idm_json *mount,
				     const struct map_request *request,
				     const struct idm_oci_annotation *annotation)
{
	bool pod_map;
	int r = is_pod_map(rw, mount, request, &pod_map);

	if (r < 0 || pod_map)
		return r;
	return idm_json_fail(mount, rw->err, "duplicate map (also given by the annotation %s)",
			     annotation->name);
}

static int add_mount_request(struct rewrite *rw, const struct idm_json *mount,
			     const struct map_request *request)
{
	const struct idm_oci_annotation *annotation;
	struct idm_json destination;
	const char *path;
	size_t n;
	int r;

	if (!idm_json_member(mount, "destination", &destination))
		return idm_json_fail(mount, rw->err, "\"destination\" is missing");
	r = idm_json_string(&destination, &path, rw->err);
	if (r < 0)
		return r;
	path = idm_trim_target(path, &n);
	if (!is_only_mount_at(rw, path, n))
		return idm_json_fail(mount, rw->err, "another mount has the destination /%.*s, too",
				     (int)n, path);
	annotation = idm_oci_find_annotation(&rw->annotations, path, n);
	if (annotation)
		return check_annotation_of_mount(rw, mount, request, annotation);
	return rewrite_add_request(rw, text_of("%s%s%s/%.*s", request->scope ? request->scope : "",
					       request->scope && request->map ? "=" : "",
					       request->map ? request->map : "", (int)n, path));
}

/*
 * podman 5 writes the map of the container for its option idmap. With a rootless engine, the IDs on disk
 * of that map count where the engine is. Those of other maps count on the host.
 */
static int find_container_map(struct rewrite *rw, const struct idm_json *mount,
			      struct map_request *request)
{
	bool equal = false;
	int r = idm_in_initial_userns() ? 0 : is_pod_map(rw, mount, request, &equal);

	if (r == 0 && equal) {
		free(request->map);
		request->map = NULL;
	}
	return r;
}

static int change_mount(struct rewrite *rw, const struct idm_json *mount)
{
	struct map_request request = { 0 };
	int r = read_map_request(&request, mount, rw->err);

	if (r == 0 && request.any) {
		rw->any = true;
		strip_mount(rw, mount);
		r = find_container_map(rw, mount, &request);
		if (r == 0)
			r = add_mount_request(rw, mount, &request);
	}
	free(request.map);
	return r;
}

int rewrite_mounts(struct rewrite *rw)
{
	struct idm_json list, mount = { 0 };
	size_t n;
	int r;

	if (!idm_json_member(&rw->whole, "mounts", &list))
		return 0;
	r = idm_json_array(&list, &n, rw->err);
	while (r == 0 && idm_json_each(&list, &mount))
		r = change_mount(rw, &mount);
	return r;
}

int rewrite_find_annotations(struct rewrite *rw)
{
	struct idm_json annotations, annotation = { 0 };
	struct idm_oci_requester requester;
	int r;

	if (!idm_json_member(&rw->whole, "annotations", &annotations))
		return 0;
	r = idm_json_object(&annotations, rw->err);
	while (r == 0 && idm_json_each(&annotations, &annotation))
		rw->any |= idm_oci_is_own_key(annotation.key);
	if (r == 0 && rw->any && idm_oci_read_requester(&annotations, &requester, NULL) == 0 &&
	    idm_oci_read_annotations(&rw->annotations, &annotations, &requester, NULL) == -ENOMEM)
		return rewrite_fail_memory(rw->err);
	return r;
}
