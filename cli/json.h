/* SPDX-License-Identifier: MIT */
/* --json, through json-c. What is added is owned by what it is added to; out of memory aborts. */
#ifndef JSON_H
#define JSON_H

#include <json-c/json.h>

#include "idmount.h"

void json_add_string(struct json_object *object, const char *key, const char *value);
void json_add_bool(struct json_object *object, const char *key, bool value);
void json_add_number(struct json_object *object, const char *key, uint64_t value);

/* "uidMap" and "gidMap": arrays of {disk, seen, count}; null for a map that is NULL. */
void json_add_map(struct json_object *object, const struct idm_map *map);

/* Prints and releases. */
void json_print(struct json_object *object);

#endif
