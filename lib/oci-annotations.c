// SPDX-License-Identifier: MIT
/* Maps in annotations: for engines that have no other way to say which mount is to be mapped. */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "oci.h"
#include "plan.h"

const char *idm_oci_annotated(const struct idm_json *annotation, size_t *n)
{
	size_t length = strlen(IDM_OCI_ANNOTATION);

	if (strncmp(annotation->key, IDM_OCI_ANNOTATION, length) != 0)
		return NULL;
	return idm_trim_target(annotation->key + length, n);
}

bool idm_oci_find_annotation(const struct idm_json *annotations, const char *destination, size_t n,
			     struct idm_json *found)
{
	const void *cursor = NULL;

	if (idm_json_type(annotations) != IDM_JSON_OBJECT)
		return false;
	while (idm_json_each(annotations, &cursor, found)) {
		size_t length;
		const char *named = idm_oci_annotated(found, &length);

		if (named && length == n && memcmp(named, destination, n) == 0)
			return true;
	}
	return false;
}

/* The word in front of a map, or alone; *text goes on behind it, and is NULL if nothing does. */
static const char *take_word(const char **text)
{
	static const char *const words[] = { "idmap", "ridmap" };

	for (int i = 0; i < 2; i++) {
		size_t n = strlen(words[i]);

		if (strncmp(*text, words[i], n) != 0 || ((*text)[n] != '=' && (*text)[n]))
			continue;
		*text = (*text)[n] ? *text + n + 1 : NULL;
		return words[i];
	}
	return NULL;
}

int idm_oci_read_annotation(const struct idm_json *annotation, const char **word, struct idm_map **map,
			    struct idm_error *err)
{
	struct idm_error why;
	const char *text;
	int r = idm_json_string(annotation, &text, err);

	if (r < 0)
		return r;
	*word = take_word(&text);
	if (!text)
		return 0;
	if (idm_map_new(map) < 0)
		return idm_fail(err, -ENOMEM, "read plan", NULL, NULL);
	/* No lookups: who writes annotations may be anybody. */
	r = idm_map_parse(*map, text, 0, &why);
	if (r == 0)
		r = idm_map_check(*map, &why);
	if (r < 0)
		return idm_json_fail(annotation, err, "%s%s%s", why.subject, *why.subject ? ": " : "",
				     why.reason);
	return 0;
}
