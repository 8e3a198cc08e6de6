/* SPDX-License-Identifier: MIT */
/*
 * --json, through json-c, which is loaded when it is needed. What is added is owned by what it is added
 * to. When there is no memory, the command ends, with that as its one line.
 */
#ifndef JSON_H
#define JSON_H

#include "idmount.h"

struct json_object;

/* Before all others: DONE, or FAILED with a message if json-c is not installed. */
int json_load(void);

struct json_object *json_new_object(void);
struct json_object *json_new_array(void);
void json_append(struct json_object *array, struct json_object *value);
void json_add(struct json_object *object, const char *key, struct json_object *value);
void json_add_string(struct json_object *object, const char *key, const char *value); /* NULL: null */

/*
 * A name, which may be any bytes, where JSON has characters only. If it is not UTF-8, each byte at fault
 * is U+FFFD in `key`, and "KEYBase64" beside it has all bytes as they are.
 */
void json_add_name(struct json_object *object, const char *key, const char *name);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);

/* "uidMap" and "gidMap": arrays of {disk, seen, count}; null for a map that is NULL. */
void json_add_map(struct json_object *object, const struct idm_map *map);

/* Prints and releases. */
void json_print(struct json_object *object);

#endif
