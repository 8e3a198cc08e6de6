/* SPDX-License-Identifier: MIT */
/*
 * Compares the library's reader of JSON with two others. They are in two files, because both headers
 * define json_object and json_object_get().
 */
#ifndef JSON_ORACLES_H
#define JSON_ORACLES_H

#include "lib/spec/json.h"

/* Checks that json-c accepts a text that the library accepts, with the same values. */
void check_json_c(const struct idm_json_text *parsed, const char *text, size_t size);

/* Checks that jansson agrees. If the library refused the text, `parsed` is NULL, and `why` the error. */
void check_jansson(const struct idm_json_text *parsed, const char *text, size_t size,
		   const struct idm_error *why);

#endif
