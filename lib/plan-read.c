// SPDX-License-Identifier: MIT
/* Lists of mounts that other programs wrote: which of them it is, and what all have in common. */
#include "plan-read.h"
#include "printable.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cancel.h"
#include "error.h"
#include "options.h"
#include "plan.h"
#include "util.h"

static const enum idm_error_step step_read = IDM_STEP_READ_PLAN;

/* ---- words ---- */

int idm_words_read(struct idm_words *words, const struct idm_json *options, struct idm_error *err)
{
	size_t n = 0;
	int r = idm_json_type(options) == IDM_JSON_NULL ? 0 : idm_json_array(options, &n, err);

	if (r < 0)
		return r;
	words->words = calloc(n + 1, sizeof(*words->words));
	if (!words->words)
		return idm_fail(err, -ENOMEM, step_read, NULL, NULL);
	for (; r == 0 && words->n < n; words->n++) {
		struct idm_json word = idm_json_element(options, words->n);

		r = idm_json_string(&word, &words->words[words->n], err);
	}
	return r;
}

bool idm_words_have(const struct idm_words *words, const char *word)
{
	for (size_t i = 0; i < words->n; i++)
		if (strcmp(words->words[i], word) == 0)
			return true;
	return false;
}

bool idm_words_have_map(const struct idm_words *words)
{
	static const char *const begins[] = { "uidmap=", "gidmap=", "idmap=", "ridmap=" };

	for (size_t i = 0; i < words->n; i++)
		for (size_t k = 0; k < ARRAY_SIZE(begins); k++)
			if (strncmp(words->words[i], begins[k], strlen(begins[k])) == 0)
				return true;
	return false;
}

bool idm_words_make_bind(const struct idm_words *words)
{
	for (size_t i = 0; i < words->n; i++)
		if (idm_is_bind_word(words->words[i]))
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
static void describe(const struct idm_plan_add_options *m, const struct idm_words *words, char *buf,
		     size_t size)
{
	const char *type = idm_words_make_bind(words) ? "bind" : m->type ? m->type : "";
	size_t n;
	const char *target = idm_trim_target(m->target, &n);

	snprintf(buf, size, "%s%son /%.*s", type, *type ? " " : "", (int)n, target);
}

/* Only the beginning of what does not fit is there, and unprintable bytes are not. */
static bool is_subject(const struct idm_error *err, const char *text)
{
	char subject[IDM_SUBJECT_SIZE], shown[IDM_SUBJECT_SIZE];
	size_t n = idm_error_part(err, err->subject, subject, sizeof(subject));

	idm_printable(shown, sizeof(shown), text);
	return strcmp(subject, shown) == 0 ||
	       (n > 3 && strcmp(subject + n - 3, "...") == 0 && strncmp(subject, shown, n - 3) == 0);
}

/*
 * The subject was one of the things that the name says; or something else, such as an entry of the map,
 * which has to stay.
 */
static int rename_error(const struct idm_plan_add_options *m, const char *description, const char *name,
			struct idm_error *err)
{
	char subject[2 * IDM_STEP_NAME];
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
		       const struct idm_words *words, const char *name)
{
	char description[IDM_STEP_NAME];
	int r;

	mount->options = words->words;
	mount->n_options = words->n;
	mount->dirfd = reader->how.dirfd;
	r = idm_plan_add(reader->plan, mount, reader->err);
	if (r == 0 || !reader->err)
		return r;
	describe(mount, words, description, sizeof(description));
	return rename_error(mount, description, name, reader->err);
}

/* ---- the text ---- */

/* The specification wants both of an OCI configuration, and a list of mounts has neither. */
static bool looks_like_oci(const struct idm_json *whole)
{
	struct idm_json member;

	return idm_json_member(whole, "ociVersion", &member) || idm_json_member(whole, "root", &member);
}

static int read_any(const struct idm_plan_reader *reader, const struct idm_json *whole)
{
	enum idm_json_type type = idm_json_type(whole);

	if (type == IDM_JSON_OBJECT && looks_like_oci(whole))
		return idm_plan_read_oci(reader, whole);
	if (type == IDM_JSON_OBJECT || type == IDM_JSON_ARRAY)
		return idm_plan_read_containerd(reader, whole);
	return idm_json_fail(whole, reader->err, "neither a list of mounts nor an OCI configuration");
}

static int read_text(const struct idm_plan_reader *reader, const char *text, size_t length)
{
	AUTO_JSON struct idm_json_text *parsed = NULL;
	struct idm_json whole;
	int r = idm_json_parse(text, length, step_read, &parsed, reader->err);

	if (r < 0)
		return r;
	whole = idm_json_whole(parsed);
	switch (reader->how.format) {
	case IDM_PLAN_READ_CONTAINERD:
		return idm_plan_read_containerd(reader, &whole);
	case IDM_PLAN_READ_OCI:
		return idm_plan_read_oci(reader, &whole);
	case IDM_PLAN_READ_ANY:
		return read_any(reader, &whole);
	}
	return idm_fail(reader->err, -EINVAL, step_read, NULL, "unknown format %u", reader->how.format);
}

int idm_plan_read(struct idm_plan *plan, const char *text, size_t length,
		  const struct idm_plan_read_options *how, struct idm_error *err)
{
	HOLD_CANCEL;
	struct idm_plan_reader reader = { plan, IDM_PLAN_READ_OPTIONS_INIT, err };
	size_t before = plan->n;
	int r = idm_take_options(&reader.how, sizeof(reader.how), how, step_read, err);

	if (r < 0)
		return r;
	r = read_text(&reader, text, length);
	if (r < 0)
		idm_plan_truncate(plan, before);
	return r;
}
