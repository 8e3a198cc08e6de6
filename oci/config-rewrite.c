// SPDX-License-Identifier: MIT
#include "config-rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hook-output.h"
#include "json-edit.h"
#include "lib/base/error.h"
#include "lib/base/escape.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/capability.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"
#include "runtime.h"

static const enum idm_error_step step_prepare = IDM_STEP_PREPARE_BUNDLE;

/* ---- requests for a map ---- */

struct request {
	const char *scope; /* "idmap", "ridmap", or NULL: as far as the mount is bound */
	char *map;	   /* NULL: the container's own */
	bool any;
	bool mappings; /* the map is that of uidMappings and gidMappings */
	bool sides;    /* the map is that of uidmap= and gidmap=, which are added together */
};

static int fail_rewrite_memory(struct idm_error *err)
{
	return idm_fail_errno(err, -ENOMEM, step_prepare, NULL);
}

static int add_requested_map(struct request *q, const char *map, struct idm_error *err)
{
	char *old = q->map;

	q->map = text_of("%s%s%s", old ? old : "", old ? " " : "", map);
	free(old);
	return q->map ? 0 : fail_rewrite_memory(err);
}

static int read_map_option(struct request *q, const struct idm_json *at, struct idm_error *err)
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

static int read_map_options(struct request *q, const struct idm_json *mount, struct idm_error *err)
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

static int read_own_mappings(struct request *q, const struct idm_json *mount, struct idm_error *err)
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
			r = fail_rewrite_memory(err);
		q->any = q->mappings = true;
	}
	idm_map_free(map);
	return r;
}

/* Mappings without a scope are for that mount alone, as in runtimes. */
static int read_mount_request(struct request *q, const struct idm_json *mount, struct idm_error *err)
{
	int r = idm_json_object(mount, err);

	if (r == 0)
		r = read_own_mappings(q, mount, err);
	if (r == 0)
		r = read_map_options(q, mount, err);
	if (r == 0 && q->mappings && !q->scope)
		q->scope = idm_map_scope_option(IDM_MAP_TOP);
	return r;
}

/* ---- the changes ---- */

struct rewrite {
	struct idm_json_text *parsed;
	struct idm_json whole;
	struct edits edits;
	/*
	 * The arguments for the hook: "idmap=MAP/DESTINATION". The configuration has the first `n_old`
	 * of them already.
	 */
	char **requests;
	size_t n_requests, n_old;
	struct idm_oci_annotations annotations;
	bool any; /* something is to be mapped */
	const struct config *config;
	struct idm_error *err;
};

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

/* Owns the text from here on. NULL means that memory ran out. */
static int add_request(struct rewrite *rw, char *request)
{
	char **more = request ? reallocarray(rw->requests, rw->n_requests + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(request);
		return fail_rewrite_memory(rw->err);
	}
	rw->requests = more;
	rw->requests[rw->n_requests++] = request;
	return 0;
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
		      const struct request *request, bool *equal)
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
				     const struct request *request,
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
			     const struct request *request)
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
	return add_request(rw, text_of("%s%s%s/%.*s", request->scope ? request->scope : "",
				       request->scope && request->map ? "=" : "",
				       request->map ? request->map : "", (int)n, path));
}

/*
 * podman 5 writes the map of the container for its option idmap. With a rootless engine, the IDs on disk
 * of that map count where the engine is. Those of other maps count on the host.
 */
static int find_container_map(struct rewrite *rw, const struct idm_json *mount, struct request *request)
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
	struct request request = { 0 };
	int r = read_mount_request(&request, mount, rw->err);

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

static int change_mounts(struct rewrite *rw)
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

/* They stay as they are: the hook finds them, and rejects wrong ones. */
static int find_own_annotations(struct rewrite *rw)
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
		return fail_rewrite_memory(rw->err);
	return r;
}

/* ---- the hook ---- */

/* Returns "" if the value is not a string. */
static const char *string_of(const struct idm_json *value)
{
	const char *string;

	return idm_json_string(value, &string, NULL) == 0 ? string : "";
}

/* Returns whether the hook is this program's, by its present path or an earlier one. */
static bool is_own_hook(const struct idm_json *hook, struct idm_json *args)
{
	struct idm_json item = { 0 };
	const char *name, *slash;

	if (!idm_json_member(hook, "args", args) || idm_json_type(args) != IDM_JSON_ARRAY ||
	    !idm_json_each(args, &item))
		return false;
	name = string_of(&item);
	slash = strrchr(name, '/');
	return strcmp(slash ? slash + 1 : name, "idmount") == 0 && idm_json_each(args, &item) &&
	       strcmp(string_of(&item), "oci-hook") == 0;
}

