/* SPDX-License-Identifier: MIT */
/*
 * The one reader of JSON: RFC 8259 without exceptions. A text becomes a list of values. Each value knows
 * its bytes in the text. So an editor changes the bytes of the very value that was checked. An error
 * names the place:
 *
 *	line 7, column 19: mounts[3].options[0]: expected a string, got a number
 *
 * Errors have no subject: the caller knows which file the text is from.
 */
#ifndef IDM_SPEC_JSON_H
#define IDM_SPEC_JSON_H

#include <sys/types.h>

#include "idmount.h"

#define IDM_JSON_MOST_BYTES (16U << 20)
#define IDM_JSON_DEEPEST 32
/* Keys count as values too. */
#define IDM_JSON_MOST_VALUES 100000

enum idm_json_type {
	IDM_JSON_NULL,
	IDM_JSON_BOOLEAN,
	IDM_JSON_NUMBER,
	IDM_JSON_STRING,
	IDM_JSON_ARRAY,
	IDM_JSON_OBJECT
};

/* A value. It precedes its members or elements in the list. */
struct idm_json_value {
	enum idm_json_type type;
	uint32_t start, end;  /* its bytes in the text */
	uint32_t item;	      /* where its key starts; an element has no key: `start` */
	uint32_t parent;      /* in the list; the top value is its own parent */
	uint32_t next;	      /* the next in the same array or object, in the list; 0: it is the last */
	uint32_t index;	      /* in the array or object */
	uint32_t n;	      /* the number of its members or elements */
	const char *key;      /* in an object; NULL: it has none */
	const char *contents; /* a decoded string, or a number or word as it is spelt */
};

/* A parsed text. It owns the values, and points to the bytes. The caller keeps the bytes. */
struct idm_json_text {
	const char *bytes;
	size_t length;
	enum idm_error_step step; /* for the errors */
	struct idm_json_value *values;
	size_t n;
	char *strings; /* all keys and contents, each ended by NUL */
};

/* A value of a text. `key` and `index` are those of the value. */
struct idm_json {
	const struct idm_json_text *text;
	const struct idm_json_value *value; /* NULL: it does not exist, which is the same as null */
	const char *key;
	size_t index;
};

/*
 * Accepts any bytes. `text` and `step` have to stay as long as *parsed. Returns 0 on success. Fails with
 * -EINVAL if it is not JSON, has a key twice in one object, or is nested too deep. Fails with -E2BIG if
 * it has too many bytes or values. Fails with -ENOMEM if memory is short.
 */
int idm_json_parse(const char *text, size_t length, enum idm_error_step step,
		   struct idm_json_text **parsed, struct idm_error *err);
void idm_json_free(struct idm_json_text *text); /* NULL is allowed */

/* idm_fail() with "line L, column C: " before the reason; columns count characters. */
int idm_json_fail_at(const struct idm_json_text *text, size_t offset, int code, struct idm_error *err,
		     const char *reason, ...) __attribute__((format(printf, 5, 6)));

struct idm_json idm_json_whole(const struct idm_json_text *text);
enum idm_json_type idm_json_type(const struct idm_json *at);

/* Returns -EINVAL, with the place before the reason. */
int idm_json_fail(const struct idm_json *at, struct idm_error *err, const char *reason, ...)
	__attribute__((format(printf, 3, 4)));

/* Fails with "expected `what`, got ...", and names the type of the value. */
int idm_json_fail_expected(const struct idm_json *at, const char *what, struct idm_error *err);

/* They read a value of the given type. They return 0, or -EINVAL if it has another type. Strings have no
 * NUL inside. */
int idm_json_object(const struct idm_json *at, struct idm_error *err);
int idm_json_array(const struct idm_json *at, size_t *n, struct idm_error *err);
int idm_json_string(const struct idm_json *at, const char **string, struct idm_error *err);
int idm_json_boolean(const struct idm_json *at, bool *boolean, struct idm_error *err);

/* They read a whole number from 0 to `most`, in plain digits. */
int idm_json_integer(const struct idm_json *at, uint64_t most, uint64_t *number, struct idm_error *err);
int idm_json_uint32(const struct idm_json *at, uint32_t *number, struct idm_error *err);

/*
 * Finds a member of an object. Returns false if the member does not exist or is null, which means the
 * same. A null still has its member->value.
 */
bool idm_json_member(const struct idm_json *object, const char *key, struct idm_json *member);

/*
 * Finds the next member of an object or element of an array, in the order of the text. `item` begins as
 * {0}. Other values have no items.
 */
bool idm_json_each(const struct idm_json *in, struct idm_json *item);

static inline void idm_json_free_text(struct idm_json_text **text)
{
	idm_json_free(*text);
}

#define AUTO_JSON __attribute__((cleanup(idm_json_free_text)))

#endif
