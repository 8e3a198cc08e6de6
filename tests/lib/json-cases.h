/* SPDX-License-Identifier: MIT */
/*
 * The cases in tests/fixtures/json/, named by the verdict of RFC 8259:
 *
 *	y_NAME.json			is JSON
 *	n_NAME.json			is not JSON, has a duplicate key, or is nested too deep
 *	i_accepted-NAME.json		may be accepted or not (chapters 4, 6, 8 and 9), and is
 *	i_refused-NAME.json		may be accepted or not, and is not
 */
#ifndef IDM_LIB_JSON_CASES_H
#define IDM_LIB_JSON_CASES_H

#include "lib/spec/json.h"

struct json_case {
	const char *name;
	const char *text; /* of exactly this length */
	size_t length;
	bool accepted;
};

/* Calls for each, in the order of their names. Returns how many there are. */
size_t json_cases(void (*call)(const struct json_case *c));

/* Fails unless both are the same, with all that is in them; only `a` need be the whole. */
void assert_same_json(const char *name, const struct idm_json *a, const struct idm_json *b);

#endif
