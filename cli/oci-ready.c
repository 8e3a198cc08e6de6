// SPDX-License-Identifier: MIT
#include "oci-ready.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json-edit.h"
#include "lib/error.h"
#include "lib/oci.h"
#include "lib/plan.h"

static const char step_ready[] = "prepare bundle";

/* ---- what asks for a map ---- */

struct wish {
	const char *scope; /* "idmap", "ridmap", or NULL: as far as the mount is bound */
	char *map;	   /* NULL: the container's own */
	bool any, rows;
};

static int no_memory(struct idm_error *err)
{
	return idm_fail(err, -ENOMEM, step_ready, NULL, NULL);
}

static bool begins(const char *word, const char *with)
{
	return strncmp(word, with, strlen(with)) == 0;
}

static int add_map(struct wish *w, const struct idm_json *at, const char *map, bool both,
		   struct idm_error *err)
{
	char *old = w->map;

	if (old && both)
		return idm_json_fail(at, err, "a map is given twice");
	w->map = text_of("%s%s%s", old ? old : "", old ? " " : "", map);
	free(old);
	return w->map ? 0 : no_memory(err);
}

static int take_word(struct wish *w, const struct idm_json *at, const char *word, struct idm_error *err)
{
	const char *value = strchr(word, '=');

	w->any = true;
	if (*word == 'i' || *word == 'r')
		w->scope = *word == 'i' ? "idmap" : "ridmap";
	if (!value)
		return 0;
	if (begins(word, "uidmap=") || begins(word, "gidmap="))
		return add_map(
			w, at, word,
			w->rows || (w->map && !begins(w->map, "uidmap=") && !begins(w->map, "gidmap=")),
			err);
	return add_map(w, at, value + 1, true, err);
}

static int take_words(struct wish *w, const struct idm_json *mount, struct idm_error *err)
{
	struct idm_json options;
	size_t n = 0;
	int r = 0;

	if (idm_json_member(mount, "options", &options))
		r = idm_json_array(&options, &n, err);
	for (size_t i = 0; r == 0 && i < n; i++) {
		struct idm_json option = idm_json_element(&options, i);
		const char *word;

		r = idm_json_string(&option, &word, err);
		if (r == 0 && idm_oci_is_map_word(word))
			r = take_word(w, &option, word, err);
	}
	return r;
}

