/* SPDX-License-Identifier: MIT */
/*
 * JSON that others wrote, read strictly (json-scan.h says what that adds to json-c), as a tree of values
 * that know where they stand. What is wrong with one is said with its place:
 *
 *	mounts[3].options[0]: it is a number, a string is wanted
 *
 * The errors have no subject yet: whoever knows which file the text is from names it.
 */
#ifndef IDM_JSON_H
#define IDM_JSON_H

#include <sys/types.h>

#include "idmount.h"

/* A text that was parsed; it owns all that is read from it. */
struct idm_json_text;

struct json_object;

/* A value. Lives no longer than the one that it was taken from, which it points to. */
struct idm_json {
	const struct idm_json_text *text;
	const struct idm_json *parent; /* NULL: this is the whole text */
	const char *key;	       /* in an object */
	size_t index;		       /* in an array; key is NULL */
	struct json_object *value;
};

enum idm_json_type {
	IDM_JSON_NULL,
	IDM_JSON_BOOLEAN,
	IDM_JSON_NUMBER,
	IDM_JSON_STRING,
	IDM_JSON_ARRAY,
	IDM_JSON_OBJECT
};

/*
 * `step` is kept, for the errors. -EINVAL: malformed, see also idm_json_scan(); err says in which line
 * and column. -E2BIG: longer than 16 MiB, or too many values. -EOPNOTSUPP: json-c is not installed.
 * -ENOMEM.
 */
int idm_json_parse(const char *text, size_t length, enum idm_error_step step,
		   struct idm_json_text **parsed, struct idm_error *err);
void idm_json_free(struct idm_json_text *text); /* NULL is allowed */

struct idm_json idm_json_whole(const struct idm_json_text *text);
enum idm_json_type idm_json_type(const struct idm_json *at);

/* Returns -EINVAL, with the place before the reason. */
int idm_json_fail(const struct idm_json *at, struct idm_error *err, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));

/* The value as what is wanted. Returns 0, or -EINVAL if it is something else. Strings have no NUL
 * inside. */
int idm_json_object(const struct idm_json *at, struct idm_error *err);
int idm_json_array(const struct idm_json *at, size_t *n, struct idm_error *err);
int idm_json_string(const struct idm_json *at, const char **string, struct idm_error *err);
int idm_json_boolean(const struct idm_json *at, bool *boolean, struct idm_error *err);
int idm_json_uint32(const struct idm_json *at, uint32_t *number, struct idm_error *err);

/* The member of an object; false: there is none, or it is null, which says the same. */
bool idm_json_member(const struct idm_json *object, const char *key, struct idm_json *member);

/* One member after the other, in the order of the text. `cursor` begins as NULL. */
bool idm_json_each(const struct idm_json *object, const void **cursor, struct idm_json *member);

/* The element of an array that has more than `index`. */
struct idm_json idm_json_element(const struct idm_json *array, size_t index);

static inline void idm_json_free_text(struct idm_json_text **text)
{
	idm_json_free(*text);
}

#define AUTO_JSON __attribute__((cleanup(idm_json_free_text)))

#endif
