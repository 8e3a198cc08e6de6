// SPDX-License-Identifier: MIT
#include "features.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json-edit.h"
#include "lib/base/error.h"
#include "lib/base/read-file.h"
#include "lib/plan/plan.h"
#include "lib/spec/json.h"
#include "lib/sys/fail-errno.h"
#include "start-program.h"

static const enum idm_error_step step_features = IDM_STEP_ASK_FOR_FEATURES;

/* The versions, which the specification requires, and no other property. */
static const char nothing[] =
	"{\n    \"ociVersionMin\": \"1.0.0\",\n    \"ociVersionMax\": \"1.0.0\"\n}\n";

/* ---- asking ---- */

/* *text stays NULL if the runtime has no answer. */
static int ask_runtime(char **argv, char **text, size_t *length, struct idm_error *err)
{
	int ends[2] = { -1, -1 }, r = pipe2(ends, O_CLOEXEC) < 0 ? -errno : 0;
	pid_t pid = 0;

	*text = NULL;
	if (r < 0)
		return idm_fail_errno(err, r, step_features, NULL);
	r = start_program_to((const char *const *)argv, ends[1], &pid); /* crun 1.8 has no answer */
	close(ends[1]);
	if (r != 0) {
		close(ends[0]);
		return idm_fail(err, r, step_features, NULL, "execute: %s", strerror(-r));
	}
	r = idm_read_file(ends[0], IDM_READ_FILE_MOST, text, length);
	if (r < 0)
		idm_fail(err, r, step_features, NULL, "read: %s", strerror(-r));
	close(ends[0]);
	if (wait_for_program(pid) != 0 || !*length) {
		free(*text);
		*text = NULL;
	}
	return r;
}

/* ---- adding ---- */

static bool has_item(const struct idm_json *list, const char *text)
{
	struct idm_json item = { 0 };
	const char *string;

	while (idm_json_each(list, &item))
		if (idm_json_string(&item, &string, NULL) == 0 && strcmp(string, text) == 0)
			return true;
	return false;
}

static void add_options(struct edits *e, const struct idm_json *whole)
{
	const char *const options[] = { idm_map_scope_option(IDM_MAP_TOP),
					idm_map_scope_option(IDM_MAP_DEEP) };
	struct idm_json list;

	if (!idm_json_member(whole, "mountOptions", &list) || idm_json_type(&list) != IDM_JSON_ARRAY)
		return;
	for (int i = 0; i < 2; i++)
		if (!has_item(&list, options[i]))
			edit_append(e, &list, json_quote(options[i]));
}

static void add_map_annotation(struct edits *e)
{
	static const char *const keys[] = { "linux", "mountExtensions", "idmap", "enabled" };

	edit_set(e, keys, 4, text_of("true"));
}

static int print_changed(struct edits *e, struct idm_error *err)
{
	size_t n;
	char *changed = edit_apply(e, &n);

	if (!changed)
		return idm_fail_errno(err, -ENOMEM, step_features, NULL);
	fwrite(changed, 1, n, stdout);
	free(changed);
	return 0;
}

static int print_edited_features(const char *text, size_t length, struct idm_error *err)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct edits e = { 0 };
	struct idm_json whole;
	int r = idm_json_parse(text, length, step_features, &parsed, err);

	if (r < 0)
		return r;
	e.text = parsed;
	whole = idm_json_whole(parsed);
	r = idm_json_object(&whole, err);
	if (r == 0) {
		add_options(&e, &whole);
		add_map_annotation(&e);
		r = print_changed(&e, err);
	}
	edit_free(&e);
	return r;
}

int print_features(char **argv, struct idm_error *err)
{
	char *text = NULL;
	size_t length = 0;
	int r = ask_runtime(argv, &text, &length, err);

	if (r == 0)
		r = text ? print_edited_features(text, length, err)
			 : print_edited_features(nothing, sizeof(nothing) - 1, err);
	free(text);
	return r;
}
