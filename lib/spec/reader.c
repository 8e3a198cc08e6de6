// SPDX-License-Identifier: MIT
/* What all lists of mounts have in common: the options of a mount, and its name in errors. */
#include "reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/escape.h"
#include "lib/base/macros.h"
#include "lib/plan/plan.h"
#include "lib/sys/fail-errno.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* ---- mount options ---- */

int idm_read_options(struct idm_option_list *list, const struct idm_json *options, struct idm_error *err)
{
	struct idm_json word = { 0 };
	size_t n = 0;
	int r = idm_json_type(options) == IDM_JSON_NULL ? 0 : idm_json_array(options, &n, err);

	if (r < 0)
		return r;
	list->options = calloc(n + 1, sizeof(*list->options));
	if (!list->options)
		return idm_fail_errno(err, -ENOMEM, step_read, NULL);
	while (r == 0 && idm_json_each(options, &word))
		r = idm_json_string(&word, &list->options[list->n++], err);
	return r;
}

bool idm_option_list_have(const struct idm_option_list *list, const char *word)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->options[i], word) == 0)
			return true;
	return false;
}

bool idm_option_list_have_map(const struct idm_option_list *list)
{
	const char *map;

	for (size_t i = 0; i < list->n; i++)
		if (idm_find_map_option(list->options[i], &map) && map)
			return true;
	return false;
}

bool idm_option_list_make_bind(const struct idm_option_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		if (idm_is_bind_option(list->options[i]))
			return true;
	return false;
}

/* ---- one mount ---- */

int idm_read_string(const struct idm_json *object, const char *key, const char **string,
		    struct idm_error *err)
{
	struct idm_json member;

	*string = NULL;
	return idm_json_member(object, key, &member) ? idm_json_string(&member, string, err) : 0;
}

/* "overlay on /data", as far as it is known. */
static void describe(const struct idm_plan_add_options *m, const struct idm_option_list *list, char *buf,
		     size_t size)
{
	const char *type = idm_option_list_make_bind(list) ? "bind" : m->type ? m->type : "";
	size_t n;
	const char *target = idm_trim_target(m->target, &n);

	snprintf(buf, size, "%s%son /%.*s", type, *type ? " " : "", (int)n, target);
}

/* A subject that does not fit is cut off. Its unprintable bytes are escaped. */
static bool is_subject(const struct idm_error *err, const char *text)
{
	char subject[IDM_SUBJECT_SIZE], shown[IDM_SUBJECT_SIZE];
	size_t n = idm_error_part(err, err->subject, subject, sizeof(subject));

	idm_escape(shown, sizeof(shown), text);
	return strcmp(subject, shown) == 0 ||
	       (n > 3 && strcmp(subject + n - 3, "...") == 0 && strncmp(subject, shown, n - 3) == 0);
}

/*
 * The subject was a part of the name, or something else, such as an entry of the map. Something else has
 * to stay.
 */
static int rename_error(const struct idm_plan_add_options *m, const char *description, const char *name,
			struct idm_error *err)
{
	char subject[2 * IDM_PLAN_ENTRY_NAME];
	struct idm_error old = *err;
	bool said = is_subject(&old, description) || (m->target && is_subject(&old, m->target));

	snprintf(subject, sizeof(subject), "%s (%s)", name, description);
	idm_fail(err, -old.errnum, old.step, subject, "%.*s%s%.*s", said ? 0 : old.subject.length,
		 old.message + old.subject.start, said || !old.subject.length ? "" : ": ",
		 IDM_PART(&old, reason));
	if (*old.hint)
		idm_hint(err, "%s", old.hint);
	return -old.errnum;
}

int idm_plan_add_named(const struct idm_plan_reader *reader, struct idm_plan_add_options *mount,
		       const struct idm_option_list *list, const char *name)
{
	char description[IDM_PLAN_ENTRY_NAME];
	int r;

	mount->options = list->options;
	mount->n_options = list->n;
	mount->dirfd = reader->how.dirfd;
	r = idm_plan_add(reader->plan, mount, reader->err);
	if (r == 0 || !reader->err)
		return r;
	describe(mount, list, description, sizeof(description));
	return rename_error(mount, description, name, reader->err);
}
