/* SPDX-License-Identifier: MIT */
/*
 * Changes to a JSON text, which leave all other bytes as they are. They are made at the values of
 * lib/spec/json.h, so the changed values are those that were judged.
 *
 * A change that lacks memory is remembered, and edit_apply() then returns NULL. So a caller need not
 * check each change. It may also pass on a text that is NULL, as text_of() returns it.
 */
#ifndef IDM_OCI_JSON_EDIT_H
#define IDM_OCI_JSON_EDIT_H

#include "lib/spec/json.h"

struct edit {
	size_t at, length; /* the bytes to remove */
	char *text;	   /* the bytes to insert; NULL: nothing */
};

struct edits {
	const struct idm_json_text *text;
	struct edit *list;
	size_t n;
	bool failed; /* out of memory */
};

/* Replaces the value. Takes ownership of the text. */
void edit_replace(struct edits *edits, const struct idm_json *value, char *text);

/*
 * Adds an item behind the last one of the object or array, with its layout. Takes ownership of the text.
 */
void edit_append(struct edits *edits, const struct idm_json *in, char *text);

/* Removes the items of the object or array for which the function returns true. */
void edit_remove(struct edits *edits, const struct idm_json *in,
		 bool (*matches)(const struct idm_json *item));

/*
 * Sets the member at the end of a path of keys to `value`, and takes ownership of that. Creates members
 * and objects that are missing on the path. The whole text is an object.
 */
void edit_set(struct edits *edits, const char *const *keys, size_t n, char *value);

/*
 * Returns the changed text, ended by NUL, with its length in *length; NULL: out of memory. The caller
 * frees it.
 */
char *edit_apply(struct edits *edits, size_t *length);
void edit_free(struct edits *edits);

/* printf(3) into new memory, or NULL. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Returns the string in quotes; NULL if the string is NULL. Characters that a terminal would obey or
 * reorder are escaped, too.
 */
char *json_quote(const char *string);

#endif
