/* SPDX-License-Identifier: MIT */
/*
 * --json: values are written one after the other into a text, which is printed as a whole. Without
 * memory the command exits, and that error is its only line.
 */
#ifndef IDM_CLI_COMMON_JSON_PRINT_H
#define IDM_CLI_COMMON_JSON_PRINT_H

#include "idmount.h"

#define JSON_DEEPEST 8

/* Begins as {0}. */
struct json {
	char *text;
	size_t n, capacity;
	char ends[JSON_DEEPEST]; /* the closing brackets of open values */
	unsigned int depth;
	bool follows; /* the open value already has an item */
};

/* In all of them `key` is NULL in an array, and at the beginning. */

/* Begins an object ('{') or array ('['), which has all values until json_close(). */
void json_open(struct json *json, const char *key, char bracket);
void json_close(struct json *json);

void json_add_string(struct json *json, const char *key, const char *value); /* NULL: null */

/*
 * Adds a name. A name may have any bytes, but JSON has characters only. If the name is not UTF-8, each
 * wrong byte is U+FFFD in `key`. "KEYBase64" beside it then has all bytes as they are.
 */
void json_add_name(struct json *json, const char *key, const char *name);
void json_add_bool(struct json *json, const char *key, bool value);
void json_add_number(struct json *json, const char *key, uint64_t value);

/* "uidMap" and "gidMap": arrays of {disk, seen, count}; null for a map that is NULL. */
void json_add_map(struct json *json, const struct idm_map *map);

/*
 * Begins members apart, for an object at this depth that is still to get another value.
 * json_add_members() adds them to it, behind its first member, and releases them.
 */
void json_begin_members(struct json *members, unsigned int depth);
void json_add_members(struct json *json, struct json *members);

/* Closes all open values, prints and releases. */
void json_print(struct json *json);

#endif
