/* SPDX-License-Identifier: MIT */
/*
 * Changes to a JSON text that leave every byte as it is that they are not about. They are made at the
 * values of lib/spec/json.h, so what is changed is what was judged.
 *
 * A change for which there is no memory is remembered, and edit_apply() then returns NULL: a caller
 * does not have to check each. So a text that is NULL, as text_of() returns it, may be handed
 * on.
 */
#ifndef IDM_OCI_JSON_EDIT_H
#define IDM_OCI_JSON_EDIT_H

#include "lib/spec/json.h"

struct edit {
	size_t at, length; /* what is removed */
	char *text;	   /* what comes; NULL: nothing */
};

struct edits {
	const struct idm_json_text *text;
	struct edit *list;
	size_t n;
	bool failed; /* out of memory */
};

/* Another value. The text is taken over. */
void edit_replace(struct edits *edits, const struct idm_json *value, char *text);

/* Behind the last item of the object or array, laid out as that is. The text is taken over. */
void edit_append(struct edits *edits, const struct idm_json *in, char *text);

/* Those items of the object or array for which `goes` is true. */
void edit_remove(struct edits *edits, const struct idm_json *in,
		 bool (*goes)(const struct idm_json *item));

/*
 * The member at the end of a path of keys becomes `value`, which is taken over; members and objects that
 * are missing on the way are made. The whole is an object.
 */
void edit_set(struct edits *edits, const char *const *keys, size_t n, char *value);

/* The text as changed, the caller's to free, ended by NUL; its length in *length. NULL: out of memory.
 */
char *edit_apply(struct edits *edits, size_t *length);
void edit_free(struct edits *edits);

/* printf(3) into new memory, or NULL. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * The string in quotes; NULL as well if the string is. What a terminal would obey or reorder is escaped,
 * too.
 */
char *json_quote(const char *string);

#endif