/* Reads the arguments that an earlier call has written: pairs after the first two. */
static int read_hook_args(struct rewrite *rw, const struct idm_json *args)
{
	struct idm_json item = { 0 };
	int r = 0;

	while (r == 0 && idm_json_each(args, &item)) {
		bool map = item.index >= 2 && strcmp(string_of(&item), "--map") == 0;

		if (item.index >= 2 && !idm_json_each(args, &item))
			break;
		if (map)
			r = add_request(rw, text_of("%s", string_of(&item)));
	}
	return r;
}

/* Finds the list of createRuntime hooks. Returns 1, or 0 if it does not exist. */
static int find_hooks(const struct rewrite *rw, struct idm_json *list)
{
	struct idm_json hooks;
	size_t n;
	int r;

	*list = (struct idm_json){ 0 };
	if (!idm_json_member(&rw->whole, "hooks", &hooks))
		return 0;
	r = idm_json_object(&hooks, rw->err);
	if (r < 0 || !idm_json_member(&hooks, "createRuntime", list))
		return r;
	r = idm_json_array(list, &n, rw->err);
	return r < 0 ? r : 1;
}

/* Finds the first hook of this program, and its arguments. Returns 1, or 0 if none exists. */
static int find_own_hook(const struct rewrite *rw, struct idm_json *hook, struct idm_json *args)
{
	struct idm_json list;
	int r = find_hooks(rw, &list);

	*hook = (struct idm_json){ 0 };
	while (r > 0 && idm_json_each(&list, hook))
		if (is_own_hook(hook, args))
			return 1;
	return r < 0 ? r : 0;
}

static int read_old_hook(struct rewrite *rw)
{
	struct idm_json hook, args;
	int r = find_own_hook(rw, &hook, &args);

	if (r > 0)
		r = read_hook_args(rw, &args);
	rw->n_old = rw->n_requests;
	rw->any |= rw->n_old > 0;
	return r;
}

/* Adds an option to the text, and frees that. Each argument is behind a comma. NULL: out of memory. */
static char *add_option(char *text, const char *name, const char *value)
{
	char *quoted = json_quote(value),
	     *more = text && quoted ? text_of("%s,\"%s\",%s", text, name, quoted) : NULL;

	free(quoted);
	free(text);
	return more;
}

/* Returns whether the hook has the option, with the value at last. `value` NULL: any value. */
static bool has_option(const struct idm_json *args, const char *name, const char *value)
{
	struct idm_json item = { 0 };
	bool found = false;

	while (idm_json_type(args) == IDM_JSON_ARRAY && idm_json_each(args, &item)) {
		bool named = item.index >= 2 && strcmp(string_of(&item), name) == 0;

		if (item.index >= 2 && !idm_json_each(args, &item))
			break;
		if (named)
			found = !value || strcmp(string_of(&item), value) == 0;
	}
	return found;
}

/* Returns the options that the hook lacks. `args` is its present list, or empty. */
static char *missing_options(const struct rewrite *rw, const struct idm_json *args)
{
	const struct config *c = rw->config;
	const char *log = c->log && c->log->file && idm_is_utf8(c->log->file) ? c->log->file : NULL;
	char *text = text_of("%s", "");

	for (size_t i = rw->n_old; i < rw->n_requests; i++)
		text = add_option(text, "--map", rw->requests[i]);
	if (c->handler && !has_option(args, "--handler", NULL))
		text = add_option(text, "--handler", c->handler);
	if (log && !has_option(args, "--log", log))
		text = add_option(text, "--log", log);
	if (log && c->log->json && !has_option(args, "--log-format", "json"))
		text = add_option(text, "--log-format", "json");
	return text;
}

/* Sets the program's present path, and adds missing arguments. */
static int change_old_hook(struct rewrite *rw, const struct idm_json *hook, const struct idm_json *args)
{
	struct idm_json path;
	const char *text;
	char *more;

	if (!idm_json_member(hook, "path", &path) || idm_json_string(&path, &text, NULL) < 0)
		return idm_json_fail(hook, rw->err, "\"path\" is missing");
	if (strcmp(text, rw->config->hook) != 0)
		edit_replace(&rw->edits, &path, json_quote(rw->config->hook));
	more = missing_options(rw, args);
	if (!more || *more)
		edit_append(&rw->edits, args, more ? text_of("%s", more + 1) : NULL);
	free(more);
	return 0;
}

