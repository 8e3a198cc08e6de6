/* SPDX-License-Identifier: MIT */
/* What a program gets beyond its user. Where it does not count, the program runs without it. */
#ifndef IDM_CLI_EXPLAIN_PRIVILEGES_H
#define IDM_CLI_EXPLAIN_PRIVILEGES_H

#include "cli/common/json-print.h"
#include "verdict.h"

struct privileges {
	uint64_t capabilities; /* permitted ones, 1 << CAP_* */
	uint64_t missing; /* of them, what the process cannot get; the kernel then refuses to execute */
	uint32_t root;	       /* the root ID of the user namespace that they are for */
	bool sets_user, sets_group;
	/* Why they do not count; NULL: they do. */
	const char *lost_capabilities, *lost_ids;
	char cure[VERDICT_TEXT]; /* "": none, or none is known */
};

void find_privileges(const struct verdict *v, struct privileges *p);
/* Refuses to execute a file if the process cannot get all of its capabilities. */
void refuse_program(const struct privileges *p, struct verdict *v);
bool has_privileges(const struct privileges *p);
bool print_privileges(const struct privileges *p); /* whether a cure is there */

/* Large enough for all. */
#define CAPABILITY_TEXT (64 * 32)
void write_capability_names(uint64_t set, char text[CAPABILITY_TEXT]);
void add_capability_names(struct json *json, const char *key, uint64_t set);
void add_privileges(struct json *json, const struct privileges *p);

#endif