static int take_rows(struct wish *w, const struct idm_json *mount, struct idm_error *err)
{
	struct idm_map *rows = NULL;
	ssize_t n = 0;
	int r = idm_oci_read_rows(mount, &rows, err);

	if (r == 0 && rows) {
		n = idm_map_print(rows, IDM_FORMAT_CRUN, IDM_BOTH, NULL, 0);
		w->map = malloc((size_t)n + 1);
		if (w->map)
			idm_map_print(rows, IDM_FORMAT_CRUN, IDM_BOTH, w->map, (size_t)n + 1);
		else
			r = no_memory(err);
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
		r = take_rows(w, mount, err);
	if (r == 0)
		r = take_words(w, mount, err);
	if (r == 0 && w->rows && !w->scope)
		w->scope = "idmap";
	return r;
}

/* ---- the changes ---- */

struct work {
	struct idm_json_text *parsed;
	struct idm_json whole;
	struct edits edits;
	char *annotations; /* to be added, without the braces */
	bool any;	   /* something is to be mapped */
	const char *hook;
	struct idm_error *err;
};

static bool is_map_option(const struct item *item, void *data)
{
	const struct idm_json *options = data;
	struct idm_json option = idm_json_element(options, item->index);
	const char *word;

	return idm_json_string(&option, &word, NULL) == 0 && idm_oci_is_map_word(word);
}

struct member_search {
	const struct edits *edits;
	size_t in;
};

static bool is_row_member(const struct item *item, void *data)
{
	static const char *const keys[] = { "uidMappings", "gidMappings" };
	const struct member_search *s = data;

	for (int i = 0; i < 2; i++) {
		struct item found;

		find_item(s->edits, s->in, keys[i], &found);
		if (found.end == item->end)
			return true;
	}
	return false;
}

static void strip_mount(struct work *w, const struct idm_json *mount, size_t at)
{
	struct member_search s = { &w->edits, at };
	struct idm_json options;
	struct item item;

	edit_remove(&w->edits, at, is_row_member, &s);
	if (idm_json_member(mount, "options", &options) && find_item(&w->edits, at, "options", &item))
		edit_remove(&w->edits, item.value, is_map_option, &options);
}

/* "KEY":"VALUE", behind those that are there already. */
static int add_annotation(struct work *w, char *key, char *value)
{
	char *quoted_key = json_quote(key), *quoted_value = json_quote(value), *old = w->annotations;

	w->annotations = quoted_key && quoted_value ? text_of("%s%s%s:%s", old ? old : "",
							      old ? "," : "", quoted_key, quoted_value)
						    : NULL;
	free(quoted_key);
	free(quoted_value);
	free(old);
	return w->annotations ? 0 : no_memory(w->err);
}

/* An annotation names a mount by its destination, and has to mean one. */
static bool is_alone(const struct work *w, const char *path, size_t n)
{
	struct idm_json mounts, destination;
	size_t all = 0, same = 0;

	if (idm_json_member(&w->whole, "mounts", &mounts))
		idm_json_array(&mounts, &all, NULL);
	for (size_t i = 0; i < all; i++) {
		struct idm_json mount = idm_json_element(&mounts, i);
		const char *other;
		size_t length;

		if (idm_json_type(&mount) != IDM_JSON_OBJECT ||
		    !idm_json_member(&mount, "destination", &destination) ||
		    idm_json_string(&destination, &other, NULL) < 0)
			continue;
		other = idm_trim_target(other, &length);
		same += length == n && memcmp(other, path, n) == 0;
	}
	return same == 1;
}

static int annotate(struct work *w, const struct idm_json *mount, const struct wish *wish)
{
	struct idm_json destination, annotations, there;
	const char *path;
	char *key, *value;
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
	key = text_of("%s%.*s", IDM_OCI_ANNOTATION, (int)n, path);
	value = text_of("%s%s%s", wish->scope ? wish->scope : "", wish->scope && wish->map ? "=" : "",
			wish->map ? wish->map : "");
	r = add_annotation(w, key, value);
	free(key);
	free(value);
	return r;
}

static int change_mount(struct work *w, const struct idm_json *mount, size_t at)
{
	struct wish wish = { 0 };
	int r = read_wish(&wish, mount, w->err);

	if (r == 0 && wish.any) {
		w->any = true;
		strip_mount(w, mount, at);
		r = annotate(w, mount, &wish);
	}
	free(wish.map);
	return r;
}

static int change_mounts(struct work *w)
{
	struct item mounts, item = { 0 };
	struct idm_json list;
	size_t n;
	int r = 0;

	if (!idm_json_member(&w->whole, "mounts", &list))
		return 0;
	r = idm_json_array(&list, &n, w->err);
	find_item(&w->edits, whole_value(&w->edits), "mounts", &mounts);
	while (r == 0 && next_item(&w->edits, mounts.value, &item)) {
		struct idm_json mount = idm_json_element(&list, item.index);

		r = change_mount(w, &mount, item.value);
	}
	return r;
}

static int change_annotations(struct work *w)
{
	struct idm_json annotations, annotation;
	const void *cursor = NULL;
	struct item item;
	size_t n;
	int r = 0;

	if (idm_json_member(&w->whole, "annotations", &annotations)) {
		r = idm_json_object(&annotations, w->err);
		while (r == 0 && idm_json_each(&annotations, &cursor, &annotation))
			w->any |= idm_oci_annotated(&annotation, &n) != NULL;
	}
	if (r < 0 || !w->annotations)
		return r;
	if (find_item(&w->edits, whole_value(&w->edits), "annotations", &item))
		edit_append(&w->edits, item.value, text_of("%s", w->annotations));
	else
		edit_set(&w->edits, (const char *const[]){ "annotations" }, 1,
			 text_of("{%s}", w->annotations));
	return 0;
}

/* ---- the hook ---- */

/* Ours, wherever the program was when it was written. */
static bool is_our_hook(const struct idm_json *hook)
{
	struct idm_json args, arg;
	const char *word, *slash;
	size_t n;

	if (idm_json_type(hook) != IDM_JSON_OBJECT || !idm_json_member(hook, "args", &args) ||
	    idm_json_array(&args, &n, NULL) < 0 || n != 2)
		return false;
	arg = idm_json_element(&args, 0);
	if (idm_json_string(&arg, &word, NULL) < 0)
		return false;
	slash = strrchr(word, '/');
	if (strcmp(slash ? slash + 1 : word, "idmount") != 0)
		return false;
	arg = idm_json_element(&args, 1);
	return idm_json_string(&arg, &word, NULL) == 0 && strcmp(word, "oci-hook") == 0;
}

/* 1: it is there, with the path that it has now. */
static int find_our_hook(struct work *w, const struct idm_json *list, size_t at)
{
	struct item item = { 0 }, path;

	while (next_item(&w->edits, at, &item)) {
		struct idm_json hook = idm_json_element(list, item.index), there;
		const char *text;

		if (!is_our_hook(&hook))
			continue;
		if (!idm_json_member(&hook, "path", &there) || idm_json_string(&there, &text, NULL) < 0)
			return idm_json_fail(&hook, w->err, "\"path\" is missing");
		find_item(&w->edits, item.value, "path", &path);
		if (strcmp(text, w->hook) != 0)
			edit_replace(&w->edits, path.value, path.end, json_quote(w->hook));
		return 1;
	}
	return 0;
}

static int change_hooks(struct work *w)
{
	static const char *const keys[] = { "hooks", "createRuntime" };
	struct idm_json hooks, list;
	char *path, *entry;
	struct item item;
	size_t n;
	int r = 0;

	if (idm_json_member(&w->whole, keys[0], &hooks)) {
		r = idm_json_object(&hooks, w->err);
		if (r == 0 && idm_json_member(&hooks, keys[1], &list)) {
			r = idm_json_array(&list, &n, w->err);
			find_item(&w->edits, whole_value(&w->edits), keys[0], &item);
			find_item(&w->edits, item.value, keys[1], &item);
			r = r < 0 ? r : find_our_hook(w, &list, item.value);
		} else {
			item.end = 0;
		}
	} else {
		item.end = 0;
	}
	if (r != 0)
		return r < 0 ? r : 0;
	path = json_quote(w->hook);
	entry = path ? text_of("{\"path\":%s,\"args\":[\"idmount\",\"oci-hook\"]}", path) : NULL;
	free(path);
	if (item.end) {
		edit_append(&w->edits, item.value, entry);
		return 0;
	}
	edit_set(&w->edits, keys, 2, entry ? text_of("[%s]", entry) : NULL);
	free(entry);
	return 0;
}

/* ---- the text ---- */

/* Which map that is will be seen when it has joined. */
static int any_map(void *data, struct idm_map *map, struct idm_error *err)
{
	static const struct idm_entry one = { 0, 0, 1 };

	(void)data;
	return idm_map_add(map, IDM_BOTH, &one, 1, err);
}

/* What the hook would refuse is refused now, before anything runs. */
static int check(const char *text, size_t length, int dirfd, struct idm_error *err)
{
	const struct idm_oci_text how = {
		.text = text,
		.length = length,
		.dirfd = dirfd,
		.joined_map = any_map,
	};
	struct idm_oci oci;
	int r = idm_oci_read(&oci, &how, err);

	if (r == 0)
		idm_oci_free(&oci);
	return r;
}

static int change(struct work *w)
{
	int r;

	r = idm_json_object(&w->whole, w->err);
	if (r == 0)
		r = change_mounts(w);
	if (r == 0)
		r = change_annotations(w);
	if (r == 0 && w->any)
		r = change_hooks(w);
	return r;
}

int make_config_ready(const struct config *config, char **ready, size_t *n, struct idm_error *err)
{
	struct work w = {
		.edits = { .text = config->text, .length = config->length },
		.hook = config->hook,
		.err = err,
	};
	int r = idm_json_parse(config->text, config->length, step_ready, &w.parsed, err);

	*ready = NULL;
	if (r == 0) {
		w.whole = idm_json_whole(w.parsed);
		r = change(&w);
	}
	/* Only what the hook understands as it is: an annotation may say more than a mount's option. */
	if (r == 0 && w.any)
		r = check(config->text, config->length, config->dirfd, err);
	if (r == 0 && (w.edits.n || w.edits.failed)) {
		*ready = edit_apply(&w.edits, n);
		r = *ready ? check(*ready, *n, config->dirfd, err) : no_memory(err);
	}
	if (r < 0) {
		free(*ready);
		*ready = NULL;
	}
	free(w.annotations);
	edit_free(&w.edits);
	idm_json_free(w.parsed);
	return r;
}
