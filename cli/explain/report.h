/* SPDX-License-Identifier: MIT */
/* What is printed about a path: places, verdicts and owners, as text or as JSON. */
#ifndef IDM_CLI_EXPLAIN_REPORT_H
#define IDM_CLI_EXPLAIN_REPORT_H

#include <limits.h>

#include "cli/common/json-print.h"
#include "layer.h"
#include "owners.h"
#include "privileges.h"
#include "verdict.h"

struct report {
	bool as_json, wants_owners; /* options */
	struct json json;
	/* Of one path: */
	bool has_process; /* its line is printed */
	uint32_t unseen;
	unsigned int cures;	      /* that are printed */
	bool requires_root;	      /* a cure does */
	bool has_unshare_cure;	      /* in podman's user namespace, it does not */
	char closed[PATH_MAX];	      /* the first place on the way that refuses; "": none so far */
	bool protects_link;	      /* `closed` is a link that only a path which ends there needs */
	bool has_begun_behind;	      /* the line about it is printed */
	char unreached[1024]; /* why what is behind it is not judged; "": it is */
	struct json facts;	      /* JSON: members about the last place */
	char layer[PATH_MAX];	      /* JSON: the file in a layer of an overlay */
	char to_own[VERDICT_TEXT];    /* JSON: of describe_owner_map() */
	struct owners owners;	      /* JSON */
	struct privileges privileges; /* of the place that is the last one so far */
	struct idm_error error;	      /* errnum is 0: none */
};

/* Notes an error for JSON, and prints it. `uid` is the user of the process. */
int report_path_error(struct report *report, struct idm_error *err, const struct subject *s,
		      uint32_t uid);

/* Keeps an error about what is behind a closed directory. It is not one about the path for the process. */
void note_unreached(struct report *report, const struct idm_error *err);

void begin_path_report(struct report *report, const char *path);
void end_path_report(struct report *report);

/* Fills in v->result. Returns 0, or -errno with the error filled in. */
int report_path_place(struct report *report, struct verdict *v, struct idm_error *err);
void report_verdict(struct report *report, const struct verdict *v);

/* ---- text.c ---- */

void print_process(const struct idm_explain_options *facts);
void print_place(const struct verdict *v);
bool print_verdict(const struct verdict *v); /* whether a cure is there */

/* The number, or a word for an ID that has none. */
const char *format_id(uint32_t id, char buf[16]);

/* ---- facts-json.c ---- */

/* Adds the members process, file and mount. v->result has the owner as the mount shows it. */
void note_facts(struct json *members, const struct verdict *v);

/* Null for an ID that has no number, or none in the caller's user namespace. */
void add_json_id(struct json *json, const char *key, uint32_t id);

/* ---- report-owners.c ---- */

/* Counts owners below the directory. Returns 0, or -errno with the error filled in. */
int show_owners(struct report *report, const struct verdict *v, struct idm_error *err);
void add_owners(struct json *json, const struct owners *owners);

#endif
