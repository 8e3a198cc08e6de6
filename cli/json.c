// SPDX-License-Identifier: MIT
#include "json.h"

#include <stdio.h>
#include <stdlib.h>

static void add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_object_object_add(object, key, value) < 0)
		abort();
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	add(object, key, value ? json_object_new_string(value) : NULL);
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	add(object, key, json_object_new_boolean(value));
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	add(object, key, json_object_new_uint64(value));
}

static void add_side(struct json_object *object, const char *key, const struct idm_map *map,
		     unsigned int kind)
{
	const struct idm_entry *entries;
	struct json_object *rows;
	size_t n;

	if (!map) {
		add(object, key, NULL);
		return;
	}
	rows = json_object_new_array();
	n = idm_map_entries(map, kind, &entries);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_object_new_object();

		json_add_number(row, "disk", entries[i].disk);
		json_add_number(row, "seen", entries[i].seen);
		json_add_number(row, "count", entries[i].count);
		json_object_array_add(rows, row);
	}
	add(object, key, rows);
}

void json_add_map(struct json_object *object, const struct idm_map *map)
{
	add_side(object, "uidMap", map, IDM_UID);
	add_side(object, "gidMap", map, IDM_GID);
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
							    JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(object);
}
