// SPDX-License-Identifier: MIT
#include "config-rewrite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json-edit.h"
#include "lib/base/error.h"
#include "lib/plan/plan.h"
#include "lib/spec/oci-mappings.h"
#include "lib/sys/fail-errno.h"
#include "oci.h"

static const enum idm_error_step step_ready = IDM_STEP_PREPARE_BUNDLE;

/* ---- requests for a map ---- */

struct wish {
	const char *scope; /* "idmap", "ridmap", or NULL: as far as the mount is bound */
	char *map;	   /* NULL: the container's own */
	bool any, rows;
};

static int fail_rewrite_memory(struct idm_error *err)
{
	return idm_fail_errno(err, -ENOMEM, step_ready, NULL);
}

static bool has_prefix(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static int add_map_to_wish(struct wish *w, const struct idm_json *at, const char *map, bool both,
			   struct idm_error *err)
{
	char *old = w->map;

	if (old && both)
		return idm_json_fail(at, err, "a map is given twice");
	w->map = text_of("%s%s%s", old ? old : "", old ? " " : "", map);
	free(old);
	return w->map ? 0 : fail_rewrite_memory(err);
}

static int take_wish_option(struct wish *w, const struct idm_json *at, const char *word,
			    struct idm_error *err)
{
	const char *value = strchr(word, '=');

	w->any = true;
	if (*word == 'i' || *word == 'r')
		w->scope = *word == 'i' ? "idmap" : "ridmap";
	if (!value)
		return 0;
	if (has_prefix(word, "uidmap=") || has_prefix(word, "gidmap="))
		return add_map_to_wish(w, at, word,
				       w->rows || (w->map && !has_prefix(w->map, "uidmap=") &&
						   !has_prefix(w->map, "gidmap=")),
				       err);
	return add_map_to_wish(w, at, value + 1, true, err);
}

static int take_wish_options(struct wish *w, const struct idm_json *mount, struct idm_error *err)
{
	struct idm_json options, option = { 0 };
	size_t n;
	int r = 0;

	if (idm_json_member(mount, "options", &options))
		r = idm_json_array(&options, &n, err);
	while (r == 0 && idm_json_each(&options, &option)) {
		const char *word;

		r = idm_json_string(&option, &word, err);
		if (r == 0 && idm_oci_is_map_word(word))
			r = take_wish_option(w, &option, word, err);
	}
	return r;
}

static int take_mapping_rows(struct wish *w, const struct idm_json *mount, struct idm_error *err)
{
	struct idm_map *rows = NULL;
	ssize_t n = 0;
	int r = idm_oci_read_mappings(mount, &rows, err);

	if (r == 0 && rows) {
		n = idm_map_print(rows, IDM_FORMAT_CRUN, IDM_BOTH, NULL, 0);
		w->map = malloc((size_t)n + 1);
		if (w->map)
			idm_map_print(rows, IDM_FORMAT_CRUN, IDM_BOTH, w->map, (size_t)n + 1);
		else
			r = fail_rewrite_memory(err);
		w->any = w->rows = true;
	}
	idm_map_free(rows);
	return r;
}

/* Rows by themselves are for that mount alone: that is how runtimes take them. */
static int read_wish(struct wish *w, const struct idm_json *mount, struct idm_error *err)
{
	int r = idm_json_object(mount, err);

	if (r == 0)
		r = take_mapping_rows(w, mount, err);
	if (r == 0)
		r = take_wish_options(w, mount, err);
	if (r == 0 && w->rows && !w->scope)
		w->scope = "idmap";
	return r;
}

/* ---- the changes ---- */

struct work {
	struct idm_json_text *parsed;
	struct idm_json whole;
	struct edits edits;
	/*
	 * The arguments for the hook: "idmap=MAP/DESTINATION". The hook has the first `there` of them
	 * already.
	 */
	char **given;
	size_t n_given, there;
	bool any; /* something is to be mapped */
	const struct config *config;
	struct idm_error *err;
};

static bool is_map_option(const struct idm_json *option)
{
	const char *word;

	return idm_json_string(option, &word, NULL) == 0 && idm_oci_is_map_word(word);
}

static bool is_row_member(const struct idm_json *member)
{
	return strcmp(member->key, "uidMappings") == 0 || strcmp(member->key, "gidMappings") == 0;
}

static void strip_mount(struct work *w, const struct idm_json *mount)
{
	struct idm_json options;

	edit_remove(&w->edits, mount, is_row_member);
	if (idm_json_member(mount, "options", &options))
		edit_remove(&w->edits, &options, is_map_option);
}

/* The text is taken over; NULL: there was no memory for it. */
static int add_given(struct work *w, char *given)
{
	char **more = given ? reallocarray(w->given, w->n_given + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(given);
		return fail_rewrite_memory(w->err);
	}
	w->given = more;
	w->given[w->n_given++] = given;
	return 0;
}

/* A map is given for a destination, which has to mean one mount. */
static bool is_alone(const struct work *w, const char *path, size_t n)
{
	struct idm_json mounts, mount = { 0 }, destination;
	size_t same = 0;

	idm_json_member(&w->whole, "mounts", &mounts);
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

static int give(struct work *w, const struct idm_json *mount, const struct wish *wish)
{
	struct idm_json destination, annotations, there;
	const char *path;
	size_t n;
	int r;

	if (!idm_json_member(mount, "destination", &destination))
		return idm_json_fail(mount, w->err, "\"destination\" is missing");
	r = idm_json_string(&destination, &path, w->err);
	if (r < 0)
		return r;
	path = idm_trim_target(path, &n);
	if (!is_alone(w, path, n))
		return idm_json_fail(mount, w->err, "another mount has the destination /%.*s, too",
				     (int)n, path);
	if (idm_json_member(&w->whole, "annotations", &annotations) &&
	    idm_oci_find_annotation(&annotations, path, n, &there))
		return idm_json_fail(mount, w->err,
				     "a map is given twice: here, and by the annotation %s", there.key);
	return add_given(w, text_of("%s%s%s/%.*s", wish->scope ? wish->scope : "",
				    wish->scope && wish->map ? "=" : "", wish->map ? wish->map : "",
				    (int)n, path));
}

static int change_mount(struct work *w, const struct idm_json *mount)
{
	struct wish wish = { 0 };
	int r = read_wish(&wish, mount, w->err);

	if (r == 0 && wish.any) {
		w->any = true;
		strip_mount(w, mount);
		r = give(w, mount, &wish);
	}
	free(wish.map);
	return r;
}

static int change_mounts(struct work *w)
{
	struct idm_json list, mount = { 0 };
	size_t n;
	int r;

	if (!idm_json_member(&w->whole, "mounts", &list))
		return 0;
	r = idm_json_array(&list, &n, w->err);
	while (r == 0 && idm_json_each(&list, &mount))
		r = change_mount(w, &mount);
	return r;
}

/* They stay as they are: the hook finds them, and refuses those that are wrong. */
static int look_at_annotations(struct work *w)
{
	struct idm_json annotations, annotation = { 0 };
	int r;

	if (!idm_json_member(&w->whole, "annotations", &annotations))
		return 0;
	r = idm_json_object(&annotations, w->err);
	while (r == 0 && idm_json_each(&annotations, &annotation))
		w->any |= idm_oci_is_ours(annotation.key);
	return r;
}

/* ---- the hook ---- */

/* "": it is something else. */
static const char *string_of(const struct idm_json *value)
{
	const char *string;

	return idm_json_string(value, &string, NULL) == 0 ? string : "";
}

/* This program's hook, also if the program had another path when it was written. */
static bool is_our_hook(const struct idm_json *hook, struct idm_json *args)
{
	struct idm_json word = { 0 };
	const char *name, *slash;

	if (!idm_json_member(hook, "args", args) || idm_json_type(args) != IDM_JSON_ARRAY ||
	    !idm_json_each(args, &word))
		return false;
	name = string_of(&word);
	slash = strrchr(name, '/');
	return strcmp(slash ? slash + 1 : name, "idmount") == 0 && idm_json_each(args, &word) &&
	       strcmp(string_of(&word), "oci-hook") == 0;
}

/* The arguments passed to the hook by an earlier call: pairs behind the first two words. */
static int take_args(struct work *w, const struct idm_json *args)
{
	struct idm_json word = { 0 };
	int r = 0;

	while (r == 0 && idm_json_each(args, &word)) {
		bool map = word.index >= 2 && strcmp(string_of(&word), "--map") == 0;

		if (word.index >= 2 && !idm_json_each(args, &word))
			break;
		if (map)
			r = add_given(w, text_of("%s", string_of(&word)));
	}
	return r;
}

/* Finds the list with this program's hook: 1, or 0 if no list has it. */
static int find_hooks(const struct work *w, struct idm_json *list)
{
	struct idm_json hooks;
	size_t n;
	int r;

	*list = (struct idm_json){ 0 };
	if (!idm_json_member(&w->whole, "hooks", &hooks))
		return 0;
	r = idm_json_object(&hooks, w->err);
	if (r < 0 || !idm_json_member(&hooks, "createRuntime", list))
		return r;
	r = idm_json_array(list, &n, w->err);
	return r < 0 ? r : 1;
}

/* Finds the first hook of this program: 1, with its arguments. */
static int find_our_hook(const struct work *w, struct idm_json *hook, struct idm_json *args)
{
	struct idm_json list;
	int r = find_hooks(w, &list);

	*hook = (struct idm_json){ 0 };
	while (r > 0 && idm_json_each(&list, hook))
		if (is_our_hook(hook, args))
			return 1;
	return r < 0 ? r : 0;
}

static int take_old_hook(struct work *w)
{
	struct idm_json hook, args;
	int r = find_our_hook(w, &hook, &args);

	if (r > 0)
		r = take_args(w, &args);
	w->there = w->n_given;
	w->any |= w->there > 0;
	return r;
}

/* Returns the new arguments, each behind a comma. */
static char *new_args(const struct work *w, bool handler)
{
	char *text = text_of("%s", "");

	for (size_t i = w->there; text && i < w->n_given + handler; i++) {
		bool map = i < w->n_given;
		char *old = text, *quoted = json_quote(map ? w->given[i] : w->config->handler);

		text = quoted ? text_of("%s,\"--%s\",%s", old, map ? "map" : "handler", quoted) : NULL;
		free(quoted);
		free(old);
	}
	return text;
}

static bool is_told_handler(const struct idm_json *args)
{
	struct idm_json word = { 0 };

	while (idm_json_each(args, &word))
		if (word.index >= 2 && strcmp(string_of(&word), "--handler") == 0)
			return true;
	return false;
}

/* Sets the program's present path, and adds missing arguments. */
static int change_old_hook(struct work *w, const struct idm_json *hook, const struct idm_json *args)
{
	struct idm_json path;
	const char *text;
	char *more;

	if (!idm_json_member(hook, "path", &path) || idm_json_string(&path, &text, NULL) < 0)
		return idm_json_fail(hook, w->err, "\"path\" is missing");
	if (strcmp(text, w->config->hook) != 0)
		edit_replace(&w->edits, &path, json_quote(w->config->hook));
	more = new_args(w, w->config->handler && !is_told_handler(args));
	if (!more || *more)
		edit_append(&w->edits, args, more ? text_of("%s", more + 1) : NULL);
	free(more);
	return 0;
}

static char *new_hook(const struct work *w)
{
	char *path = json_quote(w->config->hook), *args = new_args(w, w->config->handler);
	char *entry = path && args ? text_of("{\"path\":%s,\"args\":[\"idmount\",\"oci-hook\"%s]}", path,
					     args)
				   : NULL;

	free(path);
	free(args);
	return entry;
}

static int add_hook(struct work *w)
{
	static const char *const keys[] = { "hooks", "createRuntime" };
	struct idm_json list;
	int r = find_hooks(w, &list);
	char *entry;

	if (r < 0)
		return r;
	entry = new_hook(w);
	if (r > 0) {
		edit_append(&w->edits, &list, entry);
		return 0;
	}
	edit_set(&w->edits, keys, 2, entry ? text_of("[%s]", entry) : NULL);
	free(entry);
	return 0;
}

static int change_hooks(struct work *w)
{
	struct idm_json hook, args;
	int r = find_our_hook(w, &hook, &args);

	if (r < 0)
		return r;
	return r > 0 ? change_old_hook(w, &hook, &args) : add_hook(w);
}

/* ---- the text ---- */

/* Which map that is will be seen when it has joined. */
static int any_map(void *data, struct idm_map *map, struct idm_error *err)
{
	static const struct idm_entry one = { 0, 0, 1 };

	(void)data;
	return idm_map_add(map, IDM_BOTH, &one, 1, err);
}

/* Rejects here, before any program runs, all that the hook would reject. */
static int check_rewritten(const struct work *w, const char *text, size_t length, size_t n_given)
{
	const struct config *config = w->config;
	const struct idm_oci_text how = {
		.text = text,
		.length = length,
		.dirfd = config->dirfd,
		.joined_map = any_map,
		.given = w->given,
		.n_given = n_given,
		.handler = config->handler,
	};
	struct idm_oci oci;
	int r = idm_oci_read(&oci, &how, w->err);

	if (r < 0)
		return r;
	if (config->judge)
		r = config->judge(&oci, w->err);
	idm_oci_free(&oci);
	return r;
}

static int begin_rewrite(struct work *w)
{
	const struct config *config = w->config;
	int r = idm_json_parse(config->text, config->length, step_ready, &w->parsed, w->err);

	if (r < 0)
		return r;
	w->edits.text = w->parsed;
	w->whole = idm_json_whole(w->parsed);
	r = idm_json_object(&w->whole, w->err);
	if (r == 0)
		r = take_old_hook(w);
	if (r == 0)
		r = change_mounts(w);
	return r < 0 ? r : look_at_annotations(w);
}

static void end_rewrite(struct work *w)
{
	for (size_t i = 0; i < w->n_given; i++)
		free(w->given[i]);
	free(w->given);
	edit_free(&w->edits);
	idm_json_free(w->parsed);
}

int make_config_ready(const struct config *config, char **ready, size_t *n, struct idm_error *err)
{
	struct work w = { .config = config, .err = err };
	int r = begin_rewrite(&w);

	*ready = NULL;
	if (r == 0 && w.any)
		r = change_hooks(&w);
	/* Only what the hook understands as it is: what is given may say more than a mount's option. */
	if (r == 0 && w.any)
		r = check_rewritten(&w, config->text, config->length, w.there);
	if (r == 0 && (w.edits.n || w.edits.failed)) {
		*ready = edit_apply(&w.edits, n);
		r = *ready ? check_rewritten(&w, *ready, *n, w.n_given) : fail_rewrite_memory(err);
	}
	if (r < 0) {
		free(*ready);
		*ready = NULL;
	}
	end_rewrite(&w);
	return r;
}

int config_asks(const struct config *config, struct idm_error *err)
{
	struct work w = { .config = config, .err = err };
	int r = begin_rewrite(&w);

	if (r == 0)
		r = w.any;
	end_rewrite(&w);
	return r;
}
