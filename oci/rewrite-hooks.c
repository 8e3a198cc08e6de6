// SPDX-License-Identifier: MIT
#include "rewrite.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/escape.h"
#include "runtime.h"

int rewrite_add_request(struct rewrite *rw, char *request)
{
	char **more = request ? reallocarray(rw->requests, rw->n_requests + 1, sizeof(*more)) : NULL;

	if (!more) {
		free(request);
		return rewrite_fail_memory(rw->err);
	}
	rw->requests = more;
	rw->requests[rw->n_requests++] = request;
	return 0;
}

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
			r = rewrite_add_request(rw, text_of("%s", string_of(&item)));
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

int rewrite_read_hook(struct rewrite *rw)
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

int rewrite_hooks(struct rewrite *rw)
{
	struct idm_json hook, args;
	int r = find_own_hook(rw, &hook, &args);

	if (r < 0)
		return r;
	return r > 0 ? change_old_hook(rw, &hook, &args) : add_hook(rw);
}
