// SPDX-License-Identifier: MIT
/*
 * config.json of a container that a runtime creates. The hook reads it, and the front prepares it for
 * the hook. The prepared file has the same maps, and is the same otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <string.h>

#include "fuzz.h"
#include "lib/base/error.h"
#include "lib/spec/json.h"
#include "lib/spec/oci-mappings.h"
#include "lib/spec/read.h"
#include "oci/config-rewrite.h"
#include "oci/hook-output.h"
#include "oci/oci.h"
#include "plans.h"

static const char hook[] = "/usr/bin/idmount";
static int directory = -1; /* of all bundles; its files are not used */

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc, (void)argv;
	directory = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	CHECK(directory >= 0);
	return 0;
}

/* Refuses to open the user namespace that the configuration names. */
int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode);

int __wrap_idm_sys_openat(int dirfd, const char *path, int flags, unsigned int mode)
{
	(void)dirfd, (void)path, (void)flags, (void)mode;
	return -EACCES;
}

/* ---- what the hook understands ---- */

static int joined_map(void *data, const char *userns, struct idm_map *map, struct idm_error *err)
{
	static const struct idm_entry one = { 0, 100000, 65536 };

	(void)data;
	(void)userns;
	return idm_map_add(map, IDM_BOTH, &one, 1, err);
}

static int read_bundle(struct idm_oci *oci, const char *text, size_t size, char *const *given,
		       size_t n_given)
{
	const struct idm_oci_text how = {
		.text = text,
		.length = size,
		.dirfd = directory,
		.joined_map = joined_map,
		.requests = given,
		.n_requests = n_given,
	};
	struct idm_error err;
	int r = idm_oci_read(oci, &how, &err);

	if (r < 0) {
		CHECK_ERROR(r, &err);
		CHECK(!oci->plan && !oci->mounts && !oci->n);
		return r;
	}
	check_plan(oci->plan);
	for (size_t i = 0; i < oci->n; i++) {
		CHECK(oci->mounts[i].step < oci->plan->n);
		CHECK(!oci->mounts[i].step || oci->plan->entries[oci->mounts[i].step].map);
		CHECK(!oci->mounts[i].annotation || (oci->mounts[i].step && oci->annotation));
	}
	return 0;
}

static void check_container_map(const char *text, size_t size)
{
	struct idm_map *map = NULL;
	struct idm_error err;
	int r = idm_oci_map(text, size, &map, &err);

	if (r < 0) {
		CHECK_ERROR(r, &err);
		return;
	}
	check_map(map);
	idm_map_free(map);
}

/* ---- the hook's part of a configuration, and the rest, as json-c reads it ---- */

/* The library accepts the text. json-c decodes surrogate pairs wrongly, but always in the same way. */
static struct json_object *parse(const char *text, size_t size)
{
	struct json_tokener *tokener = json_tokener_new_ex(IDM_JSON_DEEPEST + 2);
	struct json_object *whole = json_tokener_parse_ex(tokener, text, (int)size);

	CHECK(json_tokener_get_error(tokener) == json_tokener_success);
	json_tokener_free(tokener);
	return whole;
}

static const char *string_at(const struct json_object *array, size_t i)
{
	const char *string = json_object_get_string(json_object_array_get_idx(array, i));

	return string ? string : "";
}

static bool is_our_hook(const struct json_object *entry)
{
	struct json_object *args;
	const char *slash, *word;

	if (!json_object_object_get_ex(entry, "args", &args) ||
	    !json_object_is_type(args, json_type_array) || json_object_array_length(args) < 2)
		return false;
	word = string_at(args, 0);
	slash = strrchr(word, '/');
	return strcmp(slash ? slash + 1 : word, "idmount") == 0 &&
	       strcmp(string_at(args, 1), "oci-hook") == 0;
}

static bool is_map_option(const struct json_object *option)
{
	return idm_find_map_option(json_object_get_string((struct json_object *)option), NULL);
}

static void remove_elements(struct json_object *array, bool (*goes)(const struct json_object *element))
{
	for (size_t i = json_object_array_length(array); i--;)
		if (goes(json_object_array_get_idx(array, i)))
			json_object_array_del_idx(array, i, 1);
}

/* An empty member equals a missing one. */
static void remove_empty(struct json_object *object, const char *key)
{
	struct json_object *member;

	if (!json_object_object_get_ex(object, key, &member))
		return;
	if (!member ||
	    (json_object_is_type(member, json_type_array) && !json_object_array_length(member)) ||
	    (json_object_is_type(member, json_type_object) && !json_object_object_length(member)))
		json_object_object_del(object, key);
}

static void strip_mounts(const struct json_object *whole)
{
	struct json_object *mounts, *options;

	if (!json_object_object_get_ex(whole, "mounts", &mounts) || !mounts)
		return;
	for (size_t i = 0; i < json_object_array_length(mounts); i++) {
		struct json_object *mount = json_object_array_get_idx(mounts, i);

		json_object_object_del(mount, "uidMappings");
		json_object_object_del(mount, "gidMappings");
		if (json_object_object_get_ex(mount, "options", &options) && options)
			remove_elements(options, is_map_option);
	}
}

static void strip_annotations(struct json_object *whole)
{
	struct json_object *annotations;

	if (json_object_object_get_ex(whole, "annotations", &annotations) && annotations) {
		json_object_object_foreach(annotations, key, value)
		{
			(void)value;
			if (strncmp(key, IDM_OCI_ANNOTATION, strlen(IDM_OCI_ANNOTATION)) == 0)
				json_object_object_del(annotations, key);
		}
		/* check_outputs() looks at these. */
		json_object_object_del(annotations, OCI_HOOK_STDOUT);
		json_object_object_del(annotations, OCI_HOOK_STDERR);
	}
	remove_empty(whole, "annotations");
}

