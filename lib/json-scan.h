/* SPDX-License-Identifier: MIT */
#ifndef IDM_JSON_SCAN_H
#define IDM_JSON_SCAN_H

#include "idmount.h"

#define IDM_JSON_MOST_BYTES (16U << 20)
#define IDM_JSON_DEEPEST 32
/* An empty object is two bytes of text, and 600 of memory. */
#define IDM_JSON_MOST_VALUES 100000

/* What is in a text: json-c's tree of it has to have as much. */
struct idm_json_count {
	size_t values; /* keys count as well */
	size_t nulls;
	size_t bytes; /* of keys and strings */
};

/*
 * Looks at what json-c lets pass, even when it is told to be strict: numbers such as 01, 1. and NaN,
 * control characters in strings, UTF-8 of wrong length, halves of surrogate pairs, NUL bytes, and a key
 * that stands twice in an object, the last one wins. Whether the tokens are in order is json-c's to say.
 *
 * Takes any bytes. Returns 0, with all that it has counted; -EINVAL with line and column in err, also
 * for what is nested deeper than is said above; -E2BIG for a text that is longer or has more values;
 * -ENOMEM.
 */
int idm_json_scan(const char *text, size_t length, enum idm_error_step step,
		  struct idm_json_count *count, struct idm_error *err);

/* \uD83C\uDF0D is as long as this, and the character it stands for has as many bytes as that. */
#define IDM_JSON_PAIR 12
#define IDM_JSON_PAIR_BYTES 4

/*
 * Finds the first surrogate pair from an offset on, in a text that was scanned and taken; the offset
 * must not be inside an escape. Returns where it is, and its character in UTF-8; length if there is
 * none.
 */
size_t idm_json_find_pair(const char *text, size_t from, size_t length,
			  char character[IDM_JSON_PAIR_BYTES]);

/* idm_fail() with "line L, column C: " before the reason; columns are counted in characters. */
int idm_json_fail_at(const char *text, size_t offset, int code, enum idm_error_step step,
		     struct idm_error *err, const char *reason, ...)
	__attribute__((format(printf, 6, 7)));

#endif
