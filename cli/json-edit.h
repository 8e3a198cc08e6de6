/* SPDX-License-Identifier: MIT */
/*
 * Changes to a JSON text that leave every byte as it is that they are not about. The text is known to be
 * well-formed, without a key twice in an object.
 *
 * A change for which there is no memory is remembered, and edit_apply() then gives nothing: whoever
 * makes them does not have to look at each. So a text that is NULL, as text_of() gives it, may be handed
 * on.
 */
#ifndef JSON_EDIT_H
#define JSON_EDIT_H

#include <stdbool.h>
#include <stddef.h>

struct edit {
	size_t at, length; /* what goes */
	char *text;	   /* what comes; NULL: nothing */
};

struct edits {
	const char *text;
	size_t length;
	struct edit *list;
	size_t n;
	bool failed; /* out of memory */
};

/* The member of an object, or the element of an array. Begins as {0}. */
struct item {
	size_t start; /* of the key, or of the element */
	size_t value;
	size_t end; /* of both */
	size_t index;
	size_t previous_end; /* of the item before; where there is none 0 */
};

/* The next item of the object or array at offset `in`; false: there is none. */
bool next_item(const struct edits *edits, size_t in, struct item *item);

/* The member of the object at offset `in`; false: there is none, or it is null (item->end is 0 without
 * one).
 */
bool find_item(const struct edits *edits, size_t in, const char *key, struct item *item);

/* The offset of the whole value. */
size_t whole_value(const struct edits *edits);

/* Instead of what is from `start` to `end`. The text is taken over. */
void edit_replace(struct edits *edits, size_t start, size_t end, char *text);

/* Behind the last item of the object or array at `in`, laid out as that is. The text is taken over. */
void edit_append(struct edits *edits, size_t in, char *text);

/* Those items of the object or array for which `goes` is true. */
void edit_remove(struct edits *edits, size_t in, bool (*goes)(const struct item *item, void *data),
		 void *data);

/*
 * The member at the end of a path of keys becomes `value`, which is taken over; members and objects that
 * are missing on the way are made.
 */
void edit_set(struct edits *edits, const char *const *keys, size_t n, char *value);

/* The text as changed, the caller's to free, ended by NUL; its length in *length. NULL: out of memory.
 */
char *edit_apply(struct edits *edits, size_t *length);
void edit_free(struct edits *edits);

/* printf(3) into new memory; NULL: there is none. */
char *text_of(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The string in quotes; NULL as well if the string is. */
char *json_quote(const char *string);

#endif