static void strip_hooks(struct json_object *whole)
{
	struct json_object *hooks, *entries;

	if (json_object_object_get_ex(whole, "hooks", &hooks) && hooks) {
		if (json_object_object_get_ex(hooks, "createRuntime", &entries) && entries)
			remove_elements(entries, is_our_hook);
		remove_empty(hooks, "createRuntime");
	}
	remove_empty(whole, "hooks");
}

/* Returns the arguments of the first hook of idmount; NULL: there is no such hook. */
static struct json_object *hook_args(const struct json_object *whole)
{
	struct json_object *hooks, *entries, *args;

	if (!json_object_object_get_ex(whole, "hooks", &hooks) || !hooks ||
	    !json_object_object_get_ex(hooks, "createRuntime", &entries) || !entries)
		return NULL;
	for (size_t i = 0; i < json_object_array_length(entries); i++)
		if (is_our_hook(json_object_array_get_idx(entries, i))) {
			json_object_object_get_ex(json_object_array_get_idx(entries, i), "args", &args);
			return args;
		}
	return NULL;
}

/* The hook exists, and the first one has today's path. */
static void check_hook(const struct json_object *whole)
{
	struct json_object *hooks, *entries, *path;
	size_t found = 0;

	CHECK(json_object_object_get_ex(whole, "hooks", &hooks));
	CHECK(json_object_object_get_ex(hooks, "createRuntime", &entries));
	for (size_t i = 0; i < json_object_array_length(entries); i++) {
		struct json_object *entry = json_object_array_get_idx(entries, i);

		if (!is_our_hook(entry) || found++)
			continue;
		CHECK(json_object_object_get_ex(entry, "path", &path));
		CHECK(strcmp(json_object_get_string(path), hook) == 0);
	}
	CHECK(found);
}

static void check_output(const struct json_object *annotations, const char *key)
{
	struct json_object *file;

	if (!json_object_object_get_ex(annotations, key, &file))
		return;
	CHECK(json_object_is_type(file, json_type_string));
	CHECK(is_output_of_runtime(json_object_get_string(file)));
}

/* No file that an image names is opened by crun for the output of hooks. */
static void check_outputs(const struct json_object *whole)
{
	struct json_object *annotations;

	if (!json_object_object_get_ex(whole, "annotations", &annotations))
		return;
	check_output(annotations, OCI_HOOK_STDOUT);
	check_output(annotations, OCI_HOOK_STDERR);
}

static struct json_object *strip(struct json_object *whole)
{
	strip_mounts(whole);
	strip_annotations(whole);
	strip_hooks(whole);
	return whole;
}

static void check_rest(const char *text, size_t size, const char *ready, size_t n)
{
	struct json_object *before = parse(text, size), *after = parse(ready, n);

	check_hook(after);
	check_outputs(after);
	CHECK(json_object_equal(strip(before), strip(after)));
	json_object_put(before);
	json_object_put(after);
}

/* ---- the prepared file ---- */

static int make_ready(const char *text, size_t size, char **ready, size_t *n, struct idm_error *err)
{
	const struct config config = { .text = text, .length = size, .dirfd = directory, .hook = hook };
	int r = prepare_config(&config, ready, n, err);

	if (r < 0) {
		CHECK_ERROR(r, err);
		CHECK(!*ready);
	}
	return r;
}

/* Reads it as the hook does, with the maps in its arguments. */
static int read_ready(struct idm_oci *oci, const char *ready, size_t n)
{
	struct json_object *parsed = parse(ready, n), *args = hook_args(parsed);
	AUTO_FREE char **given = NULL;
	size_t length, n_given = 0;
	int r;

	length = args ? json_object_array_length(args) : 0;
	given = calloc(length + 1, sizeof(*given));
	for (size_t i = 2; given && i + 1 < length; i += 2)
		if (strcmp(string_at(args, i), "--map") == 0)
			given[n_given++] = (char *)string_at(args, i + 1);
	r = read_bundle(oci, ready, n, given, n_given);
	json_object_put(parsed);
	return r;
}

/* Preparing it again changes nothing, and its maps are the same. */
static void check_ready(const struct idm_oci *before, const char *ready, size_t n)
{
	AUTO_FREE char *again = NULL;
	struct idm_oci after;
	struct idm_error err;
	size_t length;

	CHECK(make_ready(ready, n, &again, &length, &err) == 0 && !again);
	CHECK(read_ready(&after, ready, n) == 0);
	CHECK(before->plan && same_plan(before->plan, after.plan));
	idm_oci_free(&after);
}

static void check_readying(const struct idm_oci *before, const char *text, size_t size)
{
	AUTO_FREE char *ready = NULL;
	struct idm_error err;
	size_t n;

	if (make_ready(text, size, &ready, &n, &err) < 0) {
		/* The message must not be about the new text, which the user has not seen. */
		CHECK(!before->plan || err.step == IDM_STEP_PREPARE_BUNDLE);
		return;
	}
	if (ready) {
		check_ready(before, ready, n);
		check_rest(text, size, ready, n);
	} else if (before->plan && before->plan->n > 1) {
		check_rest(text, size, text, size);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = bytes_copy(data, size);
	struct idm_oci oci;

	check_container_map(text, size);
	(void)read_bundle(&oci, text, size, NULL, 0);
	check_readying(&oci, text, size);
	idm_oci_free(&oci);
	return 0;
}
