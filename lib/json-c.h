/* SPDX-License-Identifier: MIT */
/*
 * The one door to json-c, which is loaded when it is asked for: who reads or prints no JSON does not
 * need it. The command prints through this, too.
 */
#ifndef IDM_JSON_C_H
#define IDM_JSON_C_H

#include <json-c/json.h>

#include "idmount.h"

/* What is used of it; X() gets the name behind "json_". */
#define IDM_JSON_C_FUNCTIONS(X)      \
	X(tokener_new_ex)            \
	X(tokener_set_flags)         \
	X(tokener_parse_ex)          \
	X(tokener_get_error)         \
	X(tokener_get_parse_end)     \
	X(tokener_error_desc)        \
	X(tokener_free)              \
	X(object_get_type)           \
	X(object_get_object)         \
	X(object_object_get_ex)      \
	X(object_array_length)       \
	X(object_array_get_idx)      \
	X(object_get_boolean)        \
	X(object_get_int64)          \
	X(object_get_uint64)         \
	X(object_get_string)         \
	X(object_new_object)         \
	X(object_new_array)          \
	X(object_new_string)         \
	X(object_new_boolean)        \
	X(object_new_uint64)         \
	X(object_object_add)         \
	X(object_array_add)          \
	X(object_to_json_string_ext) \
	X(object_put)

#define IDM_JSON_C_MEMBER(name) __typeof__(&json_##name) name;

struct idm_json_c {
	IDM_JSON_C_FUNCTIONS(IDM_JSON_C_MEMBER)
};

/* Returns 0, or -EOPNOTSUPP with a hint. */
int idm_json_c_load(struct idm_json_c *c, enum idm_error_step step, struct idm_error *err);

#endif
