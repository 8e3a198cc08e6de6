/* SPDX-License-Identifier: MIT */
/*
 * Other readers of JSON, which the library's is held against. They are two files, since both have a
 * json_object of their own, and a json_object_get() that must not be called.
 */
#ifndef JSON_ORACLES_H
#define JSON_ORACLES_H

#include "lib/spec/json.h"

/* What the library takes json-c takes, as the same. */
void check_json_c(const struct idm_json_text *parsed, const char *text, size_t size);

/* jansson takes and refuses what the library does. `parsed` is NULL where that refused, `why`. */
void check_jansson(const struct idm_json_text *parsed, const char *text, size_t size,
		   const struct idm_error *why);

#endif
