// SPDX-License-Identifier: MIT
#include "json.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/error.h"
#include "lib/json-c.h"
#include "report.h"

static const char step_print[] = "print JSON";

static struct idm_json_c json_c;

int json_load(void)
{
	struct idm_error err;

	return idm_json_c_load(&json_c, step_print, &err) < 0 ? report_error(&err) : DONE;
}

/* Commands that print JSON have changed nothing, so this can be the end of them. */
_Noreturn static void no_memory(void)
{
	struct idm_error err;

	idm_fail(&err, -ENOMEM, step_print, NULL, NULL);
	exit(report_error(&err));
}

/* NULL would be taken for null. */
static struct json_object *wanted(struct json_object *value)
{
	if (!value)
		no_memory();
	return value;
}

struct json_object *json_new_object(void)
{
	return wanted(json_c.object_new_object());
}

struct json_object *json_new_array(void)
{
	return wanted(json_c.object_new_array());
}

void json_append(struct json_object *array, struct json_object *value)
{
	if (json_c.object_array_add(array, value) < 0)
		no_memory();
}

void json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (json_c.object_object_add(object, key, value) < 0)
		no_memory();
}

void json_add_string(struct json_object *object, const char *key, const char *value)
{
	json_add(object, key, value ? wanted(json_c.object_new_string(value)) : NULL);
}

void json_add_bool(struct json_object *object, const char *key, bool value)
{
	json_add(object, key, wanted(json_c.object_new_boolean(value)));
}

void json_add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_add(object, key, wanted(json_c.object_new_uint64(value)));
}

static void add_side(struct json_object *object, const char *key, const struct idm_map *map,
		     unsigned int kind)
{
	const struct idm_entry *entries;
	struct json_object *rows;
	size_t n;

	if (!map) {
		json_add(object, key, NULL);
		return;
	}
	rows = json_new_array();
	n = idm_map_entries(map, kind, &entries);
	for (size_t i = 0; i < n; i++) {
		struct json_object *row = json_new_object();

		json_add_number(row, "disk", entries[i].disk);
		json_add_number(row, "seen", entries[i].seen);
		json_add_number(row, "count", entries[i].count);
		json_append(rows, row);
	}
	json_add(object, key, rows);
}

void json_add_map(struct json_object *object, const struct idm_map *map)
{
	add_side(object, "uidMap", map, IDM_UID);
	add_side(object, "gidMap", map, IDM_GID);
}

void json_print(struct json_object *object)
{
	const char *text = json_c.object_to_json_string_ext(
		object,
		JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED | JSON_C_TO_STRING_NOSLASHESCAPE);

	if (!text)
		no_memory();
	puts(text);
	json_c.object_put(object);
}