static char *new_hook(const struct rewrite *rw)
{
	const struct idm_json none = { 0 };
	char *path = json_quote(rw->config->hook), *args = missing_options(rw, &none);
	char *entry = path && args ? text_of("{\"path\":%s,\"args\":[\"idmount\",\"oci-hook\"%s]}", path,
					     args)
				   : NULL;

	free(path);
	free(args);
	return entry;
}

static int add_hook(struct rewrite *rw)
{
	static const char *const keys[] = { "hooks", "createRuntime" };
	struct idm_json list;
	int r = find_hooks(rw, &list);
	char *entry;

	if (r < 0)
		return r;
	entry = new_hook(rw);
	if (r > 0) {
		edit_append(&rw->edits, &list, entry);
		return 0;
	}
	edit_set(&rw->edits, keys, 2, entry ? text_of("[%s]", entry) : NULL);
	free(entry);
	return 0;
}

static int change_hooks(struct rewrite *rw)
{
	struct idm_json hook, args;
	int r = find_own_hook(rw, &hook, &args);

	if (r < 0)
		return r;
	return r > 0 ? change_old_hook(rw, &hook, &args) : add_hook(rw);
}

static bool has_members(const struct idm_json *object, const char *key)
{
	struct idm_json list, item = { 0 };

	return idm_json_member(object, key, &list) && idm_json_type(&list) == IDM_JSON_ARRAY &&
	       idm_json_each(&list, &item);
}

/*
 * crun opens the file for the hooks of each of its commands. start and delete can have a standard error
 * that cannot be opened, and would fail.
 */
static bool has_later_hooks(const struct rewrite *rw)
{
	struct idm_json hooks;

	return idm_json_member(&rw->whole, "hooks", &hooks) &&
	       (has_members(&hooks, "poststart") || has_members(&hooks, "poststop"));
}

/* Returns whether the annotation exists. It names `file` then, or one that `keep` allows. */
static bool replace_output_file(struct rewrite *rw, const char *key, const char *file,
				bool (*keep)(const char *file))
{
	struct idm_json annotations, old;
	const char *name;

	if (!idm_json_member(&rw->whole, "annotations", &annotations) ||
	    !idm_json_member(&annotations, key, &old))
		return false;
	name = string_of(&old);
	if (strcmp(name, file) == 0 || (keep && keep(name)))
		return true;
	edit_replace(&rw->edits, &old, text_of("\"%s\"", file));
	if (rw->config->output_replaced)
		*rw->config->output_replaced = true;
	return true;
}

/*
 * The engine reads the runtime's standard error, but crun discards that of hooks. An image can bring
 * annotations along, and crun opens the files in them as root. So none of them names another file.
 */
static void direct_hook_output(struct rewrite *rw)
{
	static const char *const keys[] = { "annotations", OCI_HOOK_STDERR };

	replace_output_file(rw, OCI_HOOK_STDOUT, "/dev/null", is_output_of_runtime);
	if (!rw->config->hook_stderr || has_later_hooks(rw))
		replace_output_file(rw, OCI_HOOK_STDERR, "/dev/null", is_output_of_runtime);
	else if (!replace_output_file(rw, OCI_HOOK_STDERR, "/dev/stderr", NULL))
		edit_set(&rw->edits, keys, 2, text_of("\"/dev/stderr\""));
}

/* ---- the text ---- */

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
	int r = idm_json_parse(config->text, config->length, step_prepare, &rw->parsed, rw->err);

	if (r < 0)
		return r;
	rw->edits.text = rw->parsed;
	rw->whole = idm_json_whole(rw->parsed);
	r = idm_json_object(&rw->whole, rw->err);
	if (r == 0)
		r = read_old_hook(rw);
	if (r == 0)
		r = find_own_annotations(rw);
	return r < 0 ? r : change_mounts(rw);
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
		r = change_hooks(&rw);
	if (r == 0 && rw.any)
		direct_hook_output(&rw);
	changed = rw.edits.n || rw.edits.failed;
	/* The hook must accept the old text, too: an argument can express more than an option of a
	 * mount. */
	if (r == 0 && rw.any)
		r = check_parsed(&rw, rw.parsed, rw.n_old, !changed);
	if (r == 0 && changed) {
		*prepared = edit_apply(&rw.edits, n);
		r = *prepared ? check_rewritten(&rw, *prepared, *n) : fail_rewrite_memory(err);
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
